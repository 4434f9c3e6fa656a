//! Who is believed, and what is agreed on.

use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, ProtocolVersion};

use super::*;

/// Runs a handshake that fails, and says why for the client and for the server.
fn refused(client: TlsLayer, server: &TlsServerConfig) -> (TlsError, TlsError) {
    let mut pair = Pair { client: End::new(client), server: End::server(server) };
    pair.run(usize::MAX);
    let error = |end: &End| end.error().expect("it failed").clone();
    (error(&pair.client), error(&pair.server))
}

fn client_at(host: &str, utc: UnixMicros) -> TlsLayer {
    TlsLayer::client(&CLIENT, host, Protocol::Raw, NOW, utc).unwrap()
}

#[test]
fn both_versions_give_both_ends_the_same_binding() {
    for (server, version) in versions().iter().zip([ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3]) {
        let mut bindings = Vec::new();
        for _ in 0..2 {
            let pair = Pair::open(&CLIENT, server);
            assert_eq!(pair.client.layer.version(), Some(version));
            let binding = pair.client.layer.channel_binding().unwrap();
            assert_eq!(Some(binding), pair.server.layer.channel_binding());
            assert_eq!(binding.len(), 32);
            bindings.push(binding.clone());
        }
        assert_ne!(bindings[0], bindings[1]);
    }
}

/// In TLS 1.2 a binding is one only when the extended master secret is insisted on.
#[test]
fn a_binding_that_binds_nothing_is_not_given() {
    let Identity { chain, key } = AUTHORITY.identity("router.example");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let pair = Pair::open(&CLIENT, &TlsServerConfig::from_rustls(Arc::new(config)));
    assert_eq!(pair.server.layer.channel_binding(), None);
    assert!(pair.client.layer.channel_binding().is_some());
}

#[test]
fn the_server_is_told_what_it_was_called() {
    let pair = Pair::open(&CLIENT, &SERVER);
    assert_eq!(pair.server.layer.server_name(), Some("router.example"));
    assert_eq!(pair.client.layer.peer_certificates().len(), 1);
    assert!(pair.server.layer.peer_certificates().is_empty());
    let named = CLIENT.clone().server_name("router.example").unwrap();
    let client = TlsLayer::client(&named, "127.0.0.1", Protocol::Raw, NOW, UTC).unwrap();
    let mut pair = Pair { client: End::new(client), server: End::server(&SERVER) };
    pair.run(usize::MAX);
    assert_eq!(pair.client.events, [TlsEvent::Open]);
}

#[test]
fn an_address_is_a_name_as_well() {
    for (host, name) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("fe80::1%eth0", "fe80::1")] {
        let server = TlsServerConfig::new(AUTHORITY.identity(name)).unwrap();
        let client = TlsLayer::client(&CLIENT, host, Protocol::Raw, NOW, UTC).unwrap();
        let mut pair = Pair { client: End::new(client), server: End::server(&server) };
        pair.run(usize::MAX);
        assert_eq!(pair.server.events, [TlsEvent::Open]);
        assert_eq!(pair.server.layer.server_name(), None);
    }
    let none = TlsLayer::client(&CLIENT, "no name", Protocol::Raw, NOW, UTC);
    assert!(matches!(none, Err(TlsConfigError::ServerName(_))));
}

#[test]
fn a_wrong_name_is_refused() {
    let (client, server) = refused(client_at("other.example", UTC), &SERVER);
    let is_named = matches!(
        client,
        TlsError::Certificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    );
    assert!(is_named, "{client}");
    assert_eq!(server, TlsError::Refused(AlertDescription::BadCertificate));
}

#[test]
fn certificates_are_judged_by_the_callers_time() {
    let year = |year: u64| UnixMicros::from_micros((year - 1970) * 31_557_600 * 1_000_000);
    let (client, server) = refused(client_at("router.example", year(2031)), &SERVER);
    assert!(
        matches!(
            client,
            TlsError::Certificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })
        ),
        "{client}"
    );
    assert_eq!(server, TlsError::Refused(AlertDescription::CertificateExpired));
    let (client, _) = refused(client_at("router.example", year(2019)), &SERVER);
    assert!(
        matches!(
            client,
            TlsError::Certificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }
            )
        ),
        "{client}"
    );
    // Not the time at which it was made counts, but that at which the certificate comes.
    let mut client = End::new(client_at("router.example", UTC));
    let mut server = End::server(&SERVER);
    server.feed(&client.output());
    client.input.extend_from_slice(&server.output());
    let later = NOW + Duration::from_secs(8 * 365 * 86_400);
    client.layer.handle_input(later, &mut client.input, &mut client.plaintext);
    client.collect();
    assert!(matches!(client.error(), Some(TlsError::Certificate(_))), "{:?}", client.events);
    // And a clock that went wrong can be set right.
    let mut client = End::new(client_at("router.example", year(2031)));
    client.layer.set_utc(NOW, UTC);
    let mut pair = Pair { client, server: End::server(&SERVER) };
    pair.run(usize::MAX);
    assert_eq!(pair.client.events, [TlsEvent::Open]);
}

