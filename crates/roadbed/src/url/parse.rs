//! From text to address.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use roadbed_core::serializer::Serializer;

use super::{Address, Request, Url, UrlError, without_zone};

/// The port of `rs://` and `rss://` that name none.
const RAWSOCKET_PORT: u16 = 8080;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let unknown = || UrlError::Scheme(text.to_owned());
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
        match (&*scheme.to_ascii_lowercase(), rest.strip_prefix("//")) {
            ("unix", _) => {
                let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
                let (serializer, _) = take_serializer(parameters, true)?;
                Ok(Self { address: unix(path, text)?, is_secure: false, request: None, serializer })
            }
            ("ws+unix", _) => {
                let (path, target) = rest.split_once(':').unwrap_or((rest, "/"));
                let (request, serializer) = request("localhost".to_owned(), target)?;
                Ok(Self { address: unix(path, text)?, is_secure: false, request: Some(request), serializer })
            }
            ("rs", Some(rest)) => rawsocket(rest, false, text),
            ("rss", Some(rest)) => rawsocket(rest, true, text),
            ("ws", Some(rest)) => websocket(rest, false, text),
            ("wss", Some(rest)) => websocket(rest, true, text),
            _ => Err(unknown()),
        }
    }
}

fn rawsocket(rest: &str, is_secure: bool, text: &str) -> Result<Url, UrlError> {
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let address = tcp(place.strip_suffix('/').unwrap_or(place), RAWSOCKET_PORT, text)?;
    let (serializer, _) = take_serializer(parameters, true)?;
    Ok(Url { address, is_secure, request: None, serializer })
}

fn websocket(rest: &str, is_secure: bool, text: &str) -> Result<Url, UrlError> {
    let usual = if is_secure { HTTPS_PORT } else { HTTP_PORT };
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let address = tcp(authority, usual, text)?;
    let host = match &address {
        Address::Tcp { host, port } => {
            // A zone is this machine's affair, and not sent (RFC 6874, section 4).
            let host = without_zone(host);
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            if *port == usual { host } else { format!("{host}:{port}") }
        }
        Address::Unix(_) => String::new(),
    };
    let (request, serializer) = request(host, target)?;
    Ok(Url { address, is_secure, request: Some(request), serializer })
}

/// What is sent of a path and a query, and what is not.
fn request(host: String, target: &str) -> Result<(Request, Option<Serializer>), UrlError> {
    if target.contains('#') {
        return Err(UrlError::Fragment);
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let path = if path.is_empty() { "/" } else { path };
    let (serializer, query) = match query {
        Some(query) => {
            let (serializer, rest) = take_serializer(query, false)?;
            let is_gone = rest.is_empty() && serializer.is_some();
            (serializer, if is_gone { String::new() } else { format!("?{rest}") })
        }
        None => (None, String::new()),
    };
    Ok((Request { host, target: format!("{path}{query}") }, serializer))
}

/// The parameter `serializer`, and the others in their order. With `is_strict` there must be no others.
fn take_serializer(query: &str, is_strict: bool) -> Result<(Option<Serializer>, String), UrlError> {
    let mut serializer = None;
    let mut rest = Vec::new();
    for parameter in query.split('&') {
        let unknown = || UrlError::Parameter(parameter.to_owned());
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("serializer", id) => serializer = Some(Serializer::from_id(id).ok_or_else(unknown)?),
            _ if is_strict && !parameter.is_empty() => return Err(unknown()),
            _ => rest.push(parameter),
        }
    }
    Ok((serializer, rest.join("&")))
}

