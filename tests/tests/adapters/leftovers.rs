//! What a process holds of connections that are gone: no thread, no socket, no memory.

use std::process::Command;
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use libtest_mimic::{Failed, Trial};
use roadbed::core::limits::Limits;
use roadbed_tests::alloc;

use crate::adapter::Adapter;
use crate::calls::dig;
use crate::faults;
use crate::relay::Relay;
use crate::way::Way;
use crate::world::{Log, World, eventually, in_time, settings};

/// Heap that may differ from one moment to the next: what runtimes and their threads keep for later.
const SLACK: usize = 256 << 10;

/// A test that others would be counted with, so that it has a process for itself: the trial that is asked
/// for, and the one that it runs.
pub(crate) fn alone<A: Adapter>(name: &str, way: Way, test: fn(Way)) -> [Trial; 2] {
    let name = format!("{name}/{}/{}", A::NAME, way.name());
    let inner = format!("{name}/in a process alone");
    let outer = Trial::test(name, {
        let inner = inner.clone();
        move || in_a_process(&inner)
    });
    let inner = Trial::test(inner, move || {
        test(way);
        Ok(())
    });
    [outer, inner.with_ignored_flag(true)]
}

fn in_a_process(name: &str) -> Result<(), Failed> {
    let test = std::env::current_exe()?;
    let output = Command::new(test).args(["--ignored", "--exact", name]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.contains("1 passed") {
        return Ok(());
    }
    Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into())
}

pub(crate) fn connections_come_and_go<A: Adapter>(way: Way) {
    let adapter = A::start();
    adapter.block_on(async {
        let world = World::new(&adapter, way, &Log::default());
        // What is there for good, such as the threads of an executor.
        lose_in_every_way(&world).await;
        async_io::Timer::after(Duration::from_secs(1)).await;
        let before = Held::now();
        lose_in_every_way(&world).await;
        lose_in_every_way(&world).await;
        let mut now = Held::now();
        for _ in 0..100 {
            if now.is_within(&before) {
                break;
            }
            async_io::Timer::after(Duration::from_millis(100)).await;
            now = Held::now();
        }
        assert!(now.is_within(&before), "{}: {before:?}, then {now:?}", A::NAME);
        world.close().await;
    });
    adapter.end();
}

/// Connections that end in every way there is.
async fn lose_in_every_way<A: Adapter>(world: &World<A>) {
    for way in 0..5 {
        connect_and_lose(world, way).await;
    }
    let ends = (faults::reset_at_every_step(world), faults::half_close_at_every_step(world));
    let ends = zip(zip(ends.0, ends.1), faults::black_hole_at_every_step(world)).await;
    for result in [ends.0.0, ends.0.1, ends.1] {
        result.unwrap();
    }
    // What was seen is not of interest here.
    drop(world.log().take());
}

/// One connection, with a call under way.
async fn connect_and_lose<A: Adapter>(world: &World<A>, way: u8) {
    let relay = Relay::to(world);
    let limits = Limits::default().goodbye_timeout(Duration::from_millis(100));
    let session = in_time(world.adapter.connect(relay.url(), settings().limits(limits))).await.unwrap();
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

/// What this process has.
#[derive(Debug)]
struct Held {
    /// Their names.
    threads: Vec<String>,
    files: usize,
    heap: usize,
}

impl Held {
    fn now() -> Self {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        // One that ends meanwhile has no name any more.
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("comm")).ok().map(|name| name.trim().to_owned())
        };
        let threads = tasks.filter_map(name).collect();
        let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
        Self { threads, files, heap: alloc::held() }
    }

    fn is_within(&self, before: &Self) -> bool {
        self.threads.len() <= before.threads.len()
            && self.files <= before.files
            && self.heap <= before.heap + SLACK
    }
}
