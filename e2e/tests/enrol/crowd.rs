//! Many who call, and slow ones: nobody holds all places, and nobody holds one for long.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use e2e::{Explain as _, Result, eventually};

use super::ground::Ground;
use super::story::{SOON, ensure};

/// Whether the other side has hung up.
fn is_hung_up(stream: &TcpStream) -> bool {
    let mut stream = stream;
    stream.set_nonblocking(true).expect("a socket");
    matches!(stream.read(&mut [0]), Ok(0)) || stream.take_error().is_ok_and(|error| error.is_some())
}

#[tokio::test]
async fn who_says_nothing_holds_no_place_for_long_and_never_all_of_them() -> Result<()> {
    let ground = Ground::begin().await?;
    let partner = ground.partner().await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ground.shared.port));
    let silent: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(address)).collect::<Result<_, _>>().explain("connect")?;
    eventually("those without a place to be hung up on", SOON, async || {
        let held = silent.iter().filter(|stream| !is_hung_up(stream)).count();
        if held <= 8 { Ok(()) } else { Err(format!("{held} are held")) }
    })
    .await?;
    // Somebody else is served meanwhile.
    let post = ["--request".to_owned(), "POST".to_owned()];
    partner.asks(&ground.path(), None, &post).await?.is(401, "Unknown")?;
    eventually("those who say nothing to be hung up on", Duration::from_secs(30), async || {
        let held = silent.iter().filter(|stream| !is_hung_up(stream)).count();
        if held == 0 { Ok(()) } else { Err(format!("{held} are held")) }
    })
    .await?;
    // Once more where answering took so long that whoever says nothing is hung up on already.
    eventually("a place for who comes again", SOON, async || {
        let again = TcpStream::connect(address).map_err(|error| error.to_string())?;
        let answer = partner.asks(&ground.path(), None, &post).await.map_err(|error| error.to_string())?;
        answer.is(401, "Unknown").map_err(|error| error.to_string())?;
        ensure(!is_hung_up(&again), || "hung up on".to_owned()).map_err(|error| error.to_string())
    })
    .await
}
