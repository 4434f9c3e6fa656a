//! What came of it: a row for each library and way to the router, a column for each pair of serializers.

use std::fmt;

/// One thing that a page or its partner did.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) failure: Option<String>,
}

impl Step {
    /// Says whose the steps are, and adds those that are missing: one that is lost is as bad as one that
    /// fails.
    pub(crate) fn complete(mut steps: Vec<Self>, whose: &str, wanted: &[&str]) -> Vec<Self> {
        for name in wanted {
            if !steps.iter().any(|step| step.name == *name) {
                steps.push(Self { name: (*name).to_owned(), failure: Some("not done".to_owned()) });
            }
        }
        for step in &mut steps {
            step.name = format!("the {whose}'s {}", step.name);
        }
        steps
    }
}

/// Which page it was.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) library: String,
    /// The scheme of the URL, and what else there is.
    pub(crate) way: &'static str,
    /// The page's and its partner's.
    pub(crate) serializers: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {} in {}", self.library, self.way, self.serializers)
    }
}

/// All cases with their steps.
pub(crate) struct Report {
    browser: String,
    cases: Vec<(Case, Vec<Step>)>,
}

impl Report {
    pub(crate) const fn new(browser: String) -> Self {
        Self { browser, cases: Vec::new() }
    }

    pub(crate) fn add(&mut self, case: Case, steps: Vec<Step>) {
        self.cases.push((case, steps));
    }

    /// Panics unless every step went well.
    pub(crate) fn check(&self) {
        assert!(!self.cases.is_empty());
        let mut trouble = String::new();
        for (case, steps) in &self.cases {
            for Step { name, failure } in steps {
                if let Some(failure) = failure {
                    trouble.push_str(&format!("{case}, {name}: {failure}\n"));
                }
            }
        }
        assert!(trouble.is_empty(), "\n{trouble}");
    }
}

/// How many steps went well.
fn good(steps: &[Step]) -> usize {
    steps.iter().filter(|step| step.failure.is_none()).count()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: steps done by pages and their partners", self.browser)?;
        let mut row = None;
        for (case, steps) in &self.cases {
            let this = (&case.library, case.way);
            if row != Some(this) {
                write!(f, "{}{:<26}{:<11}", if row.is_some() { "\n" } else { "" }, this.0, this.1)?;
                row = Some(this);
            }
            let mark = if good(steps) == steps.len() { ' ' } else { '!' };
            write!(f, "  {} {} of {}{mark}", case.serializers, good(steps), steps.len())?;
        }
        Ok(())
    }
}
