//! Our own vectors, from the folder `vectors` of this crate; `generate.py` there makes them.

use std::path::Path;

use bytes::Bytes;
use roadbed_core::serializer::Serializer;
use serde_json::Value as Json;

use super::hex;

/// One vector: an object of one of the files.
#[derive(Clone, Debug)]
pub struct Case(Json);

impl Case {
    /// A text field.
    ///
    /// # Panics
    /// When it is missing.
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key:?} is missing in {}", self.0))
    }

    /// What it is about.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// The serializer it is about.
    ///
    /// # Panics
    /// When it is not about one.
    pub fn serializer(&self) -> Serializer {
        Serializer::from_id(self.text("serializer")).expect("the name of a serializer")
    }

    /// The serializers in a list.
    pub fn serializers(&self, key: &str) -> Vec<Serializer> {
        let names = self.0[key].as_array().into_iter().flatten();
        names.filter_map(|name| Serializer::from_id(name.as_str()?)).collect()
    }

    /// The canonical form in `serializer`.
    pub fn bytes(&self, serializer: Serializer) -> Bytes {
        self.field(serializer.id(), serializer)
    }

    /// The bytes in a field: hex, or the text itself when `serializer` is JSON. `None` without the field.
    pub fn maybe_field(&self, key: &str, serializer: Serializer) -> Option<Bytes> {
        self.0.get(key).map(|_| self.field(key, serializer))
    }

    /// Like [`maybe_field`](Self::maybe_field), for a field that must be there.
    pub fn field(&self, key: &str, serializer: Serializer) -> Bytes {
        let text = self.text(key);
        Bytes::from(if serializer.is_binary() { hex(text) } else { text.as_bytes().to_vec() })
    }

    /// The canonical JSON form, parsed.
    ///
    /// # Panics
    /// When it is no JSON.
    pub fn elements(&self) -> Json {
        serde_json::from_str(self.text("json")).expect("canonical JSON")
    }
}

/// The vectors in the file of this name.
///
/// # Panics
/// When the file is missing or broken.
pub fn load(name: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let Ok(Json::Array(cases)) = serde_json::from_str(&text) else { panic!("{name} is no list") };
    cases.into_iter().map(Case).collect()
}
