//! Roles and features: what each side of a session announces it can do.
//!
//! The table holds every role and feature of the specification, and those that autobahn-python
//! announces beyond it. A side announces only what it honours; what the peer announced is asked with
//! [`Roles::supports`].

use core::fmt;

/// A role of the basic profile. Clients take the first four, routers the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Receives events.
    Subscriber,
    /// Publishes events.
    Publisher,
    /// Calls procedures.
    Caller,
    /// Registers procedures and answers invocations.
    Callee,
    /// Routes events.
    Broker,
    /// Routes calls.
    Dealer,
}

impl Role {
    /// Every role, in the order in which they are announced.
    pub const ALL: [Self; 6] =
        [Self::Subscriber, Self::Publisher, Self::Caller, Self::Callee, Self::Broker, Self::Dealer];

    /// Its key in `roles`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Publisher => "publisher",
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Broker => "broker",
            Self::Dealer => "dealer",
        }
    }

    /// The role with this key.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $feature:ident = $name:literal for $($role:ident)|+;)*) => {
        /// A feature that a role may announce.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Feature { $($(#[$doc])* $feature,)* }

        impl Feature {
            /// Every feature known, in the order in which they are announced.
            pub const ALL: &[Self] = &[$(Self::$feature),*];

            /// Its key in `features`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$feature => $name,)* }
            }

            /// The roles that may announce it, as a set of bits.
            const fn roles(self) -> u8 {
                match self { $(Self::$feature => $(Role::$role.bit())|+,)* }
            }
        }
    };
}

features! {
    /// Results in several parts.
    ProgressiveCallResults = "progressive_call_results" for Caller | Dealer | Callee;
    /// Arguments in several parts.
    ProgressiveCallInvocations = "progressive_call_invocations" for Caller | Dealer | Callee;
    /// Calls that end by themselves after a time.
    CallTimeout = "call_timeout" for Caller | Dealer | Callee;
    /// CANCEL and INTERRUPT.
    CallCanceling = "call_canceling" for Caller | Dealer | Callee;
    /// Callees learn who calls.
    CallerIdentification = "caller_identification" for Caller | Dealer | Callee;
    /// Callees learn how far a caller is trusted.
    CallTrustlevels = "call_trustlevels" for Dealer | Callee;
    /// Procedures that list and describe registrations.
    RegistrationMetaApi = "registration_meta_api" for Dealer;
    /// Registrations by prefix and wildcard.
    PatternBasedRegistration = "pattern_based_registration" for Dealer | Callee;
    /// Several callees for one procedure.
    SharedRegistration = "shared_registration" for Dealer | Callee;
    /// Callees chosen by a key of the call.
    ShardedRegistration = "sharded_registration" for Dealer | Callee;
    /// The dealer may take a registration back.
    RegistrationRevocation = "registration_revocation" for Dealer | Callee;
    /// Procedures describe their interface.
    ProcedureReflection = "procedure_reflection" for Dealer;
    /// Calls move on to the next callee when one is unavailable.
    CallReroute = "call_reroute" for Dealer | Callee;
    /// Publications to, or not to, certain sessions, authids and authroles.
    SubscriberBlackwhiteListing = "subscriber_blackwhite_listing" for Publisher | Broker;
    /// Publishers may receive their own events.
    PublisherExclusion = "publisher_exclusion" for Publisher | Broker;
    /// Subscribers learn who published.
    PublisherIdentification = "publisher_identification" for Publisher | Broker | Subscriber;
    /// Subscribers learn how far a publisher is trusted.
    PublicationTrustlevels = "publication_trustlevels" for Broker | Subscriber;
    /// Procedures that list and describe subscriptions.
    SubscriptionMetaApi = "subscription_meta_api" for Broker;
    /// Subscriptions by prefix and wildcard.
    PatternBasedSubscription = "pattern_based_subscription" for Broker | Subscriber;
    /// Subscribers chosen by a key of the publication.
    ShardedSubscription = "sharded_subscription" for Broker | Subscriber;
    /// Procedures that return past events.
    EventHistory = "event_history" for Broker | Subscriber;
    /// The last event of a topic is kept for late subscribers.
    EventRetention = "event_retention" for Publisher | Broker | Subscriber;
    /// The broker may take a subscription back.
    SubscriptionRevocation = "subscription_revocation" for Broker | Subscriber;
    /// Topics describe their interface.
    TopicReflection = "topic_reflection" for Broker;
    /// Subscribers acknowledge events (EVENT_RECEIVED).
    AcknowledgeEventReceived = "acknowledge_event_received" for Broker | Subscriber;
    /// The same feature under its private name.
    XAcknowledgedEventDelivery = "x_acknowledged_event_delivery" for Publisher | Broker | Subscriber;
    /// Publishers learn which subscribers received an event.
    AcknowledgeSubscriberReceived = "acknowledge_subscriber_received" for Broker | Subscriber;
    /// Procedures that list, describe and end sessions.
    SessionMetaApi = "session_meta_api" for Broker | Dealer;
    /// Publications that the router makes when a session ends.
    TestamentMetaApi = "testament_meta_api" for Broker | Dealer;
    /// Payloads that the router does not look into (`ppt_*`).
    PayloadPassthruMode = "payload_passthru_mode"
        for Publisher | Broker | Subscriber | Caller | Dealer | Callee;
    /// The same in its deployed form (`enc_*`, one binary element).
    PayloadTransparency = "payload_transparency"
        for Publisher | Broker | Subscriber | Caller | Dealer | Callee;
    /// Payloads sealed with cryptobox.
    PayloadEncryptionCryptobox = "payload_encryption_cryptobox"
        for Publisher | Broker | Subscriber | Caller | Dealer | Callee;
}

