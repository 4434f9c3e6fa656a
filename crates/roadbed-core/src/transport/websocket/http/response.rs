//! Answers of a server that are no upgrade. Each ends its connection.

use alloc::format;
use alloc::string::String;

use bytes::Bytes;

/// The statuses that a server answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::websocket) enum Status {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    UpgradeRequired,
    HeadTooLarge,
    Unavailable,
}

impl Status {
    /// The status of this number; 400 for those that are never sent.
    pub(in crate::transport::websocket) const fn from_code(code: u16) -> Self {
        match code {
            200 => Self::Ok,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            426 => Self::UpgradeRequired,
            431 => Self::HeadTooLarge,
            503 => Self::Unavailable,
            _ => Self::BadRequest,
        }
    }

    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::UpgradeRequired => "426 Upgrade Required",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// An answer: status, headers and a short text.
#[derive(Debug)]
pub(in crate::transport::websocket) struct Response {
    status: Status,
    headers: String,
    media_type: &'static str,
    body: String,
    is_bodiless: bool,
}

impl Response {
    /// An answer in plain text.
    pub(in crate::transport::websocket) fn text(status: Status, body: impl Into<String>) -> Self {
        let headers = match status {
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => "",
        };
        Self {
            status,
            headers: headers.into(),
            media_type: "text/plain; charset=utf-8",
            body: body.into(),
            is_bodiless: false,
        }
    }

    /// A page.
    pub(in crate::transport::websocket) fn html(body: impl Into<String>) -> Self {
        Self { media_type: "text/html; charset=utf-8", ..Self::text(Status::Ok, body) }
    }

    /// When to try again: a header `Retry-After`, in seconds.
    pub(in crate::transport::websocket) fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.push_str(&format!("Retry-After: {seconds}\r\n"));
        self
    }

    /// Leaves the text out, as the answer to HEAD has to.
    pub(in crate::transport::websocket) fn bodiless(mut self, is_bodiless: bool) -> Self {
        self.is_bodiless = is_bodiless;
        self
    }

    /// The bytes to send.
    pub(in crate::transport::websocket) fn encode(&self) -> Bytes {
        // 426 has to name what it asks for in Connection as well (RFC 9110, section 7.8).
        let connection = if self.status == Status::UpgradeRequired { "close, Upgrade" } else { "close" };
        let Self { media_type, headers, .. } = self;
        let (line, length) = (self.status.line(), self.body.len());
        let body = if self.is_bodiless { "" } else { &self.body };
        Bytes::from(format!(
            "HTTP/1.1 {line}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: {connection}\r\n{headers}\r\n{body}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Head;
    use super::*;

    #[test]
    fn every_status_is_a_well_formed_answer() {
        for code in [200, 400, 403, 404, 405, 426, 431, 503] {
            let bytes = Response::text(Status::from_code(code), "what is wrong\n").encode();
            let end = bytes.len() - "what is wrong\n".len();
            let (head, line) = Head::response(&bytes[..end]).unwrap();
            assert_eq!(line.status, code);
            assert!(!line.reason.is_empty());
            assert_eq!(head.single("content-length"), Ok(Some(&b"14"[..])));
            assert!(head.has_element("connection", "close"));
            assert_eq!(head.single("allow").unwrap().is_some(), code == 405);
            assert_eq!(head.single("sec-websocket-version").unwrap().is_some(), code == 426);
            assert_eq!(head.has_element("connection", "upgrade"), code == 426);
        }
    }

    #[test]
    fn retry_after_and_no_body() {
        let response = Response::text(Status::Unavailable, "busy\n").retry_after(7).bodiless(true).encode();
        let (head, _) = Head::response(&response).unwrap();
        assert_eq!(head.single("retry-after"), Ok(Some(&b"7"[..])));
        assert_eq!(head.single("content-length"), Ok(Some(&b"5"[..])));
    }
}
