//! What a client connects to: routers that come and go, and worse.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use roadbed::client::Connector;
use roadbed::memory::{Pipe, pipe};
use roadbed::runtime::{ByteStream, Runtime};
use roadbed::server::RouterHandle;
use roadbed::sim::Sim;
use roadbed::url::Address;
use roadbed_core::transport::TransportDetails;

/// Bytes on their way in each direction.
const PIPE: usize = 4096;

/// What becomes of an attempt to connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialed {
    /// There is the router.
    #[default]
    Accepted,
    Refused,
    /// There is a listener that never says a word.
    Mute,
    /// It ends the stream at once.
    Ended,
    /// It speaks, but not WAMP.
    Rubbish,
}

/// The network; clones are the same one.
#[derive(Clone)]
pub(super) struct Network {
    sim: Sim,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    router: RouterHandle,
    dialed: Dialed,
    rubbish: Vec<u8>,
    /// The ends of those that never say a word.
    mute: Vec<Pipe>,
    streams: Vec<Arc<Cut>>,
}

impl Network {
    pub(super) fn new(sim: &Sim, router: RouterHandle) -> Self {
        let (dialed, rubbish) = (Dialed::default(), Vec::new());
        let inner = Inner { router, dialed, rubbish, mute: Vec::new(), streams: Vec::new() };
        Self { sim: sim.clone(), inner: Arc::new(Mutex::new(inner)) }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on.
    pub(super) fn becomes(&self, dialed: Dialed, rubbish: &[u8]) {
        self.with(|inner| (inner.dialed, inner.rubbish) = (dialed, rubbish.to_vec()));
    }

    /// Another router is there; the one before is returned.
    pub(super) fn replace(&self, router: RouterHandle) -> RouterHandle {
        self.with(|inner| std::mem::replace(&mut inner.router, router))
    }

    /// Every stream breaks.
    pub(super) fn cut(&self) {
        let streams = self.with(|inner| std::mem::take(&mut inner.streams));
        streams.iter().for_each(|stream| stream.cut());
    }

    /// The mute ones go away.
    pub(super) fn end_mute(&self) {
        drop(self.with(|inner| std::mem::take(&mut inner.mute)));
    }

    pub(super) fn router(&self) -> RouterHandle {
        self.with(|inner| inner.router.clone())
    }
}

impl Connector for Network {
    type Stream = Stream;

    fn runtime(&self) -> Arc<dyn Runtime> {
        self.sim.runtime()
    }

    async fn open(&self, _: &Address) -> io::Result<(Stream, TransportDetails)> {
        let (here, mut there) = pipe(PIPE);
        let details = TransportDetails::local();
        let (dialed, rubbish, router) =
            self.with(|inner| (inner.dialed, inner.rubbish.clone(), inner.router.clone()));
        match dialed {
            Dialed::Accepted => self.sim.spawn(Box::pin(router.accept(there, details.clone()))),
            Dialed::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            Dialed::Mute => self.with(|inner| inner.mute.push(there)),
            Dialed::Ended => drop(there),
            Dialed::Rubbish => {
                let _ = there.poll_write(&mut Context::from_waker(Waker::noop()), &rubbish);
                self.with(|inner| inner.mute.push(there));
            }
        }
        let cut = Arc::<Cut>::default();
        self.with(|inner| {
            inner.streams.retain(|stream| Arc::strong_count(stream) > 1);
            inner.streams.push(Arc::clone(&cut));
        });
        Ok((Stream { pipe: here, cut }, details))
    }
}

/// Whether a stream was broken, and who has to know.
#[derive(Default)]
struct Cut(Mutex<(bool, Vec<Waker>)>);

impl Cut {
    fn cut(&self) {
        let wakers = {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            inner.0 = true;
            std::mem::take(&mut inner.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if !inner.1.iter().any(|waker| waker.will_wake(cx.waker())) {
            inner.1.push(cx.waker().clone());
        }
        Ok(())
    }
}

/// A stream that can be broken.
pub(super) struct Stream {
    pipe: Pipe,
    cut: Arc<Cut>,
}

impl ByteStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.cut.check(cx)?;
        self.pipe.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check(cx)?;
        self.pipe.poll_write(cx, bytes)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_shutdown(cx)
    }
}
