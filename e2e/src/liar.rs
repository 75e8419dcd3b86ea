//! Somebody between one of Comity's processes and the API server who has it read something else than is stored,
//! or another time than it is: it then does what one would do that was built to overlook just that. What is sent
//! to it is what was decided, and what it writes is passed on as it is.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use futures::AsyncBufReadExt as _;
use http::Request;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use kube::Client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{Explain as _, Result};

/// What is read, and what is read instead.
pub type Lie = (&'static str, &'static str);

/// No lie: what is read is what is stored.
pub const TRUTH: Lie = ("\0", "\0");

/// Whoever lies, for as long as this is kept.
#[derive(Debug)]
pub struct Liar {
    /// Where it listens, in plain HTTP.
    pub address: SocketAddr,
    ahead: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Liar {
    /// Passes on to the API server, as `client`, what it is asked.
    ///
    /// # Errors
    ///
    /// Where it can't listen.
    pub async fn begin(client: Client, lie: Lie) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.explain("listen")?;
        let address = listener.local_addr().explain("listen")?;
        let ahead = Arc::new(AtomicI64::new(0));
        let told = ahead.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (client, told) = (client.clone(), told.clone());
                // Whoever hangs up has heard enough.
                tokio::spawn(async move { drop(answer(stream, client, lie, &told).await) });
            }
        });
        Ok(Self { address, ahead, task })
    }

    /// From now on it says that it is so many seconds later than it is, or earlier.
    pub fn set_clock(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request on each connection, and an answer that ends with it.
async fn answer(mut stream: TcpStream, client: Client, lie: Lie, ahead: &AtomicI64) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else { return Ok(()) };
    let mut body = match client.request_stream(request).await {
        Ok(body) => Box::pin(body),
        Err(kube::Error::Api(status)) => {
            let text = serde_json::to_string(&status)?;
            let head = format!("HTTP/1.1 {} Refused\r\n{}", status.code, headers(ahead));
            return stream.write_all(format!("{head}{text}").as_bytes()).await;
        }
        Err(error) => return Err(std::io::Error::other(error)),
    };
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{}", headers(ahead)).as_bytes()).await?;
    loop {
        let mut found = Vec::new();
        if body.read_until(b'\n', &mut found).await? == 0 {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&found).replace(lie.0, lie.1);
        stream.write_all(told.as_bytes()).await?;
    }
}

/// What comes before every body: with the time, as the API server tells it (RFC 9110, section 6.6.1).
fn headers(ahead: &AtomicI64) -> String {
    let told = Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::Relaxed));
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&told).unwrap_or_default();
    format!("date: {date}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")
}

/// A request, as Comity's client writes it.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request<Vec<u8>>>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return Ok(None),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let mut request = Request::builder().method(method).uri(path);
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "content-type" | "accept" => request = request.header(name, value),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.body(body).map(Some).map_err(std::io::Error::other)
}
