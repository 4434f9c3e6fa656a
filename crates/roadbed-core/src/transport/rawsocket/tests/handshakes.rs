use super::*;

#[test]
fn each_end_limits_what_the_other_sends() {
    let config = RawSocketClientConfig::new(Serializer::Cbor).max_receive(1 << 24);
    let mut client = RawSocket::client(&config);
    let mut server = RawSocket::server(&RawSocketServerConfig::default().max_receive(1_000));
    assert_eq!((client.role(), server.role()), (TransportRole::Client, TransportRole::Server));

    let request = output(&mut client);
    assert_eq!(request, [0x7F, 0xF3, 0, 0]);
    feed(&mut server, &request);
    let reply = output(&mut server);
    assert_eq!(reply, [0x7F, 0x03, 0, 0]);
    feed(&mut client, &reply);

    let open = |max_send| [TransportEvent::Open { serializer: Serializer::Cbor, max_send }];
    assert_eq!(events(&mut client), open(512));
    // 2^24 bytes are never sent, whatever the peer accepts.
    assert_eq!(events(&mut server), open((1 << 24) - 1));
    assert_eq!((client.max_send(), client.max_receive()), (512, 1 << 24));
    assert_eq!((server.max_send(), server.max_receive()), ((1 << 24) - 1, 512));
    assert_eq!(server.serializer(), Some(Serializer::Cbor));
}

#[test]
fn octet_by_octet() {
    let mut server = server();
    let mut input = BytesMut::new();
    for octet in [0x7F, 0x12, 0] {
        input.extend_from_slice(&[octet]);
        server.handle_input(NOW, &mut input);
        assert!(!server.is_open() && server.wants_input());
        assert_eq!((server.max_send(), server.serializer()), (0, None));
    }
    input.extend_from_slice(&[0]);
    server.handle_input(NOW, &mut input);
    assert!(server.is_open() && input.is_empty());
    assert_eq!(server.max_send(), 1024);
}

#[test]
fn servers_refuse_with_the_code_of_the_fault() {
    let ours = RawSocketServerConfig::default().serializers(&[Serializer::Json]);
    let unsupported = |requested| RawSocketError::UnsupportedSerializer { requested };
    for (request, reply, error) in [
        ([0x7F, 0xF2, 0, 0], [0x7F, 0x10, 0, 0], unsupported(2)),
        ([0x7F, 0xF0, 0, 0], [0x7F, 0x10, 0, 0], unsupported(0)),
        ([0x7F, 0xFF, 0, 0], [0x7F, 0x10, 0, 0], unsupported(15)),
        ([0x7F, 0xF1, 0, 1], [0x7F, 0x30, 0, 0], RawSocketError::ReservedOctets { found: 1 }),
        ([0x7F, 0xF1, 1, 0], [0x7F, 0x30, 0, 0], RawSocketError::ReservedOctets { found: 256 }),
        ([0x7F, 0xF2, 0, 9], [0x7F, 0x30, 0, 0], RawSocketError::ReservedOctets { found: 9 }),
    ] {
        let mut server = RawSocket::server(&ours);
        let rest = feed(&mut server, &[&request[..], b"rest"].concat());
        assert_eq!(output(&mut server), reply);
        assert_eq!(events(&mut server), [failed(error)]);
        assert!(rest.is_empty() && !server.wants_input() && !server.is_open());
    }
}

#[test]
fn the_owner_refuses() {
    for (error, octet) in [
        (HandshakeError::ConnectionLimit, 0x40),
        (HandshakeError::LengthUnacceptable, 0x20),
        (HandshakeError::Unknown(7), 0x70),
    ] {
        let mut server = server();
        server.refuse(NOW, error);
        server.refuse(NOW, error);
        feed(&mut server, &[0x7F, 0xF1, 0, 0]);
        assert_eq!(output(&mut server), [0x7F, octet, 0, 0]);
        assert_eq!(events(&mut server), [failed(RawSocketError::Refused(error))]);
    }
    // Too late, and on the wrong end: no octets, a plain close.
    let mut late = open_server(SMALL, 0);
    let mut client = client();
    output(&mut client);
    for transport in [&mut late, &mut client] {
        transport.refuse(NOW, HandshakeError::ConnectionLimit);
        assert!(output(transport).is_empty());
        assert_eq!(events(transport), [TransportEvent::Closed { reason: TransportClose::Local }]);
    }
}

#[test]
fn clients_name_what_the_server_answered() {
    let refused = RawSocketError::Refused;
    let mismatch = |answered| RawSocketError::SerializerMismatch { requested: 2, answered };
    for (reply, error) in [
        ([0x7F, 0x10, 0, 0], refused(HandshakeError::SerializerUnsupported)),
        ([0x7F, 0x20, 0, 0], refused(HandshakeError::LengthUnacceptable)),
        ([0x7F, 0x30, 0, 0], refused(HandshakeError::ReservedBits)),
        ([0x7F, 0x40, 0, 0], refused(HandshakeError::ConnectionLimit)),
        ([0x7F, 0x50, 0, 0], refused(HandshakeError::Unknown(5))),
        ([0x7F, 0xF0, 0, 0], refused(HandshakeError::Unknown(15))),
        ([0x7F, 0x00, 0, 0], refused(HandshakeError::Unknown(0))),
        ([0x7F, 0xF1, 0, 0], mismatch(1)),
        ([0x7F, 0xF7, 0, 0], mismatch(7)),
        ([0x7F, 0xF2, 0x80, 0], RawSocketError::ReservedOctets { found: 0x8000 }),
    ] {
        let mut client = client();
        output(&mut client);
        feed(&mut client, &reply);
        assert_eq!(events(&mut client), [failed(error)]);
        assert!(output(&mut client).is_empty());
    }
}

#[test]
fn another_protocol_is_seen_at_its_first_octet_and_gets_no_answer() {
    for found in (0..=u8::MAX).filter(|&octet| octet != 0x7F) {
        for mut transport in [client(), server()] {
            output(&mut transport);
            assert!(feed(&mut transport, &[found]).is_empty());
            let error = match (found, transport.role()) {
                (0x15, TransportRole::Client) => RawSocketError::WantsTls,
                _ => RawSocketError::BadMagic { found },
            };
            assert_eq!(events(&mut transport), [failed(error)]);
            assert!(output(&mut transport).is_empty());
        }
    }
}

#[test]
fn errors_read_as_sentences() {
    for (error, text) in [
        (
            TransportError::from(RawSocketError::BadMagic { found: b'H' }),
            "not a RawSocket handshake: it begins with 0x48 instead of 0x7F, as HTTP does: connect with ws:// \
             instead of rs://",
        ),
        (
            RawSocketError::Refused(HandshakeError::ConnectionLimit).into(),
            "handshake refused: maximum connection count reached",
        ),
        (
            TransportError::TooLarge { size: 513, limit: 512 },
            "message of 513 bytes not sent: the peer accepts up to 512",
        ),
        (
            TransportError::ReceivedTooLarge { kind: FrameKind::Ping, size: 9, limit: 8 },
            "received a PING of 9 bytes, the limit is 8",
        ),
        (
            TransportError::Truncated { part: FramePart::Body, received: 3, expected: 5 },
            "the stream ended in a frame body: 3 of 5 bytes arrived",
        ),
    ] {
        assert_eq!(alloc::string::ToString::to_string(&error), text);
    }
}
