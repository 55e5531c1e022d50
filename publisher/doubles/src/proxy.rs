//! A proxy on loopback: CONNECT of HTTP and SOCKS5 on one port, strict about what it is asked, or broken on purpose.
//!
//! It remembers who asked for what, and whether what went through it was TLS, so that a test can say that nothing else
//! did. Addresses are not what it wants to hear: whoever has a name hands it on.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// More is forgotten.
const SEEN_MAX: usize = 1024;

/// What it does with whoever asks properly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It opens the connection.
    Forwards,
    /// It opens it for whoever says this user and password.
    Asks(String, String),
    /// It refuses: this HTTP status, or SOCKS' reply of the host that cannot be reached.
    Refuses(u16),
    /// It answers these bytes, and no more.
    Says(Vec<u8>),
    /// It answers so many bytes, one at a time, without an end.
    Drips(Vec<u8>),
    /// It says nothing.
    Hangs,
}

/// One who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Host and port, as they were written; what is no request of a tunnel, as it came.
    pub to: String,
    /// Whether it came by SOCKS5.
    pub by_socks: bool,
    /// Whether what went through began like a TLS handshake (RFC 8446, section 5.1).
    pub is_tls: bool,
}

/// A running proxy; it stops when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    seen: Vec<Asked>,
}

impl Proxy {
    /// Starts on a free port.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start(manner: Manner) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { manner, seen: Vec::new() }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does from now on.
    pub fn behave(&self, manner: Manner) {
        locked(&self.state, |state| state.manner = manner);
    }

    /// Who asked so far, the first 1024.
    pub fn seen(&self) -> Vec<Asked> {
        locked(&self.state, |state| state.seen.clone())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked<T>(state: &Mutex<State>, look: impl FnOnce(&mut State) -> T) -> T {
    look(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The accept loop owns all connections, so that ending it ends them.
async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // One that breaks is the other side's business.
                Ok((stream, _)) => drop(connections.spawn(serve(stream, Arc::clone(&state)))),
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut client: TcpStream, state: Arc<Mutex<State>>) -> io::Result<()> {
    let manner = locked(&state, |state| state.manner.clone());
    let mut first = [0];
    client.peek(&mut first).await?;
    let by_socks = first == [5];
    if let Manner::Says(bytes) = &manner {
        // The request is read first, or what is left of it would reset the connection under the answer.
        let _asked = client.read(&mut [0; 1024]).await?;
        client.write_all(bytes).await?;
        return Ok(());
    }
    if let Manner::Drips(bytes) = &manner {
        for byte in bytes.iter().chain(std::iter::repeat(&b'x')) {
            client.write_all(&[*byte]).await?;
            sleep(Duration::from_millis(50)).await;
        }
    }
    if manner == Manner::Hangs {
        std::future::pending::<()>().await;
    }
    let to = match by_socks {
        true => socks_request(&mut client, &manner).await?,
        false => connect_request(&mut client, &manner).await?,
    };
    let place = locked(&state, |state| {
        let to = match &to {
            Ok(to) | Err(to) => to.clone(),
        };
        if state.seen.len() < SEEN_MAX {
            state.seen.push(Asked { to, by_socks, is_tls: false });
        }
        state.seen.len().saturating_sub(1)
    });
    let Ok(to) = to else { return Ok(()) };
    let port = to.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or_default();
    // Whatever the name, nothing but this machine is reached.
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let answer: &[u8] = match by_socks {
        true => &[5, 0, 0, 1, 127, 0, 0, 1, 0, 0],
        false => b"HTTP/1.1 200 Connection established\r\nVia: 1.1 double\r\n\r\n",
    };
    client.write_all(answer).await?;
    let mut begins = [0; 2];
    client.read_exact(&mut begins).await?;
    locked(&state, |state| {
        if let Some(asked) = state.seen.get_mut(place) {
            asked.is_tls = begins == [0x16, 3];
        }
    });
    server.write_all(&begins).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// To where a CONNECT asks, or what else it was.
async fn connect_request(client: &mut TcpStream, manner: &Manner) -> io::Result<Result<String, String>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && request.len() < 8192 {
        request.push(client.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let mut lines = request.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let to = line.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let Some(to) = to.filter(|to| {
        request.contains(&format!("\r\nHost: {to}\r\n"))
            || request.to_lowercase().contains(&format!("\r\nhost: {to}\r\n"))
    }) else {
        client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n").await?;
        return Ok(Err(line));
    };
    let given = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
    });
    let status = match manner {
        Manner::Refuses(status) => Some(*status),
        Manner::Asks(user, password) => {
            let wanted = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
            (given != Some(wanted)).then_some(407)
        }
        _ => None,
    };
    if let Some(status) = status {
        let refusal = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 6\r\n\r\nhidden");
        client.write_all(refusal.as_bytes()).await?;
        return Ok(Err(format!("{status} {to}")));
    }
    Ok(Ok(to.to_owned()))
}

/// To where a SOCKS5 request asks, or why it is refused.
async fn socks_request(client: &mut TcpStream, manner: &Manner) -> io::Result<Result<String, String>> {
    let [_, count] = [client.read_u8().await?, client.read_u8().await?];
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods).await?;
    if let Manner::Asks(user, password) = manner {
        if !methods.contains(&2) {
            client.write_all(&[5, 255]).await?;
            return Ok(Err("no password".to_owned()));
        }
        client.write_all(&[5, 2]).await?;
        let _version = client.read_u8().await?;
        let given = [text(client).await?, text(client).await?];
        let is_right = given == [user.clone(), password.clone()];
        client.write_all(&[1, u8::from(!is_right)]).await?;
        if !is_right {
            return Ok(Err("another password".to_owned()));
        }
    } else {
        client.write_all(&[5, if methods.contains(&0) { 0 } else { 255 }]).await?;
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    // A connection to a name: an address was resolved by somebody who should not have.
    if head != [5, 1, 0, 3] {
        client.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        return Ok(Err(format!("{head:?}")));
    }
    let to = format!("{}:{}", text(client).await?, client.read_u16().await?);
    if matches!(manner, Manner::Refuses(_)) {
        client.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        return Ok(Err(format!("4 {to}")));
    }
    Ok(Ok(to))
}

/// A text with its length in front.
async fn text(client: &mut TcpStream) -> io::Result<String> {
    let mut bytes = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let number =
            (0..3).fold(0, |sum, at| sum << 8 | usize::from(three.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let letter = LETTERS.get(number >> (18 - 6 * at) & 63).copied().unwrap_or_default();
            out.push(if at > three.len() { '=' } else { char::from(letter) });
        }
    }
    out
}
