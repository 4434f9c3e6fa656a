//! The handshake between whoever changes a state and whoever sleeps until it changes.
//!
//! Two rules, and both are kept here. The decision to sleep is made, and the waker stored, under the same
//! lock that saw that there was nothing to do: otherwise a change in between would wake nobody. And what
//! runs foreign code (a waker, a channel, a closure) is collected under the lock and run after it:
//! otherwise that code could come back for the lock.
//!
//! The file stands alone, so that the model checker can be given it with its own mutex.

use std::task::Waker;

use super::sync::Mutex;

/// A state behind a mutex.
#[derive(Debug)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(state: T) -> Self {
        Self(Mutex::new(state))
    }

    /// Lets `act` at the state. What it puts into its second argument is returned, to be carried out now
    /// that the lock is free.
    pub(crate) fn with<E: Default, R>(&self, act: impl FnOnce(&mut T, &mut E) -> R) -> (R, E) {
        let mut after = E::default();
        // Nothing under the lock runs foreign code, so a panic is a bug of ours that left the state as
        // usable as any other error would have.
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let result = act(&mut state, &mut after);
        drop(state);
        (result, after)
    }
}

/// Where one task or thread waits for a change. It lives inside the state.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(Option<Waker>);

impl Sleeper {
    /// There is nothing to do for the owner of `waker`. Returns the waker that it replaces, to be dropped when the lock
    /// is free: it may be the last owner of a task, and so of all that the task holds.
    #[must_use = "dropped under the lock, it could come back for the lock"]
    pub(crate) fn sleep(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.0 {
            Some(stored) if stored.will_wake(waker) => None,
            _ => self.0.replace(waker.clone()),
        }
    }

    /// There is something to do: whom to wake, once the lock is free.
    pub(crate) fn rouse(&mut self) -> Option<Waker> {
        self.0.take()
    }

    /// Whether somebody sleeps.
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.is_some()
    }

    /// The owner of `waker` is awake by itself. What is dropped here wakes the same task as `waker`, which outlives it.
    pub(crate) fn awake(&mut self, waker: &Waker) {
        if self.0.as_ref().is_some_and(|stored| stored.will_wake(waker)) {
            self.0 = None;
        }
    }
}
