//! The way to a WebSocket: what a connection speaks, the HTTP heads of both ends, and a proxy's answer.
//!
//! * How a stream is cut into reads changes neither the verdict nor what is left in the buffer.
//! * Nothing is consumed before the head is whole, and nothing behind it after that.
//! * A server's answer is one that our own client understands, and an upgrade one that it takes.
//! * What a request says can be read in every way that authentication may try.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_core::transport::websocket::{
    Agreed, ClientHandshake, MAX_HEAD, MAX_HEADERS, OriginPolicy, PathRule, ServerHandshake, ServerStep,
    Subprotocol, UpgradeError, UpgradeRequest, WebSocketClientConfig, WebSocketServerConfig,
};
use roadbed_core::transport::{HttpConnect, Sniff, sniff};
use roadbed_core::uri::Uri;

use crate::check_text;
use crate::source::Source;

/// The nonce of the client; seeds hold the answer that belongs to it.
const NONCE: [u8; 16] = *b"the sample nonce";
const T0: Timestamp = Timestamp::ZERO;

/// The first bytes of a connection: the verdict stays once it is there.
pub fn sniffing(data: &[u8]) {
    let mut known = Sniff::More;
    for len in 0..=data.len().min(16) {
        let found = sniff(&data[..len]);
        assert!(known == Sniff::More || found == known, "{known:?} became {found:?}");
        assert!(len < 2 || found != Sniff::More, "still nothing after {len} bytes");
        known = found;
    }
}

/// A client's request, read by a server.
pub fn websocket_request(data: &[u8]) {
    let mut source = Source::new(data);
    let config = Arc::new(server_config(&mut source));
    let is_secure = source.flag();
    let cuts = source.bytes(8).to_vec();
    let stream = source.rest();
    let whole = serve(&config, is_secure, stream, &[]);
    assert_eq!(serve(&config, is_secure, stream, &cuts), whole, "cut into pieces of {cuts:?} bytes");
    assert_eq!(serve(&config, is_secure, stream, &[0]), whole, "byte by byte");
    let Some(Served { request, agreed, response, error }) = whole else { return };
    assert!(response.len() <= 1024, "an answer of {} bytes", response.len());
    if let Some(error) = &error {
        check_text(error);
        assert_eq!(error.status(), status(&response), "{error}");
    }
    match (request, agreed) {
        (Some(request), Some(agreed)) => {
            assert_eq!(status(&response), Some(101));
            check_request(&request, &config);
            check_agreed(agreed, &config);
        }
        _ => assert_eq!(error.is_none(), status(&response) == Some(200)),
    }
}

/// A server's answer, read by a client.
pub fn websocket_answer(data: &[u8]) {
    let mut source = Source::new(data);
    let asked: &[Subprotocol] = match source.below(3) {
        0 => &Subprotocol::ALL,
        1 => &[Subprotocol::plain(Serializer::Cbor)],
        _ => &[],
    };
    let config = WebSocketClientConfig::new("example.com", "/ws").expect("it is right").subprotocols(asked);
    let cuts = source.bytes(8).to_vec();
    let stream = source.rest();
    let whole = connect(&config, stream, &[]);
    assert_eq!(connect(&config, stream, &cuts), whole, "cut into pieces of {cuts:?} bytes");
    assert_eq!(connect(&config, stream, &[0]), whole, "byte by byte");
    match whole {
        Ok(Some((agreed, _))) => {
            assert_eq!(agreed.subprotocol.is_none(), asked.is_empty());
            assert!(agreed.subprotocol.is_none_or(|subprotocol| asked.contains(&subprotocol)));
            assert_eq!(agreed.deflate, None, "it was not offered");
        }
        Ok(None) => {}
        Err(error) => check_text(&error),
    }
}

/// A proxy's answer to CONNECT.
pub fn proxy_answer(data: &[u8]) {
    let mut source = Source::new(data);
    let cuts = source.bytes(8).to_vec();
    let stream = source.rest();
    let run = |cuts: &[u8]| {
        let mut connect = HttpConnect::new("example.com", 443).expect("it is right");
        let mut input = BytesMut::new();
        for (piece, rest) in pieces(stream, cuts) {
            input.extend_from_slice(piece);
            match connect.read(T0, &mut input) {
                Ok(true) => return Ok(Some([&input, rest].concat())),
                Ok(false) => assert!(input.len() < MAX_HEAD),
                Err(error) => return Err(error),
            }
        }
        connect.give_up().map_or(Ok(None), Err)
    };
    let whole = run(&[]);
    assert_eq!(run(&cuts), whole, "cut into pieces of {cuts:?} bytes");
    assert_eq!(run(&[0]), whole, "byte by byte");
    match whole {
        Ok(Some(rest)) => assert!(stream.ends_with(&rest)),
        Ok(None) => {}
        Err(error) => check_text(&error),
    }
}

/// A stream in pieces of so many bytes, one more than given, each with what comes after it.
fn pieces<'a>(stream: &'a [u8], cuts: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let mut rest = Some(stream);
    (0..).map_while(move |turn: usize| {
        let stream = rest?;
        let len = cuts.get(turn % cuts.len().max(1)).map_or(stream.len(), |&cut| usize::from(cut) + 1);
        let (piece, behind) = stream.split_at(len.min(stream.len()));
        rest = (!behind.is_empty()).then_some(behind);
        Some((piece, behind))
    })
}

