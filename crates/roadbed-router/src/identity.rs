//! Who is joined, as the gate found out.

use bytestring::ByteString;
use roadbed_core::id::SessionId;
use roadbed_core::role::{Feature, Role, Roles};
use roadbed_core::uri::Uri;

use crate::names::PeerId;

/// A session, as established by the gate. Nothing in it changes while the session lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// The peer that has it.
    pub peer: PeerId,
    /// The realm joined.
    pub realm: Uri,
    /// Who the client is.
    pub authid: ByteString,
    /// The role it was given.
    pub authrole: ByteString,
    /// How it was authenticated.
    pub authmethod: ByteString,
    /// Which part of the router vouches for it.
    pub authprovider: ByteString,
    /// The client's software, as it says; the first 512 bytes of that.
    pub agent: Option<ByteString>,
    /// The roles and features that the client announced.
    pub roles: Roles,
}

impl SessionInfo {
    pub(crate) fn can_be_interrupted(&self) -> bool {
        self.roles.supports(Role::Callee, Feature::CallCanceling)
    }
}
