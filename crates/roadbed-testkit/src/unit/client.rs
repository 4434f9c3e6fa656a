//! One client of a [`TestRouter`](super::TestRouter).

use std::rc::Rc;

use roadbed_core::connection::Connection;
use roadbed_core::error::{CloseReason, PayloadError, RequestError, WampError, uris};
use roadbed_core::id::{RegisterId, SessionId};
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::SessionEvent;
use roadbed_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Handler, Shared, TestSubscription, uri};
use crate::world::ClientId;

/// A client that has joined a [`TestRouter`](super::TestRouter).
#[derive(Clone)]
pub struct TestClient {
    shared: Rc<Shared>,
    id: ClientId,
}

impl TestClient {
    pub(super) const fn new(shared: Rc<Shared>, id: ClientId) -> Self {
        Self { shared, id }
    }

    /// Its name in the [world](super::TestRouter::world) underneath.
    pub const fn id(&self) -> ClientId {
        self.id
    }

    /// Its session; `None` after the end.
    pub fn session_id(&self) -> Option<SessionId> {
        self.with(|connection, _| connection.session().session_id())
    }

    /// Gives any command to the connection, or asks it something.
    pub fn with<T>(&self, command: impl FnOnce(&mut Connection, Timestamp) -> T) -> T {
        self.shared.world.borrow_mut().with(self.id, command)
    }

    /// Registers a function under a name, and waits until it is. Its argument is the whole list of args, as
    /// a tuple; its result is the one element of the result's args. It may call as well, also itself.
    ///
    /// ```
    /// use roadbed_core::error::{RequestError, WampError};
    /// use roadbed_core::uri::Uri;
    /// use roadbed_testkit::TestRouter;
    ///
    /// let router = TestRouter::new("realm1");
    /// let client = router.join();
    /// let me = client.clone();
    /// client.register_fn("com.example.factorial", move |(n,): (u64,)| {
    ///     if n > 20 {
    ///         return Err(WampError::new(Uri::from_static("com.example.too_large")));
    ///     }
    ///     Ok(if n == 0 { 1 } else { n * me.call::<u64>("com.example.factorial", &(n - 1,)).unwrap() })
    /// });
    /// assert_eq!(client.call::<u64>("com.example.factorial", &(10,)), Ok(3_628_800));
    /// let Err(RequestError::Wamp(error)) = client.call::<u64>("com.example.factorial", &(21,)) else { panic!() };
    /// assert_eq!(error.uri.as_str(), "com.example.too_large");
    /// ```
    ///
    /// # Panics
    /// When it is refused. When the function panics.
    #[track_caller]
    pub fn register_fn<A: DeserializeOwned, R: Serialize>(
        &self,
        procedure: &str,
        function: impl Fn(A) -> Result<R, WampError> + 'static,
    ) -> RegisterId {
        let handler: Handler = Rc::new(move |payload, serializer| {
            let args = payload.args().map_err(|error| refusal(&error, serializer))?;
            let result = function(args)?;
            Payload::from_args(serializer, &(result,)).map_err(|error| refusal(&error, serializer))
        });
        let procedure = uri(procedure);
        let id = self.with(|connection, now| connection.register(now, &procedure, &RegisterOptions::new()));
        let id = id.unwrap_or_else(|error| panic!("{procedure} cannot be registered: {error}"));
        self.desk(|desk| desk.procedures.insert(id, handler));
        let result = self.shared.wait(self.id, |event| match event {
            SessionEvent::Registered { handler, result } if *handler == id => Some(result.clone()),
            _ => None,
        });
        if let Err(error) = result {
            panic!("{procedure} is not registered: {error}");
        }
        id
    }

    /// Calls a procedure and waits for the result, which is the first of its args: `()` when it does not
    /// matter.
    ///
    /// # Errors
    /// What the callee or the router answered.
    ///
    /// # Panics
    /// When the command is refused, or the result is no `R`.
    #[track_caller]
    pub fn call<R: DeserializeOwned>(
        &self,
        procedure: &str,
        args: &impl Serialize,
    ) -> Result<R, RequestError> {
        let payload = self.call_raw(procedure, self.payload(args))?;
        let result = if payload.raw_args().is_none() { payload.args() } else { payload.arg(0) };
        Ok(result.unwrap_or_else(|error| panic!("the result of {procedure}: {error}")))
    }

