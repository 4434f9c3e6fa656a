//! rustls's connections behind one face: the client's, the server's, and a server's before it knows what
//! the client asks for.

use std::io::{self, BufRead, Read, Write};

use bytes::{Buf, BufMut, BytesMut};
use rustls::server::{Accepted, AcceptedAlert, Acceptor};
use rustls::{ClientConnection, CommonState, IoState, ServerConnection};

use crate::clock::Clock;
use crate::server::TlsServerConfig;

/// What WebSocket speaks (RFC 7301).
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";

/// RFC 9266, section 4.2.
const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
pub(crate) const BINDING_BYTES: usize = 32;

pub(crate) enum Side {
    Client(Box<ClientConnection>),
    /// Until ClientHello is there: it decides about ALPN.
    Accepting(Box<Acceptor>, TlsServerConfig),
    Server(Box<ServerConnection>),
    /// It failed before it was a connection.
    Failed,
}

/// A stream with nothing to read at the moment.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// What one step came to.
pub(crate) struct Progress {
    pub(crate) peer_has_closed: bool,
}

/// Does the same with whichever connection it is.
macro_rules! either {
    ($self:expr, $connection:ident => $do:expr, else $otherwise:expr) => {
        match $self {
            Side::Client($connection) => $do,
            Side::Server($connection) => $do,
            _ => $otherwise,
        }
    };
}

impl Side {
    /// Takes bytes off the front of `ciphertext`, at most `limit` of them, and says how many: 0 when it takes none
    /// any more.
    pub(crate) fn read(&mut self, ciphertext: &mut BytesMut, limit: usize) -> usize {
        let mut piece = ciphertext.get(..limit).unwrap_or(ciphertext);
        let piece: &mut dyn Read = &mut piece;
        let result = match self {
            Self::Client(connection) => connection.read_tls(piece),
            Self::Server(connection) => connection.read_tls(piece),
            Self::Accepting(acceptor, _) => acceptor.read_tls(piece),
            Self::Failed => Ok(0),
        };
        // Refused are bytes behind a buffer that is full, and there is none: it is emptied after each call.
        let count = result.unwrap_or(0);
        ciphertext.advance(count);
        count
    }

    /// Gives back what rustls has grown its buffer to, if nothing is in it. It does so when it is about to read,
    /// so it is let, and given nothing. An end of the stream, which is told by reading nothing, is another thing.
    pub(crate) fn release(&mut self) {
        // This is the error that the reading is to end in.
        either!(self, connection => drop(connection.read_tls(&mut Nothing)), else {});
    }

    /// Makes of what was read what can be made of it. Sets `has_binding` once that is known.
    pub(crate) fn process(
        &mut self,
        clock: &Clock,
        has_ems: &mut bool,
        output: &mut BytesMut,
    ) -> Result<Progress, rustls::Error> {
        if let Self::Accepting(acceptor, config) = self {
            let accepted = match acceptor.accept() {
                Ok(None) => return Ok(Progress { peer_has_closed: false }),
                Ok(Some(accepted)) => {
                    let (answer, ems) = config.answer(&accepted.client_hello(), clock);
                    *has_ems = ems;
                    Accepted::into_connection(accepted, answer)
                }
                Err(failed) => Err(failed),
            };
            match accepted {
                Ok(connection) => *self = Self::Server(Box::new(connection)),
                Err((error, mut alert)) => {
                    *self = Self::Failed;
                    // Writing to memory does not fail.
                    let _ = AcceptedAlert::write_all(&mut alert, &mut output.writer());
                    return Err(error);
                }
            }
        }
        let result = either!(self, connection => connection.process_new_packets(), else return Ok(Progress { peer_has_closed: false }));
        result.map(|state: IoState| Progress { peer_has_closed: state.peer_has_closed() })
    }

    /// Moves what was decrypted to the end of `plaintext`.
    pub(crate) fn take_plaintext(&mut self, plaintext: &mut BytesMut) {
        either!(self, connection => {
            let mut reader = connection.reader();
            // Nothing to read is an error here, and so is an end without close_notify.
            while let Ok(chunk) = reader.fill_buf() {
                if chunk.is_empty() {
                    break;
                }
                plaintext.extend_from_slice(chunk);
                let count = chunk.len();
                reader.consume(count);
            }
        }, else {});
    }

    /// Moves what is to be transmitted to the end of `output`.
    pub(crate) fn take_output(&mut self, output: &mut BytesMut) {
        either!(self, connection => {
            // One record a call; writing to memory does not fail.
            while connection.wants_write() && connection.write_tls(&mut output.writer()).is_ok() {}
        }, else {});
    }

    /// Encrypts from the front of `plaintext`, and says how many bytes.
    pub(crate) fn encrypt(&mut self, plaintext: &[u8]) -> usize {
        either!(self, connection => connection.writer().write(plaintext).unwrap_or(0), else 0)
    }

    pub(crate) fn send_close_notify(&mut self) {
        either!(self, connection => connection.send_close_notify(), else {});
    }

    /// What both connections have in common, once there is one.
    pub(crate) fn common(&self) -> Option<&CommonState> {
        match self {
            Self::Client(connection) => Some(connection),
            Self::Server(connection) => Some(connection),
            _ => None,
        }
    }

    /// The host that the client asked for.
    pub(crate) fn server_name(&self) -> Option<&str> {
        match self {
            Self::Server(connection) => connection.server_name(),
            _ => None,
        }
    }

    /// The bytes of RFC 9266. The context is an empty one, which TLS 1.2 tells from none.
    pub(crate) fn channel_binding(&self) -> Option<[u8; BINDING_BYTES]> {
        let bytes = [0; BINDING_BYTES];
        let result = either!(
            self,
            connection => connection.export_keying_material(bytes, BINDING_LABEL, Some(b"")),
            else return None
        );
        result.ok()
    }
}
