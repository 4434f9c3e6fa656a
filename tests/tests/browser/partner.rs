//! The Rust end: offers what the page calls, and takes its turn at what the page offers.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::future::Future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadbed::client::{HandlerError, Internal, Invocation, Session, Subscription};
use roadbed::{Error, Reply};
use roadbed_core::options::CancelMode;
use roadbed_core::payload::Binary;
use roadbed_core::serializer::Serializer;
use serde::{Deserialize, Serialize};

use crate::report::Step;
use crate::router::Router;

/// What a partner does, beside answering.
pub(crate) const STEPS: &[&str] = &[
    "call",
    "call with keywords",
    "call with bytes",
    "call with a long text",
    "call refused by the page",
    "call canceled",
    "publish",
    "interrupted by the page",
    "events of the page",
];

/// The page's answers, and what it publishes, come sooner than that.
const SOON: Duration = Duration::from_secs(8);

const WHY: &str = "com.example.error.too_steep";

type Outcome = Result<(), Box<dyn StdError + Send + Sync>>;

/// What the page sends as keywords, and wants to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keywords {
    text: String,
    whole: i64,
    half: f64,
    yes: bool,
    nothing: Option<()>,
    nested: Nested,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nested {
    list: (u8, (u8, Vec<u8>)),
}

impl Keywords {
    fn expected() -> Self {
        let nested = Nested { list: (1, (2, Vec::new())) };
        let text = "Übergang 渡り線 🚂".to_owned();
        Self { text, whole: -7, half: 2.5, yes: true, nothing: None, nested }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Gradient {
    limit: i64,
}

fn bytes() -> Binary {
    (0..=255).collect::<Vec<u8>>().into()
}

fn reversed(Binary(bytes): &Binary) -> Binary {
    bytes.iter().rev().copied().collect::<Vec<u8>>().into()
}

/// A joined session that serves one page.
pub(crate) struct Partner {
    session: Session,
    /// What came of its turn.
    steps: Arc<Mutex<Vec<Step>>>,
    /// Says when the page has canceled a call that was under way.
    interrupted: Receiver<()>,
    from_page: Subscription,
}

impl Partner {
    pub(crate) fn join(url: &str, prefix: &str, serializer: Serializer) -> Self {
        let connect = roadbed_blocking::connect(url).realm(Router::REALM).serializer(serializer);
        let session = connect.wait().unwrap();
        let steps = Arc::new(Mutex::new(Vec::new()));
        let (sender, interrupted) = channel();
        offer(&session, prefix, sender).unwrap();
        take_turns(&session, prefix, &steps).unwrap();
        let from_page = session.subscribe(format!("{prefix}.from_page")).wait().unwrap();
        Self { session, steps, interrupted, from_page }
    }

    /// Once the page is done: everything that came of it. What is still on its way is waited for, if the
    /// page did all that it should.
    pub(crate) fn end(mut self, did_all: bool) -> Vec<Step> {
        let patience = if did_all { SOON } else { Duration::ZERO };
        let mut steps = std::mem::take(&mut *self.steps.lock().unwrap());
        let interrupted = self.interrupted.recv_timeout(patience).map_err(Into::into);
        steps.push(step("interrupted by the page", interrupted));
        steps.push(step("events of the page", self.events(patience)));
        self.session.leave().wait().unwrap();
        steps
    }

    fn events(&mut self, patience: Duration) -> Outcome {
        for count in 1..=3 {
            let event = self.from_page.wait_for(patience)?.ok_or("the subscription has ended")??;
            ensure(&event.args::<(u8, Binary)>()?, &(count, bytes()))?;
            ensure(&event.kwargs::<Keywords>()?, &Keywords::expected())?;
        }
        match self.from_page.wait_for(Duration::ZERO) {
            Err(Error::Timeout(_)) => Ok(()),
            other => Err(format!("more than was published: {other:?}").into()),
        }
    }
}

fn step(name: &str, outcome: Outcome) -> Step {
    Step { name: name.to_owned(), failure: outcome.err().map(|error| error.to_string()) }
}

fn ensure<T: Debug + PartialEq>(actual: &T, expected: &T) -> Outcome {
    if actual == expected { Ok(()) } else { Err(format!("{actual:?} instead of {expected:?}").into()) }
}

/// The procedures that the page calls.
fn offer(session: &Session, prefix: &str, interrupted: Sender<()>) -> Result<(), Error> {
    let uri = |name: &str| format!("{prefix}.{name}");
    let sum = |invocation: Invocation| async move {
        let (a, b) = invocation.args::<(i64, i64)>()?;
        Ok(a + b)
    };
    session.register(uri("sum"), sum).wait()?.detach();
    // Through our types, so that it is more than the same bytes that come back.
    let echo = |invocation: Invocation| async move {
        Ok(Reply::new(invocation.args::<(String, i64)>()?, invocation.kwargs::<Keywords>()?))
    };
    session.register(uri("echo"), echo).wait()?.detach();
    let reverse = |invocation: Invocation| async move { Ok(reversed(&invocation.get()?)) };
    session.register(uri("reverse"), reverse).wait()?.detach();
    let length = |invocation: Invocation| async move {
        let text: String = invocation.get()?;
        Ok(Reply::new((text.len(), text), ()))
    };
    session.register(uri("length"), length).wait()?.detach();
    let climb = |invocation: Invocation| async move {
        let slope: i64 = invocation.get()?;
        Err::<(), _>(HandlerError::new(WHY).args(&("too steep", slope)).kwargs(&Gradient { limit: 25 }))
    };
    session.register(uri("climb"), climb).wait()?.detach();
    let (started, digging) = channel();
    let dig = move |_: Invocation| {
        let spade = Spade(interrupted.clone());
        let started = started.clone();
        async move {
            let _spade = spade;
            started.send(()).internal()?;
            std::future::pending::<Result<(), HandlerError>>().await
        }
    };
    session.register(uri("dig"), dig).wait()?.detach();
    // Answers once that is under way, so that the page cancels nothing that has not begun. It may block, as
    // here every invocation has a thread of its own.
    let digging = Arc::new(Mutex::new(digging));
    let digging = move |_: Invocation| {
        let digging = Arc::clone(&digging);
        async move { digging.lock().unwrap().recv_timeout(SOON).internal() }
    };
    session.register(uri("digging"), digging).wait()?.detach();
    Ok(())
}

/// Tells when a handler is dropped, which is what an interrupt does to it.
struct Spade(Sender<()>);

impl Drop for Spade {
    fn drop(&mut self) {
        // Nobody may be left to hear it.
        let _ = self.0.send(());
    }
}

/// The procedures by which the page asks its partner to do something.
fn take_turns(session: &Session, prefix: &str, steps: &Arc<Mutex<Vec<Step>>>) -> Result<(), Error> {
    let uri = |name: &str| format!("{prefix}.{name}");
    with_session(session, &uri("turn"), {
        let (steps, prefix) = (Arc::clone(steps), prefix.to_owned());
        move |session| {
            let (steps, prefix) = (Arc::clone(&steps), prefix.clone());
            async move {
                let done = turn(&session, &prefix).await;
                steps.lock().unwrap().extend(done);
                Ok(())
            }
        }
    })?;
    with_session(session, &uri("try"), {
        let sum = uri("page.sum");
        move |session| {
            let call = session.call(&sum, (2, 3)).timeout(SOON);
            async move {
                let error = call.await.err();
                Ok(error.and_then(|error| error.uri().map(ToString::to_string)).unwrap_or_default())
            }
        }
    })?;
    with_session(session, &uri("tell"), {
        let to_page = uri("to_page");
        move |session| {
            let publish = session.publish(&to_page, ("too late",)).acknowledge();
            async move { publish.await.map(|_| ()).map_err(HandlerError::from) }
        }
    })
}

/// Registers a procedure that uses the session itself.
fn with_session<F, R>(
    session: &Session,
    uri: &str,
    handler: impl Fn(Session) -> F + Send + Sync + 'static,
) -> Result<(), Error>
where
    F: Future<Output = Result<R, HandlerError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    let ours = session.clone();
    session.register(uri, move |_: Invocation| handler(ours.clone())).wait()?.detach();
    Ok(())
}

/// What the partner does while the page waits.
async fn turn(session: &Session, prefix: &str) -> Vec<Step> {
    let page = |name: &str| format!("{prefix}.page.{name}");
    vec![
        step("call", sum(session, &page("sum")).await),
        step("call with keywords", keywords(session, &page("echo")).await),
        step("call with bytes", reverse(session, &page("reverse")).await),
        step("call with a long text", long_text(session, &page("length")).await),
        step("call refused by the page", refused(session, &page("climb")).await),
        step("call canceled", canceled(session, &page("dig")).await),
        step("publish", publish(session, &format!("{prefix}.to_page")).await),
    ]
}

async fn sum(session: &Session, uri: &str) -> Outcome {
    ensure(&session.call(uri, (2, 3)).timeout(SOON).returning::<i64>().await?, &5)
}

async fn keywords(session: &Session, uri: &str) -> Outcome {
    let result = session.call(uri, ("one", 2)).kwargs(Keywords::expected()).timeout(SOON).await?;
    ensure(&result.args::<(String, i64)>()?, &("one".to_owned(), 2))?;
    ensure(&result.kwargs::<Keywords>()?, &Keywords::expected())
}

async fn reverse(session: &Session, uri: &str) -> Outcome {
    let result: Binary = session.call(uri, (bytes(),)).timeout(SOON).returning().await?;
    ensure(&result, &reversed(&bytes()))
}

async fn long_text(session: &Session, uri: &str) -> Outcome {
    let text = "Weichenstraße ".repeat(20_000);
    let length = text.encode_utf16().count();
    let result = session.call(uri, (&text,)).timeout(SOON).await?;
    let (counted, returned) = result.args::<(usize, String)>()?;
    ensure(&counted, &length)?;
    if returned == text { Ok(()) } else { Err("another text came back".into()) }
}

async fn refused(session: &Session, uri: &str) -> Outcome {
    match session.call(uri, (28,)).timeout(SOON).await {
        Err(error @ Error::Wamp(_)) => {
            ensure(&error.uri().map(ToString::to_string), &Some(WHY.to_owned()))?;
            ensure(&error.args::<(String, i64)>()?, &("too steep".to_owned(), 28))?;
            ensure(&error.kwargs::<Gradient>()?, &Gradient { limit: 25 })
        }
        other => Err(format!("{other:?} instead of a refusal").into()),
    }
}

/// The libraries do not offer to be interrupted as callees, so the router has to answer.
async fn canceled(session: &Session, uri: &str) -> Outcome {
    let mut call = session.call(uri, ()).timeout(SOON).into_future();
    futures_lite::future::poll_once(&mut call).await;
    call.cancel(CancelMode::Kill);
    match call.await {
        Err(error) if error.is_canceled() => Ok(()),
        other => Err(format!("{other:?} instead of being canceled").into()),
    }
}

async fn publish(session: &Session, uri: &str) -> Outcome {
    for count in 1..=3_u8 {
        session.publish(uri, (count, bytes())).kwargs(Keywords::expected()).acknowledge().await?;
    }
    Ok(())
}
