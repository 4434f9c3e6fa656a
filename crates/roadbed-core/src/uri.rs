//! URIs, their loose and strict rules, and the three match policies.

use alloc::string::String;
use core::fmt;

use bytes::Bytes;
use bytestring::ByteString;

/// A WAMP URI: UTF-8 text such as `com.example.add`, shared without copying.
///
/// A `Uri` taken from a received message is a slice of the read buffer; [`Uri::detach`] copies it out
/// before it is kept. Rules are checked by [`Uri::new`] for what we send, and by the router, with
/// [`Uri::check`], for what it receives (so that the answer can be `wamp.error.invalid_uri`).
///
/// ```
/// use roadbed_core::uri::{MatchPolicy, Uri};
///
/// let uri = Uri::new("com.example.add")?;
/// assert_eq!(uri.as_str(), "com.example.add");
/// assert!(Uri::new("com..add").is_err());
/// assert!(Uri::pattern("com..add", MatchPolicy::Wildcard).is_ok());
/// # Ok::<(), roadbed_core::uri::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri(ByteString);

/// Which characters a URI component may hold (basic profile, "URIs").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UriRules {
    /// Anything but white space, `.`, `#` and NUL. White space is what Unicode or a peer's regular
    /// expressions take for it: Python adds the four separators from U+001C, JavaScript U+FEFF.
    #[default]
    Loose,
    /// Lower-case letters, digits and `_` only.
    Strict,
}

impl UriRules {
    /// Its name in the specification: `loose` or `strict`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loose => "loose",
            Self::Strict => "strict",
        }
    }
}

/// How a subscription or registration matches URIs (advanced profile, "pattern-based").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchPolicy {
    /// The URI itself.
    #[default]
    Exact,
    /// Every URI that begins with the pattern, as text.
    Prefix,
    /// As many components as the pattern has; an empty one stands for any component.
    Wildcard,
}

/// Why a text is no URI under the rules asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// Nothing at all, where a pattern is not allowed.
    #[error("the URI is empty")]
    Empty,
    /// Two dots in a row, or a dot at either end, where no pattern is allowed.
    #[error("the URI has an empty component at byte {at}")]
    EmptyComponent {
        /// Offset in bytes of the empty component.
        at: usize,
    },
    /// A character that the rules exclude.
    #[error("the URI holds a character at byte {at} that the {} URI rules exclude", rules.name())]
    Character {
        /// Offset in bytes of the character.
        at: usize,
        /// The rules in force.
        rules: UriRules,
    },
    /// More bytes than allowed.
    #[error("the URI has {length} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// Bytes that a URI built by [`Uri::new`] may have.
pub const MAX_URI_LENGTH: usize = 1024;

impl Uri {
    /// A URI that obeys the loose rules: no empty component, at most 1 KiB.
    ///
    /// # Errors
    /// [`UriError`] says what is wrong and where.
    pub fn new(text: impl AsRef<str>) -> Result<Self, UriError> {
        Self::pattern(text, MatchPolicy::Exact)
    }

    /// A pattern for `policy`: prefixes and wildcards may hold empty components.
    ///
    /// # Errors
    /// [`UriError`] says what is wrong and where.
    pub fn pattern(text: impl AsRef<str>, policy: MatchPolicy) -> Result<Self, UriError> {
        let uri = Self(ByteString::from(text.as_ref()));
        uri.check(UriRules::Loose, policy, MAX_URI_LENGTH)?;
        Ok(uri)
    }

    /// A URI from a constant that is known to be well-formed. Nothing is checked; a router answers a
    /// malformed one with `wamp.error.invalid_uri`.
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// A URI as received: any UTF-8 text.
    pub const fn from_wire(text: ByteString) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared.
    pub const fn as_text(&self) -> &ByteString {
        &self.0
    }

    /// The URI's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// A copy that shares no memory with a read buffer; for URIs that are kept.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(detach(&self.0))
    }

    /// Checks the text against `rules` and `limit` (bytes); `policy` says whether empty components
    /// are allowed. Linear in the length.
    ///
    /// # Errors
    /// [`UriError`] says what is wrong and where.
    pub fn check(&self, rules: UriRules, policy: MatchPolicy, limit: usize) -> Result<(), UriError> {
        let bytes = self.as_bytes();
        if bytes.len() > limit {
            return Err(UriError::TooLong { length: bytes.len(), limit });
        }
        if is_plain(bytes, rules, policy) {
            return Ok(());
        }
        if policy == MatchPolicy::Exact {
            if bytes.is_empty() {
                return Err(UriError::Empty);
            }
            let mut start = 0_usize;
            for component in bytes.split(|&b| b == b'.') {
                if component.is_empty() {
                    return Err(UriError::EmptyComponent { at: start });
                }
                start = start.saturating_add(component.len()).saturating_add(1);
            }
        }
        let allowed = |c: char| match rules {
            UriRules::Strict => matches!(c, 'a'..='z' | '0'..='9' | '_' | '.'),
            UriRules::Loose => c != '#' && c != '\0' && !is_white_space(c),
        };
        match self.as_str().char_indices().find(|&(_, c)| !allowed(c)) {
            Some((at, _)) => Err(UriError::Character { at, rules }),
            None => Ok(()),
        }
    }

    /// Whether this URI, as a pattern under `policy`, matches `uri`. Linear in the shorter length.
    ///
    /// ```
    /// use roadbed_core::uri::{MatchPolicy, Uri};
    ///
    /// let pattern = Uri::pattern("com..tick", MatchPolicy::Wildcard)?;
    /// assert!(pattern.matches(MatchPolicy::Wildcard, &Uri::new("com.clock.tick")?));
    /// assert!(!pattern.matches(MatchPolicy::Wildcard, &Uri::new("com.clock.tock")?));
    /// # Ok::<(), roadbed_core::uri::UriError>(())
    /// ```
    pub fn matches(&self, policy: MatchPolicy, uri: &Self) -> bool {
        match policy {
            MatchPolicy::Exact => self == uri,
            MatchPolicy::Prefix => uri.as_bytes().starts_with(self.as_bytes()),
            MatchPolicy::Wildcard => {
                let mut pattern = self.as_bytes().split(|&b| b == b'.');
                let mut components = uri.as_bytes().split(|&b| b == b'.');
                loop {
                    match (pattern.next(), components.next()) {
                        (None, None) => return true,
                        (Some(want), Some(have)) if want.is_empty() || want == have => {}
                        _ => return false,
                    }
                }
            }
        }
    }
}

