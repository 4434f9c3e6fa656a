//! The floor: programs that do nothing but copy bytes. A request goes from the caller through the relay to
//! the callee, and a reply of the same size back; both are as long as the messages of WAMP would be.

/// Bytes of a CALL and its RESULT beside what they carry: frame, type, id, options, procedure. It is the
/// CALL's; a RESULT is shorter.
const AROUND: usize = 4 + 26;

/// The size of a message.
const fn size(bytes: usize) -> usize {
    bytes + AROUND
}

/// Which whole messages end in a stretch of a stream of them.
struct Count {
    size: usize,
    read: usize,
}

impl Count {
    /// So many bytes were read; returns how many messages that completes.
    fn add(&mut self, bytes: usize) -> usize {
        self.read += bytes;
        let whole = self.read / self.size;
        self.read %= self.size;
        whole
    }
}

/// How much is copied at once.
const CHUNK: usize = 256 << 10;

/// With threads and blocking sockets.
pub(crate) mod threads {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use super::{CHUNK, Count, size};
    use crate::protocol::{self, Load};

    /// Copies between the first two who connect.
    pub(crate) fn serve() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        protocol::ready(&listener.local_addr().expect("it is bound").to_string());
        let accept = || {
            let (stream, _) = listener.accept().expect("a connection");
            stream.set_nodelay(true).expect("a TCP socket");
            stream
        };
        let (one, other) = (accept(), accept());
        copy(&one, &other);
        copy(&other, &one);
        protocol::until_orphaned();
    }

    /// Reads and writes in a thread of its own, until one side ends.
    fn copy(from: &TcpStream, to: &TcpStream) {
        let (mut from, mut to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
        thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
        });
    }

    /// A caller in this thread and a callee, which sends back what it gets, in one of its own.
    pub(crate) fn load(address: &str) {
        let connect = || {
            let stream = TcpStream::connect(address).expect("a connection");
            stream.set_nodelay(true).expect("a TCP socket");
            stream
        };
        let (callee, caller) = (connect(), connect());
        copy(&callee, &callee);
        let mut buffer = vec![0; CHUNK];
        protocol::run_rounds(|load| round(&caller, &mut buffer, load));
    }

    fn round(caller: &TcpStream, buffer: &mut [u8], load: Load) -> u64 {
        let size = size(load.bytes);
        let messages = vec![7; load.in_flight * size];
        let write = |count: usize| (&*caller).write_all(&messages[..count * size]).expect("the relay reads");
        if messages.len() <= CHUNK {
            // The sockets hold all of it.
            return exchange(caller, buffer, load, write);
        }
        // Somebody else writes, so that the caller never waits for itself.
        thread::scope(|scope| {
            let (send, unsent) = mpsc::channel();
            scope.spawn(move || unsent.into_iter().for_each(write));
            exchange(caller, buffer, load, |count| send.send(count).expect("the writer lives"))
        })
    }

    /// Writes so many requests as there are replies, until the time has come.
    fn exchange(mut caller: &TcpStream, buffer: &mut [u8], load: Load, mut write: impl FnMut(usize)) -> u64 {
        let until = Instant::now() + load.span;
        let mut count = Count { size: size(load.bytes), read: 0 };
        let (mut calls, mut waiting, mut unsent) = (0, 0, load.in_flight);
        while unsent > 0 || waiting > 0 {
            write(unsent);
            waiting += unsent;
            let done = count.add(caller.read(buffer).expect("the relay writes"));
            waiting -= done;
            calls += done as u64;
            unsent = if Instant::now() < until { done } else { 0 };
        }
        calls
    }
}

/// With tasks of tokio's.
pub(crate) mod tasks {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc;

    use super::{CHUNK, Count, size};
    use crate::protocol::{self, Load};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Runtime::new().expect("threads for a runtime")
    }

    /// Copies between the first two who connect.
    pub(crate) fn serve() {
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        protocol::ready(&listener.local_addr().expect("it is bound").to_string());
        runtime.block_on(async {
            let (one, _) = listener.accept().await.expect("a connection");
            let (other, _) = listener.accept().await.expect("a connection");
            for stream in [&one, &other] {
                stream.set_nodelay(true).expect("a TCP socket");
            }
            let ((from_one, to_one), (from_other, to_other)) = (one.into_split(), other.into_split());
            tokio::spawn(copy(from_one, to_other));
            tokio::spawn(copy(from_other, to_one));
        });
        protocol::until_orphaned();
    }

    async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            if to.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    }

    /// A caller and a callee as tasks.
    pub(crate) fn load(address: &str) {
        let runtime = runtime();
        let connect = || {
            let stream = runtime.block_on(TcpStream::connect(address)).expect("a connection");
            stream.set_nodelay(true).expect("a TCP socket");
            stream.into_split()
        };
        let (callee, (mut input, mut output)) = (connect(), connect());
        runtime.spawn(copy(callee.0, callee.1));
        let (send, mut unsent) = mpsc::unbounded_channel::<(usize, usize)>();
        // A task that only writes, so that the caller never waits for itself.
        runtime.spawn(async move {
            while let Some((messages, size)) = unsent.recv().await {
                output.write_all(&vec![7; messages * size]).await.expect("the relay reads");
            }
        });
        // The caller is a task too: what waits in `block_on` is woken across threads.
        let (ask, mut asked) = mpsc::unbounded_channel();
        let (answer, answers) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            while let Some(load) = asked.recv().await {
                let calls = round(&mut input, &send, load).await;
                answer.send(calls).expect("somebody waits");
            }
        });
        protocol::run_rounds(|load| {
            ask.send(load).expect("the caller lives");
            answers.recv().expect("the caller lives")
        });
    }

    async fn round(
        input: &mut OwnedReadHalf,
        send: &mpsc::UnboundedSender<(usize, usize)>,
        load: Load,
    ) -> u64 {
        let until = Instant::now() + load.span;
        let size = size(load.bytes);
        let mut buffer = vec![0; CHUNK];
        let mut count = Count { size, read: 0 };
        let (mut calls, mut waiting, mut unsent) = (0, 0, load.in_flight);
        while unsent > 0 || waiting > 0 {
            send.send((unsent, size)).expect("the writer lives");
            waiting += unsent;
            let done = count.add(input.read(&mut buffer).await.expect("the relay writes"));
            waiting -= done;
            calls += done as u64;
            unsent = if Instant::now() < until { done } else { 0 };
        }
        calls
    }
}
