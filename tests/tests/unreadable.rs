//! What users of the handles see of payloads that no one can read: an error of that result or event, and a session that
//! goes on. A router of ours passes none of them on, so the router is a script.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use roadbed::Error;
use roadbed::client::{Invocation, Session, Settings};
use roadbed::core::error::PayloadError;
use roadbed::core::serializer::Serializer;

/// Text that is not UTF-8.
const BROKEN: &[u8] = b"[\"\xff\"]";

/// The router's end of a RawSocket in JSON.
struct Script(TcpStream);

impl Script {
    fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().unwrap();
        let mut handshake = [0; 4];
        stream.read_exact(&mut handshake).unwrap();
        assert_eq!(handshake[1] & 0x0F, 1, "JSON");
        stream.write_all(&[0x7F, 0xF1, 0, 0]).unwrap();
        Self(stream)
    }

    fn read(&mut self) -> Vec<u8> {
        let mut head = [0; 4];
        self.0.read_exact(&mut head).unwrap();
        let mut message = vec![0; u32::from_be_bytes(head) as usize];
        self.0.read_exact(&mut message).unwrap();
        message
    }

    /// Reads a message of this type, and gives its request.
    fn take(&mut self, kind: u64) -> u64 {
        let message = self.read();
        let value: Vec<serde_json::Value> = serde_json::from_slice(&message).unwrap();
        assert_eq!(value[0], kind, "{}", String::from_utf8_lossy(&message));
        value[1].as_u64().unwrap_or_default()
    }

    /// Sends the beginning of a message, and its args.
    fn send(&mut self, start: &str, args: &[u8]) {
        let message = [start.as_bytes(), args, b"]"].concat();
        let length = u32::try_from(message.len()).unwrap();
        self.0.write_all(&length.to_be_bytes()).unwrap();
        self.0.write_all(&message).unwrap();
    }

    fn play(mut self, unreadable: &[u8]) {
        self.take(1);
        self.send(r#"[2,7,{"roles":{"broker":{},"dealer":{}}}"#, b"");

        let request = self.take(32);
        self.send(&format!("[33,{request},5"), b"");
        self.send("[36,5,9,{},", unreadable);
        self.send("[36,5,10,{},", b"[1]");

        for args in [unreadable, b"[2]"] {
            let request = self.take(48);
            self.send(&format!("[50,{request},{{}},"), args);
        }
        let request = self.take(48);
        self.send(&format!(r#"[8,48,{request},{{}},"com.example.broken","#), unreadable);

        let request = self.take(64);
        self.send(&format!("[65,{request},6"), b"");
        self.send("[68,1,6,{},", unreadable);
        let refusal = self.read();
        assert!(refusal.starts_with(b"[8,68,1,{},\"wamp.error.invalid_payload\""), "{refusal:?}");
        self.send("[68,2,6,{},", b"[3]");
        assert_eq!(self.read(), b"[70,2,{},[3]]");
        self.send("[36,5,11,{},", b"[4]");

        assert!(self.read().starts_with(b"[6,"));
        self.send(r#"[6,{},"wamp.close.goodbye_and_out""#, b"");
    }
}

fn is_unreadable(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Unreadable { .. })
}

fn use_it(session: &Session) {
    let mut events = session.subscribe("com.example.tick").wait().unwrap();
    let mut event = || events.wait_for(Duration::from_secs(10)).unwrap().unwrap().unwrap();
    let error = event().args::<(String,)>().unwrap_err();
    assert!(is_unreadable(&error), "{error}");
    assert_eq!(event().args::<(u8,)>().unwrap(), (1,));

    let result = session.call("com.example.odd", ()).wait().unwrap();
    assert!(is_unreadable(&result.args::<(String,)>().unwrap_err()));
    let whole: u8 = session.call("com.example.odd", ()).returning().wait().unwrap();
    assert_eq!(whole, 2);

    let error = session.call("com.example.odd", ()).wait().unwrap_err();
    assert_eq!(error.uri().unwrap().as_str(), "com.example.broken");
    assert!(is_unreadable(&error.args::<(String,)>().unwrap_err()), "{error}");

    let echo = |invocation: Invocation| async move { Ok(invocation.get::<u8>()?) };
    session.register("com.example.echo", echo).wait().unwrap().detach();
    // Comes when the script has its answers.
    assert_eq!(event().args::<(u8,)>().unwrap(), (4,));
    // Not unsubscribed: the script knows nothing of that.
    events.detach();
}

#[test]
fn what_cannot_be_read_costs_its_request_only() {
    for unreadable in [BROKEN, b"[NaN]", br#"["\u0000no base64!"]"#, br#"[],{"a":1,"a":2}"#] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rs://{}", listener.local_addr().unwrap());
        let router = thread::spawn(move || Script::accept(&listener).play(unreadable));
        let settings = Settings::new("realm1").serializer(Serializer::Json);
        let session = roadbed_blocking::connect(&url).settings(settings).wait().unwrap();
        use_it(&session);
        // The script leaves nothing out before it answers this.
        session.leave().wait().unwrap();
        assert!(matches!(session.call("com.example.odd", ()).wait(), Err(Error::Ended(_))));
        router.join().unwrap();
    }
}
