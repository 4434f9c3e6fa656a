//! Futures that may be polled once too often.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A future that stays pending after its result, as those of requests do. What an `async` block makes
/// would panic.
pub(crate) struct Fused<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T> Fused<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<T> Future for Fused<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(future) = &mut self.0 else { return Poll::Pending };
        let output = ready!(future.as_mut().poll(cx));
        // What the future holds is not needed any more.
        self.0 = None;
        Poll::Ready(output)
    }
}
