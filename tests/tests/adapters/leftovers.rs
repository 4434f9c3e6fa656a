//! What a process holds of connections that are gone: no thread, no socket.

use std::process::Command;
use std::time::Duration;

use futures_lite::future::poll_once;
use roadbed::client::{HandlerError, Invocation};
use roadbed::core::limits::Limits;

use crate::adapter::{Adapter, AsyncStd, Blocking, Smol, Tokio};
use crate::relay::Relay;
use crate::world::{World, eventually, in_time, settings};

/// Other tests would be counted with it, so it has a process for itself.
#[test]
fn nothing_is_left() {
    let test = std::env::current_exe().unwrap();
    let arguments = ["--ignored", "--exact", "leftovers::nothing_is_left_in_a_process_alone"];
    let output = Command::new(test).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by nothing_is_left"]
fn nothing_is_left_in_a_process_alone() {
    connections_come_and_go(Tokio);
    connections_come_and_go(AsyncStd);
    connections_come_and_go(Smol);
    connections_come_and_go(Blocking);
}

fn connections_come_and_go<A: Adapter>(adapter: A) {
    adapter.block_on(async {
        let world = World::new(adapter);
        // What is there for good, such as the threads of an executor.
        connect_and_lose(&world).await;
        async_io::Timer::after(Duration::from_secs(1)).await;
        let before = held();
        for _ in 0..5 {
            connect_and_lose(&world).await;
        }
        let mut now = held();
        for _ in 0..100 {
            if now.0 <= before.0 && now.1 <= before.1 {
                break;
            }
            async_io::Timer::after(Duration::from_millis(100)).await;
            now = held();
        }
        let name = adapter.name();
        assert!(now.0 <= before.0 && now.1 <= before.1, "{name}: threads and files {before:?}, then {now:?}");
        world.close().await;
    });
}

/// Connections that end in every way there is, with a call under way.
async fn connect_and_lose<A: Adapter>(world: &World<A>) {
    for way in 0..5 {
        let relay = Relay::to(world.tcp);
        let limits = Limits::default().goodbye_timeout(Duration::from_millis(100));
        let url = relay.url();
        let session = in_time(world.adapter.connect(&url, settings().limits(limits))).await.unwrap();
        let dig = |_: Invocation| std::future::pending::<Result<(), HandlerError>>();
        let registration = session.register("com.example.dig", dig).await.unwrap();
        let mut call = Box::pin(session.call("com.example.dig", ()).into_future());
        assert!(poll_once(&mut call).await.is_none());
        eventually(|| world.router.stats().calls == 1).await;
        match way {
            0 => relay.reset(),
            1 => relay.end(),
            2 => relay.swallow(),
            3 => drop(in_time(session.leave()).await),
            _ => {}
        }
        drop((call, registration, session));
        if way == 2 {
            // The router has not heard of it.
            async_io::Timer::after(Duration::from_millis(200)).await;
        }
        drop(relay);
        eventually(|| world.router.connections() == 0).await;
    }
}

/// How many threads and open files this process has.
fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}
