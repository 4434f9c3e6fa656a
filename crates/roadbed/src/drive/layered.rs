//! A connection with the layers that are under it.

use super::Drive;
#[cfg(feature = "tls")]
use super::Secure;

/// A connection, and what is between it and its stream.
#[derive(Debug)]
pub(crate) enum Layered<D: Drive> {
    /// Nothing.
    Plain(D),
    /// TLS, or perhaps TLS.
    #[cfg(feature = "tls")]
    Secure(Box<Secure<D>>),
}

impl<D: Drive> Layered<D> {
    /// The connection itself.
    pub(crate) fn inner(&self) -> &D {
        match self {
            Self::Plain(inner) => inner,
            #[cfg(feature = "tls")]
            Self::Secure(secure) => secure.inner(),
        }
    }

    /// What the stream is connected to.
    pub(crate) fn outer(&self) -> &dyn Drive {
        match self {
            Self::Plain(inner) => inner,
            #[cfg(feature = "tls")]
            Self::Secure(secure) => &**secure,
        }
    }
}

/// The methods of [`Drive`] for a type whose field is a [`Layered`].
macro_rules! layered {
    ($field:tt) => {
        fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room {
            self.$field.outer().room(input, waker)
        }

        fn feed(&self, input: &mut BytesMut) {
            self.$field.outer().feed(input);
        }

        fn eof(&self, input: &mut BytesMut) {
            self.$field.outer().eof(input);
        }

        fn lost(&self) {
            self.$field.outer().lost();
        }

        fn secured(&self, channel_binding: Option<bytes::Bytes>) {
            self.$field.outer().secured(channel_binding);
        }

        fn failed(&self, error: $crate::error::Error) {
            self.$field.outer().failed(error);
        }

        fn output(&self, can_write: bool, waker: &Waker) -> Output {
            self.$field.outer().output(can_write, waker)
        }
    };
}

pub(crate) use layered;
