use bytes::Bytes;
use roadbed_core::options::{CancelMode, PublishOptions};
use roadbed_core::serializer::Serializer;
use roadbed_router::PeerId;

use crate::net::*;

/// Runs a busy script and returns every byte that each peer was sent, in the order of `poll_ready`.
fn transcript(seed: [u8; 32]) -> Vec<(PeerId, Bytes)> {
    let mut net = Net::seeded(config(), seed);
    let mut transcript = Vec::new();
    let mut drain = |net: &mut Net| {
        while let Some(peer) = net.router.poll_ready() {
            while let Some(encoded) = net.poll_encoded(peer) {
                transcript.push((peer, bytes_of(&encoded)));
            }
        }
    };
    let peers: Vec<PeerId> = (0..9)
        .map(|n| {
            let peer = net.attach_with(
                Serializer::ALL[n % 3],
                1 << 20,
                roadbed_core::transport::TransportDetails::local(),
            );
            net.send(peer, hello(all_roles()));
            peer
        })
        .collect();
    let (callee, others) = peers.split_first().unwrap();
    for (n, &peer) in others.iter().enumerate() {
        net.send(peer, subscribe(1, "com.example.t"));
        net.send(*callee, register(n as u64 + 1, &format!("com.example.p{n}")));
    }
    drain(&mut net);
    for (n, &peer) in others.iter().enumerate() {
        for request in 2..20 {
            net.send(peer, call(request, &format!("com.example.p{n}")));
        }
        net.send(peer, publish_with(20, "com.example.t", PublishOptions::new().acknowledge(true)));
        net.send(peer, cancel(3, Some(CancelMode::Kill)));
    }
    drain(&mut net);
    net.detach(others[3]);
    net.send(*callee, hello(all_roles()));
    drain(&mut net);
    transcript
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let first = transcript([3; 32]);
    assert!(first.len() > 300);
    assert_eq!(first, transcript([3; 32]));
}

#[test]
fn another_seed_gives_other_ids() {
    assert_ne!(transcript([3; 32]), transcript([4; 32]));
}
