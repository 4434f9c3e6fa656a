//! `wss://` and `rss://` on one port, with a certificate made on the spot.
//!
//! The router asks its application about everybody who wants to join, and tells how they are connected: over TLS
//! that is a channel binding (RFC 9266 `tls-exporter`), a name for this one connection that both of its ends
//! compute and nobody in between can. Both print theirs; they are equal. A signature that covers it cannot be
//! carried over to another connection.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use roadbed_tokio::roadbed::Error;
use roadbed_tokio::roadbed::client::Session;
use roadbed_tokio::roadbed::core::transport::TransportDetails;
use roadbed_tokio::roadbed::core::uri::Uri;
use roadbed_tokio::roadbed::server::{Authentication, Grant, RouterConfig, RouterEvent, RouterHandle};
use roadbed_tokio::roadbed::tls::{Identity, Roots, TlsClientConfig, TlsServerConfig};
use roadbed_tokio::{Tokio, connect, serve};
use tokio::net::TcpListener;

/// Any error; what goes wrong here goes to the person who ran the example.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints one line of the story.
fn say(who: &str, what: &str) {
    println!("{who:>6} | {what}");
}

/// A router's certificate and key, made by a new authority, and whom clients have to trust for it.
fn certificates(authority: &str) -> Result<(Identity, Roots), Failure> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, authority);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &authority)?;
    let identity = Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())?;
    Ok((identity, Roots::from_pem(authority.pem().as_bytes())?))
}

/// What is known of a connection, in a line.
fn describe(transport: &TransportDetails) -> String {
    let binding = transport.channel_binding.as_deref().unwrap_or_default();
    let binding: String = binding.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("encrypted: {}, channel binding {binding}…", transport.is_secure)
}

/// Joins, and says by what its connection is bound.
async fn join(url: &str, trusted: TlsClientConfig) -> Result<Session, Error> {
    connect(url)
        .realm("realm1")
        .tls(trusted)
        .on_connect(|transport| say("client", &format!("connected; {}", describe(transport))))
        .on_challenge("x-house-key", |_| Ok("the one under the mat".to_owned()))
        .await
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (identity, roots) = certificates("an authority")?;
    let trusted = TlsClientConfig::new(roots)?;
    let config = RouterConfig::new().realm(Uri::new("realm1")?, Authentication::new().dynamic("x-house-key"));
    let router = RouterHandle::builder(config)
        .tls_required(TlsServerConfig::new(identity)?)
        .on_event(|router, event| {
            if let RouterEvent::Authenticate(request) = event {
                say("router", &format!("is asked for {}; {}", request.realm, describe(&request.transport)));
                // Whoever is gone meanwhile needs no answer.
                let _ = router.grant(request.decision, Grant::new("joe", "friend"));
            }
        })
        .start(Arc::new(Tokio::current()))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let serving = serve(listener, &router);
    say("router", &format!("listens on port {port}, for TLS and nothing else"));

    for url in [format!("wss://localhost:{port}/"), format!("rss://localhost:{port}")] {
        say("client", &format!("connects to {url}"));
        let session = join(&url, trusted.clone()).await?;
        let mut news = session.subscribe("com.example.news").await?;
        let publish = session.publish("com.example.news", ("nobody reads along",));
        publish.exclude_me(false).acknowledge().await?;
        let event = news.next().await.ok_or("the session ended")??;
        say("client", &format!("publishes, and reads {:?}", event.get::<String>()?));
        session.leave().await?;
    }

    // Nobody vouches for this router but the authority above, so others do not talk to it.
    let (_, strangers) = certificates("another authority")?;
    match join(&format!("wss://localhost:{port}/"), TlsClientConfig::new(strangers)?).await {
        Err(error) if matches!(error.root(), Error::Tls(_)) => {
            say("client", &format!("trusts another authority: {error}"));
        }
        other => return Err(format!("expected a refusal, got {other:?}").into()),
    }
    // And the router does not talk to whoever comes without TLS.
    match connect(format!("ws://localhost:{port}/")).realm("realm1").await {
        Err(error) => say("client", &format!("tries without TLS: {error}")),
        Ok(_) => return Err("expected to be closed".into()),
    }

    serving.stop().await;
    router.shutdown(Duration::from_secs(5)).await;
    let stats = router.stats();
    say("router", &format!("is empty again: {} peers, {} sessions", stats.peers, stats.sessions));
    Ok(())
}
