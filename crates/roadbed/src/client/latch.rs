//! What happens once, and who waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::guard::Guarded;

/// Something that happens once.
#[derive(Debug)]
pub(crate) struct Latch<T>(Guarded<State<T>>);

#[derive(Debug)]
struct State<T> {
    happened: Option<T>,
    /// Those who wait, each with one waker, in the order of their numbers.
    waiting: Vec<(u64, Waker)>,
    last: u64,
}

impl<T> Default for Latch<T> {
    fn default() -> Self {
        Self(Guarded::new(State { happened: None, waiting: Vec::new(), last: 0 }))
    }
}

impl<T: Clone> Latch<T> {
    /// It happened like this, unless it had happened before. Returns the wakers of those who wait.
    pub(super) fn set(&self, value: T) -> impl Iterator<Item = Waker> + use<T> {
        let (waiting, refused) = self.0.with(|state, refused| {
            if state.happened.is_none() {
                state.happened = Some(value);
            } else {
                // It is dropped when the lock is free.
                *refused = Some(value);
            }
            std::mem::take(&mut state.waiting)
        });
        drop(refused);
        waiting.into_iter().map(|(_, waker)| waker)
    }

    /// How it happened, if it did.
    pub(super) fn get(&self) -> Option<T> {
        self.0.with(|state, (): &mut ()| state.happened.clone()).0
    }

    fn poll(&self, number: &mut Option<u64>, cx: &Context<'_>) -> Poll<T> {
        let (happened, replaced) = self.0.with(|state, replaced| {
            if state.happened.is_none() {
                *replaced = state.wait(number, cx.waker());
            }
            state.happened.clone()
        });
        drop(replaced);
        happened.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Latch<T> {
    /// The one with this number does not wait any more.
    fn leave(&self, number: u64) {
        let (waker, ()) = self.0.with(|state, (): &mut ()| {
            let place = state.waiting.binary_search_by_key(&number, |(number, _)| *number).ok()?;
            Some(state.waiting.remove(place).1)
        });
        // It may own the task that it wakes.
        drop(waker);
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.0.with(|state, (): &mut ()| state.waiting.len()).0
    }
}

impl<T> State<T> {
    /// Gives a waiter its number, or its new waker. Returns the waker that is replaced.
    fn wait(&mut self, number: &mut Option<u64>, waker: &Waker) -> Option<Waker> {
        let place =
            number.and_then(|number| self.waiting.binary_search_by_key(&number, |(number, _)| *number).ok());
        if let Some((_, stored)) = place.and_then(|place| self.waiting.get_mut(place)) {
            return (!stored.will_wake(waker)).then(|| std::mem::replace(stored, waker.clone()));
        }
        self.last = self.last.saturating_add(1);
        *number = Some(self.last);
        self.waiting.push((self.last, waker.clone()));
        None
    }
}

/// One who waits until it happens. Dropped, it leaves nothing behind. A clone waits by itself.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    latch: Arc<Latch<T>>,
    number: Option<u64>,
}

impl<T> Waiting<T> {
    pub(super) fn new(latch: &Arc<Latch<T>>) -> Self {
        Self { latch: Arc::clone(latch), number: None }
    }
}

impl<T> Clone for Waiting<T> {
    fn clone(&self) -> Self {
        Self::new(&self.latch)
    }
}

impl<T: Clone> Future for Waiting<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.latch.poll(&mut this.number, cx)
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.latch.leave(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Futures are moved from task to task, and polled with a new waker each time.
    #[test]
    fn each_who_waits_keeps_one_waker_and_none_when_dropped() {
        let latch = Arc::<Latch<u8>>::default();
        let mut first = pin!(Waiting::new(&latch));
        let mut second = Box::pin(Waiting::clone(&first));
        let mut wakers = Vec::new();
        for _ in 0..1000 {
            let count = Arc::<Count>::default();
            let waker = Waker::from(Arc::clone(&count));
            for _ in 0..2 {
                assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            wakers.push(count);
        }
        assert_eq!(latch.waiting(), 2);
        let held = wakers.iter().filter(|count| Arc::strong_count(count) > 1).count();
        assert_eq!(held, 1, "only the last waker is kept");
        drop(second);
        assert_eq!(latch.waiting(), 1);
        // Each of many that give up in any order.
        let mut many: Vec<_> = (0..100).map(|_| Box::pin(Waiting::new(&latch))).collect();
        for one in &mut many {
            assert!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        while !many.is_empty() {
            drop(many.swap_remove(many.len() / 2));
            assert_eq!(latch.waiting(), 1 + many.len());
        }
        latch.set(7).for_each(Waker::wake);
        assert_eq!(latch.set(8).count(), 0);
        let woken: Vec<usize> = wakers.iter().map(|count| count.0.load(Ordering::Relaxed)).collect();
        assert_eq!((woken[999], woken.iter().sum::<usize>()), (1, 1));
        assert_eq!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(7));
        assert_eq!((latch.get(), latch.waiting()), (Some(7), 0));
    }
}
