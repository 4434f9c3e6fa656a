//! What the suite found, and what it was expected to find.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The verdict on a case that went as it should.
const OK: &str = "OK";

/// The name of a case, such as `7.1.6`; ordered by its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case(String);

impl Case {
    fn numbers(&self) -> Vec<u32> {
        self.0.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect()
    }
}

impl PartialOrd for Case {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Case {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(&other.numbers()).then_with(|| self.0.cmp(&other.0))
    }
}

/// The cases for which something else than OK is expected, and why.
pub(super) struct Expected(BTreeMap<(String, Case), String>);

impl Expected {
    /// Reads lines of `END CASE VERDICT REASON`, where END is `server`, `client` or `both`; `#` begins a comment.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.splitn(4, ' ');
            let (Some(end), Some(case), Some(verdict), Some(_)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(format!("an expected result wants END CASE VERDICT REASON, found {line:?}"));
            };
            let ends: &[&str] = match end {
                "both" => &["server", "client"],
                "server" => &["server"],
                "client" => &["client"],
                other => {
                    return Err(format!("expected results are of server, client or both, not {other:?}"));
                }
            };
            for end in ends {
                all.insert(((*end).to_owned(), Case(case.to_owned())), verdict.to_owned());
            }
        }
        Ok(Self(all))
    }

    fn verdict(&self, end: &str, case: &Case) -> &str {
        self.0.get(&(end.to_owned(), case.clone())).map_or(OK, String::as_str)
    }
}

/// The verdicts of one run.
pub(super) struct Verdicts(BTreeMap<Case, Verdict>);

struct Verdict {
    behaviour: String,
    /// How the connection was closed; judged apart.
    closing: String,
}

impl Verdicts {
    /// Reads the `index.json` of a report on one agent.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("index.json");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let index: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let agents = index.as_object().ok_or("no table of agents")?;
        let cases = agents.values().next().and_then(Value::as_object).ok_or("no agent was tested")?;
        let word = |case: &Value, key: &str| {
            case.get(key).and_then(Value::as_str).map(str::to_owned).ok_or(format!("a case without {key}"))
        };
        let mut all = BTreeMap::new();
        for (name, case) in cases {
            let verdict =
                Verdict { behaviour: word(case, "behavior")?, closing: word(case, "behaviorClose")? };
            all.insert(Case(name.clone()), verdict);
        }
        Ok(Self(all))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn cases(&self) -> impl Iterator<Item = &Case> {
        self.0.keys()
    }

    /// How often each verdict came.
    pub(super) fn summary(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for verdict in self.0.values() {
            *counts.entry(&verdict.behaviour).or_default() += 1;
        }
        let counts: Vec<String> =
            counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        format!("{} cases: {}", self.len(), counts.join(", "))
    }

    /// Every verdict that was not expected.
    pub(super) fn compare(&self, end: &str, expected: &Expected) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.0.is_empty() {
            wrong.push(format!("no case was tried with our {end}"));
        }
        for (case, Verdict { behaviour, closing }) in &self.0 {
            let wanted = expected.verdict(end, case);
            if behaviour != wanted {
                wrong.push(format!("{end} {}: {behaviour}, expected {wanted}", case.0));
            }
            // A closing that the suite only remarks on is none that it objects to.
            if closing != OK && closing != "INFORMATIONAL" {
                wrong.push(format!("{end} {}: closed {closing}", case.0));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"roadbed": {
        "1.1.10": {"behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000},
        "1.1.2": {"behavior": "FAILED", "behaviorClose": "UNCLEAN", "remoteCloseCode": null},
        "7.1.6": {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL", "remoteCloseCode": null}
    }}"#;

    #[test]
    fn what_was_not_expected_is_named() {
        let verdicts = Verdicts::parse(REPORT).unwrap();
        assert_eq!(verdicts.summary(), "3 cases: 1 FAILED, 1 INFORMATIONAL, 1 OK");
        let expected =
            Expected::parse("# why\nserver 7.1.6 INFORMATIONAL the suite does not judge it\n").unwrap();
        let failed = "1.1.2: FAILED, expected OK";
        assert_eq!(
            verdicts.compare("server", &expected),
            [format!("server {failed}"), "server 1.1.2: closed UNCLEAN".to_owned()]
        );
        let of_client = verdicts.compare("client", &expected);
        assert!(
            of_client.iter().any(|wrong| wrong == "client 7.1.6: INFORMATIONAL, expected OK"),
            "{of_client:?}"
        );
    }

    #[test]
    fn cases_are_ordered_by_their_numbers() {
        let verdicts = Verdicts::parse(REPORT).unwrap();
        let names: Vec<&str> = verdicts.cases().map(|case| case.0.as_str()).collect();
        assert_eq!(names, ["1.1.2", "1.1.10", "7.1.6"]);
    }

    #[test]
    fn a_report_without_cases_is_no_success() {
        let empty = Verdicts::parse(r#"{"roadbed": {}}"#).unwrap();
        assert_eq!(empty.compare("server", &Expected::parse("").unwrap()).len(), 1);
        assert!(Verdicts::parse("{}").is_err());
        assert!(Verdicts::parse("[]").is_err());
        assert!(Verdicts::parse(r#"{"roadbed": {"1.1.1": {}}}"#).is_err());
    }

    #[test]
    fn expected_results_want_a_reason() {
        assert!(Expected::parse("server 7.1.6 INFORMATIONAL").is_err());
        assert!(Expected::parse("somebody 7.1.6 INFORMATIONAL because").is_err());
    }
}
