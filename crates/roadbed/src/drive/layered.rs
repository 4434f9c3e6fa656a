//! A connection with the layers that are under it.

#[cfg(feature = "tls")]
use super::Secure;
use super::{Drive, Tunnel};

/// The methods of [`Drive`], for a type that passes all of them on to what `$to` gives.
macro_rules! layered {
    ($($to:tt)+) => {
        fn room(&self, input: &mut bytes::BytesMut, waker: &std::task::Waker) -> $crate::drive::Room {
            self.$($to)+.room(input, waker)
        }

        fn feed(&self, input: &mut bytes::BytesMut) {
            self.$($to)+.feed(input);
        }

        fn eof(&self, input: &mut bytes::BytesMut) {
            self.$($to)+.eof(input);
        }

        fn broke(&self, error: std::io::Error) {
            self.$($to)+.broke(error);
        }

        fn lost(&self) {
            self.$($to)+.lost();
        }

        fn expire(&self) {
            self.$($to)+.expire();
        }

        fn secured(&self, channel_binding: Option<bytes::Bytes>) {
            self.$($to)+.secured(channel_binding);
        }

        fn failed(&self, error: $crate::error::Error) {
            self.$($to)+.failed(error);
        }

        fn output(&self, can_write: bool, waker: &std::task::Waker) -> $crate::drive::Output {
            self.$($to)+.output(can_write, waker)
        }

        fn more(&self) -> Option<bytes::Bytes> {
            self.$($to)+.more()
        }

        fn expects_more(&self) -> bool {
            self.$($to)+.expects_more()
        }
    };
}

pub(crate) use layered;

/// A connection, and what is between it and its stream.
#[derive(Debug)]
pub(crate) enum Layered<D: Drive> {
    /// Nothing.
    Plain(D),
    /// TLS, or perhaps TLS.
    #[cfg(feature = "tls")]
    Secure(Box<Secure<D>>),
    /// A proxy, outermost of all.
    Tunneled(Box<Tunnel<Self>>),
}

impl<D: Drive> Layered<D> {
    /// The connection itself.
    pub(crate) fn inner(&self) -> &D {
        match self {
            Self::Plain(inner) => inner,
            #[cfg(feature = "tls")]
            Self::Secure(secure) => secure.inner(),
            Self::Tunneled(tunnel) => tunnel.inner().inner(),
        }
    }

    /// What the stream is connected to.
    fn outer(&self) -> &dyn Drive {
        match self {
            Self::Plain(inner) => inner,
            #[cfg(feature = "tls")]
            Self::Secure(secure) => &**secure,
            Self::Tunneled(tunnel) => &**tunnel,
        }
    }
}

impl<D: Drive> Drive for Layered<D> {
    layered!(outer());
}
