use super::*;

const MS: Duration = Duration::from_millis(1);

fn at(millis: u32) -> Timestamp {
    Timestamp::ZERO + millis * MS
}

/// Everything that can be read at `now`.
fn drain(wire: &mut Wire, now: Timestamp) -> (Vec<Bytes>, bool) {
    let mut pieces = Vec::new();
    while let Some(read) = wire.read(now) {
        match read {
            Read::Data(bytes) => pieces.push(bytes),
            Read::Eof => return (pieces, true),
        }
    }
    (pieces, false)
}

#[test]
fn pieces_are_cut_and_joined_as_told() {
    for (pieces, expected) in [
        (Pieces::AsWritten, vec!["ab", "cde"]),
        (Pieces::Coalesced, vec!["abcde"]),
        (Pieces::Bytewise, vec!["a", "b", "c", "d", "e"]),
    ] {
        let mut wire = Wire::new(1, Conditions::new().pieces(pieces));
        wire.write(at(0), "ab".into());
        wire.write(at(0), "cde".into());
        assert_eq!(wire.queued(), 5);
        assert_eq!(drain(&mut wire, at(0)).0, expected, "{pieces:?}");
        assert_eq!(wire.queued(), 0);
    }
    let random = || {
        let mut wire = Wire::new(7, Conditions::new().pieces(Pieces::Random));
        wire.write(at(0), Bytes::from(vec![1; 100_000]));
        drain(&mut wire, at(0)).0
    };
    assert_eq!(random(), random());
    assert!(random().len() > 2);
}

#[test]
fn delays_add_up_and_keep_the_order() {
    let mut wire = Wire::new(1, Conditions::new().latency(10 * MS).bandwidth(1_000));
    wire.write(at(0), "12345".into());
    wire.write(at(0), "6".into());
    assert_eq!(wire.next_read(), Some(at(15)));
    assert_eq!(drain(&mut wire, at(15)).0, ["12345"]);
    assert_eq!(wire.next_read(), Some(at(16)));
    let mut jittery = Wire::new(1, Conditions::new().jitter(10 * MS));
    for byte in "abcdefgh".bytes() {
        jittery.write(at(0), vec![byte].into());
    }
    assert_eq!(drain(&mut jittery, at(10)).0.concat(), b"abcdefgh");
}

#[test]
fn a_pause_spreads_reads_over_time() {
    let mut wire = Wire::new(1, Conditions::new().pause(MS).pieces(Pieces::Bytewise));
    wire.write(at(0), "abc".into());
    assert_eq!(drain(&mut wire, at(0)).0, ["a"]);
    assert_eq!(wire.next_read(), Some(at(1)));
    assert_eq!(drain(&mut wire, at(9)).0, ["b"]);
}

#[test]
fn a_stalled_wire_fills_its_window() {
    let mut wire = Wire::new(1, Conditions::new().window(4));
    wire.stall();
    wire.write(at(0), "abcd".into());
    assert!(!wire.is_writable());
    assert_eq!((wire.next_read(), wire.read(at(5))), (None, None));
    wire.resume();
    assert_eq!(drain(&mut wire, at(5)).0, ["abcd"]);
    assert!(wire.is_writable());
}

#[test]
fn cuts_lose_what_they_say() {
    let mut wire = Wire::new(1, Conditions::new().latency(MS));
    wire.write(at(0), "lost".into());
    wire.cut(at(0));
    wire.write(at(0), "ignored".into());
    assert_eq!(drain(&mut wire, at(0)), (vec![], true));
    assert!(wire.is_ended() && !wire.is_writable());

    let mut wire = Wire::new(1, Conditions::new());
    wire.cut_after(3);
    wire.write(at(0), "abcd".into());
    assert_eq!(drain(&mut wire, at(0)), (vec!["abc".into()], true));

    let mut wire = Wire::new(1, Conditions::new());
    wire.write(at(0), "abcd".into());
    wire.black_hole();
    wire.write(at(0), "efgh".into());
    wire.finish(at(0));
    assert_eq!((drain(&mut wire, at(9)), wire.next_read()), ((vec![], false), None));
    assert!(wire.is_writable() && wire.queued() == 0);
}
