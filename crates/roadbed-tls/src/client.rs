//! How a client connects.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::clock::Clock;
use crate::error::TlsConfigError;
use crate::identity::Identity;
use crate::roots::Roots;
use crate::side::HTTP_1_1;

/// What is spoken above TLS: it decides what a client offers by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// RawSocket, or anything else that ALPN has no name for: nothing is offered.
    Raw,
    /// WebSocket: `http/1.1` is offered.
    Http,
}

/// How a client connects: whom it trusts, and who it says it is. Cheap to clone.
///
/// ```
/// use roadbed_tls::{Roots, TlsClientConfig};
/// # let made = rcgen::generate_simple_self_signed(["router".to_owned()]).unwrap();
/// # let pem = made.cert.pem();
///
/// // A router in one's own network, reached by its IP address.
/// let config = TlsClientConfig::new(Roots::from_pem(pem.as_bytes())?)?.server_name("router")?;
/// # Ok::<(), roadbed_tls::TlsConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsClientConfig {
    rustls: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl TlsClientConfig {
    /// Trusts whom `roots` vouch for, and shows no certificate.
    ///
    /// # Errors
    /// [`TlsConfigError::NoRoots`].
    pub fn new(roots: Roots) -> Result<Self, TlsConfigError> {
        Self::build(roots, None)
    }

    /// Trusts whom `roots` vouch for, and shows its own certificate to a server that asks for one.
    ///
    /// # Errors
    /// [`TlsConfigError::NoRoots`], [`TlsConfigError::Identity`].
    pub fn with_identity(roots: Roots, identity: Identity) -> Result<Self, TlsConfigError> {
        Self::build(roots, Some(identity))
    }

    /// Trusts whom the operating system trusts; see [`Roots::system`].
    ///
    /// # Errors
    /// [`TlsConfigError::NoRoots`].
    #[cfg(feature = "system-roots")]
    pub fn system() -> Result<Self, TlsConfigError> {
        Self::new(Roots::system()?)
    }

    /// As a configuration of rustls says. Its clock is not asked: certificates are judged by the time that a
    /// [`TlsLayer`](crate::TlsLayer) is given. Unless it has
    /// [`require_ems`](ClientConfig::require_ems), there is no channel binding in TLS 1.2.
    pub const fn from_rustls(config: Arc<ClientConfig>) -> Self {
        Self { rustls: config, server_name: None }
    }

    /// Expects the server to be called `name`, whatever it was reached by; it is what the server is asked
    /// for (SNI), too, unless it is an IP address.
    ///
    /// # Errors
    /// [`TlsConfigError::ServerName`].
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsConfigError> {
        self.server_name = Some(parse(name)?);
        Ok(self)
    }

    fn build(roots: Roots, identity: Option<Identity>) -> Result<Self, TlsConfigError> {
        if roots.is_empty() {
            return Err(TlsConfigError::NoRoots(String::new()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsConfigError::Rustls)?
            .with_root_certificates(roots.0);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                builder.with_client_auth_cert(chain, key).map_err(TlsConfigError::Identity)?
            }
        };
        config.require_ems = true;
        config.resumption = Resumption::disabled();
        Ok(Self::from_rustls(Arc::new(config)))
    }

    /// A connection to `host`, and whether its channel binding is one.
    pub(crate) fn connect(
        &self,
        host: &str,
        protocol: Protocol,
        clock: &Clock,
    ) -> Result<(ClientConnection, bool), TlsConfigError> {
        let name = self.server_name.clone().map_or_else(|| parse(host), Ok)?;
        let mut config = ClientConfig::clone(&self.rustls);
        config.time_provider = clock.provider();
        if protocol == Protocol::Http {
            config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        }
        let has_ems = config.require_ems;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(TlsConfigError::Rustls)?;
        Ok((connection, has_ems))
    }
}

/// A host name, or an IP address, perhaps in the brackets of a URL, whose zone no certificate knows.
fn parse(host: &str) -> Result<ServerName<'static>, TlsConfigError> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let bare = match bare.split_once('%') {
        Some((address, _)) if address.contains(':') => address,
        _ => bare,
    };
    ServerName::try_from(bare.to_owned()).map_err(|_| TlsConfigError::ServerName(host.to_owned()))
}
