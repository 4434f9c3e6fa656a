//! Messages that open, close and fail a session (basic profile, "Sessions").

use bytestring::ByteString;

use super::MessageType;
use super::attributes::RawDict;
use super::details::{CloseDetails, ErrorDetails, HelloDetails, WelcomeDetails};
use super::element::bodies;
use super::sparse::Sparse;
use super::wire::{Attribute, Decoder, Encoder};
use crate::error::PayloadError;
use crate::id::{RequestId, SessionId};
use crate::payload::Payload;
use crate::serializer::{ReadError, Reader, Writer};
use crate::uri::Uri;

/// The proof in AUTHENTICATE: a ticket, a signature. `Debug` does not show it.
///
/// `==` takes a time that depends on where the texts differ. Whoever checks a proof compares with
/// [`Secret::matches`](crate::auth::Secret::matches).
///
/// ```
/// use roadbed_core::message::Signature;
///
/// let signature = Signature::from("secret!!!");
/// assert_eq!(&*signature, "secret!!!");
/// assert_eq!(format!("{signature:?}"), "Signature(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(ByteString);

impl Signature {
    /// The text, shared.
    pub const fn as_text(&self) -> &ByteString {
        &self.0
    }
}

impl<T: Into<ByteString>> From<T> for Signature {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl core::ops::Deref for Signature {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Signature(…)")
    }
}

impl Attribute for Signature {
    fn read<'a, R: Reader<'a>>(d: &mut Decoder<'_, R>) -> Result<Self, ReadError> {
        ByteString::read(d).map(Self)
    }

    fn write<'o, W: Writer<'o>>(&self, e: &mut Encoder<W>) -> Result<(), PayloadError> {
        self.0.write(e)
    }
}

bodies! {
    /// `[1, Realm, Details]`: a client asks to join a realm.
    Hello {
        /// The realm; `None` (null) leaves it to the router.
        realm: [Option<Uri>],
        /// Roles, and who the client wants to be.
        details: [Sparse<HelloDetails>],
    }

    /// `[2, Session, Details]`: the router lets the client in.
    Welcome {
        /// The new session.
        session: [SessionId],
        /// Roles, and who the client is now.
        details: [Sparse<WelcomeDetails>],
    }

    /// `[3, Details, Reason]`, with or without payload: the end, at once; never answered.
    Abort {
        /// Why, for people.
        details: [Sparse<CloseDetails>],
        /// Why, as a URI.
        reason: [Uri],
        ; /// More on the reason.
        payload: Payload
    }

    /// `[4, AuthMethod, Extra]`: the router asks for proof.
    Challenge {
        /// The method.
        method: [ByteString],
        /// What the method needs.
        extra: [RawDict],
    }

    /// `[5, Signature, Extra]`: the client's proof.
    Authenticate {
        /// The proof.
        signature: [Signature],
        /// What the method needs.
        extra: [RawDict],
    }

    /// `[6, Details, Reason]`: an orderly end; answered once.
    Goodbye {
        /// Why, for people.
        details: [Sparse<CloseDetails>],
        /// Why, as a URI.
        reason: [Uri],
    }

    /// `[8, REQUEST.Type, REQUEST.Request, Details, Error]`, with or without payload: a request failed.
    Error {
        /// The type of the request.
        request_type: [MessageType],
        /// The request.
        request: [RequestId],
        /// Who failed it, how the payload is sealed.
        details: [Sparse<ErrorDetails>],
        /// What went wrong, as a URI.
        error: [Uri],
        ; /// More on what went wrong.
        payload: Payload
    }
}
