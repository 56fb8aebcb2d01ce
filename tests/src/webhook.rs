//! A webhook receiver that can be down and up again at the same address.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Result;
use std::io::Write;

use crate::Alert;
use crate::http::{self, Message};

/// Listens on a loopback port and keeps what it is sent.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Message>>>,
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// A receiver that is up, on a free port.
    ///
    /// # Errors
    /// No port can be bound.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut receiver = Self {
            address: listener.local_addr()?,
            received: Arc::default(),
            listening: None,
        };
        receiver.listen(listener);
        Ok(receiver)
    }

    /// The address to send to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    /// Stops listening: connections are refused from now on.
    pub fn down(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.stop.store(true, Ordering::SeqCst);
            // Wakes the thread out of `accept`.
            drop(TcpStream::connect(self.address));
            drop(listening.thread.join());
        }
    }

    /// Listens again.
    ///
    /// # Errors
    /// Another program took the port meanwhile.
    pub fn up(&mut self) -> Result<()> {
        if self.listening.is_none() {
            self.listen(TcpListener::bind(self.address)?);
        }
        Ok(())
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Message> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Every alert so far, oldest first; what is not JSON is left out.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.received()
            .iter()
            .filter_map(|message| Alert::parse(&message.text()))
            .collect()
    }

    fn listen(&mut self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (stop, received) = (Arc::clone(&stop), Arc::clone(&self.received));
            move || {
                serve(&listener, &stop, |message| {
                    received
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(message);
                })
            }
        });
        self.listening = Some(Listening { stop, thread });
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.down();
    }
}

/// Answers every request with 200 and hands it on, until `stop` is set and one more connection comes.
pub fn serve(listener: &TcpListener, stop: &AtomicBool, mut each: impl FnMut(Message)) {
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(mut stream) = stream else { continue };
        if let Ok(message) = http::read(&stream) {
            // Recorded before it is acknowledged: what a sender holds for delivered is in the list.
            each(message);
            drop(
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_keeps_its_address_when_it_was_down() {
        let mut receiver = Receiver::start().unwrap();
        assert_eq!(
            http::get(receiver.address, "/a").unwrap().status(),
            Some(200)
        );
        receiver.down();
        assert!(http::get(receiver.address, "/b").is_err());
        receiver.up().unwrap();
        assert_eq!(
            http::get(receiver.address, "/c").unwrap().status(),
            Some(200)
        );
        let paths: Vec<_> = receiver
            .received()
            .into_iter()
            .map(|message| message.start)
            .collect();
        assert_eq!(paths, ["GET /a HTTP/1.1", "GET /c HTTP/1.1"]);
    }
}
