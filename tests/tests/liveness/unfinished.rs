//! A router whose clients begin a message and do not end it.

use std::time::Duration;

use roadbed_core::error::{CloseReason, Deadline};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig, RouterEvent};
use roadbed_testkit::{Carrier, ClientId, Script, World};
use roadbed_tests::frames::Framing;

use crate::{SECOND, seconds};

const HELLO: &str = r#"[1,"realm1",{"roles":{"publisher":{}}}]"#;

fn framings() -> impl Iterator<Item = Framing> {
    Carrier::ALL.iter().flat_map(|carrier| {
        Serializer::ALL.map(|serializer| Framing { carrier: *carrier, serializer, is_client: true })
    })
}

/// A publication of so many bytes, framed.
fn publication(framing: Framing, bytes: usize) -> Vec<u8> {
    framing.message(&format!(r#"[16,1,{{}},"com.example.topic",["{}"]]"#, "x".repeat(bytes)))
}

fn joined(framing: Framing) -> (World, ClientId) {
    let config =
        RouterConfig::new().realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"));
    let mut world = World::new(config);
    let script = world.connect_script(Script::raw());
    world.script(script).send_bytes(&[framing.request(), framing.message(HELLO)].concat());
    world.drive();
    assert_eq!(world.router().stats().sessions, 1, "{framing:?}");
    (world, script)
}

/// Sends `next` once a second, until the router ends the session; says when that was.
fn ends_at(world: &mut World, script: ClientId, mut next: impl FnMut(usize) -> Vec<u8>) -> Option<u64> {
    for second in 0..200 {
        if world.router().stats().sessions == 0 {
            let events = world.router_events();
            let reasons: Vec<_> = events
                .iter()
                .filter_map(|event| match event {
                    RouterEvent::Left { reason, .. } => Some(reason),
                    _ => None,
                })
                .collect();
            assert_eq!(reasons, [&CloseReason::Timeout(Deadline::Message)]);
            return Some(seconds(world.now()));
        }
        let bytes = next(second);
        if !bytes.is_empty() {
            world.script(script).send_bytes(&bytes);
        }
        world.advance(SECOND);
    }
    None
}

#[test]
fn what_never_ends_costs_the_session() {
    for framing in framings() {
        let message = publication(framing, 300);
        // After the header; in the middle; all but the last byte: then nothing more, or a byte a second.
        for cut in [1, 3, message.len() / 2, message.len() - 1] {
            let (mut world, script) = joined(framing);
            world.script(script).send_bytes(&message[..cut]);
            world.drive();
            let end = ends_at(&mut world, script, |_| Vec::new());
            assert!(matches!(end, Some(30..=36)), "{framing:?}, {cut} bytes: {end:?}");
        }
        let (mut world, script) = joined(framing);
        let end = ends_at(&mut world, script, |second| vec![message[second]]);
        assert!(matches!(end, Some(30..=36)), "{framing:?}: {end:?}");
    }
}

/// Frames between those of a message are no progress of it.
#[test]
fn pings_do_not_prolong_it() {
    for framing in framings().filter(|framing| framing.carrier.is_websocket()) {
        let (mut world, script) = joined(framing);
        let first = if framing.serializer == Serializer::Json { 1 } else { 2 };
        world.script(script).send_bytes(&framing.frame(first, b"["));
        let end = ends_at(&mut world, script, |_| framing.ping(b"still here"));
        assert!(matches!(end, Some(30..=36)), "{framing:?}: {end:?}");
    }
}

/// A message is measured by its own beginning, not by that of those before it.
#[test]
fn a_peer_that_is_always_in_a_message_goes_on() {
    for framing in framings() {
        let (mut world, script) = joined(framing);
        let message = publication(framing, 300);
        let (head, tail) = message.split_at(message.len() / 2);
        world.script(script).send_bytes(head);
        let next = |second| if second % 20 == 19 { [tail, head].concat() } else { Vec::new() };
        assert_eq!(ends_at(&mut world, script, next), None, "{framing:?}");
        assert_eq!(world.router().stats().counters.publications, 10);
    }
}

#[test]
fn large_messages_have_more_time() {
    for framing in framings().filter(|framing| !framing.carrier.is_compressed()) {
        let (mut world, script) = joined(framing);
        let message = publication(framing, 800_000);
        let rate = 6 << 10;
        let next = |second| message.iter().skip(second * rate).take(rate).copied().collect();
        assert_eq!(ends_at(&mut world, script, next), None, "{framing:?}");
        assert_eq!(world.router().stats().counters.publications, 1);
    }
}

#[test]
fn the_time_is_a_limit_of_the_configuration() {
    let framing = Framing::rawsocket(Serializer::Cbor);
    let config =
        RouterConfig::new().realm(Uri::from_static("realm1"), Authentication::new().anonymous("guest"));
    let mut world = World::new(config.limits(Limits::default().message_timeout(Duration::from_secs(7))));
    let script = world.connect_script(Script::raw());
    world.script(script).send_bytes(&[framing.request(), framing.message(HELLO), vec![0]].concat());
    world.drive();
    assert_eq!(ends_at(&mut world, script, |_| Vec::new()), Some(7));
}
