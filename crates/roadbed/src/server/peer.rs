//! The driver of one peer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_router::{Exchange, Grant, PeerId, Port, ShardId};

use super::RouterHandle;
use super::admission::Place;
use super::after::After;
use super::mailbox::Mailbox;
#[cfg(feature = "tls")]
use crate::drive::Secure;
use crate::drive::{Drive, Layered, Output, Room, layered};
use crate::guard::{Guarded, Sleeper};

/// When those that there is no room for may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

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
            let core = Core::new(router, details, None, false);
            let secure = Secure::server(core, config, is_required, runtime);
            return Self(Layered::Secure(Box::new(secure)));
        }
        Self(Layered::Plain(Core::new(router, details, None, false)))
    }

    /// For a stream inside of this process: TLS is not looked for, and there is always room.
    pub(super) fn local(router: RouterHandle, grant: Option<Grant>) -> Self {
        Self(Layered::Plain(Core::new(router, TransportDetails::local(), grant, true)))
    }
}

impl Drive for PeerDriver {
    layered!(0);
}

/// The driver's end of the connection itself, above whatever layers are under it.
///
struct Core {
    router: RouterHandle,
    key: usize,
    mailbox: Arc<Mailbox>,
    own: Guarded<Own>,
    /// There was more output behind what was taken last.
    has_more: AtomicBool,
}

/// What the two halves of a driver share.
struct Own {
    port: Port,
    place: Place,
    /// The shard that knows the connection's mailbox, and by which name.
    hosted: Option<(ShardId, PeerId)>,
    /// It was given up: nothing is left to wait for.
    is_lost: bool,
    reader: Sleeper,
    writer: Sleeper,
    /// What the writer sleeps for beside the end: output, and a time.
    wants_output: bool,
    until: Option<Timestamp>,
}

impl Core {
    fn new(router: RouterHandle, details: TransportDetails, grant: Option<Grant>, is_ours: bool) -> Self {
        let now = router.0.runtime.now();
        let mut port = Port::new(&router.0.link, details, now);
        if let Some(grant) = grant {
            port = port.trusted(grant);
        }
        let mailbox = Arc::new(Mailbox::new());
        let (key, place) = router.with_lobby(|entrance, _| entrance.insert(&mailbox, is_ours));
        let own = Own {
            port,
            place,
            hosted: None,
            is_lost: false,
            reader: Sleeper::default(),
            writer: Sleeper::default(),
            wants_output: false,
            until: None,
        };
        let core = Self { router, key, mailbox, own: Guarded::new(own), has_more: AtomicBool::new(false) };
        if matches!(place, Place::Refused | Place::Outside) {
            core.with(|own, now, after| {
                own.port.refuse(RETRY_AFTER);
                if place == Place::Outside {
                    core.give_up(own, now);
                }
                core.exchange(own, Exchange::Lobby, now, after);
            });
        }
        core
    }

    /// Lets `act` at the connection, then wakes the half of it that has something to do by that.
    fn with<R>(&self, act: impl FnOnce(&mut Own, Timestamp, &mut After) -> R) -> R {
        let now = self.router.0.runtime.now();
        let (result, after) = self.own.with(|own, after| {
            let result = act(own, now, after);
            own.rouse(after);
            result
        });
        self.router.carry_out(after);
        result
    }

    /// Exchanges once; what that takes and decodes is bounded.
    fn exchange(&self, own: &mut Own, with: Exchange, now: Timestamp, after: &mut After) {
        match with {
            Exchange::Lobby => {
                let before = own.port.peer();
                self.router.in_lobby(after, |entrance, _| {
                    own.port.exchange_with_lobby(&mut entrance.lobby, now);
                    let peer = own.port.peer();
                    if peer != before {
                        entrance.rename(before, peer, &self.mailbox);
                    }
                    if own.port.has_ended() {
                        own.place = entrance.retire(own.place);
                    }
                    ((), peer)
                });
            }
            Exchange::Shard(shard) => {
                self.router.in_shard(shard, after, |hosted, after| {
                    let peer = own.port.peer();
                    if own.hosted.is_none() {
                        own.hosted = peer.map(|peer| (shard, peer));
                        peer.into_iter().for_each(|peer| hosted.insert(peer, &self.mailbox));
                    }
                    own.port.exchange_with_shard(&mut hosted.shard, now);
                    if own.port.shard().is_none() && own.hosted.take().is_some() {
                        peer.into_iter().for_each(|peer| hosted.remove(peer, after));
                    }
                    ((), peer)
                });
            }
        }
        // A peer that waited for its shard may be turned away elsewhere.
        if let Some((shard, peer)) = own.hosted.take_if(|(shard, _)| own.port.shard() != Some(*shard)) {
            self.router.in_shard(shard, after, |hosted, after| (hosted.remove(peer, after), None));
        }
        own.port.advance(now);
    }

