//! Timers for futures that are polled by a runtime that knows nothing of threads that sleep.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, Thread};
use std::time::Instant;

/// Wakes others at their times, from a thread that lives while there is anybody to wake.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<(Instant, u64), Waker>,
    last_id: u64,
    thread: Option<Thread>,
}

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the owner of `waker` at this time. What is returned takes that back.
    pub(crate) fn set(self: &Arc<Self>, at: Instant, waker: Waker) -> (Instant, u64) {
        let mut state = self.lock();
        state.last_id += 1;
        let key = (at, state.last_id);
        state.due.insert(key, waker);
        let is_first = state.due.first_key_value().is_some_and(|(first, _)| *first == key);
        match &state.thread {
            Some(thread) if is_first => thread.unpark(),
            Some(_) => {}
            None => {
                let alarms = Arc::clone(self);
                let spawned = thread::Builder::new().name("roadbed-time".into()).spawn(move || alarms.run());
                // Without a thread the next one who sets a timer tries again.
                state.thread = spawned.ok().map(|handle| handle.thread().clone());
            }
        }
        key
    }

    /// Nobody is to be woken any more.
    pub(crate) fn take_back(&self, key: (Instant, u64)) {
        // A waker may own the future that it wakes, and that may set timers.
        let waker = self.lock().due.remove(&key);
        drop(waker);
    }

    fn run(&self) {
        loop {
            let now = Instant::now();
            let mut state = self.lock();
            match state.due.first_key_value().map(|((at, _), _)| *at) {
                None => {
                    state.thread = None;
                    return;
                }
                Some(at) if at > now => {
                    drop(state);
                    thread::park_timeout(at - now);
                }
                Some(_) => {
                    let waker = state.due.pop_first();
                    drop(state);
                    // What wakes is foreign; if it panics, the others are still to be woken.
                    let wake = || waker.into_iter().for_each(|(_, waker)| waker.wake());
                    let _ = catch_unwind(AssertUnwindSafe(wake));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    /// Says that it was woken; without anybody to hear that, it panics.
    struct Say(mpsc::Sender<()>);

    impl Wake for Say {
        fn wake(self: Arc<Self>) {
            self.0.send(()).expect("on purpose");
        }
    }

    #[test]
    fn a_waker_that_panics_harms_no_other() {
        let alarms = Arc::<Alarms>::default();
        let (deaf, _) = mpsc::channel();
        let (say, woken) = mpsc::channel();
        let soon = Instant::now() + Duration::from_millis(20);
        alarms.set(soon, Arc::new(Say(deaf)).into());
        alarms.set(soon + Duration::from_millis(1), Arc::new(Say(say.clone())).into());
        woken.recv_timeout(Duration::from_secs(20)).unwrap();
        alarms.set(Instant::now(), Arc::new(Say(say)).into());
        woken.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}
