//! The head of an HTTP message: where it ends, and what it says.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, str};

use bytes::Bytes;
use bytestring::ByteString;

use super::excerpt;
use crate::transport::sniff::TLS_ALERT;

/// Bytes of the largest head, the empty line at its end included.
pub const MAX_HEAD: usize = 8 << 10;
/// Headers of the largest head.
pub const MAX_HEADERS: usize = 64;
/// Bytes of a reason phrase that are kept.
const MAX_REASON: usize = 128;

/// What is wrong with the head of an HTTP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// Its end did not come within the limit. 431.
    #[error("the HTTP head is larger than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// Too many headers. 431.
    #[error("the HTTP head has more than {limit} headers")]
    TooManyHeaders {
        /// Headers allowed.
        limit: usize,
    },
    /// It begins a record of TLS: one end speaks TLS, and the other does not. 400.
    #[error("it is TLS, not HTTP")]
    Tls,
    /// It breaks the rules of HTTP/1.1. 400.
    #[error("the HTTP head is malformed: {what}")]
    Malformed {
        /// The part that does.
        what: &'static str,
    },
}

impl HeadError {
    /// The HTTP status that a server answers with.
    pub const fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } | Self::TooManyHeaders { .. } => 431,
            Self::Tls | Self::Malformed { .. } => 400,
        }
    }
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        let what = match error {
            httparse::Error::TooManyHeaders => return Self::TooManyHeaders { limit: MAX_HEADERS },
            httparse::Error::HeaderName => "a header's name",
            httparse::Error::HeaderValue => "a header's value",
            httparse::Error::NewLine => "the end of a line",
            httparse::Error::Status => "the status",
            httparse::Error::Token => "the first line",
            httparse::Error::Version => "the version",
        };
        Self::Malformed { what }
    }
}

const fn malformed(what: &'static str) -> HeadError {
    HeadError::Malformed { what }
}

/// Whether an answer may become HTTP/1, as far as it is there: what speaks something else may never end a
/// line.
pub(in crate::transport) fn check_answer(input: &[u8]) -> Result<(), HeadError> {
    if input.first() == Some(&TLS_ALERT) {
        return Err(HeadError::Tls);
    }
    match input.iter().zip(b"HTTP/1.").all(|(byte, expected)| byte == expected) {
        true => Ok(()),
        false => Err(malformed("the version")),
    }
}

/// Looks for the end of a head in a buffer that is only appended to. It looks at every byte once, however few
/// come at a time.
#[derive(Debug, Default)]
pub(in crate::transport) struct HeadFinder {
    scanned: usize,
    place: Place,
    #[cfg(test)]
    steps: usize,
}

/// Where in a line the scan stands.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Inside,
    /// Behind a CR inside a line.
    AfterCr,
    /// At the beginning of a line that is not the first.
    Start,
    /// Behind a CR at the beginning of a line.
    LastCr,
}

impl HeadFinder {
    /// Bytes of the head, once it is whole.
    ///
    /// Lines end in CR LF. What ends in LF alone is refused, as some would take it for the end of a line
    /// and others would not.
    pub(in crate::transport) fn find(&mut self, input: &[u8]) -> Result<Option<usize>, HeadError> {
        for &byte in input.iter().take(MAX_HEAD).skip(self.scanned) {
            self.scanned = self.scanned.saturating_add(1);
            #[cfg(test)]
            {
                self.steps += 1;
            }
            self.place = match (self.place, byte) {
                (Place::Inside, b'\r') => Place::AfterCr,
                (Place::Start, b'\r') => Place::LastCr,
                (Place::AfterCr, b'\n') => Place::Start,
                (Place::LastCr, b'\n') => return Ok(Some(self.scanned)),
                (Place::AfterCr | Place::LastCr, _) | (_, b'\n') => {
                    return Err(malformed("the end of a line"));
                }
                (Place::Inside | Place::Start, _) => Place::Inside,
            };
        }
        if self.scanned >= MAX_HEAD { Err(HeadError::TooLarge { limit: MAX_HEAD }) } else { Ok(None) }
    }
}

/// A part of a head: offsets fit 16 bits, as [`MAX_HEAD`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// Where `part`, a slice of `whole`, stands in it.
    fn of(part: &[u8], whole: &[u8]) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len()).filter(|&end| end <= whole.len())?;
        Some(Self { start: u16::try_from(start).ok()?, end: u16::try_from(end).ok()? })
    }
}

/// A parsed head: one allocation with its bytes, one with where its headers are.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::transport) struct Head {
    bytes: Bytes,
    fields: Box<[(Span, Span)]>,
}

/// The first line of a request, within its head.
pub(super) struct RequestParts {
    pub(super) method: Span,
    pub(super) target: Span,
    /// The minor version of HTTP/1.
    pub(super) version: u8,
}

/// The first line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::transport) struct StatusLine {
    pub(in crate::transport) status: u16,
    pub(in crate::transport) reason: ByteString,
    /// The minor version of HTTP/1.
    pub(in crate::transport) version: u8,
}

