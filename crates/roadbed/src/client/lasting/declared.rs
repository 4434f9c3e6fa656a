//! What a client is to have in every session: its subscriptions and registrations.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_channel::oneshot;
use roadbed_core::options::{RegisterOptions, SubscribeOptions};
use roadbed_core::uri::Uri;

use super::state::{After, Lasting, Phase};
use crate::client::event::Item;
use crate::client::queue::Queue;
use crate::client::serving::Start;
use crate::error::Error;

/// What is asked of every session.
pub(super) enum What {
    Subscription { topic: Uri, options: SubscribeOptions, queue: Arc<Queue<Item>> },
    Registration { procedure: Uri, options: RegisterOptions, limit: usize, start: Arc<Start> },
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
            let declared = Declared { what, waiter, was_granted: false };
            declarations.entries.insert(number, declared);
            if declarations.is_served {
                declarations.fresh.push(number);
                after.wakers.extend(state.supervisor.rouse());
            }
            Ok(number)
        })?;
        Ok(Self { client: Arc::clone(client), number, is_detached: false })
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

/// Waits until the router has granted what was declared.
pub(super) async fn granted<T>(declare: impl FnOnce(Option<Waiter>) -> Result<T, Error>) -> Result<T, Error> {
    let (waiter, answer) = oneshot::channel();
    let handle = declare(Some(waiter))?;
    answer.await.unwrap_or(Err(Error::Canceled))?;
    Ok(handle)
}