/// Whether a peer may take this character for white space, and a URI that holds it for none.
fn is_white_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}' | '\u{feff}')
}

/// Copies a shared text out of the buffer it is a slice of.
pub(crate) fn detach(text: &ByteString) -> ByteString {
    ByteString::from(String::from(&**text))
}

/// Copies shared bytes out of the buffer they are a slice of.
pub(crate) fn detach_bytes(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

impl MatchPolicy {
    /// Its name in options: `exact`, `prefix` or `wildcard`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Wildcard => "wildcard",
        }
    }
}

/// Whether a URI is good as far as a look at its bytes can tell. Nearly all good ones are of such bytes;
/// of the others nothing is known.
fn is_plain(bytes: &[u8], rules: UriRules, policy: MatchPolicy) -> bool {
    // As if a dot stood before the first component: an empty one is then two dots in a row.
    let mut last = b'.';
    for &byte in bytes {
        let is_plain = match rules {
            UriRules::Strict => matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.'),
            UriRules::Loose => byte.is_ascii_graphic() && byte != b'#',
        };
        if !is_plain || (policy == MatchPolicy::Exact && byte == b'.' && last == b'.') {
            return false;
        }
        last = byte;
    }
    policy != MatchPolicy::Exact || last != b'.'
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({:?})", self.as_str())
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for Uri {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Uri {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Uri {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &'static str) -> Uri {
        Uri::from_static(text)
    }

    #[test]
    fn loose_and_strict_rules() {
        for good in ["a", "com.myapp.été", "a.b-c.D"] {
            uri(good).check(UriRules::Loose, MatchPolicy::Exact, 64).unwrap();
        }
        for (bad, error) in [
            ("", UriError::Empty),
            (".a", UriError::EmptyComponent { at: 0 }),
            ("a..b", UriError::EmptyComponent { at: 2 }),
            ("a.b.", UriError::EmptyComponent { at: 4 }),
            ("a.b c", UriError::Character { at: 3, rules: UriRules::Loose }),
            ("a.#", UriError::Character { at: 2, rules: UriRules::Loose }),
            ("a.\0", UriError::Character { at: 2, rules: UriRules::Loose }),
            ("a.\u{1c}", UriError::Character { at: 2, rules: UriRules::Loose }),
            ("a.b\u{feff}", UriError::Character { at: 3, rules: UriRules::Loose }),
            ("a.b\u{3000}c", UriError::Character { at: 3, rules: UriRules::Loose }),
        ] {
            assert_eq!(uri(bad).check(UriRules::Loose, MatchPolicy::Exact, 64), Err(error), "{bad:?}");
        }
        assert_eq!(
            uri("com.Upper").check(UriRules::Strict, MatchPolicy::Exact, 64),
            Err(UriError::Character { at: 4, rules: UriRules::Strict })
        );
        assert_eq!(
            uri("long").check(UriRules::Loose, MatchPolicy::Exact, 3),
            Err(UriError::TooLong { length: 4, limit: 3 })
        );
    }

    #[test]
    fn patterns_may_have_empty_components() {
        for policy in [MatchPolicy::Prefix, MatchPolicy::Wildcard] {
            for pattern in ["", ".", "a..b", "com.", ".été"] {
                uri(pattern).check(UriRules::Loose, policy, 64).unwrap();
                assert!(Uri::pattern(alloc::format!("{pattern}#"), policy).is_err());
            }
        }
        // Strange, but the loose rules allow it.
        uri("a.\u{1}\u{7f}").check(UriRules::Loose, MatchPolicy::Exact, 64).unwrap();
    }

    #[test]
    fn prefix_matching_is_textual() {
        assert!(uri("com.myapp.myobject1").matches(MatchPolicy::Prefix, &uri("com.myapp.myobject1-sub")));
        assert!(uri("").matches(MatchPolicy::Prefix, &uri("anything")));
        assert!(!uri("a.b").matches(MatchPolicy::Prefix, &uri("a.c")));
    }

    #[test]
    fn wildcards_need_the_same_number_of_components() {
        let pattern = uri("com.myapp..create");
        assert!(pattern.matches(MatchPolicy::Wildcard, &uri("com.myapp.product.create")));
        assert!(!pattern.matches(MatchPolicy::Wildcard, &uri("com.myapp.create")));
        assert!(!pattern.matches(MatchPolicy::Wildcard, &uri("com.myapp.a.b.create")));
    }
}
