//! A session that waits for a decision: the request that is decided on, and what came behind it.

use std::collections::VecDeque;

use roadbed_core::id::RequestId;
use roadbed_core::limits::Limits;
use roadbed_core::message::{CloseDetails, Goodbye};

use crate::keys::QuestionKey;
use crate::request::{Action, Denial, Origin, Release, Request};
use crate::text::short_text;
use crate::timers::TimerId;

/// What waits for its turn.
pub(crate) enum Waiting {
    Request(Request),
    Release(Release),
    /// The end of the session. Nothing comes behind it.
    Goodbye(Goodbye),
}

impl Waiting {
    fn weight(&self) -> usize {
        let held = match self {
            Self::Request(request) => request.weight(),
            Self::Release(_) => 0,
            Self::Goodbye(goodbye) => goodbye.reason.as_str().len(),
        };
        held.saturating_add(size_of::<Self>())
    }

    /// The same, sharing no memory with a read buffer.
    fn detach(self) -> Self {
        match self {
            Self::Request(request) => Self::Request(request.detach()),
            Self::Release(release) => Self::Release(release),
            Self::Goodbye(Goodbye { details, reason }) => {
                let mut kept = CloseDetails::default();
                kept.message = details.message.as_deref().map(short_text);
                Self::Goodbye(Goodbye { details: kept.into(), reason: reason.detach() })
            }
        }
    }
}

/// What waits behind a request, in order.
#[derive(Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<Waiting>,
    /// The bytes of all of it.
    bytes: usize,
}

impl Backlog {
    /// Adds what comes last, if the limits allow it. GOODBYE is always taken.
    fn push(&mut self, waiting: Waiting, limits: &Limits) -> Result<(), Box<Denial>> {
        if !matches!(waiting, Waiting::Goodbye(_)) {
            if self.waiting.len() >= limits.backlog_length {
                return Err(Denial::limit("backlog_length", limits.backlog_length));
            }
            if self.bytes.saturating_add(waiting.weight()) > limits.backlog_size {
                return Err(Denial::limit("backlog_size", limits.backlog_size));
            }
        }
        let waiting = waiting.detach();
        self.bytes = self.bytes.saturating_add(waiting.weight());
        self.waiting.push_back(waiting);
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.weight());
        Some(waiting)
    }

    fn is_call(waiting: &Waiting, id: RequestId) -> bool {
        matches!(waiting, Waiting::Request(request) if is_call(request, id))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let bytes = self.waiting.iter().map(Waiting::weight).fold(0, usize::saturating_add);
        if bytes == self.bytes {
            Ok(())
        } else {
            Err(format!("a backlog of {bytes} bytes counts {}", self.bytes))
        }
    }
}

fn is_call(request: &Request, id: RequestId) -> bool {
    matches!((&request.action, &request.origin), (Action::Call(_), Origin::Session { request, .. }) if *request == id)
}

/// A session whose request is decided on.
pub(crate) struct Parked {
    pub(crate) question: QuestionKey,
    pub(crate) timer: TimerId,
    /// The generation of verdicts in which it was asked.
    pub(crate) generation: u64,
    /// `None` after the call in question was canceled. Its question stays open all the same: calls that are made and
    /// canceled in a loop must not make any number of questions.
    request: Option<Request>,
    backlog: Backlog,
}

impl Parked {
    /// Parks a session. The request is detached.
    pub(crate) fn new(question: QuestionKey, timer: TimerId, request: Request, generation: u64) -> Self {
        Self { question, timer, generation, request: Some(request), backlog: Backlog::default() }
    }

    /// Puts back what waits behind the request.
    pub(crate) fn restore(&mut self, backlog: Backlog) {
        self.backlog = backlog;
    }

    /// Lets something wait, if the limits allow it.
    pub(crate) fn wait(&mut self, waiting: Waiting, limits: &Limits) -> Result<(), Box<Denial>> {
        self.backlog.push(waiting, limits)
    }

    pub(crate) fn into_parts(self) -> (Option<Request>, Backlog) {
        (self.request, self.backlog)
    }

    /// Takes the call of this id out, whether it is decided on or waits.
    pub(crate) fn take_call(&mut self, id: RequestId) -> Option<Request> {
        if self.request.as_ref().is_some_and(|request| is_call(request, id)) {
            return self.request.take();
        }
        let at = self.backlog.waiting.iter().position(|waiting| Backlog::is_call(waiting, id))?;
        let waiting = self.backlog.waiting.remove(at)?;
        self.backlog.bytes = self.backlog.bytes.saturating_sub(waiting.weight());
        match waiting {
            Waiting::Request(request) => Some(request),
            _ => None,
        }
    }

    /// Whether a call of this id is decided on, or waits.
    pub(crate) fn has_call(&self, id: RequestId) -> bool {
        self.request.as_ref().is_some_and(|request| is_call(request, id))
            || self.backlog.waiting.iter().any(|waiting| Backlog::is_call(waiting, id))
    }

    /// How many calls are decided on, or wait.
    pub(crate) fn calls(&self) -> usize {
        let waiting = self.backlog.waiting.iter().filter_map(|waiting| match waiting {
            Waiting::Request(request) => Some(request),
            _ => None,
        });
        let requests = self.request.iter().chain(waiting);
        requests.filter(|request| matches!(request.action, Action::Call(_))).count()
    }

    /// How many requests wait: the one that is decided on, and those behind it.
    pub(crate) fn len(&self) -> usize {
        self.backlog.waiting.len().saturating_add(usize::from(self.request.is_some()))
    }

    /// Whether the session said GOODBYE.
    pub(crate) fn has_goodbye(&self) -> bool {
        matches!(self.backlog.waiting.back(), Some(Waiting::Goodbye(_)))
    }

    /// Takes GOODBYE, if the session said it.
    pub(crate) fn take_goodbye(&mut self) -> Option<Goodbye> {
        if !self.has_goodbye() {
            return None;
        }
        let waiting = self.backlog.waiting.pop_back()?;
        self.backlog.bytes = self.backlog.bytes.saturating_sub(waiting.weight());
        match waiting {
            Waiting::Goodbye(goodbye) => Some(goodbye),
            _ => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.backlog.check()
    }
}
