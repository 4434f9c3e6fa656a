//! Tests that need what this project does not bring: foreign peers, a browser, the official vectors.
//!
//! Where it is missing they are ignored, visibly and with the reason; with `CI=true` they fail. The stage `test` of
//! `cargo xtask test` leaves those out that are stages of their own.

use std::env;

use libtest_mimic::Trial;

/// Names the targets that are not meant when all tests run, separated by commas.
const OWN_STAGES: &str = "ROADBED_OWN_STAGES";

/// A test of the target `target` that runs with what it needs, where that is here.
pub fn trial<T: Send + 'static>(
    target: &str,
    name: &str,
    needed: Result<T, String>,
    run: impl FnOnce(T) + Send + 'static,
) -> Trial {
    let own_stages = env::var(OWN_STAGES).unwrap_or_default();
    let is_ci = env::var("CI").is_ok_and(|value| value == "true");
    match absence(needed, own_stages.split(',').any(|stage| stage == target), is_ci) {
        Absence::None(found) => Trial::test(name, move || {
            run(found);
            Ok(())
        }),
        Absence::Ignored(why) => {
            eprintln!("{target}::{name} is ignored: {why}");
            // Asked for all the same, by --ignored, it fails.
            Trial::test(name, move || Err(why.into())).with_ignored_flag(true)
        }
        Absence::Failed(why) => Trial::test(name, move || Err(why.into())),
    }
}

/// What becomes of a test.
#[derive(Debug, PartialEq)]
enum Absence<T> {
    None(T),
    Ignored(String),
    Failed(String),
}

fn absence<T>(needed: Result<T, String>, is_own_stage: bool, is_ci: bool) -> Absence<T> {
    match needed {
        Ok(found) => Absence::None(found),
        Err(why) if is_own_stage => Absence::Ignored(format!("a stage of its own ({why})")),
        Err(why) if is_ci => Absence::Failed(format!("cannot run, and CI=true: {why}")),
        Err(why) => Absence::Ignored(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_ignored_and_fails_in_ci() {
        let missing = || Err::<(), _>("no vectors".to_owned());
        assert_eq!(absence(Ok(1), true, true), Absence::None(1));
        assert_eq!(absence(missing(), false, false), Absence::Ignored("no vectors".to_owned()));
        let failed = "cannot run, and CI=true: no vectors".to_owned();
        assert_eq!(absence(missing(), false, true), Absence::Failed(failed));
        let own = "a stage of its own (no vectors)".to_owned();
        assert_eq!(absence(missing(), true, true), Absence::Ignored(own));
    }
}
