//! What a search costs does not depend on how many patterns there are.

use super::*;

/// The bytes of a number that are spread evenly, as letters.
fn word(number: usize) -> String {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..8).map(|place| char::from(b'a' + u8::try_from(mixed >> (place * 8) & 15).unwrap())).collect()
}

/// The same few matches for `com.shop.order.paid.eu`, among so many prefixes and wildcards that match nothing
/// of interest: some near the URI, some far from it, of every mask with two wildcards among five.
fn crowd(count: usize) -> Index {
    let mut index = index();
    let matches = [
        ("com.shop.order.paid.eu", E),
        ("com.", P),
        ("com.shop.order", P),
        ("com.shop.order.paid.eu", P),
        ("com..order.paid.", W),
        (".shop.order..eu", W),
    ];
    for (number, (pattern, policy)) in matches.into_iter().enumerate() {
        index.insert(&uri(pattern), policy, number);
    }
    for number in 0..count {
        let word = word(number);
        let prefix = match number % 3 {
            0 => word.clone(),
            1 => format!("com.shop.{word}"),
            _ => format!("com.shop.order.paid.e{word}"),
        };
        index.insert(&uri(&prefix), P, number + 100);
        let (first, second) = (number % 5, (number % 5 + 1 + number / 5 % 4) % 5);
        let literal = ["com", "shop", "order", "paid", "eu"];
        let components: Vec<&str> = (0..5)
            .map(|place| match place {
                _ if place == first || place == second => "",
                _ if (place + number) % 3 == 0 || place == (first + 1) % 5 || place == (first + 2) % 5 => {
                    &word
                }
                _ => literal[place],
            })
            .collect();
        index.insert(&uri(&components.join(".")), W, number + 100);
    }
    index
}

#[test]
fn a_search_among_a_hundred_thousand_costs_what_one_among_a_thousand_does() {
    let (few, many) = (crowd(1_000), crowd(100_000));
    assert!(many.len() > 190_000, "{}", many.len());
    for topic in ["com.shop.order.paid.eu", "org.example.of.nothing.else", "com.shop.order.paid.xx", "com"] {
        let ((found, of_few), (also_found, of_many)) = (steps(&few, topic), steps(&many, topic));
        assert_eq!(found, also_found, "{topic}");
        let (of_few, of_many) = (of_few.total() as f64, of_many.total() as f64);
        assert!(of_many <= 1.3 * of_few, "{topic}: {of_few} among few, {of_many} among many");
    }
    assert_eq!(steps(&few, "com.shop.order.paid.eu").0.len(), 6);
}

#[test]
fn the_worst_that_the_bounds_admit_is_a_probe_for_each_mask_and_the_bytes_of_the_uri() {
    let limits = Limits::default();
    let mut index = index();
    // Every prefix of the URI, and patterns that differ from it in the last component only.
    let topic = format!("{}{}", "a.".repeat(31), "z".repeat(limits.uri_length - 62));
    for length in 0..=topic.len() {
        index.insert(&uri(&topic[..length]), P, length);
    }
    let mut taken = 0;
    for session in 0.. {
        for mask in 1_u32..1 << 12 {
            let component = |place: u32| if mask >> place & 1 == 1 { "" } else { "a" };
            let pattern = (0..31).map(component).collect::<Vec<_>>().join(".") + ".b";
            if index.check(&uri(&pattern), W, session, &limits).is_ok() {
                taken += usize::from(index.insert(&uri(&pattern), W, 9_999).is_none());
                index.hold(&uri(&pattern), W, session);
            }
        }
        if taken == limits.pattern_masks {
            break;
        }
    }
    let (found, steps) = steps(&index, &topic);
    assert_eq!(found.len(), topic.len() + 1);
    assert_eq!(steps.probes, limits.pattern_masks);
    assert!(steps.probes <= 128 && steps.bytes <= topic.len() && steps.nodes <= topic.len(), "{steps:?}");
    assert!(steps.comparisons <= 16, "{steps:?}");
    // A URI that leads nowhere costs no more.
    let (found, steps) = self::steps(&index, &topic.replace('z', "y"));
    assert!(found.len() == 63 && steps.probes <= 128 && steps.bytes <= topic.len(), "{steps:?}");
}

/// 1,024 patterns over literal and empty components that all lead along the URI and match nothing: what a trie
/// over components would have to follow one by one.
#[test]
fn patterns_that_all_but_match_cost_a_probe_for_each_mask() {
    let mut index = index();
    for mask in 0_u32..128 {
        for ending in 0..8 {
            let component = |place: u32| if mask >> place & 1 == 1 { "" } else { "a" };
            let pattern = (0..10).map(component).collect::<Vec<_>>().join(".") + &format!(".b{ending}");
            index.insert(&uri(&pattern), W, 0);
        }
    }
    assert_eq!(index.len(), 1_024);
    let (found, steps) = steps(&index, &["a"; 11].join("."));
    assert!(found.is_empty() && steps.probes == 128 && steps.comparisons <= 32, "{steps:?}");
}

#[test]
fn memory_comes_back_while_one_pattern_of_each_kind_stays() {
    let mut index = index();
    let patterns: Vec<Uri> =
        (0..100_000).map(|number| uri(&format!("{}..x{number}", word(number)))).collect();
    for (number, pattern) in patterns.iter().enumerate() {
        for policy in [E, P, W] {
            index.insert(pattern, policy, number);
        }
    }
    assert!(index.prefixes.capacity() > 100_000 && index.wildcards.capacity() >= 100_000);
    for (number, pattern) in patterns.iter().enumerate().filter(|(number, _)| *number != 50_000) {
        for policy in [E, P, W] {
            assert_eq!(index.remove(pattern, policy), Some(number));
        }
    }
    // The root and its child.
    assert_eq!((index.len(), index.prefixes.nodes()), (3, 2));
    let capacities = [index.prefixes.capacity(), index.wildcards.capacity(), index.exact.capacity()];
    assert!(capacities.into_iter().all(|capacity| capacity <= 2_048), "{capacities:?}");
    for policy in [E, P, W] {
        assert_eq!(index.remove(&patterns[50_000], policy), Some(50_000));
    }
    assert_eq!((index.len(), index.prefixes.capacity()), (0, 0));
}
