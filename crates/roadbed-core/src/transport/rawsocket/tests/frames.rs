use alloc::vec;

use super::*;

#[test]
fn handshake_and_first_messages_in_one_read() {
    let mut server = server();
    let bytes = [&[0x7F, 0xF1, 0, 0], &frame(0, b"[1]")[..], &frame(0, b""), &frame(0, b"[2")[..5]].concat();
    let left = feed(&mut server, &bytes);
    assert_eq!(&left[..], &frame(0, b"[2")[..5]);
    let max_send = (1 << 24) - 1;
    let open = TransportEvent::Open { serializer: Serializer::Json, max_send };
    assert_eq!(events(&mut server), [open, message(b"[1]"), message(b"")]);
}

#[test]
fn messages_are_slices_of_the_read_buffer() {
    let mut server = open_server(SMALL, 0);
    let mut input = BytesMut::from(&frame(0, b"payload")[..]);
    let start = input.as_ptr() as usize;
    server.handle_input(NOW, &mut input);
    let Some(TransportEvent::Message(body)) = server.poll_event() else { panic!() };
    assert_eq!(body.as_ptr() as usize, start + HEADER_LEN);
}

#[test]
fn an_empty_message_does_not_pin_the_read_buffer() {
    let mut server = open_server(SMALL, 0);
    let mut input = BytesMut::from(&frame(0, b"")[..]);
    server.handle_input(NOW, &mut input);
    let waiting = server.poll_event();
    assert_eq!(waiting, Some(message(b"")));
    assert!(input.try_reclaim(HEADER_LEN));
}

#[test]
fn receive_limits_to_the_byte() {
    for kind in [0, 1, 2] {
        for (size, fits) in [(511, true), (512, true), (513, false), (1024, false)] {
            let mut server = open_server(SMALL, 15);
            // The header decides, before a body is waited for.
            feed(&mut server, &frame(kind, &vec![0; size])[..HEADER_LEN]);
            assert_eq!(server.is_open(), fits, "{kind} {size}");
            if !fits {
                let kind = [FrameKind::Message, FrameKind::Ping, FrameKind::Pong][usize::from(kind)];
                let error = TransportError::ReceivedTooLarge { kind, size, limit: 512 };
                assert_eq!(events(&mut server), [failed(error)]);
            }
        }
    }
}

#[test]
fn send_limits_to_the_byte() {
    let body = |size| Encoded::from(Bytes::from(vec![7; size]));
    let mut server = open_server(1 << 20, 0);
    for size in [513, 1 << 24] {
        let error = TransportError::TooLarge { size, limit: 512 };
        assert_eq!(server.send(NOW, &body(size)), Err(error));
    }
    assert_eq!((server.queued(), server.is_open()), (0, true));
    for size in [0, 511, 512] {
        server.send(NOW, &body(size)).unwrap();
        assert_eq!(server.queued(), size + HEADER_LEN);
        assert_eq!(output(&mut server), frame(0, &vec![7; size]));
    }

    let mut large = open_server(SMALL, 15);
    let limit = (1 << 24) - 1;
    assert_eq!(large.send(NOW, &body(1 << 24)), Err(TransportError::TooLarge { size: 1 << 24, limit }));
    large.send(NOW, &body(limit)).unwrap();
    assert_eq!(large.poll_transmit().unwrap(), &[0, 0xFF, 0xFF, 0xFF][..]);
    assert_eq!(large.poll_transmit().unwrap().len(), limit);
}

