//! A minimal adapter: Unix sockets, and a thread wherever one waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use roadbed::blocking::{self, BlockingConnector, Socket, Threads};
use roadbed::client::Connect;
use roadbed::core::transport::TransportDetails;
use roadbed::core::uri::Uri;
use roadbed::runtime::Runtime;
use roadbed::server::{Authentication, Builder, RouterConfig, RouterHandle};
use roadbed::url::Address;

/// A socket of the standard library, as the drivers take it.
macro_rules! socket {
    ($name:ident($stream:ty)) => {
        pub(crate) struct $name(pub(crate) $stream);

        impl Socket for $name {
            fn duplicate(&self) -> io::Result<Self> {
                self.0.try_clone().map(Self)
            }

            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(buffer)
            }

            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(bytes)
            }

            fn set_write_timeout(&self, span: Option<Duration>) -> io::Result<()> {
                self.0.set_write_timeout(span)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.0.shutdown(how)
            }
        }
    };
}

socket!(Unix(UnixStream));
socket!(Tcp(TcpStream));

#[derive(Clone)]
pub(crate) struct UnixSockets(pub(crate) Arc<dyn Runtime>);

impl BlockingConnector for UnixSockets {
    type Socket = Unix;

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::clone(&self.0)
    }

    fn open(&self, address: &Address) -> io::Result<(Unix, TransportDetails)> {
        let Address::Unix(path) = address else { return Err(io::ErrorKind::Unsupported.into()) };
        Ok((Unix(UnixStream::connect(path)?), TransportDetails::local()))
    }
}

/// Different enough for tests.
fn seed() -> [u8; 32] {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    seed
}

/// Somewhere to listen, removed at the end.
pub(crate) struct Path(PathBuf);

impl Path {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("roadbed-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn url(&self) -> String {
        format!("unix:{}", self.0.display())
    }

    pub(crate) fn listen(&self) -> UnixListener {
        UnixListener::bind(&self.0).unwrap()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A router that listens on a Unix socket.
pub(crate) struct Server {
    pub(crate) router: RouterHandle,
    pub(crate) runtime: Arc<dyn Runtime>,
    path: Path,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let runtime: Arc<dyn Runtime> = Arc::new(Threads::new(seed));
        let realm = Uri::new("realm1").unwrap();
        let config = RouterConfig::new().realm(realm, Authentication::new().anonymous("guest"));
        let router = set_up(RouterHandle::builder(config)).start(Arc::clone(&runtime)).unwrap();
        let path = Path::new();
        let listener = path.listen();
        let (accepting, threads) = (router.clone(), Arc::clone(&runtime));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let driver = accepting.accept_driver(TransportDetails::local());
                blocking::start(driver, Unix(stream.unwrap()), Arc::clone(&threads)).unwrap();
            }
        });
        Self { router, runtime, path }
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.0.clone()
    }

    pub(crate) fn connect(&self) -> Connect<UnixSockets> {
        connect(&self.runtime, &self.path).realm("realm1")
    }

    /// Waits until nobody is connected.
    pub(crate) fn assert_empty(&self) {
        wait_until("nobody is connected", || self.router.connections() == 0);
        let stats = self.router.stats();
        assert_eq!((stats.peers, stats.sessions, stats.calls), (0, 0, 0));
    }
}

pub(crate) fn connect(runtime: &Arc<dyn Runtime>, path: &Path) -> Connect<UnixSockets> {
    Connect::new(UnixSockets(Arc::clone(runtime)), path.url())
}

pub(crate) fn runtime() -> Arc<dyn Runtime> {
    Arc::new(Threads::new(seed))
}

#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "not so in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
