//! Why a source has no vote, and why a value is refused: the gates by their names.

use crate::quote::SourceFault;

/// Why a source has no vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// It has not delivered anything yet.
    NeverSeen,
    /// It fails, and what it said before is too old.
    Failing(SourceFault),
    /// Its quote is older than the maximum age.
    Stale,
    /// Its quote claims to come from the future.
    Future,
    /// No price, or one that is not positive.
    BadValue,
    /// Its bid is above its ask.
    Crossed,
    /// Its bid and ask are too far apart.
    WideSpread,
    /// Too little is traded there.
    Thin,
    /// A rate that converts it is not available.
    NoRate,
    /// Too far from the median of all families.
    Outlier,
}

impl LeftOut {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NeverSeen => "never_seen",
            Self::Failing(fault) => fault.code(),
            Self::Stale => "stale",
            Self::Future => "future",
            Self::BadValue => "bad_value",
            Self::Crossed => "crossed",
            Self::WideSpread => "wide_spread",
            Self::Thin => "thin",
            Self::NoRate => "no_rate",
            Self::Outlier => "outlier",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Failing(SourceFault::GeoBlocked) => {
                "This venue refuses your location; configure a mirror by base_url or another venue."
            }
            Self::Failing(SourceFault::RateLimited | SourceFault::Banned) => {
                "Too many requests from this address; lengthen the venue's interval."
            }
            Self::Failing(SourceFault::SymbolMissing) => {
                "Check the symbol; the venue may have renamed or delisted it."
            }
            Self::Future => "Check this machine's clock.",
            Self::WideSpread => {
                "Its book is too thin to price anything; it votes again once bid and ask are closer than max_spread."
            }
            Self::Thin => "Less is traded there than min_volume; name a larger market, or lower it.",
            Self::Outlier => "The venue disagrees with the others; no action while the quorum holds.",
            _ => "No action while the quorum holds; `publisher quote` shows what the source says.",
        }
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Fewer families answered than the quorum needs.
    Quorum {
        /// Families that answered.
        have: usize,
        /// Families needed.
        need: usize,
    },
    /// More families disagree than may be set aside.
    TooManyOutliers,
    /// The families that remain are too far apart.
    Dispersed,
    /// One family has so much of the weight that it alone would say the value.
    Share,
    /// What is converted by different rates is too far apart: a rate, or the peg behind it, is wrong.
    PathsDisagree,
    /// The reference has no value to compare with.
    NoReference,
    /// The value is too far from its reference.
    OffReference,
}

impl Refusal {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Quorum { .. } => "quorum",
            Self::TooManyOutliers => "too_many_outliers",
            Self::Dispersed => "dispersed",
            Self::Share => "share",
            Self::PathsDisagree => "path_disagree",
            Self::NoReference => "no_reference",
            Self::OffReference => "off_reference",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Quorum { .. } => "Too few venues answer; `publisher quote` shows each one's reason.",
            Self::NoReference => {
                "The feed's reference has no value; `publisher quote` with its name shows why. Nothing is published unchecked."
            }
            Self::OffReference => {
                "The feed is far from its reference: a rate may be missing, inverted or wrong in its sources, or the reference is. Nothing is published until they agree."
            }
            Self::TooManyOutliers | Self::Dispersed => {
                "The venues disagree; `publisher quote` shows what each one says. Nothing is published until they agree."
            }
            Self::Share => {
                "So few families answer that one of them has half the weight; see why the others do not, or weigh them equally."
            }
            Self::PathsDisagree => {
                "Sources that are converted by different rates disagree: see with `publisher quote` whether a rate is wrong or a stable asset has lost its peg."
            }
        }
    }
}