fn unix(path: &str, text: &str) -> Result<Address, UrlError> {
    if path.is_empty() {
        return Err(UrlError::Empty(text.to_owned()));
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

fn tcp(place: &str, usual: u16, text: &str) -> Result<Address, UrlError> {
    let (host, port) = host_and_port(place)?;
    if host.is_empty() {
        return Err(UrlError::Empty(text.to_owned()));
    }
    Ok(Address::Tcp { host: host.into_owned(), port: port.unwrap_or(usual) })
}

/// Host, without brackets, and port of what stands before a path.
pub(super) fn host_and_port(place: &str) -> Result<(Cow<'_, str>, Option<u16>), UrlError> {
    if place.contains('@') {
        return Err(UrlError::UserInfo);
    }
    // The colons of an IPv6 address are no port's, and so it stands in brackets.
    let (host, rest) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let unusable = || UrlError::Host(place.to_owned());
            let (literal, rest) = bracketed.split_once(']').ok_or_else(unusable)?;
            (Cow::Owned(ipv6(literal).ok_or_else(unusable)?), rest)
        }
        None => {
            let (host, rest) = place.split_at(place.find(':').unwrap_or(place.len()));
            let is_odd =
                |char: char| char.is_whitespace() || char.is_control() || r#"[]<>"\^`{|}"#.contains(char);
            // More colons than one are those of an IPv6 address.
            if host.contains(is_odd) || rest.matches(':').count() > 1 {
                return Err(UrlError::Host(place.to_owned()));
            }
            (Cow::Borrowed(host), rest)
        }
    };
    match rest.strip_prefix(':') {
        // An empty port is the usual one (RFC 3986, section 3.2.3).
        Some("") => Ok((host, None)),
        // The parser of the standard library would take a sign.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((host, Some(port.parse().map_err(|_| UrlError::Port(port.to_owned()))?)))
        }
        Some(port) => Err(UrlError::Port(port.to_owned())),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(UrlError::Port(rest.to_owned())),
    }
}

/// What stands in brackets: an IPv6 address, and perhaps a zone behind `%25` (RFC 6874), which becomes `%`, as the
/// operating system writes it.
fn ipv6(literal: &str) -> Option<String> {
    let (address, zone) = match literal.split_once('%') {
        Some((address, zone)) => (address, Some(decode(zone.strip_prefix("25")?)?)),
        None => (literal, None),
    };
    address.parse::<Ipv6Addr>().ok()?;
    match zone {
        None => Some(address.to_owned()),
        Some(zone) => {
            let is_zone = !zone.is_empty()
                && zone.chars().all(|char| char.is_ascii_graphic() && !"%/?#[]@".contains(char));
            is_zone.then(|| format!("{address}%{zone}"))
        }
    }
}

