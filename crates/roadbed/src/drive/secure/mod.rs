//! TLS between a stream and a connection.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::answer_without_tls;
use roadbed_tls::{TlsError, TlsEvent, TlsLayer, TlsServerConfig, is_handshake};

use super::{Drive, LINGER, Output, Room};
use crate::guard::{Guarded, Sleeper};
use crate::runtime::Runtime;

/// The largest buffer for plaintext that an idle connection keeps.
const IDLE_BUFFER: usize = 4096;

/// What is read at once before anything is known.
const FIRST: usize = 4096;

/// A connection inside TLS: for a driver it is a connection like any other, and the connection inside sees
/// plaintext only.
///
/// The reading half decrypts and may have something to transmit by that: it wakes the writing half, which
/// encrypts. Neither holds the lock of the TLS layer while it uses the connection. Plaintext that the connection
/// does not want yet stays here, a record or two of it, and no ciphertext is read meanwhile.
///
/// ```
/// use std::sync::Arc;
///
/// use roadbed::drive::{Drive, Run, Secure};
/// use roadbed::runtime::{ByteStream, Runtime};
/// use roadbed::tls::TlsLayer;
///
/// /// A driver of one's own, in TLS.
/// fn run<D: Drive, S: ByteStream>(
///     drive: D,
///     layer: TlsLayer,
///     stream: S,
///     runtime: Arc<dyn Runtime>,
/// ) -> Run<Secure<D>, S> {
///     Run::new(Arc::new(Secure::new(drive, layer, Arc::clone(&runtime))), stream, runtime)
/// }
/// ```
pub struct Secure<D> {
    inner: D,
    runtime: Arc<dyn Runtime>,
    state: Guarded<State>,
}

struct State {
    mode: Mode,
    /// Decrypted, and not taken yet. Only the reading half touches it.
    plaintext: BytesMut,
    /// Given by the connection, and not encrypted yet. Only the writing half touches it.
    pending: Bytes,
    /// The peer ended its side inside TLS; the connection is told when it has room.
    has_peer_closed: bool,
    is_eof_told: bool,
    /// Until when the last bytes have to be on their way.
    flush_by: Option<Timestamp>,
    writer: Sleeper,
}

enum Mode {
    /// The first byte tells what it is.
    Unknown {
        config: TlsServerConfig,
        is_required: bool,
    },
    /// It was not TLS, and that is allowed.
    Plain,
    /// It was not TLS, and that is not allowed. The answer is in plain text, and not taken yet.
    Refused(Option<Bytes>),
    Tls(Box<TlsLayer>),
}

/// What the reading half found in one step.
#[derive(Default)]
struct Found {
    events: Vec<TlsEvent>,
    wakers: Vec<Waker>,
}

impl<D: Drive> Secure<D> {
    /// Puts `layer` under `inner`.
    pub fn new(inner: D, layer: TlsLayer, runtime: Arc<dyn Runtime>) -> Self {
        Self::with_mode(inner, Mode::Tls(Box::new(layer)), runtime)
    }

    /// Waits for the first byte: a server's end of TLS, or, unless that `is_required`, no TLS at all.
    pub fn server(inner: D, config: TlsServerConfig, is_required: bool, runtime: Arc<dyn Runtime>) -> Self {
        Self::with_mode(inner, Mode::Unknown { config, is_required }, runtime)
    }

    fn with_mode(inner: D, mode: Mode, runtime: Arc<dyn Runtime>) -> Self {
        let state = State {
            mode,
            plaintext: BytesMut::new(),
            pending: Bytes::new(),
            has_peer_closed: false,
            is_eof_told: false,
            flush_by: None,
            writer: Sleeper::default(),
        };
        Self { inner, runtime, state: Guarded::new(state) }
    }

