//! Clients: sessions, what can be asked of them, and their drivers.
//!
//! An adapter's [`Connect`] gives a [`Session`]; [`open`] does over a transport that is there already. The
//! session's methods make requests, which are sent when they are awaited, or waited for with `wait()`.
//!
//! A [`Client`] is for longer than one session: it connects anew, and has the same subscriptions and
//! registrations in all of them.

mod attempts;
mod call;
mod connect;
mod ending;
mod event;
mod flush;
mod handler;
mod hooks;
mod invocation;
mod lasting;
mod latch;
mod line;
mod open;
mod opening;
mod publish;
mod queue;
mod register;
mod registration;
mod request;
mod serving;
mod session;
mod settings;
mod shared;
mod state;
mod subscribe;
mod take;
#[cfg(test)]
pub(in crate::client) mod tests;
mod via;
mod waiters;

pub use attempts::{Attempt, Attempts};
pub use call::{Call, CallResult, Calling, Returning, ReturningFuture};
pub use connect::{Connect, Connector};
pub use ending::{Ended, Ending};
pub use event::{Event, Lagged};
pub use flush::{Flush, Flushing};
pub use handler::{ApplicationError, ArgumentError, HandlerError, Internal};
pub use hooks::{Challenge, Closed, UserError};
pub use invocation::Invocation;
pub use lasting::{
    Backoff, Client, ClientBuilder, ClientEvent, ClientRegister, ClientRegistration, ClientSubscribe,
    ClientSubscription, Close, Events, Missed, NextSession, RetryPolicy, WaitClientSubscription, WaitEvents,
    WhileDisconnected,
};
#[cfg(feature = "tls")]
pub use open::open_secure;
pub use open::{Driver, Joining, open};
pub use opening::{OPEN_TIMEOUT, open_in_time};
pub use publish::{Acknowledged, Acknowledging, Publish, Publishing};
pub use register::{Register, RegisterQueue, Registering, RegisteringQueue};
pub use registration::{Invocations, Registration, Unregister, Unregistering, WaitInvocations};
pub use session::{Leave, Session};
pub use settings::Settings;
pub use subscribe::{Subscribe, Subscribing, Subscription, Unsubscribe, Unsubscribing, Wait};