    /// Exchanges as long as there is something to hand over, or to take.
    fn settle(&self, own: &mut Own, now: Timestamp, after: &mut After) {
        while let Some(with) = own.port.next_exchange() {
            self.exchange(own, with, now, after);
        }
    }

    /// Takes bytes that were read, all that is welcome.
    fn take(&self, own: &mut Own, input: &mut BytesMut, now: Timestamp, after: &mut After) {
        own.port.handle_input(now, input);
        while let Some(with) = own.port.next_exchange() {
            self.exchange(own, with, now, after);
            own.port.handle_input(now, input);
        }
    }

    fn give_up(&self, own: &mut Own, now: Timestamp) {
        own.is_lost = true;
        own.port.handle_lost(now);
    }
}

impl Own {
    /// Wakes the halves that have something to do.
    fn rouse(&mut self, after: &mut After) {
        let has_ended = self.port.has_ended();
        if self.writer.is_asleep() {
            let has_output = self.wants_output && self.port.queued() > 0;
            let is_early = match (self.port.poll_timeout(), self.until) {
                (Some(at), Some(until)) => at < until,
                (at, until) => until.is_none() && at.is_some(),
            };
            if has_output || has_ended || is_early {
                after.wakers.extend(self.writer.rouse());
            }
        }
        if self.reader.is_asleep() && (has_ended || self.port.wants_input()) {
            after.wakers.extend(self.reader.rouse());
        }
    }
}

impl Drive for Core {
    fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room {
        self.with(|own, now, after| {
            own.writer.awake(waker);
            own.reader.awake(waker);
            self.take(own, input, now, after);
            if own.port.has_ended() {
                Room::Discard
            } else if own.port.wants_input() {
                Room::Read(own.port.input_hint())
            } else {
                after.replaced.extend(own.reader.sleep(waker));
                Room::Wait
            }
        })
    }

    fn feed(&self, input: &mut BytesMut) {
        self.with(|own, now, after| self.take(own, input, now, after));
    }

    fn eof(&self, input: &mut BytesMut) {
        self.with(|own, now, after| {
            self.take(own, input, now, after);
            own.port.handle_eof(now);
            self.settle(own, now, after);
        });
    }

    fn lost(&self) {
        self.with(|own, now, after| {
            own.port.handle_lost(now);
            self.settle(own, now, after);
        });
    }

    fn expire(&self) {
        self.with(|own, now, after| {
            own.port.handle_timeout(now);
            self.settle(own, now, after);
        });
    }

    fn secured(&self, channel_binding: Option<Bytes>) {
        self.with(|own, _, _| own.port.set_secure(channel_binding));
    }

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        self.with(|own, now, after| {
            loop {
                if can_write && let Some(bytes) = own.port.poll_transmit() {
                    self.has_more.store(own.port.queued() > 0, Ordering::Relaxed);
                    return Output::Write(bytes);
                }
                if let Some(with) = own.port.next_exchange() {
                    self.exchange(own, with, now, after);
                    continue;
                }
                if own.port.has_ended() {
                    let is_over = own.is_lost || own.port.must_drop();
                    return if is_over { Output::Drop } else { Output::End };
                }
                // The decision to sleep: with the connection locked, and nothing left for it by the router.
                let Some(mail) = self.mailbox.take_or_sleep(waker, &mut after.replaced) else { break };
                if mail.is_lost {
                    self.give_up(own, now);
                }
                if mail.is_called {
                    self.exchange(own, Exchange::Lobby, now, after);
                }
                if let Some(shard) = own.port.shard().filter(|_| mail.is_ready) {
                    self.exchange(own, Exchange::Shard(shard), now, after);
                }
            }
            after.replaced.extend(own.writer.sleep(waker));
            own.wants_output = can_write;
            own.until = own.port.poll_timeout();
            Output::Idle(own.until)
        })
    }

    fn more(&self) -> Option<Bytes> {
        // Asked by the same thread as `output`, and a hint otherwise.
        if !self.has_more.load(Ordering::Relaxed) {
            return None;
        }
        self.with(|own, _, _| own.port.poll_transmit())
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.with(|own, now, after| {
            own.port.handle_lost(now);
            self.settle(own, now, after);
            let (key, place) = (self.key, own.place);
            self.router.in_lobby(after, |entrance, after| (entrance.remove(key, place, after), None));
        });
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("key", &self.key).finish_non_exhaustive()
    }
}
