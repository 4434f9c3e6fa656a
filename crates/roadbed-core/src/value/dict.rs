//! Values by name, in order.

use alloc::vec;
use alloc::vec::Vec;
use core::slice;

use bytestring::ByteString;

use super::Value;

/// A dictionary with text keys that keeps its pairs in the order they came in.
///
/// Looking a key up looks at every pair: right for the handful of pairs that options, details and keyword
/// arguments have. Collect a large one into a map before looking up many keys.
///
/// A dict decoded from a payload may hold a key twice; such pairs are kept and written as they came,
/// [`get`](Self::get) sees the last. Two dicts are equal when they hold the same pairs in the same order.
///
/// ```
/// use roadbed_core::value::Dict;
///
/// let mut dict: Dict = [("color", "orange"), ("size", "small")].into_iter().collect();
/// dict.insert("size", 42_u64);
/// assert_eq!(dict.get("size").and_then(|size| size.as_u64()), Some(42));
/// assert_eq!(dict.keys().collect::<Vec<_>>(), ["color", "size"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dict {
    pairs: Vec<(ByteString, Value)>,
}

impl Dict {
    /// An empty dict.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// An empty dict with room for so many pairs.
    pub fn with_capacity(pairs: usize) -> Self {
        Self { pairs: Vec::with_capacity(pairs) }
    }

    /// The number of pairs.
    pub const fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no pairs.
    pub const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The value of a key; the last one if the key stands twice. Linear in the number of pairs.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs.iter().rev().find(|(known, _)| *known == *key).map(|(_, value)| value)
    }

    /// Like [`get`](Self::get), to change the value in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.pairs.iter_mut().rev().find(|(known, _)| *known == *key).map(|(_, value)| value)
    }

    /// Whether the key stands here. Linear in the number of pairs.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key: in place, returning the old value, or at the end if it is new. Linear in
    /// the number of pairs; collecting is quicker for many.
    pub fn insert(&mut self, key: impl Into<ByteString>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.get_mut(&key) {
            Some(known) => Some(core::mem::replace(known, value)),
            None => {
                self.pairs.push((key, value));
                None
            }
        }
    }

    /// Appends a pair without looking whether the key stands here already.
    pub fn push(&mut self, key: impl Into<ByteString>, value: impl Into<Value>) {
        self.pairs.push((key.into(), value.into()));
    }

    /// Removes every pair of a key and returns what [`get`](Self::get) would have returned.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let mut last = None;
        self.pairs.retain_mut(|(known, value)| {
            let stays = *known != *key;
            if !stays {
                last = Some(core::mem::take(value));
            }
            stays
        });
        last
    }

    /// The pairs, in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.pairs.iter())
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.pairs.iter().map(|(key, _)| &**key)
    }

    /// The values, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
        self.pairs.iter().map(|(_, value)| value)
    }

    /// A copy that shares no bytes with the message it was decoded from.
    #[must_use]
    pub fn detached(&self) -> Self {
        self.iter().map(|(key, value)| (key, value.detached())).collect()
    }
}

impl<K: Into<ByteString>, V: Into<Value>> FromIterator<(K, V)> for Dict {
    /// Keeps every pair, duplicate keys too.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut dict = Self::new();
        dict.extend(pairs);
        dict
    }
}

impl<K: Into<ByteString>, V: Into<Value>> Extend<(K, V)> for Dict {
    /// Appends every pair, duplicate keys too.
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.pairs.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl<K: Into<ByteString>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Dict {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl IntoIterator for Dict {
    type Item = (ByteString, Value);
    type IntoIter = vec::IntoIter<(ByteString, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<'a> IntoIterator for &'a Dict {
    type Item = (&'a str, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The pairs of a [`Dict`], in order.
#[derive(Clone, Debug)]
pub struct Iter<'a>(slice::Iter<'a, (ByteString, Value)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (&**key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (&**key, value))
    }
}

impl ExactSizeIterator for Iter<'_> {}
