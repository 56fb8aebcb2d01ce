//! `vigia health`: one HTTP request, for images that hold nothing but the agent.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::configuration::ConfigFile;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ANSWER_BYTES: u64 = 16 << 10;

/// Flags of `vigia health`.
#[derive(Debug, Args)]
pub(super) struct HealthCheck {
    #[command(flatten)]
    config: ConfigFile,
    /// What to ask [default: /healthz at the configured metrics address]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl HealthCheck {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => default_url(self.config.read()?.metrics.listen),
        };
        let answer = ask(&url).with_context(|| format!("not healthy: {url}"))?;
        writeln!(out, "{answer}")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The address to ask for an agent that listens there: an agent on all addresses is asked on loopback.
fn default_url(listen: SocketAddr) -> String {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match listen {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}/healthz")
}

/// Asks, and gives back the first line of the answer's body.
///
/// # Errors
/// Nobody answers in time, or with another status than 200.
fn ask(url: &str) -> anyhow::Result<String> {
    let rest = url
        .strip_prefix("http://")
        .context("only http:// addresses can be asked")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if path.contains(|character: char| character.is_whitespace() || character.is_control()) {
        bail!("the path must not contain blanks");
    }
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let address = target
        .to_socket_addrs()?
        .next()
        .context("the host has no address")?;

    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    judge(&String::from_utf8_lossy(&answer))
}

fn judge(answer: &str) -> anyhow::Result<String> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer is no HTTP")?;
    let status = head
        .lines()
        .next()
        .unwrap_or_default()
        .split(' ')
        .nth(1)
        .unwrap_or_default();
    let line: String = body
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|one| !one.is_control())
        .collect();
    if status == "200" {
        Ok(line)
    } else {
        bail!("status {status}: {line}")
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn serve(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = default_url(listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        url
    }

    #[test]
    fn only_status_200_is_healthy() {
        assert_eq!(ask(&serve("HTTP/1.1 200 OK\r\n\r\nok\n")).unwrap(), "ok");
        let error = ask(&serve(
            "HTTP/1.1 503 Service Unavailable\r\n\r\nstands still\n",
        ))
        .unwrap_err();
        assert_eq!(error.to_string(), "status 503: stands still");
        assert!(ask(&serve("gibberish")).is_err());
        assert!(ask("https://127.0.0.1/").is_err());
    }

    #[test]
    fn an_agent_on_all_addresses_is_asked_on_loopback() {
        for (listen, url) in [
            ("127.0.0.1:9376", "http://127.0.0.1:9376/healthz"),
            ("0.0.0.0:1", "http://127.0.0.1:1/healthz"),
            ("[::]:1", "http://[::1]:1/healthz"),
            ("10.0.0.9:1", "http://10.0.0.9:1/healthz"),
        ] {
            assert_eq!(default_url(listen.parse().unwrap()), url);
        }
    }
}
