//! Payloads that routers do not look into: the attributes that say how they are sealed.

use alloc::boxed::Box;

use bytestring::ByteString;

use super::attributes::{Seen, Slot};
use super::wire::{Attribute, Decoder, Encoder};
use crate::error::PayloadError;
use crate::serializer::{Malformed, ReadError, Reader, Writer};

/// How a payload that the router does not look into is sealed: `ppt_*` of the specification and
/// `enc_*`, its deployed form (advanced profile, "payload passthru mode").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassThru(pub(super) Option<Box<PassThruAttributes>>);

/// The attributes of [`PassThru`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassThruAttributes {
    /// `ppt_scheme`: `wamp`, `mqtt` or `x_…`.
    pub ppt_scheme: Option<ByteString>,
    /// `ppt_serializer`.
    pub ppt_serializer: Option<ByteString>,
    /// `ppt_cipher`.
    pub ppt_cipher: Option<ByteString>,
    /// `ppt_keyid`.
    pub ppt_keyid: Option<ByteString>,
    /// `enc_algo`: with it the payload is one bare binary or text.
    pub enc_algo: Option<EncAlgo>,
    /// `enc_key`.
    pub enc_key: Option<ByteString>,
    /// `enc_serializer`.
    pub enc_serializer: Option<ByteString>,
}

impl PassThru {
    /// The attributes, when any is set.
    pub fn attributes(&self) -> Option<&PassThruAttributes> {
        self.0.as_deref()
    }

    /// The attributes, to be set.
    pub fn attributes_mut(&mut self) -> &mut PassThruAttributes {
        self.0.get_or_insert_with(Box::default)
    }

    /// Whether none is set.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

macro_rules! group {
    ($($field:ident),*) => {
        impl Slot for PassThru {
            const EMPTY: Self = Self(None);
            const KEYS: u32 = [$(stringify!($field)),*].len() as u32;
            const TABLE: &'static [super::KeyInfo] =
                &[$(super::KeyInfo::new(stringify!($field), "Option<ByteString>", &[])),*];

            fn accept<'a, R: Reader<'a>>(
                &mut self,
                _: &'static str,
                key: &str,
                d: &mut Decoder<'_, R>,
                seen: &mut Seen,
                first: u32,
            ) -> Result<bool, ReadError> {
                if !(key.starts_with("ppt_") || key.starts_with("enc_")) {
                    return Ok(false);
                }
                let number = first;
                $(if key == stringify!($field) {
                    self.attributes_mut().$field.accept(stringify!($field), key, d, seen, number)?;
                    if self.count() == 0 {
                        // It was null, which counts as absent.
                        self.0 = None;
                    }
                    // An unsuitable algorithm is reported itself, not the payload that goes with it.
                    let has_algorithm = self.attributes().is_some_and(|group| group.enc_algo.is_some());
                    d.is_bare_allowed |= has_algorithm || d.unsuitable.is_some();
                    return Ok(true);
                }
                let number = number.wrapping_add(1);)*
                let _ = number;
                Ok(false)
            }

            fn count(&self) -> usize {
                let Some(group) = self.attributes() else { return 0 };
                [$(group.$field.count()),*].into_iter().fold(0, usize::saturating_add)
            }

            fn write<'o, W: Writer<'o>>(
                &self,
                _: &'static str,
                e: &mut Encoder<W>,
            ) -> Result<(), PayloadError> {
                if let Some(group) = self.attributes() {
                    $(group.$field.write(stringify!($field), e)?;)*
                }
                Ok(())
            }
        }
    };
}

group!(ppt_scheme, ppt_serializer, ppt_cipher, ppt_keyid, enc_algo, enc_key, enc_serializer);

/// An algorithm of `enc_algo`: `cryptobox`, `mqtt`, `xbr`, or one of your own that begins with `x_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncAlgo(pub(super) ByteString);

impl EncAlgo {
    /// The algorithm of this name, or `None` when it is not a known one.
    pub fn new(name: impl Into<ByteString>) -> Option<Self> {
        let name = name.into();
        let known = matches!(&*name, "cryptobox" | "mqtt" | "xbr") || name.starts_with("x_");
        known.then_some(Self(name))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Attribute for EncAlgo {
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let at = d.reader.offset();
        let expected = "cryptobox, mqtt, xbr or x_…";
        Self::new(d.reader.text()?).ok_or(ReadError::new(at, Malformed::UnknownValue { expected }))
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.text(&self.0);
        Ok(())
    }
}