fn server_config(source: &mut Source<'_>) -> WebSocketServerConfig {
    let config = WebSocketServerConfig::default();
    let config = match source.below(3) {
        0 => config,
        1 => config.subprotocols(&[Subprotocol::batched(Serializer::Json)]),
        _ => config.subprotocols(&[]),
    };
    let list = || OriginPolicy::allow(["https://example.com", "null"]).expect("it is right");
    let config = match source.below(3) {
        0 => config,
        1 => config.origins(list()),
        _ => config.origins(OriginPolicy::Any),
    };
    if source.flag() {
        let rule = PathRule::new("/ws").expect("it is right");
        return config.path(rule.realm(Uri::new("realm1").expect("it is right")));
    }
    config
}

#[derive(Debug, PartialEq)]
struct Served {
    request: Option<Arc<UpgradeRequest>>,
    agreed: Option<Agreed>,
    response: Bytes,
    error: Option<UpgradeError>,
}

fn serve(config: &Arc<WebSocketServerConfig>, is_secure: bool, stream: &[u8], cuts: &[u8]) -> Option<Served> {
    let mut handshake = ServerHandshake::new(Arc::clone(config));
    handshake.set_secure(is_secure);
    let mut input = BytesMut::new();
    for (piece, rest) in pieces(stream, cuts) {
        input.extend_from_slice(piece);
        let before = input.len();
        match handshake.read(&mut input) {
            ServerStep::More => assert!(input.len() == before && before < MAX_HEAD),
            ServerStep::Upgraded { agreed, request, response } => {
                let head = stream.len() - rest.len() - input.len();
                assert!(stream[..head].ends_with(b"\r\n\r\n"), "more was consumed than the head");
                let (request, agreed) = (Some(request), Some(agreed));
                return Some(Served { request, agreed, response, error: None });
            }
            ServerStep::Answered { response, error } => {
                return Some(Served { request: None, agreed: None, response, error });
            }
        }
    }
    None
}

/// The status of an answer, as our own client reads it.
fn status(response: &[u8]) -> Option<u16> {
    let config = WebSocketClientConfig::new("example.com", "/").expect("it is right");
    let mut input = BytesMut::from(response);
    let mut handshake = ClientHandshake::new(&config, NONCE);
    let answer = handshake.read(T0, &mut input);
    // The answer to HEAD announces a text that does not come.
    match handshake.give_up().map_or(answer, Err) {
        Err(UpgradeError::Refused(refusal)) => Some(refusal.status()),
        // An upgrade for another key, other subprotocols.
        Ok(Some(_)) | Err(_) if response.starts_with(b"HTTP/1.1 101 ") => Some(101),
        other => panic!("our own answer: {other:?}"),
    }
}

fn check_request(request: &UpgradeRequest, config: &WebSocketServerConfig) {
    assert!(request.path().starts_with('/'));
    assert_eq!(request.realm().is_some(), !config.paths.is_empty());
    assert!(request.headers().count() <= MAX_HEADERS);
    for (name, value) in request.headers() {
        assert!(!name.is_empty() && value.trim_ascii() == value);
        assert!(request.header(name).is_none_or(|value| !value.contains(['\r', '\n', '\0'])));
    }
    for (name, value) in request.cookies() {
        assert!(request.cookie(name).is_some() && !value.contains(';'));
    }
    let _ = (request.query_value("a"), request.query_value(""), request.host(), request.origin());
    let text = format!("{request:?}");
    assert!(text.len() <= 8 * MAX_HEAD, "a text of {} bytes", text.len());
}

fn check_agreed(agreed: Agreed, config: &WebSocketServerConfig) {
    assert_eq!(agreed.deflate, None, "it is not configured");
    assert_eq!(agreed.subprotocol.is_none(), config.subprotocols.is_empty());
    assert!(agreed.subprotocol.is_none_or(|subprotocol| config.subprotocols.contains(&subprotocol)));
    let refusal = ServerHandshake::refuse("busy", Duration::from_secs(9));
    assert_eq!(status(&refusal), Some(503));
}

fn check_refusal(error: UpgradeError) -> UpgradeError {
    if let UpgradeError::Refused(refusal) = &error {
        assert!(refusal.text().len() <= 256 && refusal.headers().count() <= MAX_HEADERS);
        let _ = refusal.retry_after(UnixMicros::default());
    }
    error
}

type Connected = Result<Option<(Agreed, Vec<u8>)>, UpgradeError>;

fn connect(config: &WebSocketClientConfig, stream: &[u8], cuts: &[u8]) -> Connected {
    let mut handshake = ClientHandshake::new(config, NONCE);
    let mut input = BytesMut::new();
    for (piece, rest) in pieces(stream, cuts) {
        input.extend_from_slice(piece);
        match handshake.read(T0, &mut input) {
            Ok(None) => assert!(input.len() < MAX_HEAD),
            Ok(Some(agreed)) => return Ok(Some((agreed, [&input, rest].concat()))),
            Err(error) => return Err(check_refusal(error)),
        }
    }
    handshake.give_up().map_or(Ok(None), |error| Err(check_refusal(error)))
}
