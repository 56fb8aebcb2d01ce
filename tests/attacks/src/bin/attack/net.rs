//! Deeds with sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::raw::{Arg, call, call_32, low_page};
use crate::uring::{self, Doer, Submission};
use crate::{Deed, say};

pub(crate) const DEEDS: &[Deed] = &[
    ("connect", connect),
    ("connect-ring", connect_ring),
    ("connect-compat", connect_compat),
    ("accept", accept),
    ("socket", socket),
    ("redirect", redirect),
    ("receive-class", receive_class),
];

/// How long a peer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// `connect tcp|udp ADDRESS`: prints what the peer says.
fn connect(words: &[&str]) -> Result<()> {
    let mut answer = [0; 64];
    let length = match words {
        ["tcp", address] => {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"hello\n")?;
            stream.read(&mut answer)?
        }
        ["udp", address] => {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.connect(address)?;
            socket.send(b"hello\n")?;
            socket.recv(&mut answer)?
        }
        _ => bail!("connect tcp|udp ADDRESS"),
    };
    tell(&answer, length)
}

/// `connect-ring ADDRESS`: a TCP connection that no `connect` call makes.
fn connect_ring(words: &[&str]) -> Result<()> {
    let address = ipv4(words)?;
    let socket = tcp_socket()?;
    let submission_address = raw(&address);
    let submission = Submission::connect(i32::try_from(socket)?, &submission_address);
    uring::perform(&submission, Doer::Caller)?;
    greet(socket)
}

/// `connect-compat call|socketcall ADDRESS`: the same through the 32-bit entry, by the call of its own or by the
/// older one for everything about sockets.
fn connect_compat(words: &[&str]) -> Result<()> {
    const SOCKETCALL: u32 = 102;
    const SOCKETCALL_CONNECT: u32 = 3;
    const CONNECT: u32 = 362;
    let [way, words @ ..] = words else {
        bail!("connect-compat call|socketcall ADDRESS")
    };
    let socket = tcp_socket()?;
    let number = u32::try_from(socket)?;
    let page = low_page(&raw(&ipv4(words)?))?;
    let done = if *way == "socketcall" {
        let arguments: Vec<u8> = [number, page, 16]
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        let arguments = low_page(&arguments)?;
        call_32(SOCKETCALL, [SOCKETCALL_CONNECT, arguments, 0, 0, 0])
    } else {
        call_32(CONNECT, [number, page, 16, 0, 0])
    };
    done.context("connect, 32 bits")?;
    greet(socket)
}

/// `accept ADDRESS`: takes a connection that this process makes itself.
fn accept(words: &[&str]) -> Result<()> {
    let [address] = words else {
        bail!("accept ADDRESS")
    };
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let client = std::thread::spawn(move || TcpStream::connect(address));
    let (_, peer) = listener.accept()?;
    ensure!(client.join().is_ok_and(|stream| stream.is_ok()));
    say(&format!("accepted {}", peer.ip()));
    Ok(())
}

/// `socket DOMAIN TYPE PROTOCOL`: just makes one; numbers.
fn socket(words: &[&str]) -> Result<()> {
    let numbers: Vec<i64> = words
        .iter()
        .map(|word| word.parse())
        .collect::<Result<_, _>>()?;
    let [domain, kind, protocol] = numbers[..] else {
        bail!("socket DOMAIN TYPE PROTOCOL")
    };
    let socket = call(
        libc::SYS_socket,
        &mut [Arg::Int(domain), Arg::Int(kind), Arg::Int(protocol)],
    )
    .context("socket")?;
    say(&format!("socket {socket}"));
    Ok(())
}

/// `redirect ADDRESS`: standard output becomes a connection, as that of a shell that somebody wants elsewhere.
fn redirect(words: &[&str]) -> Result<()> {
    let mut stream = TcpStream::connect(SocketAddr::from(ipv4(words)?))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (kept, out) = (50, 1);
    let dup2 = |from: i64, to: i64| {
        call(libc::SYS_dup2, &mut [Arg::Int(from), Arg::Int(to)]).context("dup2")
    };
    dup2(out, kept)?;
    dup2(stream.as_raw_fd().into(), out)?;
    say("written to standard output");
    let mut answer = [0; 64];
    let length = stream.read(&mut answer)?;
    dup2(kept, out)?;
    tell(&answer, length)
}

/// `receive-class ADDRESS`: receives the first bytes of a class file, which this process sends itself.
fn receive_class(words: &[&str]) -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(ipv4(words)?))?;
    let address = listener.local_addr()?;
    let client = std::thread::spawn(move || -> std::io::Result<()> {
        TcpStream::connect(address)?.write_all(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0x34])
    });
    let (mut stream, _) = listener.accept()?;
    ensure!(client.join().is_ok_and(|sent| sent.is_ok()));
    let mut answer = [0; 8];
    let length = stream.read(&mut answer)?;
    ensure!(answer.starts_with(&[0xca, 0xfe, 0xba, 0xbe]));
    say(&format!("received a class file of {length} bytes"));
    Ok(())
}

fn tcp_socket() -> Result<i64> {
    let words = [libc::AF_INET, libc::SOCK_STREAM, 0];
    let mut words = words.map(|word| Arg::Int(word.into()));
    call(libc::SYS_socket, &mut words).context("socket")
}

/// Speaks first, and prints the answer.
fn greet(socket: i64) -> Result<()> {
    let greeting = b"hello\n";
    let size = |bytes: &[u8]| Arg::Int(bytes.len() as i64);
    call(
        libc::SYS_write,
        &mut [Arg::Int(socket), Arg::Bytes(greeting), size(greeting)],
    )?;
    let mut answer = [0; 64];
    let room = size(&answer);
    let length = call(
        libc::SYS_read,
        &mut [Arg::Int(socket), Arg::Room(&mut answer), room],
    )?;
    tell(&answer, usize::try_from(length)?)
}

fn tell(answer: &[u8], length: usize) -> Result<()> {
    ensure!(length > 0, "the peer said nothing");
    let text = String::from_utf8_lossy(answer.get(..length).unwrap_or_default());
    say(&format!("the peer said: {}", text.trim()));
    Ok(())
}

fn ipv4(words: &[&str]) -> Result<SocketAddrV4> {
    match words {
        [address] => Ok(address.parse()?),
        _ => bail!("one address, not {words:?}"),
    }
}

/// As the kernel takes it.
fn raw(address: &SocketAddrV4) -> Vec<u8> {
    let family = u16::try_from(libc::AF_INET).unwrap_or_default();
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(address.port().to_be_bytes());
    bytes.extend(address.ip().octets());
    bytes.resize(16, 0);
    bytes
}