    /// The connection inside.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        self.state.with(|state, (): &mut ()| act(state)).0
    }

    /// Finds out what the first byte begins. `true` when the connection gets the bytes as they are.
    fn is_plain(&self, input: &mut BytesMut) -> bool {
        let (is_plain, is_unknown) = self
            .with(|state| (matches!(state.mode, Mode::Plain), matches!(state.mode, Mode::Unknown { .. })));
        if !is_unknown || input.is_empty() {
            return is_plain;
        }
        let (now, utc) = (self.runtime.now(), self.runtime.utc());
        let (is_plain, is_refused) = self.with(|state| {
            let Mode::Unknown { config, is_required } = &state.mode else { return (false, false) };
            let (is_tls, is_required) = (is_handshake(input) == Some(true), *is_required);
            state.mode = match (is_tls, is_required) {
                (true, _) => Mode::Tls(Box::new(TlsLayer::server(config, now, utc))),
                (false, false) => Mode::Plain,
                (false, true) => Mode::Refused(Some(answer_without_tls(input))),
            };
            (!is_tls && !is_required, !is_tls && is_required)
        });
        if is_refused {
            input.clear();
            self.inner.failed(TlsError::NotTls.into());
        }
        is_plain
    }

    /// Decrypts some of `input`, and hands it on. `false` when nothing was taken.
    fn step(&self, input: &mut BytesMut, hint: usize) -> bool {
        let (now, before) = (self.runtime.now(), input.len());
        let (mut plaintext, found) = self.state.with(|state, found: &mut Found| {
            let mut plaintext = std::mem::take(&mut state.plaintext);
            let Mode::Tls(layer) = &mut state.mode else {
                input.clear();
                return plaintext;
            };
            if !plaintext.is_empty() {
                // The rest of a message: in one piece, rather than in growing ones.
                plaintext.reserve(hint);
            }
            layer.handle_input(now, input, &mut plaintext);
            state.take_events(found);
            plaintext
        });
        self.pass_on(&mut plaintext, found);
        self.with(|state| state.plaintext = plaintext);
        input.len() < before
    }

    /// Tells the connection what was found, in this order: that it is secure, what was said, how it ended.
    fn pass_on(&self, plaintext: &mut BytesMut, found: Found) {
        let Found { events, wakers } = found;
        let mut failure = None;
        for event in events {
            match event {
                TlsEvent::Open => {
                    let binding = self.with(|state| match &state.mode {
                        Mode::Tls(layer) => layer.channel_binding().cloned(),
                        _ => None,
                    });
                    self.inner.secured(binding);
                }
                TlsEvent::Failed(error) => failure = Some(error),
                _ => self.with(|state| state.has_peer_closed = true),
            }
        }
        if !plaintext.is_empty() {
            self.inner.feed(plaintext);
        }
        match failure {
            None => {}
            // What is cut off inside a message, or without a goodbye, is noticed further up as well.
            Some(TlsError::Truncated) => self.with(|state| state.has_peer_closed = true),
            Some(error) => self.inner.failed(error.into()),
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Whether to tell the connection now that the peer ended its side: once.
    fn eof_is_due(&mut self) -> bool {
        self.has_peer_closed && !std::mem::replace(&mut self.is_eof_told, true)
    }

    /// Keeps what the connection has left of the plaintext. Returns how much to read next, and whether nothing
    /// more is wanted.
    fn put_back(&mut self, plaintext: BytesMut) -> (usize, bool) {
        if !plaintext.is_empty() || plaintext.capacity() <= IDLE_BUFFER {
            self.plaintext = plaintext;
        }
        let hint = match &self.mode {
            Mode::Tls(layer) => layer.input_hint(),
            _ => FIRST,
        };
        (hint, self.has_peer_closed)
    }

    /// After any change of the layer: what happened, and whether the writing half has something to do by it.
    fn take_events(&mut self, found: &mut Found) {
        let Mode::Tls(layer) = &mut self.mode else { return };
        found.events.extend(std::iter::from_fn(|| layer.poll_event()));
        // When the handshake is done, what waits for it can be sent.
        if layer.queued() > 0 || !found.events.is_empty() {
            found.wakers.extend(self.writer.rouse());
        }
    }

    /// The next bytes to write, with as much encrypted as there is room for.
    fn encrypt(&mut self) -> Option<Bytes> {
        let Mode::Tls(layer) = &mut self.mode else { return None };
        layer.send(&mut self.pending);
        layer.poll_transmit()
    }

    /// What is answered to who does not speak TLS: once.
    fn refusal(&mut self) -> Option<Bytes> {
        if let Mode::Refused(answer) = &mut self.mode { answer.take() } else { None }
    }

    /// Whether there would be something to write.
    fn has_output(&self) -> bool {
        match &self.mode {
            Mode::Tls(layer) => layer.queued() > 0 || (layer.is_writable() && !self.pending.is_empty()),
            _ => false,
        }
    }

    /// The connection has ended: says so, and returns what there is to write of that, or when to give up.
    fn close(&mut self, can_write: bool, now: Timestamp) -> Output {
        let Mode::Tls(layer) = &mut self.mode else { return Output::End };
        let flush_by = *self.flush_by.get_or_insert(now + LINGER);
        if now >= flush_by {
            return Output::End;
        }
        if !can_write {
            return Output::Idle(Some(flush_by));
        }
        layer.send(&mut self.pending);
        // Before the handshake is done, or after a failure, what is pending will never be sent.
        if self.pending.is_empty() || layer.queued() == 0 {
            layer.close();
        }
        layer.poll_transmit().map_or(Output::End, Output::Write)
    }
}

impl<D: Drive> Drive for Secure<D> {
    fn room(&self, input: &mut BytesMut, waker: &Waker) -> Room {
        self.with(|state| state.writer.awake(waker));
        if self.is_plain(input) {
            return self.inner.room(input, waker);
        }
        loop {
            let mut plaintext = self.with(|state| std::mem::take(&mut state.plaintext));
            let room = self.inner.room(&mut plaintext, waker);
            let is_welcome = matches!(room, Room::Read(_));
            if is_welcome && self.with(State::eof_is_due) {
                self.inner.eof(&mut plaintext);
            }
            let (hint, is_over) = self.with(|state| state.put_back(plaintext));
            let Room::Read(expected) = room else { return room };
            if is_over {
                return Room::Discard;
            }
            if input.is_empty() || !self.step(input, expected) {
                return Room::Read(hint);
            }
        }
    }

    fn feed(&self, input: &mut BytesMut) {
        if self.is_plain(input) {
            self.inner.feed(input);
        } else {
            // What is left waits until the connection has room.
            self.step(input, 0);
        }
    }

    fn eof(&self, input: &mut BytesMut) {
        if self.is_plain(input) {
            return self.inner.eof(input);
        }
        while !input.is_empty() && self.step(input, 0) {}
        let now = self.runtime.now();
        let (mut plaintext, found) = self.state.with(|state, found: &mut Found| {
            match &mut state.mode {
                Mode::Tls(layer) => layer.handle_eof(now),
                // Nobody ever said anything.
                _ => state.has_peer_closed = true,
            }
            state.take_events(found);
            std::mem::take(&mut state.plaintext)
        });
        self.pass_on(&mut plaintext, found);
        if self.with(State::eof_is_due) {
            self.inner.eof(&mut plaintext);
        }
        self.with(|state| state.put_back(plaintext));
    }

    fn broke(&self, error: io::Error) {
        self.inner.broke(error);
    }

    fn lost(&self) {
        self.inner.lost();
    }

    fn expire(&self) {
        self.inner.expire();
    }

    fn failed(&self, error: crate::Error) {
        self.inner.failed(error);
    }

    fn expects_more(&self) -> bool {
        self.inner.expects_more()
    }

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        loop {
            let mut may_give = can_write;
            if can_write {
                if let Some(answer) = self.with(State::refusal) {
                    return Output::Write(answer);
                }
                let (bytes, is_free) = self.with(|state| (state.encrypt(), state.pending.is_empty()));
                if let Some(bytes) = bytes {
                    return Output::Write(bytes);
                }
                may_give = is_free;
            }
            match self.inner.output(may_give, waker) {
                Output::Write(bytes) => {
                    let bytes = self.with(|state| match &state.mode {
                        Mode::Tls(_) => {
                            state.pending = bytes;
                            None
                        }
                        _ => Some(bytes),
                    });
                    if let Some(bytes) = bytes {
                        return Output::Write(bytes);
                    }
                }
                Output::Idle(at) => {
                    let (is_asleep, _replaced) = self.with(|state| {
                        if can_write && state.has_output() {
                            return (false, None);
                        }
                        (true, state.writer.sleep(waker))
                    });
                    if is_asleep {
                        return Output::Idle(at);
                    }
                }
                Output::End => {
                    let now = self.runtime.now();
                    return self.with(|state| state.close(can_write, now));
                }
                // Closed at once, it could lose the answer.
                Output::Drop if self.with(|state| matches!(state.mode, Mode::Refused(_))) => {
                    return if can_write { Output::End } else { Output::Idle(None) };
                }
                Output::Drop => return Output::Drop,
            }
        }
    }
}

impl<D: fmt::Debug> fmt::Debug for Secure<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secure").field("inner", &self.inner).finish_non_exhaustive()
    }
}
