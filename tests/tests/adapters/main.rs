//! The adapters over real sockets of this machine: the same scenarios on every runtime, over TCP and Unix
//! sockets.

mod adapter;
mod faults;
mod joining;
#[cfg(target_os = "linux")]
mod leftovers;
mod relay;
mod scenarios;
mod serving;
mod waiting;
mod world;

/// Runs async functions of a `World` on every runtime, each as a test of its own.
macro_rules! on_every_runtime {
    ($($module:ident: $($name:ident),* $(,)?;)*) => {
        on_every_runtime!(@on tokio, Tokio, { $($module: $($name),*;)* });
        on_every_runtime!(@on async_std, AsyncStd, { $($module: $($name),*;)* });
        on_every_runtime!(@on smol, Smol, { $($module: $($name),*;)* });
        on_every_runtime!(@on blocking, Blocking, { $($module: $($name),*;)* });
    };
    (@on $runtime:ident, $adapter:ident, { $($module:ident: $($name:ident),*;)* }) => {
        mod $runtime {
            $(
                mod $module {
                    $(
                        #[test]
                        fn $name() {
                            crate::world::run(crate::adapter::$adapter, |world| {
                                Box::pin(crate::$module::$name(world))
                            });
                        }
                    )*
                }
            )*
        }
    };
}

on_every_runtime! {
    scenarios: arguments_and_results, application_errors, binary, large_payloads, dropped_calls_are_cancelled,
        acknowledged_publications, events_in_order, unregistered, unsubscribed, many_calls_at_a_time, twelve_callers,
        calls_from_a_handler, clean_leave, dropped_session_leaves;
    joining: refused_connection, wrong_realm, refused_serializer_is_retried, only_serializer_is_refused,
        peer_that_says_nothing, name_with_several_addresses;
    faults: reset_in_a_call, end_of_stream_in_a_call, black_hole_in_a_call, peer_that_stops_reading,
        router_shuts_down, reset_in_every_request;
    serving: stopped_listener, failing_listener, timers;
}
