//! Facts of the process itself that the core knows nothing about, with codes and advice like events.

use super::metrics as m;
use publisher_core::event::Level;
use publisher_core::time::Span;

/// A reportable fact of the shell. Nodes are named by scheme and host; errors are shown only in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "a variant's sentence explains its fields")]
pub enum Notice {
    /// The daemon runs.
    Started { version: &'static str, chain_id: u64, feeds: usize },
    /// It begins nothing new and finishes what is on its way.
    Stopping { reason: String },
    /// It has ended in order.
    Stopped,
    /// Metrics, health and status are served here.
    Listening { address: String },
    /// A node stopped giving usable answers.
    NodeFailing { node: String, error: String },
    /// It gives usable answers again.
    NodeBack { node: String },
    /// A node's chain is not the configured one.
    NodeRefused { node: String, reason: String },
    /// A node confirmed a broadcast with another hash than ours.
    NodeWrongHash { node: String, detail: String },
    /// A node is behind the others.
    NodeLagging { node: String, detail: String },
    /// A node asks to be left alone for a while.
    NodeLimited { node: String, detail: String },
    /// A node says that it cannot take transactions.
    NodeUnready { node: String, detail: String },
    /// A node's WebSocket tells of its heads.
    HeadsTold { node: String },
    /// A node's WebSocket does not tell of its heads.
    HeadsUntold { node: String, error: String },
    /// A venue's WebSocket is open.
    StreamUp { venue: String, host: String },
    /// A venue's WebSocket ended, or cannot be opened.
    StreamDown { venue: String, why: &'static str, error: String },
    /// A venue's list of its markets cannot be had, or is not to be believed.
    ListUnusable { venue: String, why: &'static str, error: String },
    /// It can be used again.
    ListBack { venue: String },
    /// It has lost most of its rows, has stayed so, and is believed from now on.
    ListShrunk { venue: String, from: usize, to: usize },
    /// A share moved further than it may at once.
    SourceStep { source: String, detail: String },
    /// A pool keeps fewer observations than its window takes at worst.
    SourceForgets { source: String, detail: String, call: String },
    /// An operator says what a share is worth, whatever was believed before.
    SourceAccepted { source: String, price: String, by: String, reason: String },
    /// Another node is read than before.
    ReaderChanged { from: String, to: String },
    /// Nodes contradict each other about the same block.
    NodesDiffer { what: &'static str, detail: String },
    /// The journal cannot be written.
    JournalUnavailable { error: String },
    /// The journal can be written again.
    JournalBack,
    /// What consumers read through the proxy is not what was written to the aggregator.
    ReadBackDiffers { feed: String, proxy: String, written: String, read: String },
    /// A loop does not go round any more.
    LoopStalled { name: &'static str, for_span: Span },
    /// The configuration or a check before the start leaves something to wish for.
    CheckWarned { what: String, detail: String, hint: String },
    /// Something that the start needs does not answer.
    CheckWaits { what: String, detail: String, hint: String },
    /// Something is wrong that keeps the publisher from running.
    Refused { what: String, detail: String, hint: String },
}

impl Notice {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Started { .. } => "PUB-5001",
            Self::Stopping { .. } => "PUB-5002",
            Self::Stopped => "PUB-5003",
            Self::Listening { .. } => "PUB-5004",
            Self::NodeFailing { .. } => "PUB-5005",
            Self::NodeBack { .. } => "PUB-5006",
            Self::NodeRefused { .. } => "PUB-5007",
            Self::NodeWrongHash { .. } => "PUB-5008",
            Self::JournalUnavailable { .. } => "PUB-5009",
            Self::JournalBack => "PUB-5010",
            Self::LoopStalled { .. } => "PUB-5011",
            Self::ReadBackDiffers { .. } => "PUB-5012",
            Self::CheckWarned { .. } => "PUB-5013",
            Self::CheckWaits { .. } => "PUB-5014",
            Self::Refused { .. } => "PUB-5015",
            Self::NodeLagging { .. } => "PUB-5016",
            Self::NodeLimited { .. } => "PUB-5017",
            Self::NodeUnready { .. } => "PUB-5018",
            Self::ReaderChanged { .. } => "PUB-5019",
            Self::NodesDiffer { .. } => "PUB-5020",
            Self::HeadsTold { .. } => "PUB-5021",
            Self::HeadsUntold { .. } => "PUB-5022",
            Self::StreamUp { .. } => "PUB-5023",
            Self::StreamDown { .. } => "PUB-5024",
            Self::ListUnusable { .. } => "PUB-5025",
            Self::ListBack { .. } => "PUB-5026",
            Self::ListShrunk { .. } => "PUB-5027",
            Self::SourceStep { .. } => "PUB-5028",
            Self::SourceAccepted { .. } => "PUB-5029",
            Self::SourceForgets { .. } => "PUB-5030",
        }
    }

    /// How loud it is.
    pub const fn level(&self) -> Level {
        match self {
            Self::Started { .. }
            | Self::Stopping { .. }
            | Self::Stopped
            | Self::Listening { .. }
            | Self::NodeBack { .. }
            | Self::HeadsTold { .. }
            | Self::StreamUp { .. }
            | Self::ListBack { .. }
            | Self::SourceAccepted { .. }
            | Self::ReaderChanged { .. }
            | Self::JournalBack => Level::Info,
            Self::NodeFailing { .. }
            | Self::NodeLagging { .. }
            | Self::NodeLimited { .. }
            | Self::NodeUnready { .. }
            | Self::HeadsUntold { .. }
            | Self::StreamDown { .. }
            | Self::ListUnusable { .. }
            | Self::ListShrunk { .. }
            | Self::SourceStep { .. }
            | Self::SourceForgets { .. }
            | Self::CheckWarned { .. }
            | Self::CheckWaits { .. } => Level::Warn,
            Self::NodeRefused { .. }
            | Self::NodesDiffer { .. }
            | Self::NodeWrongHash { .. }
            | Self::JournalUnavailable { .. }
            | Self::ReadBackDiffers { .. }
            | Self::LoopStalled { .. }
            | Self::Refused { .. } => Level::Error,
        }
    }

    /// What happened, in a few words.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Started { .. } => "publisher started",
            Self::Stopping { .. } => "publisher stopping",
            Self::Stopped => "publisher stopped",
            Self::Listening { .. } => "telemetry listening",
            Self::NodeFailing { .. } => "node failing",
            Self::NodeBack { .. } => "node back",
            Self::NodeRefused { .. } => "node serves another chain",
            Self::NodeWrongHash { .. } => "node answered with another hash",
            Self::NodeLagging { .. } => "node lags behind",
            Self::NodeLimited { .. } => "node limits our rate",
            Self::NodeUnready { .. } => "node takes no transactions",
            Self::HeadsTold { .. } => "node tells of heads",
            Self::HeadsUntold { .. } => "node does not tell of heads",
            Self::StreamUp { .. } => "venue's stream open",
            Self::StreamDown { .. } => "venue's stream down",
            Self::ListUnusable { .. } => "venue's list of markets unusable",
            Self::ListBack { .. } => "venue's list of markets back",
            Self::ListShrunk { .. } => "venue's list of markets has shrunk for good",
            Self::SourceStep { .. } => "step of a share not believed",
            Self::SourceForgets { .. } => "pool remembers too little",
            Self::SourceAccepted { .. } => "operator's word on a share",
            Self::ReaderChanged { .. } => "another node is read",
            Self::NodesDiffer { .. } => "nodes contradict each other",
            Self::JournalUnavailable { .. } => "journal unavailable",
            Self::JournalBack => "journal back",
            Self::LoopStalled { .. } => "loop stalled",
            Self::ReadBackDiffers { .. } => "proxy reads another answer",
            Self::CheckWarned { .. } => "check raised a warning",
            Self::CheckWaits { .. } => "start waits",
            Self::Refused { .. } => "publisher refuses to run",
        }
    }

    /// What an operator should do; empty where nothing needs doing.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NodeFailing { .. } => {
                "Check that the node is up and reachable; sending goes on when it answers."
            }
            Self::NodeRefused { .. } => {
                "Nothing is signed for another chain. Correct the node's URL, or the chain's id and genesis."
            }
            Self::NodeWrongHash { .. } => {
                "The node or something before it alters transactions. Stop using it until that is explained."
            }
            Self::NodeLagging { .. } => {
                "Check its peers and its disk; until it has caught up, it is sent transactions and has no vote."
            }
            Self::NodeLimited { .. } => {
                "It is left alone as long as it asks. If that happens often, poll less or ask for a higher limit."
            }
            Self::NodeUnready { .. } => {
                "Let it finish its sync, or enable its transaction pool; other nodes are used meanwhile."
            }
            Self::HeadsUntold { .. } => {
                "Heads are polled every block time, as always; the subscription is tried again. Check the node's ws address."
            }
            Self::StreamDown { .. } => {
                "The venue is polled at its normal pace meanwhile, and the stream is tried again. If that lasts, check that its host is reachable."
            }
            Self::ListUnusable { .. } => {
                "No market loses its vote by it, and none is told of before its quotes are too old. A mirror may not have the list; else look whether the venue has moved it."
            }
            Self::ListShrunk { .. } => {
                "What it lacks loses its vote with the next list. See what the venue says of it: markets that moved elsewhere need another venue."
            }
            Self::SourceStep { .. } => {
                "Find out what moved it. If it is right, say so with `publisher source accept NAME --price PRICE`; it comes back by itself once it is within its limits."
            }
            Self::SourceForgets { .. } => {
                "Let anybody make the call that is named, or the pool has no price when most is traded."
            }
            Self::NodesDiffer { .. } => {
                "Nothing is concluded from either. Find out which node is wrong and take it out of chain.rpc."
            }
            Self::JournalUnavailable { .. } => {
                "Nothing is sent before it is journalled. Check disk space, permissions and the database."
            }
            Self::ReadBackDiffers { .. } => {
                "The proxy points to another aggregator than the one written; `publisher deploy verify` says which."
            }
            Self::LoopStalled { .. } => "Restart the publisher and report this with the log before it.",
            Self::CheckWarned { .. } => {
                "Read the hint; until something changes, the publisher runs like this."
            }
            Self::CheckWaits { .. } => {
                "It is asked again until it answers; nothing is published before. `publisher check --online` asks once."
            }
            Self::Refused { .. } => {
                "Correct what the detail says, then start again; nothing is signed like this."
            }
            _ => "",
        }
    }
}

