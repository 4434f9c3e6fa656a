//! A waker that another one replaces is dropped when the lock is free: it may own a task with handles in it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use roadbed_core::transport::TransportDetails;

use super::*;
use crate::client::queue::Queue;
use crate::client::{ClientEvent, Driver, open};
use crate::drive::{Drive, Output};
use crate::memory::pipe;
use crate::runtime::ByteStream;
use crate::server::PeerDriver;
use crate::testing::owner::let_go;

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[test]
fn of_a_queue() {
    let queue = Arc::new(Queue::<ClientEvent>::new(2, usize::MAX));
    let again = Arc::clone(&queue);
    let_go(
        "a queue",
        queue,
        |queue, waker| assert!(queue.poll_pop(&mut Context::from_waker(waker)).is_pending()),
        |queue| assert!(queue.poll_pop(&mut noop()).is_pending()),
        move || drop(again.close()),
    );
}

/// The task owns the other end of the same pipe.
#[test]
fn of_a_pipe() {
    let (here, there) = pipe(1);
    let read = |pipe: &mut crate::memory::Pipe, cx: &mut Context<'_>| {
        assert!(pipe.poll_read(cx, &mut BytesMut::with_capacity(1)).is_pending());
    };
    let store = move |pipe: &mut _, waker: &Waker| read(pipe, &mut Context::from_waker(waker));
    let_go("a pipe's reader", here, store, move |pipe| read(pipe, &mut noop()), move || drop(there));

    let (mut here, there) = pipe(1);
    assert!(matches!(here.poll_write(&mut noop(), b"1"), Poll::Ready(Ok(1))));
    let write = |pipe: &mut crate::memory::Pipe, cx: &mut Context<'_>| {
        assert!(pipe.poll_write(cx, b"2").is_pending());
    };
    let store = move |pipe: &mut _, waker: &Waker| write(pipe, &mut Context::from_waker(waker));
    let_go("a pipe's writer", here, store, move |pipe| write(pipe, &mut noop()), move || drop(there));
}

/// Writes until there is nothing to write, and sleeps.
fn sleep<D: Drive>(drive: &D, waker: &Waker) {
    while let Output::Write(_) = drive.output(true, waker) {}
}

#[test]
fn of_the_driver_of_a_session() {
    let world = World::new();
    let runtime = world.sim.runtime();
    let (joining, driver) = open(&settings(), runtime, Serializer::Cbor, TransportDetails::local()).unwrap();
    let driver = Arc::new(driver);
    let again = Arc::clone(&driver);
    let store = |driver: &mut Arc<Driver>, waker: &Waker| sleep(&**driver, waker);
    let_go(
        "the driver of a session",
        driver,
        store,
        |driver: &mut Arc<Driver>| sleep(&**driver, Waker::noop()),
        move || again.expire(),
    );
    drop(joining);
}

/// The same for the driver of a router's peer, which sleeps in a mailbox as well.
#[test]
fn of_the_driver_of_a_peer() {
    let world = World::new();
    let driver = Arc::new(world.router.accept_driver(TransportDetails::local()));
    let again = Arc::clone(&driver);
    let store = |driver: &mut Arc<PeerDriver>, waker: &Waker| sleep(&**driver, waker);
    let replace = |driver: &mut Arc<PeerDriver>| sleep(&**driver, Waker::noop());
    let_go("the driver of a peer", driver, store, replace, move || again.lost());
}
