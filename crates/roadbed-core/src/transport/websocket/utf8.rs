//! UTF-8, checked as it arrives.

/// A check of one text that comes in pieces. It fails with the first octet that cannot belong to any text,
/// even when that octet is in the middle of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    /// Octets of whole characters so far.
    whole: usize,
    /// A character of which the end has not arrived.
    open: [u8; 4],
    /// Octets of it.
    len: usize,
}

impl Utf8 {
    /// Checks the next piece. The error is the offset, in the text, of the first wrong character.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), usize> {
        let rest = self.close(piece)?;
        // Looking for ASCII first is quicker: it stops early where there is other text.
        if rest.is_ascii() {
            self.whole = self.whole.saturating_add(rest.len());
            return Ok(());
        }
        match core::str::from_utf8(rest) {
            Ok(_) => self.whole = self.whole.saturating_add(rest.len()),
            Err(error) => {
                self.whole = self.whole.saturating_add(error.valid_up_to());
                if error.error_len().is_some() {
                    return Err(self.whole);
                }
                self.append(rest.get(error.valid_up_to()..).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The text is complete.
    pub(super) const fn finish(&self) -> Result<(), usize> {
        if self.len == 0 { Ok(()) } else { Err(self.whole) }
    }

    /// Completes the open character and returns what follows it.
    fn close<'a>(&mut self, mut piece: &'a [u8]) -> Result<&'a [u8], usize> {
        while self.len > 0 {
            let Some((octet, rest)) = piece.split_first() else { break };
            piece = rest;
            self.append(core::slice::from_ref(octet));
            match core::str::from_utf8(self.open.get(..self.len).unwrap_or_default()) {
                Ok(_) => {
                    self.whole = self.whole.saturating_add(self.len);
                    self.len = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(self.whole),
                Err(_) => {}
            }
        }
        Ok(piece)
    }

    /// No character has more than four octets, and an unfinished one has no more than three.
    fn append(&mut self, octets: &[u8]) {
        for (slot, octet) in self.open.iter_mut().skip(self.len).zip(octets) {
            *slot = *octet;
            self.len = self.len.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The outcome for pieces of these lengths: fine, or the offset of the fault.
    fn check(text: &[u8], cuts: impl IntoIterator<Item = usize>) -> Result<(), usize> {
        let (mut utf8, mut rest) = (Utf8::default(), text);
        for cut in cuts {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            utf8.push(piece)?;
            rest = behind;
        }
        utf8.push(rest)?;
        utf8.finish()
    }

    fn by_the_library(text: &[u8]) -> Result<(), usize> {
        core::str::from_utf8(text).map(drop).map_err(|error| error.valid_up_to())
    }

    /// T-84, at the level of frames: the classes of Autobahn's section 6.
    #[test]
    fn texts_that_are_none() {
        let cases: &[&[u8]] = &[
            b"\xFF",
            b"\xC0\xAF",                 // overlong
            b"\xE0\x80\xAF",             // overlong
            b"\xF0\x80\x80\xAF",         // overlong
            b"\xED\xA0\x80",             // a lone surrogate
            b"\xED\xA0\x80\xED\xB0\x80", // a pair of them
            b"\xF4\x90\x80\x80",         // beyond U+10FFFF
            b"\xF8\x88\x80\x80\x80",     // five octets
            b"\x80",
            b"\xE2\x82",
            b"\xC3(",
            b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited",
        ];
        for text in cases {
            let expected = by_the_library(text);
            assert!(expected.is_err());
            for cut in 0..=text.len() {
                assert_eq!(check(text, [cut]), expected, "{text:X?} cut at {cut}");
            }
            assert_eq!(check(text, [1; 32]), expected);
        }
    }

    #[test]
    fn it_fails_as_early_as_it_can() {
        for (text, at) in [(&b"\xF4\x90\x80\x80"[..], 1), (b"ab\xED\xA0", 3), (b"\xC0", 0)] {
            let mut utf8 = Utf8::default();
            for (index, octet) in text.iter().enumerate() {
                assert_eq!(utf8.push(&[*octet]).is_err(), index == at, "{text:X?} at {index}");
                if index == at {
                    break;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            text in prop_oneof![
                any::<alloc::string::String>().prop_map(alloc::string::String::into_bytes),
                any::<Vec<u8>>(),
                prop::collection::vec(prop::sample::select(&b"\x00a\x80\xBF\xC3\xE2\x82\xAC\xED\xA0\xF0\x9F\xF4\x90"[..]), 0..20),
            ],
            cuts in prop::collection::vec(0..6_usize, 0..30),
        ) {
            prop_assert_eq!(check(&text, cuts), by_the_library(&text));
        }
    }
}
