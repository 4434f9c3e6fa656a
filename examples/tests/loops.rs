//! The reference loops over WebSocket and TLS, as docs/embedding.md shows them.

use std::error::Error;
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use roadbed::server::{Authentication, RouterConfig, RouterHandle};
use roadbed::tls::{Identity, Roots, TlsClientConfig, TlsServerConfig};
use roadbed_core::connection::Endpoint;
use roadbed_core::options::PublishOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::transport::websocket::WebSocketClientConfig;
use roadbed_core::uri::Uri;
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::own_loop::OwnLoop;
use roadbed_examples::router_loop::RouterLoop;
use roadbed_examples::secure_loop::SecureLoop;
use roadbed_examples::stream::{Listener, Socket};

type Outcome = Result<(), Box<dyn Error>>;

fn realm() -> Uri {
    Uri::new("realm1").unwrap()
}

fn router_config() -> RouterConfig {
    RouterConfig::new().realm(realm(), Authentication::new().anonymous("guest"))
}

/// RawSocket and WebSocket.
fn endpoints(host: &str) -> Result<[Endpoint; 2], Box<dyn Error>> {
    Ok([Serializer::Cbor.into(), Endpoint::websocket(WebSocketClientConfig::new(host, "/")?)])
}

/// Publishes something large when it has joined, leaves when the router has it, and says how it ended.
macro_rules! session {
    ($client:ident) => {{
        let mut end = None;
        while let Some(event) = $client.next_event()? {
            let now = $client.now();
            match event {
                SessionEvent::Joined { .. } => {
                    let payload = Payload::from_args(Serializer::Json, &("x".repeat(500_000),))?;
                    let options = PublishOptions::new().acknowledge(true);
                    $client.connection.publish(now, &Uri::new("com.example.tick")?, payload, &options)?;
                }
                SessionEvent::Published { result, .. } => {
                    result?;
                    $client.connection.leave(now, None)?;
                }
                SessionEvent::Closed { reason, clean } => end = Some((reason.to_string(), clean)),
                _ => {}
            }
        }
        end
    }};
}

const GOODBYE: &str = "goodbye: wamp.close.close_realm";

#[test]
fn a_client_and_a_router_over_websocket() -> Outcome {
    let router = RouterLoop::start(router_config().into_shared());
    let listener = Listener::bind("rs://127.0.0.1:0")?;
    let address = listener.url()?.replace("rs://", "");
    router.listen(listener);
    for endpoint in endpoints(&address)? {
        let config = ClientConfig::new(realm()).build()?;
        let mut client = ClientLoop::new(Socket::Tcp(TcpStream::connect(&address)?), config, endpoint);
        assert_eq!(session!(client), Some((GOODBYE.to_owned(), true)));
    }
    Ok(())
}

#[test]
fn a_client_inside_tls() -> Outcome {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
    let identity = Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())?;
    let tls = TlsClientConfig::new(Roots::from_pem(certificate.pem().as_bytes())?)?;

    let own = OwnLoop::start();
    let builder = RouterHandle::builder(router_config()).tls_required(TlsServerConfig::new(identity)?);
    let router = builder.start(Arc::new(own.clone()))?;
    let listener = Listener::bind("rs://127.0.0.1:0")?;
    let address = listener.url()?.replace("rs://", "");
    own.serve(listener, &router)?;
    for endpoint in endpoints("localhost")? {
        let config = ClientConfig::new(realm()).build()?;
        let socket = Socket::Tcp(TcpStream::connect(&address)?);
        let mut client = SecureLoop::new(socket, "localhost", &tls, config, endpoint)?;
        assert_eq!(session!(client), Some((GOODBYE.to_owned(), true)));
        assert!(client.details().is_secure && client.details().channel_binding.is_some());
    }
    assert_eq!(router.stats().counters.publications, 2);

    // Another name than the certificate's.
    let socket = Socket::Tcp(TcpStream::connect(&address)?);
    let config = ClientConfig::new(realm()).build()?;
    let mut client = SecureLoop::new(socket, "other.example", &tls, config, Serializer::Cbor)?;
    let error = client.next_event().unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    own.stop();
    Ok(())
}
