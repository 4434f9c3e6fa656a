//! Which scenario ran where, and that it was the same everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Mutex;

use crate::way::Way;

const PLAIN: [Way; 5] = [Way::RawSocket, Way::WebSocket, Way::Unix, Way::WebSocketUnix, Way::Memory];
const WEBSOCKET: [Way; 3] = [Way::WebSocket, Way::SecureWebSocket, Way::WebSocketUnix];
const SHARED: &str = "to save time: TLS is the same under WebSocket, and RawSocket is the same without";
const UNSEEN: &str = "who refuses a serializer here is a relay, and cannot see which one is asked for";

/// What does not run everywhere: scenarios, whose names begin like this, ways, and why not.
const LEFT_OUT: &[(&str, &[Way], &str)] = &[
    ("joining::", &[Way::Memory], "nothing is connected, and no address looked up"),
    ("joining::listener_without_room", &Way::TCP, "TCP waits for room by itself"),
    ("joining::name_with_several_addresses", &Way::UNIX, "a path has no other addresses"),
    (
        "joining::refused_serializer_is_retried",
        &WEBSOCKET,
        "a WebSocket client asks for all of them at once, and the router chooses",
    ),
    (
        "joining::only_serializer_is_refused",
        &WEBSOCKET,
        "a WebSocket client asks for all of them at once, and the router chooses",
    ),
    ("joining::refused_serializer_is_retried", &[Way::SecureRawSocket], UNSEEN),
    ("joining::only_serializer_is_refused", &[Way::SecureRawSocket], UNSEEN),
    ("payloads::modest_receivers", &WEBSOCKET, "a WebSocket peer does not say how much it accepts"),
    ("procedures::", &[Way::SecureRawSocket], SHARED),
    ("events::", &[Way::SecureRawSocket], SHARED),
    ("load::", &[Way::SecureRawSocket], SHARED),
    ("refusing::", &[Way::Memory], "there is no network between the ends that could say no"),
    ("refusing::text_in_pieces", &Way::UNIX, "Unix sockets need no proxy"),
    ("refusing::ports_of_another_protocol", &PLAIN, "there is no TLS to ask for"),
    ("secure::", &PLAIN, "there is no TLS to fail"),
    ("secure::behind_a_proxy", &[Way::SecureRawSocket], "RawSocket knows no origins"),
    (
        "foreign::",
        &[Way::Memory, Way::Unix, Way::WebSocketUnix, Way::SecureRawSocket, Way::SecureWebSocket],
        "the peer is a script over TCP",
    ),
    ("faults::", &[Way::Memory], "there is no network between the ends that could fail"),
    ("forgotten::", &[Way::Memory], "there is no network between the ends that could swallow anything"),
    ("last_words::", &[Way::Memory], "there is no network between the ends that could fail"),
    ("serving::", &[Way::Memory], "there is no listener"),
    (
        "serving::silent_callee",
        &[Way::WebSocket, Way::SecureRawSocket, Way::SecureWebSocket],
        "the peer is a script over plain RawSocket",
    ),
    (
        "serving::half_a_message",
        &[Way::WebSocket, Way::SecureRawSocket, Way::SecureWebSocket],
        "the peer is a script over plain RawSocket",
    ),
    ("serving::", &Way::UNIX, "listeners and timers do not differ from those over TCP"),
];

/// Why a scenario does not run there; `None` when it does.
pub(crate) fn why_not(scenario: &str, way: Way) -> Option<&'static str> {
    let left_out =
        |(name, ways, _): &&(&str, &[Way], &str)| scenario.starts_with(name) && ways.contains(&way);
    LEFT_OUT.iter().find(left_out).map(|(_, _, why)| *why)
}

/// What was seen so far.
#[derive(Default)]
pub(crate) struct Table(Mutex<BTreeMap<&'static str, Row>>);

#[derive(Default)]
struct Row {
    /// What the first one has seen, and where.
    first: Option<(String, Vec<String>)>,
    ran: BTreeSet<(&'static str, Way)>,
}

impl Table {
    /// A scenario ran to its end.
    ///
    /// # Errors
    /// When it has seen something else than elsewhere.
    pub(crate) fn record(
        &self,
        scenario: &'static str,
        adapter: &'static str,
        way: Way,
        seen: &[String],
    ) -> Result<(), String> {
        if seen.is_empty() {
            return Err("it has seen nothing".to_owned());
        }
        let mut rows = self.0.lock().unwrap();
        let row = rows.entry(scenario).or_default();
        let (place, expected) =
            row.first.get_or_insert_with(|| (format!("{adapter} over {}", way.name()), seen.to_vec()));
        if expected != seen {
            return Err(format!("seen here:\n{seen:#?}\nseen on {place}:\n{expected:#?}"));
        }
        row.ran.insert((adapter, way));
        Ok(())
    }

    /// The table, for people.
    pub(crate) fn text(&self, adapters: &[&'static str]) -> String {
        let rows = self.0.lock().unwrap();
        let width = rows.keys().map(|name| name.len()).max().unwrap_or(0);
        let legend = Way::ALL.map(|way| format!("{} {}", way.letter(), way.name())).join(", ");
        let mut text = format!("the same events everywhere ({legend}):\n");
        let _ = write!(text, "{:width$}", "");
        for adapter in adapters {
            let _ = write!(text, "  {adapter:9}");
        }
        for (scenario, row) in rows.iter() {
            let _ = write!(text, "\n{scenario:width$}");
            for adapter in adapters {
                let mark = |way: Way| if row.ran.contains(&(*adapter, way)) { way.letter() } else { '-' };
                let _ = write!(text, "  {:9}", String::from_iter(Way::ALL.map(mark)));
            }
        }
        text.push_str("\n\nnot everywhere:\n");
        for (name, ways, why) in LEFT_OUT {
            let ways: Vec<&str> = ways.iter().map(|way| way.name()).collect();
            let _ = writeln!(text, "{name}  not over {}: {why}", ways.join(", "));
        }
        text
    }

    /// What should have run, and did not.
    pub(crate) fn missing(&self, scenarios: &[&'static str], adapters: &[&'static str]) -> Vec<String> {
        let rows = self.0.lock().unwrap();
        let mut missing = Vec::new();
        for scenario in scenarios {
            for (adapter, way) in adapters.iter().flat_map(|adapter| Way::ALL.map(|way| (*adapter, way))) {
                let has_run = rows.get(scenario).is_some_and(|row| row.ran.contains(&(adapter, way)));
                if !has_run && why_not(scenario, way).is_none() {
                    missing.push(format!("{scenario} on {adapter} over {}", way.name()));
                }
            }
        }
        let is_used = |name: &str| scenarios.iter().any(|scenario| scenario.starts_with(name));
        let unused = LEFT_OUT.iter().filter(|(name, ..)| !is_used(name));
        missing.extend(unused.map(|(name, ..)| format!("{name}, which is to be left out")));
        missing
    }
}
