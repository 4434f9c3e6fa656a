//! What connections inside TLS hold in memory.

use bytes::{Bytes, BytesMut};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use roadbed::tls::rustls::crypto::ring::default_provider;
use roadbed::tls::rustls::version::{TLS12, TLS13};
use roadbed::tls::rustls::{self, SupportedProtocolVersion};
use roadbed::tls::{
    ClientCertificates, HANDSHAKE_LIMIT, Identity, Protocol, Roots, TlsClientConfig, TlsEvent, TlsLayer,
    TlsServerConfig,
};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_tests::alloc::{Counting, measure};

#[global_allocator]
static COUNTING: Counting = Counting;

const NOW: Timestamp = Timestamp::ZERO;
const UTC: UnixMicros = UnixMicros::from_micros(1_700_000_000_000_000);

/// What a connection may hold that has not finished its handshake.
const HALF_SHAKEN: isize = 40 << 10;
/// What a connection may hold that has nothing to do: 4 KiB for reading, and the rest.
const IDLE: isize = 8 << 10;

struct Made {
    pem: String,
    key: String,
}

/// A certificate with so many bytes of ballast in it.
fn make(ballast: usize) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    if ballast > 0 {
        let ballast = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![0; ballast]);
        params.custom_extensions.push(ballast);
    }
    let certificate = params.self_signed(&key).unwrap();
    Made { pem: certificate.pem(), key: key.serialize_pem() }
}

impl Made {
    fn identity(&self) -> Identity {
        Identity::from_pem(self.pem.as_bytes(), self.key.as_bytes()).unwrap()
    }

    fn roots(&self) -> Roots {
        Roots::from_pem(self.pem.as_bytes()).unwrap()
    }
}

fn client(config: &TlsClientConfig) -> TlsLayer {
    TlsLayer::client(config, "localhost", Protocol::Raw, NOW, UTC).unwrap()
}

/// Feeds as a driver does: in pieces, with one buffer.
fn feed(layer: &mut TlsLayer, input: &mut BytesMut, bytes: &[u8]) {
    let mut plaintext = BytesMut::new();
    for piece in bytes.chunks(layer.input_hint()) {
        input.extend_from_slice(piece);
        layer.handle_input(NOW, input, &mut plaintext);
    }
}

fn output(layer: &mut TlsLayer) -> Vec<u8> {
    std::iter::from_fn(|| layer.poll_transmit()).flatten().collect()
}

/// What is freed with a value.
fn weight<T>(value: T) -> isize {
    -measure(|| drop(value)).1.kept
}

/// What a server holds that was sent these bytes and nothing more.
fn held(server: &TlsServerConfig, bytes: &[u8]) -> isize {
    let mut layer = TlsLayer::server(server, NOW, UTC);
    let mut input = BytesMut::new();
    feed(&mut layer, &mut input, bytes);
    assert!(layer.is_handshaking(), "{layer:?}");
    weight((layer, input))
}

#[test]
fn a_handshake_that_stops_holds_little() {
    let made = make(0);
    let server = TlsServerConfig::new(made.identity()).unwrap();
    let mut layer = client(&TlsClientConfig::new(made.roots()).unwrap());
    let hello = output(&mut layer);
    // Once, so that what is made once for all is there.
    held(&server, &hello);
    // A ClientHello that is never complete, in records that are.
    let mut endless = vec![22, 3, 1, 64, 0, 1, 0, 250, 0];
    endless.resize(5 + (16 << 10), 0);
    let mut more = vec![22, 3, 1, 64, 0];
    more.resize(HANDSHAKE_LIMIT, 0);
    endless.extend_from_slice(&more);
    let mut record = vec![22, 3, 1, 64, 0];
    record.resize(16 << 10, 1);
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("one byte", &hello[..1]),
        ("half a ClientHello", &hello[..hello.len() / 2]),
        ("a ClientHello", &hello),
        ("half a record", &record[..8 << 10]),
        ("most of a record", &record),
        ("a ClientHello without end", &endless[..HANDSHAKE_LIMIT - 1]),
    ] {
        let kept = held(&server, bytes);
        eprintln!("{what}: {kept} bytes");
        assert!(kept < HALF_SHAKEN, "{what}: {kept} bytes");
    }
}

/// Certificates are the largest that is received in a handshake.
#[test]
fn large_certificates_are_held_once() {
    let (server, large) = (make(0), make(12 << 10));
    for version in [&TLS12, &TLS13] {
        let clients = ClientCertificates::Required(large.roots());
        let config = TlsServerConfig::with_client_certificates(server.identity(), clients).unwrap();
        let mut client = client(&only(version, &server, &large));
        let mut layer = TlsLayer::server(&config, NOW, UTC);
        let mut input = BytesMut::new();
        feed(&mut layer, &mut input, &output(&mut client));
        let answer = output(&mut layer);
        feed(&mut client, &mut BytesMut::new(), &answer);
        let flight = output(&mut client);
        assert!(flight.len() > 12 << 10);
        // All but the end.
        feed(&mut layer, &mut input, &flight[..flight.len() - 20]);
        assert!(layer.is_handshaking());
        let kept = weight((layer, input));
        eprintln!("{version:?}: {kept} bytes");
        assert!(kept < HALF_SHAKEN, "{kept} bytes");
    }
}

/// A client that speaks only this version, and shows a certificate.
fn only(version: &'static SupportedProtocolVersion, server: &Made, own: &Made) -> TlsClientConfig {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.pem.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(default_provider().into())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(own.pem.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap(),
        )
        .unwrap();
    TlsClientConfig::from_rustls(config.into())
}

#[test]
fn an_idle_connection_holds_little_whatever_it_did() {
    let made = make(0);
    let server = TlsServerConfig::new(made.identity()).unwrap();
    let config = TlsClientConfig::new(made.roots()).unwrap();
    let mut peer = client(&config);
    let mut layer = TlsLayer::server(&server, NOW, UTC);
    for _ in 0..4 {
        feed(&mut layer, &mut BytesMut::new(), &output(&mut peer));
        let answer = output(&mut layer);
        feed(&mut peer, &mut BytesMut::new(), &answer);
    }
    assert_eq!(layer.poll_event(), Some(TlsEvent::Open));
    for _ in 0..10 {
        let mut bytes = Bytes::from(vec![7; 60_000]);
        peer.send(&mut bytes);
        let ciphertext = output(&mut peer);
        let (mut input, mut plaintext) = (BytesMut::from(&ciphertext[..]), BytesMut::new());
        while !input.is_empty() {
            layer.handle_input(NOW, &mut input, &mut plaintext);
        }
        let mut bytes = plaintext.freeze();
        layer.send(&mut bytes);
        let ciphertext = output(&mut layer);
        feed(&mut peer, &mut BytesMut::new(), &ciphertext);
    }
    let kept = weight(layer);
    eprintln!("idle: {kept} bytes");
    assert!(kept < IDLE, "{kept} bytes");
}
