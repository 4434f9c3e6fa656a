//! TLS between two threads at each end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use roadbed::Error;
use roadbed::blocking::{self, Socket};
use roadbed::client::{Invocation, Session, Settings, open_secure};
use roadbed::core::serializer::Serializer;
use roadbed::core::transport::TransportDetails;
use roadbed::tls::{Protocol, TlsError};

use crate::certificates::{HOST, client, server, stranger};
use crate::net::{Server, Tcp, Unix, runtime, wait_until};
use crate::stress::twelve_callers;

/// A session through TLS over a connected socket.
fn join<S: Socket>(socket: S, settings: &Settings, serializer: Serializer) -> Result<Session, Error> {
    let (details, runtime) = (TransportDetails::default(), runtime());
    let (joining, driver) =
        open_secure(settings, Arc::clone(&runtime), serializer, details, HOST, Protocol::Raw)?;
    blocking::start(driver, socket, runtime)?;
    joining.wait()
}

fn settings() -> Settings {
    Settings::new("realm1").tls(client())
}

/// Serves TCP as well, and says where.
fn listen(server: &Server) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (router, runtime) = (server.router.clone(), Arc::clone(&server.runtime));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let driver = router.accept_driver(TransportDetails::default());
            blocking::start(driver, Tcp(stream.unwrap()), Arc::clone(&runtime)).unwrap();
        }
    });
    address
}

#[test]
fn sessions_over_tcp() {
    let server = Server::with(|builder| builder.tls_required(server()));
    let address = listen(&server);
    for serializer in Serializer::ALL {
        let connect = || Tcp(TcpStream::connect(address).unwrap());
        let callee = join(connect(), &settings(), serializer).unwrap();
        let echo = |inv: Invocation| async move { Ok(inv.get::<String>()?) };
        callee.register("com.example.echo", echo).wait().unwrap().detach();
        let session = join(connect(), &settings(), Serializer::Json).unwrap();
        for bytes in [0, 100, 20_000, 500_000] {
            let text = "x".repeat(bytes);
            let echoed: String = session.call("com.example.echo", (&text,)).returning().wait().unwrap();
            assert_eq!(echoed, text);
        }
        session.leave().wait().unwrap();
        callee.leave().wait().unwrap();
    }
    let error = join(
        Tcp(TcpStream::connect(address).unwrap()),
        &Settings::new("realm1").tls(stranger()),
        Serializer::Json,
    )
    .unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::Certificate(_))), "{error}");
    server.assert_empty();
}

#[test]
fn a_client_that_speaks_no_tls_where_it_must_is_sent_an_alert_and_a_clean_end() {
    let server = Server::with(|builder| builder.tls_required(server()));
    let mut stream = TcpStream::connect(listen(&server)).unwrap();
    stream.write_all(b"\x7F\xF1\x00\x00").unwrap();
    let start = Instant::now();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // A TLS record of type 21: a fatal alert.
    assert!(matches!(answer[..], [21, 3, _, 0, 2, 2, _]), "{answer:?}");
    // Not when the time to say hello is over.
    assert!(start.elapsed() < Duration::from_secs(4));
    drop(stream);
    let error = server.connect().wait().unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)), "{error}");
    server.assert_empty();
}

#[test]
fn a_router_that_vanishes_leaves_nobody_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        // It takes some of a ClientHello, and is gone.
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 64]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    let error = join(Tcp(TcpStream::connect(address).unwrap()), &settings(), Serializer::Json).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    peer.join().unwrap();
}

/// The reading thread decrypts, the writing one encrypts, and both use one TLS layer.
#[test]
fn twelve_callers_through_tls() {
    let server = Server::with(|builder| builder.tls_required(server()));
    let path = server.path();
    twelve_callers(|| {
        join(Unix(UnixStream::connect(&path).unwrap()), &settings(), Serializer::Cbor).unwrap()
    });
    server.assert_empty();
}

/// Handshakes are where the reading half has the most to say.
#[test]
fn many_come_and_go_at_once() {
    let server = Server::with(|builder| builder.tls(server()));
    let path = server.path();
    let comers: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            thread::spawn(move || {
                for _ in 0..20 {
                    let socket = Unix(UnixStream::connect(&path).unwrap());
                    let session = join(socket, &settings(), Serializer::MsgPack).unwrap();
                    session.publish("com.example.t", (1,)).acknowledge().wait().unwrap();
                    session.leave().wait().unwrap();
                }
            })
        })
        .collect();
    comers.into_iter().for_each(|comer| comer.join().unwrap());
    wait_until("everybody is gone", || server.router.connections() == 0);
    assert_eq!(server.router.stats().counters.joined, 160);
}
