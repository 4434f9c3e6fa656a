//! Options and details are usually empty; then they cost one word.

use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

use super::wire::{Attribute, Decoder, Encoder};
use crate::error::PayloadError;
use crate::serializer::{ReadError, Reader, Writer};

/// Options or details that are allocated only when something is set. Reads as the `T` it stands for.
///
/// ```
/// use roadbed_core::message::Sparse;
/// use roadbed_core::options::CallOptions;
///
/// let mut options = Sparse::<CallOptions>::EMPTY;
/// assert_eq!(options.timeout, None);
/// options.timeout = Some(250);
/// assert_eq!(options, Sparse::from(CallOptions::new().timeout(250)));
/// ```
#[derive(Clone)]
pub struct Sparse<T>(Option<Box<T>>);

/// A type with one shared empty value.
pub trait Empty: Sized + 'static {
    /// The empty value.
    fn empty() -> &'static Self;
}

impl<T> Sparse<T> {
    /// Nothing set, nothing allocated.
    pub const EMPTY: Self = Self(None);
}

impl<T> Sparse<T> {
    /// Returns what is set, and `None` if nothing is allocated.
    pub fn as_set(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T: Empty + Clone> Sparse<T> {
    /// The value itself.
    pub fn into_inner(self) -> T {
        match self.0 {
            Some(value) => *value,
            None => T::empty().clone(),
        }
    }
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<T: Empty + PartialEq> From<T> for Sparse<T> {
    fn from(value: T) -> Self {
        if value == *T::empty() { Self::EMPTY } else { Self(Some(Box::new(value))) }
    }
}

impl<T: Empty> Deref for Sparse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::empty(),
        }
    }
}

impl<T: Empty + Clone> DerefMut for Sparse<T> {
    /// Allocates, if nothing was set before.
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::empty().clone()))
    }
}

impl<T: Empty + PartialEq> PartialEq for Sparse<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Empty + core::fmt::Debug> core::fmt::Debug for Sparse<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Attribute + Empty> Attribute for Sparse<T> {
    const TABLE: &'static [super::KeyInfo] = T::TABLE;

    #[inline]
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let start = d.reader.offset();
        let mut seq = d.reader.dict()?;
        if !d.reader.more(&mut seq)? {
            return Ok(Self::EMPTY);
        }
        d.reader.rewind(start);
        Ok(Self(Some(Box::new(T::read(d)?))))
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        match &self.0 {
            Some(value) => value.write(e)?,
            None => {
                e.writer.dict(0);
                e.writer.end_dict();
            }
        }
        Ok(())
    }
}
