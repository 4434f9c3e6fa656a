//! A relay between a client and the router, which can do what networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use roadbed::core::serializer::Serializer;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::way::Way;
use crate::world::World;

/// The relay, over the same kind of socket as the router's. Dropped, it resets what is connected.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    url: String,
    /// Where clients connect to.
    address: SockAddr,
    /// The file of a Unix socket.
    path: Option<PathBuf>,
}

struct Shared {
    target: SockAddr,
    /// Handshakes that ask for one of these are answered as a router without that serializer does.
    refused: Vec<Serializer>,
    /// What handshakes asked for.
    asked: Mutex<Vec<u8>>,
    pairs: Mutex<Vec<(Arc<Socket>, Arc<Socket>)>>,
    /// Nothing is carried any more, and nothing read.
    is_hole: AtomicBool,
    /// Ends are not passed on any more.
    is_cut: AtomicBool,
}

/// A socket for this address.
fn socket(address: &SockAddr) -> Socket {
    let domain = if address.is_unix() { Domain::UNIX } else { Domain::IPV4 };
    Socket::new(domain, Type::STREAM, None).unwrap()
}

fn connect(address: &SockAddr) -> std::io::Result<Socket> {
    let socket = socket(address);
    socket.connect(address).map(|()| socket)
}

impl Relay {
    /// A relay to a router.
    pub(crate) fn to<A>(world: &World<A>) -> Self {
        Self::refusing(world, &[])
    }

    /// A relay that refuses some serializers, which only RawSocket clients can be, one by one.
    pub(crate) fn refusing<A>(world: &World<A>, refused: &[Serializer]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (target, mut address, path) = if Way::UNIX.contains(&world.way) {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("roadbed-{}-relay{count}.sock", std::process::id());
            let path = std::env::temp_dir().join(name);
            (SockAddr::unix(&world.place).unwrap(), SockAddr::unix(&path).unwrap(), Some(path))
        } else {
            let target: SocketAddr = world.place.parse().unwrap();
            (target.into(), SocketAddr::from(([127, 0, 0, 1], 0)).into(), None)
        };
        let listener = socket(&address);
        listener.bind(&address).unwrap();
        listener.listen(16).unwrap();
        let url = match &path {
            Some(path) => world.way.url(path.display()),
            None => {
                address = listener.local_addr().unwrap();
                world.way.url(address.as_socket().unwrap())
            }
        };
        let shared = Arc::new(Shared {
            target,
            refused: refused.to_vec(),
            asked: Mutex::default(),
            pairs: Mutex::default(),
            is_hole: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if accepting.is_cut.load(Ordering::SeqCst) {
                    return;
                }
                accepting.begin(client);
            }
        });
        Self { shared, url, address, path }
    }

    /// Where to connect to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The serializers that handshakes asked for, one after the other.
    pub(crate) fn asked(&self) -> Vec<u8> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Whether a client is connected, and the router with it.
    pub(crate) fn is_carrying(&self) -> bool {
        !self.shared.pairs.lock().unwrap().is_empty()
    }

    /// Resets every connection; a Unix socket just closes.
    pub(crate) fn reset(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        for (client, server) in self.shared.pairs.lock().unwrap().drain(..) {
            for stream in [client, server] {
                if !self.address.is_unix() {
                    stream.set_linger(Some(Duration::ZERO)).unwrap();
                }
                // The threads let go of it, and closing it resets it.
                let _ = stream.shutdown(Shutdown::Read);
            }
        }
    }

    /// Ends the stream to the clients, and still reads what they send.
    pub(crate) fn end(&self) {
        for (client, _) in self.shared.pairs.lock().unwrap().iter() {
            client.shutdown(Shutdown::Write).unwrap();
        }
        self.shared.is_hole.store(false, Ordering::SeqCst);
    }

    /// Lets everything vanish from now on, without a word.
    pub(crate) fn swallow(&self) {
        self.shared.is_hole.store(true, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.reset();
        self.shared.is_hole.store(false, Ordering::SeqCst);
        drop(connect(&self.address));
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Shared {
    fn begin(self: &Arc<Self>, client: Socket) {
        // Whatever is spoken, a client begins with more than this.
        let mut handshake = [0; 4];
        (&client).read_exact(&mut handshake).unwrap();
        let asked = handshake[1] & 0x0f;
        self.asked.lock().unwrap().push(asked);
        if self.refused.iter().any(|refused| refused.rawsocket_id() == asked) {
            (&client).write_all(&[0x7f, 0x10, 0, 0]).unwrap();
            return;
        }
        let server = connect(&self.target).unwrap();
        (&server).write_all(&handshake).unwrap();
        if !self.target.is_unix() {
            for stream in [&client, &server] {
                stream.set_tcp_nodelay(true).unwrap();
            }
        }
        let (client, server) = (Arc::new(client), Arc::new(server));
        self.pairs.lock().unwrap().push((Arc::clone(&client), Arc::clone(&server)));
        for (from, to) in [(Arc::clone(&client), Arc::clone(&server)), (server, client)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.carry(&from, &to));
        }
    }

    fn carry(&self, mut from: &Socket, mut to: &Socket) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = from.read(&mut buffer).unwrap_or(0);
            while self.is_hole.load(Ordering::SeqCst) && !self.is_cut.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            if self.is_cut.load(Ordering::SeqCst) {
                return;
            }
            if count == 0 || to.write_all(&buffer[..count]).is_err() {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}
