//! Which of many futures have something to do: only those are polled, so that the work is linear in what happens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::guard::{Guarded, Sleeper};

/// The numbers of futures that were woken.
#[derive(Debug)]
pub(super) struct Ready(Guarded<(BTreeSet<u64>, Sleeper)>);

impl Default for Ready {
    fn default() -> Self {
        Self(Guarded::new((BTreeSet::new(), Sleeper::default())))
    }
}

/// Wakes one of them.
struct Bell {
    number: u64,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let (waker, ()) = self.ready.0.with(|(numbers, sleeper), (): &mut ()| {
            numbers.insert(self.number);
            sleeper.rouse()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Ready {
    /// What wakes the future of this number.
    pub(super) fn bell(self: &Arc<Self>, number: u64) -> Waker {
        Waker::from(Arc::new(Bell { number, ready: Arc::clone(self) }))
    }

    /// Who was woken since this was asked last. From now on `waker` is told.
    pub(super) fn take(&self, waker: &Waker) -> BTreeSet<u64> {
        let (numbers, _replaced) = self.0.with(|(numbers, sleeper), replaced: &mut Option<Waker>| {
            *replaced = sleeper.sleep(waker);
            std::mem::take(numbers)
        });
        numbers
    }
}
