//! How a client is set up.

use std::sync::Arc;

use super::dial::{Dial, InTask, InThread};
use super::retry::RetryPolicy;
use super::state::Lasting;
use super::supervise::{RetryIf, Supervisor};
use super::{Client, WhileDisconnected};
use crate::blocking::BlockingConnector;
use crate::client::attempts::Attempts;
use crate::client::connect::{Connect, Connector};
use crate::client::settings::Settings;
use crate::error::Error;

/// A [`Client`] to be started: set what is needed, and [`start`](Self::start) it.
///
/// It has every setting of [`Connect`]; they hold for every session, hooks included.
#[must_use = "nothing is connected before it is started"]
pub struct ClientBuilder {
    dial: Arc<dyn Dial>,
    urls: Vec<String>,
    pub(crate) settings: Settings,
    policy: RetryPolicy,
    retry_if: Option<RetryIf>,
    waits: WhileDisconnected,
}

impl<C: Connector> Connect<C> {
    /// A client that connects like this again and again, instead of one session.
    pub fn into_client(self) -> ClientBuilder {
        ClientBuilder::new(Arc::new(InTask(self.connector)), self.urls, self.settings)
    }
}

impl<C: BlockingConnector> Connect<C> {
    /// As [`into_client`](Self::into_client), for adapters whose sockets wait: each attempt to connect has a
    /// thread of its own.
    pub fn into_client_on_threads(self) -> ClientBuilder {
        ClientBuilder::new(Arc::new(InThread(Arc::new(self.connector))), self.urls, self.settings)
    }
}

impl ClientBuilder {
    fn new(dial: Arc<dyn Dial>, urls: Vec<String>, settings: Settings) -> Self {
        let (policy, waits) = (RetryPolicy::new(), WhileDisconnected::default());
        Self { dial, urls, settings, policy, retry_if: None, waits }
    }

    /// Names one more address; see [`Connect::or`]. Every attempt begins with the first.
    pub fn or(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Sets everything of the sessions anew.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets when to connect anew, and when to give up.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Lets `decide` say, in place of the table of [`RetryPolicy`], whether to connect anew after an attempt or
    /// a session that ended with an error. The policy still counts attempts.
    ///
    /// ```
    /// # fn example(builder: roadbed::client::ClientBuilder) -> roadbed::client::ClientBuilder {
    /// // This router has its realms a while after its sockets.
    /// builder.retry_if(|error| {
    ///     error.is_retryable() || error.uri().is_some_and(|uri| uri.as_str() == "wamp.error.no_such_realm")
    /// })
    /// # }
    /// ```
    pub fn retry_if(mut self, decide: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.retry_if = Some(Arc::new(decide));
        self
    }

    /// Sets what becomes of requests while there is no session. By default they
    /// [wait for the first one](WhileDisconnected::WaitForFirst), and without a later one calls and publications fail.
    pub const fn while_disconnected(mut self, waits: WhileDisconnected) -> Self {
        self.waits = waits;
        self
    }

    /// Begins to connect, in a task of its own, and does not wait for it: requests do, see [`WhileDisconnected`]; so
    /// does [`Client::session`].
    ///
    /// With an adapter of a runtime that has to be in that runtime, as for its sockets.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Config`] when an address or a setting cannot work.
    pub fn start(self) -> Result<Client, Error> {
        let Self { dial, urls, settings, policy, retry_if, waits } = self;
        // All of it is checked once more with every attempt, and comes out the same.
        drop(Attempts::new(&urls, &settings)?);
        drop(settings.config.clone().build()?);
        let runtime = dial.runtime();
        let preferred =
            settings.serializers.first().copied().unwrap_or(roadbed_core::serializer::Serializer::Cbor);
        let client = Lasting::new(Arc::clone(&runtime), settings.request_timeout, settings.queues, preferred);
        let client = Arc::new(client);
        let handle = Client::new(Arc::clone(&client), waits);
        let timer = runtime.timer();
        let supervisor =
            Supervisor { client, dial, urls, settings: Arc::new(settings), policy, retry_if, timer };
        runtime.spawn(Box::pin(supervisor.run()));
        Ok(handle)
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("settings", &self.settings)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