impl Feature {
    /// Whether `role` may announce this feature.
    pub const fn belongs_to(self, role: Role) -> bool {
        self.roles() & role.bit() != 0
    }

    /// The feature with this key. `call_cancelling`, which older peers write, is `call_canceling`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "call_cancelling" { "call_canceling" } else { name };
        Self::ALL.iter().copied().find(|feature| feature.name() == name)
    }

    pub(crate) const fn bit(self) -> u64 {
        1 << self as u64
    }
}

/// The roles a side takes and the features of each.
///
/// ```
/// use roadbed_core::role::{Feature, Role, Roles};
///
/// let roles = Roles::NONE.with(Role::Caller, &[Feature::CallCanceling]).with(Role::Publisher, &[]);
/// assert!(roles.has(Role::Publisher));
/// assert!(roles.supports(Role::Caller, Feature::CallCanceling));
/// assert!(!roles.has(Role::Callee));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles {
    roles: u8,
    features: [u64; 6],
}

impl Roles {
    /// No role at all.
    pub const NONE: Self = Self { roles: 0, features: [0; 6] };

    /// Adds a role with these features; features that do not belong to the role are left out.
    #[must_use]
    pub fn with(mut self, role: Role, features: &[Feature]) -> Self {
        self.roles |= role.bit();
        for &feature in features.iter().filter(|feature| feature.belongs_to(role)) {
            if let Some(set) = self.features.get_mut(role as usize) {
                *set |= feature.bit();
            }
        }
        self
    }

    /// Takes a role and its features away.
    #[must_use]
    pub fn without(mut self, role: Role) -> Self {
        self.roles &= !role.bit();
        if let Some(set) = self.features.get_mut(role as usize) {
            *set = 0;
        }
        self
    }

    /// Whether the role was announced.
    pub const fn has(&self, role: Role) -> bool {
        self.roles & role.bit() != 0
    }

    /// Whether the role was announced with this feature.
    pub fn supports(&self, role: Role, feature: Feature) -> bool {
        self.features.get(role as usize).is_some_and(|set| set & feature.bit() != 0)
    }

    /// The roles announced, in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        let roles = self.roles;
        Role::ALL.into_iter().filter(move |role| roles & role.bit() != 0)
    }

    /// The features announced for `role`, in canonical order.
    pub fn features(&self, role: Role) -> impl Iterator<Item = Feature> {
        let set = self.features.get(role as usize).copied().unwrap_or(0);
        Feature::ALL.iter().copied().filter(move |feature| set & feature.bit() != 0)
    }

    /// Whether no role was announced.
    pub const fn is_empty(&self) -> bool {
        self.roles == 0
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Names<'a>(&'a Roles, Role);
        impl fmt::Debug for Names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.0.features(self.1).map(Feature::name)).finish()
            }
        }
        f.debug_map().entries(self.iter().map(|role| (role.name(), Names(self, role)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_sets_fit_their_bits() {
        assert!(Feature::ALL.len() <= 64);
        for &feature in Feature::ALL {
            assert_eq!(Feature::from_name(feature.name()), Some(feature));
            assert!(Role::ALL.into_iter().any(|role| feature.belongs_to(role)));
        }
        assert_eq!(Feature::from_name("call_cancelling"), Some(Feature::CallCanceling));
    }

    #[test]
    fn foreign_features_are_left_out() {
        let roles = Roles::NONE.with(Role::Publisher, &[Feature::CallCanceling]);
        assert_eq!(roles.features(Role::Publisher).count(), 0);
        assert!(!roles.without(Role::Publisher).has(Role::Publisher));
    }
}
