//! Both ends of a connection in memory.

mod closing;
mod handshake;
mod hostile;
mod sentences;
mod transfer;

use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use roadbed_core::time::{Timestamp, UnixMicros};
use rustls::version::{TLS12, TLS13};

use crate::{
    ClientCertificates, Identity, Protocol, Roots, TlsClientConfig, TlsError, TlsEvent, TlsLayer,
    TlsServerConfig,
};

/// In the year 2023; the certificates are valid from 2020 to 2030.
const UTC: UnixMicros = UnixMicros::from_micros(1_700_000_000_000_000);
const NOW: Timestamp = Timestamp::ZERO;

/// An authority, and what it has vouched for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        // Two authorities of one name would be tried for each other's certificates.
        let name = format!("{:?}", key.public_key_raw());
        params.distinguished_name.push(rcgen::DnType::CommonName, name.get(..60).unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn roots(&self) -> Roots {
        Roots::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
static CLIENT: LazyLock<TlsClientConfig> = LazyLock::new(|| TlsClientConfig::new(AUTHORITY.roots()).unwrap());
static SERVER: LazyLock<TlsServerConfig> =
    LazyLock::new(|| TlsServerConfig::new(AUTHORITY.identity("router.example")).unwrap());

/// A server that speaks only this version.
fn server_with(version: &'static rustls::SupportedProtocolVersion) -> TlsServerConfig {
    let Identity { chain, key } = AUTHORITY.identity("router.example");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.require_ems = true;
    TlsServerConfig::from_rustls(Arc::new(config))
}

/// A server for each version.
fn versions() -> [TlsServerConfig; 2] {
    [server_with(&TLS12), server_with(&TLS13)]
}

/// One end, and what it has said so far.
struct End {
    layer: TlsLayer,
    input: BytesMut,
    plaintext: BytesMut,
    events: Vec<TlsEvent>,
}

impl End {
    fn new(layer: TlsLayer) -> Self {
        Self { layer, input: BytesMut::new(), plaintext: BytesMut::new(), events: Vec::new() }
    }

    fn client(config: &TlsClientConfig) -> Self {
        Self::new(TlsLayer::client(config, "router.example", Protocol::Raw, NOW, UTC).unwrap())
    }

    fn server(config: &TlsServerConfig) -> Self {
        Self::new(TlsLayer::server(config, NOW, UTC))
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.layer.handle_input(NOW, &mut self.input, &mut self.plaintext);
        self.collect();
    }

    fn collect(&mut self) {
        self.events.extend(std::iter::from_fn(|| self.layer.poll_event()));
    }

    fn eof(&mut self) {
        self.layer.handle_eof(NOW);
        self.collect();
    }

    /// Everything it has to transmit.
    fn output(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.layer.poll_transmit()).flatten().collect()
    }

    fn send(&mut self, text: &'static str) {
        let mut bytes = Bytes::from_static(text.as_bytes());
        self.layer.send(&mut bytes);
        assert!(bytes.is_empty());
    }

    fn error(&self) -> Option<&TlsError> {
        self.events.iter().find_map(|event| match event {
            TlsEvent::Failed(error) => Some(error),
            _ => None,
        })
    }
}

/// Two ends, and the wire between them.
struct Pair {
    client: End,
    server: End,
}

impl Pair {
    fn new(client: &TlsClientConfig, server: &TlsServerConfig) -> Self {
        Self { client: End::client(client), server: End::server(server) }
    }

    /// Carries bytes, in pieces of at most `piece`, until nobody has anything to say.
    fn run(&mut self, piece: usize) {
        // A driver would never come to an end of an endless dialog.
        for _ in 0..1000 {
            let (up, down) = (self.client.output(), self.server.output());
            if up.is_empty() && down.is_empty() {
                return;
            }
            up.chunks(piece).for_each(|bytes| self.server.feed(bytes));
            down.chunks(piece).for_each(|bytes| self.client.feed(bytes));
        }
        panic!("they never come to rest");
    }

    fn open(client: &TlsClientConfig, server: &TlsServerConfig) -> Self {
        let mut pair = Self::new(client, server);
        pair.run(usize::MAX);
        assert_eq!(pair.client.events, [TlsEvent::Open]);
        assert_eq!(pair.server.events, [TlsEvent::Open]);
        pair
    }
}

fn server_for(clients: ClientCertificates) -> TlsServerConfig {
    TlsServerConfig::with_client_certificates(AUTHORITY.identity("router.example"), clients).unwrap()
}
