//! Registrations that outlive their sessions.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use roadbed_core::options::{InvokePolicy, RegisterOptions};
use roadbed_core::uri::{MatchPolicy, Uri};

use super::declared::{Standing, Waiter, What, granted};
use super::state::Lasting;
use crate::client::serving::Start;
use crate::client::session::check;
use crate::error::Error;
use crate::fuse::Fused;

/// A procedure for every session of a client: await it, `wait()` for it, or [`declare`](Self::declare) it.
///
/// Awaited, it waits for a session, and for the router to grant it; refused, it fails, and nothing is left
/// of it.
#[must_use = "nothing is declared before it is awaited"]
pub struct ClientRegister {
    client: Arc<Lasting>,
    procedure: Uri,
    options: RegisterOptions,
    limit: usize,
    start: Arc<Start>,
}

impl ClientRegister {
    pub(super) fn new(client: &Arc<Lasting>, procedure: Uri, start: Arc<Start>) -> Self {
        let limit = client.queues.invocations;
        Self { client: Arc::clone(client), procedure, options: RegisterOptions::new(), limit, start }
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
        let Self { client, options, limit, start, .. } = self;
        let procedure = check(self.procedure, options.match_policy.unwrap_or_default())?;
        let what = What::Registration { procedure: procedure.clone(), options, limit, start };
        Ok(ClientRegistration { procedure, standing: Standing::declare(&client, what, waiter)? })
    }

    /// Waits in this thread. Never do that where a runtime runs its tasks.
    ///
    /// # Errors
    /// As when it is awaited: the router's refusal, [`Error::Uri`], or why the client has ended.
    pub fn wait(self) -> Result<ClientRegistration, Error> {
        crate::park::block_on(self.into_future())
    }
}

impl IntoFuture for ClientRegister {
    type Output = Result<ClientRegistration, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Fused::new(granted(|waiter| self.declare_for(waiter))))
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

    /// Gives the handle up and leaves the registration to the client.
    pub fn detach(self) {
        self.standing.detach();
    }
}
