//! Dialling from where a pod is: real connections out of its network namespace.

use std::{
    fs::{self, File},
    io,
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsFd as _,
    sync::Arc,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{Error, Explain as _, Result};

/// Where containerd keeps the pods' network namespaces.
const NAMESPACES: &str = "/run/netns";
/// How long an answer may take. A refusal takes a millisecond.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of dialling.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// There is a connection, or somebody answered.
    Open,
    /// The way is open, and nobody listens there.
    Closed,
    /// A filter said no, or there is no way.
    Forbidden,
    /// Nothing came back.
    Silent,
}

impl Answer {
    /// Whether anything got through, if only to a closed port.
    pub fn got_through(self) -> bool {
        matches!(self, Self::Open | Self::Closed)
    }

    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Self::Closed,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Forbidden,
        }
    }
}

/// A network namespace to dial from.
#[derive(Clone, Debug)]
pub struct Place(Arc<File>);

impl Place {
    /// That of the pod with this address.
    pub fn of(address: IpAddr) -> Result<Self> {
        let entries = fs::read_dir(NAMESPACES).explain("look for the pods' networks")?;
        for entry in entries.flatten() {
            let Ok(file) = File::open(entry.path()) else { continue };
            let place = Self(Arc::new(file));
            // Only where the address is the machine's own can anything be bound to it.
            if place.within(move || UdpSocket::bind((address, 0)).is_ok())? {
                return Ok(place);
            }
        }
        Err(Error::Failed(format!("no pod's network has {address}")))
    }

    /// Does something on a thread that is in this place.
    pub fn within<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let file = self.0.clone();
        let thread = std::thread::spawn(move || -> Result<T> {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .explain("enter a pod's network")?;
            Ok(act())
        });
        thread.join().map_err(|_| Error::Failed("what was done in a pod's network panicked".to_owned()))?
    }

    /// Dials once, by TCP.
    pub fn dial(&self, to: SocketAddr) -> Result<Answer> {
        self.within(move || dial(to))
    }

    /// Sends a datagram and waits for an answer.
    pub fn ask(&self, to: SocketAddr) -> Result<Answer> {
        self.within(move || ask(0, to))
    }
}

/// Dials once, by TCP, from where this thread is.
pub fn dial(to: SocketAddr) -> Answer {
    match TcpStream::connect_timeout(&to, PATIENCE) {
        Ok(_) => Answer::Open,
        Err(error) => Answer::of(&error),
    }
}

/// Sends a datagram from this port, or from any where it is 0, and waits for an answer, from where this thread is.
pub fn ask(from: u16, to: SocketAddr) -> Answer {
    exchange(from, to).unwrap_or_else(|error| Answer::of(&error))
}

fn exchange(from: u16, to: SocketAddr) -> io::Result<Answer> {
    let socket = UdpSocket::bind(("0.0.0.0", from))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    socket.send(b"?")?;
    socket.recv(&mut [0; 64])?;
    Ok(Answer::Open)
}
