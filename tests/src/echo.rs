//! A UDP server that sends each datagram back with its own name in front.

use std::io::ErrorKind;
use std::net::{SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::netns::Netns;

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct Echo {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Starts one inside `netns` on `address`; answers are `NAME` and a blank, then the datagram.
    ///
    /// # Errors
    /// The address cannot be bound there.
    pub fn start(netns: &Netns, address: SocketAddrV4, name: &str) -> Result<Self> {
        let socket = netns
            .inside(|| UdpSocket::bind(address).with_context(|| format!("cannot bind UDP port {address}")))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        let (stopped, count, name) = (Arc::clone(&stop), Arc::clone(&answered), format!("{name} "));
        let thread = std::thread::spawn(move || serve(&socket, &name, &stopped, &count));
        Ok(Self { stop, answered, thread: Some(thread) })
    }

    /// How many datagrams it has sent back.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panicked: the test has failed by silence already.
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, name: &str, stop: &AtomicBool, answered: &AtomicU64) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, client)) => {
                let answer = [name.as_bytes(), &buffer[..length]].concat();
                if socket.send_to(&answer, client).is_ok() {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            // A reset or a timeout of one client is no reason to stop serving.
            Err(error) if error.kind() != ErrorKind::InvalidInput => {}
            Err(_) => return,
        }
    }
}
