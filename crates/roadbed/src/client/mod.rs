//! Clients: sessions, what can be asked of them, and their drivers.

mod call;
mod connect;
mod event;
mod handler;
mod hooks;
mod invocation;
mod open;
mod publish;
mod queue;
mod register;
mod request;
mod serving;
mod session;
mod settings;
mod shared;
mod state;
mod subscribe;
mod take;
#[cfg(test)]
mod tests;

pub use call::{Call, CallResult, Calling, Returning, ReturningFuture};
pub use connect::{Connect, Connector};
pub use event::{Event, Lagged};
pub use handler::{ArgumentError, HandlerError};
pub use hooks::{Challenge, Closed, UserError};
pub use invocation::Invocation;
pub use open::{Driver, Joining, open};
pub use publish::{Acknowledged, Acknowledging, Publish, Publishing};
pub use register::{
    Invocations, Register, RegisterQueue, Registering, RegisteringQueue, Registration, Unregister,
    Unregistering, WaitInvocations,
};
pub use session::{Leave, Session};
pub use settings::Settings;
pub use subscribe::{Subscribe, Subscribing, Subscription, Unsubscribe, Unsubscribing, Wait};
