//! How much is read at once, by clients and by routers.

use std::future::IntoFuture;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::BytesMut;
use roadbed_core::connection::Endpoint;
use roadbed_core::serializer::Serializer;
use roadbed_core::transport::TransportDetails;
use roadbed_core::transport::websocket::{Subprotocol, WebSocketClientConfig};

use crate::client::open;
use crate::memory::{Pipe, pipe};
use crate::runtime::ByteStream;
use crate::testing::{World, settings};

/// Notes the largest read.
struct Measured {
    pipe: Pipe,
    most: Arc<AtomicUsize>,
}

impl ByteStream for Measured {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let poll = self.pipe.poll_read(cx, buffer);
        if let Poll::Ready(Ok(count)) = poll {
            self.most.fetch_max(count, Ordering::Relaxed);
        }
        poll
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pipe.poll_write(cx, bytes)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_shutdown(cx)
    }
}

fn endpoints() -> [Endpoint; 2] {
    let websocket = WebSocketClientConfig::new("router.example", "/").unwrap();
    let websocket = websocket.subprotocols(&[Subprotocol::plain(Serializer::Cbor)]);
    [Endpoint::rawsocket(Serializer::Cbor), Endpoint::websocket(websocket)]
}

#[test]
fn reads_grow_with_the_traffic_of_small_messages_in_both_roles() {
    for endpoint in endpoints() {
        let world = World::new();
        let runtime = world.sim.runtime();
        let (here, there) = pipe(1 << 20);
        let (of_client, of_router) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let here = Measured { pipe: here, most: Arc::clone(&of_client) };
        let there = Measured { pipe: there, most: Arc::clone(&of_router) };
        let details = TransportDetails::local();
        let (joining, driver) = open(&settings(), Arc::clone(&runtime), endpoint, details.clone()).unwrap();
        runtime.spawn(Box::pin(world.router.accept(there, details)));
        runtime.spawn(Box::pin(driver.run(here)));
        let session = world.sim.block_on(joining).unwrap();
        let events = world.sim.block_on(session.subscribe("com.example.tick").into_future()).unwrap();
        for _ in 0..10 {
            // All of them are written before the router reads.
            for number in 0..1000 {
                let publish = session.publish("com.example.tick", (number,)).exclude_me(false);
                world.sim.block_on(publish.into_future()).unwrap();
            }
            world.sim.settle();
        }
        let most = [&of_client, &of_router].map(|most| most.load(Ordering::Relaxed));
        assert!(most.iter().all(|most| *most > 6000), "{most:?} bytes at once");
        drop((events, session));
        world.assert_empty();
    }
}
