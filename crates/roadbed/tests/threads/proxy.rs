//! Through an HTTP proxy, without a runtime.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc;

use roadbed::Error;
use roadbed::blocking::{self, BlockingConnector};
use roadbed::client::Connect;
use roadbed::core::transport::{ProxyError, TransportDetails};
use roadbed::runtime::Runtime;
use roadbed::url::Address;

use crate::net::*;

/// Connects to a Unix socket that stands for the proxy.
struct ToProxy {
    sockets: UnixSockets,
    path: std::path::PathBuf,
}

impl BlockingConnector for ToProxy {
    type Socket = Unix;

    fn runtime(&self) -> Arc<dyn Runtime> {
        self.sockets.runtime()
    }

    fn open(&self, address: &Address) -> io::Result<(Unix, TransportDetails)> {
        assert_eq!(address, &Address::Tcp { host: "proxy".into(), port: 3128 });
        self.sockets.open(&Address::Unix(self.path.clone()))
    }
}

/// A proxy that answers `answer` to everybody; who gets a tunnel is at `server`'s router.
fn proxy(server: &Server, path: &Path, answer: &'static [u8]) -> mpsc::Receiver<String> {
    let (router, runtime, listener) = (server.router.clone(), Arc::clone(&server.runtime), path.listen());
    let (heads, seen) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        heads.send(String::from_utf8(head).unwrap()).unwrap();
        stream.write_all(answer).unwrap();
        if answer.starts_with(b"HTTP/1.1 200") {
            let driver = router.accept_driver(TransportDetails::local());
            blocking::start(driver, Unix(stream), runtime).unwrap();
        }
    });
    seen
}

fn connect(server: &Server, path: &Path) -> Connect<ToProxy> {
    let url = path.url();
    let path = url.strip_prefix("unix:").unwrap().into();
    let connector = ToProxy { sockets: UnixSockets(Arc::clone(&server.runtime)), path };
    Connect::new(connector, "rs://router.example").realm("realm1").proxy("http://proxy:3128")
}

#[test]
fn a_session_through_a_proxy() {
    let (server, path) = (Server::start(), Path::new());
    let seen = proxy(&server, &path, b"HTTP/1.1 200 OK\r\n\r\n");
    let session = connect(&server, &path).wait().unwrap();
    assert!(seen.recv().unwrap().starts_with("CONNECT router.example:8080 HTTP/1.1\r\n"));
    session.publish("com.example.topic", (1,)).acknowledge().wait().unwrap();
    drop(session);
    server.assert_empty();
}

#[test]
fn a_proxy_that_refuses() {
    let (server, path) = (Server::start(), Path::new());
    let _seen = proxy(&server, &path, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let error = connect(&server, &path).wait().unwrap_err();
    let Error::Proxy(ProxyError::Refused(refusal)) = error.root() else { panic!("{error}") };
    assert_eq!((refusal.status(), &**refusal.text()), (403, "no"));
    server.assert_empty();
}
