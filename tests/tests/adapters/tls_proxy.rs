//! A proxy that speaks TLS with its clients, and passes on what is inside to a router.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed::runtime::SystemClock;
use roadbed::tls::TlsLayer;
use roadbed_examples::clock::utc;

use crate::certificates;
use crate::way::Way;
use crate::world::World;

/// How long a socket is looked at before the other one is.
const LOOK: Duration = Duration::from_millis(2);

/// The proxy. Dropped, it closes what is connected.
pub(crate) struct TlsProxy {
    address: SocketAddr,
    way: Way,
    is_over: Arc<AtomicBool>,
}

impl TlsProxy {
    /// A proxy in front of a router's plain port.
    pub(crate) fn to<A>(world: &World<A>) -> Self {
        let target: SocketAddr = world.place.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let over = Arc::clone(&over);
                // Whoever ends it, the sockets close.
                thread::spawn(move || carry(client, TcpStream::connect(target)?, &over));
            }
        });
        Self { address, way: world.way, is_over }
    }

    /// Where to connect to.
    pub(crate) fn url(&self) -> String {
        self.way.url(self.address)
    }

    /// Its host and port.
    pub(crate) fn place(&self) -> SocketAddr {
        self.address
    }

    /// Ends what is connected with `close_notify`, and takes nobody in any more.
    pub(crate) fn say_goodbye(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.say_goodbye();
        drop(TcpStream::connect(self.address));
    }
}

/// Carries bytes both ways until one of the ends has ended, or it is over.
fn carry(mut client: TcpStream, mut router: TcpStream, is_over: &AtomicBool) -> Result<()> {
    for stream in [&client, &router] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
    }
    let clock = SystemClock::start();
    let mut layer = TlsLayer::server(&certificates::server(), clock.now(), utc());
    let (mut ciphertext, mut plaintext, mut answer) = (BytesMut::new(), BytesMut::new(), Bytes::new());
    let mut has_ended = false;
    while !has_ended {
        let read = look(&mut client)?;
        has_ended |= read.as_ref().is_some_and(Vec::is_empty);
        ciphertext.extend_from_slice(&read.unwrap_or_default());
        while !ciphertext.is_empty() {
            layer.handle_input(clock.now(), &mut ciphertext, &mut plaintext);
        }
        router.write_all(&plaintext.split())?;
        if answer.is_empty() {
            let read = look(&mut router)?;
            has_ended |= read.as_ref().is_some_and(Vec::is_empty);
            answer = read.unwrap_or_default().into();
        }
        layer.send(&mut answer);
        has_ended |= is_over.load(Ordering::SeqCst);
        if has_ended {
            layer.close();
        }
        while let Some(bytes) = layer.poll_transmit() {
            client.write_all(&bytes)?;
        }
    }
    client.shutdown(Shutdown::Write)?;
    router.shutdown(Shutdown::Both)?;
    // Closed with something unread it would be reset.
    while look(&mut client)?.is_none_or(|read| !read.is_empty()) {}
    Ok(())
}

/// What there is to read, nothing at the end; `None` when there is nothing yet.
fn look(stream: &mut TcpStream) -> Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; 16 << 10];
    match stream.read(&mut buffer) {
        Ok(count) => {
            buffer.truncate(count);
            Ok(Some(buffer))
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
        Err(error) => Err(error),
    }
}
