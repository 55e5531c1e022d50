//! A connection through a proxy to a host that the proxy resolves: HTTP's CONNECT (RFC 9110, section 9.3.6), or
//! SOCKS5 (RFC 1928) with its user names and passwords (RFC 1929).
//!
//! A proxy is believed nothing but that it carries bytes: what it answers is bounded, and never repeated.

use super::way::Proxy;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::io;
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The answer to a CONNECT is a line and a few headers.
const ANSWER_MAX_BYTES: usize = 8 << 10;

/// Why there is no way through a proxy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Blocked {
    #[error("the proxy cannot be reached: {0}")]
    Unreachable(String),
    #[error("the connection to the proxy broke: {0}")]
    Broken(String),
    #[error("the proxy wants another user or password")]
    Credentials,
    #[error("the proxy refuses: {0}")]
    Refused(String),
    #[error("what answers speaks another protocol than the proxy's")]
    Garbage,
}

impl From<io::Error> for Blocked {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Opens a connection to `host:port` on the other side.
pub(super) async fn open(proxy: &Proxy, host: &str, port: u16) -> Result<TcpStream, Blocked> {
    let reached = TcpStream::connect(proxy.place()).await;
    let mut tcp = reached.map_err(|error| Blocked::Unreachable(error.to_string()))?;
    // Frames of ours are small, and late ones break limits.
    let _only_latency = tcp.set_nodelay(true);
    if proxy.is_socks() {
        socks(&mut tcp, proxy, host, port).await?;
    } else {
        connect(&mut tcp, proxy, host, port).await?;
    }
    Ok(tcp)
}

async fn connect(tcp: &mut TcpStream, proxy: &Proxy, host: &str, port: u16) -> Result<(), Blocked> {
    let to = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let credentials = proxy.credentials().map_or(String::new(), |(user, password)| {
        let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
        format!("Proxy-Authorization: Basic {both}\r\n")
    });
    let ask = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{credentials}\r\n");
    tcp.write_all(ask.as_bytes()).await?;
    // Nobody behind it speaks before we do, so that nothing but the answer can come.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == ANSWER_MAX_BYTES || !b"HTTP/1.".starts_with(answer.get(..7).unwrap_or(&answer)) {
            return Err(Blocked::Garbage);
        }
        answer.push(tcp.read_u8().await?);
    }
    let status = answer.get(8..12).and_then(|status| std::str::from_utf8(status).ok());
    match status.and_then(|status| status.strip_prefix(' ')?.parse::<u16>().ok()) {
        Some(200..300) => Ok(()),
        Some(407) => Err(Blocked::Credentials),
        Some(status) => Err(Blocked::Refused(format!("HTTP status {status}"))),
        None => Err(Blocked::Garbage),
    }
}

/// The version of everything but of the negotiation of passwords.
const SOCKS: u8 = 5;
const PASSWORDS: u8 = 1;
const NO_CREDENTIALS: u8 = 0;
const PASSWORD: u8 = 2;

async fn socks(tcp: &mut TcpStream, proxy: &Proxy, host: &str, port: u16) -> Result<(), Blocked> {
    let credentials = proxy.credentials();
    let offered = if credentials.is_some() {
        &[SOCKS, 2, NO_CREDENTIALS, PASSWORD][..]
    } else {
        &[SOCKS, 1, NO_CREDENTIALS]
    };
    tcp.write_all(offered).await?;
    match (two(tcp).await?, credentials) {
        ([SOCKS, NO_CREDENTIALS], _) => {}
        ([SOCKS, PASSWORD], Some((user, password))) => {
            let mut ask = vec![PASSWORDS];
            for text in [user, password] {
                ask.push(u8::try_from(text.len()).map_err(|_| Blocked::Credentials)?);
                ask.extend(text.into_bytes());
            }
            tcp.write_all(&ask).await?;
            if two(tcp).await? != [PASSWORDS, 0] {
                return Err(Blocked::Credentials);
            }
        }
        // None of what was offered.
        ([SOCKS, 255], _) => return Err(Blocked::Credentials),
        _ => return Err(Blocked::Garbage),
    }
    let mut ask = vec![SOCKS, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            ask.push(1);
            ask.extend(ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            ask.push(4);
            ask.extend(ip.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len());
            let length = length.map_err(|_| Blocked::Refused("a name of more than 255 bytes".to_owned()))?;
            ask.extend([3, length]);
            ask.extend(host.as_bytes());
        }
    }
    ask.extend(port.to_be_bytes());
    tcp.write_all(&ask).await?;
    let ([SOCKS, reply], [0, kind]) = (two(tcp).await?, two(tcp).await?) else {
        return Err(Blocked::Garbage);
    };
    // RFC 1928, section 6.
    let refusal = match reply {
        0 => None,
        1 => Some("it has failed"),
        2 => Some("its rules do not allow this connection"),
        3 => Some("the network is unreachable"),
        4 => Some("the host is unreachable"),
        5 => Some("the connection was refused"),
        6 => Some("the connection took too long"),
        7 | 8 => Some("it cannot do this"),
        _ => return Err(Blocked::Garbage),
    };
    if let Some(words) = refusal {
        return Err(Blocked::Refused(words.to_owned()));
    }
    // Where it connects from, which nobody wants to know; without reading it, it would be taken for the venue's.
    let length = match kind {
        1 => 4,
        3 => usize::from(tcp.read_u8().await?),
        4 => 16,
        _ => return Err(Blocked::Garbage),
    };
    let mut bound = vec![0; length + 2];
    tcp.read_exact(&mut bound).await?;
    Ok(())
}

async fn two(tcp: &mut TcpStream) -> io::Result<[u8; 2]> {
    let mut bytes = [0; 2];
    tcp.read_exact(&mut bytes).await?;
    Ok(bytes)
}
