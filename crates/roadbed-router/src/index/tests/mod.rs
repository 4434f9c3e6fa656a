mod costs;
mod limits;
mod oracle;

use super::steps::Steps;
use super::*;

/// An index of numbers, whose patterns are held by numbered sessions.
type Index = UriIndex<usize, u32>;

fn index() -> Index {
    UriIndex::new(Keyed { keys: (7, 11) })
}

fn uri(text: &str) -> Uri {
    Uri::from_wire(text.into())
}

fn all(index: &Index, text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    index.all(&uri(text), &mut |key| found.push(key));
    found
}

fn steps(index: &Index, text: &str) -> (Vec<usize>, Steps) {
    let (mut found, mut steps) = (Vec::new(), Steps::default());
    let _: ControlFlow<()> = index.walk(&uri(text), &mut steps, &mut |key| {
        found.push(key);
        ControlFlow::Continue(())
    });
    (found, steps)
}

use MatchPolicy::{Exact as E, Prefix as P, Wildcard as W};

/// "Calls matching multiple registrations", with its registrations and calls.
#[test]
fn the_specifications_example_of_best_matches() {
    let registered = [
        ("a1.b2.c3.d4.e55", E),
        ("a1.b2.c3", P),
        ("a1.b2.c3.d4", P),
        ("a1.b2..d4.e5", W),
        ("a1.b2.c33..e5", W),
        ("a1.b2..d4.e5..g7", W),
        ("a1.b2..d4..f6.g7", W),
    ];
    let calls = [
        ("a1.b2.c3.d4.e55", Some(1)),
        ("a1.b2.c3.d98.e74", Some(2)),
        ("a1.b2.c3.d4.e325", Some(3)),
        ("a1.b2.c55.d4.e5", Some(4)),
        // The example says 5, as if prefixes ended with a component. They are texts, says the section about them:
        // `com.myapp.myobject1` is a prefix of `com.myapp.myobject1-mysubobject1`. See below.
        ("a1.b2.c33.d4.e5", Some(2)),
        ("a1.b2.c88.d4.e5.f6.g7", Some(6)),
        ("a2.b2.c2.d2.e2", None),
        // From the rules above the example.
        ("a1.b2.c3", Some(2)),
    ];
    let mut forwards = index();
    let mut backwards = index();
    for (number, (pattern, policy)) in (1..).zip(registered) {
        forwards.insert(&uri(pattern), policy, number);
    }
    for (number, (pattern, policy)) in (1..).zip(registered).collect::<Vec<_>>().into_iter().rev() {
        backwards.insert(&uri(pattern), policy, number);
    }
    for (call, expected) in calls {
        assert_eq!((forwards.best(&uri(call)), backwards.best(&uri(call))), (expected, expected), "{call}");
    }
    assert_eq!(all(&forwards, "a1.b2.c3.d4.e55"), [1, 3, 2]);
    assert_eq!(all(&forwards, "a1.b2.c33.d4.e5"), [2, 5, 4]);
    // Where the prefix is not in the way, it is as the example says.
    forwards.remove(&uri("a1.b2.c3"), P);
    assert_eq!(forwards.best(&uri("a1.b2.c33.d4.e5")), Some(5));
}

#[test]
fn the_specifications_examples_of_each_policy() {
    let cases = [
        ("com.myapp.myobject1", P, "com.myapp.myobject1.myprocedure1", true),
        ("com.myapp.myobject1", P, "com.myapp.myobject1-mysubobject1", true),
        ("com.myapp.myobject1", P, "com.myapp.myobject1.mysubobject1.myprocedure1", true),
        ("com.myapp.myobject1", P, "com.myapp.myobject1", true),
        ("com.myapp.myobject1", P, "com.myapp.myobject2", false),
        ("com.myapp.myobject1", P, "com.myapp.myobject", false),
        ("com.myapp.topic.emergency", P, "com.myapp.topic.emergency.11", true),
        ("com.myapp.topic.emergency", P, "com.myapp.topic.emergency-low", true),
        ("com.myapp.topic.emergency", P, "com.myapp.topic.emerge", false),
        ("com.myapp..myprocedure1", W, "com.myapp.myobject1.myprocedure1", true),
        ("com.myapp..myprocedure1", W, "com.myapp.myobject2.myprocedure1", true),
        ("com.myapp..myprocedure1", W, "com.myapp.myobject1.myprocedure1.mysubprocedure1", false),
        ("com.myapp..myprocedure1", W, "com.myapp.myobject1.myprocedure2", false),
        ("com.myapp..myprocedure1", W, "com.myapp2.myobject1.myprocedure1", false),
        ("com.myapp..userevent", W, "com.myapp.a12.userevent", true),
        ("com.myapp..userevent", W, "com.myapp.foo.user", false),
    ];
    for (pattern, policy, name, is_match) in cases {
        let mut index = index();
        index.insert(&uri(pattern), policy, 1);
        assert_eq!(index.best(&uri(name)).is_some(), is_match, "{pattern} {name}");
        assert_eq!(all(&index, name).len(), usize::from(is_match));
    }
}

#[test]
fn the_same_text_under_three_policies_is_three_entries() {
    let mut index = index();
    for (number, policy) in [E, P, W].into_iter().enumerate() {
        assert_eq!(index.insert(&uri("a.b"), policy, number), None);
        assert_eq!(index.insert(&uri("a.b"), policy, number), Some(number));
    }
    assert_eq!((index.len(), all(&index, "a.b")), (3, vec![0, 1, 2]));
    assert_eq!(index.remove(&uri("a.b"), E), Some(0));
    assert_eq!((index.best(&uri("a.b")), index.get(&uri("a.b"), W)), (Some(1), Some(2)));
    assert_eq!(index.remove(&uri("a.b"), E), None);
}

#[test]
fn patterns_at_the_edges() {
    let mut index = index();
    index.insert(&uri(""), P, 1);
    index.insert(&uri(""), W, 2);
    index.insert(&uri("."), W, 3);
    assert_eq!(all(&index, "a"), [1, 2]);
    assert_eq!(all(&index, "a.b"), [1, 3]);
    assert_eq!(all(&index, "a.b.c"), [1]);
    // More components than a pattern can have: the wildcards are skipped, and nothing else.
    let long = vec!["a"; 300].join(".");
    index.insert(&uri(&long), E, 4);
    assert_eq!(all(&index, &long), [4, 1]);
    assert_eq!((index.insert(&uri(&long), W, 5), index.get(&uri(&long), W)), (None, None));
    let widest = vec!["a"; 32].join(".");
    index.insert(&uri(&widest.replacen('a', "", 1)), W, 6);
    assert_eq!(all(&index, &widest), [1, 6]);
}
