use std::io::{PipeReader, PipeWriter, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, mpsc};
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use roadbed_core::error::{CloseReason, Deadline};
use roadbed_core::limits::Limits;
use roadbed_core::serializer::Serializer;
use roadbed_core::time::Timestamp;
use roadbed_core::uri::Uri;

use super::*;
use crate::client::Invocation;
use crate::client::open;
use crate::drive::{Drive, LINGER, Output, Room};
use crate::runtime::{Task, Timer};
use crate::server::{Authentication, RouterConfig, RouterHandle};
use crate::testing::settings;

/// A connection by hand: what its driver is told, and what it asked.
#[derive(Clone)]
struct ByHand(Arc<(Mutex<Told>, Condvar)>);

struct Told {
    now: Timestamp,
    /// What is to be written.
    bytes: Option<Bytes>,
    /// What is said when there is nothing to write.
    then: Output,
    waker: Option<Waker>,
    /// Times the driver asked while it could not write.
    asked: usize,
    /// Writes begun, and bytes that the peer took.
    writes: usize,
    taken: usize,
    /// Bytes that the peer takes yet.
    room: usize,
    timeout: Option<Duration>,
    is_shut: bool,
    is_lost: bool,
}

impl ByHand {
    fn start(bytes: usize) -> Self {
        let told = Told {
            now: Timestamp::ZERO,
            bytes: Some(vec![0; bytes].into()),
            then: Output::Idle(None),
            waker: None,
            asked: 0,
            writes: 0,
            taken: 0,
            room: 0,
            timeout: None,
            is_shut: false,
            is_lost: false,
        };
        let hand = Self(Arc::new((Mutex::new(told), Condvar::new())));
        start(hand.clone(), hand.clone(), Arc::new(hand.clone())).unwrap();
        hand
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.0.lock().unwrap()
    }

    /// Changes what the driver is told, and wakes it.
    fn tell(&self, change: impl FnOnce(&mut Told)) {
        let waker = {
            let mut told = self.lock();
            change(&mut told);
            told.waker.take()
        };
        self.0.1.notify_all();
        waker.into_iter().for_each(Waker::wake);
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&Told) -> bool) {
        let told = self.lock();
        let result = self.0.1.wait_timeout_while(told, Duration::from_secs(20), |told| !is_so(told));
        let (told, result) = result.unwrap();
        drop(told);
        assert!(!result.timed_out(), "not so in time: {what}");
    }
}

impl Drive for ByHand {
    fn room(&self, _: &mut BytesMut, _: &Waker) -> Room {
        Room::Read(1)
    }

    fn feed(&self, _: &mut BytesMut) {}

    fn eof(&self, _: &mut BytesMut) {}

    fn lost(&self) {
        self.tell(|told| told.is_lost = true);
    }

    fn expire(&self) {
        let mut told = self.lock();
        // What was due is no more.
        told.then = Output::Idle(None);
    }

    fn output(&self, can_write: bool, waker: &Waker) -> Output {
        let mut told = self.lock();
        if can_write && let Some(bytes) = told.bytes.take() {
            return Output::Write(bytes);
        }
        told.asked += usize::from(!can_write);
        told.waker = Some(waker.clone());
        self.0.1.notify_all();
        told.then.clone()
    }
}

/// A socket whose timeouts pass at once.
impl Socket for ByHand {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let told = self.lock();
        drop(self.0.1.wait_while(told, |told| !told.is_shut).unwrap());
        Ok(0)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut told = self.lock();
        told.writes += 1;
        self.0.1.notify_all();
        if told.timeout.is_none() {
            told = self.0.1.wait_while(told, |told| !told.is_shut && told.room == 0).unwrap();
        }
        if told.is_shut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = told.room.min(bytes.len());
        told.room -= count;
        told.taken += count;
        self.0.1.notify_all();
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn set_write_timeout(&self, span: Option<Duration>) -> io::Result<()> {
        self.lock().timeout = span;
        Ok(())
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Both {
            self.tell(|told| told.is_shut = true);
        }
        Ok(())
    }
}

