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
mod tests;
