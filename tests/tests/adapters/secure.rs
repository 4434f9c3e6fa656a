//! TLS between the ends, as it fails and as others end it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use futures_lite::future::poll_once;
use roadbed::Error;
use roadbed::core::limits::Limits;
use roadbed::core::transport::websocket::WebSocketServerConfig;
use roadbed::tls::TlsError;

use crate::adapter::Adapter;
use crate::calls::dig;
use crate::certificates;
use crate::tls_proxy::TlsProxy;
use crate::world::{Outcome, World, config, eventually, in_time, settings, told};

/// A router that nobody known vouches for is sent nothing.
pub(crate) async fn unknown_issuer<A: Adapter>(world: &World<A>) -> Outcome {
    let error = in_time(world.join(settings().tls(certificates::stranger()))).await.unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::Certificate(_))), "{error:?}");
    assert!(!error.is_retryable());
    world.note(told(Err::<(), _>(error)));
    eventually(|| world.router.connections() == 0).await;
    assert_eq!(world.router.stats().counters.joined, 0);
    Ok(())
}

/// A secure address is spoken to over TLS or not at all.
pub(crate) async fn peer_without_tls<A: Adapter>(world: &World<A>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = world.way.url(listener.local_addr()?);
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        Ok::<_, std::io::Error>(first)
    });
    let error = in_time(world.adapter.connect(&url, settings())).await.unwrap_err();
    assert!(matches!(error.root(), Error::Tls(TlsError::NotTls)), "{error:?}");
    world.note(told(Err::<(), _>(error)));
    // The record of a handshake.
    assert_eq!(peer.join().map_err(|_| "panicked")??, [22]);
    Ok(())
}

/// A client that stops in the middle of its handshake has as much time as any other, and no more.
pub(crate) async fn client_that_stalls<A: Adapter>(world: &World<A>) -> Outcome {
    let limits = Limits::default().handshake_timeout(Duration::from_millis(300));
    let other = world.another(config().limits(limits));
    let mut stream = TcpStream::connect(&other.place)?;
    // A record with a ClientHello of 200 bytes, as far as its length.
    stream.write_all(&[22, 3, 1, 0, 204, 1, 0, 0, 200])?;
    eventually(|| other.router.connections() == 1).await;
    let peer = thread::spawn(move || stream.read_to_end(&mut Vec::new()));
    eventually(|| other.router.connections() == 0).await;
    // The stream has ended, and was not reset.
    peer.join().map_err(|_| "panicked")??;
    world.note("nobody is connected");
    other.close().await;
    Ok(())
}

/// The other end says within TLS that nothing follows, and nothing more.
pub(crate) async fn close_notify_in_a_call<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _dig = callee.register("com.example.dig", dig).await?;
    let proxy = TlsProxy::to(world);
    let caller = world.session_at(&proxy.url()).await;
    let mut call = Box::pin(caller.call("com.example.dig", ()).into_future());
    assert!(poll_once(&mut call).await.is_none());
    eventually(|| world.router.stats().calls == 1).await;
    proxy.say_goodbye();
    let error = in_time(call).await.unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)) && error.is_retryable(), "{error:?}");
    world.note(told(Err::<(), _>(error)));
    assert!(!in_time(caller.closed()).await.is_clean);
    Ok(())
}

/// The pages of a site reach a router behind the proxy that speaks TLS for it, when it is told so.
pub(crate) async fn behind_a_proxy<A: Adapter>(world: &World<A>) -> Outcome {
    let behind = WebSocketServerConfig::default().behind_tls(true);
    let behind = world.another_with(config(), |builder| builder.websocket(behind));
    for (router, what) in [(&behind, "told so"), (world, "not told")] {
        let proxy = TlsProxy::to(router);
        let page = || settings().origin(format!("https://{}", proxy.place())).cookie("id", "7");
        let result = in_time(world.adapter.connect(&proxy.url(), page())).await;
        world.note(match result {
            Ok(session) => {
                session.publish("com.example.tick", ()).acknowledge().await?;
                format!("{what}: let in")
            }
            Err(error) => format!("{what}: {:?}, {}", error.status(), error.is_retryable()),
        });
    }
    assert!(world.log().has("told so: let in") && world.log().has("not told: Some(403), false"));
    behind.close().await;
    Ok(())
}
