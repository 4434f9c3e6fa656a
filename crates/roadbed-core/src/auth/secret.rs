//! Secrets that are not shown and do not stay in memory.

use alloc::string::String;
use core::fmt;

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
