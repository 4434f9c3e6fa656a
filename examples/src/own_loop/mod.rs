//! An event loop of one's own, under sessions and routers with all their handles: one thread, the standard
//! library's sockets, no runtime and no adapter.
//!
//! A connection is a [`Drive`] with two halves that never wait, so the loop is what one expects: for each
//! connection read what is there, feed it, write what there is; poll the tasks that were woken; fire the
//! timers that are due; then sleep until the next of anything. The file `peer.rs` is the first part, about 150
//! lines; `tasks.rs` is what handlers need, a [`Runtime`]: tasks and timers.
//!
//! The standard library cannot wait for several sockets, so while there is a socket this loop looks at them all
//! every half millisecond. With `epoll`, `kqueue` or whatever your loop has, only its way to sleep changes.
//!
//! ```
//! use std::sync::Arc;
//!
//! use roadbed::client::Settings;
//! use roadbed::core::uri::Uri;
//! use roadbed::server::{Authentication, RouterConfig, RouterHandle};
//! use roadbed_examples::own_loop::OwnLoop;
//! use roadbed_examples::stream::Listener;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let own = OwnLoop::start();
//! let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().anonymous("guest"));
//! let router = RouterHandle::new(config, Arc::new(own.clone()))?;
//! let listener = Listener::bind("rs://127.0.0.1:0")?;
//! let url = listener.url()?;
//! own.serve(listener, &router)?;
//!
//! let session = own.connect(&url, &Settings::new("realm1"))?;
//! session.publish("com.example.tick", (1,)).acknowledge().wait()?;
//! session.leave().wait()?;
//! own.stop();
//! # Ok(()) }
//! ```

mod listening;
mod peer;
mod tasks;

use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use roadbed::Error;
use roadbed::client::{Attempts, Session, Settings};
use roadbed::core::time::Timestamp;
use roadbed::drive::Drive;
use roadbed::runtime::{Runtime, SystemClock, Task, Timer};
use roadbed::server::RouterHandle;
use roadbed::url::Address;

use self::listening::Listening;
use self::peer::Peer;
use self::tasks::{Tasks, Timers};
use crate::clock::seed;
use crate::stream::Socket;

pub use self::listening::Accept;

/// How often sockets are looked at while nothing happens.
const INTERVAL: Duration = Duration::from_micros(500);

/// So many turns without a sleep follow one in which something happened: the answer is often near.
const EAGER_TURNS: u32 = 20;

/// The loop. Clones are the same one; it is also the [`Runtime`] of its sessions and routers.
#[derive(Clone)]
pub struct OwnLoop(Arc<Shared>);

struct Shared {
    clock: SystemClock,
    /// What other threads have brought, for the next turn.
    inbox: Mutex<Inbox>,
    timers: Mutex<Timers>,
    /// Tasks to be polled.
    woken: Mutex<Vec<u64>>,
    is_roused: AtomicBool,
    thread: OnceLock<Thread>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Inbox {
    tasks: Vec<Task>,
    peers: Vec<Peer>,
    listening: Vec<Listening>,
    is_stopped: bool,
}

/// Takes the lock; what is behind it is as good after a panic as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OwnLoop {
    /// Starts the thread.
    ///
    /// # Panics
    /// When the operating system has no thread.
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            clock: SystemClock::start(),
            inbox: Mutex::default(),
            timers: Mutex::default(),
            woken: Mutex::default(),
            is_roused: AtomicBool::new(false),
            thread: OnceLock::new(),
            handle: Mutex::default(),
        });
        let inside = Arc::clone(&shared);
        let handle = thread::spawn(move || run(&inside));
        // It is set before anybody has something to wake it for.
        let _ = shared.thread.set(handle.thread().clone());
        *lock(&shared.handle) = Some(handle);
        Self(shared)
    }

    /// Connects to an [address](roadbed::url), and joins. The calling thread waits for it.
    ///
    /// # Errors
    /// Why there is no session.
    pub fn connect(&self, url: &str, settings: &Settings) -> Result<Session, Error> {
        let mut attempts = Attempts::new(&[url.to_owned()], settings)?;
        loop {
            let attempt = attempts.now();
            let socket = match attempt.address() {
                Address::Tcp { host, port } => {
                    let stream = TcpStream::connect((host.as_str(), *port))?;
                    stream.set_nodelay(true)?;
                    Socket::Tcp(stream)
                }
                Address::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
                _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
            };
            let runtime: Arc<dyn Runtime> = Arc::new(self.clone());
            let (joining, driver) = attempt.open(settings, runtime, socket.details())?;
            self.drive(driver, socket)?;
            match joining.wait() {
                Err(error) if attempts.retry(&error) => {}
                result => return result,
            }
        }
    }

    /// Drives one end of a connection over its socket, until its end.
    ///
    /// # Errors
    /// What the operating system says of a socket that is not to block.
    pub fn drive(&self, drive: impl Drive, socket: Socket) -> io::Result<()> {
        let peer = Peer::new(Box::new(drive), socket)?;
        self.0.bring(|inbox| inbox.peers.push(peer));
        Ok(())
    }

    /// Lets everybody in who connects, until the loop stops, or the returned handle says so.
    ///
    /// # Errors
    /// What the operating system says of a listener that is not to block.
    pub fn serve(&self, listener: impl Accept, router: &RouterHandle) -> io::Result<Serving> {
        listener.set_nonblocking()?;
        let is_stopped = Arc::new(AtomicBool::new(false));
        let listening = Listening::new(Box::new(listener), router.clone(), Arc::clone(&is_stopped));
        self.0.bring(|inbox| inbox.listening.push(listening));
        Ok(Serving { shared: Arc::clone(&self.0), is_stopped })
    }

    /// Ends the loop: whatever it drives is lost, and its tasks are dropped. Waits for the thread, unless
    /// that is the calling one.
    pub fn stop(self) {
        self.0.bring(|inbox| inbox.is_stopped = true);
        let handle = lock(&self.0.handle).take();
        if let Some(handle) = handle
            && handle.thread().id() != thread::current().id()
        {
            // A panic of a task's has been told already.
            let _ = handle.join();
        }
    }
}

