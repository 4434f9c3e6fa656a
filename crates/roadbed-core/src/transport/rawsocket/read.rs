//! The reading half: whole frames off the front of the caller's buffer.

use bytes::{Buf, Bytes, BytesMut};

use super::frame::{HEADER_LEN, Header, MAX_SEND};
use super::{End, Phase, RawSocket, RawSocketError, handshake};
use crate::time::Timestamp;
use crate::transport::read_size::split_frame;
use crate::transport::sniff::TLS_ALERT;
use crate::transport::{FrameKind, TransportClose, TransportError, TransportEvent, TransportRole};

/// What one step of reading came to.
enum Step {
    Done,
    NeedMore,
}

impl RawSocket {
    pub(super) fn read(&mut self, now: Timestamp, input: &mut BytesMut) {
        let now = self.liveness.observe(now);
        if self.phase == Phase::Closed {
            input.clear();
            return;
        }
        self.read_size.adapt(input.len(), self.left);
        if self.stalled {
            self.stalled = false;
            self.held = false;
            self.resume_timer(now);
        }
        if input.len() > self.left {
            self.liveness.heard(now);
        }
        while self.wants_input() {
            match self.step(now, input) {
                Ok(Step::Done) => {}
                Ok(Step::NeedMore) => break,
                // What came before is the owner's to see first: to raise the limit, or to answer.
                Err(_) if !self.events.is_empty() => self.held = true,
                Err(error) => {
                    self.may_explain = self.phase == Phase::Open;
                    self.finish(TransportClose::Failed(error));
                    input.clear();
                    return;
                }
            }
        }
        self.left = input.len();
        if !self.wants_input() {
            self.stalled = true;
            self.liveness.suspend();
        }
        if self.eof {
            self.handle_eof(now);
        }
    }

    fn step(&mut self, now: Timestamp, input: &mut BytesMut) -> Result<Step, TransportError> {
        if self.phase == Phase::Handshake {
            self.read_handshake(now, input)
        } else {
            self.read_frame(now, input)
        }
    }

    fn read_handshake(&mut self, now: Timestamp, input: &mut BytesMut) -> Result<Step, TransportError> {
        match input.first() {
            None => return Ok(Step::NeedMore),
            Some(&handshake::MAGIC) => {}
            Some(&TLS_ALERT) if self.role() == TransportRole::Client => {
                return Err(RawSocketError::WantsTls.into());
            }
            Some(&found) => return Err(RawSocketError::BadMagic { found }.into()),
        }
        let Some(&octets) = input.first_chunk::<{ handshake::LEN }>() else { return Ok(Step::NeedMore) };
        input.advance(handshake::LEN);
        let (serializer, limit) = match &self.end {
            End::Client(requested) => (*requested, handshake::read_reply(octets, *requested)?),
            End::Server(accepted) => match handshake::read_request(octets, accepted) {
                Ok(request) => request,
                Err(error) => {
                    if let Some(refusal) = handshake::refusal_for(error) {
                        self.control.push_frame(&handshake::refusal(refusal), &[]);
                    }
                    return Err(error.into());
                }
            },
        };
        if self.role() == TransportRole::Server {
            self.control.push_frame(&handshake::encode(self.length_code, serializer), &[]);
        }
        self.phase = Phase::Open;
        self.serializer = Some(serializer);
        self.max_send = limit.min(MAX_SEND);
        self.liveness.open(now);
        self.events.push_back(TransportEvent::Open { serializer, max_send: self.max_send });
        Ok(Step::Done)
    }

    fn read_frame(&mut self, now: Timestamp, input: &mut BytesMut) -> Result<Step, TransportError> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some(&octets) = input.first_chunk::<HEADER_LEN>() else { return Ok(Step::NeedMore) };
                let header = Header::decode(octets)?;
                if header.len > self.limit_for(header.kind, self.receive_limit) {
                    return Err(self.over_limit(header));
                }
                *self.header.insert(header)
            }
        };
        if input.len().saturating_sub(HEADER_LEN) < header.len {
            return Ok(Step::NeedMore);
        }
        if header.kind == FrameKind::Ping && matches!(self.events.back(), Some(TransportEvent::Message(_))) {
            // Messages before it may end the session, and nothing is answered after that.
            self.held = true;
            return Ok(Step::NeedMore);
        }
        self.header = None;
        input.advance(HEADER_LEN);
        let body = match header.len {
            // An empty slice would still pin the whole read buffer.
            0 => Bytes::new(),
            len => split_frame(input, len),
        };
        match header.kind {
            FrameKind::Message => self.events.push_back(TransportEvent::Message(body)),
            FrameKind::Ping => {
                self.control.push_frame(&Header::encode(FrameKind::Pong, header.len), &[body]);
                self.liveness.activate(now);
            }
            FrameKind::Pong => {}
        }
        Ok(Step::Done)
    }

    /// A PING also has to fit, as a PONG, into what the peer accepts.
    fn limit_for(&self, kind: FrameKind, limit: usize) -> usize {
        if kind == FrameKind::Ping { limit.min(self.max_send) } else { limit }
    }

    fn over_limit(&self, header: Header) -> TransportError {
        let Header { kind, len } = header;
        let limit = self.limit_for(kind, self.receive_limit);
        TransportError::ReceivedTooLarge { kind, size: len, limit }
    }
}
