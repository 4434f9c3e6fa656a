//! What sits at the end of a wire: anything that turns bytes into bytes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use roadbed_core::connection::Connection;
use roadbed_core::link::{Link, LinkEvent};
use roadbed_core::session::SessionEvent;
use roadbed_core::time::Timestamp;

/// One end of a byte stream, driven by a [`Pair`](crate::Pair) or a [`World`](crate::World) under the
/// contract that all of Roadbed's state machines keep.
///
/// [`Client`], [`LinkEnd`] and [`Script`](crate::Script) are ends; implement it to put something of your own on a wire.
pub trait End {
    /// Bytes were appended to `input`, or [`wants_input`](Self::wants_input) has become true again.
    fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut);
    /// The other side ended its stream.
    fn handle_eof(&mut self, now: Timestamp);
    /// The stream broke in both directions.
    fn handle_lost(&mut self, now: Timestamp);
    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    fn handle_timeout(&mut self, now: Timestamp);
    /// The next bytes to write.
    fn poll_transmit(&mut self) -> Option<Bytes>;
    /// When [`handle_timeout`](Self::handle_timeout) is due: later than the last time handled.
    fn poll_timeout(&self) -> Option<Timestamp>;
    /// Whether to read on.
    fn wants_input(&self) -> bool;
    /// Takes the events that wait, to be asked for later. Says whether there were any.
    fn take_events(&mut self) -> bool;
    /// Whether nothing more will be written: the stream is ended.
    fn is_finished(&self) -> bool;
}

/// A client [`Connection`] with an application that takes its events and keeps them.
#[derive(Debug)]
pub struct Client {
    /// The connection, for commands and getters.
    pub connection: Connection,
    events: VecDeque<SessionEvent>,
    is_deaf: bool,
    is_closed: bool,
}

impl Client {
    /// Puts a connection on a wire.
    pub const fn new(connection: Connection) -> Self {
        Self { connection, events: VecDeque::new(), is_deaf: false, is_closed: false }
    }

    /// The events since the last call, in order.
    pub fn events(&mut self) -> Vec<SessionEvent> {
        self.take_events();
        self.events.drain(..).collect()
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<SessionEvent> {
        self.take_events();
        self.events.pop_front()
    }

    /// Whether the application stops taking events. The connection then stops reading when its queue is
    /// full.
    pub fn set_deaf(&mut self, is_deaf: bool) {
        self.is_deaf = is_deaf;
    }

    /// Whether [`SessionEvent::Closed`] was taken.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl End for Client {
    fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.connection.handle_input(now, input);
    }

    fn handle_eof(&mut self, now: Timestamp) {
        self.connection.handle_eof(now);
    }

    fn handle_lost(&mut self, now: Timestamp) {
        self.connection.handle_lost(now);
        self.take_events();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.connection.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.connection.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.connection.poll_timeout()
    }

    fn wants_input(&self) -> bool {
        self.connection.wants_input()
    }

    fn take_events(&mut self) -> bool {
        if self.is_deaf {
            return false;
        }
        let before = self.events.len();
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.is_closed, "{event:?} follows Closed");
            self.is_closed = matches!(event, SessionEvent::Closed { .. });
            self.events.push_back(event);
        }
        self.events.len() > before
    }

    fn is_finished(&self) -> bool {
        self.is_closed
    }
}

/// A router's [`Link`] with an owner that takes its events and keeps them: a router reduced to what it hears.
#[derive(Debug)]
pub struct LinkEnd {
    /// The link, to send and to close.
    pub link: Link,
    events: VecDeque<LinkEvent>,
    is_deaf: bool,
    is_closed: bool,
}

impl LinkEnd {
    /// Puts a link on a wire.
    pub const fn new(link: Link) -> Self {
        Self { link, events: VecDeque::new(), is_deaf: false, is_closed: false }
    }

    /// The events since the last call, in order.
    pub fn events(&mut self) -> Vec<LinkEvent> {
        std::iter::from_fn(|| self.next_event()).collect()
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front().or_else(|| self.poll())
    }

    /// Whether the owner stops taking events by itself: they are only taken when asked for.
    pub fn set_deaf(&mut self, is_deaf: bool) {
        self.is_deaf = is_deaf;
    }

    /// Whether [`LinkEvent::Closed`] was taken.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn poll(&mut self) -> Option<LinkEvent> {
        let event = self.link.poll_event()?;
        assert!(!self.is_closed, "{event:?} follows Closed");
        self.is_closed = matches!(event, LinkEvent::Closed { .. });
        Some(event)
    }
}

impl End for LinkEnd {
    fn handle_input(&mut self, now: Timestamp, input: &mut BytesMut) {
        self.link.handle_input(now, input);
    }

    fn handle_eof(&mut self, now: Timestamp) {
        self.link.handle_eof(now);
    }

    fn handle_lost(&mut self, now: Timestamp) {
        self.link.handle_lost(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.link.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.link.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.link.poll_timeout()
    }

    fn wants_input(&self) -> bool {
        self.link.wants_input()
    }

    fn take_events(&mut self) -> bool {
        if self.is_deaf {
            return false;
        }
        let before = self.events.len();
        while let Some(event) = self.poll() {
            self.events.push_back(event);
        }
        self.events.len() > before
    }

    fn is_finished(&self) -> bool {
        self.is_closed
    }
}
