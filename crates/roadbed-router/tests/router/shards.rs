//! A lobby and several shards, as a driver has them that keeps each behind a lock of its own.

use bytes::BytesMut;
use roadbed_core::error::uris;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Hello, Message};
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::TransportDetails;
use roadbed_core::uri::Uri;
use roadbed_router::{
    Authentication, ConfigError, Exchange, Lobby, PeerId, Port, RealmConfig, RouterConfig, RouterEvent,
    Shard, ShardId,
};

use crate::net::{all_roles, call, decode, goodbye, hello, register, uri};

const T0: Timestamp = Timestamp::ZERO;

/// The parts of a router, and who they named since they were last asked.
struct Parts {
    lobby: Lobby,
    shards: Vec<Shard>,
    /// What each exchange of [`serve`](Self::serve) was with.
    visited: Vec<Exchange>,
}

impl Parts {
    fn new(config: RouterConfig, count: usize) -> Self {
        config.check().unwrap();
        let config = config.into_shared();
        let shard = |index| Shard::new(config.clone(), ShardId::new(index), count, [index as u8; 32], T0);
        let lobby = Lobby::new(config.clone(), count, [42; 32]);
        Self { lobby, shards: (0..count).map(shard).collect(), visited: Vec::new() }
    }

    fn shard(&mut self, id: ShardId) -> &mut Shard {
        &mut self.shards[id.index()]
    }

    fn serve(&mut self, port: &mut Port) {
        while let Some(with) = port.next_exchange() {
            self.exchange(port, with);
        }
    }

    fn exchange(&mut self, port: &mut Port, with: Exchange) {
        self.visited.push(with);
        match with {
            Exchange::Lobby => port.exchange_with_lobby(&mut self.lobby, T0),
            Exchange::Shard(id) => port.exchange_with_shard(self.shard(id), T0),
        }
        port.advance(T0);
        self.shards.iter().for_each(|shard| shard.check_invariants().unwrap());
    }

    /// A connection that is ready for HELLO.
    fn connect(&mut self) -> Port {
        let (limits, details) = (Limits::default(), TransportDetails::local());
        let mut port = Port::messages(&limits, Serializer::Cbor, 1 << 20, details, T0);
        self.serve(&mut port);
        port
    }

    fn say(&mut self, port: &mut Port, message: impl Into<Message>) {
        assert!(port.wants_input());
        let encoded = Serializer::Cbor.encode_within(&message.into(), 1 << 20, &mut BytesMut::new()).unwrap();
        port.handle_message(T0, &encoded.to_bytes());
        self.serve(port);
    }

    fn join(&mut self, realm: &str) -> Port {
        let mut port = self.connect();
        self.say(&mut port, hello_to(realm));
        assert!(matches!(heard(&mut port)[..], [Message::Welcome(_)]));
        port
    }

    fn events(&mut self) -> usize {
        let of_shards = self.shards.iter_mut().flat_map(|shard| std::iter::from_fn(|| shard.poll_event()));
        of_shards.count() + std::iter::from_fn(|| self.lobby.poll_event()).count()
    }
}

fn config(realms: &[&str]) -> RouterConfig {
    let open = || Authentication::new().anonymous("guest");
    realms.iter().fold(RouterConfig::new(), |config, realm| config.realm(uri(realm), open()))
}

fn hello_to(realm: &str) -> Hello {
    Hello { realm: Some(uri(realm)), ..hello(all_roles()) }
}

fn heard(port: &mut Port) -> Vec<Message> {
    std::iter::from_fn(|| port.poll_message()).map(|encoded| decode(&encoded)).collect()
}

fn named(mut poll: impl FnMut() -> Option<PeerId>) -> Vec<PeerId> {
    std::iter::from_fn(&mut poll).collect()
}

#[test]
fn realms_are_dealt_out_or_pinned() {
    let open = || Authentication::new().anonymous("guest");
    let mut pinned = RealmConfig::new(uri("pinned"), open());
    pinned.shard = Some(7);
    let parts = Parts::new(config(&["a", "b", "c"]).realm_config(pinned), 3);
    let place = |realm| parts.lobby.shard_of(&uri(realm)).map(ShardId::index);
    assert_eq!(["a", "b", "c", "pinned", "d"].map(place), [Some(0), Some(1), Some(2), Some(1), None]);
    let realms: Vec<_> = parts.shards.iter().map(|shard| shard.stats().realms).collect();
    assert_eq!(realms, [1, 2, 1]);
}

