//! Registrations that outlive their sessions.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use roadbed_core::options::{InvokePolicy, RegisterOptions};
use roadbed_core::uri::{MatchPolicy, Uri};

use super::declared::{Patience, Standing, Waiter, What};
use super::state::Lasting;
use super::waiting::WhileDisconnected;
use crate::client::request::timeout_setters;
use crate::client::serving::Start;
use crate::client::session::check;
use crate::error::{Error, Operation};
use crate::fuse::Fused;

/// A procedure for every session of a client: await it, `wait()` for it, or [`declare`](Self::declare) it.
///
/// Awaited, it waits for the router to grant it; refused, it fails, and nothing is left of it. Without a session it
/// waits or fails as [`WhileDisconnected`] says, and in all no longer than its timeout; `declare` needs no session.
#[must_use = "nothing is declared before it is awaited"]
pub struct ClientRegister {
    client: Arc<Lasting>,
    waits: WhileDisconnected,
    timeout: Option<Duration>,
    procedure: Uri,
    options: RegisterOptions,
    limit: usize,
    start: Arc<Start>,
}

impl ClientRegister {
    pub(super) fn new(
        client: &Arc<Lasting>,
        waits: WhileDisconnected,
        procedure: Uri,
        start: Arc<Start>,
    ) -> Self {
        let limit = client.queues.invocations;
        let (timeout, options) = (client.request_timeout, RegisterOptions::new());
        Self { client: Arc::clone(client), waits, timeout, procedure, options, limit, start }
    }

    /// How the procedure matches; by default exactly.
    pub const fn matching(mut self, policy: MatchPolicy) -> Self {
        self.options.match_policy = Some(policy);
        self
    }

    /// Which callee of a shared registration is invoked; by default there is only one.
    pub const fn invoke(mut self, policy: InvokePolicy) -> Self {
        self.options.invoke = Some(policy);
        self
    }

    /// How many invocations wait or run at a time. Beyond it callers are told `wamp.error.unavailable`. By
    /// default what the client was set up with.
    pub const fn limit(mut self, invocations: usize) -> Self {
        self.limit = invocations;
        self
    }

    /// Sets every option, in place of what was set before.
    pub fn options(mut self, options: RegisterOptions) -> Self {
        self.options = options;
        self
    }

    /// Declares it and waits for nothing. Where the router refuses it,
    /// [`ClientEvent::Refused`](super::ClientEvent::Refused) says so. While the refusal may pass, as
    /// `wamp.error.procedure_already_exists` does when the router has noticed the end of an earlier session, it
    /// is asked for again as the [`RetryPolicy`](super::RetryPolicy) says.
    ///
    /// # Errors
    /// [`Error::Uri`] when the procedure is no URI, or why the client has ended.
    pub fn declare(self) -> Result<ClientRegistration, Error> {
        self.declare_for(None)
    }

    fn declare_for(self, waiter: Option<Waiter>) -> Result<ClientRegistration, Error> {
        let Self { client, options, limit, start, timeout, .. } = self;
        let procedure = check(self.procedure, options.match_policy.unwrap_or_default())?;
        let what = What::Registration { procedure: procedure.clone(), options, limit, start, timeout };
        Ok(ClientRegistration { procedure, standing: Standing::declare(&client, what, waiter)? })
    }

    /// Waits in this thread. Never do that where a runtime runs its tasks.
    ///
    /// # Errors
    /// As when it is awaited: the router's refusal, [`Error::Uri`], [`Error::Timeout`], or why the client has ended;
    /// and [`Error::WaitInTask`] where the runtime can tell that it would wait for itself.
    pub fn wait(self) -> Result<ClientRegistration, Error> {
        let runtime = Arc::clone(&self.client.runtime);
        crate::park::wait_for(&*runtime, self.into_future())
    }
}

timeout_setters!(ClientRegister, timeout);

impl IntoFuture for ClientRegister {
    type Output = Result<ClientRegistration, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new({
            let patience = Patience {
                client: Arc::clone(&self.client),
                waits: self.waits,
                timeout: self.timeout,
                operation: Operation::Register,
                uri: check(self.procedure.clone(), self.options.match_policy.unwrap_or_default()),
            };
            patience.granted(|waiter| self.declare_for(waiter))
        }))
    }
}

impl std::fmt::Debug for ClientRegister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientRegister").field("procedure", &self.procedure).finish_non_exhaustive()
    }
}

/// A procedure of ours, over all sessions of a client. Dropped, it unregisters; see
/// [`detach`](Self::detach). Invocations that run then are still answered.
#[derive(Debug)]
#[must_use = "dropped, it unregisters at once: keep it, or `detach` it"]
pub struct ClientRegistration {
    procedure: Uri,
    standing: Standing,
}

impl ClientRegistration {
    /// The procedure, as it was declared.
    pub const fn procedure(&self) -> &Uri {
        &self.procedure
    }

    /// Returns whether the present session has it: there is one, the router granted it, and did not take it back.
    pub fn is_active(&self) -> bool {
        self.standing.is_granted()
    }

    /// Gives the handle up and leaves the registration to the client.
    pub fn detach(self) {
        self.standing.detach();
    }
}
