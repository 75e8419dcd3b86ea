//! Somebody between `comity run` and the API server who has it read something else than is stored: it then
//! does what one would do that was built to overlook just that. What is sent to it is what was decided, and what
//! it writes is passed on as it is.

use std::net::{Ipv4Addr, SocketAddr};

use e2e::{Explain as _, Result};
use futures::AsyncBufReadExt as _;
use http::Request;
use kube::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is read, and what is read instead.
pub type Lie = (&'static str, &'static str);

/// Whoever lies, for as long as this is kept.
pub struct Liar {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Liar {
    /// Passes on to the API server, as `client`, what it is asked.
    pub async fn begin(client: Client, lie: Lie) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.explain("listen")?;
        let address = listener.local_addr().explain("listen")?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let client = client.clone();
                // Whoever hangs up has heard enough.
                tokio::spawn(async move { drop(answer(stream, client, lie).await) });
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request on each connection, and an answer that ends with it.
async fn answer(mut stream: TcpStream, client: Client, lie: Lie) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else { return Ok(()) };
    let mut body = match client.request_stream(request).await {
        Ok(body) => Box::pin(body),
        Err(kube::Error::Api(status)) => {
            let text = serde_json::to_string(&status)?;
            let head = format!("HTTP/1.1 {} Refused\r\n{HEADERS}", status.code);
            return stream.write_all(format!("{head}{text}").as_bytes()).await;
        }
        Err(error) => return Err(std::io::Error::other(error)),
    };
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{HEADERS}").as_bytes()).await?;
    loop {
        let mut found = Vec::new();
        if body.read_until(b'\n', &mut found).await? == 0 {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&found).replace(lie.0, lie.1);
        stream.write_all(told.as_bytes()).await?;
    }
}

const HEADERS: &str = "content-type: application/json\r\nconnection: close\r\n\r\n";

/// A request, as the client of `comity run` writes it.
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
