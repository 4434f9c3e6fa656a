//! permessage-deflate in the handshake (RFC 7692, section 7): what is offered, accepted, and agreed on.

use alloc::string::String;
use core::fmt::Write;
use core::str;

use super::super::http::is_token_byte;
use super::super::{DeflateParams, UpgradeError};

const NAME: &str = "permessage-deflate";
/// Window bits when nobody says otherwise.
const MAX_BITS: u8 = 15;
/// The smallest window that zlib makes. Offers and answers of 8 are read all the same: what was written with a
/// window of 8 bits can be read with one of 9, but not the other way round.
const MIN_BITS: u8 = 9;

/// What an end wants of compression: a client offers it, a server accepts offers within it.
///
/// Windows cost memory for as long as a connection lasts: about 300 KiB for compressing and 44 KiB for
/// decompressing at 15 bits. Without takeover of the context they are needed only while a message is under way,
/// and messages that resemble each other compress less.
///
/// ```
/// use roadbed_core::transport::websocket::DeflateConfig;
///
/// let config = DeflateConfig::default().server_max_window_bits(11).server_no_context_takeover(true);
/// assert_eq!(config.params.server_max_window_bits, 11);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// What is asked of both ends. The peer may ask for less memory on either, and gets it.
    pub params: DeflateParams,
    /// Bytes of the smallest message that is compressed. Default 1 KiB: below that it seldom pays.
    pub threshold: usize,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self { params: DeflateParams::default(), threshold: 1 << 10 }
    }
}

impl DeflateConfig {
    /// Whether the client shall begin each message with an empty window.
    #[must_use]
    pub fn client_no_context_takeover(mut self, is_wanted: bool) -> Self {
        self.params.client_no_context_takeover = is_wanted;
        self
    }

    /// Whether the server shall begin each message with an empty window.
    #[must_use]
    pub fn server_no_context_takeover(mut self, is_wanted: bool) -> Self {
        self.params.server_no_context_takeover = is_wanted;
        self
    }

    /// The largest window of the client, 9 to 15. A server can ask for it only if the client offers that.
    #[must_use]
    pub fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.params.client_max_window_bits = bits.clamp(MIN_BITS, MAX_BITS);
        self
    }

    /// The largest window of the server, 9 to 15.
    #[must_use]
    pub fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.params.server_max_window_bits = bits.clamp(MIN_BITS, MAX_BITS);
        self
    }

    /// Sets [`DeflateConfig::threshold`].
    #[must_use]
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }
}

/// What one element of the header says of permessage-deflate, offer or answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Terms {
    client_no_context_takeover: bool,
    server_no_context_takeover: bool,
    /// `Some(None)`: named without a value.
    client_max_window_bits: Option<Option<u8>>,
    server_max_window_bits: Option<u8>,
}

impl Terms {
    /// Takes a parameter; `None` when it is unknown, given twice or has no fitting value.
    fn take(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        let set = |flag: &mut bool| (value.is_none() && !core::mem::replace(flag, true)).then_some(());
        match name {
            "client_no_context_takeover" => set(&mut self.client_no_context_takeover),
            "server_no_context_takeover" => set(&mut self.server_no_context_takeover),
            "client_max_window_bits" => {
                let bits = value.map(window_bits);
                let is_valid = bits != Some(None);
                let is_new = self.client_max_window_bits.replace(bits.flatten()).is_none();
                (is_valid && is_new).then_some(())
            }
            "server_max_window_bits" => {
                let bits = window_bits(value?)?;
                self.server_max_window_bits.replace(bits).is_none().then_some(())
            }
            _ => None,
        }
    }
}

/// 8 to 15, without a zero in front.
fn window_bits(value: &str) -> Option<u8> {
    if value.starts_with('0') || !value.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    value.parse().ok().filter(|bits| (8..=15).contains(bits))
}

/// An extension in the header: its terms if it is permessage-deflate and they make sense.
enum Element {
    Deflate(Terms),
    /// permessage-deflate on terms that make no sense.
    Broken,
    Other,
}

