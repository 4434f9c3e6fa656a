//! Connections without a runtime: two threads each, one that reads and one that writes and keeps the time.
//!
//! Neither looks at anything at intervals: the reader sleeps in its read, the writer until there is output
//! or a deadline has come. Only while the peer takes nothing of what is written, and the writer is stuck in
//! its write, a third thread keeps the time, and ends the write when the connection has to end.

pub(crate) mod alarms;
mod driver;
mod pipes;
mod reading;
#[cfg(test)]
mod tests;
mod threads;
mod timekeeper;

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use roadbed_core::transport::TransportDetails;

use crate::client::{Attempt, Attempts, Connect, Session, Settings};
use crate::error::Error;
use crate::park::wait_for;
use crate::runtime::Runtime;
use crate::url::Address;

pub use driver::start;
pub use pipes::Pipes;
pub use threads::Threads;

/// A connected socket whose calls wait. Its ends may be used from several threads, each with a
/// [duplicate](Self::duplicate) of its own.
///
/// Where reading and writing are two streams, or there is no such thing as `shutdown`, [`Pipes`] makes a
/// socket of them.
pub trait Socket: Send + Sized + 'static {
    /// The same socket once more.
    ///
    /// # Errors
    /// What the operating system says.
    fn duplicate(&self) -> io::Result<Self>;

    /// Reads once; 0 means that the peer ended its side.
    ///
    /// # Errors
    /// What the operating system says.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once, and says how many bytes.
    ///
    /// # Errors
    /// What the operating system says; `WouldBlock` or `TimedOut` when the write timeout has passed and
    /// nothing was written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// How long a write of any duplicate may wait; `None`: for ever. When the time is over, the write
    /// returns, with fewer bytes written than it was given.
    ///
    /// # Errors
    /// What the operating system says, or [`Unsupported`](io::ErrorKind::Unsupported), which is the default:
    /// writes cannot be timed. Then a third thread keeps the time of the connection during each of them.
    fn set_write_timeout(&self, span: Option<Duration>) -> io::Result<()> {
        let _ = span;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether a read would not wait now, where that can be known without reading. Deadlines are judged only after such
    /// bytes were read. By default `false`: nothing is known, and the reader gets a moment.
    fn has_input(&self) -> bool {
        false
    }

    /// Ends one side or both. After [`Shutdown::Both`] a read and a write that wait return, whichever
    /// thread they are in.
    ///
    /// # Errors
    /// What the operating system says.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

/// How a blocking adapter opens connections.
pub trait BlockingConnector: Send + Sync + 'static {
    /// A connected socket.
    type Socket: Socket;

    /// The services that handles and drivers use, usually [`Threads`].
    fn runtime(&self) -> Arc<dyn Runtime>;

    /// Connects, and says what is known of the peer.
    ///
    /// # Errors
    /// Why there is no connection.
    fn open(&self, address: &Address) -> io::Result<(Self::Socket, TransportDetails)>;
}

impl<C: BlockingConnector> Connect<C> {
    /// Connects and joins; waits for it in this thread.
    ///
    /// # Errors
    /// Why there is no session; [`Error::WaitInTask`] where the runtime can tell that it would wait for itself.
    pub fn wait(self) -> Result<Session, Error> {
        let runtime = self.connector.runtime();
        let mut attempts = Attempts::new(&self.urls, &self.settings)?;
        loop {
            match wait_for(&*runtime, attempt(&self.connector, &self.settings, attempts.now())) {
                Err(error) if attempts.retry(&error) => {}
                result => return result,
            }
        }
    }
}

/// Tries one way to a session, in a thread that may wait.
pub(crate) async fn attempt<C: BlockingConnector>(
    connector: &C,
    settings: &Settings,
    attempt: &Attempt,
) -> Result<Session, Error> {
    let runtime = connector.runtime();
    let (socket, details) = connector.open(attempt.address()).map_err(|error| attempt.failed(error))?;
    let (joining, driver) = attempt.open(settings, Arc::clone(&runtime), details)?;
    start(driver, socket, runtime).map_err(|error| attempt.failed(error))?;
    joining.await
}
