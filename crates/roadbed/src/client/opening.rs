//! The time that opening a connection may take, on every runtime.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::runtime::Runtime;

/// How long one way in may take, before the next one is tried: one address that is to answer, one name that is looked
/// up, one Unix socket whose listener is busy.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait until a listener without room is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens a connection, or takes another step on the way to one, in at most [`OPEN_TIMEOUT`]. While `open` fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock), as a Unix socket does whose listener has no room for one more, it is tried
/// again and again.
///
/// For adapters, in their [`Connector::open`](super::Connector::open).
///
/// # Errors
/// That of `open`, and [`TimedOut`](io::ErrorKind::TimedOut).
pub async fn open_in_time<T, F: Future<Output = io::Result<T>>>(
    runtime: &dyn Runtime,
    mut open: impl FnMut() -> F,
) -> io::Result<T> {
    let mut timer = runtime.timer();
    let deadline = runtime.now() + OPEN_TIMEOUT;
    loop {
        let mut opening = pin!(open());
        let opened = poll_fn(|cx| {
            if let Poll::Ready(result) = opening.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            timer.poll_at(cx, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()))
        });
        match opened.await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        let again = runtime.now() + PAUSE;
        if again >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        poll_fn(|cx| timer.poll_at(cx, again)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::testing::sim::Sim;

    #[test]
    fn a_listener_without_room_is_waited_for_but_not_for_ever() {
        let sim = Sim::default();
        let runtime = sim.runtime();
        let mut tries = 0;
        let opened = sim.block_on(open_in_time(&*runtime, || {
            tries += 1;
            ready(if tries < 4 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(tries) })
        }));
        assert_eq!((opened.unwrap(), sim.now()), (4, roadbed_core::time::Timestamp::ZERO + 3 * PAUSE));

        let start = sim.now();
        let busy = open_in_time::<(), _>(&*runtime, || ready(Err(io::ErrorKind::WouldBlock.into())));
        assert_eq!(sim.block_on(busy).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let took = sim.now().saturating_since(start);
        assert!(took <= OPEN_TIMEOUT && took + PAUSE >= OPEN_TIMEOUT, "{took:?}");

        let start = sim.now();
        let silent = open_in_time(&*runtime, pending::<io::Result<()>>);
        assert_eq!(sim.block_on(silent).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(sim.now().saturating_since(start), OPEN_TIMEOUT);

        let start = sim.now();
        let refused =
            open_in_time::<(), _>(&*runtime, || ready(Err(io::ErrorKind::ConnectionRefused.into())));
        assert_eq!(sim.block_on(refused).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(sim.now(), start);
    }
}
