//! What can be wrong with a connection, and with a configuration.

use std::fmt;

use rustls::pki_types::pem;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use crate::words::{Fault, hint};

/// Why a connection failed, or ended otherwise than it should. Cheap to clone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer does not speak TLS: its first byte begins no record. It is sent nothing more.
    #[error("the peer does not speak TLS: connect with ws:// or rs:// to a port without it")]
    NotTls,
    /// The peer's certificate is not accepted: expired, for another name, of an unknown issuer …
    #[error("the peer's certificate is refused: {}", Fault(.0))]
    Certificate(CertificateError),
    /// The peer has to show a certificate, and has none.
    #[error("the peer shows no certificate, and has to")]
    NoCertificate,
    /// The peer gave up, and said why: an unknown issuer of our certificate, for example.
    #[error("the peer refuses the connection: {}{}", AlertName(.0), hint(*.0))]
    Refused(AlertDescription),
    /// There is no version, cipher or signature that both sides know.
    #[error("the peer is incompatible: {0:?}")]
    Incompatible(PeerIncompatible),
    /// The peer broke the rules of TLS, or somebody tampered with what it sent.
    #[error("the peer broke the TLS protocol: {0}")]
    Protocol(rustls::Error),
    /// The handshake has taken more bytes than are looked at.
    #[error("the handshake takes more than {limit} bytes")]
    HandshakeTooLarge {
        /// Bytes that are looked at.
        limit: usize,
    },
    /// The stream ended before the handshake was done.
    #[error("the stream ended in the middle of the TLS handshake")]
    HandshakeTruncated,
    /// The stream ended without `close_notify`: what was received may not be all that was sent.
    #[error("the stream was cut off: it ended without a TLS close_notify")]
    Truncated,
}

impl TlsError {
    /// Whether the same may succeed later: the stream was cut off. What a peer refuses, or what is
    /// refused of it, stays so.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Truncated | Self::HandshakeTruncated)
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error),
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::AlertReceived(alert) => Self::Refused(alert),
            rustls::Error::PeerIncompatible(why) => Self::Incompatible(why),
            error => Self::Protocol(error),
        }
    }
}

/// The name of an alert in words.
struct AlertName<'a>(&'a AlertDescription);

impl fmt::Display for AlertName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut after_lowercase = false;
        for letter in format!("{:?}", self.0).chars() {
            if after_lowercase && letter.is_ascii_uppercase() {
                f.write_str(" ")?;
            }
            after_lowercase = letter.is_ascii_lowercase();
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

/// Why a configuration cannot be used. Keys are never part of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A text that should be PEM is not.
    #[error("not PEM: {0}")]
    Pem(String),
    /// No certificate was given.
    #[error("there is no certificate: it stands in a PEM section CERTIFICATE")]
    NoCertificate,
    /// No private key was given.
    #[error(
        "there is no private key: it stands in a PEM section PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY"
    )]
    NoKey,
    /// The private key is encrypted.
    #[error("the private key is encrypted: decrypt it first (openssl pkey -in key.pem -out plain.pem)")]
    EncryptedKey,
    /// A certificate or key cannot be used, or the one does not belong to the other.
    #[error("the certificate or its key cannot be used: {}", Unusable(.0))]
    Identity(rustls::Error),
    /// A root certificate cannot be used.
    #[error("the root certificate cannot be used: {}", Unusable(.0))]
    Root(rustls::Error),
    /// No certificate authority is trusted, so nobody would be.
    #[error("no certificate authority is trusted{0}")]
    NoRoots(String),
    /// A server has to be called by a host name or an IP address.
    #[error("{0:?} is neither a host name nor an IP address")]
    ServerName(String),
    /// rustls refuses the configuration.
    #[error("the configuration cannot work: {0}")]
    Rustls(rustls::Error),
}

impl TlsConfigError {
    /// What is wrong with a PEM text: that is told, and not what stands there.
    pub(crate) fn pem(error: &pem::Error) -> Self {
        Self::Pem(
            match error {
                pem::Error::MissingSectionEnd { .. } => "a section has no end, so the text was cut off",
                pem::Error::IllegalSectionStart { .. } => {
                    "a line that begins a section has no dashes at its end"
                }
                pem::Error::Base64Decode(_) => "what stands in a section is no base64",
                pem::Error::SectionTooLarge => "a section is too large",
                _ => "it cannot be read",
            }
            .into(),
        )
    }
}

/// What is wrong with a certificate or a key of our own.
struct Unusable<'a>(&'a rustls::Error);

impl fmt::Display for Unusable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            rustls::Error::InvalidCertificate(error) => Fault(error).fmt(f),
            rustls::Error::InconsistentKeys(_) => f.write_str("the key does not belong to the certificate"),
            rustls::Error::General(_) => f.write_str(
                "the key is damaged, or neither ECDSA (P-256, P-384), Ed25519 nor RSA of 2048 bits and more",
            ),
            other => other.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_wrong() {
        let expired = TlsError::from(rustls::Error::InvalidCertificate(CertificateError::Expired));
        assert_eq!(expired, TlsError::Certificate(CertificateError::Expired));
        assert!(!expired.is_retryable() && TlsError::Truncated.is_retryable());
        let refused = TlsError::Refused(AlertDescription::UnknownCA);
        let text =
            "the peer refuses the connection: unknown ca: it does not trust who has signed our certificate";
        assert_eq!(refused.to_string(), text);
        let refused = TlsError::Refused(AlertDescription::HandshakeFailure);
        assert_eq!(refused.to_string(), "the peer refuses the connection: handshake failure");
    }
}
