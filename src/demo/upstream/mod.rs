//! The scripted upstream: a vendor that does as it is told.
//!
//! One loopback server that speaks Anthropic Messages, OpenAI Chat Completions, OpenAI Responses and
//! Gemini the way the vendors do. Real SDKs and command-line clients cannot tell the difference, so it
//! serves the demo, the client tests and the benchmark alike.
//!
//! The *prompt* says how a request goes. The prompt is the last text of the user that is not wrapped in
//! angle brackets (agents add such texts by themselves); directives may stand anywhere in it:
//!
//! | directive | what happens |
//! |---|---|
//! | none | the answer repeats the prompt: `echo: …` (its first 400 characters), streamed word by word |
//! | `[[tool]]` `[[tool NAME]]` `[[tool NAME {json}]]` | a call of an offered tool; a shell, if there is one and none is named; arguments filled from its schema |
//! | `[[think]]` | a thought before the answer, sealed with a signature that must come back unaltered |
//! | `[[events N]]` | the answer is N pieces, `WORD:1 ` to `WORD:N `, WORD being the first of the prompt |
//! | `[[usage input=9 output=9 cache_read=9 cache_write_5m=9 cache_write_1h=9 reasoning=9]]` | these counts, told in the vendor's own nesting; all optional |
//! | `[[wait 2s]]` | silence before the head of the answer |
//! | `[[slow 50ms]]` | a pause before each event of the answer |
//! | `[[split N]]` | the bytes of a stream are cut every N bytes, across events and characters |
//! | `[[error STATUS retry-after=S times=N]]` | the vendor's error of that status; with `times`, only the first N requests with this prompt meet it |
//! | `[[overflow]]` | the vendor's own error for a prompt that is too long |
//! | `[[error-in-stream N]]` | after N events (3) the vendor's error event ends the stream; a plain request is answered, as clients hope that repeat it so |
//! | `[[cut N]]` | after N events (3) the connection breaks without an end; a plain answer breaks in the middle |
//! | `[[hang N]]` | after N events nothing more comes; `[[hang]]` never answers at all |
//!
//! Once a tool's result comes back the answer is text (`tool said: …`), so an agent's loop ends. A request
//! that demands JSON by a schema gets JSON that fits it.
//!
//! *Tokens* can be predicted: input is the number of words of the prompt, directives included; output the
//! number of words of the thought, the answer and the tool's arguments as compact JSON.
//!
//! The *mode*, set while it runs, goes before every directive: `POST /_script` with
//! `{"mode":"ok"}`, `{"mode":"fail","status":500,"retry_after":2}`, `{"mode":"overflow"}`,
//! `{"mode":"cut","after":3}`, `{"mode":"hang","after":3}`, `{"mode":"error_in_stream","after":3}` or
//! `{"mode":"slow","milliseconds":50}`.
//!
//! It remembers the last thousand requests with what they sent and got: `GET /_script/log?after=N`
//! (`DELETE` forgets them), `GET /_script/open` (requests being answered now). Credentials are kept as
//! their last four characters.

mod answer;
mod anthropic;
mod control;
mod embeddings;
mod filling;
mod gemini;
mod log;
mod mode;
mod models;
mod openai_chat;
mod openai_responses;
mod refusal;
mod routes;
mod script;
mod send;
mod serve;
#[cfg(test)]
mod tests;

use std::{io, net, sync::Arc, thread};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, rt, web};

pub use self::log::{End, Entry};
pub use self::mode::Mode;
use self::serve::Shared;

/// How a scripted upstream is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The loopback port; 0 takes a free one.
    pub port: u16,
    /// Threads that answer.
    pub workers: usize,
    /// Whether requests are remembered; off for benchmarks.
    pub record: bool,
    /// The only credential it accepts, as vendors do; any or none when absent.
    pub credential: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, workers: 1, record: true, credential: None }
    }
}

/// A scripted upstream at work. It stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    addr: net::SocketAddr,
    shared: Arc<Shared>,
    handle: ServerHandle,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

/// Starts a scripted upstream on loopback; port 0 takes a free one.
///
/// # Errors
/// When the port cannot be had.
pub fn start(port: u16) -> io::Result<Running> {
    start_with(Options { port, ..Options::default() })
}

/// Starts a scripted upstream with options. It runs on threads of its own, so it can be started from
/// any runtime, or from none.
///
/// # Errors
/// When the port or a thread cannot be had.
pub fn start_with(options: Options) -> io::Result<Running> {
    let listener = net::TcpListener::bind((net::Ipv4Addr::LOCALHOST, options.port))?;
    let addr = listener.local_addr()?;
    let workers = options.workers.max(1);
    let shared = Arc::new(Shared::new(options.record, options.credential));
    let data = web::Data::from(Arc::clone(&shared));
    let (give_handle, handle) = std::sync::mpsc::channel();
    let thread = thread::Builder::new().name("scripted-upstream".into()).spawn(move || {
        rt::System::new().block_on(async move {
            let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(routes::all))
                .workers(workers)
                .tcp_nodelay(true)
                // A caller that leaves must be seen to leave, also while nothing is being written.
                .h1_allow_half_closed(false)
                .disable_signals()
                .listen(listener)?
                .run();
            // The receiver waits for exactly this; if it is gone, nobody wants the server either.
            let _ = give_handle.send(server.handle());
            server.await
        })
    })?;
    match handle.recv() {
        Ok(handle) => Ok(Running { addr, shared, handle, thread: Some(thread) }),
        Err(_) => Err(match thread.join() {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => io::Error::other("the scripted upstream ended while it started"),
        }),
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> net::SocketAddr {
        self.addr
    }

    /// The base URL to configure, without a version: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Says how every request goes from now on, as `POST /_script` does.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.set_mode(mode);
    }

    /// Requests being answered now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.log.open_count()
    }

    /// What was received after the entry of that number (0: everything still remembered), oldest first.
    #[must_use]
    pub fn log(&self, after: u64) -> Vec<Entry> {
        self.shared.log.after(after, usize::MAX)
    }

    /// Waits until the server ends, which by itself it does not.
    ///
    /// # Errors
    /// When it could not go on.
    pub fn wait(mut self) -> io::Result<()> {
        self.thread.take().map_or(Ok(()), join)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Told at once; the answer need not be awaited, the thread's end is.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = join(thread);
        }
    }
}

fn join(thread: thread::JoinHandle<io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the scripted upstream panicked")))
}
