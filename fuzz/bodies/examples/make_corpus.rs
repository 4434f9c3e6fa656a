//! Writes the seed corpus, `fuzz/corpus`: `cargo run -p roadbed-fuzz --example make_corpus`.

use std::{fs, io};

use roadbed_core::serializer::Serializer;
use roadbed_fuzz::{TARGETS, corpus, samples};

fn main() -> io::Result<()> {
    for &(target, _) in TARGETS {
        let folder = corpus::seed_folder(target);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let seeds = seeds(target);
        let bytes: usize = seeds.iter().map(|(_, seed)| seed.len()).sum();
        println!("{target}: {} seeds, {bytes} bytes", seeds.len());
        for (name, seed) in seeds {
            fs::write(folder.join(name), seed)?;
        }
    }
    Ok(())
}

type Seeds = Vec<(String, Vec<u8>)>;

fn seeds(target: &str) -> Seeds {
    match target {
        "json_message" => named(samples::messages(Serializer::Json)),
        "msgpack_message" => named(samples::messages(Serializer::MsgPack)),
        "cbor_message" => named(samples::messages(Serializer::Cbor)),
        "json_value" => named(samples::values(Serializer::Json)),
        "msgpack_value" => named(samples::values(Serializer::MsgPack)),
        "cbor_value" => named(samples::values(Serializer::Cbor)),
        "transcode" | "payload_typed" => payloads(),
        "rawsocket_client" | "rawsocket_server" => rawsocket(target == "rawsocket_server"),
        "websocket_client" | "websocket_server" => frames(),
        "websocket_deflate" => deflate(),
        "websocket_peer" => peer(),
        "websocket_socket" => socket(),
        "link" => link(),
        "connection" => connection(),
        "router" => router(),
        "session_driver" => session_driver(),
        "router_driver" => router_driver(),
        "reconnecting_client" => reconnecting_client(),
        "tls_server" => tls_server(),
        "sniffing" => sniffing(),
        "websocket_request" => requests(),
        "websocket_answer" => answers(),
        "proxy_answer" => proxy_answers(),
        _ => panic!("no seeds for {target}"),
    }
}

