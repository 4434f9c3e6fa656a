//! Which texts may go from one peer to another as a URI. Every URI that does passes through here: a peer may end
//! its session over one that is none, so whoever could send one could end the sessions of others.

use roadbed_core::limits::Limits;
use roadbed_core::uri::{MatchPolicy, Uri, UriError, UriRules};

/// What a URI names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// A topic, procedure or realm: what it may look like is configured.
    Resource(UriRules),
    /// An error or a reason. Applications choose them beside the router's configuration, so only what makes it a
    /// URI at all is asked for.
    Outcome,
}

/// Checks a URI that a peer or the driver gave.
pub(crate) fn check(uri: &Uri, names: Names, limits: &Limits) -> Result<(), UriError> {
    let rules = match names {
        Names::Resource(rules) => rules,
        Names::Outcome => UriRules::Loose,
    };
    uri.check(rules, MatchPolicy::Exact, limits.uri_length)
}

/// The reason that a driver gave for what it does to a peer, or `instead` when that is no URI: what has to be done is
/// done all the same.
pub(crate) fn reason<'a>(reason: &'a Uri, instead: &'a Uri, limits: &Limits) -> &'a Uri {
    if check(reason, Names::Outcome, limits).is_ok() { reason } else { instead }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_rules_are_for_resources() {
        let (limits, uri) = (Limits::default(), Uri::from_static("com.example.NotFound"));
        check(&uri, Names::Outcome, &limits).unwrap();
        check(&uri, Names::Resource(UriRules::Loose), &limits).unwrap();
        check(&uri, Names::Resource(UriRules::Strict), &limits).unwrap_err();
    }

    #[test]
    fn a_reason_that_is_none_is_replaced() {
        let (limits, instead) = (Limits::default(), Uri::from_static("wamp.close.killed"));
        for bad in ["", "#bad", "a b", "a..b"] {
            assert_eq!(reason(&Uri::from_static(bad), &instead, &limits), &instead);
        }
        let good = Uri::from_static("com.example.gone");
        assert_eq!(reason(&good, &instead, &limits), &good);
    }
}
