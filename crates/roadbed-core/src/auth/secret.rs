//! Secrets that are not shown and do not stay in memory.

use alloc::string::String;
use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// A password, ticket or key: never printed, and wiped from memory when dropped.
///
/// What is sent of it over the wire is copied into a message and an output buffer; those copies are not
/// wiped.
///
/// ```
/// use roadbed_core::auth::Secret;
///
/// let ticket = Secret::from("secret!!!");
/// assert_eq!(format!("{ticket:?}"), "Secret(…)");
/// assert_eq!(ticket.expose(), "secret!!!");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the secret over, without a copy.
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself; for the code that has to use it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the secret. The time it takes depends on the length of `given` alone.
    pub fn matches(&self, given: &str) -> bool {
        let secret = self.0.as_bytes();
        let mut same: Choice = secret.len().ct_eq(&given.len());
        for (index, byte) in given.bytes().enumerate() {
            same &= byte.ct_eq(secret.get(index).unwrap_or(&0));
        }
        same.into()
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(String::from(secret))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_itself_only() {
        let secret = Secret::from("secret!!!");
        assert!(secret.matches("secret!!!"));
        for wrong in ["", "secret!!", "secret!!!!", "Secret!!!", "secret!!!\0"] {
            assert!(!secret.matches(wrong), "{wrong:?}");
        }
        assert!(!Secret::from("").matches("\0"));
    }
}