/// Logs a notice and counts it.
pub fn notify(notice: &Notice) {
    m::NOTICES.count([notice.code()]);
    macro_rules! line {
        ($($fields:tt)*) => {{
            let (code, message) = (notice.code(), notice.title());
            let advice = Some(notice.advice()).filter(|advice| !advice.is_empty());
            match notice.level() {
                Level::Info => tracing::info!(target: "publisher", code, advice, $($fields)* "{message}"),
                Level::Warn => tracing::warn!(target: "publisher", code, advice, $($fields)* "{message}"),
                Level::Error => tracing::error!(target: "publisher", code, advice, $($fields)* "{message}"),
            }
        }};
    }
    match notice {
        Notice::Started { version, chain_id, feeds } => line!(version, chain_id, feeds,),
        Notice::Stopping { reason } => line!(reason,),
        Notice::Stopped | Notice::JournalBack => line!(),
        Notice::Listening { address } => line!(address,),
        Notice::NodeFailing { node, error } | Notice::HeadsUntold { node, error } => line!(node, error,),
        Notice::StreamUp { venue, host } => line!(venue, host,),
        Notice::StreamDown { venue, why, error } | Notice::ListUnusable { venue, why, error } => {
            line!(venue, why, error,)
        }
        Notice::SourceStep { source, detail } => line!(source, detail,),
        Notice::SourceForgets { source, detail, call } => line!(source, detail, call,),
        Notice::SourceAccepted { source, price, by, reason } => line!(source, price, by, reason,),
        Notice::ListBack { venue } => line!(venue,),
        Notice::ListShrunk { venue, from, to } => line!(venue, from, to,),
        Notice::NodeBack { node } | Notice::HeadsTold { node } => line!(node,),
        Notice::NodeRefused { node, reason } => line!(node, reason,),
        Notice::NodeWrongHash { node, detail }
        | Notice::NodeLagging { node, detail }
        | Notice::NodeLimited { node, detail }
        | Notice::NodeUnready { node, detail } => line!(node, detail,),
        Notice::ReaderChanged { from, to } => line!(from, to,),
        Notice::NodesDiffer { what, detail } => line!(what, detail,),
        Notice::JournalUnavailable { error } => line!(error,),
        Notice::ReadBackDiffers { feed, proxy, written, read } => line!(feed, proxy, written, read,),
        Notice::CheckWarned { what, detail, hint }
        | Notice::CheckWaits { what, detail, hint }
        | Notice::Refused { what, detail, hint } => {
            line!(what, detail, hint = Some(hint).filter(|hint| !hint.is_empty()),);
        }
        Notice::LoopStalled { name, for_span } => line!(name, for_ms = for_span.ms(),),
    }
}
