//! The reference loop as a subject: `Connection` and `Router` with nothing but the standard library.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use roadbed_core::error::{CloseReason, RequestError};
use roadbed_core::id::{CallId, RegisterId, SessionId, SubscribeId};
use roadbed_core::options::{
    CallOptions, CancelMode, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions,
};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::SessionEvent;
use roadbed_core::uri::Uri;
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::router_loop::RouterLoop;
use roadbed_examples::stream::{Listener, Socket};

use crate::client::{Client, Outcome, Procedure};
use crate::subject::{Joining, Serving, Setup, Subject};
use crate::ways::Way;

pub(crate) struct Loop;

impl Subject for Loop {
    fn name(&self) -> &'static str {
        "loop"
    }

    /// It shows the shape of a loop, and no more.
    fn ways(&self) -> &'static [Way] {
        &Way::PLAIN
    }

    fn serve(&self, setup: Setup, path: &Path) -> Serving {
        let router = RouterLoop::start(setup.config.into_shared());
        let tcp = Listener::bind("rs://127.0.0.1:0").unwrap();
        let port = tcp.url().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        router.listen(tcp);
        router.listen(Listener::bind(&format!("unix:{}", path.display())).unwrap());
        let stats = router.clone();
        Serving {
            port,
            stats: Box::new(move || stats.stats()),
            end: Box::new(move || router.shutdown(Duration::from_secs(5))),
        }
    }

    fn join(&self, url: &str, joining: Joining) -> Result<Box<dyn Client>, Uri> {
        let Joining { config, serializer, .. } = joining;
        let driver = ClientLoop::new(Socket::connect(url).unwrap(), config.build().unwrap(), serializer);
        let mut client = LoopClient {
            driver,
            serializer,
            session: None,
            backlog: VecDeque::new(),
            started: None,
            subscription: None,
            registration: None,
        };
        let ended = client.wait(|event| match event {
            SessionEvent::Joined { session, .. } => Some(Ok(*session)),
            SessionEvent::Closed { reason, .. } => Some(Err(reason.clone())),
            _ => None,
        });
        match ended {
            Ok(session) => {
                client.session = Some(session);
                Ok(Box::new(client))
            }
            Err(CloseReason::Abort { reason, .. }) => Err(reason),
            Err(other) => panic!("{other}"),
        }
    }
}

struct LoopClient {
    driver: ClientLoop,
    serializer: Serializer,
    session: Option<SessionId>,
    /// Events met while something else was awaited.
    backlog: VecDeque<SessionEvent>,
    started: Option<CallId>,
    subscription: Option<SubscribeId>,
    registration: Option<(RegisterId, Procedure)>,
}

fn uri(text: &str) -> Uri {
    Uri::new(text).unwrap()
}

impl LoopClient {
    /// The first event, old or new, that `pick` takes; others stay for later. Invocations are answered.
    fn wait<T>(&mut self, pick: impl Fn(&SessionEvent) -> Option<T>) -> T {
        if let Some(at) = self.backlog.iter().position(|event| pick(event).is_some()) {
            return self.backlog.remove(at).and_then(|event| pick(&event)).unwrap();
        }
        loop {
            let event = self.driver.next_event().unwrap().expect("the connection ended");
            if let Some(found) = pick(&event) {
                return found;
            }
            match (event, self.registration) {
                (SessionEvent::Invocation { invocation, handler, payload, .. }, Some((id, answer)))
                    if handler == id =>
                {
                    let (now, options) = (self.driver.now(), YieldOptions::new());
                    let payload = answer(&payload, self.serializer);
                    self.driver.connection.yield_result(now, invocation, payload, &options).unwrap();
                }
                (event, _) => self.backlog.push_back(event),
            }
        }
    }

    fn send(&mut self, procedure: &str, payload: Payload) -> CallId {
        let now = self.driver.now();
        self.driver.connection.call(now, &uri(procedure), payload, &CallOptions::new()).unwrap()
    }

    fn result(&mut self, call: CallId) -> Outcome {
        let result = self.wait(|event| match event {
            SessionEvent::Result { call: id, result } if *id == call => Some(result.clone()),
            _ => None,
        });
        match result {
            Ok(answer) => Ok(answer.payload),
            Err(RequestError::Wamp(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }
}

impl Client for LoopClient {
    fn serializer(&self) -> Serializer {
        self.serializer
    }

    fn session(&self) -> SessionId {
        self.session.unwrap()
    }

    fn call(&mut self, procedure: &str, payload: Payload) -> Outcome {
        let call = self.send(procedure, payload);
        self.result(call)
    }

    fn start(&mut self, procedure: &str) {
        self.started = Some(self.send(procedure, Payload::EMPTY));
    }

    fn cancel(&mut self, mode: CancelMode) -> Outcome {
        let (call, now) = (self.started.take().unwrap(), self.driver.now());
        self.driver.connection.cancel(now, call, mode).unwrap();
        self.result(call)
    }

    fn publish(&mut self, topic: &str, payload: Payload) {
        let now = self.driver.now();
        let options = PublishOptions::new().acknowledge(true);
        let publish = self.driver.connection.publish(now, &uri(topic), payload, &options).unwrap().unwrap();
        let published = self.wait(|event| match event {
            SessionEvent::Published { publish: id, result } if *id == publish => Some(result.clone()),
            _ => None,
        });
        published.unwrap();
    }

    fn subscribe(&mut self, topic: &str) {
        let now = self.driver.now();
        let handler = self.driver.connection.subscribe(now, &uri(topic), &SubscribeOptions::new()).unwrap();
        let subscribed = self.wait(|event| match event {
            SessionEvent::Subscribed { handler: id, result } if *id == handler => Some(result.clone()),
            _ => None,
        });
        subscribed.unwrap();
        self.subscription = Some(handler);
    }

    fn event(&mut self) -> Payload {
        self.wait(|event| match event {
            SessionEvent::Event { payload, .. } => Some(payload.clone()),
            _ => None,
        })
    }

    fn unsubscribe(&mut self) {
        let (handler, now) = (self.subscription.take().unwrap(), self.driver.now());
        self.driver.connection.unsubscribe(now, handler).unwrap();
        let unsubscribed = self.wait(|event| match event {
            SessionEvent::Unsubscribed { handler: id, result } if *id == handler => Some(result.clone()),
            _ => None,
        });
        unsubscribed.unwrap();
    }

    fn register(&mut self, procedure: &str, answer: Procedure) {
        let now = self.driver.now();
        let handler = self.driver.connection.register(now, &uri(procedure), &RegisterOptions::new()).unwrap();
        let registered = self.wait(|event| match event {
            SessionEvent::Registered { handler: id, result } if *id == handler => Some(result.clone()),
            _ => None,
        });
        registered.unwrap();
        self.registration = Some((handler, answer));
    }

    fn unregister(&mut self) {
        let ((handler, _), now) = (self.registration.take().unwrap(), self.driver.now());
        self.driver.connection.unregister(now, handler).unwrap();
        let unregistered = self.wait(|event| match event {
            SessionEvent::Unregistered { handler: id, result } if *id == handler => Some(result.clone()),
            _ => None,
        });
        unregistered.unwrap();
    }

    fn leave(mut self: Box<Self>) {
        let now = self.driver.now();
        self.driver.connection.leave(now, None).unwrap();
        let clean = self.wait(|event| match event {
            SessionEvent::Closed { clean, .. } => Some(*clean),
            _ => None,
        });
        assert!(clean);
    }
}
