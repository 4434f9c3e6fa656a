//! CANCEL and INTERRUPT: every mode, with callees that can be interrupted and that cannot.

use roadbed_core::error::uris;
use roadbed_core::id::RequestId;
use roadbed_core::limits::Limits;
use roadbed_core::message::{Message, MessageType};
use roadbed_core::options::CancelMode;
use roadbed_core::serializer::Serializer;
use roadbed_router::PeerId;

use crate::net::*;

const PROCEDURE: &str = "com.example.p";

/// A caller, a callee that can or cannot be interrupted, and a call between them (request 1).
fn under_way(is_interruptible: bool) -> (Net, PeerId, PeerId, RequestId) {
    let mut net = Net::new();
    let roles = if is_interruptible { all_roles() } else { plain_roles() };
    let (caller, callee) = (net.join(), net.join_as(roles, Serializer::Cbor, 1 << 20));
    net.register(callee, 1, PROCEDURE);
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    (net, caller, callee, invocation)
}

#[track_caller]
fn interrupted(net: &mut Net, callee: PeerId, invocation: RequestId, mode: CancelMode) {
    let Message::Interrupt(interrupt) = net.one(callee) else { panic!() };
    assert_eq!(interrupt.request, invocation);
    assert_eq!(interrupt.options.mode, Some(mode));
    assert_eq!(interrupt.options.reason, Some(uris::CANCELED.clone()));
}

#[track_caller]
fn canceled(net: &mut Net, caller: PeerId) {
    expect_error(&net.one(caller), MessageType::Call, 1, &uris::CANCELED);
}

/// A late answer changes nothing for either side.
#[track_caller]
fn late_answer_is_dropped(mut net: Net, caller: PeerId, callee: PeerId, invocation: RequestId) {
    assert_eq!(net.router.stats().calls, 0);
    net.send(callee, yield_(invocation, number(1)));
    net.silent(caller);
    net.silent(callee);
    assert_eq!(net.router.stats().counters.late_answers, 1);
    net.end(&[caller, callee]);
}

#[test]
fn skip() {
    for is_interruptible in [true, false] {
        let (mut net, caller, callee, invocation) = under_way(is_interruptible);
        net.send(caller, cancel(1, Some(CancelMode::Skip)));
        canceled(&mut net, caller);
        net.silent(callee);
        late_answer_is_dropped(net, caller, callee, invocation);
    }
}

#[test]
fn killnowait() {
    let (mut net, caller, callee, invocation) = under_way(true);
    net.send(caller, cancel(1, Some(CancelMode::KillNoWait)));
    canceled(&mut net, caller);
    interrupted(&mut net, callee, invocation, CancelMode::KillNoWait);
    late_answer_is_dropped(net, caller, callee, invocation);
}

#[test]
fn no_mode_means_killnowait() {
    let (mut net, caller, callee, invocation) = under_way(true);
    net.send(caller, cancel(1, None));
    canceled(&mut net, caller);
    interrupted(&mut net, callee, invocation, CancelMode::KillNoWait);
    late_answer_is_dropped(net, caller, callee, invocation);
}

#[test]
fn any_mode_is_skip_for_a_callee_that_cannot_be_interrupted() {
    for mode in [None, Some(CancelMode::Kill), Some(CancelMode::KillNoWait)] {
        let (mut net, caller, callee, invocation) = under_way(false);
        net.send(caller, cancel(1, mode));
        canceled(&mut net, caller);
        net.silent(callee);
        late_answer_is_dropped(net, caller, callee, invocation);
    }
}

#[test]
fn kill_waits_for_the_callees_error() {
    let (mut net, caller, callee, invocation) = under_way(true);
    net.send(caller, cancel(1, Some(CancelMode::Kill)));
    net.silent(caller);
    interrupted(&mut net, callee, invocation, CancelMode::Kill);
    net.send(callee, invocation_error(invocation, "wamp.error.canceled", number(5)));
    let answer = net.one(caller);
    expect_error(&answer, MessageType::Call, 1, &uris::CANCELED);
    assert_eq!(answer.payload(), Some(&number(5)));
    net.end(&[caller, callee]);
}

#[test]
fn kill_may_end_in_a_result() {
    let (mut net, caller, callee, invocation) = under_way(true);
    net.send(caller, cancel(1, Some(CancelMode::Kill)));
    interrupted(&mut net, callee, invocation, CancelMode::Kill);
    net.send(callee, yield_(invocation, number(5)));
    assert!(matches!(net.one(caller), Message::CallResult(result) if result.payload == number(5)));
    net.end(&[caller, callee]);
}

#[test]
fn a_second_cancel_is_ignored() {
    for first in [CancelMode::Skip, CancelMode::Kill, CancelMode::KillNoWait] {
        let (mut net, caller, callee, _) = under_way(true);
        net.send(caller, cancel(1, Some(first)));
        net.messages(caller);
        net.messages(callee);
        for second in [CancelMode::Skip, CancelMode::Kill] {
            net.send(caller, cancel(1, Some(second)));
        }
        net.silent(caller);
        net.silent(callee);
        assert_eq!(net.router.stats().counters.late_cancels, 2);
        net.end(&[caller, callee]);
    }
}

