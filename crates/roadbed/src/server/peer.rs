//! The driver of one peer.

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use roadbed_core::link::Link;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;

use super::RouterHandle;
use super::state::{After, State};
#[cfg(feature = "tls")]
use crate::drive::Secure;
use crate::drive::{Drive, Layered, Output, Room, layered};

/// The driver's end of an accepted connection: both halves of it, see [`Drive`]. Dropped, the peer is
/// gone.
#[derive(Debug)]
pub struct PeerDriver(Layered<Core>);

impl PeerDriver {
    /// For a stream that was accepted.
    pub(super) fn new(router: RouterHandle, details: TransportDetails) -> Self {
        #[cfg(feature = "tls")]
        if let Some((config, is_required)) = router.0.tls.clone() {
            let runtime = Arc::clone(&router.0.runtime);
            let core = Core::new(router, details, false);
            let secure = Secure::server(core, config, is_required, runtime);
            return Self(Layered::Secure(Box::new(secure)));
        }
        Self(Layered::Plain(Core::new(router, details, false)))
    }

    /// For a stream inside of this process: TLS is not looked for, and there is always room.
    pub(super) fn local(router: RouterHandle, details: TransportDetails) -> Self {
        Self(Layered::Plain(Core::new(router, details, true)))
    }
}

impl Drive for PeerDriver {
    layered!(0);
}

/// The driver's end of the connection itself, above whatever layers are under it.
struct Core {
    router: RouterHandle,
    key: usize,
    /// There was more output behind what was taken last.
    has_more: AtomicBool,
}

impl Core {
    fn new(router: RouterHandle, mut details: TransportDetails, is_ours: bool) -> Self {
        let now = router.0.runtime.now();
        let mut link = Link::server(&router.0.link, now);
        link.set_secure(details.is_secure);
        // A peer has one deadline for all of it: TLS, the transport, HELLO.
        details.opened.get_or_insert(now);
        let key = router.with(|state, _| state.insert(link, details, is_ours, now));
        Self { router, key, has_more: AtomicBool::new(false) }
    }

    /// Lets `act` at the state, then wakes the half of this connection that has something to do by it.
    fn with<R>(&self, act: impl FnOnce(&mut State, usize, Timestamp, &mut After) -> R) -> R {
        let (key, now) = (self.key, self.router.0.runtime.now());
        self.router.with(|state, after| {
            let result = act(state, key, now, after);
            state.rouse(key, after);
            result
        })
    }
}

impl Drive for Core {
    fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room {
        self.with(|state, key, now, _| {
            state.awake(key, waker);
            if !input.is_empty() {
                state.feed(key, now, input);
            }
            let Some(slot) = state.get(key) else { return Room::Discard };
            if slot.has_ended {
                Room::Discard
            } else if slot.link.wants_input() {
                Room::Read(slot.link.input_hint())
            } else {
                state.reader_sleeps(key, waker);
                Room::Wait
            }
        })
    }

    fn feed(&self, input: &mut BytesMut) {
        self.with(|state, key, now, _| state.feed(key, now, input));
    }

    fn eof(&self, input: &mut BytesMut) {
        self.with(|state, key, now, _| {
            state.feed(key, now, input);
            if let Some(slot) = state.get(key) {
                slot.link.handle_eof(now);
            }
            state.take_events(key, now);
        });
    }

    fn lost(&self) {
        self.with(|state, key, now, _| {
            if let Some(slot) = state.get(key) {
                slot.link.handle_lost(now);
            }
            state.take_events(key, now);
        });
    }

    fn expire(&self) {
        self.with(|state, key, now, _| state.run_timers(key, now));
    }

    fn secured(&self, channel_binding: Option<Bytes>) {
        self.with(|state, key, _, _| {
            if let Some(slot) = state.get(key) {
                slot.details.is_secure = true;
                slot.link.set_secure(true);
                slot.details.channel_binding = channel_binding;
            }
        });
    }

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        self.with(|state, key, now, after| {
            if can_write && let Some(bytes) = state.get(key).and_then(|slot| slot.link.poll_transmit()) {
                // There is room for what the router holds back, and perhaps for input.
                state.pull(key, now);
                let has_more = state.get(key).is_some_and(|slot| slot.link.queued() > 0);
                self.has_more.store(has_more, Ordering::Relaxed);
                return Output::Write(bytes);
            }
            // Only now, with the output fetched, the last event may come.
            state.take_events(key, now);
            let (has_ended, is_lost) =
                state.get(key).map_or((true, true), |slot| (slot.has_ended, slot.is_lost));
            if has_ended {
                state.hand_over(key, after);
                return if is_lost { Output::Drop } else { Output::End };
            }
            Output::Idle(state.writer_sleeps(key, waker, can_write))
        })
    }

    fn more(&self) -> Option<Bytes> {
        // Asked by the same thread as `output`, and a hint otherwise.
        if !self.has_more.load(Ordering::Relaxed) {
            return None;
        }
        self.with(|state, key, now, _| {
            let bytes = state.get(key)?.link.poll_transmit()?;
            state.pull(key, now);
            Some(bytes)
        })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let (key, now) = (self.key, self.router.0.runtime.now());
        self.router.with(|state, after| state.remove(key, now, after));
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("key", &self.key).finish_non_exhaustive()
    }
}