impl Runtime for ByHand {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn seed(&self) -> [u8; 32] {
        [0; 32]
    }

    fn spawn(&self, _: Task) {}

    fn timer(&self) -> Box<dyn Timer> {
        unreachable!("threads need none")
    }
}

#[test]
fn a_write_that_waits_is_begun_twice_and_ended_by_the_timekeeper() {
    let hand = ByHand::start(1000);
    hand.wait_until("the write is stuck, and the time kept", |told| told.writes == 2 && told.asked >= 1);
    // Whatever changes is heard.
    hand.tell(|told| told.then = Output::Idle(None));
    hand.wait_until("it asks again", |told| told.asked >= 2);
    assert_eq!(hand.lock().writes, 2);
    hand.tell(|told| told.then = Output::Drop);
    hand.wait_until("it was given up", |told| told.is_shut);
    let told = hand.lock();
    assert_eq!((told.writes, told.taken), (2, 0));
}

#[test]
fn a_deadline_is_kept_while_a_write_waits() {
    let hand = ByHand::start(1000);
    hand.wait_until("the write is stuck, and the time kept", |told| told.writes == 2 && told.asked >= 1);
    hand.tell(|told| told.then = Output::Idle(Some(Timestamp::ZERO + Duration::from_millis(20))));
    // Nobody wakes it any more, but at the time it asks.
    hand.wait_until("it asks in time", |told| told.asked >= 3);
    hand.tell(|told| told.then = Output::Drop);
    hand.wait_until("it was given up", |told| told.is_shut);
}

#[test]
fn what_is_left_at_the_end_is_written_but_not_for_ever() {
    let hand = ByHand::start(1000);
    hand.wait_until("the write is stuck, and the time kept", |told| told.writes == 2 && told.asked >= 1);
    hand.tell(|told| told.then = Output::End);
    hand.wait_until("it knows of the end", |told| told.asked >= 2);
    hand.tell(|told| told.room = 600);
    hand.wait_until("more of it was written", |told| told.taken == 600 && told.writes == 3);
    assert!(!hand.lock().is_shut);
    hand.tell(|told| told.now = told.now + LINGER);
    hand.wait_until("the rest was given up", |told| told.is_shut);
}

#[test]
fn the_writer_takes_the_time_back() {
    let hand = ByHand::start(1000);
    for round in 1..=100 {
        hand.wait_until("the write is stuck, and the time kept", |told| told.timeout.is_none());
        hand.tell(|told| told.room = 1000);
        hand.wait_until("all was written", |told| told.taken == round * 1000 && told.timeout.is_some());
        // Were the timekeeper woken in its place, nothing would come of it.
        hand.wait_until("it waits for more", |told| told.bytes.is_none() && told.waker.is_some());
        hand.tell(|told| told.bytes = Some(vec![0; 1000].into()));
    }
    hand.tell(|told| told.then = Output::Drop);
    hand.wait_until("it was given up", |told| told.is_shut);
}

fn threads() -> Arc<dyn Runtime> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    Arc::new(Threads::new(|| [u8::try_from(COUNT.fetch_add(1, Ordering::Relaxed) % 256).unwrap(); 32]))
}

/// A session over two pipes, with the far end of both.
fn session(settings: &Settings) -> (crate::client::Joining, PipeReader, PipeWriter, mpsc::Receiver<()>) {
    let (reader, far_writer) = io::pipe().unwrap();
    let (far_reader, writer) = io::pipe().unwrap();
    let (joining, driver) = open(settings, threads(), Serializer::Json, TransportDetails::local()).unwrap();
    let (give_up, given_up) = mpsc::channel();
    let pipes = Pipes::new(reader, writer).on_give_up(move || give_up.send(()).unwrap());
    start(driver, pipes, threads()).unwrap();
    (joining, far_reader, far_writer, given_up)
}

