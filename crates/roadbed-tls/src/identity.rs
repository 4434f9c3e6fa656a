//! Who one is: a certificate and its key.

use std::fmt;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::TlsConfigError;

/// A chain of certificates, one's own first, and the private key that belongs to it.
///
/// The key is wiped from memory with this value; the copy that rustls makes lives as long as the
/// configuration. `Debug` shows none of it.
///
/// ```
/// use roadbed_tls::Identity;
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
///
/// let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
/// # Ok::<(), roadbed_tls::TlsConfigError>(())
/// ```
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From PEM texts; both may be the same text. The key may be PKCS #8, PKCS #1 or SEC 1, unencrypted.
    ///
    /// # Errors
    /// [`TlsConfigError::Pem`], [`TlsConfigError::NoCertificate`], [`TlsConfigError::NoKey`],
    /// [`TlsConfigError::EncryptedKey`]. Whether certificate and key fit, and can be used, is found by the
    /// configuration that is made of them.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|error| TlsConfigError::pem(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            _ if is_encrypted(key) => TlsConfigError::EncryptedKey,
            PemError::NoItemsFound => TlsConfigError::NoKey,
            error => TlsConfigError::pem(&error),
        })?;
        Self::new(chain, key)
    }

    /// From DER: the chain, one's own certificate first, and the key.
    ///
    /// # Errors
    /// [`TlsConfigError::NoCertificate`], [`TlsConfigError::NoKey`].
    pub fn from_der(
        chain: impl IntoIterator<Item = Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Result<Self, TlsConfigError> {
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::try_from(key.into()).map_err(|_| TlsConfigError::NoKey)?;
        Self::new(chain, key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsConfigError> {
        if chain.is_empty() { Err(TlsConfigError::NoCertificate) } else { Ok(Self { chain, key }) }
    }
}

/// Whether a PEM text holds an encrypted key, of PKCS #8 or of the older form with a header.
fn is_encrypted(pem: &[u8]) -> bool {
    let has = |mark: &[u8]| pem.windows(mark.len()).any(|part| part == mark);
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_identity_is_refused() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let both = format!("{chain}{key}");
        let identity = Identity::from_pem(both.as_bytes(), both.as_bytes()).unwrap();
        assert_eq!(identity.chain.len(), 1);
        let no_key = Identity::from_pem(chain.as_bytes(), chain.as_bytes());
        assert!(matches!(no_key, Err(TlsConfigError::NoKey)));
        let no_certificate = Identity::from_pem(key.as_bytes(), key.as_bytes());
        assert!(matches!(no_certificate, Err(TlsConfigError::NoCertificate)));
        for encrypted in [
            &include_bytes!("tests/pem/encrypted-pkcs8.key.pem")[..],
            include_bytes!("tests/pem/encrypted-pkcs1.key.pem"),
        ] {
            let error = Identity::from_pem(chain.as_bytes(), encrypted).unwrap_err();
            assert!(matches!(error, TlsConfigError::EncryptedKey), "{error}");
            assert!(error.to_string().contains("decrypt it first"), "{error}");
        }
        let cut = key.get(..60).unwrap();
        assert!(matches!(Identity::from_pem(chain.as_bytes(), cut.as_bytes()), Err(TlsConfigError::Pem(_))));
        let der = vec![made.cert.der().to_vec()];
        assert!(Identity::from_der(der.clone(), made.signing_key.serialize_der()).is_ok());
        assert!(matches!(Identity::from_der(der, *b"no key"), Err(TlsConfigError::NoKey)));
    }

    #[test]
    fn keys_are_not_shown() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der();
        let identity = Identity::from_der([made.cert.der().to_vec()], key).unwrap();
        assert_eq!(format!("{identity:?}"), "Identity { certificates: 1, .. }");
    }
}