    /// Calls a procedure with any payload and waits for the payload of the result.
    ///
    /// # Errors
    /// What the callee or the router answered.
    ///
    /// # Panics
    /// When the command is refused.
    #[track_caller]
    pub fn call_raw(&self, procedure: &str, payload: Payload) -> Result<Payload, RequestError> {
        let procedure = uri(procedure);
        let call =
            self.with(|connection, now| connection.call(now, &procedure, payload, &CallOptions::new()));
        let call = call.unwrap_or_else(|error| panic!("{procedure} cannot be called: {error}"));
        self.shared.wait(self.id, |event| match event {
            SessionEvent::Result { call: ended, result } if *ended == call => {
                Some(result.clone().map(|answer| answer.payload))
            }
            _ => None,
        })
    }

    /// Subscribes to a topic and waits until it is. The events are kept.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn subscribe(&self, topic: &str) -> TestSubscription {
        let topic = uri(topic);
        let id = self.with(|connection, now| connection.subscribe(now, &topic, &SubscribeOptions::new()));
        let id = id.unwrap_or_else(|error| panic!("{topic} cannot be subscribed: {error}"));
        let result = self.shared.wait(self.id, |event| match event {
            SessionEvent::Subscribed { handler, result } if *handler == id => Some(result.clone()),
            _ => None,
        });
        match result {
            Ok(_) => TestSubscription::new(self.clone(), id),
            Err(error) => panic!("{topic} is not subscribed: {error}"),
        }
    }

    /// Publishes an event and waits until the router has it, and its subscribers too.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn publish(&self, topic: &str, args: &impl Serialize) {
        let (topic, payload) = (uri(topic), self.payload(args));
        let options = PublishOptions::new().acknowledge(true);
        let id = self.with(|connection, now| connection.publish(now, &topic, payload, &options));
        let id = id.unwrap_or_else(|error| panic!("{topic} cannot be published to: {error}"));
        let result = self.shared.wait(self.id, |event| match event {
            SessionEvent::Published { publish, result } if Some(*publish) == id => Some(result.clone()),
            _ => None,
        });
        if let Err(error) = result {
            panic!("{topic} was not published to: {error}");
        }
    }

    /// Leaves, and waits for the end. Returns why it ended: usually GOODBYE.
    #[track_caller]
    pub fn leave(&self) -> CloseReason {
        self.with(Connection::close);
        self.shared.wait(self.id, |event| match event {
            SessionEvent::Closed { reason, .. } => Some(reason.clone()),
            _ => None,
        })
    }

    /// The transport breaks, without a word: what else can end a session.
    pub fn vanish(&self) {
        self.shared.world.borrow_mut().kill(self.id);
        self.shared.settle();
    }

    /// Why it ended; `None` while it has not.
    pub fn closed(&self) -> Option<CloseReason> {
        self.shared.settle();
        self.desk(|desk| desk.closed.clone())
    }

    pub(super) fn desk<T>(&self, look: impl FnOnce(&mut super::Desk) -> T) -> T {
        look(self.shared.desks.borrow_mut().entry(self.id).or_default())
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[track_caller]
    fn payload(&self, args: &impl Serialize) -> Payload {
        let serializer = self.with(|connection, _| connection.serializer()).unwrap_or(Serializer::Cbor);
        match Payload::from_args(serializer, args) {
            Ok(payload) => payload,
            Err(error) => panic!("the args: {error}"),
        }
    }
}

/// The answer to args that are not what a function takes, or when its result cannot be encoded.
fn refusal(error: &PayloadError, serializer: Serializer) -> WampError {
    let text = Payload::from_args(serializer, &(error.to_string(),)).unwrap_or_default();
    WampError::with_payload(uris::INVALID_ARGUMENT.clone(), text)
}
