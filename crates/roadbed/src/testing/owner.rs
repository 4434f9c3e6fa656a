//! Wakers that own what they wake, as those of executors do that keep a task in its waker.

use std::io::Write;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Wake, Waker};
use std::time::Duration;

/// Takes as long as no test does that goes on.
const STUCK: Duration = Duration::from_secs(20);

/// A task as its waker sees it: dropped with the last waker, and then it runs this.
struct Owner(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(act) = self.0.get_mut().unwrap().take() {
            act();
        }
    }
}

/// Lets `store` keep a waker that owns a task, and then `replace` give it up. When the task is dropped, it does `back`,
/// which comes back for the lock that the waker was kept behind.
#[track_caller]
pub(crate) fn let_go<T: Send + 'static>(
    name: &str,
    what: T,
    store: impl FnOnce(&mut T, &Waker) + Send + 'static,
    replace: impl FnOnce(&mut T) + Send + 'static,
    back: impl FnOnce() + Send + 'static,
) {
    let (done, is_done) = mpsc::channel();
    let dropped = done.clone();
    std::thread::spawn(move || {
        let mut what = what;
        let act = Box::new(move || {
            back();
            dropped.send("dropped").unwrap();
        });
        let waker = Waker::from(Arc::new(Owner(Mutex::new(Some(act)))));
        store(&mut what, &waker);
        drop(waker);
        replace(&mut what);
        done.send("replaced").unwrap();
    });
    for expected in ["dropped", "replaced"] {
        match is_done.recv_timeout(STUCK) {
            Ok(step) => assert_eq!(step, expected, "{name}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                panic!("{name}: the waker is still kept, or its thread panicked")
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                // The lock is held for ever: unwinding would wait for it as well.
                let mut stderr = std::io::stderr();
                let _ = writeln!(
                    stderr,
                    "{name}: a waker is dropped under the lock that its task comes back for"
                );
                std::process::exit(101);
            }
        }
    }
}
