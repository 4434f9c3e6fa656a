//! WAMP without a byte on any wire: a router and two clients, each in a thread, that hand each other whole
//! messages over channels of the standard library.
//!
//! This is what a transport looks like that carries messages instead of bytes: a queue inside a process, a
//! WebRTC data channel, a serverless gateway. docs/custom-transport.md explains it.

mod message_channel {
    pub(crate) mod channel;
    pub(crate) mod client;
    pub(crate) mod router;
}

use std::sync::mpsc::{Sender, channel as mpsc_channel};
use std::thread;

use message_channel::channel::{SERIALIZER, ToRouter};
use message_channel::client::Client;
use message_channel::router::Exchange;
use roadbed_core::options::{CallOptions, PublishOptions, RegisterOptions, SubscribeOptions, YieldOptions};
use roadbed_core::payload::Payload;
use roadbed_core::session::SessionEvent;
use roadbed_core::uri::Uri;
use roadbed_router::{Authentication, RouterConfig};

/// Any error; what goes wrong here goes to the person who ran the example.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn say(who: &str, what: &str) {
    println!("{who:>10} | {what}");
}

fn main() -> Result<(), Failure> {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
    config.check()?;
    let (to_router, inbox) = mpsc_channel();
    let exchange = Exchange::new(config.into_shared());
    let router = thread::spawn(move || exchange.run(&inbox));
    say("router", "waits at the end of a channel");

    let (ready, callee_is_ready) = mpsc_channel();
    let line = to_router.clone();
    let callee = thread::spawn(move || callee(&line, &ready));
    // An error here is that of the callee, which is told below.
    if callee_is_ready.recv().is_ok() {
        caller(&to_router)?;
    }
    callee.join().map_err(|_| "the callee panicked")??;

    // With the last sender the router's inbox ends.
    drop(to_router);
    let stats = router.join().map_err(|_| "the router panicked")?;
    say("router", &format!("is empty again: {} peers, {} sessions", stats.peers, stats.sessions));
    Ok(())
}

/// Greets once, and lets everybody know.
fn callee(router: &Sender<(u64, ToRouter)>, ready: &Sender<()>) -> Result<(), Failure> {
    let mut client = Client::connect(1, router)?;
    let (greet, greeted) = (Uri::new("com.example.greet")?, Uri::new("com.example.greeted")?);
    while let Some(event) = client.next_event() {
        match event {
            SessionEvent::Joined { session, .. } => {
                say("callee", &format!("joined, session {session}"));
                client.command(|session, now| session.register(now, &greet, &RegisterOptions::new()))?;
            }
            SessionEvent::Registered { result, .. } => {
                result?;
                ready.send(())?;
            }
            SessionEvent::Invocation { invocation, payload, .. } => {
                let (name,) = payload.args::<(String,)>()?;
                say("callee", &format!("is asked to greet {name}"));
                let event = Payload::from_args(SERIALIZER, &(&name,))?;
                let answer = Payload::from_args(SERIALIZER, &(format!("Hello, {name}!"),))?;
                client.command(|session, now| {
                    session.publish(now, &greeted, event, &PublishOptions::new())?;
                    session.yield_result(now, invocation, answer, &YieldOptions::new())?;
                    session.leave(now, None)
                })?;
            }
            SessionEvent::Closed { clean, .. } => say("callee", &format!("left, cleanly: {clean}")),
            _ => {}
        }
    }
    Ok(())
}

/// Calls, and listens to what the callee lets everybody know.
fn caller(router: &Sender<(u64, ToRouter)>) -> Result<(), Failure> {
    let mut client = Client::connect(2, router)?;
    let (greet, greeted) = (Uri::new("com.example.greet")?, Uri::new("com.example.greeted")?);
    let mut awaited = 2;
    while let Some(event) = client.next_event() {
        match event {
            SessionEvent::Joined { session, .. } => {
                say("caller", &format!("joined, session {session}"));
                client.command(|session, now| session.subscribe(now, &greeted, &SubscribeOptions::new()))?;
            }
            SessionEvent::Subscribed { result, .. } => {
                result?;
                let name = Payload::from_args(SERIALIZER, &("World",))?;
                client.command(|session, now| session.call(now, &greet, name, &CallOptions::new()))?;
            }
            SessionEvent::Event { payload, .. } => {
                say("caller", &format!("hears that {} was greeted", payload.args::<(String,)>()?.0));
                awaited -= 1;
            }
            SessionEvent::Result { result, .. } => {
                say("caller", &format!("was answered: {}", result?.payload.args::<(String,)>()?.0));
                awaited -= 1;
            }
            SessionEvent::Closed { clean, .. } => say("caller", &format!("left, cleanly: {clean}")),
            _ => {}
        }
        if awaited == 0 {
            awaited -= 1;
            client.command(|session, now| session.leave(now, None))?;
        }
    }
    if awaited < 0 { Ok(()) } else { Err("the session ended too early".into()) }
}
