//! Whatever blocks a thread of the application asks first whether that thread may wait.

use std::convert::Infallible;
use std::future::IntoFuture;
use std::io;
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use roadbed_tokio::Tokio;
use roadbed_tokio::roadbed::Error;
use roadbed_tokio::roadbed::blocking::{BlockingConnector, Socket};
use roadbed_tokio::roadbed::client::{
    Client, ClientSubscription, Connect, Invocation, Invocations, Joining, Registration, Session, Settings,
    Subscription,
};
use roadbed_tokio::roadbed::core::transport::TransportDetails;
use roadbed_tokio::roadbed::core::uri::Uri;
use roadbed_tokio::roadbed::runtime::Runtime;
use roadbed_tokio::roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed_tokio::roadbed::url::Address;
use tokio::runtime::Builder;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const SOON: Duration = Duration::from_secs(20);

/// What there is to wait with. For each queue something has come.
struct Given {
    router: RouterHandle,
    tokio: Arc<dyn Runtime>,
    session: Session,
    joining: Joining,
    registration: Registration,
    invocations: Invocations,
    events: Subscription,
    client: Client,
    client_events: ClientSubscription,
}

async fn given() -> Outcome<Given> {
    let realm = Uri::new("realm1")?;
    let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
    let tokio: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let router = RouterHandle::new(config, Arc::clone(&tokio))?;
    let session = router.attach_local(&Settings::new("realm1"))?.await?;
    let joining = router.attach_local(&Settings::new("realm1"))?;
    let registration = session.register("com.example.one", |_: Invocation| async { Ok(1) }).await?;
    let invocations = session.register_queue("com.example.queue").await?;
    let events = session.subscribe("com.example.tick").await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("rs://{}", listener.local_addr()?);
    let _serving = roadbed_tokio::serve(listener, &router);
    let client = roadbed_tokio::client(url).realm("realm1").start()?;
    let client_events = client.subscribe("com.example.tick").await?;
    session.publish("com.example.tick", ()).exclude_me(false).acknowledge().await?;
    drop(tokio::spawn(session.call("com.example.queue", ()).into_future()));
    Ok(Given { router, tokio, session, joining, registration, invocations, events, client, client_events })
}

/// How a wait is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Refusal {
    Error,
    /// Its result has no place for an error.
    Panic,
}

type Wait = fn(Given) -> Result<(), Error>;

/// Everything in the public interface that blocks the thread it is called in.
const WAITS: &[(&str, Refusal, Wait)] = &[
    ("Call::wait", Refusal::Error, |given| given.session.call("com.example.one", ()).wait().map(drop)),
    ("Returning::wait", Refusal::Error, |given| {
        given.session.call("com.example.one", ()).returning::<u8>().wait().map(drop)
    }),
    ("Publish::wait", Refusal::Error, |given| given.client.publish("com.example.a", ()).wait()),
    ("Acknowledged::wait", Refusal::Error, |given| {
        given.session.publish("com.example.a", ()).acknowledge().wait().map(drop)
    }),
    ("Subscribe::wait", Refusal::Error, |given| given.session.subscribe("com.example.a").wait().map(drop)),
    ("Unsubscribe::wait", Refusal::Error, |given| given.events.unsubscribe().wait()),
    ("Register::wait", Refusal::Error, |given| {
        given.session.register("com.example.a", |_: Invocation| async { Ok(()) }).wait().map(drop)
    }),
    ("RegisterQueue::wait", Refusal::Error, |given| {
        given.session.register_queue("com.example.a").wait().map(drop)
    }),
    ("Unregister::wait", Refusal::Error, |given| given.registration.unregister().wait()),
    ("Flush::wait", Refusal::Error, |given| given.client.flush().wait()),
    ("Leave::wait", Refusal::Error, |given| given.session.leave().wait()),
    ("Joining::wait", Refusal::Error, |given| given.joining.wait().map(drop)),
    ("Connect::wait", Refusal::Error, |given| {
        match Connect::new(Nowhere(given.tokio), "rs://127.0.0.1:1").realm("realm1").wait() {
            Err(error) if matches!(error.root(), Error::Io(_)) => Ok(()),
            result => result.map(drop),
        }
    }),
    ("Ended::wait", Refusal::Error, |given| {
        let ended = given.registration.ended();
        drop(given.registration);
        ended.wait().map(drop)
    }),
    ("Subscription::wait_for", Refusal::Error, |mut given| given.events.wait_for(SOON).map(drop)),
    ("Wait::next", Refusal::Panic, |mut given| {
        let event = given.events.wait().next();
        assert!(matches!(event, Some(Ok(_))), "{event:?}");
        Ok(())
    }),
    ("WaitInvocations::next", Refusal::Panic, |mut given| {
        assert!(given.invocations.wait().next().is_some());
        Ok(())
    }),
    ("ClientSubscribe::wait", Refusal::Error, |given| {
        given.client.subscribe("com.example.a").wait().map(drop)
    }),
    ("ClientRegister::wait", Refusal::Error, |given| {
        given.client.register("com.example.a", |_: Invocation| async { Ok(()) }).wait().map(drop)
    }),
    ("NextSession::wait", Refusal::Error, |given| given.client.session().wait().map(drop)),
    ("Close::wait", Refusal::Error, |given| given.client.close().wait()),
    ("ClientSubscription::wait_for", Refusal::Error, |mut given| {
        given.client_events.wait_for(SOON).map(drop)
    }),
    ("WaitClientSubscription::next", Refusal::Panic, |mut given| {
        let event = given.client_events.wait().next();
        assert!(matches!(event, Some(Ok(_))), "{event:?}");
        Ok(())
    }),
    ("WaitEvents::next", Refusal::Panic, |given| {
        let event = given.client.events().wait().next();
        assert!(matches!(event, Some(Ok(_))), "{event:?}");
        Ok(())
    }),
    ("Shutdown::wait", Refusal::Panic, |given| {
        // It would wait for the call that is not answered.
        drop(given.invocations);
        assert_eq!(given.router.shutdown(SOON).wait(), 0);
        Ok(())
    }),
];

