//! Every URI that the specification predefines, for errors and for closing.

use crate::uri::Uri;

macro_rules! uris {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub static $name: Uri = Uri::from_static($text);)*

        /// All of them, in the order of this page.
        pub static ALL: &[&Uri] = &[$(&$name),*];
    };
}

uris! {
    /// A URI that breaks the rules in force.
    INVALID_URI = "wamp.error.invalid_uri";
    /// Nobody registered the called procedure.
    NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure";
    /// Somebody registered the procedure already, or under another policy.
    PROCEDURE_ALREADY_EXISTS = "wamp.error.procedure_already_exists";
    /// UNREGISTER of a registration that is not the peer's.
    NO_SUCH_REGISTRATION = "wamp.error.no_such_registration";
    /// UNSUBSCRIBE of a subscription that is not the peer's.
    NO_SUCH_SUBSCRIPTION = "wamp.error.no_such_subscription";
    /// Arguments (or an option) of a type or number that the other side does not accept.
    INVALID_ARGUMENT = "wamp.error.invalid_argument";
    /// A payload that cannot be carried to the recipient, for instance in its serializer.
    INVALID_PAYLOAD = "wamp.error.invalid_payload";
    /// A message over the recipient's limit.
    PAYLOAD_SIZE_EXCEEDED = "wamp.error.payload_size_exceeded";
    /// The peer broke the protocol; reason of the ABORT that ends its session.
    PROTOCOL_VIOLATION = "wamp.error.protocol_violation";

    /// The call was canceled, or its callee left.
    CANCELED = "wamp.error.canceled";
    /// The call took longer than allowed.
    TIMEOUT = "wamp.error.timeout";
    /// Nobody can take the request now, or a limit of the session is reached.
    UNAVAILABLE = "wamp.error.unavailable";
    /// Every callee of a shared registration answered `wamp.error.unavailable`.
    NO_AVAILABLE_CALLEE = "wamp.error.no_available_callee";
    /// An option that the router does not allow.
    OPTION_NOT_ALLOWED = "wamp.error.option_not_allowed";
    /// The router refuses to disclose the peer's identity.
    OPTION_DISALLOWED_DISCLOSE_ME = "wamp.error.option_disallowed.disclose_me";
    /// The same refusal, in the spelling of the call chapter.
    DISCLOSE_ME_NOT_ALLOWED = "wamp.error.disclose_me.not_allowed";
    /// The router met a network failure.
    NETWORK_FAILURE = "wamp.error.network_failure";
    /// The other side lacks a feature that the request needs.
    FEATURE_NOT_SUPPORTED = "wamp.error.feature_not_supported";

    /// The realm does not exist, and is not created on demand.
    NO_SUCH_REALM = "wamp.error.no_such_realm";
    /// The role that authentication gave does not exist.
    NO_SUCH_ROLE = "wamp.error.no_such_role";
    /// The principal does not exist.
    NO_SUCH_PRINCIPAL = "wamp.error.no_such_principal";
    /// No authentication method that the client offered is accepted.
    NO_MATCHING_AUTH_METHOD = "wamp.error.no_matching_auth_method";
    /// Wrong credentials.
    AUTHENTICATION_DENIED = "wamp.error.authentication_denied";
    /// Authentication itself failed for a technical reason.
    AUTHENTICATION_FAILED = "wamp.error.authentication_failed";
    /// Anonymous clients are not accepted.
    AUTHENTICATION_REQUIRED = "wamp.error.authentication_required";
    /// The client cannot answer the router's challenge.
    CANNOT_AUTHENTICATE = "wamp.error.cannot_authenticate";
    /// The peer may not do that.
    NOT_AUTHORIZED = "wamp.error.not_authorized";
    /// The principal may not perform the action.
    AUTHORIZATION_DENIED = "wamp.error.authorization_denied";
    /// Authorization itself failed for a technical reason.
    AUTHORIZATION_FAILED = "wamp.error.authorization_failed";
    /// The action needs an authorization that the principal lacks.
    AUTHORIZATION_REQUIRED = "wamp.error.authorization_required";
    /// Meta API: no such session.
    NO_SUCH_SESSION = "wamp.error.no_such_session";

    /// The peer shuts down.
    SYSTEM_SHUTDOWN = "wamp.close.system_shutdown";
    /// The peer leaves the realm.
    CLOSE_REALM = "wamp.close.close_realm";
    /// The answer to GOODBYE.
    GOODBYE_AND_OUT = "wamp.close.goodbye_and_out";
    /// The router ended the session by force.
    KILLED = "wamp.close.killed";
    /// What most clients say when they leave.
    NORMAL = "wamp.close.normal";
}

/// Whether `error` says that a call was canceled; the specification spells it both ways.
pub fn is_canceled(error: &Uri) -> bool {
    *error == CANCELED || *error == "wamp.error.cancelled"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::{MatchPolicy, UriRules};

    #[test]
    fn all_obey_the_strict_rules_and_differ() {
        for (index, uri) in ALL.iter().enumerate() {
            uri.check(UriRules::Strict, MatchPolicy::Exact, 64).unwrap();
            assert!(!ALL[..index].contains(uri), "{uri} stands twice");
        }
    }
}
