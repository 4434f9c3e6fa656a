//! Whom to trust.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::TlsConfigError;

/// Certificate authorities: whoever they vouch for is believed.
///
/// ```
/// use roadbed_tls::Roots;
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (pem, der) = (made.cert.pem(), made.cert.der().to_vec());
///
/// let roots = Roots::from_pem(pem.as_bytes())?.with_der(der)?;
/// assert_eq!(roots.len(), 2);
/// # Ok::<(), roadbed_tls::TlsConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Roots(pub(crate) RootCertStore);

impl Roots {
    /// Nobody yet.
    pub fn none() -> Self {
        Self(RootCertStore::empty())
    }

    /// Every certificate of a PEM text; other sections of it are skipped. A self-signed certificate of a
    /// server may be given as well, but not one that is an authority's at the same time: `openssl req -x509` makes such
    /// ones, unless it is told otherwise.
    ///
    /// ```sh
    /// openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 365 -subj /CN=localhost \
    ///     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE
    /// ```
    ///
    /// # Errors
    /// [`TlsConfigError::Pem`], [`TlsConfigError::Root`]; [`TlsConfigError::NoRoots`] when there is none in it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsConfigError> {
        Self::none().with_pem(pem)
    }

    /// Adds every certificate of a PEM text.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, TlsConfigError> {
        let before = self.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TlsConfigError::pem(&error))?;
            self.0.add(certificate).map_err(TlsConfigError::Root)?;
        }
        if self.len() == before {
            Err(TlsConfigError::NoRoots(": none is in the PEM".into()))
        } else {
            Ok(self)
        }
    }

    /// Adds one certificate in DER.
    ///
    /// # Errors
    /// [`TlsConfigError::Root`].
    pub fn with_der(mut self, der: impl Into<Vec<u8>>) -> Result<Self, TlsConfigError> {
        self.0.add(CertificateDer::from(der.into())).map_err(TlsConfigError::Root)?;
        Ok(self)
    }

    /// Those that the operating system trusts, and its administrator: read once, now, from where the
    /// system keeps them, or from where `SSL_CERT_FILE` and `SSL_CERT_DIR` point. Certificates that cannot
    /// be read are left out.
    ///
    /// The system's, rather than a list compiled in: it knows the authorities of a company, and is kept up
    /// to date.
    ///
    /// # Errors
    /// [`TlsConfigError::NoRoots`] when there is none, and why.
    #[cfg(feature = "system-roots")]
    pub fn system() -> Result<Self, TlsConfigError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = Self::none();
        roots.0.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
            return Err(TlsConfigError::NoRoots(why));
        }
        Ok(roots)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<RootCertStore> for Roots {
    fn from(store: RootCertStore) -> Self {
        Self(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_root_is_refused() {
        assert!(matches!(Roots::from_pem(b""), Err(TlsConfigError::NoRoots(_))));
        assert!(matches!(Roots::from_pem(b"-----BEGIN CERTIFICATE-----\n"), Err(TlsConfigError::Pem(_))));
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(Roots::from_pem(garbage), Err(TlsConfigError::Root(_))));
        assert!(matches!(Roots::none().with_der(*b"no"), Err(TlsConfigError::Root(_))));
    }

    #[cfg(feature = "system-roots")]
    #[test]
    fn the_system_trusts_somebody_or_says_why_not() {
        match Roots::system() {
            Ok(roots) => assert!(!roots.is_empty()),
            Err(error) => assert!(matches!(error, TlsConfigError::NoRoots(_)), "{error}"),
        }
    }
}