#[test]
fn killnowait_ends_the_wait_that_kill_began() {
    for second in [None, Some(CancelMode::KillNoWait)] {
        let (mut net, caller, callee, invocation) = under_way(true);
        net.send(caller, cancel(1, Some(CancelMode::Kill)));
        net.silent(caller);
        interrupted(&mut net, callee, invocation, CancelMode::Kill);
        net.send(caller, cancel(1, second));
        canceled(&mut net, caller);
        net.silent(callee);
        // The callee still answers what it was asked to.
        net.send(callee, invocation_error(invocation, "wamp.error.canceled", number(1)));
        net.silent(caller);
        assert_eq!(net.router.stats().counters.late_answers, 1);
        net.end(&[caller, callee]);
    }
}

#[test]
fn cancel_that_crosses_the_result_is_ignored() {
    let (mut net, caller, callee, invocation) = under_way(true);
    net.send(callee, yield_(invocation, number(1)));
    net.send(caller, cancel(1, None));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
    net.silent(callee);
    net.end(&[caller, callee]);
}

#[test]
fn result_that_crosses_the_interrupt_is_dropped() {
    let (mut net, caller, callee, invocation) = under_way(true);
    net.send(caller, cancel(1, None));
    net.send(callee, yield_(invocation, number(1)));
    canceled(&mut net, caller);
    interrupted(&mut net, callee, invocation, CancelMode::KillNoWait);
    net.send(callee, invocation_error(invocation, "wamp.error.canceled", number(1)));
    net.silent(caller);
    net.end(&[caller, callee]);
}

#[test]
fn nobody_cancels_the_call_of_another() {
    let (mut net, caller, callee, invocation) = under_way(true);
    let stranger = net.join();
    net.send(stranger, cancel(1, None));
    net.silent(stranger);
    net.silent(caller);
    net.silent(callee);
    net.send(callee, yield_(invocation, number(1)));
    assert!(matches!(net.one(caller), Message::CallResult(_)));
}

#[test]
fn cancel_for_a_call_that_never_was_is_ignored() {
    let mut net = Net::new();
    let caller = net.join();
    net.send(caller, cancel(99, None));
    net.silent(caller);
    assert!(net.is_joined(caller));
}

#[test]
fn a_canceled_request_id_may_be_used_again() {
    let (mut net, caller, callee, _) = under_way(true);
    net.send(caller, cancel(1, Some(CancelMode::Skip)));
    canceled(&mut net, caller);
    let invocation = net.call(caller, callee, 1, PROCEDURE);
    assert_eq!(invocation, id(2));
    net.send(callee, yield_(id(1), number(1)));
    net.silent(caller);
    net.send(callee, yield_(invocation, number(2)));
    assert!(matches!(net.one(caller), Message::CallResult(result) if result.payload == number(2)));
}

#[test]
fn canceling_ones_own_call_to_oneself() {
    let mut net = Net::new();
    let peer = net.join();
    net.register(peer, 1, PROCEDURE);
    let invocation = net.call(peer, peer, 2, PROCEDURE);
    net.send(peer, cancel(2, None));
    let messages = net.messages(peer);
    assert!(messages.iter().any(|message| matches!(message, Message::Interrupt(_))), "{messages:?}");
    assert!(messages.iter().any(|message| matches!(message, Message::Error(_))), "{messages:?}");
    net.send(peer, yield_(invocation, number(1)));
    net.silent(peer);
    net.end(&[peer]);
}

#[test]
fn a_storm_of_calls_and_cancels_leaves_no_table_behind() {
    let (mut net, caller, callee, _) = under_way(true);
    net.send(caller, cancel(1, Some(CancelMode::Skip)));
    net.messages(caller);
    let before = net.router.stats();
    for request in 2..20_000 {
        net.send_unchecked(caller, call(request, PROCEDURE));
        net.send_unchecked(caller, cancel(request, Some(CancelMode::Skip)));
        while net.poll_one(caller).is_some() {}
        while net.poll_one(callee).is_some() {}
    }
    let after = net.router.stats();
    assert_eq!(
        (after.calls, after.queued_bytes, after.timers),
        (before.calls, before.queued_bytes, before.timers)
    );
    net.end(&[caller, callee]);
}

#[test]
fn calls_canceled_at_once_leave_nothing_behind_though_the_callee_never_answers() {
    let limits = Limits::default().output_size(1 << 16);
    let mut net = Net::with(config().limits(limits));
    let (caller, callee) = (net.join(), net.join());
    net.register(callee, 1, "com.example.p");
    for request in 1..=10_000 {
        net.send_unchecked(caller, call(request, "com.example.p"));
        net.send_unchecked(caller, cancel(request, Some(CancelMode::Skip)));
        // Canceled, or refused because too much waits for the callee.
        assert!(net.poll_one(caller).is_some() && net.poll_one(caller).is_none());
    }
    let stats = net.router.stats();
    assert_eq!(stats.calls, 0);
    assert!(stats.queued_bytes <= 1 << 16, "{stats:?}");
    assert_eq!(stats.counters.invocations + stats.counters.calls_unavailable, 10_000);
    assert!(net.is_joined(callee) && net.is_joined(caller));
    net.end(&[caller, callee]);
}
