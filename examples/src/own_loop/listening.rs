//! Accepting connections for a router.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use roadbed::core::time::Timestamp;
use roadbed::server::{Backoff, RouterHandle};

use super::Turn;
use super::peer::Peer;
use crate::stream::{Listener, Socket};

/// What connections are accepted from.
pub trait Accept: Send + 'static {
    /// Lets [`accept`](Self::accept) fail with `WouldBlock` instead of waiting.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_nonblocking(&self) -> io::Result<()>;

    /// The next connection.
    ///
    /// # Errors
    /// What the operating system says; `WouldBlock` when there is none.
    fn accept(&mut self) -> io::Result<Socket>;
}

impl Accept for Listener {
    fn set_nonblocking(&self) -> io::Result<()> {
        Self::set_nonblocking(self, true)
    }

    fn accept(&mut self) -> io::Result<Socket> {
        Self::accept(self)
    }
}

pub(super) struct Listening {
    listener: Box<dyn Accept>,
    router: RouterHandle,
    is_stopped: Arc<AtomicBool>,
    backoff: Backoff,
    /// Not before this time again.
    pause: Option<Timestamp>,
}

impl Listening {
    pub(super) fn new(listener: Box<dyn Accept>, router: RouterHandle, is_stopped: Arc<AtomicBool>) -> Self {
        Self { listener, router, is_stopped, backoff: Backoff::new(), pause: None }
    }

    /// Accepts whoever is there; `false` when the listener can be closed.
    pub(super) fn accept(&mut self, turn: &mut Turn, peers: &mut Vec<Peer>) -> bool {
        if self.is_stopped.load(Ordering::Acquire) {
            return false;
        }
        while self.pause.is_none_or(|at| at <= turn.now) {
            self.pause = None;
            let accepted = self.listener.accept().and_then(|socket| {
                let details = socket.details();
                Peer::new(Box::new(self.router.accept_driver(details)), socket)
            });
            match accepted {
                Ok(peer) => {
                    self.backoff.accepted();
                    turn.has_moved = true;
                    peers.push(peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.pause = self.backoff.failed(&error).map(|pause| turn.now + pause),
            }
        }
        turn.until(self.pause);
        true
    }
}
