//! Decoding and encoding whole messages, the same for every format.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::{CHAIN_THRESHOLD, Encoded, Reader, Serializer, Writer};
use crate::error::{PayloadError, ProtocolViolation, ViolationKind};
use crate::id::RequestId;
use crate::limits::{Limits, MAX_DEPTH};
use crate::message::wire::{Decoder, Encoder, Unsuitable};
use crate::message::{
    Body, BodyError, Elements, Message, MessageType, UnknownMessage, dispatch_message, dispatch_type,
};
use crate::payload::Payload;

/// Message types that are ignored when they are not known: what the specification leaves to
/// implementations.
const IGNORED_TYPES: core::ops::RangeInclusive<u16> = 256..=1023;

/// Bytes that most messages take beside their payload.
const ENVELOPE: usize = 96;

/// Decodes one message with reader `R`.
pub(super) fn decode<'a, R: Reader<'a>>(
    serializer: Serializer,
    input: &'a Bytes,
    limits: &Limits,
) -> Result<Message, ProtocolViolation> {
    let mut decoder = Decoder {
        reader: R::new(input, limits.depth),
        serializer,
        limits,
        element: None,
        key: None,
        request: None,
        is_bare_allowed: false,
        unsuitable: None,
    };
    let d = &mut decoder;
    let head = |error| ProtocolViolation::at(error, None, None, None);
    let mut elements = Elements::new(d.reader.list().map_err(head)?);
    if !elements.more(d).map_err(head)? {
        return Err(ProtocolViolation::new(None, ViolationKind::EmptyMessage));
    }
    let code = d.reader.u64().map_err(head)?;
    let Some(message_type) = MessageType::from_code(code) else {
        return unknown(code, d, &mut elements);
    };
    macro_rules! read {
        ($body:ident) => {
            finish::<crate::message::$body, R>(message_type, d, &mut elements)
        };
    }
    dispatch_type!(message_type, read)
}

/// Reads the elements of a known message, and what is behind it.
fn finish<'a, B: Body + Into<Message>, R: Reader<'a>>(
    message_type: MessageType,
    d: &mut Decoder<'_, R>,
    elements: &mut Elements,
) -> Result<Message, ProtocolViolation> {
    let body = match B::read(d, elements) {
        Ok(body) => body,
        Err(BodyError::Length) => {
            let kind = ViolationKind::Length { found: elements.count, min: B::MIN, max: B::MAX };
            return Err(ProtocolViolation::new(Some(message_type), kind));
        }
        Err(BodyError::Read(error)) => {
            return Err(ProtocolViolation::at(error, Some(message_type), d.element, d.key));
        }
    };
    match d.unsuitable.take() {
        None => Ok(body.into()),
        Some(found) => unsuitable(message_type, d.request, found, &body.into()),
    }
}

/// The violation by a message that is well-formed and holds an unsuitable value.
#[cold]
fn unsuitable(
    message_type: MessageType,
    request: Option<RequestId>,
    Unsuitable { error, element, key }: Unsuitable,
    message: &Message,
) -> Result<Message, ProtocolViolation> {
    let (request_type, is_answered) = match message {
        // Nobody waits for an answer to a publication that is not acknowledged.
        Message::Publish(publish) => (message_type, publish.options.acknowledge == Some(true)),
        Message::Error(error) => (error.request_type, false),
        Message::CallResult(_) => (MessageType::Call, false),
        _ => (message_type, message_type.is_answered_by_error()),
    };
    let is_about_one = is_answered
        || matches!(
            message_type,
            MessageType::Publish
                | MessageType::Error
                | MessageType::CallResult
                | MessageType::Yield
                | MessageType::Cancel
                | MessageType::Interrupt
        );
    let request = request.filter(|_| is_about_one).map(|request| (request_type, request));
    Err(ProtocolViolation::at(error, Some(message_type), element, key).by_request(request, is_answered))
}

/// Passes over a message of unknown type.
fn unknown<'a, R: Reader<'a>>(
    code: u64,
    d: &mut Decoder<'_, R>,
    elements: &mut Elements,
) -> Result<Message, ProtocolViolation> {
    let Some(code) = u16::try_from(code).ok().filter(|code| IGNORED_TYPES.contains(code)) else {
        return Err(ProtocolViolation::new(None, ViolationKind::UnknownType(code)));
    };
    let mut pass = || {
        while elements.more(d)? {
            d.reader.skip(0)?;
        }
        d.reader.finish()
    };
    pass().map_err(|error| ProtocolViolation::at(error, None, None, None))?;
    Ok(Message::Unknown(UnknownMessage { code }))
}

