//! Bounded queues between a driver and whoever takes from it, perhaps slowly.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::guard::{Guarded, Sleeper};

/// What an entry counts beyond its payload: its place in the queue, and what the allocator needs for its parts.
const ENTRY_COST: usize = 256;

/// What waits in a queue.
pub(crate) trait Entry: Sized {
    /// Copies what it shares with a read buffer, which it would keep alive, however little of it is its own.
    fn detach(self) -> Self;

    /// The bytes it holds then.
    fn size(&self) -> usize;
}

/// What a mark counts; no entry costs as little.
const MARK_COST: usize = 0;

/// A queue of plain data: dropping an entry runs no foreign code and takes no lock.
#[derive(Debug)]
pub(crate) struct Queue<T>(Guarded<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    entries: VecDeque<(T, usize)>,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
    /// Entries dropped since the last one was taken.
    lost: u64,
    is_closed: bool,
    /// It outlives the session that fills it.
    is_lasting: bool,
    sleeper: Sleeper,
}

/// What comes out of a queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Popped<T> {
    Entry(T),
    /// So many were dropped before the next entry.
    Lost(u64),
    /// Nothing more comes.
    End,
}

impl<T: Entry> Queue<T> {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self(Guarded::new(Inner {
            entries: VecDeque::new(),
            bytes: 0,
            max_entries,
            max_bytes,
            lost: 0,
            is_closed: false,
            is_lasting: false,
            sleeper: Sleeper::default(),
        }))
    }

    /// A queue that is filled by one session after the other.
    pub(crate) fn lasting(max_entries: usize, max_bytes: usize) -> Self {
        let queue = Self::new(max_entries, max_bytes);
        queue.with(|queue| queue.is_lasting = true);
        queue
    }

    /// Adds an entry; the oldest make room for it. An entry too large for the whole queue still has its
    /// place in it, alone. Returns whom to wake.
    pub(crate) fn push(&self, entry: T) -> Option<Waker> {
        // An entry that waits counts what it keeps alive, so that is its own.
        let entry = entry.detach();
        let cost = entry.size().saturating_add(ENTRY_COST);
        self.with(|queue| {
            if queue.is_closed {
                return None;
            }
            while queue.is_full(cost)
                && let Some((_, cost)) = queue.entries.pop_front()
            {
                queue.bytes -= cost;
                queue.lost += u64::from(cost != MARK_COST);
            }
            queue.bytes += cost;
            queue.entries.push_back((entry, cost));
            queue.sleeper.rouse()
        })
    }

    /// Adds an entry, or gives it back when there is no room. Returns whom to wake.
    pub(crate) fn offer(&self, entry: T) -> Result<Option<Waker>, T> {
        let cost = entry.size().saturating_add(ENTRY_COST);
        self.with(|queue| {
            if queue.is_closed || queue.is_full(cost) {
                return Err(entry);
            }
            queue.bytes += cost;
            let entry = entry.detach();
            queue.entries.push_back((entry, cost));
            Ok(queue.sleeper.rouse())
        })
    }

    /// The next thing in the queue, in order.
    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Popped<T>> {
        let (popped, _replaced) = self.with(|queue| match queue.pop() {
            Some(popped) => (Poll::Ready(popped), None),
            None => (Poll::Pending, queue.sleeper.sleep(cx.waker())),
        });
        popped
    }

    /// Adds a mark, which is not counted when it has to make room. A mark with nothing behind it gives way
    /// to the next one. Returns whom to wake.
    pub(crate) fn mark(&self, mark: T) -> Option<Waker> {
        self.with(|queue| {
            if queue.is_closed {
                return None;
            }
            match queue.entries.back_mut() {
                Some((last, MARK_COST)) => *last = mark,
                _ => queue.entries.push_back((mark, MARK_COST)),
            }
            queue.sleeper.rouse()
        })
    }

    /// The session that fills it is over. Returns whom to wake.
    pub(crate) fn session_ended(&self) -> Option<Waker> {
        self.with(|queue| {
            queue.is_closed |= !queue.is_lasting;
            queue.sleeper.rouse()
        })
    }

    /// Nothing more comes; what is in the queue can still be taken. Returns whom to wake.
    pub(crate) fn close(&self) -> Option<Waker> {
        self.with(|queue| {
            queue.is_closed = true;
            queue.sleeper.rouse()
        })
    }

    /// Closes the queue and takes what is in it.
    pub(crate) fn drain(&self) -> VecDeque<(T, usize)> {
        self.with(|queue| {
            queue.is_closed = true;
            queue.bytes = 0;
            std::mem::take(&mut queue.entries)
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner<T>) -> R) -> R {
        let (result, ()) = self.0.with(|queue, (): &mut ()| act(queue));
        result
    }
}

