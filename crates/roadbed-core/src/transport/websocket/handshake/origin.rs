//! Which pages may connect: browsers send a page's origin and its cookies along, so whoever lets cookies in has
//! to look at origins (RFC 6455, section 10.2).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::error::ConfigError;

/// Which pages of browsers a server lets in. What is no browser sends no origin, and is let in.
///
/// Origins of `http` and `https` are compared as a whole: scheme, host and port, in lower case, with the port of the
/// scheme when none is named. Names beyond ASCII are compared in the form that browsers send, `xn--…`. What pages of
/// applications, files and extensions send, such as `app://-`, `file://` and `chrome-extension://…`, is compared byte
/// by byte. `null` is what pages send that have no origin of their own: from sandboxes, and in some browsers from
/// files.
///
/// ```
/// use roadbed_core::transport::websocket::OriginPolicy;
///
/// let policy = OriginPolicy::allow(["https://example.com", "http://localhost:3000", "file://"])?;
/// assert!(OriginPolicy::allow(["https://example.com/path"]).is_err());
/// # Ok::<(), roadbed_core::error::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Pages of the server's own origin: the host and port that the request names, `https` when the
    /// transport is secure, else `http`. Behind a proxy that ends TLS, see
    /// [`WebSocketServerConfig::behind_tls`](super::super::WebSocketServerConfig::behind_tls).
    #[default]
    SameOrigin,
    /// Pages of these origins and of no other.
    List(AllowedOrigins),
    /// All pages. Right where cookies and the place in the network prove nothing.
    Any,
}

/// The origins of [`OriginPolicy::List`]. Made by [`OriginPolicy::allow`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigins(Arc<[Origin]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// `null`: pages without an origin of their own, from files or in sandboxes.
    Null,
    /// An origin of the web, in lower case.
    Tuple { scheme: String, host: String, port: u16 },
    /// That of a page which was not loaded from the web, as it was written.
    Other(String),
}

impl OriginPolicy {
    /// A list of origins, each `https://host` or `https://host:port`, the same with `http`, `null`, or what pages of an
    /// application send, such as `file://`, `app://-` or `chrome-extension://…`.
    ///
    /// # Errors
    /// [`ConfigError::Origin`] with the first that is none.
    pub fn allow<I>(origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let read = |origin: I::Item| {
            let origin = origin.as_ref();
            Origin::parse(origin).ok_or_else(|| ConfigError::Origin(origin.to_string()))
        };
        Ok(Self::List(AllowedOrigins(origins.into_iter().map(read).collect::<Result<Vec<_>, _>>()?.into())))
    }

    /// Whether a page of this origin is let in, by a server that is reached as `host`.
    pub(super) fn admits(&self, origin: &str, host: &str, is_secure: bool) -> bool {
        if *self == Self::Any {
            return true;
        }
        let Some(origin) = Origin::parse(origin) else { return false };
        match self {
            Self::Any => true,
            Self::List(AllowedOrigins(list)) => list.contains(&origin),
            Self::SameOrigin => {
                let scheme = if is_secure { "https" } else { "http" };
                Origin::tuple(scheme, host).is_some_and(|own| own == origin)
            }
        }
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, rest) = text.split_once("://")?;
        if usual_port(scheme).is_some() {
            return Self::tuple(scheme, rest);
        }
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        // A comma would make two of it, where headers are joined.
        let is_plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        (is_scheme && is_plain).then(|| Self::Other(text.to_string()))
    }

    fn tuple(scheme: &str, authority: &str) -> Option<Self> {
        let usual = usual_port(scheme)?;
        let (host, port) = split_port(authority)?;
        (!host.is_empty()).then(|| Self::Tuple {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
            port: port.unwrap_or(usual),
        })
    }
}

/// The port of a scheme of the web.
fn usual_port(scheme: &str) -> Option<u16> {
    let is = |known: &str| scheme.eq_ignore_ascii_case(known);
    if is("http") || is("ws") {
        Some(80)
    } else if is("https") || is("wss") {
        Some(443)
    } else {
        None
    }
}