/// Each wait in a task fails at once, though most would have nothing to wait for.
#[test]
fn every_wait_in_a_task_fails_at_once() -> Outcome {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.enable_all().build()?;
        for (name, refusal, wait) in WAITS {
            let given = runtime.block_on(given())?;
            let task = async move {
                let start = Instant::now();
                let result = catch_unwind(AssertUnwindSafe(|| wait(given)));
                (result, start.elapsed())
            };
            let (result, span) = runtime.block_on(async { tokio::spawn(task).await })?;
            assert!(span < SOON / 4, "{name}: {span:?}");
            let seen = match result {
                Ok(Err(Error::WaitInTask)) => Refusal::Error,
                Ok(other) => panic!("{name}: {other:?}"),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
                    assert!(text.contains(".await"), "{name}: {text}");
                    Refusal::Panic
                }
            };
            assert_eq!(seen, *refusal, "{name}");
        }
    }
    Ok(())
}

/// A thread of the application, and one that the runtime has for what blocks.
#[test]
fn every_wait_in_a_thread_waits() -> Outcome {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for (name, _, wait) in WAITS {
        let here = runtime.block_on(given())?;
        wait(here).unwrap_or_else(|error| panic!("{name}: {error}"));
        let there = runtime.block_on(given())?;
        let waiting = runtime.spawn_blocking(move || wait(there));
        let result = runtime.block_on(async { tokio::time::timeout(SOON, waiting).await });
        let result = result.map_err(|_| format!("{name}, in a thread for what blocks: it hangs"))??;
        result.unwrap_or_else(|error| panic!("{name}, in a thread for what blocks: {error}"));
    }
    Ok(())
}

/// The table has all of them, and nothing blocks that does not ask.
#[test]
fn the_table_is_complete() -> Outcome {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../roadbed/src");
    let mut files = Vec::new();
    find(&source, &mut files)?;
    let mut found = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path)?;
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        waits_in(code, &mut found);
        let path = path.strip_prefix(&source)?.to_string_lossy().replace('\\', "/");
        let parks = ["Parker::new(", " block_on(", "::block_on(", "thread::park", ".recv()"];
        if parks.iter().any(|park| code.contains(park)) {
            assert!(MAY_PARK.contains(&&*path), "{path} blocks a thread by itself");
        }
    }
    let mut known: Vec<&str> = WAITS.iter().map(|(name, ..)| *name).collect();
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
    Ok(())
}

/// Where threads are parked: those of requests, which ask, and those that are ours.
const MAY_PARK: [&str; 7] = [
    "park.rs",
    "client/request.rs",
    "pool.rs",
    "blocking/alarms.rs",
    "blocking/driver.rs",
    "blocking/reading.rs",
    "blocking/timekeeper.rs",
];

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_test = path.file_stem().is_some_and(|stem| {
            let stem = stem.to_string_lossy();
            stem == "tests" || stem.ends_with("_tests") || stem == "testing" || stem == "sim"
        });
        if path.is_dir() && !is_test {
            find(&path, found)?;
        } else if !is_test && path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// Public functions whose names say that they wait, futures of requests, and the `next` of iterators.
fn waits_in(code: &str, found: &mut Vec<String>) {
    let name = |text: &str| text.split(|c: char| c != '_' && !c.is_alphanumeric()).next().map(str::to_owned);
    let mut owner = String::new();
    for line in code.lines() {
        let line = line.trim_start();
        if line.starts_with("//") || line.contains('$') {
            continue;
        }
        if let Some((_, builder)) = line.split_once(") of ") {
            found.extend(name(builder).map(|builder| format!("{builder}::wait")));
        }
        if let Some(head) = line.strip_prefix("impl").filter(|_| line.ends_with('{')) {
            let is_iterator = head.contains("Iterator for ");
            let head = head.split_once(" for ").map_or(head, |(_, of)| of);
            // Behind the parameters, if there are any.
            let head =
                if head.starts_with('<') { head.split_once("> ").map_or(head, |(_, of)| of) } else { head };
            owner = name(head.trim_start()).unwrap_or_default();
            if is_iterator {
                found.push(format!("{owner}::next"));
            }
        }
        if let Some(function) = line.strip_prefix("pub fn wait")
            && !owner.is_empty()
        {
            found.extend(name(function).map(|rest| format!("{owner}::wait{rest}")));
        }
    }
}

/// Opens nothing.
struct Nowhere(Arc<dyn Runtime>);

/// A socket that there is never.
struct Never(Infallible);

impl BlockingConnector for Nowhere {
    type Socket = Never;

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::clone(&self.0)
    }

    fn open(&self, _: &Address) -> io::Result<(Never, TransportDetails)> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

impl Socket for Never {
    fn duplicate(&self) -> io::Result<Self> {
        match self.0 {}
    }

    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        match self.0 {}
    }
}
