//! `comity dial`: whether addresses answer, from where this runs.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::rehearsal::cases::dials::word::{self, Came};

/// How long it waits before it dials again what refused.
const AGAIN: Duration = Duration::from_millis(100);

/// Dials each of these by TCP, all at once and over and over, until it answers or the time is over. Gives what came of each at
/// last, and how long that took.
pub async fn dial(addresses: &[SocketAddr], within: Duration) -> Vec<(SocketAddr, Came)> {
    let began = Instant::now();
    let each = addresses.iter().map(|address| async move {
        let word = one(*address, began + within).await;
        (*address, Came { word, took: began.elapsed() })
    });
    join_all(each).await
}

async fn one(address: SocketAddr, until: Instant) -> &'static str {
    let mut why = word::SILENT;
    let dialling = async {
        loop {
            match TcpStream::connect(address).await {
                Ok(_) => return word::OPEN,
                Err(error) => why = reason(error.kind()),
            }
            sleep(AGAIN).await;
        }
    };
    let came = timeout_at(until, dialling).await;
    came.unwrap_or(why)
}

/// Why an address didn't answer, in words without details: what they reach others read.
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
        let addresses = [there];
        let (dialled, came) = dial(&addresses, LONG).await[0];
        assert!((dialled, came.word) == (there, word::OPEN) && came.took < LONG, "{came:?}");
        // Bound, so that nobody else takes it, and refusing until it listens.
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addresses = [held.local_addr().unwrap()];
        let short = Duration::from_millis(250);
        let (_, came) = dial(&addresses, short).await[0];
        assert!(came.word == word::REFUSED && (short..LONG).contains(&came.took), "{came:?}");
        let later = async {
            tokio::task::yield_now().await;
            held.listen(1).unwrap()
        };
        let (came, _listening) = tokio::join!(dial(&addresses, LONG), later);
        assert_eq!(came[0].1.word, word::OPEN);
    }
}
