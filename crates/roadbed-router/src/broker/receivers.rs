//! Which of a topic's subscribers a publication is for.

use bytestring::ByteString;
use roadbed_core::id::SessionId;
use roadbed_core::message::Sparse;
use roadbed_core::options::PublishOptions;

use crate::identity::SessionInfo;

/// Which subscribers a publication is for (advanced profile, "subscriber black- and whitelisting"). A
/// list that is there counts even when it is empty; all lists have to agree.
pub(super) struct Receivers {
    is_restricted: bool,
}

impl Receivers {
    /// Sorts the lists, so that each subscriber costs a search only.
    pub(super) fn new(options: &mut Sparse<PublishOptions>) -> Self {
        let is_restricted = options.exclude.is_some()
            || options.eligible.is_some()
            || options.exclude_authid.is_some()
            || options.exclude_authrole.is_some()
            || options.eligible_authid.is_some()
            || options.eligible_authrole.is_some();
        // Empty options are not allocated; asking for them mutably would.
        if !is_restricted {
            return Self { is_restricted };
        }
        let options = &mut **options;
        for list in [&mut options.exclude, &mut options.eligible].into_iter().flatten() {
            list.sort_unstable();
        }
        let names = [
            &mut options.exclude_authid,
            &mut options.exclude_authrole,
            &mut options.eligible_authid,
            &mut options.eligible_authrole,
        ];
        for list in names.into_iter().flatten() {
            list.sort_unstable();
        }
        Self { is_restricted }
    }

    pub(super) fn include(&self, options: &PublishOptions, info: &SessionInfo) -> bool {
        let has_id = |list: &Vec<SessionId>| list.binary_search(&info.id).is_ok();
        let has_authid = |list: &Vec<ByteString>| list.binary_search(&info.authid).is_ok();
        let has_authrole = |list: &Vec<ByteString>| list.binary_search(&info.authrole).is_ok();
        !self.is_restricted
            || (options.eligible.as_ref().is_none_or(has_id)
                && options.eligible_authid.as_ref().is_none_or(has_authid)
                && options.eligible_authrole.as_ref().is_none_or(has_authrole)
                && !options.exclude.as_ref().is_some_and(has_id)
                && !options.exclude_authid.as_ref().is_some_and(has_authid)
                && !options.exclude_authrole.as_ref().is_some_and(has_authrole))
    }
}