/// The names of the headers: values may be secrets.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields().map(|(name, _)| name)).finish()
    }
}

impl Head {
    /// Reads a whole head of a request, which it copies.
    pub(super) fn request(bytes: &[u8]) -> Result<(Self, RequestParts), HeadError> {
        let bytes = Bytes::copy_from_slice(bytes);
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut fields);
        check_whole(request.parse(&bytes)?, bytes.len())?;
        let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version)
        else {
            return Err(malformed("the first line"));
        };
        let span = |text: &str| Span::of(text.as_bytes(), &bytes).ok_or(malformed("the first line"));
        let parts = RequestParts { method: span(method)?, target: span(target)?, version };
        let fields = spans(request.headers, &bytes)?;
        Ok((Self { bytes, fields }, parts))
    }

    /// Reads a whole head of an answer, which it copies.
    pub(in crate::transport) fn response(bytes: &[u8]) -> Result<(Self, StatusLine), HeadError> {
        let bytes = Bytes::copy_from_slice(bytes);
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut fields);
        check_whole(response.parse(&bytes)?, bytes.len())?;
        let (Some(version), Some(status)) = (response.version, response.code) else {
            return Err(malformed("the status"));
        };
        let reason = excerpt(response.reason.unwrap_or_default().as_bytes(), MAX_REASON);
        let fields = spans(response.headers, &bytes)?;
        Ok((Self { bytes, fields }, StatusLine { status, reason, version }))
    }

    /// The headers in their order: the name as it was written, the value without spaces around it.
    pub(in crate::transport) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|&(name, value)| (self.text(name), self.slice(value)))
    }

    /// The values of all headers of this name.
    pub(in crate::transport) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.fields().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the only header of this name; `Err` when there are several.
    pub(in crate::transport) fn single(&self, name: &str) -> Result<Option<&[u8]>, ()> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(()),
        }
    }

    /// The elements of a header that is a list, all headers of this name taken together. Empty ones are left
    /// out, as RFC 9110, section 5.6.1, asks.
    pub(in crate::transport) fn elements(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let elements = self.values(name).flat_map(|value| value.split(|&byte| byte == b','));
        elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
    }

    /// Whether a header that is a list holds this element, in whatever case.
    pub(in crate::transport) fn has_element(&self, name: &str, wanted: &str) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(wanted.as_bytes()))
    }

    /// The text of a part. Parts are ASCII, or were checked to be UTF-8.
    pub(super) fn text(&self, span: Span) -> &str {
        str::from_utf8(self.slice(span)).unwrap_or_default()
    }

    /// Where `part`, a slice of this head, stands in it.
    pub(super) fn span(&self, part: &str) -> Span {
        Span::of(part.as_bytes(), &self.bytes).unwrap_or_default()
    }

    fn slice(&self, span: Span) -> &[u8] {
        self.bytes.get(usize::from(span.start)..usize::from(span.end)).unwrap_or_default()
    }
}

fn check_whole(status: httparse::Status<usize>, len: usize) -> Result<(), HeadError> {
    match status {
        httparse::Status::Complete(end) if end == len => Ok(()),
        // Nothing but empty lines, or an end elsewhere than where it was found.
        _ => Err(malformed("the first line")),
    }
}

