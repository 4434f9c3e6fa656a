use std::collections::HashSet;

use super::*;

/// T-86: a fresh key for each frame, of every kind.
#[test]
fn a_hundred_thousand_keys() {
    const FRAMES: usize = 100_000;
    let mut client = client();
    let mut keys = vec![];
    for round in 0..FRAMES {
        client.send(NOW, MessageKind::Text, &encoded(b"x")).unwrap();
        if round % 64 == 0 {
            feed(&mut client, &plain(0x89, b"?"));
        }
        keys.extend(frames(&output(&mut client)).into_iter().map(|(_, key, _)| key.unwrap()));
    }
    assert_eq!(keys.len(), FRAMES + FRAMES.div_ceil(64));
    assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
    // Of so many 32-bit numbers one or two are expected to be equal by chance; seven are one in 10^4.
    let distinct = keys.iter().collect::<HashSet<_>>().len();
    assert!(keys.len() - distinct <= 7, "{} keys came twice", keys.len() - distinct);
    // Every bit is set in half of them.
    for bit in 0..32 {
        let set = keys.iter().filter(|key| u32::from_le_bytes(**key) >> bit & 1 == 1).count();
        assert!((FRAMES * 49 / 100..FRAMES * 53 / 100).contains(&set), "bit {bit}: {set}");
    }
}

#[test]
fn the_seed_decides() {
    let keys = |seed: u8| {
        let mut client = MessageStream::client(&config(), [seed; 32], NOW);
        for _ in 0..8 {
            client.send(NOW, MessageKind::Binary, &encoded(b"")).unwrap();
        }
        frames(&output(&mut client)).into_iter().map(|(_, key, _)| key.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(keys(1), keys(1));
    assert_ne!(keys(1), keys(2));
}

#[test]
fn servers_do_not_mask_and_share_large_bodies() {
    let mut server = server();
    let body = Bytes::from(vec![7; 100_000]);
    server.send(NOW, MessageKind::Binary, &Encoded::from(body.clone())).unwrap();
    assert_eq!(server.poll_transmit().unwrap().len(), 10);
    assert_eq!(server.poll_transmit().unwrap().as_ptr(), body.as_ptr());
    server.send(NOW, MessageKind::Text, &encoded(b"small")).unwrap();
    assert_eq!(output(&mut server), b"\x81\x05small");
}

#[test]
fn chunks_of_a_message_are_masked_as_one() {
    let mut client = client();
    let chunks: Vec<Bytes> = [&b"one"[..], b"", b"two", &[b'x'; 20_000], b"three"]
        .into_iter()
        .map(Bytes::copy_from_slice)
        .collect();
    let whole = chunks.concat();
    client.send(NOW, MessageKind::Binary, &Encoded::chained(chunks)).unwrap();
    let queued = client.queued();
    let sent = output(&mut client);
    assert_eq!(sent.len(), queued);
    let [(first, _, body)] = &frames(&sent)[..] else { panic!("one frame") };
    assert_eq!((*first, body == &whole), (0x82, true));
}

#[test]
fn a_message_is_unmasked_where_it_lies() {
    let mut server = server();
    let mut input = BytesMut::from(&frame(0x82, b"in place")[..]);
    let payload = input[6..].as_ptr();
    server.handle_input(NOW, &mut input);
    let Some(MessageEvent::Message { body, .. }) = server.poll_event() else { panic!("a message") };
    assert_eq!((body.as_ptr(), &body[..]), (payload, &b"in place"[..]));
}