/// Reads the header's values element by element (RFC 6455, section 9.1), each byte once.
struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    fn skip_space(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.skip_space();
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                self.skip_space();
                true
            }
            _ => false,
        }
    }

    fn token(&mut self) -> Result<&'a str, UpgradeError> {
        let len = self.rest.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest;
        str::from_utf8(token).ok().filter(|token| !token.is_empty()).ok_or(UpgradeError::Extensions)
    }

    /// A token, with or without quotes around it.
    fn value(&mut self) -> Result<&'a str, UpgradeError> {
        if !matches!(self.rest, [b'"', ..]) {
            return self.token();
        }
        self.skip(b'"');
        let value = self.token()?;
        if matches!(self.rest, [b'"', ..]) && self.skip(b'"') {
            Ok(value)
        } else {
            Err(UpgradeError::Extensions)
        }
    }

    fn next(&mut self) -> Result<Option<Element>, UpgradeError> {
        while self.skip(b',') {}
        if self.rest.is_empty() {
            return Ok(None);
        }
        let is_deflate = self.token()?.eq_ignore_ascii_case(NAME);
        let mut terms = Some(Terms::default());
        while self.skip(b';') {
            let name = self.token()?;
            let value = if self.skip(b'=') { Some(self.value()?) } else { None };
            terms = terms.and_then(|mut terms| terms.take(name, value).map(|()| terms));
        }
        self.skip_space();
        if !matches!(self.rest, [] | [b',', ..]) {
            return Err(UpgradeError::Extensions);
        }
        Ok(Some(match terms {
            _ if !is_deflate => Element::Other,
            Some(terms) => Element::Deflate(terms),
            None => Element::Broken,
        }))
    }
}

/// The value of a client's header.
pub(super) fn offer(config: &DeflateConfig) -> String {
    let params = config.params;
    let mut offer = String::from(NAME);
    if params.client_no_context_takeover {
        offer.push_str("; client_no_context_takeover");
    }
    if params.server_no_context_takeover {
        offer.push_str("; server_no_context_takeover");
    }
    // Without this the server could not ask for a smaller window.
    offer.push_str("; client_max_window_bits");
    push_bits(&mut offer, "", params.client_max_window_bits);
    push_bits(&mut offer, "; server_max_window_bits", params.server_max_window_bits);
    offer
}

/// Writes a parameter unless its value is the one that goes without saying.
fn push_bits(text: &mut String, name: &str, bits: u8) {
    if bits < MAX_BITS {
        // Writing to a string does not fail.
        let _ = write!(text, "{name}={bits}");
    }
}

/// On a server: the first offer that can be accepted, and the header's value that accepts it. What cannot be
/// accepted is left out of the answer, which declines it.
pub(super) fn accept<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    config: Option<&DeflateConfig>,
) -> Result<Option<(DeflateParams, String)>, UpgradeError> {
    let mut accepted = None;
    for value in values {
        let mut elements = Elements { rest: value };
        while let Some(element) = elements.next()? {
            if let (Element::Deflate(terms), Some(config), None) = (element, config, &accepted) {
                accepted = accept_one(&terms, &config.params);
            }
        }
    }
    Ok(accepted)
}

fn accept_one(offer: &Terms, ours: &DeflateParams) -> Option<(DeflateParams, String)> {
    let server_max_window_bits =
        offer.server_max_window_bits.unwrap_or(MAX_BITS).min(ours.server_max_window_bits);
    if server_max_window_bits < MIN_BITS {
        return None;
    }
    let client_max_window_bits = match offer.client_max_window_bits {
        Some(bits) => bits.unwrap_or(MAX_BITS).min(ours.client_max_window_bits),
        None => MAX_BITS,
    };
    let agreed = DeflateParams {
        client_no_context_takeover: offer.client_no_context_takeover || ours.client_no_context_takeover,
        server_no_context_takeover: offer.server_no_context_takeover || ours.server_no_context_takeover,
        client_max_window_bits: client_max_window_bits.max(MIN_BITS),
        server_max_window_bits,
    };
    let mut answer = String::from(NAME);
    if agreed.client_no_context_takeover {
        answer.push_str("; client_no_context_takeover");
    }
    if agreed.server_no_context_takeover {
        answer.push_str("; server_no_context_takeover");
    }
    push_bits(&mut answer, "; client_max_window_bits", client_max_window_bits);
    if offer.server_max_window_bits.is_some() || server_max_window_bits < MAX_BITS {
        let _ = write!(answer, "; server_max_window_bits={server_max_window_bits}");
    }
    Some((agreed, answer))
}