/// Undoes percent-encoding; `None` when it is broken.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        // The parser of the standard library would take a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Url, UrlError> {
        text.parse()
    }

    #[test]
    fn what_is_an_address_and_what_is_none() {
        let tcp = |host: &str, port| Ok(Address::Tcp { host: host.into(), port });
        let unix = |path: &str| Ok(Address::Unix(path.into()));
        for (text, expected) in [
            ("rs://localhost:9000", tcp("localhost", 9000)),
            ("rs://localhost", tcp("localhost", 8080)),
            ("rs://127.0.0.1:80/", tcp("127.0.0.1", 80)),
            ("rs://[::1]", tcp("::1", 8080)),
            ("rss://example.com", tcp("example.com", 8080)),
            ("RSS://example.com:1", tcp("example.com", 1)),
            ("ws://example.com", tcp("example.com", 80)),
            ("wss://example.com", tcp("example.com", 443)),
            ("ws://[::1]:9000/ws", tcp("::1", 9000)),
            ("ws://example.com?x=1", tcp("example.com", 80)),
            ("unix:/run/a b.sock", unix("/run/a b.sock")),
            ("unix:a?serializer=json", unix("a")),
            ("unix:a:b", unix("a:b")),
            ("ws+unix:/run/a.sock", unix("/run/a.sock")),
            ("ws+unix:a:/ws", unix("a")),
            ("rs://:80", Err(UrlError::Empty("rs://:80".into()))),
            ("ws:///ws", Err(UrlError::Empty("ws:///ws".into()))),
            ("unix:", Err(UrlError::Empty("unix:".into()))),
            ("ws+unix::/ws", Err(UrlError::Empty("ws+unix::/ws".into()))),
            ("rs://a:b", Err(UrlError::Port("b".into()))),
            ("rs://a:65536", Err(UrlError::Port("65536".into()))),
            ("rs://[::1]x", Err(UrlError::Port("x".into()))),
            ("rs://a:+80", Err(UrlError::Port("+80".into()))),
            ("rs://::1:80", Err(UrlError::Host("::1:80".into()))),
            ("rs://a::80", Err(UrlError::Host("a::80".into()))),
            // An empty port.
            ("ws://h:/", tcp("h", 80)),
            ("wss://h:/ws", tcp("h", 443)),
            ("rs://h:", tcp("h", 8080)),
            ("ws://[::1]:/", tcp("::1", 80)),
            ("ws://:/", Err(UrlError::Empty("ws://:/".into()))),
            // Zones.
            ("ws://[::1%25lo]/", tcp("::1%lo", 80)),
            ("rs://[fe80::1%25eth0]:9000", tcp("fe80::1%eth0", 9000)),
            ("rs://[fe80::1%25br%2D0]", tcp("fe80::1%br-0", 8080)),
            ("rs://[fe80::1%eth0]", Err(UrlError::Host("[fe80::1%eth0]".into()))),
            ("rs://[fe80::1%25]", Err(UrlError::Host("[fe80::1%25]".into()))),
            ("rs://[fe80::1%25a%2Fb]", Err(UrlError::Host("[fe80::1%25a%2Fb]".into()))),
            ("rs://[localhost]", Err(UrlError::Host("[localhost]".into()))),
            ("rs://[127.0.0.1]", Err(UrlError::Host("[127.0.0.1]".into()))),
            ("rs://[::1", Err(UrlError::Host("[::1".into()))),
            ("rs://a b", Err(UrlError::Host("a b".into()))),
            ("ws:a", Err(UrlError::Scheme("ws:a".into()))),
            ("http://a", Err(UrlError::Scheme("http://a".into()))),
            ("", Err(UrlError::Scheme(String::new()))),
            ("rs://a?serializer=xml", Err(UrlError::Parameter("serializer=xml".into()))),
            ("ws://a?serializer=xml", Err(UrlError::Parameter("serializer=xml".into()))),
            ("ws://a?serializer", Err(UrlError::Parameter("serializer".into()))),
            ("rs://a?x=1", Err(UrlError::Parameter("x=1".into()))),
            ("ws://joe:secret@a/", Err(UrlError::UserInfo)),
            ("rs://joe@a", Err(UrlError::UserInfo)),
            ("ws://a/#b", Err(UrlError::Fragment)),
            ("ws://a#b", Err(UrlError::Fragment)),
            ("ws+unix:a:/#b", Err(UrlError::Fragment)),
        ] {
            assert_eq!(parse(text).map(|url| url.address), expected, "{text:?}");
        }
    }

    #[test]
    fn what_a_websocket_sends() {
        for (text, host, target, serializer) in [
            ("ws://example.com", "example.com", "/", None),
            ("ws://example.com:80/ws", "example.com", "/ws", None),
            ("ws://example.com:443/ws", "example.com:443", "/ws", None),
            ("wss://example.com:443/", "example.com", "/", None),
            ("wss://[::1]:80/a/b", "[::1]:80", "/a/b", None),
            ("ws://[fe80::1%25eth0]:81/", "[fe80::1]:81", "/", None),
            ("ws://h:/", "h", "/", None),
            ("ws://a?x=1", "a", "/?x=1", None),
            ("ws://a/ws?", "a", "/ws?", None),
            ("ws://a/ws?&x=?/@:", "a", "/ws?&x=?/@:", None),
            ("ws://a/ws?serializer=json", "a", "/ws", Some(Serializer::Json)),
            ("ws://a/ws?x=1&serializer=cbor&y", "a", "/ws?x=1&y", Some(Serializer::Cbor)),
            ("ws://a/ws?%73erializer=x", "a", "/ws?%73erializer=x", None),
            ("ws://a/ws?serializers=x", "a", "/ws?serializers=x", None),
            ("ws+unix:/a.sock", "localhost", "/", None),
            ("ws+unix:/a.sock:/b:c?d&serializer=json", "localhost", "/b:c?d", Some(Serializer::Json)),
        ] {
            let url = parse(text).unwrap();
            let request = url.request().unwrap();
            assert_eq!(
                (request.host(), request.target(), url.serializer()),
                (host, target, serializer),
                "{text}"
            );
        }
        for text in ["rs://a", "rss://a", "unix:a"] {
            assert_eq!(parse(text).unwrap().request(), None);
        }
        for (text, is_secure, is_exposed) in [
            ("ws://a", false, true),
            ("rs://a", false, true),
            ("wss://a", true, false),
            ("rss://a", true, false),
            ("unix:a", false, false),
            ("ws+unix:a", false, false),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.is_secure(), url.is_exposed()), (is_secure, is_exposed), "{text}");
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in [
            "rs://[::1]:9000?serializer=cbor",
            "ws://[fe80::1%25eth0]:9000/ws",
            "rs://localhost:80",
            "rss://localhost:80",
            "unix:/run/wamp.sock",
            "ws://localhost:80/ws?a=b&serializer=json",
            "wss://[::1]:443/?serializer=json",
            "ws+unix:/run/wamp.sock:/ws?x",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }
}
