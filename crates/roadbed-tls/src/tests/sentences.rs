//! Errors of certificates say what is wrong, and what to do.

use std::process::Command;
use std::time::{Duration, SystemTime};

use super::*;

/// Certificate and key of a server by itself, trusted by its client.
fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut params);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// What a client says that trusts this certificate, to a server that shows it.
fn told(certificate: &str, key: &str, host: &str, utc: UnixMicros) -> String {
    let server = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).and_then(TlsServerConfig::new);
    let roots = Roots::from_pem(certificate.as_bytes()).unwrap();
    let client = TlsClientConfig::new(roots).unwrap();
    told_by(&client, &server.unwrap(), host, utc)
}

fn told_by(client: &TlsClientConfig, server: &TlsServerConfig, host: &str, utc: UnixMicros) -> String {
    let client = TlsLayer::client(client, host, Protocol::Raw, NOW, utc).unwrap();
    let mut pair = Pair { client: End::new(client), server: End::new(TlsLayer::server(server, NOW, utc)) };
    pair.run(usize::MAX);
    pair.client.error().map_or_else(|| "open".into(), ToString::to_string)
}

#[test]
fn certificates_of_clients_and_servers() {
    type Change = fn(&mut CertificateParams);
    let cases: [(Change, &str, &str); 7] = [
        (|_| {}, "localhost", "open"),
        (
            |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            "localhost",
            "make it anew with basicConstraints=CA:FALSE",
        ),
        (
            |_| {},
            "router.example",
            "it is not for router.example, but for localhost: connect by a name that it has",
        ),
        (
            |params| params.subject_alt_names.clear(),
            "localhost",
            "make it anew with subjectAltName=DNS:localhost",
        ),
        (
            |params| params.not_after = rcgen::date_time_ymd(2021, 5, 9),
            "localhost",
            "it expired on 2021-05-09, and it is 2023-11-14 here: renew it",
        ),
        (
            |params| params.not_before = rcgen::date_time_ymd(2029, 12, 31),
            "localhost",
            "it is valid from 2029-12-31 on, and it is 2023-11-14 here",
        ),
        (
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            "localhost",
            "its extendedKeyUsage has to hold serverAuth",
        ),
    ];
    for (change, host, expected) in cases {
        let (certificate, key) = self_signed(change);
        let told = told(&certificate, &key, host, UTC);
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("Other") && told.len() < 400, "{told}");
    }
    let (certificate, key) = self_signed(|_| {});
    let server =
        TlsServerConfig::new(Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()).unwrap();
    let told = told_by(&CLIENT, &server, "localhost", UTC);
    assert!(told.contains("nobody who is trusted has signed it: add"), "{told}");
}

#[test]
fn certificates_that_clients_have_to_show() {
    let required = server_for(ClientCertificates::Required(AUTHORITY.roots()));
    let told = told_by(&CLIENT, &required, "router.example", UTC);
    assert!(
        told.ends_with("certificate required: it wants a certificate, which `with_identity` gives it"),
        "{told}"
    );
    let stranger = Authority::new().identity("client.example");
    let stranger = TlsClientConfig::with_identity(AUTHORITY.roots(), stranger).unwrap();
    let told = told_by(&stranger, &required, "router.example", UTC);
    assert!(told.ends_with("it does not trust who has signed our certificate"), "{told}");
}

#[test]
fn a_certificate_of_version_1() {
    let (chain, key) = (include_bytes!("pem/version1.pem"), include_bytes!("pem/version1.key.pem"));
    let identity = Identity::from_pem(chain, key).unwrap();
    let error = TlsServerConfig::new(identity).unwrap_err().to_string();
    assert!(error.contains("make one of version 3"), "{error}");
}

#[test]
fn keys_that_do_not_fit() {
    let ((certificate, _), (_, key)) = (self_signed(|_| {}), self_signed(|_| {}));
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let error = TlsServerConfig::new(identity).unwrap_err().to_string();
    assert!(error.ends_with("the key does not belong to the certificate"), "{error}");
    let error = Identity::from_pem(certificate.as_bytes(), certificate.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("PEM section PRIVATE KEY"), "{error}");
    let error = Roots::from_pem(b"-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap_err().to_string();
    assert!(error.ends_with("a section has no end, so the text was cut off"), "{error}");
}

/// What the command that everybody copies makes, and what the advice of the error makes of it.
#[test]
fn a_certificate_of_openssl() {
    let make = |more: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "-", "-out", "-"]);
        openssl.args(["-days", "3650", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
        let made = openssl.args(more).output().ok().filter(|made| made.status.success())?;
        String::from_utf8(made.stdout).ok()
    };
    let (Some(authority), Some(server)) =
        (make(&[]), make(&["-addext", "basicConstraints=critical,CA:FALSE"]))
    else {
        println!("not tried: there is no openssl");
        return;
    };
    // They are valid from now on.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(60);
    let now = UnixMicros::from_micros(now.as_secs() * 1_000_000);
    let refused = told(&authority, &authority, "localhost", now);
    assert!(refused.contains("-addext basicConstraints=critical,CA:FALSE"), "{refused}");
    assert_eq!(told(&server, &server, "localhost", now), "open");
}
