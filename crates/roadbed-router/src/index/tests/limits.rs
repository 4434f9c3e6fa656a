//! What a pattern may be, and who may add how many.

use super::*;

fn limits() -> Limits {
    Limits::default()
}

/// The pattern of `components` components whose wildcards are the bits of `mask`.
fn pattern(components: u32, mask: u32) -> Uri {
    let component = |place: u32| if place < 32 && mask >> place & 1 == 1 { "" } else { "x" };
    uri(&(0..components).map(component).collect::<Vec<_>>().join("."))
}

/// Takes a pattern in for a session, as a broker does.
fn add(index: &mut Index, pattern: &Uri, session: u32) -> Result<(), OverBound> {
    index.check(pattern, W, session, &limits())?;
    if index.get(pattern, W).is_none() {
        index.insert(pattern, W, 0);
    }
    index.hold(pattern, W, session);
    Ok(())
}

/// Takes a pattern of a session out; `is_last` when no other holds it.
fn take_out(index: &mut Index, pattern: &Uri, session: u32, is_last: bool) {
    index.release(pattern, W, session);
    if is_last {
        assert!(index.remove(pattern, W).is_some());
    }
}

#[test]
fn components_and_wildcards_are_bounded() {
    let index = index();
    let check = |pattern: &Uri| index.check(pattern, W, 1, &limits());
    assert_eq!(check(&pattern(32, 0xff)), Ok(()));
    assert_eq!(check(&pattern(33, 1)), Err(OverBound::Components { found: 33, limit: 32 }));
    assert_eq!(check(&pattern(32, 0x1ff)), Err(OverBound::Wildcards { found: 9, limit: 8 }));
    assert_eq!(index.check(&uri(&".".repeat(500)), P, 1, &limits()), Ok(()));
    let few = limits().pattern_components(2).pattern_wildcards(1);
    let error = index.check(&uri("a..c"), W, 1, &few).unwrap_err();
    assert_eq!(error.to_string(), "the pattern has 3 components, the limit pattern_components is 2");
    let error = index.check(&uri("."), W, 1, &few).unwrap_err();
    assert_eq!(error.to_string(), "the pattern has 2 wildcards, the limit pattern_wildcards is 1");
}

#[test]
fn one_session_keeps_sixteen_masks_in_use_alone() {
    let mut index = index();
    for mask in 1..=16 {
        add(&mut index, &pattern(10, mask), 1).unwrap();
    }
    let over = OverBound::MasksAlone { components: 10, found: 16, limit: 16 };
    assert_eq!(add(&mut index, &pattern(10, 17), 1), Err(over));
    // Other patterns of a mask that is in use, and other numbers of components, are free.
    add(&mut index, &uri(&pattern(10, 1).as_str().replace('x', "y")), 1).unwrap();
    add(&mut index, &pattern(11, 17), 1).unwrap();
    // So are other sessions; and a mask that two hold counts for neither.
    add(&mut index, &pattern(10, 17), 2).unwrap();
    add(&mut index, &pattern(10, 17), 1).unwrap();
    assert_eq!(add(&mut index, &pattern(10, 18), 1), Err(over));
    add(&mut index, &pattern(10, 16), 2).unwrap();
    add(&mut index, &pattern(10, 18), 1).unwrap();
    assert_eq!(add(&mut index, &pattern(10, 19), 1), Err(over));
    // One that goes makes room for another.
    take_out(&mut index, &pattern(10, 18), 1, true);
    add(&mut index, &pattern(10, 19), 1).unwrap();
    // The other leaves: what both held counts for the one that stays, who keeps it.
    take_out(&mut index, &pattern(10, 16), 2, false);
    let over = OverBound::MasksAlone { components: 10, found: 17, limit: 16 };
    assert_eq!(add(&mut index, &pattern(10, 20), 1), Err(over));
    assert_eq!(
        over.to_string(),
        "your patterns of 10 components have their wildcards in 17 places where no one else has them, the limit \
         pattern_masks_alone is 16"
    );
}

#[test]
fn a_realm_has_a_hundred_and_twenty_eight_masks_for_each_number_of_components() {
    let mut index = index();
    for mask in 1..=128 {
        add(&mut index, &pattern(10, mask), mask / 8).unwrap();
    }
    let over = OverBound::Masks { components: 10, found: 128, limit: 128 };
    assert_eq!(add(&mut index, &pattern(10, 129), 99), Err(over));
    assert_eq!(
        over.to_string(),
        "patterns of 10 components have their wildcards in 128 different places, the limit pattern_masks is 128"
    );
    add(&mut index, &pattern(9, 129), 99).unwrap();
    take_out(&mut index, &pattern(10, 3), 0, true);
    add(&mut index, &pattern(10, 129), 99).unwrap();
}

#[test]
fn nothing_is_left_when_everything_went() {
    let mut index = index();
    for session in 0..4 {
        for mask in 1..8 {
            add(&mut index, &pattern(5, mask), session).unwrap();
        }
    }
    for session in 0..4 {
        for mask in 1..8 {
            take_out(&mut index, &pattern(5, mask), session, session == 3);
        }
    }
    // Once too often does no harm.
    index.release(&pattern(5, 1), W, 1);
    assert!(index.wildcards.is_blank());
}
