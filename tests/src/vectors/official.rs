//! The official test vectors of WAMP, read from a folder that is not part of this project.
//!
//! The folder is named by `WAMP_TESTSUITE`; without it, `shared/wamp-testsuite` beside the folder of
//! the workspace is tried. [`outside`](crate::outside) says what becomes of tests where there is none.

use std::path::{Path, PathBuf};
use std::{env, fs};

use bytes::Bytes;
use roadbed_core::message::MessageType;
use roadbed_core::serializer::Serializer;
use serde_json::{Map, Value as Json};

use super::hex;
use crate::wire::base64;

/// Every vector of the folder.
#[derive(Debug, Default)]
pub struct Suite {
    /// Files of single messages.
    pub files: usize,
    /// Messages and their encodings.
    pub samples: Vec<Sample>,
    /// Messages that must be accepted or refused.
    pub validations: Vec<Validation>,
}

/// A message and its encodings.
#[derive(Debug)]
pub struct Sample {
    /// File and position.
    pub name: String,
    /// The encodings in each serializer built in; the compact one comes last.
    pub variants: Vec<(Serializer, Vec<Bytes>)>,
    /// The elements of the message.
    pub elements: Json,
}

impl Sample {
    /// The compact encoding in `serializer`.
    ///
    /// # Panics
    /// When the file has none.
    pub fn compact(&self, serializer: Serializer) -> &Bytes {
        let variants = self.variants.iter().find(|(of, _)| *of == serializer);
        variants.and_then(|(_, variants)| variants.last()).expect("an encoding in every serializer")
    }
}

/// A message that must be accepted or refused.
#[derive(Debug)]
pub struct Validation {
    /// File and position.
    pub name: String,
    /// The elements of the message.
    pub elements: Json,
    /// What the text of the violation must contain; `None` when the message is valid.
    pub error: Option<String>,
}

/// The folder, or where it would have to be.
///
/// # Errors
/// When it is not there.
pub fn folder() -> Result<PathBuf, String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wamp-testsuite");
    let folder = env::var_os("WAMP_TESTSUITE").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(format!("the official test vectors are not at {}; set WAMP_TESTSUITE", folder.display()))
}

/// Reads every file of single messages in the folder.
///
/// # Panics
/// When a file is not as documented.
pub fn load(folder: &Path) -> Suite {
    let mut suite = Suite::default();
    for part in ["basic", "advanced"] {
        for path in json_files(&folder.join("singlemessage").join(part)) {
            suite.files += 1;
            let file = read(&path);
            for (index, sample) in list(&file["samples"]).iter().enumerate() {
                let name = format!("{part}/{}#{index}", path.file_stem().unwrap_or_default().display());
                if sample.get("serializers").is_some() {
                    suite.samples.push(serialization(name, sample));
                } else {
                    suite.validations.push(validation(name, sample));
                }
            }
        }
    }
    suite
}

/// The JSON files of a folder, by name.
pub(super) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    files
}

pub(super) fn read(path: &Path) -> Json {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn list(json: &Json) -> &[Json] {
    json.as_array().expect("a list")
}

fn serialization(name: String, sample: &Json) -> Sample {
    let variants = Serializer::ALL.map(|serializer| {
        let variants = list(&sample["serializers"][serializer.id()]).iter().map(|variant| {
            let bytes = hex(variant["bytes_hex"].as_str().expect("bytes_hex"));
            if let Some(text) = variant["bytes"].as_str() {
                assert_eq!(text.as_bytes(), bytes, "{name}: bytes and bytes_hex differ");
            }
            Bytes::from(bytes)
        });
        (serializer, variants.collect())
    });
    let attributes = sample["expected_attributes"].as_object().expect("expected_attributes");
    let code = attributes["message_type"].as_u64().expect("a message type");
    let message_type = MessageType::from_code(code).expect("a known message type");
    Sample { name, variants: variants.into(), elements: elements(message_type, attributes) }
}

fn validation(name: String, sample: &Json) -> Validation {
    let error = sample.get("expected_error").map(|error| {
        assert_eq!(error["type"], "protocol_violation", "{name}");
        error["contains"].as_str().expect("what the error contains").to_owned()
    });
    Validation { name, elements: sample["wmsg"].clone(), error }
}

/// The elements behind the type, as the attributes are named. A name behind a bar is another one for
/// the same element.
const fn attribute_names(message_type: MessageType) -> &'static [&'static str] {
    match message_type {
        MessageType::Hello => &["realm", "roles"],
        MessageType::Welcome => &["session_id", "roles"],
        MessageType::Abort | MessageType::Goodbye => &["details", "reason"],
        MessageType::Challenge => &["method", "extra"],
        MessageType::Authenticate => &["signature", "extra"],
        MessageType::Error => &["request_type", "request_id", "details", "error"],
        MessageType::Publish | MessageType::Subscribe => &["request_id", "options", "topic"],
        MessageType::Published => &["request_id", "publication_id"],
        MessageType::Subscribed | MessageType::Unsubscribe => &["request_id", "subscription_id"],
        MessageType::Event => &["subscription|subscription_id", "publication|publication_id", "details"],
        MessageType::Call | MessageType::Register => &["request_id", "options", "procedure"],
        MessageType::Cancel | MessageType::Interrupt | MessageType::Yield => &["request_id", "options"],
        MessageType::CallResult => &["request_id", "details"],
        MessageType::Registered | MessageType::Unregister => &["request_id", "registration_id"],
        MessageType::Invocation => &["request_id", "registration_id", "details"],
        MessageType::EventReceived => &["publication_id"],
        // UNSUBSCRIBED, UNREGISTERED
        _ => &["request_id"],
    }
}

/// The elements of a message whose attributes are given by name.
///
/// # Panics
/// When an attribute is missing or left over.
pub(super) fn elements(message_type: MessageType, attributes: &Map<String, Json>) -> Json {
    let mut elements = vec![Json::from(message_type.code())];
    let mut used = vec!["message_type", "type", "args", "kwargs", "payload"];
    for names in attribute_names(message_type) {
        let name = names.split('|').find(|name| attributes.contains_key(*name));
        let name = name.unwrap_or_else(|| panic!("{message_type}: {names} is missing"));
        used.push(name);
        let value = attributes[name].clone();
        elements.push(if name == "roles" { Json::from_iter([("roles", value)]) } else { value });
    }
    if let Some(name) = attributes.keys().find(|key| !used.contains(&key.as_str())) {
        panic!("{message_type}: what is {name}?");
    }
    let given = |name| attributes.get(name).filter(|value: &&Json| !value.is_null());
    if let Some(payload) = given("payload") {
        let bytes = hex(payload.as_str().expect("hex"));
        elements.push(Json::String(format!("\0{}", base64(&bytes))));
    }
    match (given("args"), given("kwargs")) {
        (args, Some(kwargs)) => {
            elements.push(args.cloned().unwrap_or_else(|| Json::Array(Vec::new())));
            elements.push(kwargs.clone());
        }
        (args, None) => elements.extend(args.cloned()),
    }
    Json::Array(elements)
}
