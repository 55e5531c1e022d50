//! What can be wrong with a venue's WebSocket.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One misbehaviour of a venue's WebSocket, until it is cleared. Several may hold at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StreamFault {
    /// New connections are answered with this HTTP status; open ones stay.
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// No token opens a connection, where the venue wants one.
    ExpiredToken,
    /// Requests for more markets than this are refused whole, where the venue has such a limit.
    FrameMax {
        /// How many it takes.
        markets: usize,
    },
    /// Instead of prices comes a small frame that inflates to this size.
    Bomb {
        /// Its length when it is unpacked.
        bytes: usize,
    },
    /// Instead of prices comes the head of a frame of this size, and nothing of the frame.
    Announced {
        /// The length that it announces.
        bytes: u64,
    },
    /// Instead of prices comes a frame of which one byte follows the other, and which never ends.
    Drip,
    /// Instead of prices come so many messages of 100,000 lists in one another.
    Deep {
        /// How many at once.
        messages: usize,
    },
    /// Open connections end without a word, and new ones after a moment.
    Cut,
    /// Subscriptions are acknowledged and heartbeats flow; no market says anything.
    Silent,
    /// One market says nothing although it is subscribed to.
    SilentMarket {
        /// Its name in neutral spelling, `BTC/USD`.
        pair: String,
    },
    /// Messages are read, and nothing is ever said.
    Mute,
    /// Pings of the venue's protocol are not answered.
    NoPong,
    /// Subscriptions are not acknowledged; what was subscribed to is pushed.
    NoAck,
    /// Instead of prices comes text that is no JSON.
    Garbage,
    /// Instead of prices comes one message of this size.
    Oversized {
        /// Its length.
        bytes: usize,
    },
    /// The venue asks for a new connection, and goes on meanwhile.
    AsksReconnect,
    /// Every message comes twice.
    Duplicates,
    /// Every message is followed by the one before it.
    Reordered,
    /// Every third message is lost.
    Gaps,
    /// A connection that has said nothing for so long is closed.
    Impatient {
        /// How long.
        ms: u64,
    },
}

impl StreamFault {
    pub(super) fn frame_max(&self) -> Option<usize> {
        match self {
            Self::FrameMax { markets } => Some(*markets),
            _ => None,
        }
    }

    pub(super) fn silence(&self) -> Option<Duration> {
        match self {
            Self::Impatient { ms } => Some(Duration::from_millis(*ms)),
            _ => None,
        }
    }
}
