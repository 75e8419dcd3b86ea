//! `comity dial`: whether places answer, from where this runs.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::rehearsal::cases::dials::Place;
use crate::rehearsal::cases::dials::word::{self, Came};

/// How long it waits before it dials again what refused.
const AGAIN: Duration = Duration::from_millis(100);

/// How long an answer to one datagram is waited for, before there is another one.
const ANSWER: Duration = Duration::from_millis(500);
/// Which version serves (RFC 4892): whoever serves the DNS answers that at once, or refuses to, and asks nobody else. One
/// question, of no recursion: `version.bind`, TXT, of the class CHAOS (RFC 1035, section 4).
const QUESTION: &[u8] = b"\x2c\x0d\0\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03";

/// Dials each of these, all at once and over and over, until it answers or the time is over. Gives what came of each at last,
/// and how long that took.
pub async fn dial(places: &[Place], within: Duration) -> Vec<(Place, Came)> {
    let began = Instant::now();
    let each = places.iter().map(|place| async move {
        let word = one(*place, began + within).await;
        (*place, Came { word, took: began.elapsed() })
    });
    join_all(each).await
}

async fn one(place: Place, until: Instant) -> &'static str {
    let mut why = word::SILENT;
    let dialling = async {
        loop {
            match once(place).await {
                Ok(()) => return word::OPEN,
                Err(error) => why = reason(error.kind()),
            }
            sleep(AGAIN).await;
        }
    };
    let came = timeout_at(until, dialling).await;
    came.unwrap_or(why)
}

async fn once(place: Place) -> io::Result<()> {
    match place {
        Place::Tcp(address) => TcpStream::connect(address).await.map(drop),
        Place::Dns(address) => asked(address).await,
    }
}

/// Asks by a datagram. Whatever comes back shows that it got there.
async fn asked(address: SocketAddr) -> io::Result<()> {
    let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(address).await?;
    socket.send(QUESTION).await?;
    timeout(ANSWER, socket.recv(&mut [0])).await?.map(drop)
}

/// Why a place didn't answer, in words without details: what they reach others read.
const fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => word::REFUSED,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => word::UNREACHABLE,
        ErrorKind::PermissionDenied => word::FORBIDDEN,
        ErrorKind::TimedOut => word::SILENT,
        _ => word::TROUBLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_answers_is_open_also_where_it_begins_to_only_later() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let (dialled, came) = dial(&[Place::Tcp(there)], LONG).await[0];
        assert!((dialled.address(), came.word) == (there, word::OPEN) && came.took < LONG, "{came:?}");
        // Bound, so that nobody else takes it, and refusing until it listens.
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let places = [Place::Tcp(held.local_addr().unwrap())];
        let short = Duration::from_millis(250);
        let (_, came) = dial(&places, short).await[0];
        assert!(came.word == word::REFUSED && (short..LONG).contains(&came.took), "{came:?}");
        let later = async {
            tokio::task::yield_now().await;
            held.listen(1).unwrap()
        };
        let (came, _listening) = tokio::join!(dial(&places, LONG), later);
        assert_eq!(came[0].1.word, word::OPEN);
    }

    #[tokio::test]
    async fn who_is_asked_by_datagrams_is_open_once_anything_comes_back() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let places = [Place::Dns(server.local_addr().unwrap())];
        let silent = dial(&places, Duration::from_millis(50)).await[0].1;
        assert_eq!(silent.word, word::SILENT);
        let answering = async {
            let mut question = [0; 512];
            loop {
                let (length, asker) = server.recv_from(&mut question).await.unwrap();
                assert_eq!(&question[..length], QUESTION);
                // The code `REFUSED`, as of a response (RFC 1035, section 4.1.1).
                server.send_to(b"\x2c\x0d\x80\x05\0\0\0\0\0\0\0\0", asker).await.unwrap();
            }
        };
        let came = tokio::select! {
            came = dial(&places, LONG) => came,
            () = answering => unreachable!("it goes on"),
        };
        assert_eq!((came[0].0, came[0].1.word), (places[0], word::OPEN));
        drop(server);
        let refused = dial(&places, Duration::from_millis(250)).await[0].1;
        assert_eq!(refused.word, word::REFUSED);
    }
}
