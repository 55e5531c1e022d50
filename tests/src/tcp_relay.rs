//! A wire between the daemon and a server that can be muted without being cut (the connection stays, and nothing comes),
//! cut without a word, and led to another server.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// See the module's documentation. Ends with its handle.
pub struct TcpRelay {
    address: SocketAddr,
    upstream: watch::Sender<SocketAddr>,
    muted: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl TcpRelay {
    /// Relays every connection to `upstream`.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (muted, is_muted) = watch::channel(false);
        let (upstream, led_to) = watch::channel(upstream);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (mut led_to, is_muted) = (led_to.clone(), is_muted.clone());
                connections.spawn(async move {
                    let upstream = *led_to.borrow_and_update();
                    tokio::select! {
                        // Whoever hangs up ends his connection and no other.
                        _ended = relay(client, upstream, is_muted) => {}
                        _cut = led_to.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, upstream, muted, _tasks: tasks })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection; new ones are made as before.
    pub fn cut(&self) {
        self.upstream.send_modify(|_| {});
    }

    /// Ends every connection; new ones are made to another server, as when a name is given another address.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.upstream.send_replace(upstream);
    }

    /// From now on what the server says is swallowed, or not.
    pub fn mute(&self, muted: bool) {
        self.muted.send_replace(muted);
    }
}

async fn relay(mut client: TcpStream, upstream: SocketAddr, muted: watch::Receiver<bool>) -> Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let said = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let count = from_server.read(&mut bytes).await?;
            if count == 0 {
                return anyhow::Ok(());
            }
            if !*muted.borrow() {
                to_client.write_all(&bytes[..count]).await?;
            }
        }
    };
    tokio::select! {
        ended = said => ended,
        ended = tokio::io::copy(&mut from_client, &mut to_server) => Ok(ended.map(drop)?),
    }
}
