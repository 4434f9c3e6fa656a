//! Encoded values of any kind, also those that no well-behaved peer sends.

use roadbed_core::serializer::Serializer;

/// A value to be encoded without any check.
#[derive(Clone, Debug, PartialEq)]
pub enum Wire {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer from −2^63 to 2^64 − 1.
    Int(i128),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes; in JSON base64 behind NUL.
    Binary(Vec<u8>),
    /// A list.
    List(Vec<Wire>),
    /// A dict; keys may stand twice and be of any type.
    Dict(Vec<(Wire, Wire)>),
}

/// A dict with text keys.
pub fn dict<const N: usize>(entries: [(&str, Wire); N]) -> Wire {
    Wire::Dict(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

/// Text.
pub fn text(text: impl Into<String>) -> Wire {
    Wire::Text(text.into())
}

/// A list.
pub fn list(items: impl Into<Vec<Wire>>) -> Wire {
    Wire::List(items.into())
}

impl From<i32> for Wire {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u64> for Wire {
    fn from(value: u64) -> Self {
        Self::Int(value.into())
    }
}

impl Wire {
    /// The value in `serializer`, in its shortest form.
    pub fn encode(&self, serializer: Serializer) -> Vec<u8> {
        let mut out = Vec::new();
        match serializer {
            Serializer::Json => self.json(&mut out),
            Serializer::MsgPack => self.msgpack(&mut out),
            _ => self.cbor(&mut out),
        }
        out
    }

    fn json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend(b"null"),
            Self::Bool(value) => out.extend(value.to_string().bytes()),
            Self::Int(value) => out.extend(value.to_string().bytes()),
            Self::Float(value) => out.extend(format!("{value:?}").bytes()),
            Self::Text(value) => out.extend(serde_json::to_string(value).expect("text is JSON").bytes()),
            Self::Binary(value) => {
                out.extend(b"\"\\u0000");
                out.extend(base64(value).bytes());
                out.push(b'"');
            }
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    out.extend((index > 0).then_some(b','));
                    item.json(out);
                }
                out.push(b']');
            }
            Self::Dict(entries) => {
                out.push(b'{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.extend((index > 0).then_some(b','));
                    key.json(out);
                    out.push(b':');
                    value.json(out);
                }
                out.push(b'}');
            }
        }
    }

    fn msgpack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0xc0),
            Self::Bool(value) => out.push(0xc2 + u8::from(*value)),
            Self::Int(value @ 0..=0x7f) => out.push(*value as u8),
            Self::Int(value @ -0x8000_0000_0000_0000..=-1) => sized(out, &[0xd3], *value as u64, 8),
            Self::Int(value) => sized(out, &[0xcf], *value as u64, 8),
            Self::Float(value) => sized(out, &[0xcb], value.to_bits(), 8),
            Self::Text(value) => {
                short(out, value.len(), 0xa0, 32, 0xdb);
                out.extend(value.bytes());
            }
            Self::Binary(value) => {
                sized(out, &[0xc6], value.len() as u64, 4);
                out.extend(value);
            }
            Self::List(items) => {
                short(out, items.len(), 0x90, 16, 0xdd);
                items.iter().for_each(|item| item.msgpack(out));
            }
            Self::Dict(entries) => {
                short(out, entries.len(), 0x80, 16, 0xdf);
                for (key, value) in entries {
                    key.msgpack(out);
                    value.msgpack(out);
                }
            }
        }
    }

    fn cbor(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0xf6),
            Self::Bool(value) => out.push(0xf4 + u8::from(*value)),
            Self::Int(value @ 0..) => head(out, 0, *value as u64),
            Self::Int(value) => head(out, 1, (-1 - *value) as u64),
            Self::Float(value) => sized(out, &[0xfb], value.to_bits(), 8),
            Self::Text(value) => {
                head(out, 3, value.len() as u64);
                out.extend(value.bytes());
            }
            Self::Binary(value) => {
                head(out, 2, value.len() as u64);
                out.extend(value);
            }
            Self::List(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.cbor(out));
            }
            Self::Dict(entries) => {
                head(out, 5, entries.len() as u64);
                for (key, value) in entries {
                    key.cbor(out);
                    value.cbor(out);
                }
            }
        }
    }
}

/// Appends `prefix` and the last `width` bytes of `value`.
fn sized(out: &mut Vec<u8>, prefix: &[u8], value: u64, width: usize) {
    out.extend(prefix);
    out.extend(&value.to_be_bytes()[8 - width..]);
}

fn short(out: &mut Vec<u8>, length: usize, fix: u8, below: usize, wide: u8) {
    if length < below {
        out.push(fix | length as u8);
    } else {
        sized(out, &[wide], length as u64, 4);
    }
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    match argument {
        0..24 => out.push(major << 5 | argument as u8),
        24..0x100 => sized(out, &[major << 5 | 24], argument, 1),
        0x100..0x1_0000 => sized(out, &[major << 5 | 25], argument, 2),
        0x1_0000..0x1_0000_0000 => sized(out, &[major << 5 | 26], argument, 4),
        _ => sized(out, &[major << 5 | 27], argument, 8),
    }
}

/// Base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let place = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit > chunk.len() { '=' } else { DIGITS[place] as char });
        }
    }
    text
}

/// The bytes behind base64 with padding; `None` when it is not that.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}
