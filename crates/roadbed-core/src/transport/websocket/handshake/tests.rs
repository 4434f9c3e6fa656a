//! Both ends against each other and against scripted ones.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::super::{
    HeadError, OriginPolicy, PathRule, Subprotocol, UpgradeError, WebSocketClientConfig,
    WebSocketServerConfig,
};
use super::{Agreed, ClientHandshake, ServerHandshake, ServerStep};
use crate::serializer::Serializer;
use crate::time::Timestamp;
use crate::uri::Uri;

const NONCE: [u8; 16] = *b"the sample nonce";
const JSON: Subprotocol = Subprotocol::plain(Serializer::Json);
const CBOR: Subprotocol = Subprotocol::plain(Serializer::Cbor);

/// The lines of a request in order, to take away from or to add to.
const GOOD: [&str; 7] = [
    "GET /ws HTTP/1.1",
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: wamp.2.json",
];

fn head(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\r\n")).chain(["\r\n".into()]).collect()
}

/// The good request with a line replaced (by none, if it is empty), and lines added behind.
fn request(replaced: usize, line: &str, added: &[&str]) -> String {
    let mut lines = GOOD.to_vec();
    lines[replaced] = line;
    lines.extend(added);
    lines.retain(|line| !line.is_empty());
    head(&lines)
}

fn added(lines: &[&str]) -> String {
    request(0, GOOD[0], lines)
}

fn serve(config: WebSocketServerConfig, request: &str) -> ServerStep {
    ServerHandshake::new(Arc::new(config)).read(&mut BytesMut::from(request))
}

/// Status and error of an answer, which is checked to be well-formed.
fn refused(config: WebSocketServerConfig, request: &str) -> (u16, String, Option<UpgradeError>) {
    let ServerStep::Answered { response, error } = serve(config, request) else {
        panic!("not answered: {request}");
    };
    let text = String::from_utf8(response.to_vec()).unwrap();
    assert!(text.contains("\r\nConnection: close") && text.contains("\r\nContent-Length: "), "{text}");
    let status = text[9..12].parse().unwrap();
    assert_eq!(error.as_ref().map_or(Some(200), UpgradeError::status), Some(status));
    (status, text, error)
}