/// Writes one message with writer `W`; parts above the threshold are left out of `out` and returned
/// with their place when `chained` asks for that.
fn write<'o, W: Writer<'o>>(
    serializer: Serializer,
    message: &Message,
    out: &'o mut BytesMut,
    chained: Option<Vec<(usize, Bytes)>>,
    limit: usize,
) -> Result<Vec<(usize, Bytes)>, PayloadError> {
    // Room for most messages, so that the buffer does not grow in small steps.
    let payload = message.payload().map_or(0, Payload::len);
    let copied = if chained.is_some() && payload > CHAIN_THRESHOLD { 0 } else { payload.min(limit) };
    let start = out.len();
    out.reserve(copied.saturating_add(ENVELOPE));
    let mut encoder = Encoder { writer: W::new(out), serializer, chained, depth: MAX_DEPTH, limit, start };
    let e = &mut encoder;
    macro_rules! run {
        ($body:ident) => {{
            e.writer.list($body.count());
            e.writer.u64(message.message_type().map_or(0, MessageType::code));
            $body.write(e)?;
            e.writer.end_list();
        }};
    }
    dispatch_message!(message, run, ());
    Ok(encoder.chained.unwrap_or_default())
}

impl Serializer {
    /// Decodes one message. Envelope and options are read; the payload is validated and sliced out of
    /// `message`, still encoded. Linear in the bytes, and iterative: deep nesting costs no stack.
    ///
    /// # Errors
    /// [`ProtocolViolation`] says what is wrong, where, and which limit was passed; when only an option
    /// or a URI of a request is unsuitable it also names the request, which can then be answered.
    pub fn decode(self, message: &Bytes, limits: &Limits) -> Result<Message, ProtocolViolation> {
        with_format!(self, (Reader, _Writer) => decode::<Reader<'_>>(self, message, limits))
    }

    /// Appends an encoded message to `out`, in canonical form. A payload in another serializer is
    /// transcoded.
    ///
    /// # Errors
    /// [`PayloadError`] when the payload or an unknown option has no counterpart in this serializer;
    /// `out` is then as it was.
    pub fn encode(self, message: &Message, out: &mut BytesMut) -> Result<(), PayloadError> {
        let start = out.len();
        let result = with_format!(self, (_Reader, Writer) => write::<Writer<'_>>(self, message, out, None, usize::MAX));
        if result.is_err() {
            out.truncate(start);
        }
        result.map(|_| ())
    }

    /// Encodes a message into chunks: payloads up to 16 KiB are copied, larger ones chained. What is
    /// written goes to `arena`, which many messages can share, so that they share its allocation.
    ///
    /// # Errors
    /// As [`Serializer::encode`]; `arena` is then as it was.
    pub fn encode_chunks(self, message: &Message, arena: &mut BytesMut) -> Result<Encoded, PayloadError> {
        self.encode_within(message, usize::MAX, arena)
    }

    /// Encodes a message into chunks, as [`encode_chunks`](Self::encode_chunks), for a recipient that accepts `limit`
    /// bytes: a payload that takes more is given up as soon as that is seen. An envelope over the limit is for the
    /// transport to refuse.
    ///
    /// # Errors
    /// As [`Serializer::encode`], and [`PayloadError::TooLarge`]; `arena` is then as it was.
    pub fn encode_within(
        self,
        message: &Message,
        limit: usize,
        arena: &mut BytesMut,
    ) -> Result<Encoded, PayloadError> {
        let start = arena.len();
        let parts = Some(Vec::new());
        let result =
            with_format!(self, (_Reader, Writer) => write::<Writer<'_>>(self, message, arena, parts, limit));
        let parts = match result {
            Ok(parts) => parts,
            Err(error) => {
                arena.truncate(start);
                return Err(error);
            }
        };
        // The room behind what was written stays with the arena, for the next message.
        let mut written = arena.split();
        if start > 0 {
            *arena = written.split_to(start);
        }
        let mut written = written.freeze();
        if parts.is_empty() {
            return Ok(Encoded::from(written));
        }
        let mut chunks = Vec::with_capacity(parts.len().saturating_mul(2).saturating_add(1));
        let mut consumed = start;
        for (position, part) in parts {
            let length = position.saturating_sub(consumed).min(written.len());
            chunks.push(written.split_to(length));
            chunks.push(part);
            consumed = position;
        }
        chunks.push(written);
        Ok(Encoded::chained(chunks))
    }
}
