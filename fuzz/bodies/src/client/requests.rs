//! What a client says.

use std::collections::BTreeMap;

use bytes::Bytes;
use roadbed_core::error::uris;
use roadbed_core::id::{RegistrationId, RequestId, SessionId, SubscriptionId};
use roadbed_core::message::{
    Abort, Authenticate, Call, Cancel, Error, Goodbye, Hello, HelloDetails, Message, MessageType, Publish,
    Register, Sparse, Subscribe, Unregister, Unsubscribe, Yield,
};
use roadbed_core::options::{
    CallOptions, CancelMode, CancelOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions,
};
use roadbed_core::payload::{Binary, Payload};
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::serializer::Serializer;
use roadbed_core::uri::{MatchPolicy, Uri};

use super::{Client, Waiting};
use crate::samples;
use crate::source::Source;

/// Names of topics and procedures. The last ones are refused.
const NAMES: &[&str] = &["com.a", "com.b", "com.c", "com.a", "com.b", "wamp.x", "com..b", ""];
/// Names of realms: there, there with tickets, made on demand or not, not allowed.
const REALMS: &[&str] = &["open", "open", "closed", "asked", "other", "a b"];
/// Ways to authenticate.
const METHODS: &[&str] = &["anonymous", "ticket", "x_asked"];

impl Client {
    /// A message to send.
    pub(crate) fn message(&mut self, source: &mut Source<'_>) -> Message {
        if !self.is_joined {
            return match source.below(8) {
                0..=5 => self.hello(source),
                6 => self.authenticate(source),
                _ => self.any(source),
            };
        }
        match source.below(20) {
            0 | 1 => self.subscribe(source),
            2 => self.unsubscribe(source),
            3..=5 => self.publish(source),
            6 | 7 => self.register(source),
            8 => self.unregister(source),
            9..=11 => self.call(source),
            12 | 13 => self.cancel(source),
            14 | 15 => self.answer(source),
            16 => self.refuse(source),
            17 => match source.below(4) {
                0 => Abort {
                    details: Sparse::EMPTY,
                    reason: uris::NORMAL.clone(),
                    payload: self.payload(source),
                }
                .into(),
                _ => Goodbye { details: Sparse::EMPTY, reason: uris::NORMAL.clone() }.into(),
            },
            18 => match source.below(4) {
                0 => self.hello(source),
                1 => self.authenticate(source),
                _ => self.publish(source),
            },
            _ => match source.below(4) {
                0 => self.any(source),
                _ => self.call(source),
            },
        }
    }

    fn hello(&self, source: &mut Source<'_>) -> Message {
        let features: &[Feature] = if source.flag() { &[] } else { Feature::ALL };
        let all = [Role::Caller, Role::Callee, Role::Publisher, Role::Subscriber];
        let missing = source.below(16);
        let chosen = all.iter().enumerate().filter(|&(index, _)| index != missing);
        let roles = chosen.fold(Roles::NONE, |roles, (_, &role)| roles.with(role, features));
        let mut details = HelloDetails::new();
        details.roles = Some(roles);
        if source.below(4) == 0 {
            details.authmethods = Some(vec![source.choose(METHODS).into(), "anonymous".into()]);
            details.authid = source.flag().then(|| "joe".into());
        }
        let realm = (source.below(8) > 0).then(|| Uri::from_static(source.choose(REALMS)));
        Hello { realm, details: details.into() }.into()
    }

    fn authenticate(&self, source: &mut Source<'_>) -> Message {
        let signature = if source.flag() { "secret!!!" } else { "wrong" };
        Authenticate { signature: signature.into(), extra: Default::default() }.into()
    }

    /// A sample of any type.
    fn any(&mut self, source: &mut Source<'_>) -> Message {
        self.is_wild = true;
        let (_, json) = source.choose(samples::MESSAGES);
        samples::parse(json)
    }

    fn subscribe(&mut self, source: &mut Source<'_>) -> Message {
        let request = self.request(source, Waiting::Subscribe);
        let mut options = SubscribeOptions::new();
        options.match_policy = policy(source);
        Subscribe { request, options: options.into(), topic: name(source) }.into()
    }

    fn unsubscribe(&mut self, source: &mut Source<'_>) -> Message {
        let subscription =
            known(source, &self.subscriptions).unwrap_or_else(|| SubscriptionId::new(9).expect("an id"));
        let request = self.request(source, Waiting::Unsubscribe(subscription));
        Unsubscribe { request, subscription, options: None }.into()
    }

    fn publish(&mut self, source: &mut Source<'_>) -> Message {
        let mut options = PublishOptions::new();
        let bits = source.byte();
        options.acknowledge = [None, Some(true), Some(true), Some(false)][usize::from(bits & 3)];
        options.exclude_me = [None, Some(false), Some(true), Some(false)][usize::from(bits >> 2 & 3)];
        if bits >> 4 == 15 {
            options.exclude = Some(vec![SessionId::new(source.number() % 9 + 1).expect("an id")]);
            options.eligible_authid = source.flag().then(|| vec!["joe".into()]);
        }
        let request = match options.acknowledge {
            Some(true) => self.request(source, Waiting::Publish),
            _ => self.next_request(),
        };
        Publish { request, options: options.into(), topic: name(source), payload: self.payload(source) }
            .into()
    }

