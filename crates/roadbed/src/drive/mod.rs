//! Drivers: what moves bytes and time between a stream and the state machines.
//!
//! Everything a connection has to do is in two halves, which do not wait and know no runtime: what comes
//! in ([`Drive::room`], [`Drive::feed`], [`Drive::eof`]) and what goes out ([`Drive::output`]).
//! [`Run`] composes both into one future over a [`ByteStream`](crate::runtime::ByteStream);
//! [`blocking`](crate::blocking) gives each a thread. An event loop of your own calls them as it likes.

mod layered;
#[cfg(test)]
mod reading_tests;
mod run;
#[cfg(feature = "tls")]
mod secure;
#[cfg(test)]
mod tests;
mod tunnel;

use std::io;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;

pub(crate) use layered::{Layered, layered};
pub use run::Run;
#[cfg(feature = "tls")]
pub use secure::Secure;
pub use tunnel::Tunnel;

use crate::error::Error;

/// One end of a connection, as a driver sees it. Its two halves may be used from two threads.
pub trait Drive: Send + Sync + 'static {
    /// Whether to read, and how much at most. Takes what is left in `input` first, if it was not welcome
    /// before. On [`Room::Wait`], `waker` is woken when to ask again.
    fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room;

    /// Bytes were read. Whole frames are taken off the front of `input`; what stays has to stay, with the
    /// next bytes behind it.
    fn feed(&self, input: &mut BytesMut);

    /// The peer ended its side; do not read any more. Still ask [`room`](Self::room) when woken, until
    /// [`Output::End`]: `input` may hold what was not welcome before.
    fn eof(&self, input: &mut BytesMut);

    /// A read or a write failed with this error; users get it as the source of theirs. When a read failed,
    /// [`lost`](Self::lost) follows. When a write failed, the peer may have said why, in bytes that were not read yet:
    /// go on as before, but drop what [`output`](Self::output) gives, until the end of the stream, until a read fails,
    /// or until [`LINGER`] has passed; `lost` follows the latter two.
    fn broke(&self, error: io::Error) {
        let _ = error;
    }

    /// The stream broke: nothing can be read or written any more.
    fn lost(&self);

    /// Judges the deadlines that have passed. Call it when the time has come that [`Output::Idle`] named, and only
    /// after what can be read without waiting was read: in a process that was stopped for a while, the answer may lie
    /// in the socket, and so may a sign of life.
    fn expire(&self);

    /// The stream turned out to be encrypted, with this channel binding. Whoever puts a layer of encryption
    /// under a connection says so once, before the first [`feed`](Self::feed).
    fn secured(&self, channel_binding: Option<Bytes>) {
        let _ = channel_binding;
    }

    /// A layer under the connection failed: nothing can be read or written any more, and this is why.
    fn failed(&self, error: Error) {
        let _ = error;
        self.lost();
    }

    /// What to write next, or how long to sleep. With `can_write` false, because bytes given before are
    /// not written yet, it never gives more. On [`Output::Idle`], `waker` is woken when to ask again.
    fn output(&self, can_write: bool, waker: &Waker) -> Output;

    /// What comes right behind the bytes that [`output`](Self::output) gave just now, if that is known: so
    /// one write can take a large payload and what is in front of it.
    fn more(&self) -> Option<Bytes> {
        None
    }

    /// Whether several tasks were told something since this was asked last. Most of them answer at once:
    /// a driver that shares their thread lets them have their turn before it writes, so that one write
    /// takes all of it.
    fn expects_more(&self) -> bool {
        false
    }
}

/// What a driver does with its reading side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Read up to this many bytes.
    Read(usize),
    /// Do not read for now.
    Wait,
    /// The connection has ended: read and discard.
    Discard,
}

/// What a driver does with its writing side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes, all of them, before anything else.
    Write(Bytes),
    /// Nothing to write. At this time, [`expire`](Drive::expire), then ask again.
    Idle(Option<Timestamp>),
    /// The connection has ended. Write what was given before; end this side; read and discard until
    /// the peer has ended its side too, or [`LINGER`] has passed; then close.
    End,
    /// The connection was given up. Close at once, whatever is left to write.
    Drop,
}

impl Output {
    /// The same, but asked again at `until` at the latest.
    fn by(self, until: Option<Timestamp>) -> Self {
        match self {
            Self::Idle(at) => Self::Idle(at.into_iter().chain(until).min()),
            other => other,
        }
    }
}

/// How long a driver whose connection has ended waits until the peer has taken what was written.
/// Closing earlier could reset the connection, and take the last message with it.
pub const LINGER: std::time::Duration = std::time::Duration::from_secs(2);

/// How long what can be read gets to be found out, before a deadline is judged that has passed already.
pub(crate) const MOMENT: std::time::Duration = std::time::Duration::from_millis(1);
