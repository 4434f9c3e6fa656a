//! Listeners.

use std::net::{TcpListener, TcpStream};

use crate::adapter::{Adapter, Listening};
use crate::world::{Outcome, World, eventually, in_time};

/// A listener that is stopped takes nobody in, and those who are in stay.
pub(crate) async fn stopped_listener<A: Adapter>(world: &World<A>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let stop = world.adapter.serve(Listening::Tcp(listener), &world.router);
    let session = world.session_at(&format!("rs://{address}")).await;
    stop();
    eventually(|| TcpStream::connect(address).is_err()).await;
    in_time(session.publish("com.example.tick", ()).acknowledge()).await?;
    session.leave().await?;
    Ok(())
}

/// A listener that fails for a while goes on when that is over.
pub(crate) async fn failing_listener<A: Adapter>(world: &World<A>) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("rs://{}", listener.local_addr()?);
    let stop = world.adapter.serve_badly(listener, 4, &world.router);
    world.session_at(&url).await.leave().await?;
    stop();
    Ok(())
}
