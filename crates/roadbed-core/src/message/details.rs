//! What a message tells beside its payload: the details of HELLO, WELCOME, EVENT, INVOCATION and others.

use alloc::vec::Vec;

use bytestring::ByteString;

use super::attributes::{Forward, RawDict, attributes};
use super::passthru::PassThru;
use super::wire::{Attribute, Decoder, Encoder};
use crate::error::PayloadError;
use crate::id::{RegistrationId, SessionId, SubscriptionId};
use crate::role::{Feature, Role, Roles};
use crate::serializer::{Kind, Malformed, ReadError, Reader, Writer};
use crate::uri::Uri;

attributes! {
    /// Details of HELLO.
    pub struct HelloDetails {
        /// The roles the client takes, and their features.
        roles: Option<Roles> = "roles",
        /// The client's software and its version.
        agent: Option<ByteString> = "agent",
        /// Whom the client wants to be.
        authid: Option<ByteString> = "authid",
        /// The role it wants to be given.
        authrole: Option<ByteString> = "authrole",
        /// The authentication methods it can do, best first.
        authmethods: Option<Vec<ByteString>> = "authmethods",
        /// What the methods need beyond that.
        authextra: Option<RawDict> = "authextra",
    }

    /// Details of WELCOME.
    pub struct WelcomeDetails {
        /// The realm joined, when the client left it to the router.
        realm: Option<Uri> = "realm",
        /// The roles the router takes, and their features.
        roles: Option<Roles> = "roles",
        /// The router's software and its version.
        agent: Option<ByteString> = "agent",
        /// Who the client is now.
        authid: Option<ByteString> = "authid",
        /// The role it was given.
        authrole: Option<ByteString> = "authrole",
        /// How it was authenticated.
        authmethod: Option<ByteString> = "authmethod",
        /// Which part of the router vouches for it.
        authprovider: Option<ByteString> = "authprovider",
        /// What the method adds.
        authextra: Option<RawDict> = "authextra",
    }

    /// Details of ABORT and GOODBYE.
    pub struct CloseDetails {
        /// Why, for people.
        message: Option<ByteString> = "message",
        /// Whether the session may be resumed.
        resumable: Option<bool> = "resumable",
    }

    /// Details of ERROR.
    pub struct ErrorDetails {
        /// The callee's session, when disclosed.
        callee: Option<SessionId> = "callee",
        /// The callee's authid, when disclosed.
        callee_authid: Option<ByteString> = "callee_authid",
        /// The callee's authrole, when disclosed.
        callee_authrole: Option<ByteString> = "callee_authrole",
        /// How the payload is sealed.
        passthru: PassThru = "..",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Details of EVENT.
    pub struct EventDetails {
        /// The topic, when the subscription is a pattern.
        topic: Option<Uri> = "topic",
        /// The publisher's session, when disclosed.
        publisher: Option<SessionId> = "publisher",
        /// The publisher's authid, when disclosed.
        publisher_authid: Option<ByteString> = "publisher_authid",
        /// The publisher's authrole, when disclosed.
        publisher_authrole: Option<ByteString> = "publisher_authrole",
        /// How far the publisher is trusted.
        trustlevel: Option<u64> = "trustlevel",
        /// Whether it is the retained event.
        retained: Option<bool> = "retained",
        /// A hash that the application gave the publication.
        transaction_hash: Option<ByteString> = "transaction_hash",
        /// Whether EVENT_RECEIVED is to be sent.
        x_acknowledged_delivery: Option<bool> = "x_acknowledged_delivery",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
        /// How the payload is sealed.
        passthru: PassThru = "..",
    }

    /// Details of RESULT.
    pub struct ResultDetails {
        /// Whether more results follow.
        progress: Option<bool> = "progress",
        /// The callee's session, when disclosed.
        callee: Option<SessionId> = "callee",
        /// The callee's authid, when disclosed.
        callee_authid: Option<ByteString> = "callee_authid",
        /// The callee's authrole, when disclosed.
        callee_authrole: Option<ByteString> = "callee_authrole",
        /// How the payload is sealed.
        passthru: PassThru = "..",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Details of INVOCATION.
    pub struct InvocationDetails {
        /// The procedure called, when the registration is a pattern.
        procedure: Option<Uri> = "procedure",
        /// Milliseconds after which the callee ends the call.
        timeout: Option<u64> = "timeout",
        /// Whether the caller takes results in several parts.
        receive_progress: Option<bool> = "receive_progress",
        /// Whether more arguments follow.
        progress: Option<bool> = "progress",
        /// The caller's session, when disclosed.
        caller: Option<SessionId> = "caller",
        /// The caller's authid, when disclosed.
        caller_authid: Option<ByteString> = "caller_authid",
        /// The caller's authrole, when disclosed.
        caller_authrole: Option<ByteString> = "caller_authrole",
        /// How far the caller is trusted.
        trustlevel: Option<u64> = "trustlevel",
        /// A hash that the application gave the call.
        transaction_hash: Option<ByteString> = "transaction_hash",
        /// How the payload is sealed.
        passthru: PassThru = "..",
        /// The routers that forwarded the message.
        forward_for: Option<Vec<Forward>> = "forward_for",
    }

    /// Details of UNSUBSCRIBED, when the broker took the subscription back.
    pub struct UnsubscribedDetails {
        /// The subscription that ended.
        subscription: Option<SubscriptionId> = "subscription",
        /// Why.
        reason: Option<Uri> = "reason",
    }

    /// Details of UNREGISTERED, when the dealer took the registration back.
    pub struct UnregisteredDetails {
        /// The registration that ended.
        registration: Option<RegistrationId> = "registration",
        /// Why.
        reason: Option<Uri> = "reason",
    }
}

/// `roles`: a dict of roles, each with an optional dict of features. What is unknown is passed over.
impl Attribute for Roles {
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        let mut roles = Self::NONE;
        let mut entries = d.reader.dict()?;
        while d.reader.more(&mut entries)? {
            let name = d.reader.key()?;
            let Some(role) = Role::from_name(&name) else {
                d.reader.skip(2)?;
                continue;
            };
            if roles.has(role) {
                return Err(d.error(Malformed::DuplicateKey));
            }
            roles = roles.with(role, &[]);
            let mut has_features = false;
            let mut keys = d.reader.dict()?;
            while d.reader.more(&mut keys)? {
                let key = d.reader.key()?;
                if &*key != "features" {
                    d.reader.skip(3)?;
                    continue;
                }
                if core::mem::replace(&mut has_features, true) {
                    return Err(d.error(Malformed::DuplicateKey));
                }
                if d.reader.kind()? == Kind::Null {
                    d.reader.skip(3)?;
                } else {
                    roles = read_features(roles, role, d)?;
                }
            }
        }
        Ok(roles)
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        e.writer.dict(self.iter().count());
        for role in self.iter() {
            e.writer.key(role.name());
            let features = self.features(role).count();
            e.writer.dict(usize::from(features > 0));
            if features > 0 {
                e.writer.key("features");
                e.writer.dict(features);
                for feature in self.features(role) {
                    e.writer.key(feature.name());
                    e.writer.bool(true);
                }
                e.writer.end_dict();
            }
            e.writer.end_dict();
        }
        e.writer.end_dict();
        Ok(())
    }
}

fn read_features<'a, R: Reader<'a>>(
    mut roles: Roles,
    role: Role,
    d: &mut Decoder<'_, R>,
) -> Result<Roles, ReadError> {
    // One bit a feature for its own name, and one for the only other spelling there is.
    let (mut seen, mut seen_otherwise) = (0_u64, false);
    let mut features = d.reader.dict()?;
    while d.reader.more(&mut features)? {
        let name = d.reader.key()?;
        let Some(feature) = Feature::from_name(&name) else {
            d.reader.skip(4)?;
            continue;
        };
        let is_duplicate = if &*name == feature.name() {
            let before = seen;
            seen |= feature.bit();
            before == seen
        } else {
            core::mem::replace(&mut seen_otherwise, true)
        };
        if is_duplicate {
            return Err(d.error(Malformed::DuplicateKey));
        }
        if d.reader.kind()? == Kind::Null {
            d.reader.skip(4)?;
        } else if d.reader.bool()? {
            roles = roles.with(role, &[feature]);
        }
    }
    Ok(roles)
}
