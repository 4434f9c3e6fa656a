//! Certificates, made when they are needed: an authority, and a router that it vouches for.

use std::sync::LazyLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use roadbed::tls::{Identity, Roots, TlsClientConfig, TlsServerConfig};

struct Made {
    client: TlsClientConfig,
    server: TlsServerConfig,
}

fn make(authority: &str) -> Made {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, authority);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let identity = Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    let roots = Roots::from_pem(authority.pem().as_bytes()).unwrap();
    Made { client: TlsClientConfig::new(roots).unwrap(), server: TlsServerConfig::new(identity).unwrap() }
}

static MADE: LazyLock<Made> = LazyLock::new(|| make("authority"));

/// How a router is connected to, here and by its name.
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
