//! A server inside TLS, and what a peer can send it: before, in and after the handshake.
//!
//! Ciphertext is random (keys are), so inputs say what happens rather than which bytes are sent: some are raw, some
//! well-formed records around anything, some what a real client says, whole or with an octet changed.
//!
//! * Nothing panics, and nothing piles up: neither plaintext nor output nor events.
//! * The handshake is done once, and there is one end at most, as the last event; an end of the stream is one.

use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_tls::rustls::crypto::ring::default_provider;
use roadbed_tls::rustls::version::{TLS12, TLS13};
use roadbed_tls::rustls::{ClientConfig, RootCertStore};
use roadbed_tls::{Identity, Protocol, TlsClientConfig, TlsEvent, TlsLayer, TlsServerConfig};

use crate::check_text;
use crate::source::Source;

const NOW: Timestamp = Timestamp::ZERO;
const UTC: UnixMicros = UnixMicros::from_micros(1_700_000_000_000_000);

/// Plaintext of one call: a record, and the one that was begun before.
const MAX_PLAINTEXT: usize = 33 << 10;
/// Output that waits: its bound, a record more, and alerts.
const MAX_OUTPUT: usize = (64 + 18) << 10;

/// A server, and clients of TLS 1.2 and 1.3 that trust it.
struct Configs {
    server: TlsServerConfig,
    clients: [TlsClientConfig; 2],
}

static CONFIGS: LazyLock<Configs> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate is made");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("it was just made");
    let clients = [&TLS12, &TLS13].map(|version| {
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("it was just made");
        let config = ClientConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(&[version])
            .expect("the version is known")
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsClientConfig::from_rustls(Arc::new(config))
    });
    Configs { server: TlsServerConfig::new(identity).expect("the identity is whole"), clients }
});

/// A server's end of TLS.
pub fn tls_server(data: &[u8]) {
    let mut source = Source::new(data);
    let client = source.choose(&[0, 1]);
    let mut world = World::new(&CONFIGS.clients[client]);
    for _ in 0..source.below(4) {
        world.exchange(None);
    }
    while !source.is_empty() {
        world.step(&mut source);
    }
    world.server.handle_eof(NOW);
    world.check(0);
    assert!(world.has_ended, "an end of the stream that is none");
}

struct World {
    server: TlsLayer,
    client: TlsLayer,
    /// What the server has read and not taken.
    input: BytesMut,
    is_open: bool,
    has_ended: bool,
}

impl World {
    fn new(client: &TlsClientConfig) -> Self {
        let server = TlsLayer::server(&CONFIGS.server, NOW, UTC);
        let client = TlsLayer::client(client, "localhost", Protocol::Raw, NOW, UTC).expect("a name");
        Self { server, client, input: BytesMut::new(), is_open: false, has_ended: false }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(8) {
            0..=1 => self.feed(source.bytes(400)),
            2 => {
                let kind = source.choose(&[20, 21, 22, 23, 24]);
                let version = source.choose(&[1, 3, 4]);
                let body = source.bytes(300);
                let [high, low] = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
                self.feed(&[&[kind, 3, version, high, low], body].concat());
            }
            3 => self.client.send(&mut Bytes::copy_from_slice(source.bytes(600))),
            4 => self.exchange(None),
            5 => self.exchange(Some(source.below(1 << 16))),
            6 => {
                let mut bytes = Bytes::copy_from_slice(source.bytes(600));
                while self.server.is_writable() && !bytes.is_empty() {
                    self.server.send(&mut bytes);
                }
            }
            _ => match source.below(3) {
                0 => {
                    self.server.close();
                    // No event says so.
                    self.check(0);
                    self.has_ended = true;
                }
                1 => self.client.close(),
                _ => self.client.send(&mut Bytes::from(vec![7; 40_000])),
            },
        }
        self.check(0);
    }

    /// Carries what both have to say, with one octet of the client's changed.
    fn exchange(&mut self, changed: Option<usize>) {
        while let Some(bytes) = self.client.poll_transmit() {
            let mut bytes = Vec::from(bytes);
            let len = bytes.len();
            if let Some(octet) = changed.and_then(|at| bytes.get_mut(at % len)) {
                *octet ^= 1;
            }
            self.feed(&bytes);
        }
        let mut heard = BytesMut::new();
        while let Some(bytes) = self.server.poll_transmit() {
            let mut bytes = BytesMut::from(&bytes[..]);
            while !bytes.is_empty() {
                self.client.handle_input(NOW, &mut bytes, &mut heard);
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        loop {
            let (before, mut plaintext) = (self.input.len(), BytesMut::new());
            self.server.handle_input(NOW, &mut self.input, &mut plaintext);
            assert!(plaintext.is_empty() || !self.server.is_handshaking(), "plaintext in the handshake");
            self.check(plaintext.len());
            if self.input.is_empty() {
                return;
            }
            assert!(self.input.len() < before, "nothing is taken any more");
        }
    }

    fn check(&mut self, plaintext: usize) {
        assert!(plaintext <= MAX_PLAINTEXT, "{plaintext} bytes of one call");
        assert!(self.server.queued() <= MAX_OUTPUT, "{} bytes wait", self.server.queued());
        assert!(self.server.input_hint() >= 1);
        while let Some(event) = self.server.poll_event() {
            assert!(!self.has_ended, "{event:?} after the end");
            match &event {
                TlsEvent::Open => assert!(!std::mem::replace(&mut self.is_open, true), "opened twice"),
                TlsEvent::Failed(error) => {
                    check_text(error);
                    self.has_ended = true;
                }
                _ => self.has_ended = true,
            }
        }
        assert_eq!(self.server.channel_binding().is_some(), self.is_open);
    }
}
