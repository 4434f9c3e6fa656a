//! The reading half: frames off the front of the caller's buffer.

use alloc::boxed::Box;

use bytes::{Buf, Bytes, BytesMut};

use super::super::close;
use super::super::error::{FrameError, WebSocketError};
use super::super::frame::{Decoded, Header, Opcode};
use super::super::mask::{self, Key};
use super::{Assembly, MessageEvent, MessageKind, MessageStream, Phase};
use crate::time::Timestamp;
use crate::transport::read_size::split_frame;
use crate::transport::{FrameKind, FramePart, TransportClose, TransportError};

/// PONGs that wait to be fetched. With more PINGs than that, only the last is answered.
const MAX_PONGS: usize = 16;

/// Where in a frame the front of the buffer is.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// Before a header.
    Header,
    /// In a header of at least so many octets, or a control frame of so many behind its header.
    Partial { part: FramePart, header: usize, expected: usize },
    /// Before the header of a frame that is a whole message and stays in the buffer until it is complete.
    /// So many bytes of the payload are unmasked and checked.
    Whole { header: Header, done: usize },
    /// In the payload of a frame that is consumed as it arrives.
    Part(Part),
    /// In a frame that nobody is interested in.
    Skip { left: usize },
}

/// What is left of such a payload.
#[derive(Clone, Copy)]
pub(super) struct Part {
    fin: bool,
    mask: Option<Key>,
    /// Bytes of the whole payload.
    len: usize,
    /// Bytes of it still to come, or still in the buffer.
    left: usize,
    /// Bytes at the front of the buffer that are unmasked.
    clear: usize,
}

impl Reading {
    /// What of a frame is missing when the stream ends with so many bytes in the buffer.
    pub(super) fn missing(&self, in_buffer: usize) -> Option<(FramePart, usize, usize)> {
        match self {
            Self::Header => None,
            Self::Partial { part, header, expected } => {
                Some((*part, in_buffer.saturating_sub(*header), *expected))
            }
            Self::Whole { header, .. } => {
                Some((FramePart::Body, in_buffer.saturating_sub(header.size), header.len))
            }
            Self::Part(part) => {
                let received = part.len.saturating_sub(part.left).saturating_add(in_buffer);
                Some((FramePart::Body, received, part.len))
            }
            Self::Skip { .. } => None,
        }
    }
}

/// Bytes that are unmasked and checked before the next ones are: they are still near then.
const NEAR: usize = 8 << 10;

/// Unmasks `bytes` of a message that stays where it is, `offset` octets into it, and checks them.
fn unmask_and_check(
    mask: Option<Key>,
    offset: usize,
    bytes: &mut [u8],
    assembly: &mut Assembly,
) -> core::result::Result<(), FrameError> {
    let Some(key) = mask else { return assembly.check(bytes) };
    let (mut offset, mut checked) = (offset, Ok(()));
    for piece in bytes.chunks_mut(NEAR) {
        mask::apply(key, offset, piece);
        offset = offset.saturating_add(piece.len());
        if checked.is_ok() {
            checked = assembly.check(piece);
        }
    }
    checked
}

/// What one step of reading came to.
enum Step {
    Done,
    NeedMore,
}

type Result<T> = core::result::Result<T, TransportError>;

impl From<FrameError> for TransportError {
    fn from(error: FrameError) -> Self {
        Self::WebSocket(WebSocketError::Frame(error))
    }
}

