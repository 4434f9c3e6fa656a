//! The adapters, and a loop without any: the same scenarios on every runtime, over RawSocket and
//! WebSocket, over TCP, TLS, Unix sockets and in memory, and the same events in each place.
//!
//! A scenario writes down what it sees; what it has seen in one place is compared with every other one. The
//! table at the end says which scenario ran where.
//!
//! ```text
//! cargo test -p roadbed-tests --test adapters                     all of it
//! cargo test -p roadbed-tests --test adapters events::            some scenarios
//! cargo test -p roadbed-tests --test adapters tokio/wss           one place
//! ROADBED_CALLS=40000 cargo test --release -p roadbed-tests --test adapters twelve -- --test-threads 1
//! ```

mod adapter;
mod authorizing;
#[cfg(target_os = "linux")]
mod bounds;
mod calls;
mod certificates;
mod events;
mod faults;
mod foreign;
mod forgotten;
mod joining;
mod last_words;
#[cfg(target_os = "linux")]
mod leftovers;
mod load;
mod payloads;
#[cfg(target_os = "linux")]
mod pinned;
mod procedures;
mod refusing;
mod relay;
mod secure;
mod serving;
mod sessions;
mod table;
mod tls_proxy;
mod waiting;
mod way;
mod world;

use std::process::ExitCode;
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Failed, Trial};
use roadbed_tests::alloc::Counting;

use crate::adapter::{Adapter, AsyncStd, Blocking, Own, Smol, Tokio};
use crate::table::{Table, why_not};
use crate::way::Way;
use crate::world::{Scenario, World, run};

/// Names async functions of a `World`, wherever they run.
macro_rules! scenarios {
    ($($module:ident: $($name:ident),* $(,)?;)*) => {
        fn scenarios<A: Adapter>() -> Vec<(&'static str, Scenario<A>)> {
            fn entry<A>(name: &'static str, scenario: Scenario<A>) -> (&'static str, Scenario<A>) {
                (name, scenario)
            }
            vec![$($(
                entry(
                    concat!(stringify!($module), "::", stringify!($name)),
                    |world: &World<A>| Box::pin($module::$name(world)),
                ),
            )*)*]
        }
    };
}

scenarios! {
    payloads: arguments_and_results, shapes_of_payloads, application_errors, binary, mixed_serializers,
        large_payloads, payloads_over_the_limit, modest_receivers,
        raised_limits, batches;
    calls: dropped_calls_are_cancelled, calls_cancelled_in_place, deadlines, many_calls_at_a_time,
        twelve_callers, calls_from_a_handler, calls_of_its_own_procedures;
    procedures: unregistered, unregistered_while_serving, handlers_that_fail, names_that_are_taken,
        names_that_are_refused, names_in_unicode, invocations_by_hand, callee_that_leaves,
        detached_registration;
    events: acknowledged_publications, order, unsubscribed, publisher_exclusion, eligible_and_excluded,
        several_handlers, subscribed_anew, detached_subscription, refused_publications, fan_out,
        every_serializer_to_every_other, among_calls;
    sessions: clean_leave, dropped_session_leaves, leave_with_calls_pending, hooks_in_their_turn,
        vetoed_welcome, tickets, challenges_decided_by_the_application, what_is_known_of_the_transport,
        killed_by_the_router, joined_again, wrong_realm, realms_apart, realms_come_and_go, clones,
        router_shuts_down;
    load: unread_subscription, lagging_by_bytes, stalled_handlers, full_queues, flood_of_publications,
        flood_of_calls;
    joining: listener_without_room, refused_connection, refused_serializer_is_retried, only_serializer_is_refused,
        serializer_that_the_router_has, peer_that_says_nothing, name_with_several_addresses,
        every_way_through_one_listener;
    refusing: text_in_pieces, ports_of_another_protocol, full_router;
    secure: unknown_issuer, peer_without_tls, client_that_stalls, close_notify_in_a_call, behind_a_proxy;
    faults: reset_in_a_call, end_of_stream_in_a_call, black_hole_in_a_call, reset_at_every_step,
        half_close_at_every_step, black_hole_at_every_step, callee_that_dies, peer_that_stops_reading,
        subscriber_that_stops_reading;
    authorizing: decided_later, decided_by_the_session_itself;
    forgotten: requests_without_an_answer;
    foreign: odd_values;
    last_words: of_a_router, of_a_client;
    serving: stopped_listener, failing_listener, timers, silent_callee_is_given_up, half_a_message_is_not_kept;
}

