//! `xconn-core` behind the protocol of `cargo xtask bench adapters`: its router, which is what its program
//! `xconn-router` runs, and its asynchronous client, as caller and callee. (Its blocking client is the
//! asynchronous one, waited for.)

#[path = "../../src/adapters/protocol.rs"]
mod protocol;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use protocol::Load;
use xconn_core::async_::client::Client;
use xconn_core::async_::router::{RealmConfig, Router};
use xconn_core::async_::server::Server;
use xconn_core::async_::session::Session;
use xconn_core::wampproto::authenticators::anonymous::AnonymousAuthenticator;
use xconn_core::{Error, MsgPackSerializerSpec, Result as RpcResult, Value};

const PROCEDURE: &str = "com.example.echo";

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Runtime::new().expect("threads for a runtime");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", _] => runtime.block_on(serve()),
        ["load", _, address] => load(&runtime, address),
        _ => panic!("usage: serve NAME | load NAME ADDRESS"),
    }
}

async fn serve() -> Result<(), Error> {
    let router = Router::new();
    router.add_realm("realm1", RealmConfig::default())?;
    let server = Server::rawsocket(router, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    protocol::ready(&server.local_addr.to_string());
    tokio::task::spawn_blocking(protocol::until_orphaned).await.expect("standard input can be read");
    Ok(())
}

async fn join(address: &str) -> Result<Session, Error> {
    let anonymous = Box::new(AnonymousAuthenticator::new("", Default::default()));
    Client::new(Box::new(MsgPackSerializerSpec), anonymous)
        .connect(&format!("rs://{address}"), "realm1")
        .await
}

fn load(runtime: &tokio::runtime::Runtime, address: &str) -> Result<(), Error> {
    let (callee, caller) =
        runtime.block_on(async { Ok::<_, Error>((join(address).await?, join(address).await?)) })?;
    let echo = |invocation: xconn_core::async_::types::Invocation| async move {
        RpcResult::new(invocation.args, invocation.kwargs)
    };
    runtime.block_on(callee.register(PROCEDURE, echo).execute())?;
    protocol::run_rounds(|load| runtime.block_on(round(&caller, load)));
    Ok(())
}

async fn round(caller: &Session, load: Load) -> u64 {
    let until = Instant::now() + load.span;
    let callers: Vec<_> = (0..load.in_flight)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move {
                let mut calls = 0;
                while Instant::now() < until {
                    let argument = Value::from(vec![7_u8; load.bytes]);
                    let result = caller.call(PROCEDURE).arg(argument).execute().await;
                    let result = result.unwrap_or_else(|error| panic!("a call failed: {error}"));
                    let Some([Value::Bytes(bytes)]) = result.args.as_deref() else {
                        panic!("it answered {result:?}");
                    };
                    assert_eq!(bytes.len(), load.bytes);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut total = 0;
    for caller in callers {
        total += caller.await.expect("no caller panics");
    }
    total
}
