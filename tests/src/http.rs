//! As much HTTP/1.1 as the tests need: one request per connection, bounded bodies.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// No message of the tests is larger.
const MAX_BODY_BYTES: u64 = 64 << 20;
const MAX_HEADERS: usize = 100;
const TIMEOUT: Duration = Duration::from_secs(5);

/// A received request or response.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The request or status line.
    pub start: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// The status code of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.start.split(' ').nth(1)?.parse().ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads one message; without `content-length` a response's body ends with the connection.
///
/// # Errors
/// The connection breaks, or what comes is not HTTP.
pub fn read(stream: &TcpStream) -> Result<Message> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut reader = BufReader::new(stream.take(MAX_BODY_BYTES));
    let mut message = Message {
        start: line(&mut reader)?,
        ..Message::default()
    };
    for _ in 0..MAX_HEADERS {
        let header = line(&mut reader)?;
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            message
                .headers
                .insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = message
        .headers
        .get("content-length")
        .map(|length| length.parse::<u64>())
        .transpose()?;
    match length {
        Some(length) => {
            let length = usize::try_from(length.min(MAX_BODY_BYTES))?;
            message.body.resize(length, 0);
            reader.read_exact(&mut message.body)?;
        }
        None if message
            .headers
            .get("transfer-encoding")
            .is_some_and(|coding| coding == "chunked") =>
        {
            message.body = chunks(&mut reader)?;
        }
        None if message.start.starts_with("HTTP/") => {
            reader.read_to_end(&mut message.body)?;
        }
        None => {}
    }
    Ok(message)
}

/// GETs a path.
///
/// # Errors
/// Nothing listens there, or the answer is not HTTP.
pub fn get(address: SocketAddr, path: &str) -> Result<Message> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)
        .with_context(|| format!("connecting to {address}"))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    read(&stream)
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        bail!("the connection ended within a message");
    }
    Ok(line.trim_end().to_owned())
}

fn chunks(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = u64::from_str_radix(line(reader)?.trim(), 16).context("a chunk's length")?;
        if length == 0 {
            return Ok(body);
        }
        reader
            .take(length.min(MAX_BODY_BYTES))
            .read_to_end(&mut body)?;
        line(reader)?;
    }
}
