//! One operation at a time over a perfect network, against a model that knows no ids, no queues and no
//! messages: only who subscribed, who registered, and who waits for whom.

use std::collections::{BTreeMap, BTreeSet};

use roadbed_core::error::{RequestError, uris};
use roadbed_core::id::{RegisterId, SubscribeId};
use roadbed_core::options::CancelMode;
use roadbed_core::uri::Uri;

use crate::app::{App, Phase};
use crate::operation::{Network, Operation, beginning};
use crate::wild::Simulation;

/// How a call ends, as far as the model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Result,
    CalleeError,
    NoProcedure,
    Canceled,
    /// The caller's session ended.
    Ended,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Call {
    caller: usize,
    number: u64,
    callee: usize,
    /// It was canceled in mode `kill`: the callee's answer is awaited.
    is_killed: bool,
}

#[derive(Debug, Default)]
struct Model {
    /// The topic of each handler of each client.
    handlers: BTreeMap<(usize, SubscribeId), u8>,
    /// The procedure of each handler of each client.
    procedures: BTreeMap<(usize, RegisterId), u8>,
    calls: Vec<Call>,
    /// The invocations that a callee's session takes for open: caller, number and callee. It is not told of
    /// calls that were canceled with `skip`.
    open: BTreeSet<(usize, u64, usize)>,
    /// What happens because of the present operation: who receives which event.
    received: BTreeSet<(usize, usize, u64)>,
    /// And which call ends how.
    ended: BTreeSet<(usize, u64, End)>,
}

/// Runs the operations that have an effect here.
pub(crate) fn run(seed: u64, operations: &[Operation]) {
    let (mut simulation, mut model) = (Simulation::new(seed, false), Model::default());
    for operation in beginning().iter().chain(operations) {
        let operation = match operation.clone() {
            Operation::Join { carrier, serializer, .. } => {
                Operation::Join { carrier, serializer, network: Network::Perfect }
            }
            Operation::Call { client, name, size, .. } => {
                Operation::Call { client, name, size, deadline: None }
            }
            Operation::Deaf { .. }
            | Operation::Stall { .. }
            | Operation::Resume { .. }
            | Operation::Cut { .. }
            | Operation::BlackHole { .. }
            | Operation::Step { .. }
            | Operation::Wait { .. } => continue,
            operation => operation,
        };
        let index = client_of(&operation).and_then(|client| simulation.choose(client));
        if let Some(app) = index.map(|index| &simulation.apps[index]) {
            model.predict(app, &operation);
        }
        simulation.perform(&operation);
        simulation.world.drive();
        simulation.check();
        simulation.check_agreement();
        if let Some(app) = index.map(|index| &simulation.apps[index]) {
            model.learn(app, &operation);
        }
        for app in &simulation.apps {
            let open = model.open.iter().filter(|(_, _, callee)| *callee == app.name).count();
            let session = simulation.world.client(app.client).session();
            assert_eq!(session.pending_invocations(), open, "invocations of client {}", app.name);
        }
        model.compare(&mut simulation.apps);
    }
}

fn client_of(operation: &Operation) -> Option<u8> {
    use Operation::*;
    match *operation {
        Leave { client }
        | Kill { client }
        | Subscribe { client, .. }
        | Unsubscribe { client, .. }
        | Publish { client, .. }
        | Register { client, .. }
        | Unregister { client, .. }
        | Call { client, .. }
        | Cancel { client, .. }
        | Answer { client, .. } => Some(client),
        _ => None,
    }
}

fn pick<T>(from: impl ExactSizeIterator<Item = T>, which: u8) -> Option<T> {
    let index = usize::from(which).checked_rem(from.len())?;
    let mut from = from;
    from.nth(index)
}

impl Model {
    /// What will happen.
    fn predict(&mut self, app: &App, operation: &Operation) {
        let me = app.name;
        match *operation {
            Operation::Leave { .. } | Operation::Kill { .. } => self.leave(me),
            Operation::Unsubscribe { which, .. } => {
                if let Some(handler) = pick(app.handlers.keys(), which) {
                    self.handlers.remove(&(me, *handler));
                }
            }
            Operation::Unregister { which, .. } => {
                if let Some(handler) = pick(app.procedures.keys(), which) {
                    self.procedures.remove(&(me, *handler));
                }
            }
            Operation::Publish { name, .. } => {
                let subscribers = self.handlers.iter().filter(|(_, topic)| **topic == name);
                let others = subscribers.map(|((client, _), _)| *client).filter(|client| *client != me);
                self.received.extend(others.map(|client| (client, me, app.last_number() + 1)));
            }
            Operation::Call { name, .. } => {
                let number = app.last_number() + 1;
                match self.callee(name) {
                    Some(callee) => {
                        self.calls.push(Call { caller: me, number, callee, is_killed: false });
                        self.open.insert((me, number, callee));
                    }
                    None => drop(self.ended.insert((me, number, End::NoProcedure))),
                }
            }
            Operation::Cancel { which, mode, .. } => {
                let number = pick(app.calls.values(), which).copied();
                let call =
                    self.calls.iter_mut().find(|call| call.caller == me && Some(call.number) == number);
                // Who waits for the callee after `kill` may stop waiting; the callee is not told twice.
                let counts = |call: &Call| !call.is_killed || mode == CancelMode::KillNoWait;
                let Some(call) = call.filter(|call| counts(call)) else { return };
                let was_killed = std::mem::replace(&mut call.is_killed, true);
                if mode != CancelMode::Kill {
                    let &mut Call { number, callee, .. } = call;
                    self.end(me, number, End::Canceled);
                    if mode == CancelMode::KillNoWait && !was_killed {
                        self.open.remove(&(me, number, callee));
                    }
                }
            }
            Operation::Answer { which, is_error, .. } => {
                let Some(payload) = pick(app.invocations.values(), which) else { return };
                let caller: usize = payload.arg(0).expect("an invocation names its caller");
                let number: u64 = payload.arg(1).expect("an invocation has a number");
                self.open.remove(&(caller, number, me));
                self.end(caller, number, if is_error { End::CalleeError } else { End::Result });
            }
            _ => {}
        }
    }

