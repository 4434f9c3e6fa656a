//! Numbers: their grammar and their range.

use super::unexpected;
use crate::serializer::{Kind, Malformed, ReadError};

/// A number whose grammar has been checked; its value may be out of range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    /// Offset behind its last byte.
    pub(super) end: usize,
    pub(super) class: Class,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Unsigned,
    Negative,
    Float,
}

impl Class {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Unsigned | Self::Negative => Kind::Integer,
            Self::Float => Kind::Float,
        }
    }
}

/// Passes over the number at `from`, a digit or a minus sign.
#[inline(always)]
pub(super) fn scan(input: &[u8], from: usize) -> Result<Number, ReadError> {
    // The usual number: a positive integer of so few digits that it must fit.
    if let Some(b'1'..=b'9') = input.get(from) {
        let end = digits_end(input, from.wrapping_add(1));
        if end.wrapping_sub(from) < 20 && !matches!(input.get(end), Some(b'.' | b'e' | b'E')) {
            return Ok(Number { end, class: Class::Unsigned });
        }
    }
    scan_unusual(input, from)
}

/// The value of the number at `from` and the offset behind it, if it is a usual one as in [`scan`].
#[inline(always)]
pub(super) fn usual(input: &[u8], from: usize) -> Option<(u64, usize)> {
    let (mut value, mut end) = (0_u64, from);
    while let Some(digit @ b'0'..=b'9') = input.get(end) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0')));
        end = end.wrapping_add(1);
    }
    let is_usual = matches!(input.get(from), Some(b'1'..=b'9'))
        && end.wrapping_sub(from) < 20
        && !matches!(input.get(end), Some(b'.' | b'e' | b'E'));
    is_usual.then_some((value, end))
}

#[inline(never)]
fn scan_unusual(input: &[u8], from: usize) -> Result<Number, ReadError> {
    let first = from.wrapping_add(usize::from(input.get(from) == Some(&b'-')));
    let end = digits_end(input, first);
    let digits = end.wrapping_sub(first);
    match input.get(first) {
        _ if digits == 0 => return Err(missing_digit(input, first)),
        Some(b'0') if digits > 1 => return Err(ReadError::new(first, Malformed::InvalidNumber)),
        _ => {}
    }
    if matches!(input.get(end), Some(b'.' | b'e' | b'E')) {
        return scan_float(input, end);
    }
    let class = match (first > from, input.get(first)) {
        (false, _) => Class::Unsigned,
        (true, Some(b'0')) => Class::Float,
        (true, _) => Class::Negative,
    };
    Ok(Number { end, class })
}

/// Goes on behind the integer part, which ends at `at`.
fn scan_float(input: &[u8], mut at: usize) -> Result<Number, ReadError> {
    if input.get(at) == Some(&b'.') {
        at = some_digits(input, at.wrapping_add(1))?;
    }
    if matches!(input.get(at), Some(b'e' | b'E')) {
        at = at.wrapping_add(1);
        if matches!(input.get(at), Some(b'+' | b'-')) {
            at = at.wrapping_add(1);
        }
        at = some_digits(input, at)?;
    }
    Ok(Number { end: at, class: Class::Float })
}

/// Passes over `NaN`, `Infinity` or `-Infinity` at `at`: no JSON, but what Python writes by default.
#[cold]
pub(super) fn non_finite(input: &[u8], at: usize) -> Option<usize> {
    let rest = input.get(at..).unwrap_or_default();
    let words: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let word = words.into_iter().find(|word| rest.starts_with(word))?;
    Some(at.wrapping_add(word.len()))
}

fn some_digits(input: &[u8], from: usize) -> Result<usize, ReadError> {
    let end = digits_end(input, from);
    if end == from { Err(missing_digit(input, from)) } else { Ok(end) }
}

#[inline(always)]
fn digits_end(input: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = input.get(at) {
        at = at.wrapping_add(1);
    }
    at
}

#[cold]
fn missing_digit(input: &[u8], at: usize) -> ReadError {
    match input.get(at) {
        Some(_) => ReadError::new(at, Malformed::InvalidNumber),
        None => unexpected(input, at),
    }
}

/// The value of the digits `from..to`, if it fits.
pub(super) fn unsigned(input: &[u8], from: usize, to: usize) -> Option<u64> {
    let mut value = 0_u64;
    for digit in input.get(from..to)? {
        value = value.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))?;
    }
    Some(value)
}

/// The value of the negative integer `from..to`, if it fits.
pub(super) fn negative(input: &[u8], from: usize, to: usize) -> Option<i64> {
    0_i64.checked_sub_unsigned(unsigned(input, from.wrapping_add(1), to)?)
}

/// The value of the number `from..to`, if it is finite.
pub(super) fn float(input: &[u8], from: usize, to: usize) -> Option<f64> {
    let digits = input.get(from..to)?;
    if let Some(value) = short(digits) {
        return Some(value);
    }
    let text = core::str::from_utf8(digits).ok()?;
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The value of a number of so few digits, and without an exponent, that they and the power of ten which divides them
/// are floats without rounding: then the quotient is rounded once, and right.
fn short(number: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (is_negative, number) = match number {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, number),
    };
    // 15 digits and the point stay below 2^53.
    if number.len() > 16 {
        return None;
    }
    let (mut value, mut point) = (0_u64, None);
    for (at, byte) in number.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0'))),
            b'.' => point = Some(at),
            _ => return None,
        }
    }
    let places = point.map_or(0, |point| number.len().wrapping_sub(point).wrapping_sub(1));
    let value = value as f64 / POWERS.get(places)?;
    Some(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// Whole parts and fractions of all lengths: short numbers are what the standard library makes of them.
    #[test]
    fn floats_are_rounded_once() {
        let mut digits = 987_654_321_u64;
        for round in 0..20_000_usize {
            digits = digits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let whole = digits.checked_shr(40).unwrap() % 10_u64.pow(u32::try_from(round % 9).unwrap());
            let places = round % 17 + 1;
            let text = format!("{}{whole}.{:0places$}", ["", "-"][round % 2], digits % 10_u64.pow(7));
            let value = float(text.as_bytes(), 0, text.len()).unwrap();
            assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
        for text in
            ["-0", "-0.0", "0.1", "1e5", "9007199254740993.0", "123456789012345.6", "0.00000000000001"]
        {
            let value = float(text.as_bytes(), 0, text.len()).unwrap();
            assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
    }
}
