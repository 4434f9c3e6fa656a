//! MessagePack, version 5: `bin` apart from `str`.
//!
//! Read: every width of every type, minimal or not; any key type inside payloads that are passed over.
//! Extensions are passed over and have no WAMP type, timestamps included; only the one that some
//! JavaScript peers write for `undefined` (type 0, one byte 0) counts as null. Written: shortest forms,
//! no extensions.

mod reader;
mod skip;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::MsgPackReader;
pub(crate) use writer::MsgPackWriter;

// Markers; those of the "fix" families carry their value or length in the low bits.
const FIXMAP: u8 = 0x80;
const FIXMAP_MAX: u8 = 0x8f;
const FIXARRAY: u8 = 0x90;
const FIXARRAY_MAX: u8 = 0x9f;
const FIXSTR: u8 = 0xa0;
const FIXSTR_MAX: u8 = 0xbf;
const NIL: u8 = 0xc0;
const NEVER_USED: u8 = 0xc1;
const FALSE: u8 = 0xc2;
const TRUE: u8 = 0xc3;
const BIN8: u8 = 0xc4;
const BIN16: u8 = 0xc5;
const BIN32: u8 = 0xc6;
const EXT8: u8 = 0xc7;
const EXT16: u8 = 0xc8;
const EXT32: u8 = 0xc9;
const FLOAT32: u8 = 0xca;
const FLOAT64: u8 = 0xcb;
const UINT8: u8 = 0xcc;
const UINT16: u8 = 0xcd;
const UINT32: u8 = 0xce;
const UINT64: u8 = 0xcf;
const INT8: u8 = 0xd0;
const INT16: u8 = 0xd1;
const INT32: u8 = 0xd2;
const INT64: u8 = 0xd3;
const FIXEXT1: u8 = 0xd4;
const FIXEXT2: u8 = 0xd5;
const FIXEXT4: u8 = 0xd6;
const FIXEXT8: u8 = 0xd7;
const FIXEXT16: u8 = 0xd8;
const STR8: u8 = 0xd9;
const STR16: u8 = 0xda;
const STR32: u8 = 0xdb;
const ARRAY16: u8 = 0xdc;
const ARRAY32: u8 = 0xdd;
const MAP16: u8 = 0xde;
const MAP32: u8 = 0xdf;
const NEGATIVE_FIXINT: u8 = 0xe0;
