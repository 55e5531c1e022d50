//! Real networks beside anvil: other clients' pools, reorgs, restarts and words, on loopback and chain 138.
//!
//! What a kind of network is and can do stands in [`Kind::traits`], so that one set of scenarios serves all of them. The
//! daemon's node is always the first member. Every node is a process of its own, ended by its own id, on a folder of
//! its own, which a restart finds again.

mod genesis;
mod member;
mod programs;
mod rollup;

use crate::world::World;
use alloy::node_bindings::AnvilInstance;
use alloy::primitives::{Address, B256, Bytes};
use alloy::providers::Provider as _;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result};
use member::Member;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

pub use programs::{Absent, Program};
pub use rollup::Rollup;

/// Gas that fits into a block: two creations of contracts, and little enough that a test can fill it.
pub const GAS_LIMIT: u64 = 8_000_000;
/// What an account has at first, in wei.
const ALLOWANCE_WEI: u128 = 1_000_000_000_000_000_000_000_000;
/// The keys of accounts that have it: the contracts' owner, which is the first account of every development node, and
/// the first two of the signer double.
const RICH: [[u8; 32]; 3] = [OWNER, [1; 32], [2; 32]];
/// How long a network may take over one thing on a busy machine. The first start of a program also reads it from the
/// disk, and validators that have missed each other wait twice as long at each round of consensus.
pub const PATIENCE: Duration = Duration::from_secs(180);
const OWNER: [u8; 32] =
    alloy::primitives::hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Hardhat node: geth's replacement rule, words of its own, everything in memory.
    Hardhat,
    /// go-ethereum of today as its own consensus client: genuine pool rules and words.
    Geth,
    /// Three go-ethereum sealers of Clique, whose sibling heads are everyday life.
    Clique,
    /// Four GoQuorum validators of QBFT, without gas prices.
    Qbft,
    /// A rollup of the OP Stack, sequenced over a chain of its own.
    OpStack,
}

/// How a network can take blocks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// A snapshot of the chain comes back; nobody is told.
    Snapshot,
    /// The head is set back; nobody is told.
    SetHead,
    /// A sealer that was cut off meets the others' heavier chain.
    Rejoin,
    /// The chain beneath takes back blocks on which a rollup was built.
    Beneath,
    /// It cannot.
    Never,
}

/// How a network can lose a transaction that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is dropped on demand.
    Drop,
    /// The node restarts without the file in which it keeps what it was given.
    Restart,
}

/// What a kind of network is and can do.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// What its nodes run.
    pub program: Program,
    /// How many nodes there are.
    pub members: u8,
    /// The configuration's `chain.finality`.
    pub finality: &'static str,
    /// The configuration's `chain.fees`.
    pub fees: &'static str,
    /// Whether its chain outlives its process.
    pub durable: bool,
    /// How it takes blocks back.
    pub undo: Undo,
    /// How it loses what waits.
    pub loss: Loss,
    /// Gas of a block that no single transaction may take.
    pub reserved_gas: u64,
}

impl Kind {
    /// The table of kinds.
    pub const fn traits(self) -> Traits {
        let geth = Traits {
            program: Program::Geth,
            members: 1,
            finality: "depth:12",
            fees: "eip1559",
            durable: true,
            undo: Undo::SetHead,
            loss: Loss::Restart,
            reserved_gas: 0,
        };
        match self {
            Self::Hardhat => Traits {
                program: Program::Hardhat,
                durable: false,
                undo: Undo::Snapshot,
                loss: Loss::Drop,
                ..geth
            },
            Self::Geth => geth,
            Self::Clique => Traits { program: Program::CliqueGeth, members: 3, undo: Undo::Rejoin, ..geth },
            Self::Qbft => Traits {
                program: Program::GoQuorum,
                members: 4,
                finality: "instant",
                fees: "zero-gas",
                undo: Undo::Never,
                ..geth
            },
            Self::OpStack => Traits {
                program: Program::OpGeth,
                finality: "op-stack",
                undo: Undo::Beneath,
                // What op-geth keeps for the transaction that tells of the chain beneath (`l1InfoGasOverhead` in its
                // `core/txpool/validation.go`). That takes 24 700 or so; the rest is too little for a round.
                reserved_gas: 70_000,
                ..geth
            },
        }
    }
}

/// A running network.
#[derive(Debug)]
pub struct Chain {
    /// What it is and can do.
    pub traits: Traits,
    members: Vec<Member>,
    rollup: Option<Box<Rollup>>,
    _dir: TempDir,
}

