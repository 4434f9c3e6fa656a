//! Peers whose libraries write what ours refuses to: a bad value costs its request, never a session.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;

use bytes::BytesMut;
use roadbed::client::Invocation;
use roadbed::core::serializer::Serializer;
use roadbed::core::uri::Uri;
use roadbed_testkit::Carrier;
use roadbed_tests::frames::{Framing, Written, message};

use crate::adapter::Adapter;
use crate::way::Way;
use crate::world::{Outcome, SOON, World, eventually, in_time, settings, told};

/// Between which peers a value passes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Passes {
    /// All of them.
    Always,
    /// All but those with JSON.
    Binary,
    /// Those of one serializer.
    Alike,
    Never,
}

use Passes::{Alike, Always, Binary, Never};

/// What stands in a message instead of an argument.
type Odd = (&'static [u8], Passes);

const JSON: &[Odd] = &[
    (b"4294967296.0", Always),
    (b"-0.0", Always),
    (b"\"\\ud83d\"", Alike),
    (b"1180591620717411303424", Alike),
    (b"NaN", Never),
    (b"-Infinity", Never),
    (b"\"\\u0000no base64\"", Never),
    (b"\"\xff\"", Never),
];

const MSGPACK: &[Odd] = &[
    // `undefined` of autobahn-js.
    (b"\xd4\x00\x00", Always),
    (b"\xcb\x41\xf0\x00\x00\x00\x00\x00\x00", Always),
    (b"\xca\x7f\xc0\x00\x00", Binary),
    (b"\xd4\x05\x00", Alike),
    (b"\xa1\xff", Never),
];

const CBOR: &[Odd] = &[
    (b"\xf7", Always),
    (b"\xd8\x40\x42\x01\x02", Always),
    (b"\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00", Alike),
    (b"\xf9\x7e\x00", Binary),
    (b"\x61\xff", Never),
];

const VALUES: [(Serializer, &[Odd]); 3] =
    [(Serializer::Json, JSON), (Serializer::MsgPack, MSGPACK), (Serializer::Cbor, CBOR)];

/// What stands for the odd value until the message is encoded.
const PLACE: &str = "@@@@";
const FINE: &[u8] = b"@@@@";

/// A client of another maker: bytes, and nothing that looks at them.
struct Foreigner {
    stream: TcpStream,
    framing: Framing,
    received: Vec<u8>,
    seen: usize,
}

impl Foreigner {
    fn join(place: &str, framing: Framing) -> std::io::Result<Self> {
        let stream = TcpStream::connect(place)?;
        stream.set_read_timeout(Some(SOON))?;
        let mut peer = Self { stream, framing, received: Vec::new(), seen: 0 };
        peer.stream.write_all(&framing.request())?;
        peer.send(r#"[1,"realm1",{"roles":{"caller":{},"callee":{}}}]"#, FINE)?;
        peer.next()?;
        peer.send(r#"[64,1,{},"com.example.theirs"]"#, FINE)?;
        peer.next()?;
        Ok(peer)
    }

    /// Sends a message, with these bytes instead of the place for them.
    fn send(&mut self, json: &str, value: &[u8]) -> std::io::Result<()> {
        let serializer = self.framing.serializer;
        let mut body = BytesMut::new();
        serializer.encode(&message(json), &mut body).expect("a message");
        let place = match serializer {
            Serializer::Json => [b"\"", PLACE.as_bytes(), b"\""].concat(),
            Serializer::MsgPack => [b"\xa4", PLACE.as_bytes()].concat(),
            _ => [b"\x64", PLACE.as_bytes()].concat(),
        };
        let value = if value == FINE { place.as_slice() } else { value };
        let at = body.windows(place.len()).position(|part| part == place);
        let body =
            at.map_or_else(|| body.to_vec(), |at| [&body[..at], value, &body[at + place.len()..]].concat());
        self.stream.write_all(&self.framing.body(&body))
    }

    /// The next message, with escapes.
    fn next(&mut self) -> std::io::Result<String> {
        let sender = Framing { is_client: false, ..self.framing };
        loop {
            let written = Written::parse(&self.received, sender);
            if let Some(message) = written.messages.get(self.seen) {
                self.seen += 1;
                return Ok(message.clone());
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.received.extend_from_slice(&bytes[..count]);
        }
    }

    /// Calls with each value, and with a fine one in between. Returns which were answered with a result.
    fn call(&mut self, values: &[Odd]) -> std::io::Result<Vec<bool>> {
        let mut passed = Vec::new();
        for (index, (value, _)) in values.iter().enumerate() {
            for (request, value) in [(2 * index + 2, *value), (2 * index + 3, FINE)] {
                self.send(&format!(r#"[48,{request},{{}},"com.example.echo",["{PLACE}"]]"#), value)?;
                let answer = self.next()?;
                let is_refused = answer.contains("wamp.error.invalid_payload");
                assert!(is_refused || !answer.contains("wamp.error"), "{answer}");
                if value == FINE {
                    assert!(answer.contains(PLACE), "{answer}");
                } else {
                    passed.push(!is_refused);
                }
            }
        }
        Ok(passed)
    }

    /// Answers invocations with each value, and with a fine one in between.
    fn answer(&mut self, values: &[Odd]) -> std::io::Result<()> {
        let answers = values.iter().flat_map(|(value, _)| [*value, FINE]);
        for (index, value) in answers.enumerate() {
            self.next()?;
            self.send(&format!(r#"[70,{},{{}},["{PLACE}"]]"#, index + 1), value)?;
        }
        Ok(())
    }
}

pub(crate) async fn odd_values<A: Adapter>(world: &World<A>) -> Outcome {
    let carrier = if world.way == Way::WebSocket { Carrier::WebSocket } else { Carrier::RawSocket };
    let echo = |invocation: Invocation| async move { Ok(invocation.payload().clone()) };
    for (serializer, values) in VALUES {
        // In a text frame of WebSocket every byte has to be UTF-8, or the connection ends.
        let is_text = carrier == Carrier::WebSocket && serializer == Serializer::Json;
        let values: Vec<_> =
            values.iter().copied().filter(|(value, _)| !is_text || str::from_utf8(value).is_ok()).collect();
        for own in Serializer::ALL {
            let ours = world.join(settings().serializer(own)).await?;
            let registration = ours.register("com.example.echo", echo).await?;
            let place = world.place.clone();
            let framing = Framing { carrier, serializer, is_client: true };
            let odd = values.clone();
            let (sender, has_called) = mpsc::channel();
            let peer = thread::spawn(move || -> std::io::Result<Vec<bool>> {
                let mut peer = Foreigner::join(&place, framing)?;
                let passed = peer.call(&odd)?;
                let _ = sender.send(());
                peer.answer(&odd)?;
                Ok(passed)
            });
            // Its invocations come after its own calls. If it ends early, so does the wait.
            eventually(|| !matches!(has_called.try_recv(), Err(TryRecvError::Empty))).await;
            let is_expected = |passes: Passes| match passes {
                Always => true,
                Binary => own != Serializer::Json,
                Alike => own == serializer,
                Never => false,
            };
            let expected: Vec<_> = values.iter().map(|(_, passes)| is_expected(*passes)).collect();
            let mut passed = Vec::new();
            for (value, _) in &values {
                let result = in_time(ours.call("com.example.theirs", ())).await;
                let is_refused = match &result {
                    Ok(_) => false,
                    Err(error) => {
                        assert_eq!(error.uri().map(Uri::as_str), Some("wamp.error.invalid_payload"));
                        true
                    }
                };
                passed.push(!is_refused);
                // What is written down is the same over every transport.
                if serializer != Serializer::Json || str::from_utf8(value).is_ok() {
                    world.note(format!("{}: {}", value.escape_ascii(), told(result.map(drop))));
                }
                let fine: String = in_time(ours.call("com.example.theirs", ()).returning()).await?;
                assert_eq!(fine, PLACE);
            }
            assert_eq!(passed, expected, "answers in {serializer:?} for a caller in {own:?}");
            let passed = peer.join().map_err(|_| "the peer panicked")??;
            assert_eq!(passed, expected, "calls in {serializer:?} of a callee in {own:?}");
            registration.unregister().await?;
            ours.leave().await?;
            eventually(|| world.router.stats().sessions == 0).await;
        }
    }
    Ok(())
}
