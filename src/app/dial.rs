//! `comity dial`: whether addresses answer, from where this runs.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// How long it waits before it dials again what refused.
const AGAIN: Duration = Duration::from_millis(100);

/// Dials each of these by TCP, all at once and over and over, until it answers or the time is over. Gives `open`, or why not
/// at last.
pub async fn dial(addresses: &[SocketAddr], within: Duration) -> Vec<(SocketAddr, String)> {
    let until = Instant::now() + within;
    let each = addresses.iter().map(|address| async move { (*address, one(*address, until).await) });
    join_all(each).await
}

async fn one(address: SocketAddr, until: Instant) -> String {
    let mut why = "no answer";
    let dialling = async {
        loop {
            match TcpStream::connect(address).await {
                Ok(_) => return "open",
                Err(error) => why = reason(error.kind()),
            }
            sleep(AGAIN).await;
        }
    };
    let came = timeout_at(until, dialling).await;
    came.unwrap_or(why).to_owned()
}

/// Why an address didn't answer, in words without details: what they reach others read.
const fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
        ErrorKind::PermissionDenied => "not permitted",
        ErrorKind::TimedOut => "no answer",
        _ => "an error",
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
        assert_eq!(dial(&[there], LONG).await, [(there, "open".to_owned())]);
        drop(listener);
        let short = Duration::from_millis(250);
        assert_eq!(dial(&[there], short).await, [(there, "refused".to_owned())]);
        let later = async {
            tokio::task::yield_now().await;
            tokio::net::TcpListener::bind(there).await.unwrap()
        };
        let addresses = [there];
        let (came, _listening) = tokio::join!(dial(&addresses, LONG), later);
        assert_eq!(came, [(there, "open".to_owned())]);
    }
}
