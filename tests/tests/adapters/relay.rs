//! A TCP relay between a client and the router, which can do what networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use roadbed::core::serializer::Serializer;
use socket2::SockRef;

/// The relay. Dropped, it resets what is connected.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    target: SocketAddr,
    /// Handshakes that ask for one of these are answered as a router without that serializer does.
    refused: Vec<Serializer>,
    /// What handshakes asked for.
    asked: Mutex<Vec<u8>>,
    pairs: Mutex<Vec<(Arc<TcpStream>, Arc<TcpStream>)>>,
    /// Nothing is carried any more, and nothing read.
    is_hole: AtomicBool,
    /// Ends are not passed on any more.
    is_cut: AtomicBool,
}

impl Relay {
    /// A relay to the router at `target`.
    pub(crate) fn to(target: SocketAddr) -> Self {
        Self::refusing(target, &[])
    }

    /// A relay that refuses some serializers.
    pub(crate) fn refusing(target: SocketAddr, refused: &[Serializer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
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
            while let Ok((stream, _)) = listener.accept() {
                if accepting.is_cut.load(Ordering::SeqCst) {
                    return;
                }
                accepting.begin(stream);
            }
        });
        Self { shared, address }
    }

    /// Where to connect to.
    pub(crate) fn url(&self) -> String {
        format!("rs://{}", self.address)
    }

    /// The serializers that handshakes asked for, one after the other.
    pub(crate) fn asked(&self) -> Vec<u8> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Resets every connection.
    pub(crate) fn reset(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        for (client, server) in self.shared.pairs.lock().unwrap().drain(..) {
            for stream in [client, server] {
                let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
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
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn begin(self: &Arc<Self>, mut client: TcpStream) {
        let mut handshake = [0; 4];
        client.read_exact(&mut handshake).unwrap();
        let asked = handshake[1] & 0x0f;
        self.asked.lock().unwrap().push(asked);
        if self.refused.iter().any(|refused| refused.rawsocket_id() == asked) {
            client.write_all(&[0x7f, 0x10, 0, 0]).unwrap();
            return;
        }
        let mut server = TcpStream::connect(self.target).unwrap();
        server.write_all(&handshake).unwrap();
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (client, server) = (Arc::new(client), Arc::new(server));
        self.pairs.lock().unwrap().push((Arc::clone(&client), Arc::clone(&server)));
        for (from, to) in [(Arc::clone(&client), Arc::clone(&server)), (server, client)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.carry(&from, &to));
        }
    }

    fn carry(&self, mut from: &TcpStream, mut to: &TcpStream) {
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
