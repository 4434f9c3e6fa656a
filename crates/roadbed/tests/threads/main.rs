//! Connections over real sockets and threads, without any runtime.

mod net;
mod peers;
mod proxy;
mod story;
mod stress;
