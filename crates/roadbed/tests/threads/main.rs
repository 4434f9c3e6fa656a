//! Connections over real sockets and threads, without any runtime.

mod net;
mod peers;
mod story;
mod stress;