    /// A call ends, if it has not already.
    fn end(&mut self, caller: usize, number: u64, end: End) {
        let before = self.calls.len();
        self.calls.retain(|call| (call.caller, call.number) != (caller, number));
        if self.calls.len() < before {
            self.ended.insert((caller, number, end));
        }
    }

    fn leave(&mut self, me: usize) {
        self.handlers.retain(|(client, _), _| *client != me);
        self.procedures.retain(|(client, _), _| *client != me);
        self.open.retain(|(_, _, callee)| *callee != me);
        for call in self.calls.clone() {
            if call.caller == me {
                // Who was told to stop and answer is not told again.
                if !call.is_killed {
                    self.open.remove(&(me, call.number, call.callee));
                }
                self.end(me, call.number, End::Ended);
            } else if call.callee == me {
                self.end(call.caller, call.number, End::Canceled);
            }
        }
    }

    fn callee(&self, name: u8) -> Option<usize> {
        let entry = self.procedures.iter().find(|(_, procedure)| **procedure == name);
        entry.map(|((client, _), _)| *client)
    }

    /// Which handlers there are now: their ids are not for the model to know.
    fn learn(&mut self, app: &App, operation: &Operation) {
        let me = app.name;
        match *operation {
            Operation::Subscribe { name, .. } => {
                let known = app.handlers.keys().filter(|id| !self.handlers.contains_key(&(me, **id)));
                let new: Vec<_> = known.copied().collect();
                assert_eq!(new.len(), 1, "SUBSCRIBE gives one handler");
                self.handlers.extend(new.into_iter().map(|id| ((me, id), name)));
            }
            Operation::Register { name, .. } => {
                let is_free = self.callee(name).is_none();
                let known = app.procedures.keys().filter(|id| !self.procedures.contains_key(&(me, **id)));
                let new: Vec<_> = known.copied().collect();
                assert_eq!(new.len(), usize::from(is_free), "REGISTER succeeds exactly if the name is free");
                self.procedures.extend(new.into_iter().map(|id| ((me, id), name)));
            }
            _ => {}
        }
    }

    /// What happened is what was predicted.
    fn compare(&mut self, apps: &mut [App]) {
        let (mut received, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for app in apps {
            for (publisher, number) in app.received.drain(..) {
                assert!(received.insert((app.name, publisher, number)), "an event came twice");
            }
            for (number, error) in app.results.drain(..) {
                assert!(ended.insert((app.name, number, classify(error))), "a call ended twice");
            }
            assert_ne!(app.state, Phase::Joining, "a client is let in at once");
            let mine = |call: &&Call| call.callee == app.name;
            for call in self.calls.iter().filter(mine) {
                let is_there = app.invocations.values().any(|payload| {
                    (payload.arg(0).ok(), payload.arg(1).ok()) == (Some(call.caller), Some(call.number))
                });
                assert!(is_there, "client {} was not invoked for {call:?}", app.name);
            }
        }
        assert_eq!(received, std::mem::take(&mut self.received), "events, and those expected");
        assert_eq!(ended, std::mem::take(&mut self.ended), "ends of calls, and those expected");
    }
}

fn classify(error: Option<RequestError>) -> End {
    let known: [(&Uri, End); 3] = [
        (&uris::NO_SUCH_PROCEDURE, End::NoProcedure),
        (&uris::CANCELED, End::Canceled),
        (&uris::INVALID_ARGUMENT, End::CalleeError),
    ];
    match error {
        None => End::Result,
        Some(RequestError::Ended(_)) => End::Ended,
        Some(RequestError::Wamp(error)) => {
            let found = known.iter().find(|(uri, _)| **uri == error.uri);
            found.unwrap_or_else(|| panic!("{error}")).1
        }
        Some(other) => panic!("{other}"),
    }
}
