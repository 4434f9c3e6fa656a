//! WAMP over the pipes of a child process: the parent has a router, the child is a client of it, and its
//! standard input and output are the connection.
//!
//! A process can be split up like this without a socket, a port or a password: whoever was not started by
//! the parent cannot connect. docs/custom-transport.md explains it.

use std::io::{stdin, stdout};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadbed_blocking::roadbed::blocking::{Pipes, start};
use roadbed_blocking::roadbed::client::{Invocation, Settings, open};
use roadbed_blocking::roadbed::core::serializer::Serializer;
use roadbed_blocking::roadbed::core::transport::TransportDetails;
use roadbed_blocking::roadbed::core::uri::Uri;
use roadbed_blocking::roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_blocking::threads;

/// Any error; what goes wrong here goes to the person who ran the example.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints one line of the story. The standard output of the child is the connection, so it has another way.
fn say(who: &str, what: &str) {
    if who == "child" {
        eprintln!("{who:>10} | {what}");
    } else {
        println!("{who:>10} | {what}");
    }
}

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1).as_deref() {
        None => parent(),
        Some("child") => child(),
        Some(other) => Err(format!("unknown argument {other}").into()),
    }
}

fn parent() -> Result<(), Failure> {
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, threads())?;
    let session = router.attach_local(&Settings::new("realm1"))?.wait()?;
    let mut ready = session.subscribe("com.example.ready").wait()?;
    let _name = session
        .register("com.example.name", |_: Invocation| async {
            Ok(format!("child of {}", std::process::id()))
        })
        .wait()?;

    let mut child = Command::new(std::env::current_exe()?)
        .arg("child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    say("parent", &format!("process {}, started a child: process {}", std::process::id(), child.id()));
    let (Some(from_child), Some(to_child)) = (child.stdout.take(), child.stdin.take()) else {
        return Err("the child has no pipes".into());
    };
    let child = Arc::new(Mutex::new(child));
    let hung = Arc::clone(&child);
    // A child that does not end its side when the connection is over would keep us waiting for ever.
    let pipes = Pipes::new(from_child, to_child).on_give_up(move || {
        let _ = hung.lock().map(|mut child| child.kill());
    });
    start(router.accept_driver(TransportDetails::local()), pipes, threads())?;

    if ready.wait_for(Duration::from_secs(10))?.is_none() {
        return Err("the session ended too early".into());
    }
    let upper: String = session.call("com.example.upper", ("called over a pipe",)).returning().wait()?;
    say("parent", &format!("was answered: {upper}"));

    // Says GOODBYE to everybody, and closes the pipes when they have answered.
    router.shutdown(Duration::from_secs(5)).wait();
    let status = child.lock().map_err(|_| "the child cannot be asked")?.wait()?;
    say("parent", &format!("the child has ended: {status}"));
    if status.success() { Ok(()) } else { Err("the child failed".into()) }
}

fn child() -> Result<(), Failure> {
    let details = TransportDetails::local();
    let (joining, driver) = open(&Settings::new("realm1"), threads(), Serializer::MsgPack, details)?;
    start(driver, Pipes::new(stdin(), stdout()), threads())?;
    let session = joining.wait()?;
    let name: String = session.call("com.example.name", ()).returning().wait()?;
    say("child", &format!("joined over standard input and output, and asked who it is: {name}"));

    let mut calls = session.register_queue("com.example.upper").wait()?;
    session.publish("com.example.ready", ()).acknowledge().wait()?;
    // Ends when the parent says GOODBYE, and also when the parent is gone.
    for call in calls.wait() {
        let text: String = call.get()?;
        say("child", &format!("is called with: {text}"));
        call.reply(text.to_uppercase())?;
    }
    say("child", "was told to go");
    Ok(())
}
