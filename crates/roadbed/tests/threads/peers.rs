//! Peers that stop in the middle.

use std::future::IntoFuture;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use roadbed::Error;
use roadbed::core::error::{CloseReason, Deadline};
use roadbed::core::limits::Limits;
use roadbed::core::serializer::Serializer;

use crate::net::{Path, connect, runtime, wait_until};

/// Says what a router says until a session is joined, in JSON.
fn welcome(stream: &mut UnixStream) {
    let mut handshake = [0; 4];
    stream.read_exact(&mut handshake).unwrap();
    stream.write_all(b"\x7F\xF1\x00\x00").unwrap();
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let mut hello = vec![0; u32::from_be_bytes(header).try_into().unwrap()];
    stream.read_exact(&mut hello).unwrap();
    let welcome = br#"[2,1,{"roles":{"broker":{},"dealer":{"features":{"call_canceling":true}}}}]"#;
    stream.write_all(&u32::try_from(welcome.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(welcome).unwrap();
}

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// What a busy machine may take for something that is due at once, and less than any deadline by default.
const BUSY: Duration = Duration::from_secs(20);

#[test]
fn a_router_that_reads_nothing_holds_up_no_deadline() {
    let path = Path::new();
    let listener = path.listen();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        welcome(&mut stream);
        stream
    });
    let limits = Limits::default().goodbye_timeout(Duration::from_millis(300));
    let connect = connect(&runtime(), &path).realm("realm1").limits(limits).serializer(Serializer::Json);
    let session = connect.wait().unwrap();
    let stream = peer.join().unwrap();
    let payload = "x".repeat(1_500_000);
    session.publish("com.example.t", (&payload,)).wait().unwrap();
    session.publish("com.example.t", (&payload,)).wait().unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        let error = session.call("com.example.p", ()).timeout(Duration::from_millis(200)).wait().unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{error}");
        assert!(start.elapsed() < BUSY, "{:?}", start.elapsed());
    }
    let start = Instant::now();
    let error = session.leave().wait().unwrap_err();
    let Error::Ended(reason) = error.root() else { panic!("{error}") };
    assert_eq!(**reason, CloseReason::Timeout(Deadline::Goodbye));
    assert!(start.elapsed() < BUSY, "{:?}", start.elapsed());
    // The socket closes, though the peer never read a byte of it.
    wait_until("the socket is closed", || {
        let mut stream = stream.try_clone().unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut buffer = [0; 1 << 16];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    });
}

#[test]
fn a_router_that_vanishes_leaves_no_thread() {
    let path = Path::new();
    let listener = path.listen();
    let peer = thread::spawn(move || {
        for _ in 0..8 {
            let (mut stream, _) = listener.accept().unwrap();
            welcome(&mut stream);
            thread::sleep(Duration::from_millis(20));
        }
    });
    let runtime = runtime();
    let before = threads();
    for _ in 0..8 {
        let session = connect(&runtime, &path).realm("realm1").serializer(Serializer::Json).wait().unwrap();
        let mut events = session.subscribe("com.example.t").into_future();
        let start = Instant::now();
        let error = session.call("com.example.p", ()).no_timeout().wait().unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(start.elapsed() < BUSY);
        let error = futures_lite::future::block_on(&mut events).unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    peer.join().unwrap();
    // Other tests of this process have threads of their own.
    if std::env::args().any(|argument| argument == "--test-threads=1") {
        wait_until("every thread has ended", || threads() <= before);
    }
}

#[test]
fn a_refused_connection_is_an_error() {
    let path = Path::new();
    let error = connect(&runtime(), &path).realm("realm1").wait().unwrap_err();
    assert!(matches!(error.root(), Error::Io(_)) && error.is_retryable());
    let connector = crate::net::UnixSockets(runtime());
    let error = roadbed::client::Connect::new(connector, "http://localhost").wait().unwrap_err();
    assert!(matches!(error, Error::Url(_)) && !error.is_retryable());
}
