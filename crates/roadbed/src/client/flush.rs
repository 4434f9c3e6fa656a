//! Waiting until what was queued is written.

use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::request::{Command, Request, Sending, Sent, request_future, timeout_setters};
use super::shared::After;
use super::state::State;
use super::via::Via;
use super::waiters::Waiters;
use crate::error::{Error, Operation};

/// How much may overtake what is queued: pings, and the frame of a Close.
const OVERTAKING: u64 = 1024;

/// How far the output has come, and who waits for how much of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Bytes that the driver took, and how many of them it has written.
    taken: u64,
    written: u64,
    /// A write failed: what is taken from now on reaches nobody.
    is_broken: bool,
    waiters: Waiters<u64, ()>,
    /// Up to which byte each waits.
    targets: std::collections::BTreeMap<u64, u64>,
    last: u64,
}

impl Written {
    /// The driver takes so many bytes.
    pub(super) fn take(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// A write failed. Those who wait hear it with the end of the session, which follows.
    pub(super) const fn broke(&mut self) {
        self.is_broken = true;
    }

    /// The driver has written all it took; so much is queued behind that.
    pub(super) fn all_written(&mut self, queued: usize, after: &mut After) {
        if self.is_broken {
            return;
        }
        self.written = self.taken;
        // Requests come in the order of their targets.
        while let Some((&ticket, &target)) = self.targets.first_key_value()
            && (queued == 0 || target <= self.written)
        {
            self.targets.remove(&ticket);
            if let Some(waiter) = self.waiters.remove(&ticket) {
                after.deliver(waiter, Ok(()));
            }
        }
    }

    pub(super) const fn waiters(&mut self) -> &mut Waiters<u64, ()> {
        &mut self.waiters
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.waiters.deadline()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }
}

/// Waits until everything queued so far was written to the socket: await it, or `wait()` for it.
///
/// What was written may still be lost with the connection; an acknowledged publication is not.
#[derive(Debug)]
#[must_use = "it waits for nothing before it is awaited"]
pub struct Flush {
    via: Via,
    timeout: Option<Duration>,
}

impl Flush {
    pub(super) fn new(via: Via) -> Self {
        let timeout = via.request_timeout();
        Self { via, timeout }
    }

    fn into_request(self) -> Request<FlushCommand> {
        Request::new(self.via, Ok(FlushCommand), self.timeout)
    }
}

timeout_setters!(Flush, timeout);

request_future! {
    /// Output that is waited for.
    Flushing(FlushCommand) of Flush -> (), |()| ()
}

#[derive(Debug)]
struct FlushCommand;

impl Command for FlushCommand {
    type Id = u64;
    type Answer = ();
    type Output = ();

    const NEEDS_ROOM: bool = false;

    fn names(&self) -> (Operation, Option<&Uri>) {
        (Operation::Flush, None)
    }

    fn send(&mut self, sending: Sending<'_>) -> Result<Sent<u64, ()>, Error> {
        let Sending { state, until, .. } = sending;
        if state.is_over() {
            return Err(state.end().into());
        }
        let queued = state.connection.queued();
        let output = &mut state.written;
        if queued == 0 && output.written == output.taken && !output.is_broken {
            return Ok(Sent::Done(()));
        }
        let (waiter, answer) = oneshot::channel();
        output.last += 1;
        let queued = u64::try_from(queued).unwrap_or(u64::MAX);
        output.targets.insert(output.last, output.taken.saturating_add(queued).saturating_add(OVERTAKING));
        output.waiters.insert(output.last, waiter, until);
        Ok(Sent::Waits(output.last, answer))
    }

    fn finish(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }

    fn abandon(id: u64, state: &mut State, _: Timestamp, _: &mut After) {
        state.written.targets.remove(&id);
        state.written.waiters.remove(&id);
    }
}

/// A session's output, through its handle.
pub(super) fn flush(shared: &Arc<super::shared::Shared>) -> Flush {
    Flush::new(Via::from(Arc::clone(shared)))
}
