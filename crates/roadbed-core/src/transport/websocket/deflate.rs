//! permessage-deflate (RFC 7692): messages compressed, with limits that hold on what they become.

use alloc::vec::Vec;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::DeflateParams;
use super::error::FrameError;
use super::stream::Assembly;
use crate::serializer::Encoded;

/// What a sender leaves out at the end of each message (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// How often the blocks of one message may end with a final one (section 7.2.3.4). Beginning anew costs far
/// more than the two bytes that an empty final block takes.
const MAX_FINAL: u8 = 16;
/// Room for output that one step of compressing gets at least.
const ROOM: usize = 256;

/// Compression of both directions. The state of a direction is made when its first message comes, and lives
/// from message to message only if that direction takes its context over; so an idle end that agreed on
/// `no_context_takeover` holds none.
pub(super) struct Deflate {
    ours: Direction,
    theirs: Direction,
    deflater: Option<Compress>,
    inflater: Option<Decompress>,
    /// Bytes went into the inflater that the end of a message has to follow.
    is_open: bool,
    /// Final blocks in this message.
    finals: u8,
}

/// What was agreed on for what one end sends.
#[derive(Clone, Copy)]
struct Direction {
    bits: u8,
    takes_over: bool,
}

impl Deflate {
    pub(super) fn new(params: DeflateParams, is_client: bool) -> Self {
        let DeflateParams { client_no_context_takeover, server_no_context_takeover, .. } = params;
        let bits = |bits: u8| bits.clamp(9, 15);
        let client =
            Direction { bits: bits(params.client_max_window_bits), takes_over: !client_no_context_takeover };
        let server =
            Direction { bits: bits(params.server_max_window_bits), takes_over: !server_no_context_takeover };
        let (ours, theirs) = if is_client { (client, server) } else { (server, client) };
        Self { ours, theirs, deflater: None, inflater: None, is_open: false, finals: 0 }
    }

    /// Inflates the next bytes of a message into `assembly`, up to one byte more than `limit`. Says how many
    /// bytes it consumed, in success and in failure; over the limit it can be called again with a higher one.
    pub(super) fn inflate(
        &mut self,
        bytes: &[u8],
        assembly: &mut Assembly,
        limit: usize,
    ) -> Result<usize, (usize, FrameError)> {
        let mut consumed = 0_usize;
        loop {
            let rest = bytes.get(consumed..).unwrap_or_default();
            let step = self.step(rest, assembly, limit).map_err(|error| (consumed, error))?;
            self.is_open |= step.consumed > 0;
            consumed = consumed.saturating_add(step.consumed);
            if step.has_ended {
                self.begin_anew().map_err(|error| (consumed, error))?;
            } else if !step.is_full {
                let is_done = consumed >= bytes.len();
                return if is_done { Ok(consumed) } else { Err((consumed, FrameError::Deflate)) };
            }
        }
    }

    /// The message is complete. A message cut off inside a block is not one: it would go on with the tail.
    pub(super) fn end(&mut self, assembly: &mut Assembly, limit: usize) -> Result<(), FrameError> {
        if self.is_open {
            let before = assembly.len();
            let step = self.step(&TAIL, assembly, limit)?;
            if step.consumed != TAIL.len() || step.has_ended || assembly.len() != before {
                return Err(FrameError::Deflate);
            }
        }
        self.is_open = false;
        self.finals = 0;
        if !self.theirs.takes_over {
            self.inflater = None;
        }
        Ok(())
    }

    fn step(&mut self, bytes: &[u8], assembly: &mut Assembly, limit: usize) -> Result<Step, FrameError> {
        if assembly.len() > limit {
            return Err(FrameError::Inflated { limit });
        }
        let bits = self.theirs.bits;
        let inflater = self.inflater.get_or_insert_with(|| Decompress::new_with_window_bits(false, bits));
        let before = inflater.total_in();
        // One byte over the limit shows that there is more.
        let (status, is_full) = assembly.append_with(bytes.len(), limit.saturating_add(1), |body| {
            inflater.decompress_vec(bytes, body, FlushDecompress::None)
        })?;
        // What came out before a fault is judged before it, as if it had come alone.
        let status = match status {
            Ok(status) => status,
            Err(_) if assembly.len() > limit => return Err(FrameError::Inflated { limit }),
            Err(_) => return Err(FrameError::Deflate),
        };
        let consumed = inflater.total_in().saturating_sub(before);
        let consumed = usize::try_from(consumed).unwrap_or(usize::MAX);
        Ok(Step { consumed, is_full, has_ended: status == Status::StreamEnd })
    }

    /// After a final block the next one begins with an empty window.
    fn begin_anew(&mut self) -> Result<(), FrameError> {
        self.finals = self.finals.saturating_add(1);
        if self.finals > MAX_FINAL {
            return Err(FrameError::Deflate);
        }
        self.inflater = None;
        self.is_open = false;
        Ok(())
    }

    /// The message, compressed, or `None` if that is not possible: it goes as it is then.
    pub(super) fn compress(&mut self, message: &Encoded) -> Option<Bytes> {
        let bits = self.ours.bits;
        let mut deflater = self
            .deflater
            .take()
            .unwrap_or_else(|| Compress::new_with_window_bits(Compression::default(), false, bits));
        let mut out = Vec::with_capacity((message.len() / 2).saturating_add(ROOM));
        for chunk in message.chunks() {
            deflate(&mut deflater, chunk, &mut out, FlushCompress::None)?;
        }
        deflate(&mut deflater, &[], &mut out, FlushCompress::Sync)?;
        if !out.ends_with(&TAIL) {
            return None;
        }
        out.truncate(out.len().saturating_sub(TAIL.len()));
        if self.ours.takes_over {
            self.deflater = Some(deflater);
        }
        Some(Bytes::from(out))
    }
}

/// What a step of inflating did.
struct Step {
    consumed: usize,
    /// There may be more output.
    is_full: bool,
    /// The step ended with a final block.
    has_ended: bool,
}

/// Compresses `bytes`, and with [`FlushCompress::Sync`] writes out everything.
fn deflate(deflater: &mut Compress, mut bytes: &[u8], out: &mut Vec<u8>, flush: FlushCompress) -> Option<()> {
    loop {
        out.reserve(ROOM);
        let before = deflater.total_in();
        deflater.compress_vec(bytes, out, flush).ok()?;
        let consumed = deflater.total_in().saturating_sub(before);
        bytes = bytes.get(usize::try_from(consumed).ok()?..)?;
        if bytes.is_empty() && out.len() < out.capacity() {
            return Some(());
        }
    }
}
