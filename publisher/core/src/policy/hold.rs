//! Why nothing is published, with a code and advice for each reason.

use crate::aggregate::Refusal;

/// Why a feed publishes nothing although it might.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// There is no value to publish.
    NoValue(Refusal),
    /// Its market is closed, or has just opened and is not quoted yet.
    MarketClosed,
    /// The value is outside the bounds of configuration or contract.
    OutOfBounds,
    /// A step too large to believe at once.
    BreakerOpen,
    /// The value deviates, and the last round is too young for the next one.
    RateFloor,
    /// An operator has paused it, for a while.
    OnOrder,
    /// It hibernates: the flags on its chain say so.
    Hibernating,
    /// Whether it hibernates has not been read since the start.
    FlagUnknown,
    /// A round is due, and the primary is given time to write it.
    Standby,
    /// What may be spent is spent, and the heartbeat is not due.
    OverBudget,
    /// The chain's round has not been read yet, or has to be read again.
    RoundUnknown,
    /// The aggregator is paused.
    Paused,
    /// Our account may not submit.
    NotAuthorised,
    /// The contract would refuse the transaction, or has skipped the feed's entry.
    Refused,
    /// Its group moves together, and another member of it may not move.
    GroupMember,
    /// It is due, and other feeds of its store are given a moment to join it.
    Gathering,
    /// An earlier round of this feed is on its way.
    InFlight,
    /// The account's transactions are not accounted for yet, it waits for funds, or has no room for another one.
    AccountBusy,
    /// An operator has to acknowledge something first.
    Halted,
    /// Another replica holds the account's lease, or this one is about to take over.
    Leased,
}

impl Hold {
    /// The name in logs, metrics and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoValue(refusal) => refusal.code(),
            Self::MarketClosed => "market_closed",
            Self::OutOfBounds => "bounds",
            Self::BreakerOpen => "breaker_open",
            Self::RateFloor => "rate_floor",
            Self::OnOrder => "on_order",
            Self::Hibernating => "hibernating",
            Self::FlagUnknown => "flag_unknown",
            Self::Standby => "standby",
            Self::OverBudget => "over_budget",
            Self::RoundUnknown => "round_unknown",
            Self::Paused => "paused",
            Self::NotAuthorised => "not_authorised",
            Self::Refused => "refused",
            Self::GroupMember => "group_member_invalid",
            Self::Gathering => "gathering",
            Self::InFlight => "in_flight",
            Self::AccountBusy => "account_busy",
            Self::Halted => "halted",
            Self::Leased => "leased",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NoValue(refusal) => refusal.advice(),
            Self::MarketClosed => {
                "No action; policy.on_market says what is published while its market is closed, and it goes on at the opening."
            }
            Self::OutOfBounds => {
                "Check the price; if it is real, deploy an aggregator with wider bounds. It is never clamped."
            }
            Self::BreakerOpen => {
                "The price jumped; it is published once other families vouch for it, or all agree on it for policy.breaker.confirm_for. The heartbeat waits too: a wrong answer is worse than a late one."
            }
            Self::RateFloor => {
                "No action; the deviation is published policy.min_interval after the last round, or at once if it grows to policy.min_interval_bypass."
            }
            Self::OnOrder => {
                "An operator has paused it; `publisher feed show` says who, why and until when, and `publisher feed resume` ends it."
            }
            Self::Hibernating => {
                "No action; it awakes with a round of its own once policy.hibernate_flag has a flag lowered, the feed's or that of the zero address. `publisher feed submit` writes one round meanwhile."
            }
            Self::FlagUnknown => {
                "Check policy.hibernate_flag with `publisher check --online`; nothing is written before it has been read once."
            }
            Self::Standby => {
                "No action; if the primary does not write the round that is due, this standby does."
            }
            Self::OverBudget => {
                "The feed's hour or the account's day is spent; heartbeats go out unless fees.over_budget says nothing. Raise the cap, or look at what costs so much."
            }
            Self::RoundUnknown => "Check that the node answers eth_call for the aggregator.",
            Self::Paused => "Unpause the aggregator.",
            Self::NotAuthorised => "Grant the account the transmitter role: setTransmitter(account, true).",
            Self::Refused => "The aggregator would revert; the reason is in the log.",
            Self::GroupMember => {
                "Look at the other feeds of its group; the one that may not move says why. With group_policy = \"best_effort\" the others would go without it."
            }
            Self::Gathering => {
                "No action; it goes out with its store's next transaction, after store.gather."
            }
            Self::InFlight => "No action; a transaction of this feed is on its way.",
            Self::AccountBusy => "No action; the account's earlier transactions are being settled.",
            Self::Halted => {
                "Read the halt's reason, repair the cause, then restart with --acknowledge-halts."
            }
            Self::Leased => {
                "No action: the replica that holds the account's lease publishes; `publisher status` names it."
            }
        }
    }
}
