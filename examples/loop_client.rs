//! Calls a procedure and prints the result as JSON:
//!
//! ```text
//! cargo run --example loop_client -- rs://127.0.0.1:8080 com.example.add '[2,3]'
//! ```

use roadbed_core::options::CallOptions;
use roadbed_core::payload::Payload;
use roadbed_core::serializer::Serializer;
use roadbed_core::session::{ClientConfig, SessionEvent};
use roadbed_core::uri::Uri;
use roadbed_core::value::Value;
use roadbed_examples::client_loop::ClientLoop;
use roadbed_examples::stream::Socket;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, procedure, rest @ ..] = &arguments[..] else {
        return Err("usage: loop_client URL PROCEDURE [JSON LIST]".into());
    };
    let procedure = Uri::new(procedure)?;
    let list = rest.first().map(|list| bytes::Bytes::from(list.clone()));
    let payload = Payload::from_raw(Serializer::Json, list, None, 64)?;

    let config = ClientConfig::new(Uri::new("realm1")?).build()?;
    let mut client = ClientLoop::new(Socket::connect(url)?, config, Serializer::MsgPack);
    while let Some(event) = client.next_event()? {
        let now = client.now();
        match event {
            // The payload is JSON, the connection MessagePack: the command transcodes.
            SessionEvent::Joined { .. } => {
                client.connection.call(now, &procedure, payload.clone(), &CallOptions::new())?;
            }
            SessionEvent::Result { result, .. } => {
                match result {
                    Ok(answer) => {
                        let values = Value::List(answer.payload.args()?);
                        println!("{}", String::from_utf8_lossy(&Serializer::Json.encode_value(&values)?));
                    }
                    Err(error) => eprintln!("{error}"),
                }
                client.connection.leave(now, None)?;
            }
            SessionEvent::Closed { reason, clean: false } => return Err(reason.into()),
            _ => {}
        }
    }
    Ok(())
}
