use alloc::vec;
use alloc::vec::Vec;
use std::thread;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::serializer::{Kind, Malformed, ReadError, Reader, Scalar, Writer};

const DEPTH: usize = 64;

fn with<T>(bytes: &[u8], read: impl FnOnce(&mut MsgPackReader<'_>) -> T) -> T {
    let bytes = Bytes::copy_from_slice(bytes);
    read(&mut MsgPackReader::new(&bytes, DEPTH))
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

fn written(write: impl FnOnce(&mut MsgPackWriter<'_>)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut MsgPackWriter::new(&mut out));
    out.to_vec()
}

/// One value of every marker, with the kind it is.
fn samples() -> Vec<(Vec<u8>, Kind)> {
    let mut samples = Vec::new();
    for marker in 0..=0xff_u8 {
        let (body, kind): (Vec<u8>, _) = match marker {
            0x00..=0x7f | 0xe0..=0xff => (vec![], Kind::Integer),
            0x80..=0x8f => ([0xa1, b'k', 1].repeat(usize::from(marker & 15)), Kind::Dict),
            0x90..=0x9f => ([0xc3].repeat(usize::from(marker & 15)), Kind::List),
            0xa0..=0xbf => ([b'x'].repeat(usize::from(marker & 31)), Kind::Text),
            0xc0 => (vec![], Kind::Null),
            0xc1 => continue,
            0xc2 | 0xc3 => (vec![], Kind::Bool),
            0xc4 => (vec![2, 0xff, 0], Kind::Binary),
            0xc5 => (vec![0, 2, 0xff, 0], Kind::Binary),
            0xc6 => (vec![0, 0, 0, 2, 0xff, 0], Kind::Binary),
            0xc7 => (vec![2, 7, 1, 2], Kind::Other),
            0xc8 => (vec![0, 2, 7, 1, 2], Kind::Other),
            0xc9 => (vec![0, 0, 0, 2, 7, 1, 2], Kind::Other),
            0xca => (vec![0x3f, 0xc0, 0, 0], Kind::Float),
            0xcb => (vec![0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Kind::Float),
            0xcc | 0xd0 => (vec![5], Kind::Integer),
            0xcd | 0xd1 => (vec![0, 5], Kind::Integer),
            0xce | 0xd2 => (vec![0, 0, 0, 5], Kind::Integer),
            0xcf | 0xd3 => (vec![0, 0, 0, 0, 0, 0, 0, 5], Kind::Integer),
            0xd4 => (vec![9, 1], Kind::Other),
            0xd5 => (vec![0xff; 3], Kind::Other),
            0xd6 => (vec![0xff; 5], Kind::Other),
            0xd7 => (vec![0xff; 9], Kind::Other),
            0xd8 => (vec![0xff; 17], Kind::Other),
            0xd9 => (vec![3, 0xe2, 0x82, 0xac], Kind::Text),
            0xda => (vec![0, 3, 0xe2, 0x82, 0xac], Kind::Text),
            0xdb => (vec![0, 0, 0, 3, 0xe2, 0x82, 0xac], Kind::Text),
            0xdc => (vec![0, 1, 0x90], Kind::List),
            0xdd => (vec![0, 0, 0, 1, 0x90], Kind::List),
            0xde => (vec![0, 1, 0xa0, 0x80], Kind::Dict),
            0xdf => (vec![0, 0, 0, 1, 0xa0, 0x80], Kind::Dict),
        };
        let mut sample = vec![marker];
        sample.extend(body);
        samples.push((sample, kind));
    }
    samples.push((vec![0xd4, 0, 0], Kind::Null));
    samples
}

#[test]
fn every_marker_has_its_kind_and_is_passed_over() {
    for (sample, kind) in samples() {
        let mut padded = sample.clone();
        padded.extend([0xc1; 20]);
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
    assert_eq!(skip(&[0xc1]), Err(Malformed::UnexpectedByte(0xc1)));
    assert_eq!(skip(&[0x92, 0x01, 0xc1]), Err(Malformed::UnexpectedByte(0xc1)));
    with(&[0xc1], |reader| {
        let error = Err(ReadError::new(0, Malformed::UnexpectedByte(0xc1)));
        assert_eq!(reader.kind(), error);
        assert_eq!(reader.u64().map(|_| Kind::Null), error);
        assert_eq!(reader.scalar().map(|_| Kind::Null), error);
    });
}

#[test]
fn a_truncated_value_ends_unexpectedly() {
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
fn integers_of_every_width_are_read() {
    let u64 = |bytes: &[u8]| with(bytes, |reader| reader.u64().map_err(|error| error.kind));
    for (sample, kind) in samples() {
        let wrong = Err(Malformed::WrongType { expected: "a non-negative integer", found: kind });
        match sample[0] {
            marker @ 0x00..=0x7f => assert_eq!(u64(&sample), Ok(marker.into())),
            0xcc..=0xd3 => assert_eq!(u64(&sample), Ok(5)),
            0xe0..=0xff => assert_eq!(u64(&sample), Err(Malformed::Negative), "{sample:02x?}"),
            _ => assert_eq!(u64(&sample), wrong, "{sample:02x?}"),
        }
    }
    assert_eq!(u64(&[0xcf; 9]), Ok(u64::from_be_bytes([0xcf; 8])));
    assert_eq!(u64(&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(Malformed::Negative));

    let scalar = |bytes: &[u8]| with(bytes, |reader| reader.scalar().unwrap() == Scalar::Negative(-1));
    for bytes in [&[0xff][..], &[0xd0, 0xff], &[0xd1, 0xff, 0xff], &[0xd2, 0xff, 0xff, 0xff, 0xff]] {
        assert!(scalar(bytes));
    }
    with(&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], |reader| {
        assert_eq!(reader.scalar(), Ok(Scalar::Negative(i64::MIN)));
    });
}

#[test]
fn text_is_checked_and_binary_may_stand_for_it() {
    assert_eq!(skip(&[0xa2, 0xc3, 0x28]), Err(Malformed::InvalidUtf8));
    assert_eq!(skip(&[0xd9, 1, 0x80]), Err(Malformed::InvalidUtf8));
    assert_eq!(skip(&[0xc4, 1, 0x80]), Ok(3));
    // It is passed over all the same, wherever it stands; the first one is noted.
    let utf8 = |offset| ReadError::new(offset, Malformed::InvalidUtf8);
    assert_eq!(noted(&[0xa2, 0xc3, 0x28]), (3, utf8(0)));
    assert_eq!(noted(&[0x93, 1, 0xa1, 0x80, 0xda, 0, 1, 0xff]), (8, utf8(2)));
    assert_eq!(noted(&[0x82, 0xdb, 0, 0, 0, 1, 0xff, 1, 2, 0x91, 0xa1, 0x80]), (12, utf8(1)));
    assert_eq!(skip(&[0xa2, 0xff]), Err(Malformed::UnexpectedEnd));
    assert_eq!(with(&[0xa2, b'h', b'i'], |reader| reader.text()).unwrap(), "hi");
    assert_eq!(with(&[0xc4, 2, b'h', b'i'], |reader| reader.text()).unwrap(), "hi");
    with(&[0xc4, 1, 0x80], |reader| {
        let error = reader.text().unwrap_err();
        assert_eq!(error.kind, Malformed::WrongType { expected: "text", found: Kind::Binary });
        assert_eq!(reader.offset(), 0);
    });
    with(&[0xa1, 0x80], |reader| {
        assert_eq!(reader.text().unwrap_err().kind, Malformed::InvalidUtf8);
        assert_eq!(reader.key().unwrap_err().kind, Malformed::InvalidUtf8);
        assert_eq!(reader.scalar().unwrap_err().kind, Malformed::InvalidUtf8);
    });
    let shared = Bytes::from_static(&[0xa2, b'h', b'i']);
    let text = MsgPackReader::new(&shared, DEPTH).text().unwrap();
    assert_eq!(text.as_bytes().as_ptr(), shared[1..].as_ptr(), "shares the input");
}

#[test]
fn containers_are_walked_entry_by_entry() {
    with(&[0x82, 0xa1, b'a', 0x92, 1, 2, 0xa1, b'b', 0x80, 0x07], |reader| {
        let mut dict = reader.dict().unwrap();
        assert!(reader.more(&mut dict).unwrap());
        assert_eq!(reader.key().unwrap(), "a");
        let mut list = reader.list().unwrap();
        assert!(reader.more(&mut list).unwrap());
        assert_eq!(reader.u64(), Ok(1));
        assert!(reader.more(&mut list).unwrap());
        assert_eq!(reader.u64(), Ok(2));
        assert!(!reader.more(&mut list).unwrap());
        assert!(reader.more(&mut dict).unwrap());
        assert_eq!(reader.key().unwrap(), "b");
        let start = reader.value_start();
        reader.skip(0).unwrap();
        assert_eq!(reader.slice(start..reader.offset()), &[0x80][..]);
        assert!(!reader.more(&mut dict).unwrap());
        let error = reader.finish().unwrap_err();
        assert_eq!(error, ReadError::new(9, Malformed::TrailingBytes { count: 1 }));
        reader.rewind(start);
        assert_eq!(reader.kind(), Ok(Kind::Dict));
    });
    with(&[0x81, 0x01, 0x01], |reader| {
        reader.dict().unwrap();
        assert_eq!(reader.key(), Err(ReadError::new(1, Malformed::NonTextKey(Kind::Integer))));
        assert_eq!(reader.u64(), Ok(1), "the key is not consumed");
    });
    assert_eq!(skip(&[0x81, 0x90, 0xc0]), Ok(3), "any key passes inside what is passed over");
}

#[test]
fn lengths_beyond_the_input_are_refused_at_once() {
    let end = |bytes: &[u8]| {
        assert_eq!(skip(bytes), Err(Malformed::UnexpectedEnd), "{bytes:02x?}");
        with(bytes, |reader| {
            let unexpected = Malformed::UnexpectedEnd;
            match reader.kind().unwrap() {
                Kind::List => assert_eq!(reader.list().unwrap_err().kind, unexpected),
                Kind::Dict => assert_eq!(reader.dict().unwrap_err().kind, unexpected),
                Kind::Text => assert_eq!(reader.text().unwrap_err().kind, unexpected),
                Kind::Binary => assert_eq!(reader.scalar().unwrap_err().kind, unexpected),
                _ => {}
            }
        });
    };
    for marker in [0xdb, 0xc6, 0xc9, 0xdd, 0xdf] {
        end(&[marker, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
        end(&[marker, 0, 0, 0, 3, 0]);
    }
    end(&[0x92, 0xc0]);
    end(&[0x81, 0xa0]);
    end(&[0xdf, 0, 0, 0, 2, 0xa0, 0xc0, 0xa0]);
}

#[test]
fn depth_is_counted_to_the_last_level() {
    let nested = |levels: usize| {
        let mut bytes = vec![0x91; levels - 1];
        bytes.push(0x90);
        Bytes::from(bytes)
    };
    for depth in [1, 2, 23, 24, 25, 26, 64, 255, 256] {
        let fits = nested(depth);
        let mut reader = MsgPackReader::new(&fits, depth);
        reader.skip(0).unwrap();
        reader.finish().unwrap();
        reader.rewind(0);
        let deep = ReadError::new(depth - 1, Malformed::TooDeep { limit: depth });
        assert_eq!(reader.skip(1), Err(deep), "one container is open already");
        let exceeds = nested(depth + 1);
        let error = MsgPackReader::new(&exceeds, depth).skip(0).unwrap_err();
        assert_eq!(error, ReadError::new(depth, Malformed::TooDeep { limit: depth }));
    }
    let error = MsgPackReader::new(&nested(1000), 1000).skip(0).unwrap_err();
    assert_eq!(error.kind, Malformed::TooDeep { limit: 256 }, "no limit allows more");
}

#[test]
fn hostile_nesting_needs_little_stack() {
    let check = || {
        for depth in [DEPTH, 256] {
            for unit in [&[0x91][..], &[0x81], &[0x81, 0xa0], &[0x92, 0xc0], &[0xdc, 0, 1], &[0x91, 0x81, 1]]
            {
                let bytes = Bytes::from(unit.repeat(1_000_000));
                let error = MsgPackReader::new(&bytes, depth).skip(0).unwrap_err();
                assert_eq!(error.kind, Malformed::TooDeep { limit: depth });
            }
        }
    };
    thread::Builder::new().stack_size(64 << 10).spawn(check).unwrap().join().unwrap();
}

#[test]
fn lengths_are_written_in_the_shortest_form() {
    for (len, head) in [
        (0, vec![0xa0]),
        (31, vec![0xbf]),
        (32, vec![0xd9, 32]),
        (255, vec![0xd9, 255]),
        (256, vec![0xda, 1, 0]),
        (65_535, vec![0xda, 255, 255]),
        (65_536, vec![0xdb, 0, 1, 0, 0]),
    ] {
        let text = "x".repeat(len);
        let bytes = written(|writer| writer.text(&text));
        assert_eq!(bytes, [head, text.clone().into_bytes()].concat());
        assert_eq!(bytes, rmp_serde::to_vec(&text).unwrap());
        assert_eq!(bytes, written(|writer| writer.key(&text)));
        assert_eq!(with(&bytes, |reader| reader.text()).unwrap(), text);
    }
    for (len, head) in [
        (0, vec![0xc4, 0]),
        (255, vec![0xc4, 255]),
        (256, vec![0xc5, 1, 0]),
        (65_536, vec![0xc6, 0, 1, 0, 0]),
    ] {
        assert_eq!(written(|writer| writer.binary(&vec![7; len])), [head, vec![7; len]].concat());
    }
    for (len, list, dict) in [
        (0, vec![0x90], vec![0x80]),
        (15, vec![0x9f], vec![0x8f]),
        (16, vec![0xdc, 0, 16], vec![0xde, 0, 16]),
        (65_535, vec![0xdc, 255, 255], vec![0xde, 255, 255]),
        (65_536, vec![0xdd, 0, 1, 0, 0], vec![0xdf, 0, 1, 0, 0]),
    ] {
        assert_eq!(written(|writer| writer.list(len)), list);
        assert_eq!(written(|writer| writer.dict(len)), dict);
    }
}

#[test]
fn floats_are_written_in_32_bits_where_that_keeps_them() {
    for (value, len) in [(0.0, 5), (-0.0, 5), (1.5, 5), (0.1, 9), (1e300, 9), (f64::INFINITY, 5)] {
        let bytes = written(|writer| writer.f64(value));
        assert_eq!(bytes.len(), len, "{value}");
        with(&bytes, |reader| match reader.scalar().unwrap() {
            Scalar::Float(read) => assert_eq!(read.to_bits(), value.to_bits()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(written(|writer| writer.f64(-f64::NAN)), [0xca, 0x7f, 0xc0, 0, 0]);
}

proptest! {
    #[test]
    fn integers_agree_with_another_implementation(unsigned: u64, signed: i64, shift in 0..64_u32) {
        let (unsigned, signed) = (unsigned >> shift, signed >> shift);
        prop_assert_eq!(written(|writer| writer.u64(unsigned)), rmp_serde::to_vec(&unsigned).unwrap());
        let bytes = written(|writer| writer.i64(signed));
        prop_assert_eq!(&bytes, &rmp_serde::to_vec(&signed).unwrap());
        let expected = u64::try_from(signed).map_or(Scalar::Negative(signed), Scalar::Unsigned);
        prop_assert_eq!(with(&bytes, |reader| reader.scalar().unwrap() == expected), true);
    }

    #[test]
    fn skipping_agrees_with_another_implementation(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = skip(&bytes);
        let mut theirs = rmp_serde::Deserializer::from_read_ref(&bytes[..]);
        let read: Result<serde::de::IgnoredAny, _> = serde::Deserialize::deserialize(&mut theirs);
        // The other one neither checks UTF-8 nor counts extensions as values everywhere.
        if ours.is_ok() && !bytes.iter().any(|byte| matches!(byte, 0xc7..=0xc9 | 0xd4..=0xd8)) {
            prop_assert!(read.is_ok(), "{:02x?}", bytes);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        with(&bytes, |reader| {
            let _ = (reader.kind(), reader.bool(), reader.u64(), reader.text(), reader.key());
            let _ = (reader.list(), reader.dict(), reader.scalar(), reader.skip(0), reader.finish());
        });
    }
}
