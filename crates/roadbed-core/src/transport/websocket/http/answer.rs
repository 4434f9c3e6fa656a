//! What a client waits for behind its request: the answer that it wants, or a refusal with its text.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use bytes::{Buf, BytesMut};
use bytestring::ByteString;

use super::body::{BodyStart, MAX_TEXT};
use super::head::{Head, HeadError, HeadFinder, StatusLine, check_answer};
use super::{date, excerpt};
use crate::time::{Timestamp, UnixMicros};

/// Answers that only announce the real one (status 100 to 199, but 101) before a client gives up.
const MAX_INTERIM: u8 = 4;
/// How long to wait for the text of a refusal whose head is there.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of an address that are shown.
const MAX_PLACE: usize = 128;

/// Why an HTTP server, or a proxy, did not do what it was asked: its status, its headers, and the beginning of what it
/// said. Cheap to clone.
///
/// Everything in it is the server's word, over an unprotected transport anybody's. `Debug` shows the names of the
/// headers, and no values: cookies are among them.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal(Arc<Refused>);

#[derive(PartialEq, Eq)]
struct Refused {
    line: StatusLine,
    head: Head,
    text: ByteString,
}

impl Refusal {
    /// A refusal with these headers, each ended by CR LF.
    #[cfg(test)]
    pub(crate) fn of(status: u16, headers: &str) -> Self {
        let answer = alloc::format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n{headers}\r\n");
        let mut input = BytesMut::from(&*answer);
        match AnswerReader::default().read(Timestamp::ZERO, &mut input, |_| false) {
            Ok(Answer::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.line.status
    }

    /// The reason phrase of the status line, cut to 128 bytes, without control characters.
    pub fn reason(&self) -> &ByteString {
        &self.0.line.reason
    }

    /// The beginning of the body: at most 256 bytes, without control characters. Empty when there was none, or a
    /// compressed one. It was waited for, but no longer than a second.
    pub fn text(&self) -> &ByteString {
        &self.0.text
    }

    /// The first header of this name, in whatever case, if its value is UTF-8: `Location`, `WWW-Authenticate`. The
    /// values of all headers together are less than 8 KiB.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.head.values(name).next().and_then(|value| core::str::from_utf8(value).ok())
    }

    /// All headers in their order. Values may hold any bytes but control characters.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.head.fields()
    }

    /// How long to wait before the next attempt, when the server says so: the header `Retry-After`, in seconds or as
    /// a date. A date is compared with the server's own `Date`, or, without one, with `now`.
    pub fn retry_after(&self, now: UnixMicros) -> Option<Duration> {
        let value = self.header("retry-after")?;
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // What is too large to be counted is long.
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let at = date::parse(value)?;
        let now = self.header("date").and_then(date::parse).unwrap_or(now.as_micros() / 1_000_000);
        Some(Duration::from_secs(at.saturating_sub(now)))
    }
}

/// Status, reason and text, and where a redirect leads to, without its query.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { line, text, .. } = &*self.0;
        write!(f, "{} {}", line.status, line.reason)?;
        if let (300..400, Some(place)) = (line.status, self.header("location")) {
            let place = place.split(['?', '#']).next().unwrap_or_default();
            write!(f, ", it is at {}, and redirects are not followed", excerpt(place.as_bytes(), MAX_PLACE))?;
        }
        if text.is_empty() { Ok(()) } else { write!(f, ": {text}") }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { line, text, .. } = &*self.0;
        let names: alloc::vec::Vec<&str> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Refusal")
            .field("status", &line.status)
            .field("reason", &line.reason)
            .field("text", text)
            .field("headers", &names)
            .finish()
    }
}

/// What an [`AnswerReader`] has come to.
#[derive(Debug)]
pub(in crate::transport) enum Answer {
    /// It is not whole: read on.
    More,
    /// The one that was wanted. What follows it is left in the buffer.
    Wanted(Head, StatusLine),
    /// Another one, with its text.
    Refused(Refusal),
}

/// Reads the answer to a request. How it is cut into pieces changes nothing.
#[derive(Debug, Default)]
pub(in crate::transport) struct AnswerReader {
    finder: HeadFinder,
    interim: u8,
    refused: Option<Refusing>,
}

/// A refusal whose text is not whole.
#[derive(Debug)]
struct Refusing {
    head: Head,
    line: StatusLine,
    body: BodyStart,
    /// Until when the text is waited for.
    until: Timestamp,
}

