//! How a router's change reaches the driver of a peer that sleeps.
//!
//! A driver looks at three things before it sleeps: its port, its router, and this. The first two are behind locks of
//! their own, so the router's change could come between the look at the router and the decision to sleep. A mailbox
//! closes that gap: whoever changes something for a peer leaves a note in it, while the router is locked; and the
//! decision to sleep, with the waker, is made under the mailbox's lock, which sees whether there is a note.
//!
//! The lock is the innermost one: nothing else is locked while it is held. The file stands on `guard.rs` alone, so that
//! the model checker can be given it.

use std::task::Waker;

use crate::guard::{Guarded, Sleeper};

/// What a driver finds in its mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mail {
    /// The lobby may have something for the connection: exchange with it.
    pub(crate) is_called: bool,
    /// The shard may have something for the peer: exchange with it.
    pub(crate) is_ready: bool,
    /// The connection is given up.
    pub(crate) is_lost: bool,
}

#[derive(Debug, Default)]
struct State {
    mail: Mail,
    sleeper: Sleeper,
}

/// What others have to say to the driver of a peer.
#[derive(Debug)]
pub(crate) struct Mailbox(Guarded<State>);

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self(Guarded::new(State::default()))
    }

    /// Leaves a note, and says who is to be woken when the locks are free. Notes do not pile up.
    pub(crate) fn post(&self, mail: Mail) -> Option<Waker> {
        let (waker, ()) = self.0.with(|state, (): &mut ()| {
            state.mail.is_called |= mail.is_called;
            state.mail.is_ready |= mail.is_ready;
            state.mail.is_lost |= mail.is_lost;
            state.sleeper.rouse()
        });
        waker
    }

    /// Takes what there is; or, if there is nothing, stores the waker, and the driver may sleep. The waker that it
    /// replaces is left in `replaced`, to be dropped when the locks are free.
    pub(crate) fn take_or_sleep(&self, waker: &Waker, replaced: &mut Vec<Waker>) -> Option<Mail> {
        let (mail, ()) = self.0.with(|state, (): &mut ()| {
            let mail = std::mem::take(&mut state.mail);
            if mail == Mail::default() {
                replaced.extend(state.sleeper.sleep(waker));
                return None;
            }
            Some(mail)
        });
        mail
    }
}
