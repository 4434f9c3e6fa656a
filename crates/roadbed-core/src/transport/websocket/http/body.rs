//! The beginning of an answer's body, as much of it as an error tells.

use alloc::vec::Vec;

use bytes::{Buf, BytesMut};

use super::Head;

/// Bytes of the body of a refusal that are kept.
pub(super) const MAX_TEXT: usize = 256;
/// Bytes of the framing of chunks that are looked at before the rest is given up.
const MAX_FRAMING: usize = 1024;

/// Reads the beginning of a body, however it comes in pieces: the result depends on the bytes alone.
#[derive(Debug)]
pub(super) struct BodyStart {
    framing: Framing,
    kept: Vec<u8>,
    /// Bytes between chunks so far.
    overhead: usize,
}

/// How the end of a body is known (RFC 9112, section 6.3).
#[derive(Debug)]
enum Framing {
    /// Nothing follows, or nothing that can be read.
    Done,
    /// So many bytes are to come.
    Length(u64),
    UntilEnd,
    Chunked(Place, u64),
}

/// Where in a chunked body the next byte stands (RFC 9112, section 7.1). The number beside it is the size of the chunk.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In front of the first digit of a size.
    Start,
    Size,
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataEnd,
}

impl BodyStart {
    /// The body behind the head of an answer with this status.
    pub(super) fn behind(head: &Head, status: u16) -> Self {
        Self { framing: Framing::of(head, status), kept: Vec::new(), overhead: 0 }
    }

    /// Takes from the front of `input` what belongs to the beginning. Whether that is whole.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> bool {
        while !self.is_whole() {
            let Some(&byte) = input.first() else { return false };
            input.advance(1);
            self.take(byte);
        }
        true
    }

    /// What was kept so far.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    fn is_whole(&self) -> bool {
        let has_ended = matches!(self.framing, Framing::Done | Framing::Length(0));
        has_ended || self.kept.len() >= MAX_TEXT || self.overhead >= MAX_FRAMING
    }

    fn take(&mut self, byte: u8) {
        match &mut self.framing {
            Framing::Done => {}
            Framing::UntilEnd => self.kept.push(byte),
            Framing::Length(left) => {
                *left = left.saturating_sub(1);
                self.kept.push(byte);
            }
            Framing::Chunked(place @ Place::Data, left) => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    *place = Place::DataCr;
                }
                self.kept.push(byte);
            }
            Framing::Chunked(place, size) => {
                self.overhead = self.overhead.saturating_add(1);
                match place.next(byte, size) {
                    Some(next) => *place = next,
                    // The last chunk, or something that is none.
                    None => self.framing = Framing::Done,
                }
            }
        }
    }
}

impl Framing {
    fn of(head: &Head, status: u16) -> Self {
        let has_none = matches!(status, 100..200 | 204 | 304);
        // It would have to be inflated first, and was not asked for.
        let is_encoded =
            head.elements("content-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        if has_none || is_encoded {
            return Self::Done;
        }
        let mut codings = head.elements("transfer-encoding");
        match (codings.next(), codings.next()) {
            (None, _) => {}
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
                return Self::Chunked(Place::Start, 0);
            }
            _ => return Self::Done,
        }
        match head.single("content-length").map(|value| value.map(length)) {
            Ok(Some(Some(length))) => Self::Length(length),
            _ => Self::UntilEnd,
        }
    }
}