impl AnswerReader {
    /// Reads until there is an answer that is `wanted` by its status, or a refusal. Pass the same buffer every time,
    /// only appended to. A head is consumed as a whole, and of what follows one that is wanted nothing.
    pub(in crate::transport) fn read(
        &mut self,
        now: Timestamp,
        input: &mut BytesMut,
        wanted: impl Fn(u16) -> bool,
    ) -> Result<Answer, HeadError> {
        while self.refused.is_none() {
            check_answer(input)?;
            let Some(len) = self.finder.find(input)? else { return Ok(Answer::More) };
            self.finder = HeadFinder::default();
            let (head, line) = Head::response(input.get(..len).unwrap_or_default())?;
            input.advance(len);
            match line.status {
                status if wanted(status) => return Ok(Answer::Wanted(head, line)),
                100..200 if line.status != 101 && self.interim < MAX_INTERIM => {
                    self.interim = self.interim.saturating_add(1);
                }
                status => {
                    let (body, until) = (BodyStart::behind(&head, status), now.saturating_add(PATIENCE));
                    self.refused = Some(Refusing { head, line, body, until });
                }
            }
        }
        let is_whole = self.refused.as_mut().is_some_and(|refusing| refusing.body.read(input));
        Ok(self
            .refused
            .take_if(|_| is_whole)
            .map_or(Answer::More, |refusing| Answer::Refused(refusing.end())))
    }

    /// When the text of a refusal is waited for no longer.
    pub(in crate::transport) fn poll_timeout(&self) -> Option<Timestamp> {
        self.refused.as_ref().map(|refusing| refusing.until)
    }

    /// The refusal, when its text has been waited for long enough.
    pub(in crate::transport) fn handle_timeout(&mut self, now: Timestamp) -> Option<Refusal> {
        self.refused.take_if(|refusing| refusing.until <= now).map(Refusing::end)
    }

    /// Nothing more comes, or is waited for: the refusal with as much of its text as there is, if it is one.
    pub(in crate::transport) fn give_up(&mut self) -> Option<Refusal> {
        self.refused.take().map(Refusing::end)
    }
}

impl Refusing {
    fn end(self) -> Refusal {
        let Self { head, line, body, .. } = self;
        let text = excerpt(body.kept(), MAX_TEXT);
        Refusal(Arc::new(Refused { line, head, text }))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    const T0: Timestamp = Timestamp::ZERO;
    const SOON: Timestamp = Timestamp::from_micros(1_000_000);

    fn refusal(headers: &str) -> Refusal {
        Refusal::of(503, headers)
    }

    #[test]
    fn when_to_try_again() {
        let now = UnixMicros::from_micros(784_111_777_000_000);
        for (headers, expected) in [
            ("", None),
            ("Retry-After: 120\r\n", Some(120)),
            ("retry-after: 0\r\n", Some(0)),
            ("Retry-After: 99999999999999999999999\r\n", Some(u64::MAX)),
            ("Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n", Some(60)),
            // What is past is now.
            ("Retry-After: Sun, 06 Nov 1994 08:40:00 GMT\r\n", Some(0)),
            // The server's clock counts, when it tells it.
            (
                "Date: Sun, 06 Nov 1994 08:50:00 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n",
                Some(37),
            ),
            ("Date: today\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n", Some(60)),
            ("Retry-After: -1\r\n", None),
            ("Retry-After: 1.5\r\n", None),
            ("Retry-After: soon\r\n", None),
            ("Retry-After:\r\n", None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(refusal(headers).retry_after(now), expected, "{headers}");
        }
    }

    #[test]
    fn headers_are_kept_and_not_shown() {
        let refusal = refusal("Set-Cookie: id=secret1\r\nWWW-Authenticate: Basic realm=\"a\"\r\n");
        assert_eq!(refusal.header("www-authenticate"), Some("Basic realm=\"a\""));
        assert_eq!(refusal.headers().count(), 3);
        let text = format!("{refusal:?} {refusal}");
        assert!(text.contains("Set-Cookie") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn where_a_redirect_leads_to() {
        let mut reader = AnswerReader::default();
        let answer = "HTTP/1.1 302 Found\r\nLocation: wss://b.example/ws?token=secret\r\n\r\nmoved";
        let mut input = BytesMut::from(answer);
        assert!(matches!(reader.read(T0, &mut input, |_| false), Ok(Answer::More)));
        let refusal = reader.give_up().unwrap();
        assert_eq!(refusal.header("Location"), Some("wss://b.example/ws?token=secret"));
        let text = "302 Found, it is at wss://b.example/ws, and redirects are not followed: moved";
        assert_eq!(refusal.to_string(), text);
    }

    /// Where the text does not come, the refusal does not wait for it.
    #[test]
    fn a_text_that_does_not_come_is_waited_for_a_moment() {
        let mut reader = AnswerReader::default();
        let mut input = BytesMut::from("HTTP/1.1 403 No\r\nContent-Length: 11\r\n\r\ngo");
        assert_eq!(reader.poll_timeout(), None);
        assert!(matches!(reader.read(T0, &mut input, |_| false), Ok(Answer::More)));
        assert_eq!(reader.poll_timeout(), Some(SOON));
        // Bytes that trickle do not prolong it.
        input.extend_from_slice(b" a");
        let later = Timestamp::from_micros(999_999);
        assert!(matches!(reader.read(later, &mut input, |_| false), Ok(Answer::More)));
        assert_eq!(reader.handle_timeout(later), None);
        assert_eq!(reader.poll_timeout(), Some(SOON));
        assert_eq!(reader.handle_timeout(SOON).unwrap().text(), "go a");
        assert_eq!((reader.poll_timeout(), reader.give_up()), (None, None));
    }
}
