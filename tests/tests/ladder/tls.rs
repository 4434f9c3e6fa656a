//! TLS under an end of a connection, for the testkit's wires.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use rcgen::{CertificateParams, KeyPair};
use roadbed::tls::{Identity, Protocol, Roots, TlsClientConfig, TlsLayer, TlsServerConfig};
use roadbed_core::time::{Timestamp, UnixMicros};
use roadbed_testkit::End;

const UTC: UnixMicros = UnixMicros::from_micros(1_700_000_000_000_000);

static MADE: LazyLock<(TlsClientConfig, TlsServerConfig)> = LazyLock::new(|| {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let pem = certificate.pem();
    let identity = Identity::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    let roots = Roots::from_pem(pem.as_bytes()).unwrap();
    (TlsClientConfig::new(roots).unwrap(), TlsServerConfig::new(identity).unwrap())
});

/// An end, in TLS if it has a layer.
pub(crate) struct Layered<E> {
    pub(crate) inner: E,
    layer: Option<TlsLayer>,
    plaintext: BytesMut,
    pending: Bytes,
}

impl<E> Layered<E> {
    pub(crate) fn client(inner: E, is_secure: bool) -> Self {
        let layer =
            || TlsLayer::client(&MADE.0, "localhost", Protocol::Raw, Timestamp::ZERO, UTC).expect("a name");
        Self::new(inner, is_secure.then(layer))
    }

    pub(crate) fn server(inner: E, is_secure: bool) -> Self {
        Self::new(inner, is_secure.then(|| TlsLayer::server(&MADE.1, Timestamp::ZERO, UTC)))
    }

    fn new(inner: E, layer: Option<TlsLayer>) -> Self {
        Self { inner, layer, plaintext: BytesMut::new(), pending: Bytes::new() }
    }
}

impl<E: End> End for Layered<E> {
    fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        let Some(layer) = &mut self.layer else { return self.inner.handle_input(now, input) };
        loop {
            let before = input.len();
            layer.handle_input(now, input, &mut self.plaintext);
            self.inner.handle_input(now, &mut self.plaintext);
            if !self.inner.wants_input() || input.len() == before {
                return;
            }
        }
    }

    fn handle_eof(&mut self, now: Timestamp) {
        self.inner.handle_eof(now);
    }

    fn handle_lost(&mut self, now: Timestamp) {
        self.inner.handle_lost(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.inner.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        let Some(layer) = &mut self.layer else { return self.inner.poll_transmit() };
        if self.pending.is_empty() && layer.is_writable() {
            self.pending = self.inner.poll_transmit().unwrap_or_default();
        }
        layer.send(&mut self.pending);
        layer.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.inner.poll_timeout()
    }

    fn wants_input(&self) -> bool {
        self.inner.wants_input()
    }

    fn take_events(&mut self) -> bool {
        self.inner.take_events()
    }

    fn is_finished(&self) -> bool {
        self.inner.is_finished() && self.pending.is_empty()
    }
}
