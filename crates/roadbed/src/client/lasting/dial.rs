//! The seam to the adapters: one attempt to connect, whatever the runtime.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;

use crate::blocking::{self, BlockingConnector};
use crate::client::attempts::{Attempt, Attempts, may_succeed_elsewhere};
use crate::client::connect::{Connector, attempt};
use crate::client::session::Session;
use crate::client::settings::Settings;
use crate::error::Error;
use crate::runtime::Runtime;

/// An attempt under way.
type Dialing<'a> = Pin<Box<dyn Future<Output = Result<Session, Error>> + Send + 'a>>;

/// Makes attempts.
pub(super) trait Dial: Send + Sync + 'static {
    fn runtime(&self) -> Arc<dyn Runtime>;

    fn attempt<'a>(&'a self, settings: &'a Arc<Settings>, attempt: &'a Attempt) -> Dialing<'a>;
}

/// Dials in the task that asks.
pub(super) struct InTask<C>(pub(super) C);

impl<C: Connector> Dial for InTask<C> {
    fn runtime(&self) -> Arc<dyn Runtime> {
        self.0.runtime()
    }

    fn attempt<'a>(&'a self, settings: &'a Arc<Settings>, way: &'a Attempt) -> Dialing<'a> {
        Box::pin(attempt(&self.0, settings, way))
    }
}

/// Dials in a task of its own, which may wait for the operating system. Given up, it ends by itself.
pub(super) struct InThread<C>(pub(super) Arc<C>);

impl<C: BlockingConnector> Dial for InThread<C> {
    fn runtime(&self) -> Arc<dyn Runtime> {
        self.0.runtime()
    }

    fn attempt<'a>(&'a self, settings: &'a Arc<Settings>, way: &'a Attempt) -> Dialing<'a> {
        let (connector, settings, way) = (Arc::clone(&self.0), Arc::clone(settings), way.clone());
        let (done, result) = oneshot::channel();
        self.0.runtime().spawn(Box::pin(async move {
            // A session that nobody waits for any more is left.
            drop(done.send(blocking::attempt(&*connector, &settings, &way).await));
        }));
        Box::pin(async move {
            let no_thread = |_| Err(Error::from(io::Error::other("no thread to connect in")));
            result.await.unwrap_or_else(no_thread)
        })
    }
}

/// A round that led to no session.
#[derive(Debug)]
pub(super) struct Missed {
    /// How the last attempt of it ended.
    pub(super) error: Error,
    /// Whether something else may yet come of an address before.
    pub(super) was_unlucky: bool,
    /// How long to wait before the next round, as far as routers and proxies have asked for that: the longest of them,
    /// as each will be asked again.
    pub(super) asked: Option<Duration>,
}

/// Tries every address once, in order.
pub(super) async fn round(
    dial: &dyn Dial,
    urls: &[String],
    settings: &Arc<Settings>,
) -> Result<Session, Missed> {
    let (mut was_unlucky, mut asked) = (false, None);
    let missed = |error| Missed { error, was_unlucky: false, asked: None };
    let mut attempts = Attempts::new(urls, settings).map_err(missed)?;
    loop {
        let error = match dial.attempt(settings, attempts.now()).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        let utc = dial.runtime().utc();
        asked = asked.max(error.refusal().and_then(|refusal| refusal.retry_after(utc)));
        if !attempts.retry(&error) {
            was_unlucky &= may_succeed_elsewhere(&error);
            return Err(Missed { error, was_unlucky, asked });
        }
        was_unlucky |= error.is_retryable();
    }
}
