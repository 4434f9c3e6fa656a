//! What a driver writes, and when, seen by a stream that keeps each write apart.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::time::Timestamp;
use roadbed_core::transport::HttpConnect;

use super::{Drive, Output, Room, Run, Tunnel};
use crate::runtime::ByteStream;
use crate::testing::owner::let_go;
use crate::testing::sim::Sim;

/// Gives what it is told to give.
#[derive(Default)]
struct Script {
    outputs: Mutex<VecDeque<&'static [u8]>>,
    more: Mutex<VecDeque<&'static [u8]>>,
    /// It always has told several something.
    is_busy: bool,
    /// What it waits for, until it is judged.
    deadline: Mutex<Option<Timestamp>>,
}

impl Drive for Script {
    fn room(&self, _: &mut BytesMut, _: &Waker) -> Room {
        Room::Wait
    }

    fn feed(&self, _: &mut BytesMut) {}

    fn eof(&self, _: &mut BytesMut) {}

    fn lost(&self) {}

    fn expire(&self) {
        *self.deadline.lock().unwrap() = None;
    }

    fn output(&self, _: bool, _: &Waker) -> Output {
        let bytes = self.outputs.lock().unwrap().pop_front();
        let idle = Output::Idle(*self.deadline.lock().unwrap());
        bytes.map_or(idle, |bytes| Output::Write(Bytes::from_static(bytes)))
    }

    fn more(&self) -> Option<Bytes> {
        self.more.lock().unwrap().pop_front().map(Bytes::from_static)
    }

    fn expects_more(&self) -> bool {
        self.is_busy
    }
}

/// Takes so many bytes of each write.
struct Sink {
    writes: Arc<Mutex<Vec<Vec<u8>>>>,
    most: usize,
}

impl ByteStream for Sink {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut BytesMut) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_both(cx, bytes, &[])
    }

    fn poll_write_both(
        &mut self,
        _: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!first.is_empty());
        let written: Vec<u8> = first.iter().chain(second).copied().take(self.most).collect();
        let count = written.len();
        self.writes.lock().unwrap().push(written);
        Poll::Ready(Ok(count))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a driver so many times: what was written after each, and how often it woke itself.
fn polls(script: Script, most: usize, count: usize) -> (Vec<Vec<Vec<u8>>>, usize) {
    let writes = Arc::new(Mutex::new(Vec::new()));
    let sink = Sink { writes: Arc::clone(&writes), most };
    let mut run = pin!(Run::new(Arc::new(script), sink, Sim::default().runtime()));
    let wakes = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let written = (0..count)
        .map(|_| {
            assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            std::mem::take(&mut *writes.lock().unwrap())
        })
        .collect();
    (written, wakes.0.load(Ordering::Relaxed))
}

#[test]
fn whoever_was_told_something_comes_before_the_write_but_once() {
    let script =
        Script { outputs: Mutex::new([&b"one"[..], b"two"].into()), is_busy: true, ..Script::default() };
    let (written, wakes) = polls(script, 100, 4);
    // It lets others go first, writes, lets them go first again, and so on; it never waits for them.
    assert_eq!(written, [vec![], vec![b"one".to_vec()], vec![b"two".to_vec()], vec![]]);
    assert!(wakes >= 2);
}

/// A deadline that had passed when the driver first heard of it is judged a moment later, once, however often the
/// driver is woken meanwhile.
#[test]
fn a_driver_that_comes_late_is_not_put_off_for_ever() {
    let sim = Sim::default();
    sim.pass(Duration::from_secs(5));
    let late =
        Script { deadline: Mutex::new(Some(Timestamp::ZERO + Duration::from_secs(1))), ..Script::default() };
    let drive = Arc::new(late);
    let sink = Sink { writes: Arc::default(), most: 1 };
    sim.runtime().spawn(Box::pin(Run::new(Arc::clone(&drive), sink, sim.runtime())));
    sim.pass(Duration::from_millis(20));
    assert_eq!(*drive.deadline.lock().unwrap(), None);
}

/// What lies in the socket when time has jumped past a deadline is handed in before the deadline is judged.
#[test]
fn what_waits_to_be_read_comes_before_a_deadline_that_has_passed() {
    let sim = Sim::default();
    sim.pass(Duration::from_secs(5));
    let drive = Arc::new(Late::default());
    let stream = Waiting { looks: 0 };
    sim.runtime().spawn(Box::pin(Run::new(Arc::clone(&drive), stream, sim.runtime())));
    sim.pass(Duration::from_millis(20));
    assert_eq!(*drive.0.lock().unwrap(), ["fed", "expired"]);
}

