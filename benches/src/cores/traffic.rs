//! A caller and a callee of one realm, as bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use roadbed_core::id::RequestId;
use roadbed_core::link::LinkConfig;
use roadbed_core::message::{Call, Hello, HelloDetails, Message, Register, Sparse, Yield};
use roadbed_core::payload::Payload;
use roadbed_core::role::{Role, Roles};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, Exchange, Lobby, Port, RouterConfig, Shard, ShardId};

const NOW: Timestamp = Timestamp::ZERO;
const SERIALIZER: Serializer = Serializer::MsgPack;
/// Calls that are read at once.
const BATCH: u64 = 32;

/// The parts of a router, each behind its lock.
pub(crate) struct Parts {
    lobby: Mutex<Lobby>,
    shards: Vec<Mutex<Shard>>,
}

impl Parts {
    /// A router with the realms `a` and `b`.
    pub(crate) fn new(shards: usize) -> Self {
        let open = || Authentication::new().anonymous("guest");
        let [a, b] = ["a", "b"].map(Uri::from_static);
        let config = RouterConfig::new().realm(a, open()).realm(b, open()).into_shared();
        let shard = |index| {
            let id = ShardId::new(index);
            Mutex::new(Shard::new(config.clone(), id, shards, [index as u8 + 1; 32], NOW))
        };
        let lobby = Mutex::new(Lobby::new(config.clone(), shards, [9; 32]));
        Self { lobby, shards: (0..shards).map(shard).collect() }
    }
}

/// For how long locks were held.
#[derive(Default)]
pub(crate) struct Held(Vec<Duration>);

impl Held {
    pub(crate) fn add(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
        self.0.sort_unstable();
    }

    pub(crate) fn quantile(&self, quantile: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * quantile) as usize).copied().unwrap_or_default()
    }
}

/// One connection of a router.
struct Peer {
    port: Port,
    input: BytesMut,
    /// What was written to it since it was last looked at.
    output: Vec<u8>,
}

/// A caller that calls, and its callee.
pub(crate) struct Traffic {
    caller: Peer,
    callee: Peer,
    procedure: Uri,
    last: u64,
}

impl Traffic {
    pub(crate) fn new(parts: &Parts, realm: &'static str, number: usize) -> Self {
        let procedure = Uri::new(format!("com.example.procedure{number}")).expect("it is a URI");
        let mut held = Held::default();
        let mut join = || {
            let port = Port::new(&LinkConfig::default(), TransportDetails::local(), NOW);
            let mut peer = Peer { port, input: BytesMut::from(&b"\x7F\xF2\x00\x00"[..]), output: Vec::new() };
            let mut details = HelloDetails::default();
            details.roles = Some(Roles::NONE.with(Role::Caller, &[]).with(Role::Callee, &[]));
            peer.say(Hello { realm: Some(Uri::from_static(realm)), details: details.into() });
            peer.serve(parts, &mut held);
            peer
        };
        let (caller, mut callee) = (join(), join());
        let request = RequestId::new(1).expect("it is an id");
        callee.say(Register { request, options: Sparse::EMPTY, procedure: procedure.clone() });
        callee.serve(parts, &mut held);
        let mut traffic = Self { caller, callee, procedure, last: 0 };
        traffic.caller.output.clear();
        traffic.callee.output.clear();
        traffic
    }

    /// Makes some calls, and answers them. Returns how many.
    pub(crate) fn turn(&mut self, parts: &Parts, held: &mut Held) -> u64 {
        let Self { caller, callee, procedure, last } = self;
        let ids = (*last + 1..=*last + BATCH).map(|id| RequestId::new(id).expect("it is an id"));
        *last += BATCH;
        let payload = || Payload::from_args(SERIALIZER, &(7,)).expect("it is a payload");
        for request in ids.clone() {
            let (options, procedure) = (Sparse::EMPTY, procedure.clone());
            caller.say(Call { request, options, procedure, payload: payload() });
        }
        caller.serve(parts, held);
        callee.take(parts, held);
        assert_eq!(callee.frames(), BATCH, "every call is an invocation");
        for request in ids {
            callee.say(Yield { request, options: Sparse::EMPTY, payload: payload() });
        }
        callee.serve(parts, held);
        caller.take(parts, held);
        assert_eq!(caller.frames(), BATCH, "every call has its result");
        BATCH
    }
}

impl Peer {
    fn say(&mut self, message: impl Into<Message>) {
        let mut arena = BytesMut::new();
        let encoded = SERIALIZER.encode_within(&message.into(), 1 << 20, &mut arena).expect("it is encoded");
        self.input.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
        encoded.chunks().iter().for_each(|chunk| self.input.extend_from_slice(chunk));
    }

    /// Hands in what was said.
    fn serve(&mut self, parts: &Parts, held: &mut Held) {
        self.port.handle_input(NOW, &mut self.input);
        while let Some(with) = self.port.next_exchange() {
            self.exchange(with, parts, held);
            self.port.handle_input(NOW, &mut self.input);
        }
        self.write();
    }

    /// Takes what the shard has for the peer.
    fn take(&mut self, parts: &Parts, held: &mut Held) {
        let shard = self.port.shard().expect("it has joined");
        self.exchange(Exchange::Shard(shard), parts, held);
        self.port.advance(NOW);
        self.write();
    }

    fn exchange(&mut self, with: Exchange, parts: &Parts, held: &mut Held) {
        match with {
            Exchange::Lobby => {
                let mut lobby = lock(&parts.lobby);
                self.port.exchange_with_lobby(&mut lobby, NOW);
                while lobby.poll_event().is_some() {}
            }
            Exchange::Shard(id) => {
                let mut shard = lock(&parts.shards[id.index()]);
                let since = Instant::now();
                self.port.exchange_with_shard(&mut shard, NOW);
                while shard.poll_ready().is_some() {}
                while shard.poll_event().is_some() {}
                held.0.push(since.elapsed());
            }
        }
    }

    fn write(&mut self) {
        while let Some(bytes) = self.port.poll_transmit() {
            self.output.extend_from_slice(&bytes);
        }
    }

    /// Counts the frames that were written, and forgets them.
    fn frames(&mut self) -> u64 {
        let (mut rest, mut count) = (&self.output[..], 0);
        while let [a, b, c, d, after @ ..] = rest {
            rest = &after[u32::from_be_bytes([*a, *b, *c, *d]) as usize..];
            count += 1;
        }
        self.output.clear();
        count
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
