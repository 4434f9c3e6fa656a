//! Sessions over an embedded router, under simulated time.

mod basics;
mod connecting;
mod dropping;
mod ending;
mod failing;
mod flushing;
mod forgetting;
mod giving_up;
mod hooks;
mod queues;
mod replacing;
pub(in crate::client) mod revoking;
mod websocket;

use roadbed_core::serializer::Serializer;
use roadbed_core::uri::Uri;

use super::{Invocation, Session, Settings};
use crate::server::Authentication;
use crate::testing::sim::Sim;
use crate::testing::{World, settings};
