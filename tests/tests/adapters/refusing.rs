//! Servers and proxies that say no, and ports that speak something else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use roadbed::Error;
use roadbed::core::limits::Limits;

use crate::adapter::Adapter;
use crate::certificates;
use crate::way::Way;
use crate::world::{Outcome, World, config, in_time, settings};

/// Answers everybody with a refusal in pieces, whose text has a length or not, and keeps the connection.
fn refuses(body: &'static [&'static str]) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        for piece in ["HTTP/1.1 403 Forbidden\r\n", "WWW-Authenticate: Basic\r\n"].iter().chain(body) {
            stream.write_all(piece.as_bytes())?;
            // The pieces arrive one by one, or they do not: what is seen is the same.
            thread::sleep(Duration::from_millis(5));
        }
        // Until the client has gone.
        stream.read_to_end(&mut head)
    });
    Ok(address)
}

fn check(error: &Error, place: &str, text: &str) {
    let refusal = error.refusal().unwrap_or_else(|| panic!("{place}: {error}"));
    assert_eq!((refusal.status(), &**refusal.text()), (403, text), "{place}");
    assert_eq!(refusal.header("www-authenticate"), Some("Basic"), "{place}");
    assert!(error.status() == Some(403) && !error.is_retryable(), "{place}");
}

/// The text of a refusal is there, in however many pieces it comes: from a server, and from a proxy.
pub(crate) async fn text_in_pieces<A: Adapter>(world: &World<A>) -> Outcome {
    let bodies: [&'static [&'static str]; 3] = [
        &["Content-Length: 11\r\n\r\n", "go ", "away now"],
        &["Transfer-Encoding: chunked\r\n\r\n", "3\r\ngo \r", "\n8\r\naway now\r\n0\r\n\r\n"],
        // Its end does not come, and is waited for a moment.
        &["\r\n", "go away now"],
    ];
    for body in bodies {
        if world.way == Way::WebSocket {
            let error = in_time(world.adapter.connect(&world.way.url(refuses(body)?), settings())).await;
            check(&error.unwrap_err(), "server", "go away now");
        }
        let proxied = settings().proxy(format!("http://{}", refuses(body)?));
        let url = world.way.url("router.example:80");
        let start = Instant::now();
        let error = in_time(world.adapter.connect(&url, proxied)).await;
        check(&error.unwrap_err(), "proxy", "go away now");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
    world.note("refused in the same words");
    Ok(())
}

/// Where TLS is required, and one comes without; and the other way round.
pub(crate) async fn ports_of_another_protocol<A: Adapter>(world: &World<A>) -> Outcome {
    let required = world.another_with(config(), |builder| builder.tls_required(certificates::server()));
    let plain = match world.way {
        Way::SecureRawSocket => Way::RawSocket,
        Way::SecureWebSocket => Way::WebSocket,
        way => way,
    };
    let error = in_time(world.adapter.connect(&plain.url(&required.place), settings())).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let advice = match plain {
        Way::WebSocket => "connect with wss:// or https://.",
        _ => "connect with rss:// instead of rs://",
    };
    assert!(error.to_string().ends_with(advice), "{error}");
    drop(required.session().await);
    required.close().await;
    world.note("TLS is asked for");
    Ok(())
}

/// A router without room says when to come back.
pub(crate) async fn full_router<A: Adapter>(world: &World<A>) -> Outcome {
    let full = world.another_with(config().limits(Limits::default()), |builder| builder.max_connections(0));
    let error = in_time(full.join(settings())).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    if world.way.path().is_some() {
        let refusal = error.refusal().expect("a refusal");
        assert!(refusal.status() == 503 && refusal.header("Retry-After").is_some(), "{refusal:?}");
    }
    full.close().await;
    world.note("there is no room, for now");
    Ok(())
}
