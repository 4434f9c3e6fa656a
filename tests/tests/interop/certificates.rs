//! Certificates for both sides, made for one run.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use roadbed::tls::{Identity, Roots, TlsClientConfig, TlsServerConfig};

/// An authority that the foreign peers are told to trust, and a router's certificate for `localhost`: in PEM, the way
/// they want to have them.
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    server: TlsServerConfig,
    client: TlsClientConfig,
}

impl Certificates {
    /// Written into this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "the authority of one test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap().pem();
        let (authority, key) = (authority.pem(), key.serialize_pem());

        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        Self {
            server: TlsServerConfig::new(identity).unwrap(),
            client: TlsClientConfig::new(Roots::from_pem(authority.as_bytes()).unwrap()).unwrap(),
            authority: file("authority.pem", &authority),
            certificate: file("certificate.pem", &certificate),
            key: file("key.pem", &key),
        }
    }

    /// What a router of ours shows.
    pub(crate) fn server(&self) -> TlsServerConfig {
        self.server.clone()
    }

    /// What a client of ours believes.
    pub(crate) fn client(&self) -> TlsClientConfig {
        self.client.clone()
    }
}
