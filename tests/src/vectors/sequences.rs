//! The official vectors that are conversations between clients and a router.
//!
//! A runner sends each step that comes from a session and awaits each that comes from the router. The
//! ids in the files are examples: request ids are mapped to the runner's own, sequential ones, and ids
//! that the router assigns are bound where they first appear.

use std::path::Path;

use roadbed_core::message::MessageType;
use serde_json::Value as Json;

use super::official::{elements, json_files, list, read};

/// One conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// What it shows.
    pub description: String,
    /// The sessions that take part.
    pub sessions: Vec<Party>,
    /// What is said, in order.
    pub steps: Vec<Step>,
    /// How many EVENTs are sent in all.
    pub event_count: usize,
    /// The sessions that receive them.
    pub event_recipients: Vec<String>,
}

/// A session that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its name in the steps.
    pub name: String,
    /// The realm it joins.
    pub realm: String,
    /// The names of the roles it announces.
    pub roles: Vec<String>,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The session it concerns.
    pub session: String,
    /// Whether the router sends it.
    pub from_router: bool,
    /// Its type.
    pub message_type: MessageType,
    /// Its elements, with the ids of the file.
    pub elements: Json,
}

/// Reads the conversations in the folder of the official vectors.
///
/// # Panics
/// When a file is not as documented.
pub fn sequences(folder: &Path) -> Vec<Sequence> {
    json_files(&folder.join("multisession/advanced")).iter().map(|path| sequence(&read(path))).collect()
}

fn sequence(file: &Json) -> Sequence {
    let outcome = &file["expected_outcome"];
    Sequence {
        description: text(&file["description"]),
        sessions: list(&file["sessions"])
            .iter()
            .map(|party| Party {
                name: text(&party["session_id"]),
                realm: text(&party["realm"]),
                roles: list(&party["roles"]).iter().map(text).collect(),
            })
            .collect(),
        steps: list(&file["sequence"]).iter().map(step).collect(),
        event_count: outcome["event_count"].as_u64().expect("event_count") as usize,
        event_recipients: list(&outcome["event_recipients"]).iter().map(text).collect(),
    }
}

fn step(step: &Json) -> Step {
    let from_router = step["from"] == "router";
    let message = step["message"].as_object().expect("a message");
    let name = text(&message["type"]);
    let message_type = MessageType::ALL.iter().copied().find(|message_type| message_type.name() == name);
    let message_type = message_type.unwrap_or_else(|| panic!("there is no message {name}"));
    Step {
        session: text(&step[if from_router { "to" } else { "from" }]),
        from_router,
        message_type,
        elements: elements(message_type, message),
    }
}

fn text(json: &Json) -> String {
    json.as_str().expect("text").to_owned()
}