    fn register(&mut self, source: &mut Source<'_>) -> Message {
        let request = self.request(source, Waiting::Register);
        let mut options = RegisterOptions::new();
        options.match_policy = policy(source);
        Register { request, options: options.into(), procedure: name(source) }.into()
    }

    fn unregister(&mut self, source: &mut Source<'_>) -> Message {
        let registration =
            known(source, &self.registrations).unwrap_or_else(|| RegistrationId::new(9).expect("an id"));
        let request = self.request(source, Waiting::Unregister(registration));
        Unregister { request, registration, options: None }.into()
    }

    fn call(&mut self, source: &mut Source<'_>) -> Message {
        let bits = source.byte();
        let takes_progress = bits & 3 == 3;
        let mut options = CallOptions::new();
        options.receive_progress = takes_progress.then_some(true);
        options.timeout = (bits >> 4 == 15).then_some(50);
        let request = self.request(source, Waiting::Call { takes_progress });
        self.calls.push(request);
        Call { request, options: options.into(), procedure: name(source), payload: self.payload(source) }
            .into()
    }

    fn cancel(&mut self, source: &mut Source<'_>) -> Message {
        let request = known(source, &self.calls).unwrap_or_else(|| id(source.number() % 9 + 1));
        // A request that was never made is a violation, which ends the session.
        let mode = source.choose(&[
            None,
            Some(CancelMode::Skip),
            Some(CancelMode::Kill),
            Some(CancelMode::KillNoWait),
        ]);
        let mut options = CancelOptions::new();
        options.mode = mode;
        Cancel { request, options: options.into() }.into()
    }

    fn answer(&mut self, source: &mut Source<'_>) -> Message {
        let mut options = YieldOptions::new();
        options.progress = (source.below(4) == 0).then_some(true);
        Yield { request: self.invocation(source), options: options.into(), payload: self.payload(source) }
            .into()
    }

    fn refuse(&mut self, source: &mut Source<'_>) -> Message {
        let request = self.invocation(source);
        let error = source.choose(&[&uris::CANCELED, &uris::INVALID_ARGUMENT]).clone();
        let (request_type, payload) = (MessageType::Invocation, self.payload(source));
        Error { request_type, request, details: Sparse::EMPTY, error, payload }.into()
    }

    /// One of the last invocations, seldom one that never was.
    fn invocation(&self, source: &mut Source<'_>) -> RequestId {
        let back = source.below(8) as u64;
        id(if back == 7 { source.number() % 99 + 1 } else { self.invocations.saturating_sub(back).max(1) })
    }

    fn next_request(&mut self) -> RequestId {
        self.last_request += 1;
        id(self.last_request)
    }

    /// The id of a new request that waits for an answer; seldom a wrong one.
    fn request(&mut self, source: &mut Source<'_>, waiting: Waiting) -> RequestId {
        if source.byte() >= 250 {
            self.is_wild = true;
            return id(source.number() % (1 << 53) + 1);
        }
        let request = self.next_request();
        self.waiting.insert(request.get(), waiting);
        request
    }

    fn payload(&self, source: &mut Source<'_>) -> Payload {
        let serializer = self.serializer;
        let raw =
            |args: &'static [u8]| Payload::from_raw(serializer, Some(Bytes::from_static(args)), None, 8);
        let built = match source.below(12) {
            0..=3 => return Payload::EMPTY,
            4..=6 => Payload::from_args(serializer, &(source.byte(),)),
            7 => Payload::build(serializer, &(), &BTreeMap::from([("k", source.byte())])),
            8 => Payload::from_args(serializer, &("x".repeat(source.below(700)),)),
            9 => Payload::from_args(serializer, &(Binary::from(source.bytes(8)),)),
            // What other serializers do not have.
            _ => match serializer {
                Serializer::MsgPack => raw(b"\x92\xa2\0a\x81\x01\x02"),
                Serializer::Cbor => raw(b"\x82\xf9\x7e\0\xa1\x01\x02"),
                _ => raw(b"[\"\\u0000!\"]"),
            },
        };
        built.unwrap_or_default()
    }
}

fn id(number: u64) -> RequestId {
    RequestId::new(number).expect("a number from 1 to 2^53")
}

fn name(source: &mut Source<'_>) -> Uri {
    Uri::from_static(source.choose(NAMES))
}

fn policy(source: &mut Source<'_>) -> Option<MatchPolicy> {
    match source.byte() {
        0..=239 => None,
        240..=247 => Some(MatchPolicy::Exact),
        248..=251 => Some(MatchPolicy::Prefix),
        _ => Some(MatchPolicy::Wildcard),
    }
}

/// One of the things known; seldom none, though there are some.
fn known<T: Copy>(source: &mut Source<'_>, things: &[T]) -> Option<T> {
    let choice = source.below(32);
    if choice == 31 || things.is_empty() {
        None
    } else {
        things.iter().rev().nth(choice % things.len()).copied()
    }
}
