//! What can be given as arguments, and what a handler can return.

use std::any::TypeId;
use std::marker::PhantomData;

use roadbed_core::error::PayloadError;
use roadbed_core::limits::MAX_DEPTH;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use serde::Serialize;
use serde::de::value::UnitDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};

/// How a type becomes a payload; chosen by the compiler, never named by hand.
#[derive(Debug)]
pub struct ViaSerde(PhantomData<()>);

/// As [`ViaSerde`], for what is a payload already.
#[derive(Debug)]
pub struct AsItIs(PhantomData<()>);

/// Arguments of a call or an event: a tuple, an array or a `Vec` of them, `()` for none, or a
/// [`Payload`] that is encoded already. Keyword arguments are added by the builders.
pub trait IntoPayload<Kind> {
    /// Encodes it.
    ///
    /// # Errors
    /// [`PayloadError`] when it cannot be written in this serializer.
    fn into_payload(self, serializer: Serializer) -> Result<Payload, PayloadError>;
}

impl<T: Serialize> IntoPayload<ViaSerde> for T {
    fn into_payload(self, serializer: Serializer) -> Result<Payload, PayloadError> {
        Payload::from_args(serializer, &self)
    }
}

impl IntoPayload<AsItIs> for Payload {
    fn into_payload(self, _: Serializer) -> Result<Payload, PayloadError> {
        Ok(self)
    }
}

/// What a handler returns: one value, `()` for none, a [`Reply`] for several values or keywords, or a
/// [`Payload`].
///
/// A tuple is one value, a list: whoever calls reads it with [`CallResult::get`](crate::client::CallResult::get),
/// as every single value.
pub trait IntoReply<Kind> {
    /// Encodes it.
    ///
    /// # Errors
    /// [`PayloadError`] when it cannot be written in this serializer.
    fn into_reply(self, serializer: Serializer) -> Result<Payload, PayloadError>;
}

impl<T: Serialize + 'static> IntoReply<ViaSerde> for T {
    fn into_reply(self, serializer: Serializer) -> Result<Payload, PayloadError> {
        if TypeId::of::<T>() == TypeId::of::<()>() {
            return Ok(Payload::EMPTY);
        }
        Payload::from_args(serializer, &(self,))
    }
}

impl IntoReply<AsItIs> for Payload {
    fn into_reply(self, _: Serializer) -> Result<Payload, PayloadError> {
        Ok(self)
    }
}

impl IntoReply<AsItIs> for Reply {
    fn into_reply(self, serializer: Serializer) -> Result<Payload, PayloadError> {
        (self.build)(serializer)
    }
}

/// A result of several values, or with keywords.
///
/// ```
/// use roadbed::Reply;
/// # use roadbed::{IntoReply, core::serializer::Serializer};
///
/// #[derive(serde::Serialize)]
/// struct Unit { unit: &'static str }
///
/// let reply = Reply::new((21.5, "kitchen"), Unit { unit: "celsius" });
/// # let payload = reply.into_reply(Serializer::Json).unwrap();
/// # assert_eq!(payload.raw_args().unwrap(), r#"[21.5,"kitchen"]"#);
/// # assert_eq!(payload.raw_kwargs().unwrap(), r#"{"unit":"celsius"}"#);
/// ```
pub struct Reply {
    build: Box<dyn FnOnce(Serializer) -> Result<Payload, PayloadError> + Send>,
}

impl Reply {
    /// Several values, and keywords; `()` for none of either.
    pub fn new<A, K>(args: A, kwargs: K) -> Self
    where
        A: Serialize + Send + 'static,
        K: Serialize + Send + 'static,
    {
        Self { build: Box::new(move |serializer| Payload::build(serializer, &args, &kwargs)) }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

/// Reads a single value: the only one of the args, or nothing as `()` or `None`.
pub(crate) fn single<T: DeserializeOwned>(payload: &Payload) -> Result<T, PayloadError> {
    if payload.raw_args().is_none() && payload.raw_bare().is_none() {
        let nothing: UnitDeserializer<serde::de::value::Error> = ().into_deserializer();
        if let Ok(value) = T::deserialize(nothing) {
            return Ok(value);
        }
    }
    payload.args::<(T,)>().map(|(value,)| value)
}

/// Puts keywords to args that are encoded already.
pub(crate) fn with_kwargs<K: Serialize>(
    args: &Payload,
    serializer: Serializer,
    kwargs: &K,
) -> Result<Payload, PayloadError> {
    let args = args.transcode(serializer, MAX_DEPTH)?;
    let kwargs = Payload::build(serializer, &(), kwargs)?;
    let (args, kwargs) = (args.raw_args().cloned(), kwargs.raw_kwargs().cloned());
    Payload::from_raw(serializer, args, kwargs, MAX_DEPTH)
}