fn named(samples: Vec<(&'static str, Vec<u8>)>) -> Seeds {
    samples.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// Serializer, depth and form, then the part.
fn payloads() -> Seeds {
    let mut seeds = Seeds::new();
    for (number, serializer) in (0..).zip(Serializer::ALL) {
        for (name, value) in samples::values(serializer) {
            let form = u8::from(name == "dict" || name == "odd_keys");
            seeds.push((format!("{serializer}_{name}"), [&[number, 0, form][..], &value].concat()));
        }
    }
    seeds
}

/// Serializer, size, limit, liveness; pieces; the handshake and some frames.
fn rawsocket(is_server: bool) -> Seeds {
    let frame = |kind: u8, body: &[u8]| [&[kind, 0, 0, u8::try_from(body.len()).unwrap_or(0)], body].concat();
    let frames = [frame(0, b"[33,1,2]"), frame(1, b"ping"), frame(0, b""), frame(2, b"pong"), frame(1, b"")];
    let open = |serializer: u8| {
        let setup = [serializer - 1, 0, 0, 0, 3, 0, 2, 6];
        [&setup[..], &[0x7F, 0x50 | serializer, 0, 0], &frames.concat()].concat()
    };
    let mut seeds: Seeds = (1..=3).map(|id| (format!("open_{id}"), open(id))).collect();
    seeds.push((
        "limited".to_owned(),
        [&[0, 1, 1, 1, 0, 0x7F, 0x01, 0, 0][..], &frame(0, &[b'x'; 40])].concat(),
    ));
    seeds.push((
        "short_limit".to_owned(),
        [&[0, 0, 1, 0, 0, 0x7F, 0xF1, 0, 0][..], &frames.concat()].concat(),
    ));
    seeds.push(("other_protocol".to_owned(), b"\0\0\0\0\0GET / HTTP/1.1\r\n\r\n".to_vec()));
    seeds
        .push(("reserved".to_owned(), [&[0, 0, 0, 0, 0, 0x7F, 0xF1, 0, 0][..], &frame(0x13, b"x")].concat()));
    // Steps with messages sent and time passing, after the handshake.
    let steps = [
        1, 6, 0, 9, b'h', 10, 2, 90, 0, 0, 11, 11, 3, 4, b'p', b'i', b'n', b'g', 1, 15, 12, 10, 1, 9, 13, 14,
        1,
    ];
    seeds.push(("steps".to_owned(), [&[0, 0, 0, 1, 0][..], &steps].concat()));
    if !is_server {
        seeds.push(("refused".to_owned(), b"\0\0\0\0\0\x7f\x10\0\0".to_vec()));
    }
    seeds
}

/// The first bytes of connections.
fn sniffing() -> Seeds {
    let firsts: [(&str, &[u8]); 4] = [
        ("rawsocket", b"\x7F\xF1\0\0"),
        ("tls", b"\x16\x03\x01\x02"),
        ("http", b"GET / HTTP/1.1\r\n"),
        ("other", b"\x16\x02"),
    ];
    firsts.into_iter().map(|(name, first)| (name.to_owned(), first.to_vec())).collect()
}

/// Seeds of HTTP: lines of a head behind what the target reads first.
fn heads(heads: &[(&str, &[u8], &[&str])]) -> Seeds {
    let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\r\n")).collect::<String>() + "\r\n";
    let seed = |&(name, setup, lines): &(&str, &[u8], &[&str])| {
        (name.to_owned(), [setup, text(lines).as_bytes(), b"\x81\0"].concat())
    };
    heads.iter().map(seed).collect()
}

/// Subprotocols, origins, paths, security; pieces; a request.
fn requests() -> Seeds {
    const UPGRADE: [&str; 5] = [
        "Host: example.com",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let with = |first: &'static str, more: &[&'static str]| [&[first][..], &UPGRADE, more].concat();
    let plain = with("GET /ws HTTP/1.1", &["Sec-WebSocket-Protocol: wamp.2.json"]);
    let rich = with(
        "GET /ws?a=b%20c&d=+ HTTP/1.1",
        &[
            "Sec-WebSocket-Protocol: chat, wamp.2.json.batched",
            "Origin: https://example.com:443",
            "Cookie: a=1; b=\"2\"",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"10\", x; y",
        ],
    );
    let absolute = with("GET http://example.com:80/ws HTTP/1.1", &["Origin: null"]);
    heads(&[
        ("plain", &[0, 0, 0, 0, 0], &plain),
        ("pieces", &[0, 0, 0, 0, 3, 9, 0, 60], &plain),
        ("rich", &[1, 1, 1, 1, 0], &rich),
        ("absolute", &[2, 2, 0, 0, 0], &absolute),
        ("page", &[0, 0, 0, 0, 0], &["GET / HTTP/1.1", "Host: a"]),
        ("other_method", &[0, 0, 0, 0, 0], &["POST /ws HTTP/1.1", "Host: a", "Content-Length: 3"]),
        ("other_version", &[0, 0, 0, 0, 0], &["GET /ws HTTP/1.0"]),
    ])
}

/// Subprotocols asked for; pieces; an answer.
fn answers() -> Seeds {
    const UPGRADE: [&str; 4] = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ];
    let with = |more: &[&'static str]| [&UPGRADE[..], more].concat();
    heads(&[
        ("json", &[0, 0], &with(&["Sec-WebSocket-Protocol: wamp.2.json"])),
        ("cbor", &[1, 3, 9, 0, 60], &with(&["Sec-WebSocket-Protocol: wamp.2.cbor"])),
        ("none", &[2, 0], &UPGRADE),
        (
            "deflate",
            &[2, 0],
            &with(&["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9"]),
        ),
        ("interim", &[0, 0], &["HTTP/1.1 100 Continue", "", "HTTP/1.1 404 Not Found", "Content-Length: 0"]),
        ("refused", &[0, 0], &["HTTP/1.1 503 Service Unavailable", "Retry-After: 5"]),
    ])
}

/// Pieces; a proxy's answer.
fn proxy_answers() -> Seeds {
    heads(&[
        ("tunnel", &[0], &["HTTP/1.1 200 Connection established", "Via: a"]),
        ("pieces", &[2, 7, 1], &["HTTP/1.0 200 OK"]),
        ("interim", &[0], &["HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK"]),
        ("credentials", &[0], &["HTTP/1.1 407 Proxy Authentication Required", "Proxy-Authenticate: Basic"]),
    ])
}

/// First octet by its number, and payload.
fn built(parts: &[(u8, &[u8])]) -> Vec<u8> {
    let part =
        |(first, body): &(u8, &[u8])| [&[*first, u8::try_from(body.len()).unwrap_or(0)], *body].concat();
    parts.iter().flat_map(part).collect()
}

/// Limit, compression, raw or built; pieces; frames.
fn frames() -> Seeds {
    let text: &[(u8, &[u8])] = &[(0, b"[1]"), (6, b"?"), (1, b"\xFF"), (8, b"\x03\xE8")];
    let parts: &[(u8, &[u8])] = &[(2, b"\xF0\x9F"), (6, b"?"), (4, b""), (5, b"\x98\x80"), (8, b"")];
    let large: &[(u8, &[u8])] = &[(0, &[b'x'; 100]), (3, &[0; 90]), (5, &[0; 90])];
    let packed: &[(u8, &[u8])] = &[(9, b"\xF2\x48\xCD\xC9\xC9\x07\x00"), (9, b"\xF2\x00\x11\x00\x00")];
    [
        ("text", [&[0, 0, 0, 2, 1, 4][..], &built(text)].concat()),
        ("fragments", [&[2, 0, 0, 0][..], &built(parts)].concat()),
        ("limited", [&[1, 0, 0, 0][..], &built(large)].concat()),
        ("compressed", [&[0, 1, 0, 48, 0, 1, 3][..], &built(packed)].concat()),
        ("raw", b"\0\0\x01\0\x81\x02hi\x88\0".to_vec()),
        ("masked", b"\0\0\x01\0\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0".to_vec()),
    ]
    .into_iter()
    .map(|(name, seed)| (name.to_owned(), seed))
    .collect()
}

/// What the choice of a transport is made by, and called.
const SPEECHES: [(u8, &str); 5] =
    [(0, ""), (1, "_plain"), (2, "_batched"), (3, "_deflate"), (4, "_batched_deflate")];

/// Role, transport, serializer, limit, whether the bytes are raw, cuts; then frames as first octets and bodies.
fn socket() -> Seeds {
    let mut seeds = Seeds::new();
    for role in 0..2 {
        for (speech, name) in &SPEECHES[1..] {
            for (number, serializer) in (0..).zip(Serializer::ALL) {
                let mut seed = vec![role, *speech, number, 0, 0, 2, 3, 40];
                for (_, message) in samples::messages(serializer).into_iter().take(3) {
                    let body = match (speech.is_multiple_of(2), serializer) {
                        (false, _) => message,
                        (true, Serializer::Json) => [&message[..], b"\x1E"].concat(),
                        (true, _) => {
                            let length = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
                            [&length[..], &message[..]].concat()
                        }
                    };
                    seed.extend([if serializer == Serializer::Json { 0 } else { 1 }]);
                    seed.push(u8::try_from(body.len()).unwrap_or(u8::MAX));
                    seed.extend(body);
                    seed.extend([6, 1, b'?']);
                }
                let role = ["server", "client"][usize::from(role)];
                seeds.push((format!("{role}_{serializer}{name}"), seed));
            }
        }
    }
    seeds.push((
        "raw_head".to_owned(),
        [&[0, 1, 0, 0, 1, 0][..], b"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n"].concat(),
    ));
    seeds
}

/// Limit, parameters, threshold, direction, damage; pieces; messages.
fn deflate() -> Seeds {
    let messages = [&[9, 5][..], b"hello", &[50, 8], b"[1,2,3,]", &[0, 0]].concat();
    [
        ("whole", [&[0, 0, 48, 0, 0, 0, 2, 3, 9][..], &messages].concat()),
        ("small_window", [&[0, 3, 0, 0, 1, 0, 0][..], &messages].concat()),
        ("damaged", [&[0, 0, 48, 0, 0, 1, 0, 9, 4, 0][..], &messages].concat()),
        ("too_large", [&[1, 0, 48, 0, 0, 0, 0][..], &messages].concat()),
    ]
    .into_iter()
    .map(|(name, seed)| (name.to_owned(), seed))
    .collect()
}

/// Role, what is tested; frames, or messages.
fn peer() -> Seeds {
    let parts: &[(u8, &[u8])] = &[(2, b"ab"), (6, b"?"), (4, b""), (5, b"c"), (1, b"\xFF"), (8, b"")];
    let mut seeds = Seeds::new();
    for role in 0..2 {
        seeds.push((format!("frames_{role}"), [&[role, 0][..], &built(parts)].concat()));
        let messages = [role, 1, 0, 0, 0, 2, b'h', b'i', 0, 1, 0, 3, 1, 2, 3, 3];
        seeds.push((format!("messages_{role}"), messages.to_vec()));
    }
    seeds
}

/// Limits, ids, realms; two peers; then peer, step and what the step takes.
fn router() -> Seeds {
    // HELLO to the open realm.
    let join = |peer: u8| vec![peer, 0, 0, 0, 9, 1, 1, 0];
    let setup = |first: [u8; 2], second: [u8; 2]| [&[0, 0, 1][..], &first, &second].concat();
    let subscribe = |peer: u8| vec![peer, 0, 0, 0, 0, 0];
    let publish = |peer: u8| vec![peer, 0, 3, 5, 0, 0, 4, 7];
    let register = |peer: u8| vec![peer, 0, 6, 0, 0, 0];
    let call = |peer: u8| vec![peer, 0, 9, 0, 0, 0, 4, 7];
    let answer = |peer: u8| vec![peer, 0, 14, 1, 0, 4, 9];
    let cancel = |peer: u8, mode: u8| vec![peer, 0, 12, 0, mode];
    let leave = |peer: u8| vec![peer, 0, 17, 1];
    let direct = [1, 0];
    let linked = [2, 1];
    let joined = |first, second| [setup(first, second), join(0), join(1)].concat();
    [
        (
            "events",
            [joined(direct, direct), subscribe(0), subscribe(1), publish(0), publish(1), leave(0)].concat(),
        ),
        (
            "events_links",
            [joined(linked, [0, 1]), subscribe(0), subscribe(1), publish(0), publish(1), leave(1)].concat(),
        ),
        (
            "calls",
            [joined(direct, linked), register(0), call(1), call(1), answer(0), answer(0), leave(0)].concat(),
        ),
        (
            "cancels",
            [
                joined(linked, direct),
                register(0),
                call(1),
                cancel(1, 1),
                call(1),
                cancel(1, 2),
                call(1),
                cancel(1, 3),
                answer(0),
            ]
            .concat(),
        ),
        (
            "lost",
            [joined(direct, direct), register(0), call(1), call(1), vec![0, 20], call(1), vec![1, 20]]
                .concat(),
        ),
        ("times", [setup(direct, linked), vec![0, 17, 0, 17, 0, 18, 1, 90, 90], join(0), join(1)].concat()),
        ("ticket", [setup(direct, linked), vec![0, 0, 0, 0, 9, 0, 1, 1, 1, 2, 0, 0, 6, 1]].concat()),
        (
            "asked",
            [setup(direct, linked), vec![0, 0, 0, 0, 9, 1, 1, 3, 0, 21, 0, 2, 0, 0, 6, 1, 0, 21, 1, 0]]
                .concat(),
        ),
        (
            "slow",
            [joined(direct, linked), subscribe(0), vec![0, 19, 1], publish(1), publish(1), vec![0, 19, 0]]
                .concat(),
        ),
        ("killed", [joined(direct, linked), vec![0, 22, 0, 1, 22, 255, 0, 17, 0, 17]].concat()),
    ]
    .into_iter()
    .map(|(name, seed)| (name.to_owned(), seed))
    .collect()
}

/// Liveness, limits, serializers; pieces; a stream, or steps.
fn link() -> Seeds {
    let mut seeds = Seeds::new();
    for serializer in Serializer::ALL {
        let mut stream = vec![0, 0, 0, 0, 2, 3, 9, 0x7F, 0xF0 | serializer.rawsocket_id(), 0, 0];
        for (name, message) in samples::messages(serializer) {
            if ["hello", "subscribe", "publish", "call", "goodbye"].contains(&name) {
                let [_, _, high, low] = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
                stream.extend([0, 0, high, low]);
                stream.extend(message);
            }
        }
        seeds.push((format!("stream_{serializer}"), stream));
        // HELLO, WELCOME, a large limit, CALL, silence, a ping.
        let steps =
            [1, 2, 0, 0, 9, 0, 3, 65, 66, 67, 11, 0, 18, 13, 0, 17, 14, 15, 1, 90, 90, 16, 16, 8, 1, 7, 1];
        let id = serializer.rawsocket_id() - 1;
        for (speech, name) in SPEECHES {
            let start = [speech, 0, 0, 0, 0, 1, id];
            seeds.push((format!("steps_{serializer}{name}"), [&start[..], &steps].concat()));
        }
    }
    seeds.push((
        "unreadable".to_owned(),
        [&[0, 0, 2, 0, 0, 0x7F, 0xF1, 0, 0, 0, 0, 0, 5][..], b"[1,2]", b"\0\0\0\x05[1,2]"].concat(),
    ));
    seeds
}

/// Serializer, configuration, limits; the router's handshake; then steps.
fn connection() -> Seeds {
    let start = |serializer: u8, bits: u8, limits: u8| vec![0, serializer, bits, limits, 0, 0];
    // The router answers the oldest request: kindly, with what follows.
    let answer = |rest: &[u8]| [&[12, 0, 0, 1][..], rest].concat();
    let welcome = || answer(&[0]);
    let subscribe = || vec![0, 0, 7];
    let register = || vec![0, 0, 10];
    let call = || vec![0, 0, 0, 0, 0, 1];
    let publish = || vec![0, 0, 5, 1, 3, 7];
    let event = || vec![12, 10, 0, 0, 9];
    let invocation = || vec![12, 11, 1, 0, 0, 9];
    let give = || vec![0, 0, 13, 0, 3, 7];
    let leave = || vec![0, 0, 19, 2];
    let all = |parts: &[Vec<u8>]| parts.concat();
    let subscribed =
        all(&[welcome(), subscribe(), answer(&[0]), subscribe(), answer(&[0]), event(), event()]);
    let registered = all(&[welcome(), register(), answer(&[0]), invocation(), invocation(), give(), give()]);
    let called = all(&[
        welcome(),
        call(),
        answer(&[2, 1]),
        call(),
        vec![0, 0, 3, 0, 2],
        answer(&[2, 0]),
        answer(&[2, 1]),
        call(),
    ]);
    [
        (
            "events",
            all(&[start(0, 0, 0), subscribed.clone(), vec![0, 0, 9, 0], answer(&[]), leave(), answer(&[])]),
        ),
        ("events_small", all(&[start(1, 0, 2), subscribed, publish(), answer(&[]), leave()])),
        ("callee", all(&[start(2, 0, 0), registered.clone(), vec![12, 13, 0, 1], vec![12, 14, 0, 0]])),
        ("callee_strict", all(&[start(0, 1, 0), registered, vec![0, 0, 12, 0], answer(&[])])),
        ("caller", all(&[start(1, 0, 0), called.clone(), vec![25, 1, 90, 90, 26, 26]])),
        ("caller_small", all(&[start(2, 16, 3), called, publish(), publish(), publish()])),
        (
            "rejoins",
            all(&[start(0, 4, 0), welcome(), leave(), answer(&[]), vec![0, 0, 18], welcome(), call()]),
        ),
        ("confirms", all(&[start(0, 2, 0), welcome(), vec![0, 0, 17], call()])),
        ("challenged", all(&[start(1, 8, 0), vec![12, 0, 0, 0, 0], vec![12, 0, 0, 1, 0], call()])),
        ("asked", all(&[start(1, 8, 0), vec![12, 0, 0, 0, 1], vec![0, 0, 16], welcome(), call()])),
        ("lost", all(&[start(2, 0, 0), welcome(), call(), subscribe(), register(), publish(), vec![27, 0]])),
        ("closed", all(&[start(0, 0, 0), welcome(), call(), vec![0, 0, 19, 0], vec![26]])),
    ]
    .into_iter()
    .zip(0..)
    .flat_map(|((name, seed), number)| {
        // Each over RawSocket, and over one form of WebSocket. That has no handshake to choose.
        let (speech, suffix): (u8, &str) = SPEECHES[1 + number % 4];
        let over_websocket = [&[speech][..], &seed[1..5], &seed[6..]].concat();
        [(name.to_owned(), seed), (format!("{name}{suffix}"), over_websocket)]
    })
    .collect()
}

/// The client's version, how much of the handshake is there, and steps.
fn tls_server() -> Seeds {
    let mut seeds = Seeds::new();
    for version in 0..2 {
        let mut seed = |name: &str, bytes: &[u8]| {
            seeds.push((format!("{name}_{version}"), [&[version][..], bytes].concat()));
        };
        // Something is said, twice; an answer; both close.
        seed("talk", b"\x03\x03\0\x05hello\x04\x03\0\x05again\x04\x06\0\x02ok\x04\x07\x01\x04\x07\0\x04");
        seed("bulk", b"\x03\x07\x02\x07\x02\x07\x02\x04\x04");
        seed("tampered", b"\x03\x03\0\x05hello\x05\0\x08\x04");
        seed("tampered_hello", b"\0\x05\0\x40\x04");
        seed("close_in_handshake", b"\x01\x02\x01\x01\0\x02\x01\0\x04\x07\0\x04");
        seed("early_data", b"\x01\x02\x03\x01\0\x04data\x04");
    }
    seeds.push(("no_tls".to_owned(), b"\0\0\0\0\x12GET / HTTP/1.1\r\n\r\n".to_vec()));
    seeds.push(("rawsocket".to_owned(), b"\0\0\0\0\x04\x7F\xF1\0\0".to_vec()));
    // Handshake records: an empty one, one that claims a long message, one cut short.
    seeds.push(("empty_records".to_owned(), b"\x01\0\x02\x02\0\0\0\x02\x02\0\0\0".to_vec()));
    seeds.push(("long_message".to_owned(), b"\x01\0\x02\x02\0\0\x04\x01\xFF\xFF\xFF".to_vec()));
    seeds.push(("half_a_record".to_owned(), b"\x01\0\0\0\x07\x16\x03\x01\0\x40\x01\0".to_vec()));
    seeds
}

/// Speech, serializer, settings, limits; the greeting; steps.
fn session_driver() -> Seeds {
    const WELCOME: &[u8] = &[0, 0, 0, 1, 8, 1];
    const RESULT: &[u8] = &[0, 0, 0, 1, 2, 1, 1];
    const GRANTED: &[u8] = &[0, 0, 0, 1, 0, 1];
    const DONE: &[u8] = &[0, 0, 0, 1, 1];
    const CALL: &[u8] = &[12, 0, 1, 0];
    const SUBSCRIBE: &[u8] = &[12, 0, 1, 5];
    const REGISTER: &[u8] = &[12, 0, 1, 6, 0];
    const REGISTER_QUEUE: &[u8] = &[12, 1, 1, 7];
    const PUBLISH: &[u8] = &[12, 0, 2, 4];
    const EVENT: &[u8] = &[0, 10, 0, 0, 9, 1];
    const INVOCATION: &[u8] = &[0, 11, 1, 0, 0, 9, 1];
    const USE: &[u8] = &[21, 0, 0, 9];
    const LEAVE: &[u8] = &[12, 0, 0, 9, 0];
    let stories: [(&str, &[&[u8]]); 7] = [
        ("calls", &[CALL, CALL, RESULT, RESULT, CALL]),
        ("events", &[SUBSCRIBE, GRANTED, EVENT, EVENT, EVENT, EVENT, EVENT, USE, &[23, 7], DONE]),
        ("invocations", &[REGISTER, GRANTED, INVOCATION, INVOCATION, &[23, 6], DONE, INVOCATION]),
        ("queue", &[REGISTER_QUEUE, GRANTED, INVOCATION, INVOCATION, INVOCATION, USE, USE, &[29, 0, 0]]),
        (
            "publications",
            &[PUBLISH, PUBLISH, &[26, 1], CALL, PUBLISH, &[26, 0], DONE, DONE, &[25, 2, 1, 0, 0]],
        ),
        ("leaving", &[CALL, SUBSCRIBE, LEAVE, CALL, RESULT, GRANTED, DONE]),
        ("lost", &[SUBSCRIBE, CALL, REGISTER, PUBLISH, &[29, 0, 2], CALL]),
    ];
    // One of them subscribes while it joins.
    let setups: [(&str, &[u8], &[u8]); 4] = [
        ("rawsocket", &[0, 2, 0, 0], &[]),
        ("small", &[0, 1, 1 | 8, 1], GRANTED),
        ("websocket", &[1, 0, 4, 0], &[]),
        ("batched", &[4, 1, 2 | 16 | 32, 2], &[]),
    ];
    let mut seeds = Seeds::new();
    for (setup_name, setup, joined) in setups {
        for (name, story) in stories {
            let seed = [setup, &[0, 0], WELCOME, joined, &story.concat()].concat();
            seeds.push((format!("{name}_{setup_name}"), seed));
        }
    }
    seeds
}

/// Limits, rules for ids, how many may connect; two peers; steps.
fn router_driver() -> Seeds {
    const HELLO: [u8; 6] = [0, 1, 9, 3, 1, 0];
    let hello = |slot: u8| [&[slot][..], &HELLO[..]].concat();
    let speak = |slot: u8, what: &[u8]| [&[slot, 0][..], what].concat();
    let subscribe = |slot| speak(slot, &[0, 0, 0, 0]);
    let register = |slot| speak(slot, &[6, 0, 0, 0]);
    let call = |slot| speak(slot, &[9, 0, 0, 0, 0]);
    let publish = |slot| speak(slot, &[3, 1, 0, 0, 0]);
    let answer = |slot| speak(slot, &[14, 0, 0, 0]);
    let joined = [hello(0), hello(1)].concat();
    let stories: [(&str, Vec<Vec<u8>>); 6] = [
        ("calls", vec![register(1), call(0), answer(1), call(0), answer(1)]),
        ("events", vec![subscribe(0), subscribe(1), publish(0), publish(1), vec![0, 18, 1], publish(1)]),
        (
            "ours",
            vec![vec![0, 22, 0], call(0), vec![0, 23, 0, 1, 0], vec![0, 23, 1, 2, 5], vec![0, 23, 0, 0, 7]],
        ),
        ("shutdown", vec![register(1), call(0), vec![0, 26, 0, 1, 7, 208], vec![0, 17, 1, 39, 16]]),
        (
            "ends",
            vec![subscribe(1), call(0), vec![0, 19, 2], publish(1), vec![1, 19, 0], vec![2, 30, 0, 0, 1, 0]],
        ),
        (
            "decided",
            vec![vec![2, 30, 0, 1, 1, 0], vec![2, 0, 0, 1, 9, 1, 1, 3], vec![0, 20, 0, 0], vec![0, 20, 0, 3]],
        ),
    ];
    let mut seeds = Seeds::new();
    for (setup_name, setup) in [("plain", [0, 0, 0]), ("small", [1, 1, 1]), ("tight", [2, 0, 0])] {
        for (kind, peers) in
            [("rawsocket", [0, 2, 1, 0, 0, 1, 0, 0]), ("websocket", [1, 0, 1, 0, 3, 1, 1, 0])]
        {
            for (name, story) in &stories {
                let seed = [&setup[..], &peers, &joined, &story.concat()].concat();
                seeds.push((format!("{name}_{setup_name}_{kind}"), seed));
            }
        }
    }
    seeds
}

/// Settings; steps of a network and of users, each behind the number of a name.
fn reconnecting_client() -> Seeds {
    const CALL: &[u8] = &[0, 0, 1];
    const PUBLISH: &[u8] = &[0, 6, 1, 0];
    const SUBSCRIBE: &[u8] = &[0, 8, 1];
    const REGISTER: &[u8] = &[0, 8, 0];
    const CUT: &[u8] = &[0, 16];
    const RESTART: &[u8] = &[0, 18, 1, 3, 232];
    const PASS: &[u8] = &[0, 19, 1, 15, 160];
    let becomes = |kind: u8| [0, 14, kind, 3, 1, 2, 3];
    let (refused, mute, ended) = (becomes(1), becomes(2), becomes(3));
    let (rubbish, good) = (becomes(4), becomes(0));
    let stories: [(&str, Vec<&[u8]>); 6] = [
        ("cut", vec![SUBSCRIBE, REGISTER, CALL, CUT, CALL, PUBLISH, PASS, CALL]),
        ("waiting", vec![&refused, CUT, CALL, CALL, CALL, CALL, PUBLISH, PASS, &good, PASS]),
        ("restarted", vec![SUBSCRIBE, REGISTER, PUBLISH, RESTART, PASS, CALL, RESTART, CUT]),
        ("mute", vec![&mute, CUT, CALL, PASS, &[0, 17], &good, PASS, SUBSCRIBE]),
        ("bad", vec![REGISTER, &rubbish, CUT, PASS, &ended, PASS, CALL, &good]),
        (
            "moments",
            vec![
                SUBSCRIBE,
                REGISTER,
                CUT,
                &[0, 23, 3],
                CALL,
                &[0, 10],
                &[0, 23, 5],
                CUT,
                &[0, 23, 9],
                &[0, 11],
            ],
        ),
    ];
    let mut seeds = Seeds::new();
    for setup in [0, 1, 2, 4, 8] {
        for (name, story) in &stories {
            seeds.push((format!("{name}_{setup}"), [&[setup][..], &story.concat()].concat()));
        }
    }
    seeds
}