#[test]
fn a_session_needs_its_shard_alone() {
    let mut parts = Parts::new(config(&["a", "b"]), 2);
    let (mut callee, mut caller) = (parts.join("b"), parts.join("b"));
    let mut other = parts.join("a");
    let b = ShardId::new(1);
    parts.visited.clear();
    for shard in &mut parts.shards {
        while shard.poll_ready().is_some() {}
    }
    parts.say(&mut callee, register(1, "com.example.p"));
    parts.say(&mut caller, call(1, "com.example.p"));
    assert!(parts.visited.iter().all(|&with| with == Exchange::Shard(b)), "{:?}", parts.visited);
    assert!(named(|| parts.shard(b).poll_ready()).contains(&callee.peer().unwrap()));
    assert_eq!(named(|| parts.lobby.poll_ready()), []);
    assert!(parts.shard(ShardId::new(0)).poll_ready().is_none());
    parts.exchange(&mut callee, Exchange::Shard(b));
    assert!(matches!(heard(&mut callee)[..], [Message::Registered(_), Message::Invocation(_)]));
    // The procedure is of another realm, and another shard.
    parts.say(&mut other, call(1, "com.example.p"));
    let Message::Error(error) = heard(&mut other).remove(0) else { panic!("ERROR") };
    assert_eq!(error.error, uris::NO_SUCH_PROCEDURE);
}

#[test]
fn one_connection_goes_from_shard_to_shard() {
    let mut parts = Parts::new(config(&["a", "b"]), 2);
    let mut port = parts.join("a");
    assert_eq!(port.shard().map(ShardId::index), Some(0));
    parts.say(&mut port, goodbye("wamp.close.close_realm"));
    assert!(matches!(heard(&mut port)[..], [Message::Goodbye(_)]));
    assert_eq!((port.shard(), parts.shards[0].stats().peers), (None, 0));
    parts.say(&mut port, hello_to("b"));
    let Message::Welcome(welcome) = heard(&mut port).remove(0) else { panic!("WELCOME") };
    let shard = port.shard().expect("it has joined");
    assert_eq!((shard.index(), ShardId::of_session(welcome.session, 2)), (1, shard));
    assert_eq!(parts.lobby.peers(), 1);
    port.handle_eof(T0);
    parts.serve(&mut port);
    assert!(port.has_ended() && port.peer().is_none());
    assert_eq!((parts.lobby.peers(), parts.shards[1].stats().peers), (0, 0));
    assert_eq!(parts.events(), 4, "two sessions came and went");
}

/// Peers are let in when the observer has caught up, and those that left meanwhile are forgotten.
#[test]
fn who_has_to_wait_for_the_observer_is_named_afterwards() {
    let mut parts = Parts::new(config(&["a"]), 1);
    let (mut stays, mut leaves) = (parts.connect(), parts.connect());
    parts.shards[0].set_congested(true);
    for port in [&mut stays, &mut leaves] {
        parts.say(port, hello_to("a"));
        assert!(heard(port).is_empty() && !port.is_joined() && port.next_exchange().is_none());
    }
    leaves.handle_eof(T0);
    parts.serve(&mut leaves);
    assert!(leaves.has_ended());
    assert!(parts.shards[0].poll_ready().is_none());
    parts.shards[0].set_congested(false);
    assert!(named(|| parts.shards[0].poll_ready()).contains(&stays.peer().unwrap()));
    parts.exchange(&mut stays, Exchange::Shard(ShardId::new(0)));
    assert!(matches!(heard(&mut stays)[..], [Message::Welcome(_)]));

    // While the lobby is congested, those without session are not read, and named afterwards.
    parts.lobby.set_congested(true);
    let mut late = parts.connect();
    assert!(!late.wants_input());
    parts.lobby.set_congested(false);
    assert_eq!(named(|| parts.lobby.poll_ready()), [late.peer().unwrap()]);
    parts.exchange(&mut late, Exchange::Lobby);
    assert!(late.wants_input());
}

