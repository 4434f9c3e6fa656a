//! The canonical writer.

use core::fmt::Write as _;
use core::ops::Range;

use base64ct::{Base64, Encoding};
use bytes::{BufMut, Bytes, BytesMut};

use super::string;
use crate::serializer::Writer;

/// Writes compact JSON: no white space, everything raw that may be raw.
#[derive(Debug)]
pub(crate) struct JsonWriter<'o> {
    out: &'o mut BytesMut,
    /// Nothing stands before the next value or key that a comma must part it from.
    fresh: bool,
}

impl JsonWriter<'_> {
    #[inline(always)]
    fn separate(&mut self) {
        if !self.fresh {
            self.out.put_u8(b',');
        }
        self.fresh = false;
    }

    fn value(&mut self, encoded: &[u8]) {
        self.separate();
        self.out.extend_from_slice(encoded);
    }

    fn string(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.out.reserve(bytes.len().saturating_add(2));
        self.out.put_u8(b'"');
        let mut at = 0;
        loop {
            let plain = string::plain(bytes, at).end;
            self.out.extend_from_slice(bytes.get(at..plain).unwrap_or_default());
            let Some(&special) = bytes.get(plain) else { break };
            self.escape(special);
            at = plain.wrapping_add(1);
        }
        self.out.put_u8(b'"');
    }

    fn escape(&mut self, special: u8) {
        const HEX: [u8; 16] = *b"0123456789abcdef";
        let letter = match special {
            b'"' | b'\\' => special,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                let [tens, ones] =
                    [special >> 4, special & 15].map(|nibble| HEX.get(usize::from(nibble)).copied());
                let digits = [tens.unwrap_or(b'0'), ones.unwrap_or(b'0')];
                self.out.extend_from_slice(b"\\u00");
                self.out.extend_from_slice(&digits);
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', letter]);
    }

    fn digits(&mut self, mut value: u64) {
        let mut buffer = [b'0'; 20];
        let mut start = buffer.len();
        for pair in buffer.rchunks_exact_mut(2) {
            let two = (value % 100) as u8;
            value /= 100;
            if let [tens, ones] = pair {
                *tens = b'0'.wrapping_add(two / 10);
                *ones = b'0'.wrapping_add(two % 10);
            }
            start = start.wrapping_sub(2);
            if value == 0 {
                start = start.wrapping_add(usize::from(two < 10));
                break;
            }
        }
        self.out.extend_from_slice(buffer.get(start..).unwrap_or_default());
    }
}

impl<'o> Writer<'o> for JsonWriter<'o> {
    fn new(out: &'o mut BytesMut) -> Self {
        Self { out, fresh: true }
    }

    fn position(&self) -> usize {
        self.out.len()
    }

    fn list(&mut self, _len: usize) {
        self.value(b"[");
        self.fresh = true;
    }

    fn end_list(&mut self) {
        self.out.put_u8(b']');
        self.fresh = false;
    }

    fn dict(&mut self, _len: usize) {
        self.value(b"{");
        self.fresh = true;
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.string(key);
        self.out.put_u8(b':');
        self.fresh = true;
    }

    fn end_dict(&mut self) {
        self.out.put_u8(b'}');
        self.fresh = false;
    }

    fn correct_len(&mut self, _head: Range<usize>, _is_dict: bool, _len: usize) {}

    fn null(&mut self) {
        self.value(b"null");
    }

    fn bool(&mut self, value: bool) {
        self.value(if value { b"true" } else { b"false" });
    }

    fn u64(&mut self, value: u64) {
        self.separate();
        self.digits(value);
    }

    fn i64(&mut self, value: i64) {
        self.separate();
        if value < 0 {
            self.out.put_u8(b'-');
        }
        self.digits(value.unsigned_abs());
    }

    fn f64(&mut self, value: f64) {
        if !value.is_finite() {
            // The caller's mistake; what JavaScript writes is at least JSON.
            return self.null();
        }
        self.separate();
        // Debug is the shortest form that reads back as the same float, and never looks like an
        // integer. Writing to a BytesMut does not fail.
        let _ = write!(self.out, "{value:?}");
    }

    fn text(&mut self, value: &str) {
        self.separate();
        self.string(value);
    }

    fn binary(&mut self, value: &[u8]) {
        self.value(b"\"\\u0000");
        let start = self.out.len();
        let encoded = value.len().div_ceil(3).saturating_mul(4);
        self.out.resize(start.saturating_add(encoded), 0);
        // The room is exactly what padded base64 takes.
        let _ = Base64::encode(value, self.out.get_mut(start..).unwrap_or_default());
        self.out.put_u8(b'"');
    }

    fn raw(&mut self, value: &[u8]) {
        self.value(value);
    }

    fn skip_raw(&mut self, _value: &Bytes) {
        self.separate();
    }
}
