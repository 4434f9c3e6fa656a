//! Both ends of WebSocket as test suites want them: everything received is sent back, with no word of WAMP.
//!
//! ```text
//! websocket-echo serve               prints its URL, and serves until it is ended
//! websocket-echo visit URL AGENT     as a client: every case of an Autobahn TestSuite server, then its report
//! ```

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use roadbed_core::serializer::Encoded;
use roadbed_core::time::Timestamp;
use roadbed_core::transport::websocket::{
    Agreed, ClientHandshake, DeflateConfig, MessageEvent, MessageKind, MessageStream, MessageStreamConfig,
    ServerHandshake, ServerStep, WebSocketClientConfig, WebSocketServerConfig,
};
use roadbed_examples::clock::Clock;

/// The largest message of the suite has 16 MiB.
const MAX_MESSAGE: usize = 16 << 20;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        ["visit", url, agent] => visit(url, agent),
        _ => Err("usage: websocket-echo serve | visit URL AGENT".into()),
    }
}

/// A thread for each client.
fn serve() -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("ws://{}", listener.local_addr()?);
    let config = WebSocketServerConfig::default().subprotocols(&[]).deflate(DeflateConfig::default());
    let config = Arc::new(config);
    for stream in listener.incoming() {
        let (stream, config) = (stream?, Arc::clone(&config));
        thread::spawn(move || {
            if let Err(error) = Echo::accept(stream, config).and_then(|mut echo| echo.run()) {
                // Broken connections are what some cases are about.
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// Asks how many cases there are, goes through them, and has the report written.
fn visit(url: &str, agent: &str) -> Outcome {
    let host = url.strip_prefix("ws://").ok_or("the URL begins with ws://")?;
    let count = Echo::connect(host, "/getCaseCount")?.first_message()?;
    let count: u32 = str::from_utf8(&count)?.parse()?;
    for case in 1..=count {
        Echo::connect(host, &format!("/runCase?case={case}&agent={agent}"))?.run()?;
    }
    Echo::connect(host, &format!("/updateReports?agent={agent}"))?.run()?;
    println!("{count} cases");
    Ok(())
}

/// One connection.
struct Echo {
    socket: TcpStream,
    messages: MessageStream,
    input: BytesMut,
    clock: Clock,
}

impl Echo {
    fn accept(mut socket: TcpStream, config: Arc<WebSocketServerConfig>) -> Outcome<Self> {
        socket.set_nodelay(true)?;
        let mut handshake = ServerHandshake::new(config);
        let mut input = BytesMut::new();
        loop {
            match handshake.read(&mut input) {
                ServerStep::More => read(&mut socket, &mut input, 2048)?,
                ServerStep::Answered { response, .. } => {
                    socket.write_all(&response)?;
                    return Err("no upgrade".into());
                }
                ServerStep::Upgraded { agreed, response, .. } => {
                    socket.write_all(&response)?;
                    let clock = Clock::start();
                    let messages = MessageStream::server(&stream_config(agreed), clock.now());
                    return Ok(Self { socket, messages, input, clock });
                }
            }
        }
    }

    fn connect(host: &str, target: &str) -> Outcome<Self> {
        let mut socket = TcpStream::connect(host)?;
        socket.set_nodelay(true)?;
        let config = WebSocketClientConfig::new(host, target)?.subprotocols(&[]);
        let mut handshake = ClientHandshake::new(&config.deflate(DeflateConfig::default()), [7; 16]);
        socket.write_all(&handshake.request())?;
        let (mut input, clock) = (BytesMut::new(), Clock::start());
        let agreed = loop {
            if let Some(agreed) = handshake.read(clock.now(), &mut input)? {
                break agreed;
            }
            read(&mut socket, &mut input, 2048)?;
        };
        let messages = MessageStream::client(&stream_config(agreed), [7; 32], clock.now());
        Ok(Self { socket, messages, input, clock })
    }

    /// Sends back what comes, until the end.
    fn run(&mut self) -> Outcome {
        while let Some((kind, body)) = self.next()? {
            self.messages.send(self.clock.now(), kind, &Encoded::from(body))?;
        }
        Ok(())
    }

    /// What the suite's server has to say; then it closes.
    fn first_message(mut self) -> Outcome<Bytes> {
        let (_, body) = self.next()?.ok_or("closed without a message")?;
        while self.next()?.is_some() {}
        Ok(body)
    }

    /// The next message; `None` at the end, when everything is written.
    fn next(&mut self) -> Outcome<Option<(MessageKind, Bytes)>> {
        loop {
            match self.messages.poll_event() {
                Some(MessageEvent::Message { kind, body }) => return Ok(Some((kind, body))),
                Some(_) => {
                    self.messages.close(self.clock.now(), 1000, "");
                    self.write()?;
                    return Ok(None);
                }
                None => {}
            }
            if self.messages.wants_input() && !self.input.is_empty() {
                let before = self.input.len();
                self.messages.handle_input(self.clock.now(), &mut self.input);
                if self.input.len() < before {
                    continue;
                }
            }
            self.write()?;
            self.wait()?;
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.messages.poll_transmit() {
            self.socket.write_all(&bytes)?;
        }
        Ok(())
    }

    /// Reads once, or until a deadline.
    fn wait(&mut self) -> Outcome {
        let now = self.clock.now();
        let left = self.messages.poll_timeout().map(|at: Timestamp| at.saturating_since(now));
        self.socket.set_read_timeout(left.map(|left| left.max(Duration::from_millis(1))))?;
        match read(&mut self.socket, &mut self.input, self.messages.input_hint()) {
            Ok(()) => self.messages.handle_input(self.clock.now(), &mut self.input),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.messages.handle_eof(self.clock.now());
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                self.messages.handle_timeout(self.clock.now());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

fn stream_config(agreed: Agreed) -> MessageStreamConfig {
    // Everything is compressed where that was agreed on: that is what is tested.
    MessageStreamConfig::default().max_receive(MAX_MESSAGE).deflate(agreed.deflate).compress_from(0)
}

/// Reads once; the end of the stream is an error.
fn read(socket: &mut TcpStream, input: &mut BytesMut, room: usize) -> io::Result<()> {
    let filled = input.len();
    input.resize(filled + room, 0);
    let result = socket.read(&mut input[filled..]);
    input.truncate(filled + result.as_ref().map_or(0, |count| *count));
    if result? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
