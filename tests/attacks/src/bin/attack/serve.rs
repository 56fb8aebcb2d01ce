//! The main process of a container under attack: performs what it is told, each time by a fresh child, and is the
//! other end of whatever its children contact. Nothing here leaves the container's own network.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use vigia_attacks::order::Answer;
use vigia_attacks::row::{DAEMON, Row};
use vigia_attacks::{peers, table};

use crate::raw::{Arg, call};
use crate::say;

/// How long a peer listens to what it is told.
const PATIENCE: Duration = Duration::from_secs(2);

/// Performs a row here; its exit code.
pub(crate) fn perform_here(action: &str) -> Result<u8> {
    let answer = perform(action)?;
    say(answer.output.trim_end());
    Ok(u8::try_from(answer.code).unwrap_or(u8::MAX))
}

pub(crate) fn serve(socket: &str) -> Result<()> {
    drop(std::fs::remove_file(socket));
    for stream in UnixListener::bind(socket)?.incoming() {
        // Whoever asks may be gone before the answer.
        drop(stream.map_err(Into::into).and_then(obey));
    }
    Ok(())
}

fn obey(mut stream: UnixStream) -> Result<()> {
    let mut action = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut action)?;
    let answer = perform(action.trim()).unwrap_or_else(|error| Answer {
        code: -1,
        output: format!("could not be started: {error:#}"),
    });
    writeln!(stream, "{}", serde_json::to_string(&answer)?)?;
    Ok(())
}

fn perform(action: &str) -> Result<Answer> {
    let row = table::find(action).with_context(|| format!("no row is named {action:?}"))?;
    let (program, arguments) = row.command.split_first().context("a command")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(row.env.iter().copied())
        .stdin(Stdio::null());
    dress(&mut command, row);
    let output = command
        .output()
        .with_context(|| format!("starting {program}"))?;
    let text = [output.stdout, output.stderr].concat();
    Ok(Answer {
        code: output.status.code().unwrap_or(-1),
        output: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// As the user that the row names.
fn dress(command: &mut Command, row: &Row) {
    if row.user == DAEMON {
        command.uid(1).gid(1);
    }
}

/// Takes over the addresses that attacks contact, and answers there. Only for a network namespace of one's own.
pub(crate) fn open_for_business() -> Result<()> {
    for (number, address) in peers::ADDRESSES.iter().enumerate() {
        add_address(&format!("lo:{}", number + 1), *address)
            .with_context(|| format!("adding {address}"))?;
    }
    for (port, greeting) in peers::TCP {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port))
            .with_context(|| format!("port {port}"))?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || drop(greet(stream, greeting)));
            }
        });
    }
    for port in peers::UDP {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, *port))
            .with_context(|| format!("port {port}"))?;
        std::thread::spawn(move || {
            let mut data = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut data) {
                drop(socket.send_to(data.get(..length).unwrap_or_default(), peer));
            }
        });
    }
    Ok(())
}

/// Says what the port says, or gives back what it is told where it has nothing to say; then listens to the end.
fn greet(mut stream: TcpStream, greeting: &str) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut data = [0; 512];
    if greeting.is_empty() {
        let length = stream.read(&mut data)?;
        stream.write_all(data.get(..length).unwrap_or_default())?;
    } else {
        stream.write_all(greeting.as_bytes())?;
    }
    stream.shutdown(Shutdown::Write)?;
    while stream.read(&mut data)? > 0 {}
    Ok(())
}

/// Gives an alias of the loopback interface an address.
fn add_address(name: &str, address: Ipv4Addr) -> Result<()> {
    let mut request = name.as_bytes().to_vec();
    request.resize(16, 0);
    request.extend(u16::try_from(libc::AF_INET)?.to_ne_bytes());
    request.extend([0, 0]);
    request.extend(address.octets());
    request.resize(40, 0);
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    call(
        libc::SYS_ioctl,
        &mut [
            Arg::Int(socket.as_raw_fd().into()),
            Arg::Int(i64::try_from(libc::SIOCSIFADDR)?),
            Arg::Room(&mut request),
        ],
    )?;
    Ok(())
}