#[test]
fn realms_come_and_go_while_a_router_runs() {
    let mut parts = Parts::new(config(&["a"]), 2);
    let realm = RealmConfig::new(uri("new"), Authentication::new().anonymous("guest"));
    let mut early = parts.connect();
    parts.say(&mut early, hello_to("new"));
    let Message::Abort(abort) = heard(&mut early).remove(0) else { panic!("ABORT") };
    assert_eq!(abort.reason, uris::NO_SUCH_REALM);

    let shard = parts.lobby.place_realm(&realm).unwrap();
    // Another one of this name has no place while this one is added.
    assert_eq!(parts.lobby.place_realm(&realm), Err(ConfigError::DuplicateRealm(uri("new"))));
    parts.shard(shard).add_realm(&realm);
    let mut hasty = parts.connect();
    parts.say(&mut hasty, hello_to("new"));
    assert!(matches!(heard(&mut hasty)[..], [Message::Abort(_)]), "it is not open yet");
    parts.lobby.open_realm(&uri("new"));
    assert_eq!(parts.lobby.place_realm(&realm), Err(ConfigError::DuplicateRealm(uri("new"))));
    let closed = RealmConfig::new(uri("closed"), Authentication::new());
    assert_eq!(parts.lobby.place_realm(&closed), Err(ConfigError::NoWayIn(Some(uri("closed")))));

    // The connection that was refused may try again.
    parts.say(&mut early, hello_to("new"));
    assert!(matches!(heard(&mut early)[..], [Message::Welcome(_)]));
    let mut bystander = parts.join("a");
    assert_eq!(parts.lobby.remove_realm(&uri("new")), Some(shard));
    assert_eq!(parts.lobby.remove_realm(&uri("new")), None);
    parts.shard(shard).remove_realm(T0, &uri("new"));
    assert_eq!(parts.shard(shard).stats().sessions, 0);
    parts.exchange(&mut early, Exchange::Shard(shard));
    let Message::Goodbye(goodbye) = heard(&mut early).remove(0) else { panic!("GOODBYE") };
    assert_eq!(goodbye.reason, uris::CLOSE_REALM);
    assert!(parts.shards.iter().all(|shard| shard.check_invariants().is_ok()));
    let realms: usize = parts.shards.iter().map(|shard| shard.stats().realms).sum();
    assert_eq!(realms, 1);
    parts.say(&mut bystander, call(1, "com.example.p"));
    assert!(matches!(heard(&mut bystander)[..], [Message::Error(_)]));
}

/// A realm that was made on demand is listed where it is, so that there is never a second one.
#[test]
fn a_realm_made_on_demand_can_be_listed() {
    let config = RouterConfig::new().auto_create(Authentication::new().anonymous("guest"));
    let mut parts = Parts::new(config, 3);
    let port = parts.join("x");
    let shard = port.shard().unwrap();
    let mut realm = RealmConfig::new(uri("x"), Authentication::new().anonymous("member"));
    realm.shard = Some(shard.index() + 1);
    assert_eq!(parts.lobby.place_realm(&realm), Ok(shard));
    parts.shard(shard).add_realm(&realm);
    parts.lobby.open_realm(&uri("x"));
    let mut gone = port;
    gone.handle_eof(T0);
    parts.serve(&mut gone);
    assert_eq!(parts.shard(shard).stats().realms, 1, "it stays without sessions");
    parts.join("x");
    let told = std::iter::from_fn(|| parts.shard(shard).poll_event());
    let roles: Vec<_> = told
        .filter_map(|event| match event {
            RouterEvent::Joined { session, .. } => Some(session.authrole.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(roles, ["guest", "member"]);
}

#[test]
fn realms_on_demand_spread_over_the_shards() {
    let config = RouterConfig::new().auto_create(Authentication::new().anonymous("guest"));
    let mut parts = Parts::new(config, 4);
    let ports: Vec<Port> = (0..64).map(|n| parts.join(&format!("tenant{n}"))).collect();
    let counts: Vec<usize> = parts.shards.iter().map(|shard| shard.stats().realms).collect();
    assert!(counts.iter().all(|&count| count > 4), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 64);
    for mut port in ports {
        port.handle_lost(T0);
        parts.serve(&mut port);
    }
    assert!(parts.shards.iter().all(|shard| shard.stats().realms == 0));
}

#[test]
fn a_session_is_killed_in_its_shard() {
    let mut parts = Parts::new(config(&["a", "b"]), 2);
    let mut port = parts.join("b");
    let session = parts.shards[1].sessions().next().unwrap().id;
    let reason = Uri::from_static("com.example.enough");
    assert!(!parts.shards[0].kill(T0, session, &reason, ""), "it is not there");
    assert!(parts.shards[1].kill(T0, session, &reason, ""));
    assert_eq!(named(|| parts.shards[1].poll_ready()), [port.peer().unwrap()]);
    parts.exchange(&mut port, Exchange::Shard(ShardId::new(1)));
    let Message::Goodbye(goodbye) = heard(&mut port).remove(0) else { panic!("GOODBYE") };
    assert_eq!(goodbye.reason, reason);
}
