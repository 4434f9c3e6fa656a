//! WebSocket (RFC 6455), with compression (RFC 7692).

mod close;
#[cfg(feature = "deflate")]
mod deflate;
mod error;
mod frame;
mod mask;
mod params;
mod stream;
mod utf8;

pub use error::{FrameError, WebSocketError};
pub use params::DeflateParams;
pub use stream::{MessageEvent, MessageKind, MessageStream, MessageStreamConfig};