/// A listener at work. It goes on when this is dropped.
pub struct Serving {
    shared: Arc<Shared>,
    is_stopped: Arc<AtomicBool>,
}

impl Serving {
    /// Closes the listener, soon. Those who are connected stay.
    pub fn stop(self) {
        self.is_stopped.store(true, Ordering::Release);
        self.shared.rouse();
    }
}

impl Shared {
    /// Hands something to the loop's thread. After its end, that is dropped.
    fn bring(&self, put: impl FnOnce(&mut Inbox)) {
        let refused = {
            let mut inbox = lock(&self.inbox);
            put(&mut inbox);
            let is_stopped = inbox.is_stopped;
            is_stopped.then(|| std::mem::replace(&mut *inbox, Inbox { is_stopped, ..Inbox::default() }))
        };
        // What is dropped may come back for the lock.
        drop(refused);
        self.rouse();
    }

    /// Lets the thread take another turn.
    fn rouse(&self) {
        self.is_roused.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// Wakes the loop, for any of its connections.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.rouse();
    }
}

impl Runtime for OwnLoop {
    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn seed(&self) -> [u8; 32] {
        seed()
    }

    fn spawn(&self, task: Task) {
        self.0.bring(|inbox| inbox.tasks.push(task));
    }

    fn timer(&self) -> Box<dyn Timer> {
        tasks::timer(&self.0)
    }

    fn may_wait(&self) -> bool {
        self.0.thread.get().is_none_or(|thread| thread.id() != thread::current().id())
    }
}

/// What one turn of the loop has found out so far.
struct Turn {
    now: Timestamp,
    /// Wakes the loop.
    waker: Waker,
    /// Something happened, so more may.
    has_moved: bool,
    /// The next deadline of anybody.
    next: Option<Timestamp>,
}

impl Turn {
    /// Somebody has something to do at this time.
    fn until(&mut self, at: Option<Timestamp>) {
        self.next = self.next.into_iter().chain(at).min();
    }

    /// Sleeps until somebody wakes the loop, the next deadline, or, with sockets, for [`INTERVAL`].
    fn sleep(&self, shared: &Shared, has_sockets: bool) {
        if shared.is_roused.swap(false, Ordering::Acquire) {
            return;
        }
        let deadline = self.next.map(|at| at.saturating_since(shared.clock.now()));
        match deadline.into_iter().chain(has_sockets.then_some(INTERVAL)).min() {
            Some(span) => thread::park_timeout(span),
            None => thread::park(),
        }
    }
}

/// The loop itself.
fn run(shared: &Arc<Shared>) {
    let (mut peers, mut listening, mut tasks) =
        (Vec::<Peer>::new(), Vec::<Listening>::new(), Tasks::default());
    let waker = Waker::from(Arc::clone(shared));
    let mut idle_turns = 0;
    loop {
        let inbox = {
            let mut inbox = lock(&shared.inbox);
            if inbox.is_stopped {
                return;
            }
            std::mem::take(&mut *inbox)
        };
        peers.extend(inbox.peers);
        listening.extend(inbox.listening);
        let now = shared.clock.now();
        let mut turn = Turn { now, waker: waker.clone(), has_moved: false, next: None };

        listening.retain_mut(|listening| listening.accept(&mut turn, &mut peers));
        peers.retain_mut(|peer| peer.step(&mut turn));
        turn.has_moved |= tasks.run(shared, inbox.tasks);
        turn.until(tasks::fire(shared));

        idle_turns = if turn.has_moved { 0 } else { idle_turns + 1 };
        if idle_turns > EAGER_TURNS {
            turn.sleep(shared, !(peers.is_empty() && listening.is_empty()));
        } else {
            thread::yield_now();
        }
    }
}