#[test]
fn a_session_over_pipes_ends_without_force() {
    let config =
        RouterConfig::new().realm(Uri::new("realm1").unwrap(), Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, threads()).unwrap();
    let (joining, reader, writer, given_up) = session(&settings());
    let driver = router.accept_driver(TransportDetails::local());
    start(driver, Pipes::new(reader, writer), threads()).unwrap();
    let session = joining.wait().unwrap();
    let echo = |inv: Invocation| async move { Ok(inv.get::<u32>()?) };
    let _echo = session.register("com.example.echo", echo).wait().unwrap();
    for number in 0..500 {
        let answer: u32 = session.call("com.example.echo", (number,)).returning().wait().unwrap();
        assert_eq!(answer, number);
    }
    let long = "x".repeat(300_000);
    session.publish("com.example.t", (&long,)).acknowledge().wait().unwrap();
    session.leave().wait().unwrap();
    router.shutdown(Duration::from_secs(5)).wait();
    // All ends of the pipes were dropped, and with them what would have been called.
    assert_eq!(given_up.recv(), Err(mpsc::RecvError));
}

#[test]
fn a_peer_at_the_other_end_of_pipes_that_takes_nothing_is_given_up() {
    let settings = settings().limits(Limits::default().goodbye_timeout(Duration::from_millis(50)));
    let (joining, mut reader, mut writer, given_up) = session(&settings);
    let mut handshake = [0; 4];
    reader.read_exact(&mut handshake).unwrap();
    let welcome = br#"[2,1,{"roles":{"broker":{},"dealer":{}}}]"#;
    io::Write::write_all(&mut writer, b"\x7F\xF1\x00\x00").unwrap();
    io::Write::write_all(&mut writer, &u32::try_from(welcome.len()).unwrap().to_be_bytes()).unwrap();
    io::Write::write_all(&mut writer, welcome).unwrap();
    let session = joining.wait().unwrap();
    session.publish("com.example.t", ("x".repeat(500_000),)).wait().unwrap();
    let error = session.leave().wait().unwrap_err();
    let Error::Ended(reason) = error.root() else { panic!("{error}") };
    assert_eq!(**reason, CloseReason::Timeout(Deadline::Goodbye));
    assert_eq!(given_up.recv(), Ok(()));
    // As when a child is killed.
    drop((reader, writer));
    assert_eq!(given_up.recv(), Err(mpsc::RecvError));
}

/// Hooks run one after the other, and may wait for what the threads of the connection have to do.
#[test]
fn a_hook_that_waits_keeps_nobody_but_the_next_hook_waiting() {
    let config =
        RouterConfig::new().realm(Uri::new("realm1").unwrap(), Authentication::new().anonymous("guest"));
    let router = RouterHandle::new(config, threads()).unwrap();
    let (told, telling) = mpsc::channel();
    let of_leave = told.clone();
    let place: Arc<std::sync::OnceLock<Session>> = Arc::default();
    let session_there = Arc::clone(&place);
    let settings = settings()
        .on_leave(move |_| {
            // The end of the connection, which the writer finds.
            let session = session_there.get().unwrap().clone();
            let result = session.leave().wait().is_ok();
            of_leave.send(format!("left, and waited: {result}")).unwrap();
        })
        .on_disconnect(move |_| told.send("closed".to_owned()).unwrap());
    let (joining, reader, writer, _given_up) = session(&settings);
    start(router.accept_driver(TransportDetails::local()), Pipes::new(reader, writer), threads()).unwrap();
    place.set(joining.wait().unwrap()).unwrap();
    let router = std::thread::spawn(move || router.shutdown(Duration::from_secs(5)).wait());
    let told: Vec<String> = (0..2).map(|_| telling.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    assert!(told[0].starts_with("left, and waited") && told[1] == "closed", "{told:?}");
    router.join().unwrap();
}
