//! What the application asks a connection to do.

use std::fmt::Debug;
use std::time::Duration;

use roadbed_core::error::{CommandError, WampError, uris};
use roadbed_core::options::{
    CallOptions, CancelMode, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions,
};
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::time::UnixMicros;
use roadbed_core::uri::Uri;

use super::World;
use crate::check_text;
use crate::source::Source;

impl World {
    pub(super) fn command(&mut self, source: &mut Source<'_>) {
        let (queued, was_writable) = (self.connection.queued(), self.connection.is_writable());
        let before = self.connection.session().pending_requests();
        let told = self.told;
        match self.try_command(source) {
            Ok(true) => {}
            Ok(false) => self.told = told,
            Err(error) => {
                check_text(&error);
                assert_eq!(self.connection.queued(), queued, "{error}: something was sent");
                assert_eq!(
                    self.connection.session().pending_requests(),
                    before,
                    "{error}: something was begun"
                );
                assert_eq!(self.connection.is_writable(), was_writable);
                assert!(self.is_joined || !matches!(error, CommandError::WouldBlock { .. }));
            }
        }
    }

    /// Whether there was anything to do.
    fn try_command(&mut self, source: &mut Source<'_>) -> Result<bool, CommandError> {
        let now = self.tell();
        let connection = &mut self.connection;
        let uri = Uri::from_static(source.choose(&["com.a", "com.b", "com.a", "com..b"]));
        match source.below(20) {
            0..=2 => {
                let mut options = CallOptions::new();
                options.timeout = source.flag().then_some(100);
                let call = connection.call(now, &uri, payload(self.serializer, source), &options)?;
                self.calls.push(call);
                if source.below(4) == 0 {
                    let deadline = self.now + Duration::from_millis(source.number() % 9000);
                    self.connection.set_call_deadline(call, Some(deadline))?;
                }
                self.begun("call", call);
            }
            3 | 4 => {
                let Some(&call) = pick(source, &self.calls) else { return Ok(false) };
                let mode = source.choose(&[CancelMode::Skip, CancelMode::Kill, CancelMode::KillNoWait]);
                connection.cancel(now, call, mode)?;
            }
            5 | 6 => {
                let mut options = PublishOptions::new();
                options.acknowledge = source.flag().then_some(true);
                let asked = options.acknowledge.is_some();
                let publish = connection.publish(now, &uri, payload(self.serializer, source), &options)?;
                assert_eq!(publish.is_some(), asked);
                if let Some(publish) = publish {
                    self.begun("publish", publish);
                }
            }
            7 | 8 => {
                let handler = connection.subscribe(now, &uri, &SubscribeOptions::new())?;
                self.subscribed.push(handler);
                self.begun("subscribe", handler);
            }
            9 => {
                let Some(&handler) = pick(source, &self.subscribed) else { return Ok(false) };
                connection.unsubscribe(now, handler)?;
                self.begun("unsubscribe", handler);
            }
            10 | 11 => {
                let handler = connection.register(now, &uri, &RegisterOptions::new())?;
                self.registered.push(handler);
                self.begun("register", handler);
            }
            12 => {
                let Some(&handler) = pick(source, &self.registered) else { return Ok(false) };
                connection.unregister(now, handler)?;
                self.begun("unregister", handler);
            }
            13 | 14 => {
                let Some(&invocation) = pick(source, &self.invocations) else { return Ok(false) };
                let payload = payload(self.serializer, source);
                connection.yield_result(now, invocation, payload, &YieldOptions::new())?;
                let again =
                    self.connection.yield_result(now, invocation, Payload::EMPTY, &YieldOptions::new());
                assert_eq!(again, Err(CommandError::NotActive), "answered twice");
            }
            15 => {
                let Some(&invocation) = pick(source, &self.invocations) else { return Ok(false) };
                connection.invocation_error(now, invocation, WampError::new(uris::CANCELED.clone()))?;
            }
            16 => connection.authenticate(now, "signature", Default::default())?,
            17 => connection.accept_welcome(now)?,
            18 => connection.join(now)?,
            _ => match source.below(8) {
                0 => connection.close(now),
                1 => connection.abort(now, None),
                2 | 3 => connection.leave(now, None)?,
                _ => {
                    connection.set_utc(UnixMicros::from_micros(5));
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }

    fn begun(&mut self, what: &str, handle: impl Debug) {
        *self.open.entry(format!("{what} {handle:?}")).or_default() += 1;
    }
}

/// One of the last things.
fn pick<'t, T>(source: &mut Source<'_>, things: &'t [T]) -> Option<&'t T> {
    let choice = source.below(8);
    things.iter().rev().nth(choice % things.len().max(1))
}

/// A payload, sometimes in another serializer, which it may have no place in.
fn payload(own: Serializer, source: &mut Source<'_>) -> Payload {
    let built = match source.below(8) {
        0..=2 => return Payload::EMPTY,
        3 => Payload::from_args(own, &(source.byte(), "text")),
        4 => Payload::from_args(own, &("x".repeat(source.below(600)),)),
        5 => Payload::from_args(Serializer::Cbor, &(f64::NAN,)),
        6 => Payload::from_args(Serializer::MsgPack, &("\0a",)),
        _ => Payload::from_args(Serializer::Json, &("b", 2.5)),
    };
    built.unwrap_or_default()
}