impl Chain {
    /// Starts a network and waits until its nodes know each other.
    pub async fn start(kind: Kind) -> Result<std::result::Result<Self, Absent>> {
        let traits = kind.traits();
        let find = move || -> Result<_> { Ok((traits.program.find()?, rollup::Programs::find(kind)?)) };
        let (program, around) = match tokio::task::spawn_blocking(find).await?? {
            (Ok(program), Ok(around)) => (program, around),
            (Err(absent), _) | (_, Err(absent)) => return Ok(Err(absent)),
        };
        let dir = tempfile::tempdir()?;
        let keys: Vec<PrivateKeySigner> = (0..traits.members)
            .map(|n| PrivateKeySigner::from_bytes(&B256::repeat_byte(0x21 + n)))
            .collect::<std::result::Result<_, _>>()?;
        let makers: Vec<Address> = keys.iter().map(PrivateKeySigner::address).collect();
        let genesis = dir.path().join("genesis.json");
        std::fs::write(&genesis, genesis::genesis(kind, &makers)?.to_string())?;
        let mut chain = Self { traits, members: Vec::new(), rollup: None, _dir: dir };
        for (n, key) in keys.into_iter().enumerate() {
            let folder = chain._dir.path().join(format!("node{n}"));
            chain.members.push(match kind {
                Kind::Hardhat => hardhat(&program, folder, key)?,
                _ => geth(kind, &program, folder, key, &genesis)?,
            });
        }
        // One after the other, or three makers of Clique blocks each make a first one of their own and are stuck; and
        // only now, because a validator of QBFT that waits alone waits twice as long at each round of consensus.
        for member in &mut chain.members {
            member.start().await?;
        }
        if let Some(programs) = around {
            let rollup = Rollup::start(&programs, chain._dir.path(), &chain.members[0]).await?;
            chain.rollup = Some(Box::new(rollup));
        }
        chain.join(0).await?;
        for member in 1..chain.members.len() {
            chain.join(member).await?;
        }
        chain.agree().await?;
        Ok(Ok(chain))
    }

    /// Waits until all members have the same block, which is none of those that they made before they met.
    async fn agree(&self) -> Result<()> {
        const HEIGHT: &str = "0x4";
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let mut hashes = Vec::new();
            for member in 0..self.members.len() {
                let block = self.ask(member, "eth_getBlockByNumber", json!([HEIGHT, false])).await?;
                hashes.push(block["hash"].clone());
            }
            if hashes.iter().all(|hash| hash.is_string() && *hash == hashes[0]) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the members do not agree on block {HEIGHT}")
    }

    /// Where the daemon's node answers.
    pub fn endpoint(&self) -> String {
        self.members[0].endpoint()
    }

    /// The rollup around the daemon's node, where there is one.
    pub fn rollup(&mut self) -> Option<&mut Rollup> {
        self.rollup.as_deref_mut()
    }

    /// Asks a member.
    pub async fn ask(&self, member: usize, method: &'static str, params: Value) -> Result<Value> {
        self.members[member].ask(method, params).await
    }

    /// Gives the daemon's node a transaction; its refusal is a code and a message.
    pub async fn send(&self, raw: &Bytes) -> Result<std::result::Result<(), (i64, String)>> {
        match self.members[0].rpc.raw_request::<_, B256>("eth_sendRawTransaction".into(), [raw]).await {
            Ok(_) => Ok(Ok(())),
            Err(error) => match error.as_error_resp() {
                Some(refusal) => Ok(Err((refusal.code, refusal.message.to_string()))),
                None => Err(error.into()),
            },
        }
    }

    /// Ends a member without a word, as `kill -9` does; with what drives it, if that shares its machine.
    pub fn kill(&mut self, member: usize) -> Result<()> {
        self.members[member].kill()?;
        self.rollup.as_deref_mut().map_or(Ok(()), Rollup::kill_deriver)
    }

    /// Lets a member forget what it was given and has not seen in a block. It must not run.
    pub fn lose_pool(&self, member: usize) -> Result<()> {
        let kept = self.members[member].dir.join("data/geth/transactions.rlp");
        std::fs::remove_file(&kept).with_context(|| format!("{}", kept.display()))
    }

    /// Starts a member again on what it had.
    pub async fn revive(&mut self, member: usize) -> Result<()> {
        self.members[member].start().await?;
        if let Some(rollup) = &mut self.rollup {
            rollup.start_deriver().await?;
        }
        self.join(member).await
    }

    /// Lets a member know all others that run.
    pub async fn join(&self, member: usize) -> Result<()> {
        let mut others = 0;
        for (n, other) in self.members.iter().enumerate().filter(|(_, other)| other.runs()) {
            if n != member {
                self.ask(member, "admin_addPeer", json!([other.enode()])).await?;
                others += 1;
            }
        }
        if self.traits.members > 1 { self.members[member].has_peers(others).await } else { Ok(()) }
    }