fn length(value: &[u8]) -> Option<u64> {
    let digits = core::str::from_utf8(value).ok()?;
    // The parser of the standard library would take a sign.
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl Place {
    /// Where the byte behind this one stands; `None` when no more data comes.
    fn next(self, byte: u8, size: &mut u64) -> Option<Self> {
        let digit = char::from(byte).to_digit(16);
        match (self, byte) {
            (Self::Start, _) => {
                *size = u64::from(digit?);
                Some(Self::Size)
            }
            (Self::Size, _) if digit.is_some() => {
                *size = size.checked_mul(16)?.checked_add(u64::from(digit?))?;
                Some(Self::Size)
            }
            (Self::Size | Self::Extension, b'\r') => Some(Self::SizeEnd),
            (Self::Size, b';' | b' ' | b'\t') => Some(Self::Extension),
            (Self::Extension, byte) if byte != b'\n' => Some(Self::Extension),
            (Self::SizeEnd, b'\n') if *size > 0 => Some(Self::Data),
            (Self::DataCr, b'\r') => Some(Self::DataEnd),
            (Self::DataEnd, b'\n') => Some(Self::Start),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    /// The text that is kept, and whether no more is waited for.
    fn read(status: u16, headers: &str, body: &[u8]) -> (String, bool) {
        let (head, _) = Head::response(format!("HTTP/1.1 {status} x\r\n{headers}\r\n").as_bytes()).unwrap();
        let run = |cut: usize| {
            let mut start = BodyStart::behind(&head, status);
            let mut input = BytesMut::from(&body[..cut]);
            let mut is_whole = start.read(&mut input);
            input.extend_from_slice(&body[cut..]);
            is_whole |= start.read(&mut input);
            (String::from_utf8_lossy(start.kept()).into_owned(), is_whole)
        };
        let whole = run(0);
        for cut in 1..=body.len() {
            assert_eq!(run(cut), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn every_way_to_end_a_body() {
        for (headers, body, text, is_whole) in [
            ("Content-Length: 11\r\n", "go away now", "go away now", true),
            ("Content-Length: 11\r\n", "go away now, please", "go away now", true),
            ("Content-Length: 11\r\n", "go away", "go away", false),
            ("Content-Length: 0\r\n", "x", "", true),
            ("", "until the end", "until the end", false),
            // What is no length says nothing.
            ("Content-Length: +5\r\n", "hello there", "hello there", false),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", "hello there", "hello there", false),
            ("Content-Length: 99999999999999999999\r\n", "hello", "hello", false),
            ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", true),
            ("Transfer-Encoding: Chunked\r\n", "3\r\nhel\r\n2;a=b\r\nlo\r\n00\r\n\r\n", "hello", true),
            ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "5\r\nhello\r\n", "hello", false),
            ("Transfer-Encoding: chunked\r\n", "5 \r\nhello", "hello", false),
            ("Transfer-Encoding: chunked\r\n", "A\r\n0123456789\r\nx", "0123456789", true),
            ("Transfer-Encoding: chunked\r\n", "hello", "", true),
            ("Transfer-Encoding: chunked\r\n", "5\nhello", "", true),
            ("Transfer-Encoding: chunked\r\n", "5\r\nhello-", "hello", true),
            ("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n", "", true),
            ("Transfer-Encoding: gzip, chunked\r\n", "5\r\nhello", "", true),
            ("Content-Encoding: gzip\r\n", "hello", "", true),
            ("Content-Encoding: identity\r\nContent-Length: 5\r\n", "hello", "hello", true),
        ] {
            assert_eq!(read(403, headers, body.as_bytes()), (text.into(), is_whole), "{headers}{body}");
        }
        for status in [101, 204, 304] {
            assert_eq!(read(status, "Content-Length: 5\r\n", b"hello"), ("".into(), true), "{status}");
        }
    }

    #[test]
    fn a_body_without_end_is_cut() {
        let (text, is_whole) = read(500, "", &[b'x'; 300]);
        assert_eq!((text.len(), is_whole), (MAX_TEXT, true));
        let (text, is_whole) =
            read(500, "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n".repeat(300).as_bytes());
        assert!(text.len() < MAX_TEXT && is_whole, "{text}");
        let endless = format!("1;{}", "x".repeat(2 * MAX_FRAMING));
        assert_eq!(read(500, "Transfer-Encoding: chunked\r\n", endless.as_bytes()), ("".into(), true));
    }
}
