use super::*;

/// A faulty stream of a client's, what the server makes of it, and the code it sends.
fn check(stream: &[u8], expected: &[MessageEvent], code: u16) {
    let every: Vec<usize> = (0..stream.len()).collect();
    for cuts in [&[][..], &[1], &[2], &[7], &every] {
        let mut server = server();
        let (mut seen, mut input, mut start) = (vec![], BytesMut::new(), 0);
        for &cut in cuts.iter().chain([&stream.len()]) {
            let cut = cut.min(stream.len());
            input.extend_from_slice(&stream[start..cut]);
            start = cut;
            server.handle_input(NOW, &mut input);
            while !input.is_empty() && !server.events.is_empty() {
                seen.extend(events(&mut server));
                server.handle_input(NOW, &mut input);
            }
            seen.extend(events(&mut server));
        }
        assert_eq!(seen, expected, "{stream:X?} cut at {cuts:?}");
        assert!(input.is_empty() && !server.is_open() && !server.is_closing() && !server.wants_input());
        server.close(NOW, 1000, "not this one");
        let sent = frames(&output(&mut server));
        assert_eq!(sent.last().unwrap(), &(0x88, None, code.to_be_bytes().to_vec()), "{stream:X?}");
    }
}

#[test]
fn every_fault_has_its_code() {
    let surrogate = b"\xED\xA0\x80";
    for (stream, error, code) in [
        (frame(0xC1, b"x"), FrameError::ReservedBits { octet: 0xC1 }, 1002),
        (frame(0x91, b"x"), FrameError::ReservedBits { octet: 0x91 }, 1002),
        (frame(0xA9, b"x"), FrameError::ReservedBits { octet: 0xA9 }, 1002),
        (frame(0x83, b"x"), FrameError::Opcode { found: 3 }, 1002),
        (frame(0x8B, b"x"), FrameError::Opcode { found: 11 }, 1002),
        (frame(0x09, b"x"), FrameError::FragmentedControl { opcode: 9 }, 1002),
        (frame(0x08, b""), FrameError::FragmentedControl { opcode: 8 }, 1002),
        (frame(0x8A, &[0; 126]), FrameError::LongControl { opcode: 10 }, 1002),
        (frame(0x80, b"x"), FrameError::NothingToContinue, 1002),
        (frame(0x00, b"x"), FrameError::NothingToContinue, 1002),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), FrameError::Interleaved, 1002),
        ([frame(0x01, b"a"), frame(0x02, b"b")].concat(), FrameError::Interleaved, 1002),
        (plain(0x81, b"not masked"), FrameError::Unmasked, 1002),
        (vec![0x82, 0xFE, 0, 125, 0, 0, 0, 0], FrameError::PaddedLength { length: 125 }, 1002),
        (
            vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            FrameError::HugeLength { length: 1 << 63 },
            1002,
        ),
        (frame(0x88, b"\x03"), FrameError::CloseLength, 1002),
        (frame(0x88, b"\x03\xED"), FrameError::CloseCode { code: 1005 }, 1002),
        (frame(0x88, b"\x03\xE8\xED\xA0\x80"), FrameError::CloseReason, 1007),
        (frame(0x81, surrogate), FrameError::Utf8 { offset: 0 }, 1007),
        (frame(0x81, "caf\u{e9}".as_bytes().split_last().unwrap().1), FrameError::Utf8 { offset: 3 }, 1007),
        ([frame(0x01, b"ab\xED"), frame(0x80, b"\xA0")].concat(), FrameError::Utf8 { offset: 2 }, 1007),
        ([frame(0x01, b"ab\xE2"), frame(0x80, b"")].concat(), FrameError::Utf8 { offset: 2 }, 1007),
    ] {
        check(&stream, &[failed(error.clone())], code);
        // What came before it is seen, and answered, first.
        let behind = [frame(0x81, b"first"), stream, frame(0x81, b"never")].concat();
        check(&behind, &[text("first"), failed(error)], code);
    }
}

#[test]
fn a_client_refuses_masked_frames() {
    let mut client = client();
    feed(&mut client, &frame(0x81, b"masked"));
    assert_eq!(events(&mut client), [failed(FrameError::Masked)]);
    client.close(NOW, 1000, "");
    assert_eq!(frames(&output(&mut client))[0].2, 1002_u16.to_be_bytes());
}

/// Limit − 1, limit, limit + 1, in one frame and in several.
#[test]
fn the_limit_is_exact() {
    for size in [SMALL - 1, SMALL, SMALL + 1] {
        let body = vec![b'x'; size];
        let (head, tail) = body.split_at(300);
        for stream in [
            frame(0x82, &body),
            [frame(0x02, head), frame(0x80, tail)].concat(),
            [frame(0x02, b""), frame(0x00, &body), frame(0x80, b"")].concat(),
            [frame(0x02, &body), frame(0x80, b"")].concat(),
        ] {
            if size <= SMALL {
                let mut server = server();
                feed(&mut server, &stream);
                assert_eq!(events(&mut server), [binary(&body)]);
            } else {
                check(&stream, &[too_large(size, SMALL)], 1009);
            }
        }
    }
    // A length is believed before its bytes arrive.
    let mut server = server();
    feed(&mut server, &[0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]);
    assert_eq!(events(&mut server), [too_large(usize::try_from(i64::MAX).unwrap(), SMALL)]);
}

/// Text fails with its first wrong octet, not with the end of the frame.
#[test]
fn text_is_judged_as_it_arrives() {
    for stream in
        [frame(0x81, b"\xCE\xBA\xED\xA0\x80 and more"), frame(0x01, b"\xCE\xBA\xED\xA0\x80 and more")]
    {
        let mut server = server();
        let mut input = BytesMut::new();
        for (index, octet) in stream.iter().enumerate() {
            input.extend_from_slice(&[*octet]);
            server.handle_input(NOW, &mut input);
            let is_over = index >= 6 + 3;
            assert_eq!(!server.is_open(), is_over, "after octet {index}");
            if is_over {
                break;
            }
        }
        assert_eq!(events(&mut server), [failed(FrameError::Utf8 { offset: 2 })]);
    }
}

#[test]
fn after_a_fault_the_reason_can_still_be_sent_until_close() {
    let mut server = server();
    feed(&mut server, &frame(0x83, b""));
    server.send(NOW, MessageKind::Text, &encoded(b"why")).unwrap();
    server.close(NOW, 1000, "");
    assert_eq!(server.send(NOW, MessageKind::Text, &encoded(b"why")), Err(TransportError::Closed));
    assert_eq!(output(&mut server), b"\x81\x03why\x88\x02\x03\xEA");
    assert_eq!(events(&mut server).len(), 1);
    assert_eq!((server.queued(), server.poll_timeout()), (0, None));
}
