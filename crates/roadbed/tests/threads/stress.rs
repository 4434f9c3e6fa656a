//! Many callers at once. A lost wake-up would leave one of them waiting for ever.

use std::sync::Arc;
use std::thread;

use roadbed::client::{Invocation, Session, Settings};

use crate::net::Server;

/// Calls that each of twelve callers makes.
fn calls() -> u32 {
    std::env::var("ROADBED_STRESS_CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(1_000)
}

pub(crate) fn twelve_callers(connect: impl Fn() -> Session) {
    let callee = connect();
    let echo = |inv: Invocation| async move { Ok(inv.get::<u32>()?) };
    let mut queue = callee.register_queue("com.example.next").wait().unwrap();
    let _echo = callee.register("com.example.echo", echo).wait().unwrap();
    thread::spawn(move || {
        for call in queue.wait() {
            let number = call.get::<u32>().unwrap();
            call.reply(number + 1).unwrap();
        }
    });
    let shared = Arc::new(connect());
    let callers: Vec<_> = (0..12)
        .map(|caller| {
            // Some have a session of their own, some share one.
            let session = if caller % 2 == 0 { Session::clone(&shared) } else { connect() };
            thread::spawn(move || {
                for number in 0..calls() {
                    let answer: u32 = session.call("com.example.next", (number,)).returning().wait().unwrap();
                    assert_eq!(answer, number + 1);
                    if number % 50 == 0 {
                        let answer: u32 =
                            session.call("com.example.echo", (number,)).returning().wait().unwrap();
                        assert_eq!(answer, number);
                    }
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

#[test]
fn over_sockets_with_two_threads_a_connection() {
    let server = Server::start();
    twelve_callers(|| server.connect().wait().unwrap());
    server.assert_empty();
}

#[test]
fn in_memory_with_one_task_a_connection() {
    let server = Server::start();
    let settings = Settings::new("realm1");
    twelve_callers(|| server.router.attach_local(&settings).unwrap().wait().unwrap());
    server.assert_empty();
}
