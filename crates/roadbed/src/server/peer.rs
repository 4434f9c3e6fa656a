//! The driver of one peer.

use std::fmt;
use std::task::Waker;

use bytes::BytesMut;
use roadbed_core::link::Link;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;

use super::RouterHandle;
use super::state::{After, State};
use crate::drive::{Drive, Output, Room};

/// The driver's end of an accepted connection: both halves of it, see [`Drive`]. Dropped, the peer is
/// gone.
pub struct PeerDriver {
    router: RouterHandle,
    key: usize,
}

impl PeerDriver {
    pub(super) fn new(router: RouterHandle, details: TransportDetails) -> Self {
        let mut link = Link::server(&router.0.link, router.0.runtime.now());
        link.set_secure(details.is_secure);
        let key = router.with(|state, _| state.insert(link, details));
        Self { router, key }
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

impl Drive for PeerDriver {
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

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        self.with(|state, key, now, after| {
            state.run_timers(key, now);
            if can_write && let Some(bytes) = state.get(key).and_then(|slot| slot.link.poll_transmit()) {
                // There is room for what the router holds back, and perhaps for input.
                state.pull(key, now);
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
}

impl Drop for PeerDriver {
    fn drop(&mut self) {
        let (key, now) = (self.key, self.router.0.runtime.now());
        self.router.with(|state, after| state.remove(key, now, after));
    }
}

impl fmt::Debug for PeerDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerDriver").field("key", &self.key).finish_non_exhaustive()
    }
}