    /// Cuts a member off from all others.
    pub async fn cut_off(&self, member: usize) -> Result<()> {
        let alone = &self.members[member];
        // Nobody begins to dial after the first time, but a connection that is just being made is not met by it.
        for _ in 0..100 {
            for (n, other) in self.members.iter().enumerate() {
                if n != member {
                    other.ask("admin_removePeer", json!([alone.enode()])).await?;
                    alone.ask("admin_removePeer", json!([other.enode()])).await?;
                }
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            if alone.peers().await? == 0 {
                return Ok(());
            }
        }
        anyhow::bail!("it is still connected")
    }
}

fn hardhat(program: &Path, dir: std::path::PathBuf, key: PrivateKeySigner) -> Result<Member> {
    let mut member = Member::new(Path::new("node"), dir, key)?;
    let port = member.http_port.to_string();
    // It insists on being the installation of the project that it is started in.
    member.home = program.ancestors().nth(5).context("hardhat has no folder")?.to_owned();
    member.arg([program.as_os_str()]);
    member.arg(["node", "--hostname", "127.0.0.1", "--port", &port]);
    Ok(member)
}

/// A node of go-ethereum's family, initialised. What all of them are told comes first.
fn geth(
    kind: Kind,
    program: &Path,
    dir: std::path::PathBuf,
    key: PrivateKeySigner,
    genesis: &Path,
) -> Result<Member> {
    let mut member = Member::new(program, dir, key)?;
    let (http, p2p) = (member.http_port.to_string(), member.p2p_port.to_string());
    let (data, nodekey) = (member.dir.join("data"), member.dir.join("nodekey"));
    let (data, genesis) = (data.to_string_lossy().into_owned(), genesis.to_string_lossy().into_owned());
    let secret = alloy::primitives::hex::encode(member.key.to_bytes());
    std::fs::write(&nodekey, &secret)?;
    let maker = member.key.address().to_string();
    // Every state is kept, as a node does not that is killed otherwise: it would begin at genesis again.
    let archive = ["--gcmode", "archive"];
    let state = ["--state.scheme", "hash"];
    member.arg(["--datadir", &data, "--networkid", "138", "--nodiscover", "--nat", "none", "--ipcdisable"]);
    member.arg(archive);
    member.arg(["--http", "--http.addr", "127.0.0.1", "--http.port", &http, "--port", &p2p]);
    member.arg(["--http.api", "admin,eth,net,web3,txpool,debug,miner,clique,istanbul"]);
    member.arg(["--nodekey".as_ref(), nodekey.as_os_str()]);
    let mut init = vec!["--datadir", &data];
    match kind {
        Kind::Qbft => {
            member.arg(["--mine", "--miner.threads", "1", "--miner.gasprice", "0", "--syncmode", "full"]);
        }
        _ => {
            member.arg(state);
            init.extend(state);
            // In ether: more than a block full of the dearest transactions of a test.
            member.arg(["--miner.gaslimit", &GAS_LIMIT.to_string(), "--rpc.txfeecap", "1000"]);
            // It would stop on a machine whose disk is rather full.
            member.arg(["--datadir.minfreedisk", "0"]);
            member.arg(["--authrpc.port".to_owned(), member.engine_port.to_string()]);
        }
    }
    match kind {
        Kind::Geth => member.arg(["--dev", "--dev.period", "1"]),
        Kind::Clique => {
            let password = member.dir.join("password");
            std::fs::write(&password, "\n")?;
            let password = password.to_string_lossy().into_owned();
            let key_file = member.dir.join("nodekey").to_string_lossy().into_owned();
            let import = ["account", "import", "--datadir", &data, "--lightkdf", "--password", &password];
            member.run(&[&import[..], &[&key_file]].concat())?;
            member.arg(["--mine", "--miner.etherbase", &maker, "--unlock", &maker, "--password", &password]);
            member.arg(["--allow-insecure-unlock", "--syncmode", "full"]);
        }
        Kind::OpStack => member.arg(["--syncmode", "full"]),
        Kind::Hardhat | Kind::Qbft => {}
    }
    member.run(&[&init[..], &["init", &genesis]].concat())?;
    Ok(member)
}

/// The node of a world.
#[derive(Debug)]
pub enum Node {
    /// Anvil, which does whatever a test says.
    Anvil(AnvilInstance),
    /// A network of other clients.
    Real(Chain),
}

impl Node {
    /// Where it answers.
    pub fn endpoint(&self) -> String {
        match self {
            Self::Anvil(anvil) => anvil.endpoint(),
            Self::Real(chain) => chain.endpoint(),
        }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        match self {
            Self::Anvil(anvil) => anvil.port(),
            Self::Real(chain) => chain.members[0].http_port,
        }
    }

    /// The key of the contracts' owner.
    pub fn owner(&self) -> Result<PrivateKeySigner> {
        Ok(PrivateKeySigner::from_slice(&OWNER)?)
    }
}

impl World {
    /// The network of a world that stands on one.
    pub fn chain(&mut self) -> Result<&mut Chain> {
        match &mut self.node {
            Node::Real(chain) => Ok(chain),
            Node::Anvil(_) => anyhow::bail!("this world stands on anvil"),
        }
    }
}
