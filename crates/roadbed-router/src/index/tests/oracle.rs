//! Random patterns, compared with a list that is searched from end to end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Operation {
    Insert(String, MatchPolicy),
    /// Removes the pattern at this place of the model.
    Remove(usize),
    RemoveAny(String, MatchPolicy),
    Find(String),
}

fn component() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(""), 4 => Just("a"), 2 => Just("b"), 1 => Just("ab"), 1 => Just("ba"), 1 => Just("é")]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(component(), 1..6).prop_map(|components| components.join("."))
}

/// As a topic is: without empty components.
fn topic() -> impl Strategy<Value = String> {
    text().prop_map(|text| {
        let components = text.split('.').map(|component| if component.is_empty() { "a" } else { component });
        components.collect::<Vec<_>>().join(".")
    })
}

fn policy() -> impl Strategy<Value = MatchPolicy> {
    prop_oneof![Just(E), Just(P), Just(W)]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (text(), policy()).prop_map(|(text, policy)| Operation::Insert(text, policy)),
        2 => any::<usize>().prop_map(Operation::Remove),
        1 => (text(), policy()).prop_map(|(text, policy)| Operation::RemoveAny(text, policy)),
        4 => topic().prop_map(Operation::Find),
        1 => text().prop_map(Operation::Find),
    ]
}

/// How many components stand before each wildcard.
fn portions(pattern: &str) -> Vec<usize> {
    let mut portions = vec![0];
    for component in pattern.split('.') {
        match component {
            "" => portions.push(0),
            _ => *portions.last_mut().unwrap() += 1,
        }
    }
    portions
}

/// All matches in the order in which the specification prefers them.
fn expected(model: &BTreeMap<(String, MatchPolicy), usize>, topic: &str) -> Vec<usize> {
    let mut found: Vec<_> =
        model.iter().filter(|((text, policy), _)| uri(text).matches(*policy, &uri(topic))).collect();
    found.sort_by_key(|((text, policy), _)| {
        let preference = match policy {
            E | P => vec![text.len()],
            W => portions(text),
        };
        (*policy, std::cmp::Reverse(preference))
    });
    found.into_iter().map(|(_, &key)| key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn an_index_finds_what_a_search_through_a_list_finds(
        operations in prop::collection::vec(operation(), 0..120),
    ) {
        let (mut index, mut model, mut last) = (index(), BTreeMap::new(), 0);
        for operation in operations {
            match operation {
                Operation::Insert(text, policy) => {
                    last += 1;
                    let replaced = index.insert(&uri(&text), policy, last);
                    prop_assert_eq!(replaced, model.insert((text, policy), last));
                }
                Operation::Remove(at) => {
                    let entry = model.keys().nth(at % model.len().max(1)).cloned();
                    if let Some((text, policy)) = entry {
                        prop_assert_eq!(index.get(&uri(&text), policy), model.get(&(text.clone(), policy)).copied());
                        prop_assert_eq!(index.remove(&uri(&text), policy), model.remove(&(text, policy)));
                    }
                }
                Operation::RemoveAny(text, policy) => {
                    prop_assert_eq!(index.remove(&uri(&text), policy), model.remove(&(text, policy)));
                }
                Operation::Find(topic) => {
                    let expected = expected(&model, &topic);
                    prop_assert_eq!(index.best(&uri(&topic)), expected.first().copied());
                    prop_assert_eq!(all(&index, &topic), expected);
                }
            }
            prop_assert_eq!(index.len(), model.len());
            // Every node but the root has a key or several children.
            let prefixes = model.keys().filter(|(_, policy)| *policy == P).count();
            prop_assert!(index.prefixes.nodes() <= 2 * prefixes.max(1));
        }
        for ((text, policy), key) in model {
            prop_assert_eq!(index.remove(&uri(&text), policy), Some(key));
        }
        prop_assert_eq!((index.len(), index.prefixes.nodes()), (0, 0));
        prop_assert!(index.wildcards.is_blank());
    }
}