#[global_allocator]
static COUNTING: Counting = Counting;

static TABLE: LazyLock<Table> = LazyLock::new(Table::default);

/// Every scenario in every place of an adapter.
fn trials<A: Adapter>() -> Vec<Trial> {
    let places = scenarios::<A>().into_iter().flat_map(|scenario| Way::ALL.map(|way| (scenario, way)));
    let places = places.filter(|((name, _), way)| why_not(name, *way).is_none());
    let trial = |((name, scenario), way): ((&'static str, Scenario<A>), Way)| {
        Trial::test(format!("{name}/{}/{}", A::NAME, way.name()), move || {
            let seen = run(scenario, way)?;
            Ok(TABLE.record(name, A::NAME, way, &seen)?)
        })
    };
    places.map(trial).collect()
}

/// A test that is not a scenario.
fn single(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok::<(), Failed>(())
    })
}

/// Tests that count what the whole process holds.
#[cfg(target_os = "linux")]
fn alone() -> Vec<Trial> {
    fn of<A: Adapter>() -> Vec<Trial> {
        let ways = [Way::RawSocket, Way::SecureWebSocket].into_iter();
        let trials = ways.flat_map(|way| {
            let leftovers = leftovers::connections_come_and_go::<A>;
            let leftovers = leftovers::alone::<A>("leftovers::nothing_is_left", way, leftovers);
            let bounds =
                leftovers::alone::<A>("bounds::memory_is_bounded", way, bounds::memory_is_bounded::<A>);
            leftovers.into_iter().chain(bounds)
        });
        trials.collect()
    }
    fn pinned<A: Adapter>() -> Vec<Trial> {
        let plain = Way::TCP.map(|way| ("pinned::in_place", way, pinned::in_place::<A> as fn(Way)));
        let compressed = ("pinned::compressed", Way::WebSocket, pinned::compressed::<A> as fn(Way));
        let all = plain.into_iter().chain([compressed]);
        all.flat_map(|(name, way, test)| leftovers::alone::<A>(name, way, test)).collect()
    }
    let leftovers = [of::<Tokio>(), of::<AsyncStd>(), of::<Smol>(), of::<Blocking>(), of::<Own>()];
    let pinned = [pinned::<Tokio>(), pinned::<AsyncStd>(), pinned::<Blocking>()];
    leftovers.into_iter().chain(pinned).flatten().collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They wait more than they work.
    arguments.test_threads.get_or_insert(8);

    let mut all = Vec::new();
    // Those that take longest come first.
    #[cfg(target_os = "linux")]
    all.extend(alone());
    all.extend(trials::<Tokio>());
    all.extend(trials::<AsyncStd>());
    all.extend(trials::<Smol>());
    all.extend(trials::<Blocking>());
    all.extend(trials::<Own>());
    all.push(single("waiting::the_whole_story", waiting::the_whole_story));
    all.push(single("waiting::answers_that_do_not_come", waiting::answers_that_do_not_come));
    let conclusion = libtest_mimic::run(&arguments, all);

    if arguments.list || arguments.ignored {
        return conclusion.exit_code();
    }
    let adapters = [Tokio::NAME, AsyncStd::NAME, Smol::NAME, Blocking::NAME, Own::NAME];
    println!("{}", TABLE.text(&adapters));
    if conclusion.num_filtered_out == 0 {
        let names: Vec<&'static str> = scenarios::<Tokio>().into_iter().map(|(name, _)| name).collect();
        assert!(names.len() >= 40, "{} scenarios", names.len());
        let missing = TABLE.missing(&names, &adapters);
        if !missing.is_empty() {
            println!("missing:\n{}", missing.join("\n"));
            return ExitCode::FAILURE;
        }
    }
    conclusion.exit_code()
}