#[test]
fn refusals() {
    let ws = || WebSocketServerConfig::default();
    let one_path = || ws().path(PathRule::new("/ws").unwrap()).path(PathRule::new("/more").unwrap());
    let big = format!("X: {}", "x".repeat(9000));
    let many: Vec<String> = (0..64).map(|number| format!("X{number}: y")).collect();
    let many: Vec<&str> = many.iter().map(|line| &line[..]).collect();
    for (config, request, status, holds) in [
        // What is no HTTP.
        (ws(), "hello\r\n\r\n".into(), 400, "malformed"),
        (ws(), "GET /ws HTTP/1.1\n".into(), 400, "malformed"),
        (ws(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 400, "malformed"),
        (ws(), added(&["A: b", " folded"]), 400, "malformed"),
        (ws(), added(&[&big]), 431, "8192"),
        (ws(), added(&many), 431, "64"),
        // Not a request for an upgrade.
        (ws(), head(&["GET / HTTP/1.1", "Host: h"]), 200, "<h1>"),
        (ws(), head(&["GET / HTTP/1.0"]), 200, "<h1>"),
        (ws(), head(&["GET /?x=<script> HTTP/1.1", "Host: h"]), 200, "<h1>"),
        (ws(), head(&["GET /ws HTTP/1.1", "Host: h"]), 404, "path"),
        (ws(), head(&["GET /ws HTTP/1.1", "Host: h", "Connection: Upgrade", "Upgrade: h2c"]), 404, "path"),
        (one_path(), head(&["GET /ws HTTP/1.1", "Host: h"]), 426, "WAMP client"),
        (one_path(), head(&["GET /other HTTP/1.1", "Host: h"]), 404, "path"),
        (ws(), request(0, "POST /ws HTTP/1.1", &[]), 405, "Allow: GET, HEAD\r\n"),
        (ws(), request(0, "POST / HTTP/1.1", &[]), 405, "Allow: GET, HEAD\r\n"),
        (ws(), request(0, "get /ws HTTP/1.1", &[]), 405, "Allow: GET, HEAD\r\n"),
        (ws(), head(&["OPTIONS * HTTP/1.1", "Host: h"]), 405, "Allow: GET, HEAD\r\n"),
        (ws(), request(0, "CONNECT example.com:443 HTTP/1.1", &[]), 405, "Allow: GET, HEAD\r\n"),
        // It is only looked at, whatever else it says.
        (ws(), request(0, "HEAD / HTTP/1.1", &[]), 200, "Content-Type: text/html"),
        // A request for an upgrade that is not in order.
        (ws(), request(0, "GET /ws HTTP/1.0", &[]), 400, "1.0"),
        (ws(), request(0, "GET ws HTTP/1.1", &[]), 400, "target"),
        (ws(), request(1, "", &[]), 400, "Host"),
        (ws(), added(&["Host: example.com"]), 400, "Host"),
        (ws(), request(3, "Connection: keep-alive", &[]), 400, "Connection"),
        (ws(), request(4, "", &[]), 426, "Sec-WebSocket-Version: 13\r\n"),
        (ws(), request(4, "Sec-WebSocket-Version: 8", &[]), 426, "Sec-WebSocket-Version: 13\r\n"),
        (ws(), request(4, "Sec-WebSocket-Version: 13, 8", &[]), 426, "Upgrade: websocket\r\n"),
        (ws(), request(5, "", &[]), 400, "Key"),
        (ws(), request(5, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", &[]), 400, "Key"),
        (ws(), added(&[GOOD[5]]), 400, "Key"),
        (ws(), added(&["Content-Length: 5"]), 400, "body"),
        (ws(), added(&["Content-Length: 0", "Transfer-Encoding: chunked"]), 400, "body"),
        (ws(), added(&["Sec-WebSocket-Extensions: ;"]), 400, "Extensions"),
        // In order, but not wanted.
        (one_path(), request(0, "GET /other HTTP/1.1", &[]), 404, "path"),
        (one_path(), request(0, "GET /%77s HTTP/1.1", &[]), 404, "path"),
        (one_path(), request(0, "GET /ws/ HTTP/1.1", &[]), 404, "path"),
        (ws(), added(&["Origin: http://example.com.evil.com"]), 403, "origin"),
        (ws(), added(&["Origin: https://example.com"]), 403, "origin"),
        (ws(), added(&["Origin: null"]), 403, "origin"),
        (ws(), added(&["Origin: \u{e9}"]), 403, "origin"),
        (ws(), added(&["Origin: http://example.com", "Origin: http://evil.com"]), 400, "Origin"),
        (ws(), request(6, "", &[]), 400, "wamp.2.json, wamp.2.msgpack, wamp.2.cbor"),
        (ws(), request(6, "Sec-WebSocket-Protocol: chat, WAMP.2.JSON", &[]), 400, "wamp.2.cbor.batched."),
        (ws().subprotocols(&[CBOR]), added(&[]), 400, "On offer are wamp.2.cbor."),
    ] {
        let (found, text, error) = refused(config, &request);
        assert_eq!(found, status, "{request}\n{text}");
        assert!(text.contains(holds), "{text}");
        assert!(!text.contains("script"), "told back what was sent: {text}");
        assert_eq!(error.is_none(), status == 200);
    }
    // What TLS begins with, where TLS is not spoken.
    let ServerStep::Answered { response, error } = serve(ws(), "\x16\x03\x01") else { panic!("answered") };
    assert!(response.starts_with(b"HTTP/1.1 400 ") && response.ends_with(b"connect with ws:// or rs://.\n"));
    assert_eq!(error, Some(UpgradeError::Tls));
    let busy = ServerHandshake::refuse("too many connections", core::time::Duration::from_millis(1500));
    assert!(busy.starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
    assert!(String::from_utf8(busy.to_vec()).unwrap().contains("\r\nRetry-After: 1\r\n"));
}

/// HEAD gets what GET gets, but for the body.
#[test]
fn head_is_get_without_a_body() {
    let one_path = || WebSocketServerConfig::default().path(PathRule::new("/ws").unwrap());
    for (target, host, status) in [
        ("/", "Host: h", 200),
        ("/ws", "Host: h", 426),
        ("/other", "Host: h", 404),
        ("/", "", 400),
        ("*", "Host: h", 400),
    ] {
        let ask = |method: &str| {
            let line = format!("{method} {target} HTTP/1.1");
            let lines: Vec<_> = [&*line, host].into_iter().filter(|line| !line.is_empty()).collect();
            refused(one_path(), &head(&lines))
        };
        let ((found, get, error), (_, head, head_error)) = (ask("GET"), ask("HEAD"));
        assert_eq!((found, error), (status, head_error), "{target}");
        let (fields, body) = get.split_once("\r\n\r\n").unwrap();
        assert!(!body.is_empty());
        assert_eq!(head, format!("{fields}\r\n\r\n"));
    }
}

#[test]
fn requests_that_are_accepted() {
    let any = WebSocketServerConfig::default;
    let path = |rule: PathRule| any().path(rule);
    let listed = || any().origins(OriginPolicy::allow(["https://app.example"]).unwrap());
    for (config, request) in [
        (any(), added(&[])),
        (any(), format!("\r\n{}", added(&[]))),
        (any(), request(0, "GET http://example.com/ws HTTP/1.1", &[])),
        (any(), request(0, "GET / HTTP/1.1", &[])),
        (any(), request(2, "uPGRADE:\tfoo , WebSocket ", &[])),
        (any(), added(&["Content-Length: 0"])),
        (any(), added(&["Origin: http://example.com"])),
        (any(), added(&["Origin: http://EXAMPLE.com:80"])),
        (any().behind_tls(true), added(&["Origin: https://example.com"])),
        (any().origins(OriginPolicy::Any), added(&["Origin: null"])),
        (listed(), added(&["Origin: https://app.example"])),
        (listed(), added(&[])),
        (any(), request(6, "Sec-WebSocket-Protocol: chat,,wamp.2.json", &[])),
        (any(), request(6, "Sec-WebSocket-Protocol: chat", &["Sec-WebSocket-Protocol: wamp.2.json"])),
        (any(), added(&["Sec-WebSocket-Extensions: permessage-deflate; unknown, x"])),
        (path(PathRule::new("/ws").unwrap()), request(0, "GET /ws?x=1 HTTP/1.1", &[])),
    ] {
        let ServerStep::Upgraded { agreed, response, request, .. } = serve(config, &request) else {
            panic!("refused: {request}");
        };
        assert_eq!(agreed, Agreed { subprotocol: Some(JSON), deflate: None });
        assert_eq!(request.realm(), None);
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: wamp.2.json\r\n\r\n";
        assert_eq!(response, expected);
    }
}

#[test]
fn a_secure_transport_makes_https_the_own_origin() {
    let request = added(&["Origin: https://example.com"]);
    let mut handshake = ServerHandshake::new(Arc::default());
    handshake.set_secure(true);
    let step = handshake.read(&mut BytesMut::from(&request[..]));
    assert!(matches!(step, ServerStep::Upgraded { .. }), "{step:?}");
}

#[test]
fn a_path_leads_to_its_realm() {
    let realm = Uri::new("com.example.admin").unwrap();
    let config = WebSocketServerConfig::default()
        .path(PathRule::new("/ws").unwrap())
        .path(PathRule::new("/admin").unwrap().realm(realm.clone()));
    for (path, expected) in [("/ws", None), ("/admin", Some(&realm))] {
        let step = serve(config.clone(), &request(0, &format!("GET {path} HTTP/1.1"), &[]));
        let ServerStep::Upgraded { request, .. } = step else { panic!("{step:?}") };
        assert_eq!(request.realm(), expected);
    }
}

#[test]
fn the_clients_order_decides() {
    let config =
        WebSocketServerConfig::default().subprotocols(&[JSON, CBOR, Subprotocol::batched(Serializer::Json)]);
    for (line, expected) in [
        ("wamp.2.cbor, wamp.2.json", "wamp.2.cbor"),
        ("wamp.2.msgpack, wamp.2.json.batched, wamp.2.json", "wamp.2.json.batched"),
        ("wamp.2.msgpack.batched,wamp.2.json", "wamp.2.json"),
    ] {
        let request = request(6, &format!("Sec-WebSocket-Protocol: {line}"), &[]);
        let step = serve(config.clone(), &request);
        let ServerStep::Upgraded { agreed, .. } = step else { panic!("{step:?}") };
        assert_eq!(agreed.subprotocol.map(Subprotocol::name), Some(expected));
    }
    // Without WAMP, for test suites.
    let step = serve(config.subprotocols(&[]), &request(6, "", &[]));
    let ServerStep::Upgraded { agreed, response, .. } = step else { panic!("{step:?}") };
    assert_eq!(agreed.subprotocol, None);
    assert!(!String::from_utf8(response.to_vec()).unwrap().contains("Protocol:"));
}

/// Lists that have made parsers of others slow or fall over.
#[test]
fn hostile_lists_of_subprotocols() {
    for list in [
        ",".repeat(7000),
        " ,".repeat(3500),
        format!("a{}b", " ".repeat(7000)),
        format!("a{}\u{a0}", "\t ".repeat(3000)),
        "wamp.2.jso,".repeat(600),
        "x".repeat(7000),
        "\"wamp.2.json\"".into(),
        "wamp.2.json;q=1".into(),
    ] {
        let request = request(6, &format!("Sec-WebSocket-Protocol: {list}"), &[]);
        let (status, text, error) = refused(WebSocketServerConfig::default(), &request);
        assert_eq!(status, 400);
        assert!(text.len() < 600 && format!("{}", error.unwrap()).len() < 300, "{text}");
        let ours = request.replace(&list, &[&list[..list.len().min(6900)], ", wamp.2.json"].concat());
        if list.is_ascii() {
            assert!(matches!(serve(WebSocketServerConfig::default(), &ours), ServerStep::Upgraded { .. }));
        }
    }
}

fn client_config() -> WebSocketClientConfig {
    WebSocketClientConfig::new("example.com", "/ws?a=1").unwrap().subprotocols(&[CBOR, JSON])
}

#[test]
fn what_a_client_asks() {
    let config = client_config().origin("http://a").unwrap().header("Cookie", " a=1 ").unwrap();
    let expected = "GET /ws?a=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: wamp.2.cbor, wamp.2.json\r\nOrigin: http://a\r\nCookie: a=1\r\n\r\n";
    assert_eq!(ClientHandshake::new(&config, NONCE).request(), expected);
    let none = ClientHandshake::new(&config.subprotocols(&[]), NONCE).request();
    assert!(!String::from_utf8(none.to_vec()).unwrap().contains("Sec-WebSocket-Protocol"));
}

const ANSWER: [&str; 5] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: WebSocket",
    "Connection: upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Protocol: wamp.2.json",
];

fn answer(replaced: usize, line: &str, added: &[&str]) -> String {
    let mut lines = ANSWER.to_vec();
    lines[replaced] = line;
    lines.extend(added);
    lines.retain(|line| !line.is_empty());
    head(&lines)
}

fn read(answer: &str) -> Result<Option<Agreed>, UpgradeError> {
    let mut handshake = ClientHandshake::new(&client_config(), NONCE);
    let result = handshake.read(Timestamp::ZERO, &mut BytesMut::from(answer));
    // The stream ends.
    handshake.give_up().map_or(result, Err)
}

#[test]
fn answers_that_a_client_takes() {
    let agreed = Ok(Some(Agreed { subprotocol: Some(JSON), deflate: None }));
    for answer in [
        answer(0, ANSWER[0], &[]),
        answer(0, "HTTP/1.1 101", &[]),
        answer(0, ANSWER[0], &["X: y", "Sec-WebSocket-Extensions:"]),
        format!(
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 \r\n\r\n{}",
            answer(0, ANSWER[0], &[])
        ),
    ] {
        assert_eq!(read(&answer), agreed, "{answer}");
    }
}

#[test]
fn answers_that_a_client_refuses() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(5);
    for (answer, holds) in [
        (answer(1, "", &[]), "Upgrade"),
        (answer(1, "Upgrade: h2c", &[]), "Upgrade"),
        (answer(2, "", &[]), "Connection"),
        (answer(2, "Connection: close", &[]), "Connection"),
        (answer(3, "", &[]), "Sec-WebSocket-Accept"),
        (answer(3, "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &[]), "Sec-WebSocket-Accept"),
        (answer(0, ANSWER[0], &[ANSWER[3]]), "Sec-WebSocket-Accept"),
        (answer(4, "", &[]), "no subprotocol"),
        (answer(4, "Sec-WebSocket-Protocol: wamp.2.msgpack", &[]), "\"wamp.2.msgpack\""),
        (answer(4, "Sec-WebSocket-Protocol: wamp.2.cbor, wamp.2.json", &[]), "not asked for"),
        (answer(0, ANSWER[0], &[ANSWER[4]]), "twice"),
        (answer(0, ANSWER[0], &["Sec-WebSocket-Extensions: permessage-deflate"]), "permessage-deflate"),
        (answer(0, "HTTP/1.0 101 Switching Protocols", &[]), "1.0"),
        (interim, "100 Continue"),
        ("HTTP/1.1 200 OK\r\n\r\n<html>".into(), "200 OK: <html>"),
        ("HTTP/1.1 404 Not Found\r\n\r\n".into(), "404 Not Found"),
        ("HTTP/1.1 302 Found\r\nLocation: ws://b\r\n\r\n".into(), "302 Found"),
        ("SSH-2.0-x\r\n\r\n".into(), "malformed"),
        ("\x15\x03\x03\0\x02\x02\x46".into(), "wss://"),
        ("HTTP/1.1 101 x\n".into(), "malformed"),
        (format!("HTTP/1.1 101 {}", "x".repeat(9000)), "8192"),
    ] {
        let error = read(&answer).unwrap_err();
        let text = format!("{error}");
        assert!(text.contains(holds), "{text}: {answer}");
    }
    let long = format!("HTTP/1.1 503 {}\r\n\r\n\x1b{}", "r".repeat(500), "t".repeat(500));
    let Err(UpgradeError::Refused(refusal)) = read(&long) else { panic!() };
    assert_eq!((refusal.status(), refusal.reason().len(), refusal.text().len()), (503, 128, 255));
}

/// Request and answer, cut in two at every byte, with frames behind them.
#[test]
fn every_split_gives_the_same_and_leaves_what_follows() {
    let request = format!("{}frames", added(&[]));
    for cut in 0..=request.len() {
        let mut handshake = ServerHandshake::new(Arc::default());
        let mut input = BytesMut::from(&request[..cut]);
        let mut step = handshake.read(&mut input);
        if cut < request.len() - 6 {
            assert!(matches!(step, ServerStep::More), "{cut}: {step:?}");
            assert_eq!(input.len(), cut, "consumed a part");
            input.extend_from_slice(&request.as_bytes()[cut..]);
            step = handshake.read(&mut input);
        } else {
            input.extend_from_slice(&request.as_bytes()[cut..]);
        }
        assert!(matches!(step, ServerStep::Upgraded { .. }), "{cut}: {step:?}");
        assert_eq!(input, "frames");
    }
    let answer = format!("HTTP/1.1 100 \r\n\r\n{}frames", answer(0, ANSWER[0], &[]));
    for cut in 0..=answer.len() {
        let mut handshake = ClientHandshake::new(&client_config(), NONCE);
        let mut input = BytesMut::from(&answer[..cut]);
        let mut agreed = handshake.read(Timestamp::ZERO, &mut input).unwrap();
        assert_eq!(agreed.is_some(), cut >= answer.len() - 6, "{cut}");
        input.extend_from_slice(&answer.as_bytes()[cut..]);
        if agreed.is_none() {
            agreed = handshake.read(Timestamp::ZERO, &mut input).unwrap();
        }
        assert_eq!(agreed.unwrap().subprotocol, Some(JSON));
        assert_eq!(input, "frames");
    }
}

/// A faulty head is found out wherever its bytes are cut, and with the same error.
#[test]
fn faults_do_not_depend_on_the_cut() {
    let fault = "GET / HTTP/1.1\r\nHost: h\r\nX: y\rZ";
    for cut in 0..fault.len() {
        let mut handshake = ServerHandshake::new(Arc::default());
        let mut input = BytesMut::from(&fault[..cut]);
        assert!(matches!(handshake.read(&mut input), ServerStep::More));
        input.extend_from_slice(&fault.as_bytes()[cut..]);
        let ServerStep::Answered { error, .. } = handshake.read(&mut input) else { panic!() };
        let expected = HeadError::Malformed { what: "the end of a line" };
        assert_eq!(error, Some(UpgradeError::Head(expected)));
    }
}

/// Carries a client's request to a server and the answer back.
fn shake(
    client: &WebSocketClientConfig,
    server: WebSocketServerConfig,
) -> (Agreed, Result<Agreed, UpgradeError>) {
    let mut handshake = ClientHandshake::new(client, NONCE);
    let step = ServerHandshake::new(Arc::new(server)).read(&mut BytesMut::from(&handshake.request()[..]));
    let ServerStep::Upgraded { agreed, response, .. } = step else { panic!("{step:?}") };
    let answer = handshake.read(Timestamp::ZERO, &mut BytesMut::from(&response[..]));
    (agreed, answer.map(Option::unwrap))
}

#[cfg(feature = "deflate")]
#[test]
fn both_ends_agree_on_compression() {
    use super::{DeflateConfig, DeflateParams};

    let wish = DeflateConfig::default().server_max_window_bits(10);
    let client = client_config().deflate(wish);
    let (ours, theirs) = shake(&client, WebSocketServerConfig::default().deflate(DeflateConfig::default()));
    let params = DeflateParams { server_max_window_bits: 10, ..DeflateParams::default() };
    assert_eq!((ours.deflate, theirs), (Some(params), Ok(ours)));
    // Only when both want it.
    let (ours, theirs) = shake(&client, WebSocketServerConfig::default());
    assert_eq!((ours.deflate, theirs), (None, Ok(ours)));
    let server = WebSocketServerConfig::default().deflate(wish);
    assert_eq!(shake(&client_config(), server).0.deflate, None);
}

fn subprotocols() -> impl Strategy<Value = Vec<Subprotocol>> {
    prop::collection::vec(prop::sample::select(&Subprotocol::ALL[..]), 1..6)
}

proptest! {
    /// Ours understand each other, and headers arrive as they were set.
    #[test]
    fn both_ends_agree(
        asked in subprotocols(),
        target in "/[!-\"$-~]{0,20}",
        name in "X-[A-Za-z0-9]{1,8}",
        value in "[!-~][ -~]{0,20}",
    ) {
        let client = WebSocketClientConfig::new("h:1", &target).unwrap().subprotocols(&asked);
        let client = client.header(&name, &value).unwrap();
        let (ours, theirs) = shake(&client, WebSocketServerConfig::default());
        prop_assert_eq!(ours.subprotocol, asked.first().copied());
        prop_assert_eq!(theirs, Ok(ours));

        let request = ClientHandshake::new(&client, NONCE).request();
        let request = super::super::UpgradeRequest::parse(&request).unwrap();
        prop_assert_eq!(request.header(&name), Some(value.trim_end()));
        let query = request.query().map_or(String::new(), |query| format!("?{query}"));
        prop_assert_eq!(format!("{}{query}", request.path()), target);
    }

    /// No bytes panic, and what is answered does not depend on how they are cut.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..80), at in 0_usize..200, cut in 0_usize..300) {
        let mut stream = Vec::from(added(&[]));
        let at = at.min(stream.len());
        stream.splice(at..at, bytes);
        let verdict = |cuts: &[usize]| -> (Option<Bytes>, BytesMut) {
            let mut handshake = ServerHandshake::new(Arc::default());
            let mut input = BytesMut::new();
            let mut rest = &stream[..];
            for &cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                rest = behind;
                input.extend_from_slice(piece);
                match handshake.read(&mut input) {
                    ServerStep::More => {}
                    ServerStep::Upgraded { response, .. } => {
                        input.extend_from_slice(rest);
                        return (Some(response), input);
                    }
                    ServerStep::Answered { response, .. } => return (Some(response), BytesMut::new()),
                }
            }
            (None, input)
        };
        prop_assert_eq!(verdict(&[cut, usize::MAX]), verdict(&[usize::MAX]));
    }
}