impl<T> Inner<T> {
    /// Whether there is no room for one more of this cost. There always is for a first one.
    fn is_full(&self, cost: usize) -> bool {
        let is_over = self.bytes.saturating_add(cost) > self.max_bytes;
        !self.entries.is_empty() && (is_over || self.entries.len() >= self.max_entries)
    }

    fn pop(&mut self) -> Option<Popped<T>> {
        if self.lost > 0 {
            return Some(Popped::Lost(std::mem::take(&mut self.lost)));
        }
        match self.entries.pop_front() {
            Some((entry, cost)) => {
                self.bytes -= cost;
                if self.entries.is_empty() && self.entries.capacity() > 64 {
                    self.entries = VecDeque::new();
                }
                Some(Popped::Entry(entry))
            }
            None => self.is_closed.then_some(Popped::End),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry of that many bytes.
    impl Entry for usize {
        fn detach(self) -> Self {
            self
        }

        fn size(&self) -> usize {
            *self
        }
    }

    fn popped(queue: &Queue<usize>) -> Option<Popped<usize>> {
        match queue.poll_pop(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(popped) => Some(popped),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_oldest_entries_make_room_and_are_counted() {
        let queue = Queue::new(2, usize::MAX);
        for entry in 1..=5 {
            queue.push(entry);
        }
        queue.close();
        queue.push(6);
        let all: Vec<_> = std::iter::from_fn(|| popped(&queue)).take(4).collect();
        assert_eq!(all, [Popped::Lost(3), Popped::Entry(4), Popped::Entry(5), Popped::End]);
    }

    #[test]
    fn bytes_count_with_their_overhead() {
        let queue = Queue::new(100, 5 * ENTRY_COST);
        assert_eq!(queue.offer(ENTRY_COST).map(|_| ()), Ok(()));
        assert_eq!(queue.offer(3 * ENTRY_COST).map(|_| ()), Err(3 * ENTRY_COST));
        assert_eq!(queue.offer(10).map(|_| ()), Ok(()));
        assert_eq!(
            (popped(&queue), popped(&queue)),
            (Some(Popped::Entry(ENTRY_COST)), Some(Popped::Entry(10)))
        );
        // There is always room for one.
        assert_eq!(queue.offer(10 * ENTRY_COST).map(|_| ()), Ok(()));
        assert_eq!(queue.offer(0).map(|_| ()), Err(0));
        assert_eq!(queue.drain().len(), 1);
        assert_eq!((popped(&queue), queue.offer(5).map(|_| ())), (Some(Popped::End), Err(5)));
    }

    #[test]
    fn marks_keep_their_place_and_are_not_counted() {
        let queue = Queue::lasting(3, usize::MAX);
        queue.mark(100);
        queue.mark(101);
        queue.push(1);
        queue.session_ended();
        queue.mark(102);
        queue.push(2);
        queue.mark(103);
        queue.push(3);
        queue.close();
        queue.mark(104);
        let all: Vec<_> = std::iter::from_fn(|| popped(&queue)).take(6).collect();
        let expected = [Popped::Lost(1), Popped::Entry(2), Popped::Entry(103), Popped::Entry(3), Popped::End];
        assert_eq!(all[..5], expected);
    }

    #[test]
    fn only_a_lasting_queue_outlives_its_session() {
        let (one, lasting) = (Queue::new(2, usize::MAX), Queue::lasting(2, usize::MAX));
        one.session_ended();
        lasting.session_ended();
        assert_eq!((popped(&one), popped(&lasting)), (Some(Popped::End), None));
    }
}
