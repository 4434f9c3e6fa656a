//! Connections on top of the limit, and the one deadline that those have who get in.

use std::time::Duration;

use roadbed_core::limits::Limits;

use super::tests::ByHand;
use crate::testing::{World, settings};

fn world(count: usize) -> World {
    World::with(Limits::default(), |builder| builder.max_connections(count))
}

const RAWSOCKET: &[u8] = b"\x7F\xF1\x00\x00";
const HTTP: &[u8] = b"GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n";

#[test]
fn whoever_comes_on_top_is_told_in_its_own_terms() {
    let world = world(2);
    // Sessions of this process do not count.
    let _local = world.session();
    let (mut one, mut two) = (ByHand::attach(&world), ByHand::attach(&world));
    one.write(&world, RAWSOCKET);
    assert_eq!(one.read(), (b"\x7F\xB1\x00\x00".to_vec(), false));
    two.write(&world, HTTP);
    assert!(two.read().0.starts_with(b"HTTP/1.1 101 "));

    let mut rawsocket = ByHand::attach(&world);
    rawsocket.write(&world, RAWSOCKET);
    assert_eq!(rawsocket.read(), (b"\x7F\x40\x00\x00".to_vec(), true));
    let mut http = ByHand::attach(&world);
    http.write(&world, HTTP);
    let (said, is_end) = http.read();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nRetry-After: 5\r\n") && is_end, "{said}");
    // Both are being refused until they have gone: there is no room for more of that either.
    let mut other = ByHand::attach(&world);
    assert_eq!(other.read(), (Vec::new(), true));
    assert_eq!(world.router.stats().counters.connections_refused, 3);
    drop((rawsocket, http));
    world.sim.settle();

    // Who says nothing is let be for as long as everybody.
    let mut silent = ByHand::attach(&world);
    world.sim.pass(Duration::from_secs(4));
    assert_eq!(silent.read(), (Vec::new(), false));
    world.sim.pass(Duration::from_secs(1));
    assert_eq!(silent.read(), (Vec::new(), true));
    drop((silent, one));
    world.sim.settle();
    let mut next = ByHand::attach(&world);
    next.write(&world, RAWSOCKET);
    assert_eq!(next.read(), (b"\x7F\xB1\x00\x00".to_vec(), false), "there is room again");
    assert_eq!(world.router.stats().counters.connections_refused, 4);
}

/// Half of the time for the transport's handshake does not make the time for HELLO any longer.
#[test]
fn one_deadline_for_all_of_the_handshake() {
    for first in [RAWSOCKET, HTTP] {
        let world = World::new();
        let mut peer = ByHand::attach(&world);
        world.sim.pass(Duration::from_secs(4));
        peer.write(&world, first);
        let (said, is_end) = peer.read();
        assert!(!said.is_empty() && !is_end);
        world.sim.pass(Duration::from_secs(1));
        let (said, _) = peer.read();
        assert!(String::from_utf8_lossy(&said).contains("wamp.error.timeout"), "{}", said.escape_ascii());
        drop(peer);
        world.assert_empty();
    }
}

#[cfg(feature = "tls")]
#[test]
fn over_tls_it_is_told_inside() {
    use roadbed_core::serializer::Serializer;
    use roadbed_core::transport::TransportDetails;

    use crate::client::open_secure;
    use crate::testing::tls::{HOST, client, server};
    use crate::tls::Protocol;

    let world = World::with(Limits::default(), |builder| builder.max_connections(1).tls(server()));
    let _one = ByHand::attach(&world);
    let (here, there) = crate::memory::pipe(16 << 10);
    let details = TransportDetails::tcp("192.0.2.1:4711", false);
    let (runtime, settings) = (world.sim.runtime(), settings().tls(client()));
    let (joining, driver) =
        open_secure(&settings, world.sim.runtime(), Serializer::Cbor, details.clone(), HOST, Protocol::Raw)
            .unwrap();
    runtime.spawn(Box::pin(world.router.accept(there, details)));
    runtime.spawn(Box::pin(driver.run(here)));
    let error = world.sim.block_on(joining).unwrap_err().to_string();
    assert!(error.contains("maximum connection count reached"), "{error}");
    assert_eq!(world.router.stats().counters.connections_refused, 1);
}
