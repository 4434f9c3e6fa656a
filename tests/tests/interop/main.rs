//! Foreign peers over real sockets: autobahn-python against our router, our client through Crossbar.io.
//! `cargo xtask test --stage interop` installs them and says where they are.

mod client;
mod own_router;
mod peers;
mod through_crossbar;
