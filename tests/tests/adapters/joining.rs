//! How connecting comes out, well or not.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_io::Timer;
use roadbed::Error;
use roadbed::core::limits::Limits;
use roadbed::core::serializer::Serializer;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::adapter::{Adapter, Listening};
use crate::calls::greet;
use crate::relay::Relay;
use crate::world::{Outcome, World, config, in_time, settings, told};

pub(crate) async fn refused_connection<A: Adapter>(world: &World<A>) -> Outcome {
    // Free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let result = in_time(world.adapter.connect(&world.way.over_tcp().url(address), settings())).await;
    let Err(Error::Io(error)) = result.as_ref().map_err(Error::root) else { panic!("{result:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    world.note(told(result));

    let nowhere = world.way.over_unix().url("/nobody/listens/here");
    let result = in_time(world.adapter.connect(&nowhere, settings())).await;
    assert!(
        matches!(result.as_ref().map_err(Error::root), Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound)
    );
    world.note(told(result));
    let result = in_time(world.adapter.connect("http://localhost", settings())).await;
    assert!(matches!(&result, Err(Error::Url(_))), "{result:?}");
    world.note(told(result));
    Ok(())
}

pub(crate) async fn refused_serializer_is_retried<A: Adapter>(world: &World<A>) -> Outcome {
    let relay = Relay::refusing(world, &[Serializer::MsgPack, Serializer::Cbor]);
    let session = world.session_at(relay.url()).await;
    assert_eq!(session.serializer(), Serializer::Json);
    assert_eq!(relay.asked(), [2, 3, 1]);
    world.note(format!("asked for {:?}", relay.asked()));
    session.leave().await?;
    Ok(())
}

pub(crate) async fn only_serializer_is_refused<A: Adapter>(world: &World<A>) -> Outcome {
    let relay = Relay::refusing(world, &[Serializer::MsgPack]);
    let url = format!("{}?serializer=msgpack", relay.url());
    let result = in_time(world.adapter.connect(&url, settings())).await;
    assert!(matches!(result.as_ref().map_err(Error::root), Err(Error::Ended(_))), "{result:?}");
    assert_eq!(relay.asked(), [2]);
    world.note(told(result));
    // Nothing else was wrong.
    world.session_at(&format!("{}?serializer=cbor", relay.url())).await.leave().await?;
    Ok(())
}

/// Whoever has no preference gets what the router has: RawSocket asks again, WebSocket lets the router choose.
pub(crate) async fn serializer_that_the_router_has<A: Adapter>(world: &World<A>) -> Outcome {
    let other = world.another_with(config(), |builder| builder.serializers(&[Serializer::Json]));
    let session = in_time(other.join(settings())).await?;
    world.note(format!("{:?}", session.serializer()));
    session.leave().await?;
    let error = in_time(other.join(settings().serializer(Serializer::Cbor))).await.unwrap_err();
    assert!(matches!(error.root(), Error::Ended(_)), "{error:?}");
    world.note(format!("refused, worth another try: {}", error.is_retryable()));
    other.close().await;
    Ok(())
}

/// Whatever the socket of a router is spoken to in: everybody meets everybody.
pub(crate) async fn every_way_through_one_listener<A: Adapter>(world: &World<A>) -> Outcome {
    let callee = world.session().await;
    let _greet = callee.register("com.example.greet", greet).await?;
    let mut events = callee.subscribe("com.example.tick").await?;
    for way in world.way.siblings() {
        let session = world.session_at(&way.url(&world.place)).await;
        let call = session.call("com.example.greet", ("joe",)).returning::<String>();
        assert_eq!(in_time(call).await?, "joe", "{way:?}");
        session.publish("com.example.tick", (way.name(),)).acknowledge().await?;
        let event = in_time(events.next()).await.ok_or("ended")??;
        assert_eq!(event.get::<String>()?, way.name());
        session.leave().await?;
    }
    world.note("they have met");
    Ok(())
}

/// Somebody accepts the connection, and that is all.
pub(crate) async fn peer_that_says_nothing<A: Adapter>(world: &World<A>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = world.way.over_tcp().url(listener.local_addr()?);
    let limits = Limits::default().join_timeout(Duration::from_millis(300));
    let result = in_time(world.adapter.connect(&url, settings().limits(limits))).await;
    assert!(matches!(result.as_ref().map_err(Error::root), Err(Error::Ended(_))), "{result:?}");
    assert!(result.as_ref().is_err_and(Error::is_retryable));
    world.note(told(result));
    Ok(())
}

/// `localhost` is two addresses on many machines, and only one of them is served here.
pub(crate) async fn name_with_several_addresses<A: Adapter>(world: &World<A>) -> Outcome {
    let (_, port) = world.place.rsplit_once(':').ok_or("no port")?;
    let session = world.session_at(&world.way.url(format!("localhost:{port}"))).await;
    session.leave().await?;
    world.note("connected by name");
    let result = in_time(world.adapter.connect(&world.way.url("nobody.invalid:1"), settings())).await;
    assert!(matches!(result.as_ref().map_err(Error::root), Err(Error::Io(_))), "{result:?}");
    Ok(())
}

/// A Unix listener that has no room for one more is waited for.
pub(crate) async fn listener_without_room<A: Adapter>(world: &World<A>) -> Outcome {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("roadbed-{}-full{}.sock", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let address = SockAddr::unix(&path)?;
    let socket = || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let listener = socket();
    listener.bind(&address)?;
    listener.listen(1)?;
    // As many as there is room for.
    let mut waiting = Vec::new();
    loop {
        let one = socket();
        one.set_nonblocking(true)?;
        match one.connect(&address) {
            Ok(()) => waiting.push(one),
            Err(error) => break assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    let url = world.way.url(path.display());
    let mut joining = Box::pin(world.adapter.connect(&url, settings()));
    let moment = async {
        Timer::after(Duration::from_millis(100)).await;
        None
    };
    let early = futures_lite::future::or(async { Some((&mut joining).await) }, moment).await;
    assert!(early.is_none(), "{early:?}");
    let stop = world.adapter.serve(Listening::Unix(listener.into()), &world.router);
    in_time(in_time(joining).await?.leave()).await?;
    stop();
    std::fs::remove_file(path)?;
    world.note("there was room after all");
    Ok(())
}
