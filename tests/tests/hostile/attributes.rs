//! Every known key of options and details, with every value that it does not take.

use roadbed_core::id::RequestId;
use roadbed_core::message::MessageType;
use roadbed_core::serializer::Serializer;
use roadbed_tests::wire::{Wire, dict, list, text};

use super::send;
use Takes::*;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    Flag,
    Number,
    Id,
    Text,
    /// One of a few texts.
    Choice,
    Ids,
    Names,
    Forwarders,
    AnyDict,
    Roles,
}

const PASSTHRU: &[(&str, Takes)] = &[
    ("ppt_scheme", Text),
    ("ppt_serializer", Text),
    ("ppt_cipher", Text),
    ("ppt_keyid", Text),
    ("enc_algo", Choice),
    ("enc_key", Text),
    ("enc_serializer", Text),
];
const FORWARDED: &[(&str, Takes)] = &[("forward_for", Forwarders)];
const CALLEE: &[(&str, Takes)] = &[("callee", Id), ("callee_authid", Text), ("callee_authrole", Text)];

/// A message with one dict: its type, the elements before and behind the dict, whether a request of
/// this type is answered when an option is wrong, and the keys.
#[derive(Clone, Copy)]
struct Row {
    message: MessageType,
    before: &'static [i32],
    behind: &'static [&'static str],
    is_answered: bool,
    keys: &'static [&'static [(&'static str, Takes)]],
}

const fn row(
    message: MessageType,
    before: &'static [i32],
    behind: &'static [&'static str],
    keys: &'static [&'static [(&'static str, Takes)]],
) -> Row {
    Row { message, before, behind, is_answered: false, keys }
}

const fn answered(row: Row) -> Row {
    Row { is_answered: true, ..row }
}

const CLOSE: &[(&str, Takes)] = &[("message", Text), ("resumable", Flag)];

static TABLE: &[Row] = &[
    row(
        MessageType::Hello,
        &[],
        &[],
        &[&[
            ("roles", Roles),
            ("agent", Text),
            ("authid", Text),
            ("authrole", Text),
            ("authmethods", Names),
            ("authextra", AnyDict),
        ]],
    ),
    row(
        MessageType::Welcome,
        &[1],
        &[],
        &[&[
            ("realm", Text),
            ("roles", Roles),
            ("agent", Text),
            ("authid", Text),
            ("authrole", Text),
            ("authmethod", Text),
            ("authprovider", Text),
            ("authextra", AnyDict),
        ]],
    ),
    row(MessageType::Abort, &[], &["r"], &[CLOSE]),
    row(MessageType::Goodbye, &[], &["r"], &[CLOSE]),
    row(MessageType::Error, &[48, 7], &["e"], &[CALLEE, PASSTHRU, FORWARDED]),
    row(
        MessageType::Publish,
        &[7],
        &["t"],
        &[
            &[
                ("acknowledge", Flag),
                ("exclude_me", Flag),
                ("exclude", Ids),
                ("exclude_authid", Names),
                ("exclude_authrole", Names),
                ("eligible", Ids),
                ("eligible_authid", Names),
                ("eligible_authrole", Names),
                ("retain", Flag),
                ("disclose_me", Flag),
                ("rkey", Text),
                ("transaction_hash", Text),
            ],
            PASSTHRU,
            FORWARDED,
        ],
    ),
    answered(row(
        MessageType::Subscribe,
        &[7],
        &["t"],
        &[&[("match", Choice), ("get_retained", Flag), ("nkey", Text)], FORWARDED],
    )),
    answered(row(MessageType::Unsubscribe, &[7, 1], &[], &[FORWARDED])),
    row(MessageType::Unsubscribed, &[0], &[], &[&[("subscription", Id), ("reason", Text)]]),
    row(
        MessageType::Event,
        &[1, 2],
        &[],
        &[
            &[
                ("topic", Text),
                ("publisher", Id),
                ("publisher_authid", Text),
                ("publisher_authrole", Text),
                ("trustlevel", Number),
                ("retained", Flag),
                ("transaction_hash", Text),
                ("x_acknowledged_delivery", Flag),
            ],
            FORWARDED,
            PASSTHRU,
        ],
    ),
    answered(row(
        MessageType::Call,
        &[7],
        &["p"],
        &[
            &[
                ("timeout", Number),
                ("receive_progress", Flag),
                ("progress", Flag),
                ("disclose_me", Flag),
                ("runmode", Text),
                ("rkey", Text),
                ("transaction_hash", Text),
            ],
            PASSTHRU,
            FORWARDED,
        ],
    )),
    row(MessageType::Cancel, &[7], &[], &[&[("mode", Choice)], FORWARDED]),
    row(MessageType::CallResult, &[7], &[], &[&[("progress", Flag)], CALLEE, PASSTHRU, FORWARDED]),
    answered(row(
        MessageType::Register,
        &[7],
        &["p"],
        &[
            &[
                ("match", Choice),
                ("invoke", Choice),
                ("concurrency", Number),
                ("force_reregister", Flag),
                ("forward_timeout", Flag),
                ("disclose_caller", Flag),
                ("nkey", Text),
            ],
            FORWARDED,
        ],
    )),
    answered(row(MessageType::Unregister, &[7, 1], &[], &[FORWARDED])),
    row(MessageType::Unregistered, &[0], &[], &[&[("registration", Id), ("reason", Text)]]),
    answered(row(
        MessageType::Invocation,
        &[7, 1],
        &[],
        &[
            &[
                ("procedure", Text),
                ("timeout", Number),
                ("receive_progress", Flag),
                ("progress", Flag),
                ("caller", Id),
                ("caller_authid", Text),
                ("caller_authrole", Text),
                ("trustlevel", Number),
                ("transaction_hash", Text),
            ],
            PASSTHRU,
            FORWARDED,
        ],
    )),
    row(MessageType::Interrupt, &[7], &[], &[&[("mode", Choice), ("reason", Text)], FORWARDED]),
    row(MessageType::Yield, &[7], &[], &[&[("progress", Flag)], CALLEE, PASSTHRU, FORWARDED]),
];

impl Row {
    fn elements(&self, attributes: Wire) -> Wire {
        let mut elements = vec![Wire::from(self.message.code())];
        if self.message == MessageType::Hello {
            elements.push(text("realm1"));
        }
        elements.extend(self.before.iter().map(|id| Wire::from(*id)));
        elements.push(attributes);
        elements.extend(self.behind.iter().map(|uri| text(*uri)));
        list(elements)
    }
}

/// Values that do not fit. Null is not among them: it counts as absent.
fn misfits(takes: Takes) -> Vec<Wire> {
    let id_misfits = || [Wire::from(0), Wire::from((1_u64 << 53) + 1), Wire::from(u64::MAX)];
    let mut values = vec![Wire::Float(1.0), Wire::Float(1.5), Wire::Int(-1), Wire::Binary(vec![0xff, 0xfe])];
    if takes != Flag {
        values.extend([Wire::Bool(true), Wire::Bool(false)]);
    }
    if !matches!(takes, Number | Id) {
        values.extend([Wire::from(0), Wire::from(1), Wire::from(u64::MAX)]);
    }
    if takes != Text {
        values.extend([text(""), text("true"), text("1"), text("Exact ")]);
    }
    if !matches!(takes, Ids | Names | Forwarders) {
        values.extend([list([]), list([Wire::from(1)]), list([text("exact")])]);
    }
    if !matches!(takes, AnyDict | Roles) {
        values.extend([dict([]), dict([("exact", Wire::Bool(true))])]);
    }
    match takes {
        Id => values.extend(id_misfits()),
        Ids => {
            let items = [text("1"), Wire::Null, Wire::Float(1.0), Wire::Int(-1), Wire::Bool(true), list([])];
            let items = items.into_iter().chain(id_misfits());
            values.extend(items.map(|item| list([Wire::from(1), item, Wire::from(2)])));
        }
        Names => {
            let items = [Wire::from(1), Wire::Null, Wire::Float(1.0), Wire::Bool(true), list([]), dict([])];
            values.extend(items.map(|item| list([text("a"), item, text("b")])));
        }
        Forwarders => values.extend(forwarder_misfits()),
        Roles => values.extend([
            dict([("caller", Wire::Bool(true))]),
            dict([("caller", list([]))]),
            dict([("caller", dict([("features", list([]))]))]),
            dict([("caller", dict([("features", dict([("call_timeout", Wire::from(1))]))]))]),
        ]),
        _ => {}
    }
    values
}

fn forwarder_misfits() -> Vec<Wire> {
    let good = || dict([("session", Wire::from(1)), ("authid", text("a"))]);
    let mut values = vec![list([Wire::from(1)]), list([good(), Wire::from(1)]), list([good(), Wire::Null])];
    for (key, takes) in [("session", Id), ("authid", Text), ("authrole", Text)] {
        values.extend(misfits(takes).into_iter().map(|value| list([good(), dict([(key, value)])])));
    }
    values
}

#[test]
fn every_key_refuses_what_it_does_not_take() {
    let mut count = 0;
    for row in TABLE {
        for (key, takes) in row.keys.iter().copied().flatten() {
            for value in misfits(*takes) {
                for serializer in Serializer::ALL {
                    let elements = row.elements(dict([("x_before", Wire::from(1)), (key, value.clone())]));
                    let place = format!("{} {key} {value:?} {serializer}", row.message);
                    let error = send(serializer, &elements).expect_err(&place);
                    let shown = error.to_string();
                    assert_eq!(error.message(), Some(row.message), "{place}: {shown}");
                    assert_eq!(error.key(), Some(*key), "{place}: {shown}");
                    assert!(shown.contains(&format!("s.{key} at byte ")), "{place}: {shown}");
                    assert!(error.offset().is_some(), "{place}: {shown}");
                    assert_eq!(error.is_answered(), row.is_answered, "{place}: {shown}");
                    let request = error.request().map(RequestId::get);
                    // What is about one request costs no more than that, answered or not.
                    let is_about_one = row.is_answered
                        || matches!(
                            row.message,
                            MessageType::Publish
                                | MessageType::Error
                                | MessageType::CallResult
                                | MessageType::Yield
                                | MessageType::Cancel
                                | MessageType::Interrupt
                        );
                    assert_eq!(request, is_about_one.then_some(7), "{place}: {shown}");
                    count += 1;
                }
            }
        }
    }
    println!("{count} wrong values");
    assert!(count > 5_000, "{count}");
}

#[test]
fn null_counts_as_absent() {
    for row in TABLE {
        for (key, _) in row.keys.iter().copied().flatten() {
            for serializer in Serializer::ALL {
                let with_null = send(serializer, &row.elements(dict([(key, Wire::Null)]))).unwrap();
                let without = send(serializer, &row.elements(dict([]))).unwrap();
                assert_eq!(with_null, without, "{} {key} {serializer}", row.message);
            }
        }
    }
}

#[test]
fn every_key_may_stand_only_once() {
    for row in TABLE {
        for (key, takes) in row.keys.iter().copied().flatten() {
            let value = || match takes {
                Flag => Wire::Bool(true),
                Number | Id => Wire::from(1),
                Text => text("a"),
                Choice if *key == "mode" => text("kill"),
                Choice if *key == "enc_algo" => text("mqtt"),
                Choice if *key == "invoke" => text("first"),
                Choice => text("exact"),
                Ids | Names | Forwarders => list([]),
                AnyDict | Roles => dict([]),
            };
            for serializer in Serializer::ALL {
                let place = format!("{} {key} {serializer}", row.message);
                send(serializer, &row.elements(dict([(key, value())]))).expect(&place);
                let twice = row.elements(dict([(key, value()), ("x", Wire::Null), (key, value())]));
                let error = send(serializer, &twice).expect_err(&place).to_string();
                assert!(error.contains(key) && error.ends_with("the key stands twice"), "{place}: {error}");
            }
        }
    }
}

#[test]
fn a_wrong_option_of_a_publication_is_answered_only_when_that_was_asked_for() {
    for (acknowledge, answered) in [(Wire::Bool(true), true), (Wire::Bool(false), false), (Wire::Null, false)]
    {
        for serializer in Serializer::ALL {
            for wrong_first in [true, false] {
                let mut entries = [("acknowledge", acknowledge.clone()), ("retain", Wire::from(1))];
                if wrong_first {
                    entries.reverse();
                }
                let elements = list([Wire::from(16), Wire::from(7), dict(entries), text("t")]);
                let error = send(serializer, &elements).unwrap_err();
                assert_eq!(error.is_answered(), answered, "{serializer}: {error}");
                assert_eq!(error.request().map(RequestId::get), Some(7), "{serializer}: {error}");
            }
        }
    }
}
