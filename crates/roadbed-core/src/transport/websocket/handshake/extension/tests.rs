use alloc::string::ToString;
use core::iter;

use proptest::prelude::*;

use super::*;

fn params(client: u8, server: u8) -> DeflateParams {
    DeflateParams { client_max_window_bits: client, server_max_window_bits: server, ..Default::default() }
}

fn accept_text(offer: &str, config: &DeflateConfig) -> Result<Option<(DeflateParams, String)>, UpgradeError> {
    accept(iter::once(offer.as_bytes()), Some(config))
}

#[test]
fn offers_that_a_server_accepts() {
    let any = DeflateConfig::default();
    let small = DeflateConfig::default()
        .client_max_window_bits(10)
        .server_max_window_bits(11)
        .client_no_context_takeover(true)
        .server_no_context_takeover(true);
    let without = DeflateParams {
        client_no_context_takeover: true,
        server_no_context_takeover: true,
        ..DeflateParams::default()
    };
    let both = "; client_no_context_takeover; server_no_context_takeover";
    for (offer, config, expected, answer) in [
        ("permessage-deflate", any, params(15, 15), ""),
        ("Permessage-Deflate ;client_max_window_bits", any, params(15, 15), ""),
        ("permessage-deflate;client_max_window_bits=15", any, params(15, 15), ""),
        ("permessage-deflate;client_max_window_bits=10", any, params(10, 15), "; client_max_window_bits=10"),
        (
            "permessage-deflate;client_max_window_bits=\"10\"",
            any,
            params(10, 15),
            "; client_max_window_bits=10",
        ),
        // Decompressing what was compressed with a smaller window is no problem.
        ("permessage-deflate;client_max_window_bits=8", any, params(9, 15), "; client_max_window_bits=8"),
        ("permessage-deflate; server_max_window_bits=9", any, params(15, 9), "; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=15", any, params(15, 15), "; server_max_window_bits=15"),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", any, without, both),
        (
            "permessage-deflate; client_max_window_bits",
            small,
            DeflateParams { client_max_window_bits: 10, server_max_window_bits: 11, ..without },
            "; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=10; server_max_window_bits=11",
        ),
        // A client that does not say that it can make its window smaller is not asked to.
        (
            "permessage-deflate",
            small,
            DeflateParams { server_max_window_bits: 11, ..without },
            "; client_no_context_takeover; server_no_context_takeover; server_max_window_bits=11",
        ),
        // The first one that can be accepted.
        (
            "x-other; a=b, permessage-deflate; server_max_window_bits=8, permessage-deflate; x=1, permessage-deflate; server_max_window_bits=10, permessage-deflate",
            any,
            params(15, 10),
            "; server_max_window_bits=10",
        ),
    ] {
        let answer = [NAME, answer].concat();
        assert_eq!(accept_text(offer, &config), Ok(Some((expected, answer))), "{offer}");
    }
}

#[test]
fn offers_that_a_server_declines() {
    for parameter in [
        "server_max_window_bits",
        "server_max_window_bits=8",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=a",
        "server_max_window_bits=99999999999999999999",
        "server_max_window_bits=9; server_max_window_bits=9",
        "client_max_window_bits=7",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=16",
        "client_no_context_takeover=1",
        "client_no_context_takeover; client_no_context_takeover",
        "server_no_context_takeover=true",
        "unknown",
    ] {
        let offer = [NAME, "; ", parameter].concat();
        assert_eq!(accept_text(&offer, &DeflateConfig::default()), Ok(None), "{parameter}");
    }
    for other in ["", " , ,", "x-webkit-deflate-frame", "permessage-bzip2; a; b=c"] {
        assert_eq!(accept_text(other, &DeflateConfig::default()), Ok(None), "{other}");
    }
    assert_eq!(accept(iter::once(NAME.as_bytes()), None), Ok(None));
}

#[test]
fn what_breaks_the_grammar() {
    for header in [
        "permessage-deflate;",
        "permessage-deflate; =9",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=\"9",
        "permessage-deflate; client_max_window_bits=\"\"",
        "permessage-deflate client_max_window_bits",
        "permessage-deflate; a b",
        "permessage-deflate; a=\"b\"c",
        "\"permessage-deflate\"",
        "; a",
        "a, b c",
        "\u{e4}",
    ] {
        assert_eq!(accept_text(header, &DeflateConfig::default()), Err(UpgradeError::Extensions), "{header}");
        let answer = read_answer(iter::once(header.as_bytes()), Some(&DeflateConfig::default()));
        assert!(answer.is_err(), "{header}");
    }
}

