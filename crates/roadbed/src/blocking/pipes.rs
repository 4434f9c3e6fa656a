//! Two streams, one for each direction, as a socket.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::Socket;

/// A stream to read from and one to write to, as one [`Socket`]: the pipes of a child process, one's own
/// standard input and output, a serial line.
///
/// Nothing is asked of them but that they block. What a socket can do beyond that is done like this:
///
/// - Our side ends when the writing stream is dropped.
/// - A read or a write that waits cannot be ended from here. When one still waits after the connection is
///   over, what [`on_give_up`](Self::on_give_up) was given is called once, and has to bring it about: kill
///   the child, close the line. Without it, the thread stays until the peer ends the stream.
///
/// ```
/// use std::sync::Arc;
///
/// use roadbed::blocking::{self, Pipes};
/// use roadbed::core::transport::TransportDetails;
/// use roadbed::runtime::Runtime;
/// use roadbed::server::RouterHandle;
///
/// /// Serves whoever has started this process, over standard input and output.
/// fn serve(router: &RouterHandle, runtime: Arc<dyn Runtime>) -> std::io::Result<()> {
///     let pipes = Pipes::new(std::io::stdin(), std::io::stdout());
///     blocking::start(router.accept_driver(TransportDetails::local()), pipes, runtime)
/// }
/// ```
pub struct Pipes<R, W> {
    reader: Arc<Mutex<R>>,
    writer: Arc<Mutex<Option<W>>>,
    /// Nothing more comes of the reader.
    has_read: Arc<AtomicBool>,
    give_up: GiveUp,
}

/// What is called once, if at all.
type GiveUp = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

impl<R: Read + Send + 'static, W: Write + Send + 'static> Pipes<R, W> {
    /// Reads from one stream, writes to the other.
    pub fn new(reader: R, writer: W) -> Self {
        Self {
            reader: Arc::new(Mutex::new(reader)),
            writer: Arc::new(Mutex::new(Some(writer))),
            has_read: Arc::default(),
            give_up: Arc::default(),
        }
    }

    /// Sets what ends a read and a write that wait after the connection is over. It is not called when the
    /// peer has ended its side by itself, and everything was written.
    #[must_use]
    pub fn on_give_up(self, act: impl FnOnce() + Send + 'static) -> Self {
        *self.give_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
        self
    }

    /// Drops the writing stream; `false` when a write is under way.
    fn end_writing(&self) -> bool {
        let writer = match self.writer.try_lock() {
            Ok(mut writer) => writer.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => return false,
        };
        drop(writer);
        true
    }
}

impl<R: Read + Send + 'static, W: Write + Send + 'static> Socket for Pipes<R, W> {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            reader: Arc::clone(&self.reader),
            writer: Arc::clone(&self.writer),
            has_read: Arc::clone(&self.has_read),
            give_up: Arc::clone(&self.give_up),
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.lock().unwrap_or_else(PoisonError::into_inner).read(buffer);
        let is_end = match &result {
            Ok(count) => *count == 0,
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        };
        if is_end {
            self.has_read.store(true, Ordering::Release);
        }
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stream) = &mut *writer else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let count = stream.write(bytes)?;
        // The stream may hold back what is short, as standard output does.
        loop {
            match stream.flush() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(|()| count),
            }
        }
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Read {
            return Ok(());
        }
        let has_written = self.end_writing();
        if how == Shutdown::Both && !(has_written && self.has_read.load(Ordering::Acquire)) {
            let give_up = self.give_up.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(give_up) = give_up {
                give_up();
            }
        }
        Ok(())
    }
}

impl<R, W> fmt::Debug for Pipes<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipes").finish_non_exhaustive()
    }
}