#[test]
fn an_unknown_authority_is_refused() {
    let stranger = TlsServerConfig::new(Authority::new().identity("router.example")).unwrap();
    let (client, server) = refused(client_at("router.example", UTC), &stranger);
    assert_eq!(client, TlsError::Certificate(CertificateError::UnknownIssuer));
    assert_eq!(server, TlsError::Refused(AlertDescription::UnknownCA));
}

#[test]
fn clients_show_certificates_when_they_are_asked() {
    let known =
        TlsClientConfig::with_identity(AUTHORITY.roots(), AUTHORITY.identity("client.example")).unwrap();
    let stranger = Authority::new().identity("client.example");
    let stranger = TlsClientConfig::with_identity(AUTHORITY.roots(), stranger).unwrap();
    let optional = server_for(ClientCertificates::Optional(AUTHORITY.roots()));
    let required = server_for(ClientCertificates::Required(AUTHORITY.roots()));
    for (client, server, shown) in
        [(&known, &required, 1), (&known, &optional, 1), (&*CLIENT, &optional, 0), (&known, &*SERVER, 0)]
    {
        let pair = Pair::open(client, server);
        assert_eq!(pair.server.layer.peer_certificates().len(), shown);
    }
    // A client of TLS 1.3 is done before the server has looked at what it shows.
    for (client, server, expected, alert) in [
        (&*CLIENT, &required, TlsError::NoCertificate, AlertDescription::CertificateRequired),
        (
            &stranger,
            &required,
            TlsError::Certificate(CertificateError::UnknownIssuer),
            AlertDescription::UnknownCA,
        ),
        (
            &stranger,
            &optional,
            TlsError::Certificate(CertificateError::UnknownIssuer),
            AlertDescription::UnknownCA,
        ),
    ] {
        let mut pair = Pair::new(client, server);
        pair.run(usize::MAX);
        assert_eq!(pair.server.events, [TlsEvent::Failed(expected)]);
        assert_eq!(pair.client.events, [TlsEvent::Open, TlsEvent::Failed(TlsError::Refused(alert))]);
        assert!(!pair.client.layer.is_writable());
    }
}

#[test]
fn alpn_is_answered_and_never_insisted_on() {
    let offering = |protocols: &[&[u8]]| {
        let mut config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(AUTHORITY.roots().0)
                .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsClientConfig::from_rustls(Arc::new(config))
    };
    for server in versions() {
        for (client, expected) in [
            (CLIENT.clone(), None),
            (offering(&[b"http/1.1"]), Some(&b"http/1.1"[..])),
            (offering(&[b"h2", b"http/1.1"]), Some(b"http/1.1")),
            (offering(&[b"h2"]), None),
            (offering(&[b"wamp", b"x"]), None),
        ] {
            let pair = Pair::open(&client, &server);
            assert_eq!(pair.client.layer.alpn(), expected);
            assert_eq!(pair.server.layer.alpn(), expected);
        }
        let client = TlsLayer::client(&CLIENT, "router.example", Protocol::Http, NOW, UTC).unwrap();
        let mut pair = Pair { client: End::new(client), server: End::server(&server) };
        pair.run(usize::MAX);
        assert_eq!(pair.client.layer.alpn(), Some(&b"http/1.1"[..]));
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    assert!(matches!(TlsClientConfig::new(Roots::none()), Err(TlsConfigError::NoRoots(_))));
    let Identity { chain, .. } = AUTHORITY.identity("a.example");
    let Identity { key, .. } = AUTHORITY.identity("a.example");
    let mixed = Identity { chain, key };
    assert!(matches!(TlsServerConfig::new(mixed.clone()), Err(TlsConfigError::Identity(_))));
    let client = TlsClientConfig::with_identity(AUTHORITY.roots(), mixed);
    assert!(matches!(client, Err(TlsConfigError::Identity(_))));
    let nobody = ClientCertificates::Required(Roots::none());
    let server = TlsServerConfig::with_client_certificates(AUTHORITY.identity("a.example"), nobody);
    assert!(matches!(server, Err(TlsConfigError::NoRoots(_))));
}

use crate::TlsConfigError;
