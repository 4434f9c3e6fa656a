//! A transport that carries whole messages: nothing to frame, but the same limits, order and end as a [`Link`].
//!
//! [`Link`]: roadbed_core::link::Link

use std::collections::VecDeque;

use bytes::Bytes;
use roadbed_core::error::{CloseReason, ProtocolViolation};
use roadbed_core::limits::Limits;
use roadbed_core::link::LinkEvent;
use roadbed_core::serializer::{Encoded, Serializer};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::{FrameKind, TransportError};

use super::release;

/// Bytes of output up to which more is taken from the router, unless it is set otherwise.
const WINDOW: usize = 64 << 10;

pub(super) struct Whole {
    serializer: Serializer,
    max_send: usize,
    limits: Limits,
    receive_limit: usize,
    /// The next event. There is never more than one: a message is decoded when the one before it was taken.
    event: Option<LinkEvent>,
    last_size: usize,
    output: VecDeque<Encoded>,
    queued: usize,
    window: usize,
    /// Messages count: the peer has broken no rule, and we have not closed.
    is_heard: bool,
    is_paused: bool,
    end: End,
}

enum End {
    Open,
    /// `Closed` waits until the output was taken, but no longer than this.
    Draining(CloseReason, Timestamp),
    Due(CloseReason),
    Reported,
}

impl Whole {
    pub(super) fn new(limits: Limits, serializer: Serializer, max_send: usize) -> Self {
        Self {
            serializer,
            max_send,
            receive_limit: limits.handshake_message_size,
            limits,
            event: Some(LinkEvent::Open { serializer, max_send, request: None }),
            last_size: 0,
            output: VecDeque::new(),
            queued: 0,
            window: WINDOW,
            is_heard: true,
            is_paused: false,
            end: End::Open,
        }
    }

    pub(super) fn handle_message(&mut self, message: &Bytes) {
        if !self.is_heard || !self.is_open() {
            return;
        }
        self.last_size = message.len();
        let decoded = if message.len() > self.receive_limit {
            let (kind, size, limit) = (FrameKind::Message, message.len(), self.receive_limit);
            Err(ProtocolViolation::from(TransportError::ReceivedTooLarge { kind, size, limit }))
        } else {
            self.serializer.decode(message, &self.limits)
        };
        self.event = Some(match decoded {
            Ok(message) => LinkEvent::Message(message),
            Err(violation) => {
                self.is_heard = violation.request().is_some();
                LinkEvent::Violation(violation)
            }
        });
    }

    pub(super) fn end(&mut self, reason: CloseReason) {
        if let End::Open | End::Draining(..) = self.end {
            self.end = End::Due(match std::mem::replace(&mut self.end, End::Reported) {
                End::Draining(earlier, _) => earlier,
                _ => reason,
            });
        }
    }

    pub(super) fn handle_lost(&mut self) {
        self.end(CloseReason::Eof);
        self.output = VecDeque::new();
        self.queued = 0;
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if let End::Draining(reason, until) = &self.end
            && *until <= now
        {
            self.end = End::Due(reason.clone());
        }
    }

    pub(super) fn send(&mut self, message: Encoded) {
        if message.len() <= self.max_send && self.is_open() {
            self.queued = self.queued.saturating_add(message.len());
            self.output.push_back(message);
        }
    }

    pub(super) fn close(&mut self, now: Timestamp) {
        self.is_heard = false;
        if let End::Open = self.end {
            let until = now.saturating_add(self.limits.goodbye_timeout);
            self.end = End::Draining(CloseReason::Local, until);
        }
    }

    pub(super) fn poll_message(&mut self) -> Option<Encoded> {
        let message = self.output.pop_front()?;
        self.queued = self.queued.saturating_sub(message.len());
        release(&mut self.output);
        Some(message)
    }

    pub(super) fn poll_event(&mut self) -> Option<LinkEvent> {
        if let Some(event) = self.event.take() {
            return Some(event);
        }
        match std::mem::replace(&mut self.end, End::Reported) {
            End::Draining(reason, _) if self.output.is_empty() => Some(LinkEvent::Closed { reason }),
            End::Due(reason) => Some(LinkEvent::Closed { reason }),
            other => {
                self.end = other;
                None
            }
        }
    }

    pub(super) const fn window(&self) -> usize {
        self.window
    }

    pub(super) const fn set_window(&mut self, bytes: usize) {
        // One message is always taken, or none could ever be.
        self.window = if bytes == 0 { 1 } else { bytes };
    }

    pub(super) fn set_receive_limit(&mut self, bytes: usize) {
        self.receive_limit = bytes;
    }

    pub(super) fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.end {
            End::Draining(_, until) => Some(*until),
            _ => None,
        }
    }

    pub(super) fn wants_input(&self) -> bool {
        self.event.is_none() && !self.is_paused && self.is_open()
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.end, End::Open)
    }

    pub(super) const fn room(&self) -> usize {
        if self.is_open() { self.window.saturating_sub(self.queued) } else { 0 }
    }

    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    pub(super) const fn last_message_size(&self) -> usize {
        self.last_size
    }
}