/// Host and port of an authority; `None` when it is not made of these.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let len = rest.find(']')?.checked_add(2)?;
            let (address, behind) = authority.split_at_checked(len)?;
            let inside = address.trim_start_matches('[').trim_end_matches(']');
            if !inside.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)) {
                return None;
            }
            (address, behind)
        }
        None => {
            let (host, behind) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
                return None;
            }
            (host, behind)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
        None if port.is_empty() => None,
        _ => return None,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_origin() {
        for (origin, host, is_secure, expected) in [
            ("http://example.com", "example.com", false, true),
            ("http://example.com:80", "example.com", false, true),
            ("http://example.com", "example.com:80", false, true),
            ("https://example.com", "example.com:443", true, true),
            ("http://localhost:8080", "localhost:8080", false, true),
            ("http://[::1]:8080", "[::1]:8080", false, true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", false, true),
            // Case does not count in schemes and hosts.
            ("HTTP://EXAMPLE.com", "example.COM", false, true),
            // Another scheme.
            ("https://example.com", "example.com", false, false),
            ("http://example.com", "example.com", true, false),
            ("ws://example.com", "example.com", false, false),
            // Another port of the same host.
            ("http://example.com:8080", "example.com", false, false),
            ("http://example.com", "example.com:8080", false, false),
            ("https://example.com:80", "example.com:80", false, false),
            // Names that only look alike.
            ("http://example.com.evil.com", "example.com", false, false),
            ("http://evil.com", "example.com", false, false),
            ("http://evilexample.com", "example.com", false, false),
            ("http://example.com.", "example.com", false, false),
            ("http://example.co", "example.com", false, false),
            ("http://sub.example.com", "example.com", false, false),
            ("http://example.com@evil.com", "example.com", false, false),
            ("http://evil.com/http://example.com", "example.com", false, false),
            ("http://example.com:80:80", "example.com", false, false),
            ("http://example.com:", "example.com", false, false),
            ("http://example.com:+80", "example.com", false, false),
            ("http://example.com:65616", "example.com", false, false),
            ("http://example.com/", "example.com", false, false),
            ("http://example.com http://evil.com", "example.com", false, false),
            // Punycode is compared as it is, and not understood.
            ("http://xn--bcher-kva.example", "xn--bcher-kva.example", false, true),
            ("http://XN--BCHER-KVA.example", "xn--bcher-kva.example", false, true),
            ("http://xn--exmple-cua.com", "example.com", false, false),
            ("http://b\u{fc}cher.example", "xn--bcher-kva.example", false, false),
            ("http://\u{ff45}xample.com", "example.com", false, false),
            // DNS rebinding: what the browser calls the server is not the page's own host.
            ("http://attacker.example", "127.0.0.1:8080", false, false),
            ("null", "example.com", false, false),
            ("null", "null", false, false),
            ("", "example.com", false, false),
            ("http://", "", false, false),
            ("http://:80", ":80", false, false),
            ("file://", "example.com", false, false),
        ] {
            let found = OriginPolicy::SameOrigin.admits(origin, host, is_secure);
            assert_eq!(found, expected, "{origin} at {host}, secure: {is_secure}");
        }
    }

    #[test]
    fn a_list() {
        let list = OriginPolicy::allow(["https://Example.com", "http://localhost:3000", "app://x"]).unwrap();
        for (origin, expected) in [
            ("https://example.com", true),
            ("https://EXAMPLE.COM:443", true),
            ("http://localhost:3000", true),
            ("app://x", true),
            ("app://x:1", false),
            ("http://localhost", false),
            ("http://example.com", false),
            ("https://example.com.evil.com", false),
            ("https://example.com:444", false),
            ("null", false),
            // The own origin is not in the list.
            ("http://own.example", false),
        ] {
            assert_eq!(list.admits(origin, "own.example", false), expected, "{origin}");
        }
        assert!(OriginPolicy::allow(["null"]).unwrap().admits("null", "own.example", false));
        assert!(!OriginPolicy::allow(["null"]).unwrap().admits("NULL", "own.example", false));
        assert!(OriginPolicy::Any.admits("whatever", "own.example", false));
    }

    /// What pages send that were not loaded from the web is matched as it is, and never taken for the own origin.
    #[test]
    fn pages_that_are_not_from_the_web() {
        let origins = [
            "file://",
            "null",
            "app://-",
            "app://",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
            "moz-extension://0b5a6c1e-0000-4000-8000-000000000000",
            "vscode-webview://1x9",
        ];
        for listed in origins {
            let list = OriginPolicy::allow([listed]).unwrap();
            for sent in origins {
                assert_eq!(list.admits(sent, "own.example", false), sent == listed, "{sent} where {listed}");
            }
            for other in [listed.to_ascii_uppercase(), [listed, "/"].concat(), [listed, "x"].concat()] {
                assert!(!list.admits(&other, "own.example", false), "{other} where {listed}");
            }
            for host in ["", "-", "localhost", listed] {
                assert!(!OriginPolicy::SameOrigin.admits(listed, host, false), "{listed} at {host}");
            }
        }
    }

    #[test]
    fn what_is_no_origin() {
        for text in [
            "",
            "*",
            "example.com",
            "file:",
            "file:// ",
            "app://a,app://b",
            "app://\u{fc}",
            "https://",
            "https://a/",
            "https://a:b",
            "https://a b",
            "://a",
            "1s://a",
            "https://[::1",
            "https://[x]",
        ] {
            assert_eq!(OriginPolicy::allow([text]), Err(ConfigError::Origin(text.into())), "{text}");
        }
    }
}
