//! Writing canonical CBOR.

use core::ops::Range;

use bytes::{Bytes, BytesMut};

use super::super::Writer;
use super::super::binary::narrow;
use super::*;

/// A [`Writer`] of CBOR: shortest forms and definite lengths only.
#[derive(Debug)]
pub(crate) struct CborWriter<'o> {
    out: &'o mut BytesMut,
}

impl CborWriter<'_> {
    #[inline]
    fn head(&mut self, major: u8, argument: u64) {
        let top = major << 5;
        if let Ok(argument) = u8::try_from(argument) {
            if argument < INFO_8 {
                self.out.extend_from_slice(&[top | argument]);
            } else {
                self.out.extend_from_slice(&[top | INFO_8, argument]);
            }
        } else if let Ok(argument) = u16::try_from(argument) {
            let [a, b] = argument.to_be_bytes();
            self.out.extend_from_slice(&[top | INFO_16, a, b]);
        } else if let Ok(argument) = u32::try_from(argument) {
            self.put32(top | INFO_32, argument);
        } else {
            self.put64(top | INFO_64, argument);
        }
    }

    #[inline]
    fn length(&mut self, major: u8, length: usize) {
        self.head(major, u64::try_from(length).unwrap_or(u64::MAX));
    }

    #[inline(always)]
    fn put32(&mut self, initial: u8, value: u32) {
        let [a, b, c, d] = value.to_be_bytes();
        self.out.extend_from_slice(&[initial, a, b, c, d]);
    }

    #[inline(always)]
    fn put64(&mut self, initial: u8, value: u64) {
        let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
        self.out.extend_from_slice(&[initial, a, b, c, d, e, f, g, h]);
    }
}

impl<'o> Writer<'o> for CborWriter<'o> {
    #[inline]
    fn new(out: &'o mut BytesMut) -> Self {
        Self { out }
    }

    #[inline]
    fn position(&self) -> usize {
        self.out.len()
    }

    #[inline]
    fn list(&mut self, len: usize) {
        self.length(LIST, len);
    }

    #[inline]
    fn end_list(&mut self) {}

    #[inline]
    fn dict(&mut self, len: usize) {
        self.length(DICT, len);
    }

    #[inline]
    fn key(&mut self, key: &str) {
        self.text(key);
    }

    #[inline]
    fn end_dict(&mut self) {}

    fn correct_len(&mut self, head: Range<usize>, is_dict: bool, len: usize) {
        let body = self.out.get(head.end..).unwrap_or_default().to_vec();
        self.out.truncate(head.start);
        if is_dict {
            self.dict(len);
        } else {
            self.list(len);
        }
        self.out.extend_from_slice(&body);
    }

    #[inline]
    fn null(&mut self) {
        self.out.extend_from_slice(&[NULL]);
    }

    #[inline]
    fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(&[if value { TRUE } else { FALSE }]);
    }

    #[inline]
    fn u64(&mut self, value: u64) {
        self.head(UNSIGNED, value);
    }

    fn i64(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            // The argument of a negative number n is −1 − n, which is its complement.
            Err(_) => self.head(NEGATIVE, value.cast_unsigned() ^ u64::MAX),
        }
    }

    fn f64(&mut self, value: f64) {
        match narrow(value) {
            Some(bits) => self.put32(FLOAT32, bits),
            None => self.put64(FLOAT64, value.to_bits()),
        }
    }

    #[inline]
    fn text(&mut self, value: &str) {
        self.length(TEXT, value.len());
        self.out.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn binary(&mut self, value: &[u8]) {
        self.length(BYTES, value.len());
        self.out.extend_from_slice(value);
    }

    #[inline]
    fn raw(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }

    #[inline]
    fn skip_raw(&mut self, _value: &Bytes) {}
}
