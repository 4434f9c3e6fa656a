//! A Roadbed client over the reference loop that waits for one answer at a time.

use std::collections::VecDeque;

use roadbed_core::error::{CommandError, RequestError};
use roadbed_core::id::{CallId, InvocationId};
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::stream::Socket;

pub(crate) struct Client {
    pub(crate) driver: ClientLoop,
    pub(crate) serializer: Serializer,
    /// Events met while something else was awaited.
    backlog: VecDeque<SessionEvent>,
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::new(text).unwrap()
}

impl Client {
    /// Connects and joins.
    pub(crate) fn join(url: &str, config: ClientConfig, serializer: Serializer) -> Self {
        let socket = Socket::connect(url).unwrap();
        let driver = ClientLoop::new(socket, config.build().unwrap(), serializer);
        let mut client = Self { driver, serializer, backlog: VecDeque::new() };
        client.wait(|event| matches!(event, SessionEvent::Joined { .. }).then_some(()));
        client
    }

    /// The first event, old or new, that `pick` takes; others stay for later.
    pub(crate) fn wait<T>(&mut self, pick: impl Fn(&SessionEvent) -> Option<T>) -> T {
        if let Some(at) = self.backlog.iter().position(|event| pick(event).is_some()) {
            return self.backlog.remove(at).and_then(|event| pick(&event)).unwrap();
        }
        loop {
            let event = self.driver.next_event().unwrap().expect("the connection ended");
            match pick(&event) {
                Some(found) => return found,
                None => self.backlog.push_back(event),
            }
        }
    }

    pub(crate) fn call(&mut self, procedure: &str, payload: Payload) -> Result<CallId, CommandError> {
        let now = self.driver.now();
        self.driver.connection.call(now, &uri(procedure), payload, &CallOptions::new())
    }

    /// How a call ends.
    pub(crate) fn result(&mut self, call: CallId) -> Result<Payload, RequestError> {
        self.wait(|event| match event {
            SessionEvent::Result { call: id, result } if *id == call => {
                Some(result.clone().map(|answer| answer.payload))
            }
            _ => None,
        })
    }

    /// Calls and waits.
    pub(crate) fn ask(&mut self, procedure: &str, payload: Payload) -> Result<Payload, RequestError> {
        let call = self.call(procedure, payload).unwrap();
        self.result(call)
    }

    /// Publishes with acknowledgement and waits for it.
    pub(crate) fn publish(&mut self, topic: &str, payload: Payload) {
        let now = self.driver.now();
        let options = PublishOptions::new().acknowledge(true);
        let publish = self.driver.connection.publish(now, &uri(topic), payload, &options).unwrap().unwrap();
        let published = self.wait(|event| match event {
            SessionEvent::Published { publish: id, result } if *id == publish => Some(result.clone()),
            _ => None,
        });
        published.unwrap();
    }

    /// Subscribes and waits.
    pub(crate) fn subscribe(&mut self, topic: &str) -> roadbed_core::id::SubscribeId {
        let now = self.driver.now();
        let handler = self.driver.connection.subscribe(now, &uri(topic), &SubscribeOptions::new()).unwrap();
        let subscribed = self.wait(|event| match event {
            SessionEvent::Subscribed { handler: id, result } if *id == handler => Some(result.clone()),
            _ => None,
        });
        subscribed.unwrap();
        handler
    }

    /// The payload of the next event.
    pub(crate) fn event(&mut self) -> Payload {
        self.wait(|event| match event {
            SessionEvent::Event { payload, .. } => Some(payload.clone()),
            _ => None,
        })
    }

    /// Registers and waits.
    pub(crate) fn register(&mut self, procedure: &str) -> roadbed_core::id::RegisterId {
        let now = self.driver.now();
        let handler = self.driver.connection.register(now, &uri(procedure), &RegisterOptions::new()).unwrap();
        let registered = self.wait(|event| match event {
            SessionEvent::Registered { handler: id, result } if *id == handler => Some(result.clone()),
            _ => None,
        });
        registered.unwrap();
        handler
    }

    /// The next invocation.
    pub(crate) fn invocation(&mut self) -> (InvocationId, Payload) {
        self.wait(|event| match event {
            SessionEvent::Invocation { invocation, payload, .. } => Some((*invocation, payload.clone())),
            _ => None,
        })
    }

    pub(crate) fn answer(&mut self, invocation: InvocationId, payload: Payload) {
        let now = self.driver.now();
        self.driver.connection.yield_result(now, invocation, payload, &YieldOptions::new()).unwrap();
    }

    /// Says GOODBYE and waits for the end, which has to be a clean one.
    pub(crate) fn leave(mut self) {
        let now = self.driver.now();
        self.driver.connection.leave(now, None).unwrap();
        let clean = self.wait(|event| match event {
            SessionEvent::Closed { clean, .. } => Some(*clean),
            _ => None,
        });
        assert!(clean);
    }
}
