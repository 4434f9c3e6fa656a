//! Test vectors: our own beside this crate, and the official ones where they are at hand.

mod attributes;
mod build;
pub mod official;
pub mod own;
pub mod sequences;

pub use build::{Built, contents, take_payload, value};

/// The bytes behind hex digits; white space between them is passed over.
///
/// # Panics
/// When a digit is missing or is none.
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("{c:?} is no hex digit")) as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte of hex");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
