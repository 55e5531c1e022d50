//! Why a source has no vote, and why a value is refused: the gates by their names.

use crate::quote::SourceFault;

/// Why a source has no vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// It has not delivered anything yet.
    NeverSeen,
    /// Its venue's list says that it does not trade.
    Halted,
    /// It is not in its venue's list any more.
    Delisted,
    /// It fails, and what it said before is too old.
    Failing(SourceFault),
    /// Its quote is older than the maximum age.
    Stale,
    /// The same, because its venue's clock is behind ours, or hands out what is old.
    Lagging,
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
    /// It has said the same for a minute while the others moved.
    Frozen,
    /// It is far from what it said itself moments ago, and too few others say the same.
    Jump,
    /// It has been an outlier, frozen or without its symbol for so long that it has no vote until it recovers.
    Quarantined,
    /// The rate that converts it has lost its peg.
    Depegged,
    /// Too far from the median of all families.
    Outlier,
}

impl LeftOut {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NeverSeen => "never_seen",
            Self::Halted => "halted",
            Self::Delisted => "delisted",
            Self::Failing(fault) => fault.code(),
            Self::Stale => "stale",
            Self::Lagging => "clock_behind",
            Self::Future => "future",
            Self::BadValue => "bad_value",
            Self::Crossed => "crossed",
            Self::WideSpread => "wide_spread",
            Self::Thin => "thin",
            Self::NoRate => "no_rate",
            Self::Depegged => "depegged",
            Self::Frozen => "frozen",
            Self::Jump => "jump",
            Self::Quarantined => "quarantined",
            Self::Outlier => "outlier",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Halted => {
                "Its venue has halted this market; it votes again once the venue's list says that it trades."
            }
            Self::Delisted => {
                "Its venue's list has this market no more: it was renamed or delisted. Name the new symbol, or another venue."
            }
            Self::Failing(SourceFault::GeoBlocked) => {
                "This venue refuses your location; configure a mirror by base_url or another venue."
            }
            Self::Failing(SourceFault::RateLimited | SourceFault::Banned) => {
                "Too many requests from this address; lengthen the venue's interval."
            }
            Self::Failing(SourceFault::Unresolved) => {
                "Its name has no address: check its spelling, and whether this machine's resolver answers."
            }
            Self::Failing(SourceFault::Tls) => {
                "No TLS with what answers there: look for a proxy or a port that is not the venue's."
            }
            Self::Failing(SourceFault::CertificateExpired) => {
                "If other venues say so, too, this machine's clock is wrong; else the venue has to renew it."
            }
            Self::Failing(SourceFault::CertificateName) => {
                "Somebody else answers under the venue's name: check its URL, the resolver and proxies on the way. Nothing is read from it."
            }
            Self::Failing(SourceFault::CertificateUntrusted) => {
                "Install the root certificates (ca-certificates), or the authority of your own mirror; if neither is missing, somebody listens in. Nothing is read from it."
            }
            Self::Failing(SourceFault::TlsPinMismatch) => {
                "It shows another key than those in tls_spki_sha256: ask the venue whether it has renewed its key, and add the new one; if it has not, somebody listens in. Nothing is read from it."
            }
            Self::Failing(SourceFault::Proxy) => {
                "There is no way through the proxy that is configured for it: look at the proxy, its user and password, and what it permits."
            }
            Self::Failing(SourceFault::SymbolMissing) => {
                "Check the symbol; the venue may have renamed or delisted it."
            }
            Self::Lagging => {
                "Its clock is behind ours, or what it hands out is old; `publisher status` shows by how much. Nothing is corrected: it votes once its quotes are young enough."
            }
            Self::Future => {
                "Its clock is ahead of ours, or ours is behind: where most venues say so, it is this machine's (PUB-1042)."
            }
            Self::WideSpread => {
                "Its book is too thin to price anything; it votes again once bid and ask are closer than max_spread."
            }
            Self::Thin => "Less is traded there than min_volume; name a larger market, or lower it.",
            Self::Frozen => {
                "It repeats one price while the others move; look whether the venue has suspended the market."
            }
            Self::Jump => {
                "No action; it votes again when others say the same, or after two minutes at its new price."
            }
            Self::Quarantined => {
                "It was wrong for so long that it is only watched; find out why, or name another source. It comes back by itself."
            }
            Self::Depegged => {
                "The rate that converts it has lost its peg, and policy.on_depeg.drop_sources says that it has no vote until the peg is had again."
            }
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
    /// It is a constant whose end has come.
    Expired,
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
            Self::Expired => "constant_expired",
            Self::NoReference => "no_reference",
            Self::OffReference => "off_reference",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Quorum { .. } => "Too few venues answer; `publisher quote` shows each one's reason.",
            Self::Expired => {
                "The constant's day has come: see whether it still holds, and give it a new one."
            }
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
