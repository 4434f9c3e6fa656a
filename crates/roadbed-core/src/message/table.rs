//! The tables behind the messages, for whoever checks something for every field there is.

use super::element::Body;
use super::{MessageType, dispatch_type};

/// An element of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ElementInfo {
    /// Its name, as the field of the message.
    pub name: &'static str,
    /// Its type, as Rust spells it.
    pub type_name: &'static str,
    /// The keys that are known in it, where it is a dict of options or details.
    pub keys: &'static [KeyInfo],
}

/// A key of options or details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key; `..` for a group of keys.
    pub name: &'static str,
    /// The type behind it, as Rust spells it.
    pub type_name: &'static str,
    /// The keys of the group, or of the dicts behind the key.
    pub keys: &'static [Self],
}

impl KeyInfo {
    pub(crate) const fn new(name: &'static str, type_name: &'static str, keys: &'static [Self]) -> Self {
        Self { name, type_name, keys }
    }
}

impl ElementInfo {
    pub(crate) const fn new(name: &'static str, type_name: &'static str, keys: &'static [KeyInfo]) -> Self {
        Self { name, type_name, keys }
    }
}

impl MessageType {
    /// Lists the elements of a message of this type behind its number, in wire order, with the keys of its
    /// options or details. For documentation, and for tests that must not miss a field.
    ///
    /// ```
    /// use roadbed_core::message::MessageType;
    ///
    /// let names: Vec<&str> = MessageType::Goodbye.elements().iter().map(|element| element.name).collect();
    /// assert_eq!(names, ["details", "reason"]);
    /// let [message, ..] = MessageType::Goodbye.elements()[0].keys else { panic!() };
    /// assert_eq!((message.name, message.type_name), ("message", "Option<ByteString>"));
    /// ```
    pub const fn elements(self) -> &'static [ElementInfo] {
        macro_rules! elements {
            ($body:ident) => {
                <crate::message::$body as Body>::ELEMENTS
            };
        }
        dispatch_type!(self, elements)
    }
}