#[test]
fn offers_of_a_client() {
    let config = DeflateConfig::default();
    assert_eq!(offer(&config), "permessage-deflate; client_max_window_bits");
    let config = config
        .client_max_window_bits(3)
        .server_max_window_bits(10)
        .client_no_context_takeover(true)
        .server_no_context_takeover(true);
    assert_eq!(
        offer(&config),
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=9; server_max_window_bits=10"
    );
}

#[test]
fn answers_that_a_client_takes_or_not() {
    let any = DeflateConfig::default();
    let small = DeflateConfig::default().client_max_window_bits(11).server_max_window_bits(10);
    let fresh = DeflateConfig::default().server_no_context_takeover(true);
    let read = |answer: &str, config: &DeflateConfig| {
        read_answer(iter::once(answer.as_bytes()), Some(config)).map_err(|error| match error {
            UpgradeError::ExtensionMismatch { what } => what.to_string(),
            other => panic!("{other}"),
        })
    };
    for (answer, config, expected) in [
        ("", any, None),
        ("permessage-deflate", any, Some(params(15, 15))),
        ("permessage-deflate; client_max_window_bits=9", any, Some(params(9, 15))),
        ("permessage-deflate; server_max_window_bits=8", any, Some(params(15, 9))),
        ("permessage-deflate; server_max_window_bits=10", small, Some(params(11, 10))),
    ] {
        assert_eq!(read(answer, &config), Ok(expected), "{answer}");
    }
    for (answer, config, what) in [
        ("permessage-deflate", small, "larger server_max_window_bits"),
        ("permessage-deflate; server_max_window_bits=11", small, "larger server_max_window_bits"),
        (
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=12",
            small,
            "larger client_max_window_bits",
        ),
        ("permessage-deflate; client_max_window_bits", any, "without a value"),
        ("permessage-deflate; client_max_window_bits=8", any, "of 8"),
        ("permessage-deflate; x", any, "a parameter"),
        ("permessage-deflate", fresh, "left out"),
        ("permessage-deflate, permessage-deflate", any, "a second time"),
        ("x-other", any, "unknown"),
    ] {
        let error = read(answer, &config).unwrap_err();
        assert!(error.contains(what), "{answer}: {error}");
    }
    assert!(read_answer(iter::once(NAME.as_bytes()), None).is_err());
    assert_eq!(read_answer(iter::empty(), None), Ok(None));
}

fn configs() -> impl Strategy<Value = DeflateConfig> {
    (any::<(bool, bool)>(), 8_u8..17, 8_u8..17).prop_map(|((client, server), client_bits, server_bits)| {
        DeflateConfig::default()
            .client_no_context_takeover(client)
            .server_no_context_takeover(server)
            .client_max_window_bits(client_bits)
            .server_max_window_bits(server_bits)
    })
}

proptest! {
    /// Our client and our server always agree, and on the same.
    #[test]
    fn both_ends_agree(client in configs(), server in configs()) {
        let offer = offer(&client);
        let (agreed, answer) = accept(iter::once(offer.as_bytes()), Some(&server)).unwrap().unwrap();
        prop_assert_eq!(read_answer(iter::once(answer.as_bytes()), Some(&client)), Ok(Some(agreed)));
        prop_assert!(agreed.client_max_window_bits <= server.params.client_max_window_bits);
        prop_assert!(agreed.server_max_window_bits <= client.params.server_max_window_bits);
    }

    #[test]
    fn no_header_panics(header in "(permessage-deflate|client_max_window_bits|server_max_window_bits|[;=\", 019a]){0,12}") {
        let config = DeflateConfig::default();
        if let Ok(Some((params, answer))) = accept(iter::once(header.as_bytes()), Some(&config)) {
            prop_assert!((9..=15).contains(&params.client_max_window_bits));
            prop_assert!((9..=15).contains(&params.server_max_window_bits));
            prop_assert!(answer.starts_with(NAME));
        }
        let _ = read_answer(iter::once(header.as_bytes()), Some(&config));
    }
}
