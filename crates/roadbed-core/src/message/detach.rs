//! Details that are kept for long, out of the buffer they were read from.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytestring::ByteString;

use super::attributes::Forward;
use super::passthru::{EncAlgo, PassThru, PassThruAttributes};
use super::{EventDetails, InvocationDetails};
use crate::uri::{Uri, detach};

pub(crate) fn text(text: &Option<ByteString>) -> Option<ByteString> {
    text.as_ref().map(detach)
}

pub(crate) fn way(way: &Option<Vec<Forward>>) -> Option<Vec<Forward>> {
    let copy = |hop: &Forward| {
        let Forward { session, authid, authrole, extra } = hop;
        Forward { session: *session, authid: text(authid), authrole: text(authrole), extra: extra.detach() }
    };
    way.as_ref().map(|way| way.iter().map(copy).collect())
}

impl PassThru {
    /// A copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(self.0.as_ref().map(|sealed| {
            let PassThruAttributes {
                ppt_scheme,
                ppt_serializer,
                ppt_cipher,
                ppt_keyid,
                enc_algo,
                enc_key,
                enc_serializer,
            } = &**sealed;
            Box::new(PassThruAttributes {
                ppt_scheme: text(ppt_scheme),
                ppt_serializer: text(ppt_serializer),
                ppt_cipher: text(ppt_cipher),
                ppt_keyid: text(ppt_keyid),
                enc_algo: enc_algo.as_ref().map(|algo| EncAlgo(detach(&algo.0))),
                enc_key: text(enc_key),
                enc_serializer: text(enc_serializer),
            })
        }))
    }
}

/// The bytes of texts, and what the allocator needs for each.
pub(crate) fn weigh<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> usize {
    let each = |text: &str| text.len().saturating_add(32);
    texts.into_iter().flatten().map(each).fold(0, usize::saturating_add)
}

pub(crate) fn weigh_way(way: Option<&Vec<Forward>>) -> usize {
    let hop = |hop: &Forward| {
        let texts = weigh([hop.authid.as_deref(), hop.authrole.as_deref()]);
        texts.saturating_add(hop.extra.weight()).saturating_add(size_of::<Forward>())
    };
    way.map_or(0, |way| way.iter().map(hop).fold(0, usize::saturating_add))
}

impl PassThru {
    pub(crate) fn weight(&self) -> usize {
        let Some(sealed) = &self.0 else { return 0 };
        let texts = [
            sealed.ppt_scheme.as_deref(),
            sealed.ppt_serializer.as_deref(),
            sealed.ppt_cipher.as_deref(),
            sealed.ppt_keyid.as_deref(),
            sealed.enc_algo.as_ref().map(EncAlgo::name),
            sealed.enc_key.as_deref(),
            sealed.enc_serializer.as_deref(),
        ];
        weigh(texts).saturating_add(size_of::<PassThruAttributes>())
    }
}

impl EventDetails {
    /// Returns about how many bytes of memory a [detached](Self::detach) copy holds.
    pub fn weight(&self) -> usize {
        let texts = [
            self.topic.as_ref().map(Uri::as_str),
            self.publisher_authid.as_deref(),
            self.publisher_authrole.as_deref(),
            self.transaction_hash.as_deref(),
        ];
        let rest = [weigh_way(self.forward_for.as_ref()), self.passthru.weight(), self.extra.weight()];
        rest.into_iter().fold(weigh(texts).saturating_add(size_of::<Self>()), usize::saturating_add)
    }

    /// A copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            topic: self.topic.as_ref().map(Uri::detach),
            publisher_authid: text(&self.publisher_authid),
            publisher_authrole: text(&self.publisher_authrole),
            transaction_hash: text(&self.transaction_hash),
            forward_for: way(&self.forward_for),
            passthru: self.passthru.detach(),
            extra: self.extra.detach(),
            publisher: self.publisher,
            trustlevel: self.trustlevel,
            retained: self.retained,
            x_acknowledged_delivery: self.x_acknowledged_delivery,
        }
    }
}

impl InvocationDetails {
    /// Returns about how many bytes of memory a [detached](Self::detach) copy holds.
    pub fn weight(&self) -> usize {
        let texts = [
            self.procedure.as_ref().map(Uri::as_str),
            self.caller_authid.as_deref(),
            self.caller_authrole.as_deref(),
            self.transaction_hash.as_deref(),
        ];
        let rest = [weigh_way(self.forward_for.as_ref()), self.passthru.weight(), self.extra.weight()];
        rest.into_iter().fold(weigh(texts).saturating_add(size_of::<Self>()), usize::saturating_add)
    }

    /// A copy that shares no memory with a read buffer.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self {
            procedure: self.procedure.as_ref().map(Uri::detach),
            caller_authid: text(&self.caller_authid),
            caller_authrole: text(&self.caller_authrole),
            transaction_hash: text(&self.transaction_hash),
            forward_for: way(&self.forward_for),
            passthru: self.passthru.detach(),
            extra: self.extra.detach(),
            timeout: self.timeout,
            receive_progress: self.receive_progress,
            progress: self.progress,
            caller: self.caller,
            trustlevel: self.trustlevel,
        }
    }
}
