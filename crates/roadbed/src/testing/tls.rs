//! Certificates for tests: an authority, and a server that it vouches for.

use std::sync::LazyLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::tls::{Identity, Roots, TlsClientConfig, TlsServerConfig};

/// The name of the server.
pub(crate) const HOST: &str = "router.example";

struct Made {
    client: TlsClientConfig,
    server: TlsServerConfig,
}

fn make(name: &str) -> Made {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    // Simulated time begins here.
    params.not_before = rcgen::date_time_ymd(1970, 1, 1);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1);
    let certificate = params.signed_by(&key, &authority).unwrap();
    let identity = Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    let roots = Roots::from_pem(authority.pem().as_bytes()).unwrap();
    Made { client: TlsClientConfig::new(roots).unwrap(), server: TlsServerConfig::new(identity).unwrap() }
}

static MADE: LazyLock<Made> = LazyLock::new(|| make("authority"));

/// How a router is connected to.
pub(crate) fn server() -> TlsServerConfig {
    MADE.server.clone()
}

/// Trusts that router.
pub(crate) fn client() -> TlsClientConfig {
    MADE.client.clone()
}

/// Trusts somebody else.
pub(crate) fn stranger() -> TlsClientConfig {
    make("another authority").client
}