#[test]
fn the_extra_length_bit_is_received_and_never_sent() {
    let mut server = open_server(1 << 24, 15);
    let mut input = BytesMut::from(&[8, 0, 0, 0][..]);
    server.handle_input(NOW, &mut input);
    input.resize(HEADER_LEN + (1 << 24), 0);
    server.handle_input(NOW, &mut input);
    assert!(matches!(server.poll_event(), Some(TransportEvent::Message(body)) if body.len() == 1 << 24));

    let mut smaller = open_server(1 << 23, 15);
    feed(&mut smaller, &[8, 0, 0, 0]);
    let error = TransportError::ReceivedTooLarge { kind: FrameKind::Message, size: 1 << 24, limit: 1 << 23 };
    assert_eq!(events(&mut smaller), [failed(error)]);

    // Its PONG would need the bit.
    let mut pinged = open_server(1 << 24, 15);
    feed(&mut pinged, &[9, 0, 0, 0]);
    let limit = (1 << 24) - 1;
    let error = TransportError::ReceivedTooLarge { kind: FrameKind::Ping, size: 1 << 24, limit };
    assert_eq!(events(&mut pinged), [failed(error)]);

    let mut odd = open_server(1 << 24, 15);
    feed(&mut odd, &[8, 0, 0, 1]);
    assert_eq!(events(&mut odd), [failed(RawSocketError::FrameLength { length: 1 })]);
}

#[test]
fn bad_headers_end_it_after_the_events_before_them() {
    for octet in (3..=u8::MAX).filter(|octet| octet & 0xF7 > 2) {
        let mut server = open_server(SMALL, 0);
        let bytes = [&frame(0, b"ok")[..], &[octet, 0, 0, 0], &frame(0, b"never")].concat();
        let mut input = feed(&mut server, &bytes);
        assert_eq!(events(&mut server), [message(b"ok")], "what came before is answered first");
        server.handle_input(NOW, &mut input);
        assert!(input.is_empty());
        let error = match octet {
            16.. => RawSocketError::ReservedBits { octet },
            _ => RawSocketError::FrameType { found: octet & 7 },
        };
        assert_eq!(events(&mut server), [failed(error)]);
    }
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    // Nothing but the transport handshake has happened: WAMP's HELLO is not needed.
    let mut server = open_server(SMALL, 0);
    feed(&mut server, &[frame(1, b"payload"), frame(1, b""), frame(2, b"unasked")].concat());
    assert_eq!(output(&mut server), [frame(2, b"payload"), frame(2, b"")].concat());
    assert!(events(&mut server).is_empty() && server.is_open());
}

#[test]
fn a_ping_has_to_fit_into_what_its_sender_accepts() {
    for (size, fits) in [(511, true), (512, true), (513, false)] {
        let mut server = open_server(1 << 20, 0);
        feed(&mut server, &frame(1, &vec![5; size]));
        assert_eq!(server.is_open(), fits);
        if fits {
            assert_eq!(output(&mut server), frame(2, &vec![5; size]));
        }
    }
}

#[test]
fn a_pong_overtakes_messages_but_never_cuts_one() {
    let mut server = open_server(1 << 20, 15);
    let large = Encoded::from(Bytes::from(vec![b'x'; 20_000]));
    server.send(NOW, &Encoded::from(Bytes::from_static(b"first"))).unwrap();
    server.send(NOW, &large).unwrap();
    server.send(NOW, &large).unwrap();
    let head = server.poll_transmit().unwrap();
    assert_eq!(&head[..], &[&frame(0, b"first")[..], &[0, 0, 0x4E, 0x20]].concat()[..]);

    feed(&mut server, &frame(1, &[b'p'; 17_000]));
    assert_eq!(server.poll_transmit().unwrap().len(), 20_000);
    assert_eq!(server.poll_transmit().unwrap(), &[2, 0, 0x42, 0x68][..]);
    assert_eq!(server.poll_transmit().unwrap(), &[b'p'; 17_000][..]);
    assert_eq!(output(&mut server), frame(0, &[b'x'; 20_000]));
}

#[test]
fn the_handshake_reply_goes_out_before_the_first_pong() {
    let mut server = server();
    feed(&mut server, &[&[0x7F, 0xF1, 0, 0], &frame(1, b"?")[..]].concat());
    assert_eq!(output(&mut server), [&[0x7F, 0x01, 0, 0], &frame(2, b"?")[..]].concat());
}
