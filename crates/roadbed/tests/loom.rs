//! The handshake between who changes a state and who sleeps, under every interleaving: the lock and the sleeper of
//! `guard.rs`, as they ship, around a small queue in place of a connection. That connections and routers use them
//! rightly is what the fuzz targets `session_driver` and `router_driver` check.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p roadbed --test loom --release`
#![cfg(loom)]

#[path = "../src/guard.rs"]
mod guard;
#[path = "../src/server/mailbox.rs"]
mod mailbox;

mod sync {
    pub(crate) use loom::sync::Mutex;
}

use std::collections::VecDeque;
use std::task::Waker;

use guard::{Guarded, Sleeper};
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use mailbox::{Mail, Mailbox};

/// A queue with a sleeping driver, the way sessions and routers have one.
#[derive(Default)]
struct Queue {
    output: VecDeque<u32>,
    /// Those who may still give commands.
    handles: usize,
    sleeper: Sleeper,
}

/// Changes the queue, then wakes whoever sleeps.
fn command(queue: &Guarded<Queue>, change: impl FnOnce(&mut Queue)) {
    let ((), wakers) = queue.with(|queue, wakers: &mut Vec<Waker>| {
        change(queue);
        if queue.sleeper.is_asleep() {
            wakers.extend(queue.sleeper.rouse());
        }
    });
    wakers.into_iter().for_each(Waker::wake);
}

/// Takes everything until the end, sleeping whenever there is nothing.
fn drive(queue: &Guarded<Queue>) -> Vec<u32> {
    let mut taken = Vec::new();
    block_on(std::future::poll_fn(|cx| {
        loop {
            let (next, _) = queue.with(|queue, replaced: &mut Option<Waker>| {
                queue.sleeper.awake(cx.waker());
                let next = queue.output.pop_front();
                if next.is_none() && queue.handles > 0 {
                    *replaced = queue.sleeper.sleep(cx.waker());
                }
                (next, queue.handles == 0)
            });
            match next {
                (Some(item), _) => taken.push(item),
                (None, true) => return std::task::Poll::Ready(()),
                (None, false) => return std::task::Poll::Pending,
            }
        }
    }));
    taken
}

#[test]
fn no_wake_up_is_lost() {
    loom::model(|| {
        let queue = Arc::new(Guarded::new(Queue { handles: 1, ..Queue::default() }));
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                command(&queue, |queue| queue.output.push_back(1));
                command(&queue, |queue| queue.output.push_back(2));
                command(&queue, |queue| queue.handles = 0);
            })
        };
        assert_eq!(drive(&queue), [1, 2]);
        producer.join().unwrap();
    });
}

#[test]
fn two_handles_wake_one_driver() {
    loom::model(|| {
        let queue = Arc::new(Guarded::new(Queue { handles: 2, ..Queue::default() }));
        let handles: Vec<_> = (1..=2)
            .map(|item| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    command(&queue, |queue| {
                        queue.output.push_back(item);
                        queue.handles -= 1;
                    });
                })
            })
            .collect();
        let mut taken = drive(&queue);
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
}

