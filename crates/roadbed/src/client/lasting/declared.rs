//! What a client is to have in every session: its subscriptions and registrations.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_channel::oneshot;
use roadbed_core::options::{RegisterOptions, SubscribeOptions};
use roadbed_core::uri::Uri;

use super::state::{After, Lasting, Phase};
use super::waiting::{Asked, Place, WhileDisconnected};
use crate::client::event::Item;
use crate::client::queue::Queue;
use crate::client::serving::Start;
use crate::error::{Error, Operation, TimedOut};
use crate::runtime::Runtime;

/// What is asked of every session.
pub(super) enum What {
    Subscription {
        topic: Uri,
        options: SubscribeOptions,
        queue: Arc<Queue<Item>>,
        timeout: Option<Duration>,
    },
    Registration {
        procedure: Uri,
        options: RegisterOptions,
        limit: usize,
        start: Arc<Start>,
        timeout: Option<Duration>,
    },
}

impl What {
    pub(super) const fn uri(&self) -> &Uri {
        match self {
            Self::Subscription { topic, .. } => topic,
            Self::Registration { procedure, .. } => procedure,
        }
    }
}

/// Told how something came out: whether the router granted it, how the client ended.
pub(super) type Waiter = oneshot::Sender<Result<(), Error>>;

/// Everything declared, by number, in the order in which it came.
#[derive(Default)]
pub(super) struct Declarations {
    entries: BTreeMap<u64, Declared>,
    last: u64,
    /// There is a session to which all of it is carried over. What changes meanwhile is noted for it.
    is_served: bool,
    fresh: Vec<u64>,
    withdrawn: Vec<u64>,
}

/// One thing declared.
pub(super) struct Declared {
    pub(super) what: Arc<What>,
    /// Whoever declared it and waits to hear what the router says.
    pub(super) waiter: Option<Waiter>,
    /// Whether an earlier session had it.
    pub(super) was_granted: bool,
    /// Whether the present one has it.
    pub(super) is_granted: bool,
}

impl Declarations {
    /// A session begins: everything there is.
    pub(super) fn begin(&mut self) -> Vec<u64> {
        self.is_served = true;
        self.entries.keys().copied().collect()
    }

    /// What is new, and what was taken away, since this was asked last.
    pub(super) fn changes(&mut self) -> (Vec<u64>, Vec<u64>) {
        (std::mem::take(&mut self.fresh), std::mem::take(&mut self.withdrawn))
    }

    /// Whether anything is new, or was taken away.
    pub(super) fn have_changed(&self) -> bool {
        !self.fresh.is_empty() || !self.withdrawn.is_empty()
    }

    /// The session is over.
    pub(super) fn pause(&mut self) {
        self.is_served = false;
        self.entries.values_mut().for_each(|declared| declared.is_granted = false);
        self.changes();
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Declared> {
        self.entries.get_mut(&number)
    }

    /// Takes one away. What it holds runs foreign code when it is dropped.
    pub(super) fn remove(&mut self, number: u64, after: &mut After) {
        let Some(declared) = self.entries.remove(&number) else { return };
        after.discarded.push(Box::new(declared));
        if self.is_served {
            self.withdrawn.push(number);
        }
    }

    /// There will be no session any more.
    pub(super) fn end(&mut self, error: &Error, after: &mut After) {
        self.pause();
        for (_, mut declared) in std::mem::take(&mut self.entries) {
            if let Some(waiter) = declared.waiter.take() {
                after.answers.push((waiter, Err(error.clone())));
            }
            if let What::Subscription { queue, .. } = &*declared.what {
                after.wakers.extend(queue.close());
            }
            after.discarded.push(Box::new(declared));
        }
    }

    /// How many there are, for tests of what is left behind.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.fresh.len() + self.withdrawn.len()
    }
}

/// One thing declared, as its handle holds it. Dropped, it is taken away.
#[derive(Debug)]
pub(super) struct Standing {
    client: Arc<Lasting>,
    number: u64,
    is_detached: bool,
}

impl Standing {
    /// Declares it. `waiter` is told what the router says, the first time; when it refuses, it is not asked
    /// again.
    pub(super) fn declare(client: &Arc<Lasting>, what: What, waiter: Option<Waiter>) -> Result<Self, Error> {
        let what = Arc::new(what);
        let number = client.with(|state, after| {
            if matches!(state.phase, Phase::Leaving | Phase::Over(..)) {
                return Err(state.end());
            }
            let declarations = &mut state.declarations;
            declarations.last += 1;
            let number = declarations.last;
            let declared = Declared { what, waiter, was_granted: false, is_granted: false };
            declarations.entries.insert(number, declared);
            if declarations.is_served {
                declarations.fresh.push(number);
                after.wakers.extend(state.supervisor.rouse());
            }
            Ok(number)
        })?;
        Ok(Self { client: Arc::clone(client), number, is_detached: false })
    }

    /// The runtime of the client.
    pub(super) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.client.runtime
    }

    /// Whether the present session has it.
    pub(super) fn is_granted(&self) -> bool {
        let granted = |declared: &mut Declared| declared.is_granted;
        self.client.with(|state, _| state.declarations.get_mut(self.number).is_some_and(granted))
    }

    /// Leaves it to the client.
    pub(super) fn detach(mut self) {
        self.is_detached = true;
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if !self.is_detached {
            self.client.with(|state, after| {
                state.declarations.remove(self.number, after);
                after.wakers.extend(state.supervisor.rouse());
            });
        }
    }
}

/// What a declaration is waited for with.
pub(super) struct Patience {
    pub(super) client: Arc<Lasting>,
    /// What becomes of it without a session.
    pub(super) waits: WhileDisconnected,
    /// How long all of it may take.
    pub(super) timeout: Option<Duration>,
    pub(super) operation: Operation,
    /// The topic or procedure, once it was checked.
    pub(super) uri: Result<Uri, Error>,
}

/// A place that is given up when it is dropped.
struct Held<'a>(&'a Lasting, Place);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.leave(std::mem::take(&mut self.1));
    }
}

impl Patience {
    /// Waits for a session, declares, and waits until the router has granted it. Given up, nothing is left of it.
    pub(super) async fn granted<T>(
        self,
        declare: impl FnOnce(Option<Waiter>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Self { client, waits, timeout, operation, uri } = self;
        let uri = uri?;
        let until = timeout.map(|span| client.runtime.now() + span);
        let mut held = Held(&client, Place::default());
        let mut attend = |cx: &mut Context<'_>, is_declared: bool| {
            let asked = Asked { now: client.runtime.now(), until, size: 0, policy: waits };
            client.attend(&mut held.1, asked, cx.waker()).map_err(|error| {
                error.timed_out(|late| {
                    *late = TimedOut::new(operation, Some(uri.clone()), timeout);
                    late.was_sent = is_declared;
                })
            })
        };
        poll_fn(|cx| match attend(cx, false) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        })
        .await?;
        let (waiter, mut answer) = oneshot::channel();
        let handle = declare(Some(waiter))?;
        poll_fn(|cx| match Pin::new(&mut answer).poll(cx) {
            Poll::Ready(result) => Poll::Ready(result.unwrap_or(Err(Error::Canceled))),
            Poll::Pending => attend(cx, true).map_or_else(|error| Poll::Ready(Err(error)), |_| Poll::Pending),
        })
        .await?;
        Ok(handle)
    }
}
