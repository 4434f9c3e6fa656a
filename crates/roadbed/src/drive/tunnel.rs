//! A connection through an HTTP proxy.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use roadbed_core::transport::{HttpConnect, ProxyError};

use super::{Drive, Output, Room};
use crate::error::Error;
use crate::guard::{Guarded, Sleeper};
use crate::runtime::Runtime;

/// What is read at once of a proxy's answer.
const HEAD: usize = 2048;

/// A connection whose stream leads to an HTTP proxy: the proxy is asked for a tunnel, and what the connection has
/// to say waits until that is there. Its deadlines run meanwhile.
pub struct Tunnel<D> {
    inner: D,
    runtime: Arc<dyn Runtime>,
    state: Guarded<State>,
}

struct State {
    step: Step,
    writer: Sleeper,
}

enum Step {
    Asking { connect: Box<HttpConnect>, is_asked: bool },
    Open,
    Failed,
}

impl<D: Drive> Tunnel<D> {
    /// Asks with `connect` for a tunnel to the far end of `inner`.
    pub fn new(inner: D, connect: HttpConnect, runtime: Arc<dyn Runtime>) -> Self {
        let step = Step::Asking { connect: Box::new(connect), is_asked: false };
        Self { inner, runtime, state: Guarded::new(State { step, writer: Sleeper::default() }) }
    }

    /// What is connected through the tunnel.
    pub(crate) const fn inner(&self) -> &D {
        &self.inner
    }

    /// Reads the proxy's answer. Whether the tunnel is there.
    fn advance(&self, input: &mut BytesMut, is_eof: bool) -> bool {
        let now = self.runtime.now();
        let answer = self.step(|connect| match connect.read(now, input) {
            Ok(false) if is_eof => Err(connect.handle_eof(input.len())),
            answer => answer,
        });
        answer.unwrap_or_else(|error| {
            input.clear();
            self.inner.failed(error.into());
            false
        })
    }

    /// The tunnel does not come.
    fn fail(&self, why: impl FnOnce(&mut HttpConnect) -> Option<ProxyError>) {
        if let Err(error) = self.step(|connect| why(connect).map_or(Ok(false), Err)) {
            self.inner.failed(error.into());
        }
    }

    /// Takes a step if the tunnel is not decided on. Whether it is there; an error is reported once.
    fn step(
        &self,
        act: impl FnOnce(&mut HttpConnect) -> Result<bool, ProxyError>,
    ) -> Result<bool, ProxyError> {
        let (answer, wakers) = self.state.with(|state, wakers: &mut Vec<Waker>| {
            let (answer, waits) = match &mut state.step {
                Step::Asking { connect, .. } => {
                    let before = connect.poll_timeout();
                    let answer = act(connect);
                    (answer, connect.poll_timeout() == before)
                }
                Step::Open => return Ok(true),
                Step::Failed => return Ok(false),
            };
            match answer {
                Ok(false) => {}
                Ok(true) => state.step = Step::Open,
                Err(_) => state.step = Step::Failed,
            }
            // Another deadline counts, or what waited for the tunnel.
            if !waits || !matches!(answer, Ok(false)) {
                wakers.extend(state.writer.rouse());
            }
            answer
        });
        wakers.into_iter().for_each(Waker::wake);
        answer
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
        // What it said first counts, even if the rest is cut off.
        self.fail(HttpConnect::give_up);
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
        let now = self.runtime.now();
        self.fail(|connect| connect.handle_timeout(now));
        let (request, until, is_open, _replaced) = self.is(|state| match &mut state.step {
            Step::Asking { connect, is_asked } if can_write && !*is_asked => {
                *is_asked = true;
                (Some(connect.request()), None, false, None)
            }
            // Told when the tunnel is there; what follows only looks at deadlines.
            Step::Asking { connect, .. } => {
                let replaced = state.writer.sleep(waker);
                (None, connect.poll_timeout(), false, replaced)
            }
            Step::Open => (None, None, true, None),
            Step::Failed => (None, None, false, None),
        });
        match request {
            Some(request) => Output::Write(request),
            None => self.inner.output(can_write && is_open, waker).by(until),
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
