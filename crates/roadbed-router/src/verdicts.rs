//! Verdicts that hold for whole roles, so that nobody is asked twice.

use std::collections::VecDeque;

use bytestring::ByteString;
use roadbed_core::uri::{MatchPolicy, Uri};

use crate::authorizer::{Access, Verb, Verdict};
use crate::tables::{HashMap, Keyed, Relax};

/// All that such a verdict depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    authrole: ByteString,
    verb: Verb,
    match_policy: MatchPolicy,
    uri: Uri,
}

impl Question {
    fn new(access: &Access<'_>) -> Self {
        Self {
            authrole: access.session.authrole.clone(),
            verb: access.verb,
            match_policy: access.match_policy,
            uri: access.uri.clone(),
        }
    }
}

/// The verdicts of a realm that hold for whole roles: the last so many.
pub(crate) struct Verdicts {
    known: HashMap<Question, Verdict>,
    /// The same, in the order of their coming.
    order: VecDeque<Question>,
    limit: usize,
    /// Rises when all are forgotten: what was asked before may be answered by what held before.
    generation: u64,
}

impl Verdicts {
    pub(crate) fn new(hasher: Keyed, limit: usize) -> Self {
        Self { known: HashMap::with_hasher(hasher), order: VecDeque::new(), limit, generation: 0 }
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// What was said to such a request.
    pub(crate) fn get(&self, access: &Access<'_>) -> Option<&Verdict> {
        if self.known.is_empty() {
            return None;
        }
        self.known.get(&Question::new(access))
    }

    /// Keeps a verdict, if it holds for the role and was asked for in this generation.
    pub(crate) fn keep(&mut self, access: &Access<'_>, verdict: &Verdict, generation: u64) {
        if !verdict.is_for_role || generation != self.generation || self.limit == 0 {
            return;
        }
        let question = Question { uri: access.uri.detach(), ..Question::new(access) };
        if self.known.insert(question.clone(), verdict.clone()).is_some() {
            return;
        }
        self.order.push_back(question);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Forgets all of them, and those that are asked for now.
    pub(crate) fn forget(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.known.clear();
        self.known.relax();
        self.order = VecDeque::new();
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let (known, listed) = (self.known.len(), self.order.len());
        if known == listed && self.order.iter().all(|question| self.known.contains_key(question)) {
            return Ok(());
        }
        Err(format!("{known} verdicts are known, {listed} listed"))
    }
}
