//! Options and details built from JSON through the public API, key by key.

use bytestring::ByteString;
use roadbed_core::id::{PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};
use roadbed_core::message::*;
use roadbed_core::options::*;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::uri::{MatchPolicy, Uri};
use serde_json::Value as Json;

/// What can be built from a JSON value. Panics on a value that does not fit: the vectors are ours to
/// get right.
pub(super) trait FromJson: Sized {
    fn from_json(json: &Json) -> Self;
}

impl FromJson for bool {
    fn from_json(json: &Json) -> Self {
        json.as_bool().expect("a boolean")
    }
}

impl FromJson for u64 {
    fn from_json(json: &Json) -> Self {
        json.as_u64().expect("a non-negative integer")
    }
}

impl FromJson for ByteString {
    fn from_json(json: &Json) -> Self {
        json.as_str().expect("text").into()
    }
}

impl FromJson for Uri {
    fn from_json(json: &Json) -> Self {
        Self::from_wire(FromJson::from_json(json))
    }
}

impl FromJson for EncAlgo {
    fn from_json(json: &Json) -> Self {
        Self::new(ByteString::from_json(json)).expect("a known algorithm")
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &Json) -> Self {
        json.as_array().expect("a list").iter().map(T::from_json).collect()
    }
}

/// Null stands for none: the realm of HELLO.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: &Json) -> Self {
        (!json.is_null()).then(|| T::from_json(json))
    }
}

impl<T: FromJson> FromJson for Sparse<T>
where
    Self: From<T>,
{
    fn from_json(json: &Json) -> Self {
        T::from_json(json).into()
    }
}

impl FromJson for RawDict {
    fn from_json(json: &Json) -> Self {
        let mut dict = Self::default();
        for (key, value) in json.as_object().expect("a dict") {
            dict.set(key, value).expect("JSON values can be written");
        }
        dict
    }
}

impl FromJson for Roles {
    fn from_json(json: &Json) -> Self {
        let mut roles = Self::NONE;
        for (name, role) in json.as_object().expect("a dict") {
            let features = role.get("features").and_then(Json::as_object);
            let features: Vec<_> = features
                .into_iter()
                .flatten()
                .filter(|(_, value)| **value == true)
                .map(|(name, _)| Feature::from_name(name).expect("a feature"))
                .collect();
            roles = roles.with(Role::from_name(name).expect("a role"), &features);
        }
        roles
    }
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl FromJson for $id {
            fn from_json(json: &Json) -> Self {
                Self::new(FromJson::from_json(json)).expect("an id")
            }
        }
    )*};
}

ids!(SessionId, PublicationId, SubscriptionId, RegistrationId, RequestId);

macro_rules! names {
    ($($type:ident { $($name:literal => $value:ident),* })*) => {$(
        impl FromJson for $type {
            fn from_json(json: &Json) -> Self {
                match json.as_str() { $(Some($name) => Self::$value,)* other => panic!("{other:?}") }
            }
        }
    )*};
}

names! {
    MatchPolicy { "exact" => Exact, "prefix" => Prefix, "wildcard" => Wildcard }
    CancelMode { "skip" => Skip, "kill" => Kill, "killnowait" => KillNoWait }
    InvokePolicy {
        "single" => Single, "roundrobin" => RoundRobin, "random" => Random, "first" => First, "last" => Last,
        "all" => All
    }
}

macro_rules! dicts {
    (@rest $this:ident $key:ident $value:ident passthru) => {{
        let sealed = &mut $this.passthru;
        match $key {
            "ppt_scheme" => sealed.attributes_mut().ppt_scheme = Some(FromJson::from_json($value)),
            "ppt_serializer" => sealed.attributes_mut().ppt_serializer = Some(FromJson::from_json($value)),
            "ppt_cipher" => sealed.attributes_mut().ppt_cipher = Some(FromJson::from_json($value)),
            "ppt_keyid" => sealed.attributes_mut().ppt_keyid = Some(FromJson::from_json($value)),
            "enc_algo" => sealed.attributes_mut().enc_algo = Some(FromJson::from_json($value)),
            "enc_key" => sealed.attributes_mut().enc_key = Some(FromJson::from_json($value)),
            "enc_serializer" => sealed.attributes_mut().enc_serializer = Some(FromJson::from_json($value)),
            _ => $this.extra.set($key, $value).expect("JSON values can be written"),
        }
    }};
    (@rest $this:ident $key:ident $value:ident) => {
        $this.extra.set($key, $value).expect("JSON values can be written")
    };
    ($($type:ident: $($passthru:ident)? { $($key:ident),* } $(($name:literal => $field:ident))?;)*) => {$(
        impl FromJson for $type {
            fn from_json(json: &Json) -> Self {
                let mut this = Self::new();
                for (key, value) in json.as_object().expect("a dict") {
                    let key = key.as_str();
                    match key {
                        $(stringify!($key) => this.$key = Some(FromJson::from_json(value)),)*
                        $($name => this.$field = Some(FromJson::from_json(value)),)?
                        _ => dicts!(@rest this key value $($passthru)?),
                    }
                }
                this
            }
        }
    )*};
}

dicts! {
    Forward: { session, authid, authrole };
    HelloDetails: { roles, agent, authid, authrole, authmethods, authextra };
    WelcomeDetails: { realm, roles, agent, authid, authrole, authmethod, authprovider, authextra };
    CloseDetails: { message, resumable };
    ErrorDetails: passthru { callee, callee_authid, callee_authrole, forward_for };
    EventDetails: passthru {
        topic, publisher, publisher_authid, publisher_authrole, trustlevel, retained, transaction_hash,
        x_acknowledged_delivery, forward_for
    };
    ResultDetails: passthru { progress, callee, callee_authid, callee_authrole, forward_for };
    InvocationDetails: passthru {
        procedure, timeout, receive_progress, progress, caller, caller_authid, caller_authrole, trustlevel,
        transaction_hash, forward_for
    };
    UnsubscribedDetails: { subscription, reason };
    UnregisteredDetails: { registration, reason };
    CallOptions: passthru {
        timeout, receive_progress, progress, disclose_me, runmode, rkey, transaction_hash, forward_for
    };
    PublishOptions: passthru {
        acknowledge, exclude_me, exclude, exclude_authid, exclude_authrole, eligible, eligible_authid,
        eligible_authrole, retain, disclose_me, rkey, transaction_hash, forward_for
    };
    SubscribeOptions: { get_retained, nkey, forward_for } ("match" => match_policy);
    RegisterOptions: {
        invoke, concurrency, force_reregister, forward_timeout, disclose_caller, nkey, forward_for
    } ("match" => match_policy);
    ReleaseOptions: { forward_for };
    YieldOptions: passthru { progress, callee, callee_authid, callee_authrole, forward_for };
    CancelOptions: { mode, forward_for };
    InterruptOptions: { mode, reason, forward_for };
}