/// Was due a second after the start, and keeps what happens to it.
#[derive(Default)]
struct Late(Mutex<Vec<&'static str>>);

impl Drive for Late {
    fn room(&self, _: &mut BytesMut, _: &Waker) -> Room {
        Room::Read(16)
    }

    fn feed(&self, input: &mut BytesMut) {
        input.clear();
        self.0.lock().unwrap().push("fed");
    }

    fn eof(&self, _: &mut BytesMut) {}

    fn lost(&self) {}

    fn expire(&self) {
        self.0.lock().unwrap().push("expired");
    }

    fn output(&self, _: bool, _: &Waker) -> Output {
        let is_judged = self.0.lock().unwrap().contains(&"expired");
        Output::Idle((!is_judged).then(|| Timestamp::ZERO + Duration::from_secs(1)))
    }
}

/// Has bytes of which the runtime does not know yet when it is looked at first.
struct Waiting {
    looks: usize,
}

impl ByteStream for Waiting {
    fn poll_read(&mut self, _: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.looks += 1;
        if self.looks != 2 {
            return Poll::Pending;
        }
        into.extend_from_slice(b"PONG");
        Poll::Ready(Ok(4))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_envelope_is_written_with_what_is_behind_it() {
    for most in [1, 3, 5, 8, 100] {
        let outputs = Mutex::new([&b"head"[..], b"last"].into());
        let more = Mutex::new([&b"body"[..]].into());
        let script = Script { outputs, more, ..Script::default() };
        let (written, _) = polls(script, most, 1);
        assert_eq!(written[0].concat(), b"headbodylast", "{most} at a time");
        assert!(most < 8 || written[0] == [&b"headbody"[..], b"last"]);
    }
}

/// A layer sleeps behind a lock of its own: a waker that another one replaces is dropped when that is free.
#[test]
fn the_wakers_of_layers_are_let_go_without_their_lock() {
    fn check<D: Drive>(name: &str, layer: D) {
        let sleep = |layer: &mut Arc<D>, waker: &Waker| {
            while let Output::Write(_) = layer.output(true, waker) {}
        };
        let layer = Arc::new(layer);
        let again = Arc::clone(&layer);
        let back = move || again.eof(&mut BytesMut::new());
        let_go(name, layer, sleep, move |layer| sleep(layer, Waker::noop()), back);
    }
    let runtime = Sim::default().runtime();
    let connect = HttpConnect::new("router.example", 443).unwrap();
    check("a tunnel", Tunnel::new(Script::default(), connect, Arc::clone(&runtime)));
    #[cfg(feature = "tls")]
    check("TLS", super::Secure::server(Script::default(), crate::testing::tls::server(), true, runtime));
}

/// Always has something to write, and notes what is done to it.
#[derive(Default)]
struct Talker(Mutex<Vec<&'static str>>);

impl Drive for Talker {
    fn room(&self, _: &mut BytesMut, _: &Waker) -> Room {
        Room::Read(64)
    }

    fn feed(&self, input: &mut BytesMut) {
        input.clear();
        self.0.lock().unwrap().push("read");
    }

    fn eof(&self, _: &mut BytesMut) {}

    fn lost(&self) {}

    fn expire(&self) {
        self.0.lock().unwrap().push("judged");
    }

    fn output(&self, _: bool, _: &Waker) -> Output {
        Output::Write(Bytes::from_static(b"x"))
    }
}

/// Takes everything, and tells that there is something to read when the runtime has looked at it.
struct Unseen(Arc<Mutex<Option<&'static [u8]>>>);

impl ByteStream for Unseen {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let Some(bytes) = self.0.lock().unwrap().take() else { return Poll::Pending };
        buffer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A process was stopped while it wrote, and comes back late: the runtime gets a turn to find out what there is to
/// read.
#[test]
fn a_driver_that_writes_without_end_reads_before_it_judges() {
    let (sim, socket) = (Sim::default(), Arc::new(Mutex::new(None)));
    let drive = Arc::new(Talker::default());
    let mut run = pin!(Run::new(Arc::clone(&drive), Unseen(Arc::clone(&socket)), sim.runtime()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    *socket.lock().unwrap() = Some(b"an answer");
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(*drive.0.lock().unwrap(), ["read", "judged"]);
    (0..10).for_each(|_| assert!(run.as_mut().poll(&mut cx).is_pending()));
    assert_eq!(drive.0.lock().unwrap().len(), 2 + 5, "and deadlines are not put off");
}
