use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::thread;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::serializer::{Kind, Malformed, ReadError, Reader, Scalar, Writer};

const DEPTH: usize = 64;

fn with<T>(bytes: &[u8], read: impl FnOnce(&mut CborReader<'_>) -> T) -> T {
    let bytes = Bytes::copy_from_slice(bytes);
    read(&mut CborReader::new(&bytes, DEPTH))
}

/// Passes over one value with nothing in it that has to be noted.
fn skip(bytes: &[u8]) -> Result<usize, Malformed> {
    with(bytes, |reader| {
        reader.skip(0).map_err(|error| error.kind)?;
        let end = reader.offset();
        reader.blemish().map_or(Ok(end), |noted| Err(noted.kind))
    })
}

/// Passes over one value and says what was noted on the way.
fn noted(bytes: &[u8]) -> (usize, ReadError) {
    with(bytes, |reader| {
        reader.skip(0).unwrap();
        (reader.offset(), reader.blemish().unwrap())
    })
}

fn u64(bytes: &[u8]) -> Result<u64, Malformed> {
    with(bytes, |reader| reader.u64().map_err(|error| error.kind))
}

fn float(bytes: &[u8]) -> f64 {
    with(bytes, |reader| match reader.scalar() {
        Ok(Scalar::Float(value)) => value,
        other => panic!("{other:?}"),
    })
}

fn written(write: impl FnOnce(&mut CborWriter<'_>)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut CborWriter::new(&mut out));
    out.to_vec()
}

fn ciborium(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The head of an item in every width that can hold the argument.
fn heads(major: u8, argument: u8) -> Vec<Vec<u8>> {
    let top = major << 5;
    let mut heads = vec![
        vec![top | 24, argument],
        vec![top | 25, 0, argument],
        vec![top | 26, 0, 0, 0, argument],
        vec![top | 27, 0, 0, 0, 0, 0, 0, 0, argument],
    ];
    if argument < 24 {
        heads.push(vec![top | argument]);
    }
    heads
}

/// Items of every major type and width, with the kind they are.
fn samples() -> Vec<(Vec<u8>, Kind)> {
    let mut samples = vec![
        (vec![0x5f, 0xff], Kind::Binary),
        (vec![0x5f, 0x41, 1, 0x40, 0x58, 2, 2, 3, 0xff], Kind::Binary),
        (vec![0x7f, 0xff], Kind::Text),
        (vec![0x7f, 0x61, b'a', 0x79, 0, 1, b'b', 0xff], Kind::Text),
        (vec![0x9f, 0xff], Kind::List),
        (vec![0x9f, 1, 0x9f, 0xff, 0x82, 1, 2, 0xff], Kind::List),
        (vec![0xbf, 0xff], Kind::Dict),
        (vec![0xbf, 0x61, b'a', 0xbf, 0xff, 1, 0xa0, 0xff], Kind::Dict),
        (vec![0xc1, 0x01], Kind::Integer),
        (vec![0xd9, 0xd9, 0xf7, 0xc0, 0x61, b'a'], Kind::Text),
        (vec![0xc2, 0x41, 1], Kind::Integer),
        (vec![0xc3, 0x5f, 0x41, 1, 0xff], Kind::Integer),
        (vec![0xe0], Kind::Other),
        (vec![0xf3], Kind::Other),
        (vec![FALSE], Kind::Bool),
        (vec![TRUE], Kind::Bool),
        (vec![NULL], Kind::Null),
        (vec![UNDEFINED], Kind::Null),
        (vec![SIMPLE_8, 32], Kind::Other),
        (vec![SIMPLE_8, 255], Kind::Other),
        (vec![FLOAT16, 0x3e, 0], Kind::Float),
        (vec![FLOAT32, 0x3f, 0xc0, 0, 0], Kind::Float),
        (vec![FLOAT64, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Kind::Float),
    ];
    for argument in [0, 1, 23, 24, 200] {
        let many = usize::from(argument);
        for (major, kind, body) in [
            (UNSIGNED, Kind::Integer, vec![]),
            (NEGATIVE, Kind::Integer, vec![]),
            (BYTES, Kind::Binary, vec![0xff; many]),
            (TEXT, Kind::Text, vec![b'x'; many]),
            (LIST, Kind::List, vec![0x80; many]),
            (DICT, Kind::Dict, [0x61, b'k', 0x00].repeat(many)),
            (TAG, Kind::Null, vec![NULL]),
        ] {
            for head in heads(major, argument) {
                samples.push(([head, body.clone()].concat(), kind));
            }
        }
    }
    samples
}

#[test]
fn every_item_has_its_kind_and_is_passed_over() {
    for (sample, kind) in samples() {
        let mut padded = sample.clone();
        padded.extend([0xff; 20]);
        assert_eq!(skip(&padded), Ok(sample.len()), "{sample:02x?}");
        assert_eq!(with(&sample, |reader| reader.kind()), Ok(kind), "{sample:02x?}");
        with(&sample, |reader| match (kind, reader.scalar()) {
            (Kind::List | Kind::Dict | Kind::Other, Err(error)) => {
                assert_eq!(
                    error.kind,
                    Malformed::WrongType { expected: "a value that is no container", found: kind }
                );
                assert_eq!(reader.offset(), 0);
            }
            (_, Ok(_)) => reader.finish().unwrap(),
            (_, other) => panic!("{sample:02x?}: {other:?}"),
        });
    }
}

#[test]
fn a_truncated_item_ends_unexpectedly() {
    for (sample, _) in samples() {
        for end in 0..sample.len() {
            let part = &sample[..end];
            assert_eq!(skip(part), Err(Malformed::UnexpectedEnd), "{part:02x?}");
            with(part, |reader| {
                let _ = (reader.kind(), reader.bool(), reader.u64(), reader.text(), reader.key());
                let _ = (reader.scalar(), reader.list(), reader.dict());
            });
        }
    }
}

#[test]
fn bytes_that_cannot_stand_are_refused() {
    for initial in 0..=0xff_u8 {
        let reserved = matches!(info(initial), 28..=30);
        let unbounded = info(initial) == 31 && matches!(major(initial), UNSIGNED | NEGATIVE | TAG);
        if reserved || unbounded || initial == BREAK {
            let expected = Err(Malformed::UnexpectedByte(initial));
            assert_eq!(skip(&[initial, 0, 0]), expected);
            assert_eq!(
                with(&[initial, 0], |reader| reader.kind().map_err(|error| error.kind)),
                expected.map(|_: usize| Kind::Null)
            );
        }
    }
    let refused =
        |bytes: &[u8], byte| assert_eq!(skip(bytes), Err(Malformed::UnexpectedByte(byte)), "{bytes:02x?}");
    for low in 0..32 {
        refused(&[SIMPLE_8, low], low);
    }
    // A break in a definite list, as a dict's value, behind a tag.
    refused(&[0x81, BREAK], BREAK);
    refused(&[0xbf, 0x01, BREAK], BREAK);
    refused(&[0x9f, 0xc1, BREAK], BREAK);
    refused(&[0x9f, 0x81, BREAK], BREAK);
    // Chunks of another type, or without a length themselves.
    refused(&[0x5f, 0x61, b'a', BREAK], 0x61);
    refused(&[0x7f, 0x41, b'a', BREAK], 0x41);
    refused(&[0x5f, 0x5f, BREAK, BREAK], 0x5f);
    refused(&[0x7f, 0x7f, BREAK, BREAK], 0x7f);
    refused(&[0x7f, 0xc1, 0x61, b'a', BREAK], 0xc1);
    refused(&[0x5f, 0x5c, BREAK], 0x5c);
    // Each chunk of text is text: half a character is none.
    assert_eq!(skip(&[0x7f, 0x61, 0xc3, 0x61, 0xa4, BREAK]), Err(Malformed::InvalidUtf8));
    assert_eq!(skip(&[0x62, 0xc3, 0x28]), Err(Malformed::InvalidUtf8));
    assert_eq!(skip(&[0x42, 0xc3, 0x28]), Ok(3));
    // It is passed over all the same, wherever it stands; the first one is noted.
    let utf8 = |offset| ReadError::new(offset, Malformed::InvalidUtf8);
    assert_eq!(noted(&[0x62, 0xc3, 0x28]), (3, utf8(0)));
    assert_eq!(noted(&[0x83, 1, 0x7f, 0x61, 0xc3, 0x78, 1, 0xa4, BREAK, 2]), (10, utf8(2)));
    assert_eq!(noted(&[0xbf, 0xc1, 0x61, 0x80, 0x9f, 0x61, 0xff, BREAK, BREAK]), (9, utf8(2)));
    refused(&[0x7f, 0x61, 0xff, 0x01, BREAK], 0x01);
    assert_eq!(skip(&[0x7f, 0x61, 0xff]), Err(Malformed::UnexpectedEnd));
}

#[test]
fn integers_of_every_width_and_small_bignums_are_read() {
    let wrong = |found| Err(Malformed::WrongType { expected: "a non-negative integer", found });
    for value in [0, 23, 24, 255] {
        for head in heads(UNSIGNED, value) {
            assert_eq!(u64(&head), Ok(value.into()));
        }
        for head in heads(NEGATIVE, value) {
            assert_eq!(u64(&head), Err(Malformed::Negative));
            let negative = Scalar::Negative(-1 - i64::from(value));
            with(&head, |reader| assert_eq!(reader.scalar().unwrap(), negative));
        }
    }
    assert_eq!(u64(&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Ok(u64::MAX));
    assert_eq!(u64(&[0xf4]), wrong(Kind::Bool));
    assert_eq!(u64(&[0xf9, 0x3c, 0x00]), wrong(Kind::Float));
    assert_eq!(u64(&[0xc1, 0x05]), Ok(5));
    assert_eq!(u64(&[0xc2, 0x43, 0, 1, 0]), Ok(256));
    assert_eq!(u64(&[0xc2, 0x5f, 0x41, 1, 0x41, 0, 0xff]), Ok(256));
    assert_eq!(u64(&[0xc3, 0x41, 0]), Err(Malformed::Negative));
    assert_eq!(u64(&[0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Malformed::NumberOutOfRange));
    assert_eq!(u64(&[0xc1, 0x41, 0]), wrong(Kind::Binary), "another tag makes no number");

    let scalar = |bytes: &[u8], expected: Result<Scalar<'_>, Malformed>| {
        with(bytes, |reader| assert_eq!(reader.scalar().map_err(|error| error.kind), expected));
    };
    scalar(&[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Ok(Scalar::Negative(i64::MIN)));
    scalar(&[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0], Err(Malformed::NumberOutOfRange));
    scalar(&[0xc2, 0x40], Ok(Scalar::Unsigned(0)));
    scalar(&[0xc2, 0x48, 255, 255, 255, 255, 255, 255, 255, 255], Ok(Scalar::Unsigned(u64::MAX)));
    scalar(&[0xc3, 0x48, 127, 255, 255, 255, 255, 255, 255, 255], Ok(Scalar::Negative(i64::MIN)));
    scalar(&[0xc3, 0x48, 128, 0, 0, 0, 0, 0, 0, 0], Err(Malformed::NumberOutOfRange));
    scalar(&[0xc3, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0], Err(Malformed::NumberOutOfRange));
}

#[test]
fn floats_of_every_width_are_read() {
    for (bits, value) in [
        (0x0000_u16, 0.0_f64),
        (0x8000, -0.0),
        (0x3c00, 1.0),
        (0xc400, -4.0),
        (0x7bff, 65_504.0),
        (0x0001, 5.960_464_477_539_063e-8),
        (0x0400, 0.000_061_035_156_25),
        (0x7c00, f64::INFINITY),
        (0xfc00, f64::NEG_INFINITY),
    ] {
        let [a, b] = bits.to_be_bytes();
        assert_eq!(float(&[FLOAT16, a, b]).to_bits(), value.to_bits(), "{bits:04x}");
    }
    for bits in 0..=u16::MAX {
        let [a, b] = bits.to_be_bytes();
        let theirs: f64 = ciborium::from_reader(&[FLOAT16, a, b][..]).unwrap();
        let ours = float(&[FLOAT16, a, b]);
        assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:04x}");
    }
    assert_eq!(float(&[FLOAT32, 0xff, 0xff, 0xff, 0xff]).to_bits(), f64::NAN.to_bits());
    assert_eq!(float(&[FLOAT64, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]).to_bits(), f64::NAN.to_bits());
}

#[test]
fn text_may_come_in_chunks_and_binary_may_stand_for_it() {
    let text = |bytes: &[u8]| with(bytes, |reader| reader.text().map_err(|error| error.kind));
    assert_eq!(text(&[0x62, b'h', b'i']).unwrap(), "hi");
    assert_eq!(text(&[0x7f, 0x61, b'h', 0x60, 0x61, b'i', 0xff]).unwrap(), "hi");
    assert_eq!(text(&[0x42, b'h', b'i']).unwrap(), "hi");
    assert_eq!(text(&[0x5f, 0x41, b'h', 0x41, b'i', 0xff]).unwrap(), "hi");
    assert_eq!(text(&[0xd8, 0x20, 0x62, b'h', b'i']).unwrap(), "hi");
    let wrong = |found| Err(Malformed::WrongType { expected: "text", found });
    assert_eq!(text(&[0x41, 0x80]), wrong(Kind::Binary));
    assert_eq!(text(&[0x01]), wrong(Kind::Integer));
    assert_eq!(text(&[0x61, 0x80]), Err(Malformed::InvalidUtf8));
    with(&[0x7f, 0x61, b'h', 0x61, b'i', 0xff], |reader| {
        assert_eq!(reader.key().unwrap(), "hi");
        reader.finish().unwrap();
    });
    with(&[0xc0, 0x41, b'h'], |reader| {
        assert_eq!(reader.key().unwrap_err().kind, Malformed::NonTextKey(Kind::Binary));
        assert_eq!(reader.offset(), 0);
    });
    let shared = Bytes::from_static(&[0x62, b'h', b'i']);
    let text = CborReader::new(&shared, DEPTH).text().unwrap();
    assert_eq!(text.as_bytes().as_ptr(), shared[1..].as_ptr(), "shares the input");
}

#[test]
fn containers_are_walked_entry_by_entry() {
    for bytes in [&[0xa1, 0x61, b'a', 0x82, 1, 2][..], &[0xbf, 0x61, b'a', 0x9f, 1, 2, 0xff, 0xff]] {
        with(bytes, |reader| {
            let mut dict = reader.dict().unwrap();
            assert!(reader.more(&mut dict).unwrap());
            assert_eq!(reader.key().unwrap(), "a");
            let mut list = reader.list().unwrap();
            assert!(reader.more(&mut list).unwrap());
            assert_eq!(reader.u64(), Ok(1));
            assert!(reader.more(&mut list).unwrap());
            assert_eq!(reader.u64(), Ok(2));
            assert!(!reader.more(&mut list).unwrap());
            assert!(!reader.more(&mut dict).unwrap());
            reader.finish().unwrap();
        });
    }
    with(&[0xc1, 0x81, 0x01, 0x02], |reader| {
        assert_eq!(
            reader.dict().unwrap_err().kind,
            Malformed::WrongType { expected: "a dict", found: Kind::List }
        );
        let mut list = reader.list().unwrap();
        assert!(reader.more(&mut list).unwrap());
        reader.skip(0).unwrap();
        assert!(!reader.more(&mut list).unwrap());
        assert_eq!(reader.finish(), Err(ReadError::new(3, Malformed::TrailingBytes { count: 1 })));
    });
}

#[test]
fn lengths_beyond_the_input_are_refused_at_once() {
    for major in [BYTES, TEXT, LIST, DICT] {
        let top = major << 5;
        let huge = [top | 27, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0];
        let large = [top | 26, 0xff, 0xff, 0xff, 0xff, 0, 0, 0];
        for bytes in [&huge[..], &large, &[top | 2, 0x00]] {
            assert_eq!(skip(bytes), Err(Malformed::UnexpectedEnd), "{bytes:02x?}");
            with(bytes, |reader| {
                let kind = match major {
                    LIST => reader.list().unwrap_err().kind,
                    DICT => reader.dict().unwrap_err().kind,
                    _ => reader.scalar().unwrap_err().kind,
                };
                assert_eq!(kind, Malformed::UnexpectedEnd);
            });
        }
    }
    assert_eq!(skip(&[0x5f, 0x5b, 255, 255, 255, 255, 255, 255, 255, 255]), Err(Malformed::UnexpectedEnd));
}

#[test]
fn depth_is_counted_to_the_last_level() {
    for unit in [0x81, 0x9f, 0xc1] {
        for depth in [1, 2, 23, 24, 25, 26, 64, 255, 256] {
            let mut bytes = vec![unit; depth];
            bytes.push(0x00);
            if unit == 0x9f {
                bytes.extend(vec![BREAK; depth]);
            }
            let bytes = Bytes::from(bytes);
            let mut reader = CborReader::new(&bytes, depth);
            reader.skip(0).unwrap();
            reader.finish().unwrap();
            reader.rewind(0);
            let deep = ReadError::new(depth - 1, Malformed::TooDeep { limit: depth });
            assert_eq!(reader.skip(1), Err(deep), "one container is open already");
        }
    }
    let tags = Bytes::from(vec![0xc1; 65]);
    let mut reader = CborReader::new(&tags, DEPTH);
    assert_eq!(reader.kind(), Err(ReadError::new(0, Malformed::TooDeep { limit: DEPTH })));
}

#[test]
fn hostile_nesting_needs_little_stack() {
    let check = || {
        for depth in [DEPTH, 256] {
            let units: [&[u8]; 8] = [
                &[0x81],
                &[0xa1],
                &[0xa1, 0x60],
                &[0x82, 0xf6],
                &[0xc1],
                &[0x9f],
                &[0xbf, 0x60],
                &[0x81, 0x9f, 0xc1, 0xa1],
            ];
            for unit in units {
                let bytes = Bytes::from(unit.repeat(1_000_000));
                let mut reader = CborReader::new(&bytes, depth);
                assert_eq!(reader.skip(0).unwrap_err().kind, Malformed::TooDeep { limit: depth });
                reader.rewind(0);
                let _ = (reader.kind(), reader.scalar(), reader.key(), reader.text(), reader.list());
            }
        }
    };
    thread::Builder::new().stack_size(64 << 10).spawn(check).unwrap().join().unwrap();
}

#[test]
fn lengths_are_written_in_the_shortest_form() {
    for len in [0, 1, 23, 24, 255, 256, 65_535, 65_536] {
        let text = "x".repeat(len);
        let bytes = written(|writer| writer.text(&text));
        assert_eq!(bytes, ciborium(&text));
        assert_eq!(bytes, written(|writer| writer.key(&text)));
        assert_eq!(with(&bytes, |reader| reader.text()).unwrap(), text);
        let list: Vec<Option<u8>> = vec![None; len];
        let head = written(|writer| writer.list(len));
        assert_eq!(&ciborium(&list)[..head.len()], head);
        let mut map = head.clone();
        map[0] += 0x20;
        assert_eq!(written(|writer| writer.dict(len)), map);
        let mut binary = head;
        binary[0] -= 0x40;
        binary.extend(vec![7; len]);
        assert_eq!(written(|writer| writer.binary(&vec![7; len])), binary);
    }
}

#[test]
fn floats_are_written_in_32_bits_where_that_keeps_them() {
    for (value, len) in [(0.0, 5), (-0.0, 5), (1.5, 5), (0.1, 9), (1e300, 9), (f64::INFINITY, 5)] {
        let bytes = written(|writer| writer.f64(value));
        assert_eq!(bytes.len(), len, "{value}");
        assert_eq!(float(&bytes).to_bits(), value.to_bits());
    }
    assert_eq!(written(|writer| writer.f64(-f64::NAN)), [0xfa, 0x7f, 0xc0, 0, 0]);
}

proptest! {
    #[test]
    fn integers_agree_with_another_implementation(unsigned: u64, signed: i64, shift in 0..64_u32) {
        let (unsigned, signed) = (unsigned >> shift, signed >> shift);
        prop_assert_eq!(written(|writer| writer.u64(unsigned)), ciborium(&unsigned));
        let bytes = written(|writer| writer.i64(signed));
        prop_assert_eq!(&bytes, &ciborium(&signed));
        let expected = u64::try_from(signed).map_or(Scalar::Negative(signed), Scalar::Unsigned);
        prop_assert_eq!(with(&bytes, |reader| reader.scalar().unwrap() == expected), true);
    }

    #[test]
    fn what_is_passed_over_another_implementation_reads(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
        let read: Result<ciborium::Value, _> = ciborium::from_reader(&bytes[..]);
        let other = bytes.iter().any(|byte| matches!(byte, 0xe0..=0xf3 | 0xf7 | 0xf8));
        let bignum = bytes.iter().any(|byte| matches!(byte, 0xc2 | 0xc3));
        if !other && !bignum {
            prop_assert_eq!(skip(&bytes).is_ok(), read.is_ok(), "{:02x?} {:?}", bytes, read);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        with(&bytes, |reader| {
            let _ = (reader.kind(), reader.bool(), reader.u64(), reader.text(), reader.key());
            let _ = (reader.list(), reader.dict(), reader.scalar(), reader.skip(0), reader.finish());
        });
    }

    #[test]
    fn chunks_of_text_are_joined(chunks in prop::collection::vec(".{0,30}", 0..6)) {
        let mut bytes = vec![0x7f];
        for chunk in &chunks {
            bytes.extend(written(|writer| writer.text(chunk)));
        }
        bytes.push(BREAK);
        let joined: String = chunks.concat();
        prop_assert_eq!(with(&bytes, |reader| reader.text()).unwrap(), &joined);
        prop_assert_eq!(with(&bytes, |reader| reader.scalar().unwrap() == Scalar::Text((&*joined).into())), true);
        prop_assert_eq!(skip(&bytes), Ok(bytes.len()));
    }
}
