//! What users wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::half::Flag;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Requests that have not ended, in the order in which they were made.
#[derive(Default)]
pub(super) struct Pending(Vec<Request>);

struct Request {
    name: &'static str,
    task: Task,
    flag: Arc<Flag>,
    is_begun: bool,
}

impl Pending {
    pub(super) fn begin(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(Request { name, task: Box::pin(task), flag: Arc::default(), is_begun: false });
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of this name there are.
    pub(super) fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|request| request.name == name).count()
    }

    /// Lets those have their turn that were woken. Whether any was.
    pub(super) fn poll(&mut self) -> bool {
        let mut any = false;
        self.0.retain_mut(|request| {
            if request.is_begun && !request.flag.take() {
                return true;
            }
            any = true;
            request.is_begun = true;
            !request.poll()
        });
        any
    }

    /// Gives one up.
    pub(super) fn give_up(&mut self, index: usize) {
        if index < self.0.len() {
            drop(self.0.remove(index));
        }
    }

    /// Everything has ended, or else says what has not, and whether it would have if it had been woken.
    pub(super) fn assert_ended(&mut self) {
        let left: Vec<String> = self
            .0
            .iter_mut()
            .map(|request| {
                let is_ready = request.poll();
                format!("{} ({})", request.name, if is_ready { "ready, and not woken" } else { "pending" })
            })
            .collect();
        assert!(left.is_empty(), "without an end: {left:?}");
    }
}

impl Request {
    fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.flag));
        self.task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
    }
}
