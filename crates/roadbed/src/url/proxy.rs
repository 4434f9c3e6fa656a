//! An HTTP proxy's address.

use std::fmt;
use std::str::FromStr;

use roadbed_core::error::ConfigError;
use roadbed_core::transport::HttpConnect;

use super::parse::{decode, host_and_port};
use super::{Address, UrlError};

/// The port of proxies that name none.
const DEFAULT_PORT: u16 = 80;

/// An HTTP proxy that opens tunnels (CONNECT): `http://host:port` or `http://user:password@host:port`, with
/// percent-encoding where user or password hold what an address cannot.
///
/// Nothing between client and proxy is encrypted by this; `wss://` and `rss://` are, to the far end.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    address: Address,
    credentials: Option<(String, String)>,
}

impl Proxy {
    /// Where the proxy listens.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// What to say to the proxy for a tunnel to `host`.
    pub(crate) fn connect(&self, host: &str, port: u16) -> Result<HttpConnect, ConfigError> {
        let connect = HttpConnect::new(host, port)?;
        match &self.credentials {
            Some((user, password)) => connect.credentials(user, password),
            None => Ok(connect),
        }
    }
}

impl FromStr for Proxy {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let place = text.strip_prefix("http://").ok_or(UrlError::Proxy)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let (credentials, place) = match place.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, place),
        };
        let (host, port) = host_and_port(place).map_err(|_| UrlError::Proxy)?;
        if host.is_empty() || host.contains(['/', '?', '#']) {
            return Err(UrlError::Proxy);
        }
        let credentials = match credentials {
            Some(pair) => {
                let (user, password) = pair.split_once(':').unwrap_or((pair, ""));
                Some(decode(user).zip(decode(password)).ok_or(UrlError::Proxy)?)
            }
            None => None,
        };
        let address = Address::Tcp { host: host.into_owned(), port: port.unwrap_or(DEFAULT_PORT) };
        Ok(Self { address, credentials })
    }
}

/// Without the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.credentials.as_ref().map(|(user, _)| user);
        f.debug_struct("Proxy").field("address", &self.address).field("user", &user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies() {
        let tcp = |host: &str, port| Address::Tcp { host: host.into(), port };
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        for (text, address, credentials) in [
            ("http://proxy:3128", tcp("proxy", 3128), None),
            ("http://proxy/", tcp("proxy", 80), None),
            ("http://[::1]:1", tcp("::1", 1), None),
            ("http://joe:secret@proxy:1", tcp("proxy", 1), pair("joe", "secret")),
            ("http://joe@proxy", tcp("proxy", 80), pair("joe", "")),
            ("http://j%40e:a%3Ab%25@proxy", tcp("proxy", 80), pair("j@e", "a:b%")),
            ("http://joe:a@b:c@proxy", tcp("proxy", 80), pair("joe", "a@b:c")),
        ] {
            assert_eq!(text.parse(), Ok(Proxy { address, credentials }), "{text}");
        }
        for text in [
            "",
            "proxy:3128",
            "https://proxy",
            "socks5://proxy",
            "http://",
            "http://:80",
            "http://proxy:x",
            "http://proxy/path",
            "http://%4@proxy",
            "http://%+1@proxy",
            "http://%ff@proxy",
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(UrlError::Proxy), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let proxy: Proxy = "http://joe:secret@proxy".parse().unwrap();
        let text = format!("{proxy:?}");
        assert!(text.contains("joe") && !text.contains("secret"), "{text}");
    }
}