impl MessageStream {
    pub(super) fn read(&mut self, now: Timestamp, input: &mut BytesMut) {
        let now = self.liveness.observe(now);
        if matches!(self.phase, Phase::Faulted(_) | Phase::Closed) {
            input.clear();
            return;
        }
        self.read_size.adapt(input.len(), self.left);
        self.end_hold(now);
        if self.stalled {
            self.stalled = false;
            self.held = false;
            self.resume_timer(now);
        }
        if input.len() > self.left {
            self.liveness.heard(now);
        }
        while self.wants_input() {
            match self.step(input) {
                Ok(Step::Done) => {}
                Ok(Step::NeedMore) => break,
                // After our Close frame the peer's faults no longer matter.
                Err(_) if self.is_closing() => self.finish(TransportClose::Local),
                // What came before is the owner's to see first: to raise the limit, or to answer.
                Err(_) if !self.events.is_empty() => self.held = true,
                Err(error) => self.fail(error),
            }
        }
        if matches!(self.phase, Phase::Faulted(_) | Phase::Closed) {
            input.clear();
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

    fn fail(&mut self, error: TransportError) {
        let code = match &error {
            TransportError::ReceivedTooLarge { .. } => close::TOO_BIG,
            TransportError::WebSocket(WebSocketError::Frame(error)) => error.close_code(),
            _ => close::PROTOCOL_ERROR,
        };
        self.finish(TransportClose::Failed(error));
        self.phase = Phase::Faulted(code);
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Step> {
        if let Some(fault) = &self.fault {
            return Err(fault.as_ref().clone());
        }
        match self.reading {
            Reading::Header | Reading::Partial { .. } => self.read_header(input),
            Reading::Whole { header, done } => self.read_whole(input, &header, done),
            Reading::Part(part) => self.read_part(input, part),
            Reading::Skip { left } => Ok(self.skip(input, left)),
        }
    }

    fn read_header(&mut self, input: &mut BytesMut) -> Result<Step> {
        #[cfg(feature = "deflate")]
        let deflate = self.deflate.is_some();
        #[cfg(not(feature = "deflate"))]
        let deflate = false;
        let header = match Header::decode(input, self.role(), deflate)? {
            Decoded::Header(header) => header,
            Decoded::Partial(_) if input.is_empty() => {
                self.reading = Reading::Header;
                return Ok(Step::NeedMore);
            }
            Decoded::Partial(expected) => {
                self.reading = Reading::Partial { part: FramePart::Header, header: 0, expected };
                return Ok(Step::NeedMore);
            }
        };
        if header.opcode.is_control() {
            return self.read_control(input, &header);
        }
        if self.is_closing() {
            self.reading = Reading::Skip { left: header.size.saturating_add(header.len) };
            return Ok(Step::Done);
        }
        self.accept(input, &header)
    }

    /// Checks the header of a data frame against what came before, and begins to read the frame.
    fn accept(&mut self, input: &mut BytesMut, header: &Header) -> Result<Step> {
        let kind = match (header.opcode, &self.assembly.message) {
            (Opcode::Continuation, None) => return Err(FrameError::NothingToContinue.into()),
            (Opcode::Continuation, Some(_)) => None,
            (_, Some(_)) => return Err(FrameError::Interleaved.into()),
            (Opcode::Text, None) => Some(MessageKind::Text),
            (_, None) => Some(MessageKind::Binary),
        };
        if let (Some(only), Some(found)) = (self.only, kind)
            && only != found
        {
            return Err(FrameError::Kind { found }.into());
        }
        // Of compressed messages only the inflated size counts, and nothing of a frame is kept.
        let compressed = self.assembly.message.map_or(header.compressed, |message| message.compressed);
        let size = self.assembly.len().saturating_add(header.len);
        if !compressed && size > self.receive_limit {
            let (kind, limit) = (FrameKind::Message, self.receive_limit);
            return Err(TransportError::ReceivedTooLarge { kind, size, limit });
        }
        let begins = kind.is_some();
        if let Some(kind) = kind {
            self.assembly.begin(kind, compressed);
        }
        if begins && header.fin && !compressed {
            return self.read_whole(input, header, 0);
        }
        input.advance(header.size);
        let Header { fin, mask, len, .. } = *header;
        self.reading = Reading::Part(Part { fin, mask, len, left: len, clear: 0 });
        Ok(Step::Done)
    }

    fn read_whole(&mut self, input: &mut BytesMut, header: &Header, done: usize) -> Result<Step> {
        let end = header.len.min(input.len().saturating_sub(header.size));
        let range = header.size.saturating_add(done)..header.size.saturating_add(end);
        let fresh = input.get_mut(range).unwrap_or_default();
        let checked = unmask_and_check(header.mask, done, fresh, &mut self.assembly);
        if end < header.len && checked.is_ok() {
            self.reading = Reading::Whole { header: *header, done: end };
            return Ok(Step::NeedMore);
        }
        let kind = match checked.and_then(|()| self.assembly.finish_elsewhere()) {
            Ok(kind) => kind,
            Err(error) => {
                self.reading = Reading::Whole { header: *header, done: end };
                return self.lasting(Err(error));
            }
        };
        self.reading = Reading::Header;
        let body = if header.len == 0 {
            input.advance(header.size);
            // An empty slice would still pin the whole read buffer.
            Bytes::new()
        } else {
            let mut frame = split_frame(input, header.size.saturating_add(header.len));
            frame.advance(header.size);
            frame
        };
        self.events.push_back(MessageEvent::Message { kind, body });
        Ok(Step::Done)
    }

    fn read_part(&mut self, input: &mut BytesMut, mut part: Part) -> Result<Step> {
        let arrived = part.left.min(input.len());
        if let Some(key) = part.mask {
            let offset = part.len.saturating_sub(part.left).saturating_add(part.clear);
            mask::apply(key, offset, input.get_mut(part.clear..arrived).unwrap_or_default());
        }
        part.clear = arrived;
        let bytes = input.get(..arrived).unwrap_or_default();
        let compressed = self.assembly.message.is_some_and(|message| message.compressed);
        let consumed = if compressed {
            self.inflate(bytes)
        } else {
            let limit = self.receive_limit;
            self.assembly.append(bytes, limit).map(|()| arrived).map_err(|error| (0, error))
        };
        let (count, outcome) = match consumed {
            Ok(count) => (count, Ok(())),
            Err((count, error)) => (count, Err(error)),
        };
        input.advance(count);
        part.left = part.left.saturating_sub(count);
        part.clear = part.clear.saturating_sub(count);
        self.reading = Reading::Part(part);
        self.lasting(outcome)?;
        if part.left > 0 {
            return Ok(Step::NeedMore);
        }
        if part.fin {
            if compressed {
                let ended = self.end_inflating();
                self.lasting(ended)?;
            }
            let held = self.assembly.capacity();
            let finished = self.assembly.finish();
            let (kind, body) = self.lasting(finished)?;
            // An empty message keeps no buffer.
            let held = if body.is_empty() { 0 } else { held };
            self.gathered = self.gathered.saturating_add(held);
            self.events.push_back(MessageEvent::Message { kind, body });
        }
        self.reading = Reading::Header;
        Ok(Step::Done)
    }

    fn read_control(&mut self, input: &mut BytesMut, header: &Header) -> Result<Step> {
        let whole = header.size.saturating_add(header.len);
        if input.len() < whole {
            let (part, expected) = (FramePart::Body, header.len);
            self.reading = Reading::Partial { part, header: header.size, expected };
            return Ok(Step::NeedMore);
        }
        let waits = match header.opcode {
            // Messages before it may end the session, and nothing is answered after that.
            Opcode::Ping => matches!(self.events.back(), Some(MessageEvent::Message { .. })),
            // They may want an answer, which has to be sent before our own Close frame.
            Opcode::Close => !self.events.is_empty(),
            _ => false,
        };
        if waits && !self.is_closing() {
            self.held = true;
            return Ok(Step::NeedMore);
        }
        let mut payload = [0; super::super::frame::MAX_CONTROL];
        let payload = payload.get_mut(..header.len).unwrap_or_default();
        payload.copy_from_slice(input.get(header.size..whole).unwrap_or_default());
        if let Some(key) = header.mask {
            mask::apply(key, 0, payload);
        }
        let closing = if header.opcode == Opcode::Close { Some(close::decode(payload)?) } else { None };
        input.advance(whole);
        self.reading = Reading::Header;
        match (header.opcode, closing) {
            (Opcode::Ping, _) if !self.close_queued => {
                if self.pongs.len() >= MAX_PONGS {
                    self.pongs.pop_back();
                }
                self.pongs.push_back(Bytes::copy_from_slice(payload));
            }
            (_, Some(_)) if self.is_closing() => self.finish(TransportClose::Local),
            (_, Some((code, reason))) => {
                self.queue_close(code, "");
                self.finish(TransportClose::Peer { code, reason });
            }
            _ => {}
        }
        Ok(Step::Done)
    }

    fn skip(&mut self, input: &mut BytesMut, left: usize) -> Step {
        let arrived = left.min(input.len());
        input.advance(arrived);
        match left.saturating_sub(arrived) {
            0 => {
                self.reading = Reading::Header;
                Step::Done
            }
            left => {
                self.reading = Reading::Skip { left };
                Step::NeedMore
            }
        }
    }

    /// The frame that is half read when we close is skipped, and what was gathered forgotten.
    pub(super) fn stop_gathering(&mut self) {
        self.assembly.clear();
        self.reading = match self.reading {
            Reading::Whole { header, .. } => Reading::Skip { left: header.size.saturating_add(header.len) },
            Reading::Part(part) => Reading::Skip { left: part.left },
            reading => reading,
        };
        self.fault = None;
        self.held = false;
    }

    /// A fault in bytes that are consumed, or checked and marked so, has to be remembered. Only a limit is
    /// judged again.
    fn lasting<T>(&mut self, outcome: core::result::Result<T, FrameError>) -> Result<T> {
        outcome.map_err(|error| {
            let is_limit = matches!(error, FrameError::Inflated { .. });
            let error = TransportError::from(error);
            if !is_limit {
                self.fault = Some(Box::new(error.clone()));
            }
            error
        })
    }

    #[cfg(feature = "deflate")]
    fn inflate(&mut self, bytes: &[u8]) -> core::result::Result<usize, (usize, FrameError)> {
        match &mut self.deflate {
            Some(deflate) => deflate.inflate(bytes, &mut self.assembly, self.receive_limit),
            None => Err((0, FrameError::Deflate)),
        }
    }

    #[cfg(feature = "deflate")]
    fn end_inflating(&mut self) -> core::result::Result<(), FrameError> {
        match &mut self.deflate {
            Some(deflate) => deflate.end(&mut self.assembly, self.receive_limit),
            None => Err(FrameError::Deflate),
        }
    }

    /// Without the feature no frame is ever taken for a compressed one.
    #[cfg(not(feature = "deflate"))]
    fn inflate(&mut self, _: &[u8]) -> core::result::Result<usize, (usize, FrameError)> {
        Err((0, FrameError::Deflate))
    }

    #[cfg(not(feature = "deflate"))]
    fn end_inflating(&mut self) -> core::result::Result<(), FrameError> {
        Err(FrameError::Deflate)
    }
}
