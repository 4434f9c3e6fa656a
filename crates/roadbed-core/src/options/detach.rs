//! Options that are kept for long, out of the buffer they were read from.

use alloc::vec::Vec;

use bytestring::ByteString;

use super::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions};
use crate::id::SessionId;
use crate::message::detach::{text, way, weigh, weigh_way};
use crate::uri::detach;

fn names(list: &Option<Vec<ByteString>>) -> Option<Vec<ByteString>> {
    list.as_ref().map(|list| list.iter().map(detach).collect())
}

fn weigh_names(list: Option<&Vec<ByteString>>) -> usize {
    let name = |name: &ByteString| name.len().saturating_add(32).saturating_add(size_of::<ByteString>());
    list.map_or(0, |list| list.iter().map(name).fold(0, usize::saturating_add))
}

fn sum(parts: impl IntoIterator<Item = usize>) -> usize {
    parts.into_iter().fold(0, usize::saturating_add)
}

impl CallOptions {
    /// Returns about how many bytes of memory a [detached](Self::detach) copy holds.
    pub fn weight(&self) -> usize {
        let texts = [self.runmode.as_deref(), self.rkey.as_deref(), self.transaction_hash.as_deref()];
        sum([
            size_of::<Self>(),
            weigh(texts),
            weigh_way(self.forward_for.as_ref()),
            self.passthru.weight(),
            self.extra.weight(),
        ])
    }

    /// Returns a copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            timeout: self.timeout,
            receive_progress: self.receive_progress,
            progress: self.progress,
            disclose_me: self.disclose_me,
            runmode: text(&self.runmode),
            rkey: text(&self.rkey),
            transaction_hash: text(&self.transaction_hash),
            passthru: self.passthru.detach(),
            forward_for: way(&self.forward_for),
            extra: self.extra.detach(),
        }
    }
}

impl PublishOptions {
    /// Returns about how many bytes of memory a [detached](Self::detach) copy holds.
    pub fn weight(&self) -> usize {
        let ids = [&self.exclude, &self.eligible];
        let ids =
            ids.map(|list| list.as_ref().map_or(0, |list| list.len().saturating_mul(size_of::<SessionId>())));
        let lists =
            [&self.exclude_authid, &self.exclude_authrole, &self.eligible_authid, &self.eligible_authrole];
        sum([
            size_of::<Self>(),
            sum(ids),
            sum(lists.map(|list| weigh_names(list.as_ref()))),
            weigh([self.rkey.as_deref(), self.transaction_hash.as_deref()]),
            weigh_way(self.forward_for.as_ref()),
            self.passthru.weight(),
            self.extra.weight(),
        ])
    }

    /// Returns a copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            acknowledge: self.acknowledge,
            exclude_me: self.exclude_me,
            exclude: self.exclude.clone(),
            exclude_authid: names(&self.exclude_authid),
            exclude_authrole: names(&self.exclude_authrole),
            eligible: self.eligible.clone(),
            eligible_authid: names(&self.eligible_authid),
            eligible_authrole: names(&self.eligible_authrole),
            retain: self.retain,
            disclose_me: self.disclose_me,
            rkey: text(&self.rkey),
            transaction_hash: text(&self.transaction_hash),
            passthru: self.passthru.detach(),
            forward_for: way(&self.forward_for),
            extra: self.extra.detach(),
        }
    }
}

impl SubscribeOptions {
    /// Returns about how many bytes of memory a [detached](Self::detach) copy holds.
    pub fn weight(&self) -> usize {
        let rest = [weigh([self.nkey.as_deref()]), weigh_way(self.forward_for.as_ref()), self.extra.weight()];
        size_of::<Self>().saturating_add(sum(rest))
    }

    /// Returns a copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            match_policy: self.match_policy,
            get_retained: self.get_retained,
            nkey: text(&self.nkey),
            forward_for: way(&self.forward_for),
            extra: self.extra.detach(),
        }
    }
}

impl RegisterOptions {
    /// Returns about how many bytes of memory a [detached](Self::detach) copy holds.
    pub fn weight(&self) -> usize {
        let rest = [weigh([self.nkey.as_deref()]), weigh_way(self.forward_for.as_ref()), self.extra.weight()];
        size_of::<Self>().saturating_add(sum(rest))
    }

    /// Returns a copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            match_policy: self.match_policy,
            invoke: self.invoke,
            concurrency: self.concurrency,
            force_reregister: self.force_reregister,
            forward_timeout: self.forward_timeout,
            disclose_caller: self.disclose_caller,
            nkey: text(&self.nkey),
            forward_for: way(&self.forward_for),
            extra: self.extra.detach(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::limits::Limits;
    use crate::message::Message;
    use crate::serializer::Serializer;

    /// Every known key, and one that is not.
    const MESSAGES: [&str; 4] = [
        r#"[48,1,{"timeout":5,"receive_progress":true,"disclose_me":false,"runmode":"all","rkey":"k","transaction_hash":"h","x_a":"y"},"a.b"]"#,
        r#"[16,1,{"acknowledge":true,"exclude_me":false,"exclude":[7],"exclude_authid":["a"],"exclude_authrole":["b"],"eligible":[8],"eligible_authid":["c"],"eligible_authrole":["d"],"retain":true,"rkey":"k","transaction_hash":"h","x_a":"y"},"a.b"]"#,
        r#"[32,1,{"match":"prefix","get_retained":true,"nkey":"k","x_a":"y"},"a.b"]"#,
        r#"[64,1,{"match":"prefix","invoke":"all","concurrency":2,"force_reregister":true,"forward_timeout":true,"disclose_caller":true,"nkey":"k","x_a":"y"},"a.b"]"#,
    ];

    #[test]
    fn copies_are_equal_and_leave_the_buffer_alone() {
        for text in MESSAGES {
            let buffer = Bytes::from(text.as_bytes().to_vec());
            let message = Serializer::Json.decode(&buffer, &Limits::default()).unwrap();
            let mut copy = message.clone();
            let weight = match &mut copy {
                Message::Call(call) => {
                    *call.options = call.options.detach();
                    call.procedure = call.procedure.detach();
                    call.options.weight()
                }
                Message::Publish(publish) => {
                    *publish.options = publish.options.detach();
                    publish.topic = publish.topic.detach();
                    publish.options.weight()
                }
                Message::Subscribe(subscribe) => {
                    *subscribe.options = subscribe.options.detach();
                    subscribe.topic = subscribe.topic.detach();
                    subscribe.options.weight()
                }
                Message::Register(register) => {
                    *register.options = register.options.detach();
                    register.procedure = register.procedure.detach();
                    register.options.weight()
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(copy, message);
            assert!(weight > 50 && weight < 2000, "{weight}");
            drop(message);
            // Nothing holds the buffer any more.
            assert!(buffer.try_into_mut().is_ok(), "{copy:?}");
        }
    }
}
