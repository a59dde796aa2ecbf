//! An upstream that counts for itself how many requests it has at once.
//!
//! A request counts from the moment it has come in whole until the last byte of its answer is about to
//! leave, or until its connection is closed. One thread looks at everything in the order in which it came.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::sleep,
};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
const BODY: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","usage":{"input_tokens":1,"output_tokens":1},"stop_reason":"end_turn"}"#;

/// The counts.
#[derive(Default)]
pub(crate) struct Counts {
    open: AtomicUsize,
    peak: AtomicUsize,
    served: AtomicUsize,
    abandoned: AtomicUsize,
}

impl Counts {
    /// Requests it has now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// The most it ever had at once.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    /// Requests answered, and requests whose connection was closed before.
    pub(crate) fn ended(&self) -> (usize, usize) {
        (self.served.load(Ordering::SeqCst), self.abandoned.load(Ordering::SeqCst))
    }
}

/// Starts it on a thread of its own, until the test ends; each answer takes `pause`.
pub(crate) async fn start(pause: Duration) -> (SocketAddr, Arc<Counts>) {
    let (tell, address) = oneshot::channel();
    let counts = Arc::new(Counts::default());
    let shared = Arc::clone(&counts);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared), pause));
            }
        });
    });
    (address.await.unwrap(), counts)
}

/// One connection.
async fn serve(mut socket: TcpStream, counts: Arc<Counts>, pause: Duration) {
    let mut unread = Vec::new();
    while take_request(&mut socket, &mut unread).await {
        let open = counts.open.fetch_add(1, Ordering::SeqCst) + 1;
        counts.peak.fetch_max(open, Ordering::SeqCst);
        // Nothing may come now but the end of the connection, which is looked at first.
        let left = tokio::select! {
            biased;
            _ = socket.read_u8() => true,
            () = sleep(pause) => false,
        };
        counts.open.fetch_sub(1, Ordering::SeqCst);
        let ended = if left { &counts.abandoned } else { &counts.served };
        ended.fetch_add(1, Ordering::SeqCst);
        if left || socket.write_all(format!("{HEAD}{}\r\n\r\n{BODY}", BODY.len()).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads a request to its last byte. False when there is none.
async fn take_request(socket: &mut TcpStream, unread: &mut Vec<u8>) -> bool {
    loop {
        if let Some(length) = request_length(unread) {
            unread.drain(..length);
            return true;
        }
        if !matches!(socket.read_buf(unread).await, Ok(read) if read > 0) {
            return false;
        }
    }
}

/// The length of the request that has come in, once it is whole.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let body: usize = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    (bytes.len() >= head + body).then_some(head + body)
}