fn spans(fields: &[httparse::Header<'_>], bytes: &[u8]) -> Result<Box<[(Span, Span)]>, HeadError> {
    let spans: Option<Vec<_>> = fields
        .iter()
        .map(|field| {
            let name = Span::of(field.name.as_bytes(), bytes)?;
            Some((name, Span::of(field.value.trim_ascii(), bytes).unwrap_or_default()))
        })
        .collect();
    spans.map(Vec::into_boxed_slice).ok_or(malformed("a header's name"))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    const REQUEST: &[u8] =
        b"GET /ws?a=b HTTP/1.1\r\nHost: example.com\r\nEmpty:\r\nX-List: a , b\r\nx-list:,c,\r\n\r\n";

    fn find_at_once(input: &[u8]) -> Result<Option<usize>, HeadError> {
        HeadFinder::default().find(input)
    }

    #[test]
    fn finds_the_end_at_every_split_and_looks_at_every_byte_once() {
        let stream = [REQUEST, b"\x81\x00\r\n\r\n"].concat();
        for cut in 0..=stream.len() {
            let mut finder = HeadFinder::default();
            let first = finder.find(&stream[..cut]);
            assert_eq!(first, Ok((cut >= REQUEST.len()).then_some(REQUEST.len())), "{cut}");
            if first == Ok(None) {
                assert_eq!(finder.find(&stream), Ok(Some(REQUEST.len())));
            }
            assert_eq!(finder.steps, REQUEST.len());
        }
    }

    /// Byte by byte, a head of the largest size costs as many steps as it has bytes.
    #[test]
    fn the_work_is_linear() {
        let head = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 3 * MAX_HEAD]].concat();
        let mut finder = HeadFinder::default();
        let mut end = None;
        for len in 0..head.len() {
            if let Err(error) = finder.find(&head[..len]) {
                end = Some((len, error));
                break;
            }
        }
        assert_eq!(end, Some((MAX_HEAD, HeadError::TooLarge { limit: MAX_HEAD })));
        assert_eq!(finder.steps, MAX_HEAD);
    }

    #[test]
    fn the_largest_head() {
        let head = |len: usize| {
            let start = b"GET / HTTP/1.1\r\nX: ";
            [&start[..], &vec![b'x'; len - start.len() - 4], b"\r\n\r\n"].concat()
        };
        assert_eq!(find_at_once(&head(MAX_HEAD)), Ok(Some(MAX_HEAD)));
        assert!(Head::request(&head(MAX_HEAD)).is_ok());
        assert_eq!(find_at_once(&head(MAX_HEAD + 1)), Err(HeadError::TooLarge { limit: MAX_HEAD }));
    }

    #[test]
    fn the_most_headers() {
        let head = |count: usize| {
            let lines: String = (0..count).map(|number| format!("X{number}: y\r\n")).collect();
            format!("GET / HTTP/1.1\r\n{lines}\r\n")
        };
        assert_eq!(Head::request(head(64).as_bytes()).unwrap().0.fields().count(), 64);
        let error = Head::request(head(65).as_bytes()).err();
        assert_eq!(error, Some(HeadError::TooManyHeaders { limit: 64 }));
        assert_eq!(error.unwrap().status(), 431);
    }

    #[test]
    fn headers_by_name() {
        let (head, _) = Head::request(REQUEST).unwrap();
        assert_eq!(head.single("HOST"), Ok(Some(&b"example.com"[..])));
        assert_eq!(head.single("empty"), Ok(Some(&b""[..])));
        assert_eq!(head.single("none"), Ok(None));
        assert_eq!(head.single("X-List"), Err(()));
        let elements: Vec<_> = head.elements("X-LIST").collect();
        assert_eq!(elements, [b"a", b"b", b"c"]);
        assert!(head.has_element("x-list", "C") && !head.has_element("x-list", "a , b"));
    }

    #[test]
    fn line_ends_are_cr_and_lf() {
        for (head, is_whole) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], true),
            (b"\r\nGET / HTTP/1.1\r\n\r\n", true),
            (b"GET / HTTP/1.1\n\n", false),
            (b"GET / HTTP/1.1\r\n\n", false),
            (b"GET / HTTP/1.1\r\r\n", false),
            (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", false),
            (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", false),
        ] {
            let expected = if is_whole { Ok(Some(head.len())) } else { Err(malformed("the end of a line")) };
            assert_eq!(find_at_once(head), expected, "{head:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_known_from_its_first_bytes() {
        for (start, is_answer) in [
            ("", true),
            ("H", true),
            ("HTTP/1.", true),
            ("HTTP/1.1 200", true),
            ("h", false),
            ("HTTP/2", false),
            ("\x7F", false),
            ("\x15\x03\x03", false),
        ] {
            assert_eq!(check_answer(start.as_bytes()).is_ok(), is_answer, "{start:?}");
        }
        assert_eq!(check_answer(b"\x15"), Err(HeadError::Tls));
    }

    #[test]
    fn what_is_no_head() {
        for head in [
            "\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\n A: folded\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\nA\r\n\r\n",
            "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
            "SSH-2.0-client\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
        ] {
            let error = Head::request(head.as_bytes()).err().map(|error| error.status());
            assert_eq!(error, Some(400), "{head:?}");
        }
        for head in ["HTTP/1.1 20 OK\r\n\r\n", "HTTP/3 200 OK\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
            assert!(Head::response(head.as_bytes()).is_err(), "{head:?}");
        }
    }

    proptest! {
        /// Whatever comes, the verdict does not depend on how it is cut, and no byte is looked at twice.
        #[test]
        fn cutting_changes_nothing(parts in prop::collection::vec("[a-zA-Z:/ .]{0,9}(\r\n)?(\r\n)?", 0..9), cuts in prop::collection::vec(0_usize..64, 0..9)) {
            let stream = parts.concat();
            let whole = find_at_once(stream.as_bytes());
            let mut cuts = cuts;
            cuts.sort_unstable();
            cuts.push(stream.len());
            let mut finder = HeadFinder::default();
            let mut verdict = Ok(None);
            for cut in cuts {
                verdict = finder.find(&stream.as_bytes()[..cut.min(stream.len())]);
                if verdict != Ok(None) {
                    break;
                }
            }
            prop_assert_eq!(verdict, whole);
            prop_assert!(finder.steps <= stream.len());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_at_once(&bytes);
            let _ = Head::request(&bytes);
            let _ = Head::response(&bytes);
        }
    }
}
