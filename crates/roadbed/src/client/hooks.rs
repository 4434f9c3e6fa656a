//! What is called at the turning points of a session's life.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use bytestring::ByteString;
use roadbed_core::error::CloseReason;
use roadbed_core::message::{RawDict, WelcomeDetails};
use roadbed_core::transport::TransportDetails;

use super::{HandlerError, Session};
use crate::error::{Error, Veto};

type Hook<T> = Arc<dyn Fn(&T) + Send + Sync>;
type Verdict<T, R> = Arc<dyn Fn(&T) -> Result<R, Veto> + Send + Sync>;
type Joined = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A challenge by an authentication method that the application answers itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Challenge {
    /// The method.
    pub method: ByteString,
    /// What the method needs.
    pub extra: RawDict,
}

/// The end of a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Why it ended.
    pub reason: CloseReason,
    /// Whether nothing was cut off.
    pub is_clean: bool,
    /// What the operating system said when it lost the connection, if that is how it ended.
    pub io: Option<Arc<io::Error>>,
}

/// What a procedure of ours did wrong: the caller was only told `wamp.error.runtime_error`.
#[derive(Debug)]
#[non_exhaustive]
pub struct UserError {
    /// The procedure, as it was registered.
    pub procedure: roadbed_core::uri::Uri,
    /// What went wrong.
    pub error: HandlerError,
}

/// What hooks have to be told of, in order.
pub(crate) struct Moments<T> {
    waiting: VecDeque<T>,
    /// Somebody tells, and goes on until nothing is left.
    is_telling: bool,
}

impl<T> Default for Moments<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), is_telling: false }
    }
}

impl<T> Moments<T> {
    /// Adds what has happened. Returns whether the caller has to see to it that it is told.
    pub(crate) fn come(&mut self, moments: Vec<T>) -> bool {
        self.waiting.extend(moments);
        !self.waiting.is_empty() && !std::mem::replace(&mut self.is_telling, true)
    }

    /// The next one to tell of. After `None` nobody tells.
    pub(crate) fn next(&mut self) -> Option<T> {
        let next = self.waiting.pop_front();
        self.is_telling = next.is_some();
        next
    }

    /// The one who tells stops before its time. What is left is told with what comes next.
    pub(crate) fn give_up(&mut self) {
        self.is_telling = false;
    }
}

/// The hooks of a session. They run one at a time, in order, and not in a thread that drives the connection where there
/// are threads for tasks. None is run while a lock is held, and one that panics harms nobody.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_connect: Option<Hook<TransportDetails>>,
    /// By the method that each answers.
    pub(crate) on_challenge: Vec<(ByteString, Verdict<Challenge, String>)>,
    pub(crate) on_welcome: Option<Verdict<WelcomeDetails, ()>>,
    pub(crate) on_join: Option<Arc<dyn Fn(Session) -> Joined + Send + Sync>>,
    pub(crate) on_ready: Option<Hook<Session>>,
    pub(crate) on_leave: Option<Hook<CloseReason>>,
    pub(crate) on_disconnect: Option<Hook<Closed>>,
    pub(crate) on_user_error: Option<Hook<UserError>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// Calls a hook, if there is one.
pub(crate) fn call<T>(hook: Option<&Hook<T>>, argument: &T) {
    if let Some(hook) = hook {
        // What the hook left behind is its owner's affair.
        let _ = catch_unwind(AssertUnwindSafe(|| hook(argument)));
    }
}

/// Asks a hook; one that panics does not agree.
pub(crate) fn ask<R>(hook: impl FnOnce() -> Result<R, Veto>) -> Result<R, Veto> {
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|_| Err(Veto::new("the hook panicked")))
}
