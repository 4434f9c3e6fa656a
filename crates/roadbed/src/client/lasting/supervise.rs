//! The task of a client: it connects, watches the end of the session, waits, and connects anew.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use roadbed_core::error::CloseReason;
use roadbed_core::time::Timestamp;

use super::dial::{Dial, Missed, round};
use super::events::ClientEvent;
use super::restore::Restore;
use super::retry::{Backoff, RetryPolicy, may_help};
use super::state::{After, Lasting, Phase, State};
use crate::client::hooks::Closed;
use crate::client::session::Session;
use crate::client::settings::Settings;
use crate::error::Error;
use crate::runtime::Timer;

/// Says whether to connect anew after an error.
pub(super) type RetryIf = Arc<dyn Fn(&Error) -> bool + Send + Sync>;

/// What the task of a client works with. Dropped, the client has ended.
pub(super) struct Supervisor {
    pub(super) client: Arc<Lasting>,
    pub(super) dial: Arc<dyn Dial>,
    pub(super) urls: Vec<String>,
    pub(super) settings: Arc<Settings>,
    pub(super) policy: RetryPolicy,
    pub(super) retry_if: Option<RetryIf>,
    pub(super) timer: Box<dyn Timer>,
}

/// What is to be done.
enum Now {
    /// The owner wants it to end.
    Stop,
    /// What was waited for is due.
    Due,
    Nothing,
}

/// What became of a session.
enum Served {
    /// The owner wants to end. What it had of the session is given up with it.
    Stopped(Box<Restore>),
    Lost(Closed),
}

impl Supervisor {
    /// Runs until the owner wants it to end, or there is no use.
    pub(super) async fn run(mut self) {
        let mut backoff = self.policy.backoff(self.client.runtime.seed());
        loop {
            let dial = Arc::clone(&self.dial);
            let (urls, settings) = (self.urls.clone(), Arc::clone(&self.settings));
            let Some(result) = self.attend(round(&*dial, &urls, &settings)).await else {
                return self.client.over(CloseReason::Local.into(), Ok(()));
            };
            let (retry_in, error) = match result {
                Ok(session) => {
                    let since = self.client.runtime.now();
                    match self.serve(session.clone()).await {
                        Served::Stopped(restored) => return self.leave(&session, restored).await,
                        Served::Lost(closed) => self.lost(&mut backoff, since, closed),
                    }
                }
                Err(missed) => self.failed(&mut backoff, missed),
            };
            let Some(delay) = retry_in else { return self.client.over(error.clone(), Err(error)) };
            if !self.pause(delay).await {
                return self.client.over(CloseReason::Local.into(), Ok(()));
            }
        }
    }

    /// Keeps the time of those who wait, and sees whether there is something to do.
    fn look(&mut self, cx: &mut Context<'_>, until: Option<Timestamp>) -> Now {
        loop {
            let now = self.client.runtime.now();
            let is_due = until.is_some_and(|at| at <= now);
            let seen = self.client.with(|state, after| {
                if state.is_stopping {
                    return Err(Now::Stop);
                }
                if is_due || state.declarations.have_changed() {
                    return Err(Now::Due);
                }
                after.let_go(state.supervisor.sleep(cx.waker()));
                Ok(state.waiting.expire(now, &mut after.wakers))
            });
            let next = match seen {
                Ok(next) => next,
                Err(now) => return now,
            };
            match [until, next].into_iter().flatten().min() {
                Some(at) if self.timer.poll_at(cx, at).is_ready() => {}
                _ => return Now::Nothing,
            }
        }
    }