/// On a client: what the server made of the offer.
pub(super) fn read_answer<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    offered: Option<&DeflateConfig>,
) -> Result<Option<DeflateParams>, UpgradeError> {
    let mismatch = |what| UpgradeError::ExtensionMismatch { what };
    let mut agreed = None;
    for value in values {
        let mut elements = Elements { rest: value };
        while let Some(element) = elements.next()? {
            let (terms, offered) = match (element, offered) {
                (Element::Deflate(terms), Some(offered)) => (terms, offered.params),
                (Element::Other, _) => return Err(mismatch("an unknown extension")),
                (Element::Deflate(_) | Element::Broken, None) => return Err(mismatch("permessage-deflate")),
                (Element::Broken, Some(_)) => return Err(mismatch("a parameter of permessage-deflate")),
            };
            if agreed.replace(check_answer(&terms, &offered).map_err(mismatch)?).is_some() {
                return Err(mismatch("permessage-deflate, a second time"));
            }
        }
    }
    Ok(agreed)
}

fn check_answer(answer: &Terms, offered: &DeflateParams) -> Result<DeflateParams, &'static str> {
    if offered.server_no_context_takeover && !answer.server_no_context_takeover {
        return Err("permessage-deflate with server_no_context_takeover left out");
    }
    let server_max_window_bits = answer.server_max_window_bits.unwrap_or(MAX_BITS);
    if server_max_window_bits > offered.server_max_window_bits {
        return Err("permessage-deflate with larger server_max_window_bits");
    }
    let client_max_window_bits = match answer.client_max_window_bits {
        None => offered.client_max_window_bits,
        Some(None) => return Err("permessage-deflate with client_max_window_bits without a value"),
        Some(Some(bits)) if bits > offered.client_max_window_bits => {
            return Err("permessage-deflate with larger client_max_window_bits");
        }
        Some(Some(bits)) if bits < MIN_BITS => {
            return Err("permessage-deflate with client_max_window_bits of 8, which cannot be kept");
        }
        Some(Some(bits)) => bits,
    };
    Ok(DeflateParams {
        client_no_context_takeover: offered.client_no_context_takeover || answer.client_no_context_takeover,
        server_no_context_takeover: answer.server_no_context_takeover,
        client_max_window_bits,
        server_max_window_bits: server_max_window_bits.max(MIN_BITS),
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use core::iter;

    use proptest::prelude::*;

    use super::*;

    fn params(client: u8, server: u8) -> DeflateParams {
        DeflateParams { client_max_window_bits: client, server_max_window_bits: server, ..Default::default() }
    }

    fn accept_text(
        offer: &str,
        config: &DeflateConfig,
    ) -> Result<Option<(DeflateParams, String)>, UpgradeError> {
        accept(iter::once(offer.as_bytes()), Some(config))
    }

    #[test]
    fn offers_that_a_server_accepts() {
        let any = DeflateConfig::default();
        let small = DeflateConfig::default()
            .client_max_window_bits(10)
            .server_max_window_bits(11)
            .client_no_context_takeover(true)
            .server_no_context_takeover(true);
        let without = DeflateParams {
            client_no_context_takeover: true,
            server_no_context_takeover: true,
            ..DeflateParams::default()
        };
        let both = "; client_no_context_takeover; server_no_context_takeover";
        for (offer, config, expected, answer) in [
            ("permessage-deflate", any, params(15, 15), ""),
            ("Permessage-Deflate ;client_max_window_bits", any, params(15, 15), ""),
            ("permessage-deflate;client_max_window_bits=15", any, params(15, 15), ""),
            (
                "permessage-deflate;client_max_window_bits=10",
                any,
                params(10, 15),
                "; client_max_window_bits=10",
            ),
            (
                "permessage-deflate;client_max_window_bits=\"10\"",
                any,
                params(10, 15),
                "; client_max_window_bits=10",
            ),
            // Decompressing what was compressed with a smaller window is no problem.
            ("permessage-deflate;client_max_window_bits=8", any, params(9, 15), "; client_max_window_bits=8"),
            (
                "permessage-deflate; server_max_window_bits=9",
                any,
                params(15, 9),
                "; server_max_window_bits=9",
            ),
            (
                "permessage-deflate; server_max_window_bits=15",
                any,
                params(15, 15),
                "; server_max_window_bits=15",
            ),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                any,
                without,
                both,
            ),
            (
                "permessage-deflate; client_max_window_bits",
                small,
                DeflateParams { client_max_window_bits: 10, server_max_window_bits: 11, ..without },
                "; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=10; server_max_window_bits=11",
            ),
            // A client that does not say that it can make its window smaller is not asked to.
            (
                "permessage-deflate",
                small,
                DeflateParams { server_max_window_bits: 11, ..without },
                "; client_no_context_takeover; server_no_context_takeover; server_max_window_bits=11",
            ),
            // The first one that can be accepted.
            (
                "x-other; a=b, permessage-deflate; server_max_window_bits=8, permessage-deflate; x=1, permessage-deflate; server_max_window_bits=10, permessage-deflate",
                any,
                params(15, 10),
                "; server_max_window_bits=10",
            ),
        ] {
            let answer = [NAME, answer].concat();
            assert_eq!(accept_text(offer, &config), Ok(Some((expected, answer))), "{offer}");
        }
    }

    #[test]
    fn offers_that_a_server_declines() {
        for parameter in [
            "server_max_window_bits",
            "server_max_window_bits=8",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=010",
            "server_max_window_bits=a",
            "server_max_window_bits=99999999999999999999",
            "server_max_window_bits=9; server_max_window_bits=9",
            "client_max_window_bits=7",
            "client_max_window_bits; client_max_window_bits",
            "client_max_window_bits=16",
            "client_no_context_takeover=1",
            "client_no_context_takeover; client_no_context_takeover",
            "server_no_context_takeover=true",
            "unknown",
        ] {
            let offer = [NAME, "; ", parameter].concat();
            assert_eq!(accept_text(&offer, &DeflateConfig::default()), Ok(None), "{parameter}");
        }
        for other in ["", " , ,", "x-webkit-deflate-frame", "permessage-bzip2; a; b=c"] {
            assert_eq!(accept_text(other, &DeflateConfig::default()), Ok(None), "{other}");
        }
        assert_eq!(accept(iter::once(NAME.as_bytes()), None), Ok(None));
    }

    #[test]
    fn what_breaks_the_grammar() {
        for header in [
            "permessage-deflate;",
            "permessage-deflate; =9",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; client_max_window_bits=\"9",
            "permessage-deflate; client_max_window_bits=\"\"",
            "permessage-deflate client_max_window_bits",
            "permessage-deflate; a b",
            "permessage-deflate; a=\"b\"c",
            "\"permessage-deflate\"",
            "; a",
            "a, b c",
            "\u{e4}",
        ] {
            assert_eq!(
                accept_text(header, &DeflateConfig::default()),
                Err(UpgradeError::Extensions),
                "{header}"
            );
            let answer = read_answer(iter::once(header.as_bytes()), Some(&DeflateConfig::default()));
            assert!(answer.is_err(), "{header}");
        }
    }

    #[test]
    fn offers_of_a_client() {
        let config = DeflateConfig::default();
        assert_eq!(offer(&config), "permessage-deflate; client_max_window_bits");
        let config = config
            .client_max_window_bits(3)
            .server_max_window_bits(10)
            .client_no_context_takeover(true)
            .server_no_context_takeover(true);
        assert_eq!(
            offer(&config),
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=9; server_max_window_bits=10"
        );
    }

    #[test]
    fn answers_that_a_client_takes_or_not() {
        let any = DeflateConfig::default();
        let small = DeflateConfig::default().client_max_window_bits(11).server_max_window_bits(10);
        let fresh = DeflateConfig::default().server_no_context_takeover(true);
        let read = |answer: &str, config: &DeflateConfig| {
            read_answer(iter::once(answer.as_bytes()), Some(config)).map_err(|error| match error {
                UpgradeError::ExtensionMismatch { what } => what.to_string(),
                other => panic!("{other}"),
            })
        };
        for (answer, config, expected) in [
            ("", any, None),
            ("permessage-deflate", any, Some(params(15, 15))),
            ("permessage-deflate; client_max_window_bits=9", any, Some(params(9, 15))),
            ("permessage-deflate; server_max_window_bits=8", any, Some(params(15, 9))),
            ("permessage-deflate; server_max_window_bits=10", small, Some(params(11, 10))),
        ] {
            assert_eq!(read(answer, &config), Ok(expected), "{answer}");
        }
        for (answer, config, what) in [
            ("permessage-deflate", small, "larger server_max_window_bits"),
            ("permessage-deflate; server_max_window_bits=11", small, "larger server_max_window_bits"),
            (
                "permessage-deflate; server_max_window_bits=9; client_max_window_bits=12",
                small,
                "larger client_max_window_bits",
            ),
            ("permessage-deflate; client_max_window_bits", any, "without a value"),
            ("permessage-deflate; client_max_window_bits=8", any, "of 8"),
            ("permessage-deflate; x", any, "a parameter"),
            ("permessage-deflate", fresh, "left out"),
            ("permessage-deflate, permessage-deflate", any, "a second time"),
            ("x-other", any, "unknown"),
        ] {
            let error = read(answer, &config).unwrap_err();
            assert!(error.contains(what), "{answer}: {error}");
        }
        assert!(read_answer(iter::once(NAME.as_bytes()), None).is_err());
        assert_eq!(read_answer(iter::empty(), None), Ok(None));
    }

    fn configs() -> impl Strategy<Value = DeflateConfig> {
        (any::<(bool, bool)>(), 8_u8..17, 8_u8..17).prop_map(
            |((client, server), client_bits, server_bits)| {
                DeflateConfig::default()
                    .client_no_context_takeover(client)
                    .server_no_context_takeover(server)
                    .client_max_window_bits(client_bits)
                    .server_max_window_bits(server_bits)
            },
        )
    }

    proptest! {
        /// Our client and our server always agree, and on the same.
        #[test]
        fn both_ends_agree(client in configs(), server in configs()) {
            let offer = offer(&client);
            let (agreed, answer) = accept(iter::once(offer.as_bytes()), Some(&server)).unwrap().unwrap();
            prop_assert_eq!(read_answer(iter::once(answer.as_bytes()), Some(&client)), Ok(Some(agreed)));
            prop_assert!(agreed.client_max_window_bits <= server.params.client_max_window_bits);
            prop_assert!(agreed.server_max_window_bits <= client.params.server_max_window_bits);
        }

        #[test]
        fn no_header_panics(header in "(permessage-deflate|client_max_window_bits|server_max_window_bits|[;=\", 019a]){0,12}") {
            let config = DeflateConfig::default();
            if let Ok(Some((params, answer))) = accept(iter::once(header.as_bytes()), Some(&config)) {
                prop_assert!((9..=15).contains(&params.client_max_window_bits));
                prop_assert!((9..=15).contains(&params.server_max_window_bits));
                prop_assert!(answer.starts_with(NAME));
            }
            let _ = read_answer(iter::once(header.as_bytes()), Some(&config));
        }
    }
}
