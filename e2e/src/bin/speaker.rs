//! What pods of the node's stories run: it listens, answers, and holds connections.
//!
//! - `speaker` does nothing, for as long as it is let: what holds a pod's network.
//! - `speaker serve 8443 9090 53/udp` answers on each port with what it was sent.
//! - `speaker hold 10.0.0.1:8443` connects, over and over, and talks until it is cut off.
//! - `speaker tls /tls 8443 spiffe://…` serves TLS with the certificate in a directory, and lets in just who has this
//!   SPIFFE ID from the authority in `ca.crt` there.
//! - `speaker ask /tls 10.0.0.1:8443` asks what serves a dataset, over and over, with the certificate in a directory,
//!   and believes the authority in `SPEAKER_ANCHOR`.
//! - `speaker ask /tls 10.0.0.1:8443 spiffe://…` asks who has this SPIFFE ID from the authority in `ca.crt` there.
//!
//! What is in a directory is read anew for each connection: it is renewed.

use std::{
    env,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::ExitCode,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[cfg(target_os = "linux")]
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(target_os = "linux")]
use e2e::node;

/// How often one that holds a connection says something.
const TALK_EVERY: Duration = Duration::from_millis(20);
/// How long a connection may be silent before it is taken for lost.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] => Ok(()),
        ["serve", ports @ ..] => ports.iter().try_for_each(|port| serve(port)),
        ["hold", address] => hold(address),
        #[cfg(target_os = "linux")]
        ["tls", directory, doors @ ..] => tls(directory, doors),
        #[cfg(target_os = "linux")]
        ["ask", directory, address] => ask(directory, address, None),
        #[cfg(target_os = "linux")]
        ["ask", directory, address, id] => ask(directory, address, Some(id)),
        other => Err(io::Error::other(format!("{other:?} means nothing to it"))),
    };
    if let Err(error) = outcome {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    loop {
        thread::park();
    }
}

/// Begins to answer on a port; `53/udp` is one of datagrams.
fn serve(port: &str) -> io::Result<()> {
    if let Some(port) = port.strip_suffix("/udp") {
        let socket = UdpSocket::bind(("0.0.0.0", number(port)?))?;
        thread::spawn(move || {
            let mut bytes = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let _ = socket.send_to(&bytes[..length], from);
            }
        });
        return Ok(());
    }
    let listener = TcpListener::bind(("0.0.0.0", number(port)?))?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || answer(connection));
        }
    });
    Ok(())
}

/// Sends back what comes; says when the last of it came.
fn answer(mut connection: TcpStream) {
    let (mut bytes, mut count, mut last) = ([0; 4096], 0, now());
    let peer = connection.peer_addr().map(|peer| peer.to_string()).unwrap_or_default();
    while let Ok(length) = connection.read(&mut bytes) {
        if length == 0 || connection.write_all(&bytes[..length]).is_err() {
            break;
        }
        (count, last) = (count + length, now());
        // The one that ends without a word leaves its last line here.
        println!("heard {peer} {count} {last}");
    }
    println!("ended {peer} {count} {last}");
}

/// Connects, and talks until it is cut off; then again.
fn hold(address: &str) -> io::Result<()> {
    let address: std::net::SocketAddr = address.parse().map_err(io::Error::other)?;
    loop {
        let talked = TcpStream::connect_timeout(&address, PATIENCE).and_then(talk);
        if let Err(error) = talked {
            println!("cut off at {}: {error}", now());
        }
        thread::park_timeout(TALK_EVERY);
    }
}

fn talk(mut connection: TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    println!("connected at {}", now());
    loop {
        connection.write_all(b".")?;
        connection.read_exact(&mut [0; 1])?;
        thread::park_timeout(TALK_EVERY);
    }
}

/// Serves TLS on ports, each with the SPIFFE ID that it lets in.
#[cfg(target_os = "linux")]
fn tls(directory: &str, doors: &[&str]) -> io::Result<()> {
    for door in doors.chunks_exact(2) {
        let listener = TcpListener::bind(("0.0.0.0", number(door[0])?))?;
        let (allowed, directory) = (door[1].to_owned(), PathBuf::from(directory));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (allowed, directory) = (allowed.clone(), directory.clone());
                thread::spawn(move || {
                    let answered = configured(&directory)
                        .and_then(|configuration| node::tls::answer(configuration, &allowed, connection));
                    match answered {
                        Ok(id) => println!("accepted {id}"),
                        Err(error) => println!("refused {error}"),
                    }
                });
            }
        });
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn configured(directory: &Path) -> io::Result<Arc<rustls::ServerConfig>> {
    let anchor = fs::read_to_string(directory.join("ca.crt"))?;
    node::tls::server(&node::tls::Identity::in_directory(directory)?, &anchor)
}

/// Asks one that serves TLS, again and again.
#[cfg(target_os = "linux")]
fn ask(directory: &str, address: &str, id: Option<&str>) -> io::Result<()> {
    let address: std::net::SocketAddr = address.parse().map_err(io::Error::other)?;
    let directory = Path::new(directory);
    let ask = || -> io::Result<String> {
        let own = node::tls::Identity::in_directory(directory)?;
        let (anchor, whom) = match id {
            Some(id) => (fs::read_to_string(directory.join("ca.crt"))?, node::tls::Whom::Id(id)),
            None => (env::var("SPEAKER_ANCHOR").map_err(io::Error::other)?, node::tls::Whom::Dataset),
        };
        let configuration = node::tls::client(Some(&own), &anchor, whom)?;
        node::tls::ask(configuration, address)
    };
    loop {
        match ask() {
            Ok(said) => println!("told {said}"),
            Err(error) => println!("refused {error}"),
        }
        thread::park_timeout(2 * TALK_EVERY);
    }
}

fn number(port: &str) -> io::Result<u16> {
    port.parse().map_err(|_| io::Error::other(format!("{port} is no port")))
}

/// Microseconds since 1970.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros())
}
