//! How a server is connected to.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, WebPkiClientVerifier};

use crate::clock::Clock;
use crate::error::TlsConfigError;
use crate::identity::Identity;
use crate::roots::Roots;
use crate::side::HTTP_1_1;

/// Whether clients have to show certificates.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// They are not asked for one.
    #[default]
    None,
    /// They are asked; who has none comes in as well, who has a wrong one does not.
    Optional(Roots),
    /// Who has none that these vouch for is refused.
    Required(Roots),
}

/// How a server is connected to: who it is, and whom it lets in. Cheap to clone.
///
/// ```
/// use roadbed_tls::{ClientCertificates, Identity, Roots, TlsServerConfig};
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key, clients) = (made.cert.pem(), made.signing_key.serialize_pem(), made.cert.pem());
///
/// let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
/// let clients = ClientCertificates::Required(Roots::from_pem(clients.as_bytes())?);
/// let config = TlsServerConfig::with_client_certificates(identity, clients)?;
/// # Ok::<(), roadbed_tls::TlsConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsServerConfig(Arc<ServerConfig>);

impl TlsServerConfig {
    /// Shows `identity`, and lets everybody in.
    ///
    /// # Errors
    /// [`TlsConfigError::Identity`].
    pub fn new(identity: Identity) -> Result<Self, TlsConfigError> {
        Self::with_client_certificates(identity, ClientCertificates::None)
    }

    /// Shows `identity`, and asks clients for theirs.
    ///
    /// # Errors
    /// [`TlsConfigError::Identity`], [`TlsConfigError::NoRoots`].
    pub fn with_client_certificates(
        identity: Identity,
        clients: ClientCertificates,
    ) -> Result<Self, TlsConfigError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match clients {
            ClientCertificates::None => None,
            ClientCertificates::Optional(roots) => Some((roots, true)),
            ClientCertificates::Required(roots) => Some((roots, false)),
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsConfigError::Rustls)?;
        let builder = match verifier {
            None => builder.with_no_client_auth(),
            Some((roots, is_optional)) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots.0), provider);
                let verifier = if is_optional { verifier.allow_unauthenticated() } else { verifier };
                let no_roots = |error: rustls::server::VerifierBuilderError| {
                    TlsConfigError::NoRoots(format!(": {error}"))
                };
                builder.with_client_cert_verifier(verifier.build().map_err(no_roots)?)
            }
        };
        let Identity { chain, key } = identity;
        let mut config = builder.with_single_cert(chain, key).map_err(TlsConfigError::Identity)?;
        config.require_ems = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self::from_rustls(Arc::new(config)))
    }

    /// As a configuration of rustls says: certificates chosen by SNI, another provider … Its clock is not asked:
    /// certificates are judged by the time that a [`TlsLayer`](crate::TlsLayer) is given. Unless it
    /// has [`require_ems`](ServerConfig::require_ems), there is no channel binding in TLS 1.2.
    ///
    /// Its `alpn_protocols` are answered with, `http/1.1` if it has none. A client that offers only others is not
    /// refused: the answer is left out.
    pub const fn from_rustls(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }

    /// What answers `hello`, and whether its channel binding is one.
    pub(crate) fn answer(&self, hello: &ClientHello<'_>, clock: &Clock) -> (Arc<ServerConfig>, bool) {
        let mut config = ServerConfig::clone(&self.0);
        config.time_provider = clock.provider();
        if config.alpn_protocols.is_empty() {
            config.alpn_protocols.push(HTTP_1_1.to_vec());
        }
        let mut offered = hello.alpn().into_iter().flatten();
        if !offered.any(|offer| config.alpn_protocols.iter().any(|known| known == offer)) {
            // Over a RawSocket ALPN means nothing, so it is no reason to refuse anybody.
            config.alpn_protocols.clear();
        }
        let has_ems = config.require_ems;
        (Arc::new(config), has_ems)
    }
}