    /// Waits for a future; `None` when the owner wants to end.
    async fn attend<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|cx| match self.look(cx, None) {
            Now::Stop => Poll::Ready(None),
            _ => future.as_mut().poll(cx).map(Some),
        })
        .await
    }

    /// Waits for the next attempt; `false` when the owner wants to end.
    async fn pause(&mut self, delay: Duration) -> bool {
        let until = self.client.runtime.now() + delay;
        let is_due = poll_fn(|cx| match self.look(cx, Some(until)) {
            Now::Stop => Poll::Ready(false),
            Now::Due => Poll::Ready(true),
            Now::Nothing => Poll::Pending,
        })
        .await;
        if is_due {
            self.client.with(|state, after| {
                if !state.is_stopping {
                    state.enter(Phase::Connecting, after);
                }
            });
        }
        is_due
    }

    /// Hands a session out, with everything declared, until it ends.
    async fn serve(&mut self, session: Session) -> Served {
        let client = Arc::clone(&self.client);
        let watched = session.clone();
        let mut closed = Box::pin(async move { watched.closed().await });
        let mut restore = Restore::new(&client, session.clone(), self.policy);
        let mut to_tell = Some(session);
        let closed = poll_fn(|cx| {
            // What was declared goes out first, then those who wait.
            restore.poll(&client, cx);
            if let Some(session) = to_tell.take() {
                self.joined(session, restore.generation());
            }
            loop {
                match self.look(cx, restore.due()) {
                    Now::Stop => return Poll::Ready(None),
                    Now::Due => restore.poll(&client, cx),
                    Now::Nothing => return closed.as_mut().poll(cx).map(Some),
                }
            }
        })
        .await;
        client.with(|state, _| state.declarations.pause());
        closed.map_or_else(|| Served::Stopped(Box::new(restore)), Served::Lost)
    }

    fn joined(&self, session: Session, generation: u64) {
        self.client.with(|state, after| {
            if !state.is_stopping {
                state.enter(Phase::Joined(session), after);
                state.tell(ClientEvent::Connected { generation }, after);
                after.wakers.extend(state.waiting.rouse());
            }
        });
    }

    fn lost(&self, backoff: &mut Backoff, since: Timestamp, closed: Closed) -> (Option<Duration>, Error) {
        let now = self.client.runtime.now();
        let error = Error::from(closed.reason);
        let lasted = now.saturating_since(since);
        let retry_in = if self.may_help(&error, false) { backoff.ended(lasted) } else { None };
        self.client.with(|state, after| {
            let generation = state.generation;
            self.wait_or_end(state, after, now, retry_in);
            state.tell(ClientEvent::Lost { generation, error: error.clone(), retry_in }, after);
        });
        (retry_in, error)
    }

    fn failed(&self, backoff: &mut Backoff, missed: Missed) -> (Option<Duration>, Error) {
        let now = self.client.runtime.now();
        let Missed { error, was_unlucky, asked } = missed;
        let retry_in = backoff.failed().filter(|_| self.may_help(&error, was_unlucky));
        let retry_in = retry_in.map(|delay| asked.map_or(delay, |asked| backoff.heed(delay, asked)));
        let attempts = backoff.failures();
        self.client.with(|state, after| {
            self.wait_or_end(state, after, now, retry_in);
            state.tell(ClientEvent::Failed { error: error.clone(), attempts, retry_in }, after);
        });
        (retry_in, error)
    }

    fn may_help(&self, error: &Error, was_unlucky: bool) -> bool {
        match &self.retry_if {
            Some(retry_if) => retry_if(error),
            None => was_unlucky || may_help(error),
        }
    }

    fn wait_or_end(&self, state: &mut State, after: &mut After, now: Timestamp, retry_in: Option<Duration>) {
        // Those who wait for what was declared wait for a session now, if they may.
        after.wakers.extend(state.waiting.rouse());
        if !state.is_stopping {
            state.enter(retry_in.map_or(Phase::Gone, |delay| Phase::Pausing(now + delay)), after);
        }
    }

    /// Says GOODBYE for the owner, whoever else still holds the session.
    async fn leave(self, session: &Session, restored: Box<Restore>) {
        let result = session.leave().await;
        drop(restored);
        self.client.over(CloseReason::Local.into(), result);
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Nothing, when it has run to its end; else its runtime has ended.
        let error = Error::from(CloseReason::Local);
        self.client.over(error.clone(), Err(error));
    }
}
