//! Heads that a node tells of over WebSocket: they make the daemon quicker, and nothing that they do makes it wrong.

use crate::BINARY;
use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use publisher_tests::miner::SOON;
use publisher_tests::tcp_relay::TcpRelay;
use publisher_tests::together::together;
use publisher_tests::world::World;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Gives the world's node a WebSocket address and a block time.
fn listens(world: &World, ws: SocketAddr, block_time: &str) -> Result<()> {
    let url = world.proxy.url();
    world
        .edit(&format!("rpc = [\"{url}\"]"), &format!("rpc = [{{ url = \"{url}\", ws = \"ws://{ws}\" }}]"))?;
    world.edit("block_time = \"200ms\"", &format!("block_time = \"{block_time}\""))
}

fn node(world: &World) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, world.node.port()).into()
}

async fn subscribed(world: &World, is: bool) -> Result<()> {
    world
        .wait(SOON, &format!("subscribed: {is}"), async || {
            Ok(world.status().await?["nodes"][0]["subscribed"] == is)
        })
        .await
}

/// Without this a head is met a poll later than the node had it, and a round with it.
#[tokio::test]
async fn a_head_is_met_when_the_node_tells_of_it_and_not_at_the_next_poll() {
    let world = World::manual("depth:2").await.unwrap();
    // Longer than this test may take: no poll helps.
    listens(&world, node(&world), "500s").unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    for price in ["60000", "61000", "62000"] {
        world.publish(price).await.unwrap();
        world.seen().await.unwrap();
    }
    subscribed(&world, true).await.unwrap();
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 3);
}

/// Without this a subscription that died without a word is trusted for ever.
#[tokio::test]
async fn f16_a_subscription_that_falls_silent_is_opened_again_and_polls_go_on_meanwhile() {
    let world = World::manual("depth:2").await.unwrap();
    let relay = TcpRelay::start(node(&world)).await.unwrap();
    listens(&world, relay.address(), "200ms").unwrap();
    let _daemon = world.daemon(BINARY, &[]).unwrap();
    world.publish("60000").await.unwrap();
    world.said("PUB-5021", 1).await.unwrap();

    relay.mute(true);
    for price in ["61000", "62000", "63000", "64000"] {
        world.publish(price).await.unwrap();
        world.seen().await.unwrap();
    }
    let told = world.said("PUB-5022", 1).await.unwrap();
    assert!(told[0]["error"].as_str().unwrap().contains("does not tell"), "{told:?}");
    subscribed(&world, false).await.unwrap();

    relay.mute(false);
    world
        .wait(SOON, "the node is heard again", async || {
            world.mine(1).await?;
            world.seen().await?;
            Ok(world.logged("PUB-5021")?.len() == 2)
        })
        .await
        .unwrap();
    subscribed(&world, true).await.unwrap();
    world.publish("65000").await.unwrap();
    assert_eq!(world.logged("PUB-5022").unwrap().len(), 1, "it is told once");
    assert_eq!(world.judge(0).await.unwrap()[0].len(), 6);
}

/// What a server says instead of heads. A double, because no node does.
#[derive(Clone, Copy, Debug)]
enum Nonsense {
    /// Heads without end.
    Flood,
    /// An error instead of a subscription.
    Refusal,
    /// Another question's answer.
    WrongId,
    /// Heads of a subscription that is not ours.
    Others,
    /// Text that is no JSON.
    Babble,
    /// A message larger than any header.
    Giant,
    /// Bytes.
    Binary,
    /// The end of the connection.
    Hangup,
    /// No WebSocket at all.
    Silence,
}

const ALL: [Nonsense; 9] = [
    Nonsense::Flood,
    Nonsense::Refusal,
    Nonsense::WrongId,
    Nonsense::Others,
    Nonsense::Babble,
    Nonsense::Giant,
    Nonsense::Binary,
    Nonsense::Hangup,
    Nonsense::Silence,
];

/// Without this a broken or hostile endpoint costs rounds, memory, or the node's patience.
#[tokio::test]
async fn whatever_a_subscription_says_it_costs_a_few_polls_and_nothing_else() {
    together(5, ALL, nonsense).await;
}

async fn nonsense(kind: Nonsense) -> Result<()> {
    let world = World::manual("depth:2").await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    listens(&world, listener.local_addr()?, "500ms")?;
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, kind));
        }
    });
    let _daemon = world.daemon(BINARY, &[])?;
    let began = Instant::now();
    for price in ["60000", "61000", "62000"] {
        world.publish(price).await?;
    }
    if matches!(kind, Nonsense::Flood) {
        world.said("PUB-5021", 1).await?;
    } else {
        world.said("PUB-5022", 1).await?;
    }
    subscribed(&world, matches!(kind, Nonsense::Flood)).await?;
    world.seen().await?;
    // At least a tenth of the block time lies between polls, and a handful of other questions are asked by the same method.
    let most = began.elapsed().as_millis() / 50 + 40;
    let polls = u128::from(world.proxy.calls("eth_getBlockByNumber"));
    anyhow::ensure!(polls <= most, "{polls} polls where {most} are many");
    anyhow::ensure!(world.judge(0).await?[0].len() == 3, "three prices make three rounds");
    server.abort();
    Ok(())
}

async fn talk(stream: TcpStream, kind: Nonsense) -> Result<()> {
    if matches!(kind, Nonsense::Silence) {
        return std::future::pending().await;
    }
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    let _question = socket.next().await;
    let head = |of: &str| {
        Message::text(format!(
            r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{of}","result":{{"number":"0xffffffffffffffff"}}}}}}"#
        ))
    };
    let ours = || Message::text(r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#);
    match kind {
        Nonsense::Flood => {
            socket.send(ours()).await?;
            // Not as fast as it can: the other tests need the processor, too.
            for _ in 0..100_000 {
                socket.send(head("0x1")).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Nonsense::Refusal => {
            let refusal = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
            socket.send(Message::text(refusal)).await?;
        }
        Nonsense::WrongId => {
            socket.send(Message::text(r#"{"jsonrpc":"2.0","id":2,"result":"0x1"}"#)).await?;
        }
        Nonsense::Others => {
            socket.send(ours()).await?;
            repeat(&mut socket, &head("0x2")).await?;
        }
        Nonsense::Babble => repeat(&mut socket, &Message::text("<html>")).await?,
        Nonsense::Giant => repeat(&mut socket, &Message::text("x".repeat(1 << 20))).await?,
        Nonsense::Binary => repeat(&mut socket, &Message::Binary(Bytes::from_static(b"\x00"))).await?,
        Nonsense::Hangup => return Ok(socket.close(None).await?),
        Nonsense::Silence => {}
    }
    // The connection stays.
    std::future::pending().await
}

async fn repeat(socket: &mut WebSocketStream<TcpStream>, message: &Message) -> Result<()> {
    for _ in 0..100_000 {
        socket.send(message.clone()).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
