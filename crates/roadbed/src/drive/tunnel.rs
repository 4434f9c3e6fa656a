//! A connection through an HTTP proxy.

use std::fmt;
use std::io;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use roadbed_core::transport::{HttpConnect, ProxyError};

use super::{Drive, Output, Room};
use crate::error::Error;
use crate::guard::{Guarded, Sleeper};

/// What is read at once of a proxy's answer.
const HEAD: usize = 2048;

/// A connection whose stream leads to an HTTP proxy: the proxy is asked for a tunnel, and what the connection has
/// to say waits until that is there. Its deadlines run meanwhile.
pub struct Tunnel<D> {
    inner: D,
    state: Guarded<State>,
}

struct State {
    step: Step,
    writer: Sleeper,
}

enum Step {
    Asking { connect: HttpConnect, is_asked: bool },
    Open,
    Failed,
}

impl<D: Drive> Tunnel<D> {
    /// Asks with `connect` for a tunnel to the far end of `inner`.
    pub fn new(inner: D, connect: HttpConnect) -> Self {
        let step = Step::Asking { connect, is_asked: false };
        Self { inner, state: Guarded::new(State { step, writer: Sleeper::default() }) }
    }

    /// What is connected through the tunnel.
    pub(crate) const fn inner(&self) -> &D {
        &self.inner
    }

    /// Reads the proxy's answer. Whether the tunnel is there.
    fn advance(&self, input: &mut BytesMut, is_eof: bool) -> bool {
        let (answer, wakers) = self.state.with(|state, wakers: &mut Vec<Waker>| {
            let answer = match &mut state.step {
                Step::Asking { connect, .. } => match connect.read(input) {
                    Ok(false) if is_eof => Err(connect.truncated(input.len())),
                    answer => answer,
                },
                Step::Open => return Ok(true),
                Step::Failed => Ok(false),
            };
            match answer {
                Ok(false) => {}
                Ok(true) => state.step = Step::Open,
                Err(_) => state.step = Step::Failed,
            }
            if !matches!(answer, Ok(false)) {
                wakers.extend(state.writer.rouse());
            }
            answer
        });
        wakers.into_iter().for_each(Waker::wake);
        answer.unwrap_or_else(|error: ProxyError| {
            input.clear();
            self.inner.failed(error.into());
            false
        })
    }

    fn is<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        self.state.with(|state, (): &mut ()| look(state)).0
    }
}

impl<D: Drive> Drive for Tunnel<D> {
    fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room {
        let is_failed = self.is(|state| {
            state.writer.awake(waker);
            match state.step {
                Step::Asking { .. } => Some(false),
                Step::Failed => Some(true),
                Step::Open => None,
            }
        });
        match is_failed {
            None => self.inner.room(input, waker),
            Some(true) => Room::Discard,
            Some(false) => Room::Read(HEAD),
        }
    }

    fn feed(&self, input: &mut BytesMut) {
        if self.advance(input, false) && !input.is_empty() {
            self.inner.feed(input);
        }
    }

    fn eof(&self, input: &mut BytesMut) {
        if self.advance(input, true) {
            self.inner.eof(input);
        }
    }

    fn broke(&self, error: io::Error) {
        self.inner.broke(error);
    }

    fn lost(&self) {
        self.inner.lost();
    }

    fn expire(&self) {
        self.inner.expire();
    }

    fn secured(&self, channel_binding: Option<Bytes>) {
        self.inner.secured(channel_binding);
    }

    fn failed(&self, error: Error) {
        self.inner.failed(error);
    }

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        let (request, is_open) = self.is(|state| match &mut state.step {
            Step::Asking { connect, is_asked } if can_write && !*is_asked => {
                *is_asked = true;
                (Some(connect.request()), false)
            }
            // Told when the tunnel is there; what follows only looks at deadlines.
            Step::Asking { .. } => {
                state.writer.sleep(waker);
                (None, false)
            }
            Step::Open => (None, true),
            Step::Failed => (None, false),
        });
        match request {
            Some(request) => Output::Write(request),
            None => self.inner.output(can_write && is_open, waker),
        }
    }

    fn more(&self) -> Option<Bytes> {
        if self.is(|state| matches!(state.step, Step::Open)) { self.inner.more() } else { None }
    }

    fn expects_more(&self) -> bool {
        self.inner.expects_more()
    }
}

impl<D: fmt::Debug> fmt::Debug for Tunnel<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("inner", &self.inner).finish_non_exhaustive()
    }
}