/// A connection with a layer under it, each behind its own lock, and one driver for both.
#[test]
fn a_driver_sleeps_for_two_locks_at_once() {
    loom::model(|| {
        let inner = Arc::new(Guarded::new(Queue { handles: 1, ..Queue::default() }));
        let layer = Arc::new(Guarded::new(Queue { handles: 1, ..Queue::default() }));
        let producers: Vec<_> = [(&inner, 1), (&layer, 2)]
            .map(|(queue, item)| {
                let queue = Arc::clone(queue);
                thread::spawn(move || {
                    command(&queue, |queue| {
                        queue.output.push_back(item);
                        queue.handles = 0;
                    });
                })
            })
            .into_iter()
            .collect();
        // The connection is asked, and sleeps, before the layer is: what the layer has to say since is seen then.
        let mut taken = Vec::new();
        block_on(std::future::poll_fn(|cx| {
            loop {
                let mut is_over = true;
                let mut next = None;
                for queue in [&inner, &layer] {
                    if next.is_none() {
                        (next, _) = queue.with(|queue, replaced: &mut Option<Waker>| {
                            let next = queue.output.pop_front();
                            if next.is_none() && queue.handles > 0 {
                                *replaced = queue.sleeper.sleep(cx.waker());
                                is_over = false;
                            }
                            next
                        });
                    }
                }
                match next {
                    Some(item) => taken.push(item),
                    None if is_over => return std::task::Poll::Ready(()),
                    None => return std::task::Poll::Pending,
                }
            }
        }));
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// A router's peer: what waits for it is behind the router's lock, its port behind one of its own, and the driver
/// sleeps by its mailbox. Another peer queues two messages, each under the router's lock, where the note is left too.
#[test]
fn a_peer_that_becomes_ready_between_its_exchange_and_its_sleep_is_woken() {
    loom::model(|| {
        let router = Arc::new(Guarded::new(VecDeque::new()));
        let mailbox = Arc::new(Mailbox::new());
        let port = Guarded::new(Vec::new());
        let other = {
            let (router, mailbox) = (Arc::clone(&router), Arc::clone(&mailbox));
            thread::spawn(move || {
                for message in [1, 2] {
                    let ((), wakers) = router.with(|queue, wakers: &mut Vec<Waker>| {
                        queue.push_back(message);
                        wakers.extend(mailbox.post(Mail { is_ready: true, ..Mail::default() }));
                    });
                    wakers.into_iter().for_each(Waker::wake);
                }
            })
        };
        block_on(std::future::poll_fn(|cx| {
            let (is_done, ()) = port.with(|taken: &mut Vec<u32>, (): &mut ()| {
                loop {
                    if taken.len() == 2 {
                        return true;
                    }
                    // As the driver does: nothing to write, nothing to hand over; so a look, or sleep.
                    if mailbox.take_or_sleep(cx.waker(), &mut Vec::new()).is_none() {
                        return false;
                    }
                    router.with(|queue: &mut VecDeque<u32>, (): &mut ()| taken.extend(queue.drain(..)));
                }
            });
            if is_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }));
        let (taken, ()) = port.with(|taken, (): &mut ()| taken.clone());
        assert_eq!(taken, [1, 2]);
        other.join().unwrap();
    });
}

/// The end of everything reaches a driver that is about to sleep.
#[test]
fn a_connection_that_is_given_up_is_woken() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let other = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                for mail in
                    [Mail { is_ready: true, ..Mail::default() }, Mail { is_lost: true, ..Mail::default() }]
                {
                    mailbox.post(mail).into_iter().for_each(Waker::wake);
                }
            })
        };
        block_on(std::future::poll_fn(|cx| {
            while let Some(mail) = mailbox.take_or_sleep(cx.waker(), &mut Vec::new()) {
                if mail.is_lost {
                    return std::task::Poll::Ready(());
                }
            }
            std::task::Poll::Pending
        }));
        other.join().unwrap();
    });
}

/// The lobby and a shard are behind locks of their own, so both may leave a note at once: neither hides the other.
#[test]
fn notes_of_the_lobby_and_of_a_shard_both_arrive() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let post = |mail: Mail| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.post(mail).into_iter().for_each(Waker::wake))
        };
        let lobby = post(Mail { is_called: true, ..Mail::default() });
        let shard = post(Mail { is_ready: true, ..Mail::default() });
        let mut seen = Mail::default();
        block_on(std::future::poll_fn(|cx| {
            while let Some(mail) = mailbox.take_or_sleep(cx.waker(), &mut Vec::new()) {
                seen.is_called |= mail.is_called;
                seen.is_ready |= mail.is_ready;
                if seen.is_called && seen.is_ready {
                    return std::task::Poll::Ready(());
                }
            }
            std::task::Poll::Pending
        }));
        lobby.join().unwrap();
        shard.join().unwrap();
    });
}
