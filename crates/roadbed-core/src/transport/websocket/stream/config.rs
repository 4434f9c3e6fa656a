//! Settings of a message stream.

use core::time::Duration;

use super::MessageKind;
use crate::limits::{Limits, MAX_MESSAGE_SIZE};
use crate::transport::LivenessConfig;
use crate::transport::websocket::DeflateParams;

/// How long the other end has to answer our Close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Smaller messages are not worth compressing.
const COMPRESS_FROM: usize = 1 << 10;

/// Settings of a [`MessageStream`](super::MessageStream).
///
/// ```
/// use roadbed_core::transport::websocket::MessageStreamConfig;
///
/// let config = MessageStreamConfig::default().max_receive(4 << 20);
/// assert_eq!(config.max_send, 16 << 20);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MessageStreamConfig {
    /// Bytes of the largest message to receive, reassembled and inflated. Default: that of
    /// [`Limits::message_size`].
    pub max_receive: usize,
    /// Bytes of the largest message to send, before compression: WebSocket peers do not say how much they
    /// take. Default 16 MiB.
    pub max_send: usize,
    /// The only kind of messages to receive. Default: both.
    pub only: Option<MessageKind>,
    /// The permessage-deflate parameters that both ends agreed on, if they did. Only with the feature
    /// `deflate`; without it, nothing may be agreed on.
    pub deflate: Option<DeflateParams>,
    /// Bytes from which on a message is sent compressed, if the ends agreed on compression. Default 1 KiB.
    pub compress_from: usize,
    /// How long the peer has to answer our Close frame. Default 5 s.
    pub close_timeout: Duration,
    /// Liveness pings. WebSocket peers answer them, so
    /// [`LivenessMode::Auto`](crate::transport::LivenessMode::Auto) pings.
    pub liveness: LivenessConfig,
}

impl Default for MessageStreamConfig {
    fn default() -> Self {
        Self {
            max_receive: Limits::default().message_size,
            max_send: MAX_MESSAGE_SIZE,
            only: None,
            deflate: None,
            compress_from: COMPRESS_FROM,
            close_timeout: CLOSE_TIMEOUT,
            liveness: LivenessConfig::default(),
        }
    }
}

impl MessageStreamConfig {
    /// Sets [`MessageStreamConfig::max_receive`].
    #[must_use]
    pub fn max_receive(mut self, bytes: usize) -> Self {
        self.max_receive = bytes;
        self
    }

    /// Sets [`MessageStreamConfig::max_send`].
    #[must_use]
    pub fn max_send(mut self, bytes: usize) -> Self {
        self.max_send = bytes;
        self
    }

    /// Sets [`MessageStreamConfig::only`].
    #[must_use]
    pub fn only(mut self, kind: MessageKind) -> Self {
        self.only = Some(kind);
        self
    }

    /// Sets [`MessageStreamConfig::deflate`].
    #[must_use]
    pub fn deflate(mut self, params: Option<DeflateParams>) -> Self {
        self.deflate = params;
        self
    }

    /// Sets [`MessageStreamConfig::compress_from`].
    #[must_use]
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.compress_from = bytes;
        self
    }

    /// Sets [`MessageStreamConfig::close_timeout`].
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets [`MessageStreamConfig::liveness`].
    #[must_use]
    pub fn liveness(mut self, liveness: LivenessConfig) -> Self {
        self.liveness = liveness;
        self
    }
}
