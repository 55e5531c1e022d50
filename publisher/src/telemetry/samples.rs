//! One event of every kind and case: the table of codes is made from these, and tests report each of them.

use super::notice::Notice;
use alloy::primitives::{Address, B256, I256};
use publisher_core::aggregate::{LeftOut, Measured, Refusal};
use publisher_core::drift::Skew;
use publisher_core::event::{Event, Latency};
use publisher_core::policy::{Conduct, Hold, Instruction, Order, Status, Subject, Trigger};
use publisher_core::price::{Answer, Price, Ratio};
use publisher_core::quote::{FeedId, SourceFault, VenueId};
use publisher_core::record::{Outcome, Scope};
use publisher_core::time::{Span, Wall};
use publisher_core::tx::{Receipt, SendOutcome, SignFault, SkipReason};

/// Events such that every code occurs with every level and advice it can have.
pub(super) fn events() -> Vec<Event> {
    let feed = || FeedId::new("BTC-USD");
    let stored = || FeedId::new("ETH-USD");
    let source = || "kraken:XBTUSD".to_owned();
    let what = || "BTC-USD round 7".to_owned();
    let order = || Order {
        id: 1,
        of: Subject::Feed(feed()),
        what: Instruction::Pause,
        said_at: Wall::from_s(1_700_000_000),
        until: Wall::from_s(1_700_003_600),
        by: "ann".into(),
        reason: "venue maintenance".into(),
    };
    let (account, hash, nonce) = (Address::repeat_byte(0xac), B256::repeat_byte(0x11), 6);
    let answer = Answer::new(I256::ONE);
    let second = Span::from_s(1);
    let latency =
        Latency { decide: second, sign: second, send: second, include: second, total: second.times(4) };
    let receipt = Receipt {
        hash,
        block_number: 9,
        block_hash: B256::repeat_byte(0x22),
        success: true,
        gas_used: 43_000,
        gas_price_wei: 1_000_000_000,
    };
    let closed = |outcome| Event::Closed {
        round: Some(7),
        feed: Some(feed()),
        what: what(),
        outcome,
        answer: Some(answer),
        trigger: Some(Trigger::Deviation),
        receipt: Some(receipt),
        nonce,
        latency,
    };
    let mut events = vec![
        Event::Closed {
            feed: None,
            round: Some(3),
            what: "store 0x01 sequence 3".into(),
            outcome: Outcome::Final,
            answer: None,
            trigger: None,
            receipt: Some(receipt),
            nonce,
            latency,
        },
        Event::Decided {
            feed: feed(),
            round: 7,
            answer,
            trigger: Trigger::Heartbeat,
            sources: 5,
            spread: Price::one(),
        },
        Event::Released { feed: feed() },
        Event::BreakerStuck { feed: feed(), for_span: Span::from_s(3600) },
        Event::OrderStands { feed: feed(), order: order() },
        Event::OrderOver { feed: feed(), order: order() },
        Event::MarketStatus { feed: feed(), calendar: "nyse".into(), status: Status::Closed },
        Event::MarketStatus { feed: feed(), calendar: "nyse".into(), status: Status::Unknown },
        Event::CalendarEnds { feed: feed(), calendar: "nyse".into(), left: second.times(5_184_000) },
        Event::OpeningUnquoted {
            feed: feed(),
            calendar: "nyse".into(),
            status: Status::Open,
            conduct: Conduct::Freeze,
            for_span: second.times(600),
        },
        Event::OpeningOver { feed: feed(), calendar: "nyse".into(), status: Status::Open },
        Event::Hibernates { feed: feed() },
        Event::Awakened { feed: feed() },
        Event::FlagUnreadable { feed: feed(), flags: Address::repeat_byte(0xf1) },
        Event::SourceBack { feed: feed(), source: source() },
        Event::ConstantEnds { rate: FeedId::new("EURC-EUR"), ends_in: Span::from_s(86_400) },
        Event::ConstantOver { rate: FeedId::new("EURC-EUR") },
        Event::PegLost { rate: FeedId::new("USDT-USD"), price: Price::one() },
        Event::PegBack { rate: FeedId::new("USDT-USD"), price: Price::one() },
        Event::ClockWrong { venue: VenueId::new("kraken"), skew: Skew::Ahead, offset_ms: -3_000 },
        Event::ClockWrong { venue: VenueId::new("kraken"), skew: Skew::Behind, offset_ms: 20_000 },
        Event::ClockRight { venue: VenueId::new("kraken"), offset_ms: 200 },
        Event::OwnClockWrong { skew: Skew::Ahead, offset_ms: 5_000 },
        Event::OwnClockRight { offset_ms: 100 },
        Event::OwnClockSet { by_ms: -1_500 },
        Event::RoundTaken { feed: feed(), round: 7, standby: false },
        Event::RoundTaken { feed: feed(), round: 7, standby: true },
        Event::SequenceTaken { store: account, sequence: 7, standby: false },
        Event::SequenceTaken { store: account, sequence: 7, standby: true },
        Event::PreflightRefused { feed: Some(feed()), reason: "Paused".into() },
        Event::EstimateFailed { feed: None, gas: 70_000 },
        Event::EstimateClamped { feed: Some(feed()), estimate: 800_000, gas_limit: 500_000 },
        Event::Planned { account, nonce, what: what() },
        Event::Signed { account, nonce, seq: 0, hash },
        Event::Resent { hash },
        Event::Bumped { account, nonce, from_wei: 100, to_wei: 110 },
        Event::FeeCapReached { account, nonce, wanted_wei: 200, cap_wei: 150 },
        Event::PriceRefused { account, nonce, offered_wei: 0, minimum_wei: Some(1_000) },
        Event::BudgetReached { scope: Scope::Feed(feed()), spent_wei: 8, cap_wei: 9 },
        Event::OutOfFunds { account },
        Event::Included {
            feed: Some(feed()),
            round: Some(7),
            what: what(),
            answer: Some(answer),
            receipt,
            latency,
        },
        Event::EntryIncluded { feed: stored(), round: Some(7), answer, sequence: 3, latency },
        Event::EntryFinal {
            feed: stored(),
            round: Some(7),
            answer,
            sequence: 3,
            trigger: Some(Trigger::Early),
            receipt,
            feeds: 10,
            latency,
        },
        Event::Orphaned { feed: Some(feed()), what: what(), hash },
        Event::ForeignNonce { account, nonce, mined_nonce: 7 },
        Event::Reorged { depth: 2, from: 9, to: 8 },
        Event::FinalityViolated { number: 5, expected: Some(hash), found: None },
        Event::WindowLost { tip: 900 },
        Event::HeadStalled { for_span: second.times(30), number: 9 },
        Event::HeadMoving { number: 10 },
        Event::Halted { scope: Scope::Chain, reason: "finality violated".into() },
        Event::Resumed { scope: Scope::Feed(feed()) },
        Event::Recovered { open: 2 },
    ];
    events.extend(HOLDS.iter().flat_map(|hold| {
        let (hold, overdue) = (*hold, second);
        [Event::HeldBack { feed: feed(), hold }, Event::HeartbeatBlocked { feed: feed(), overdue, hold }]
    }));
    events.extend(LEFT_OUT.iter().map(|why| Event::SourceLeftOut {
        feed: feed(),
        source: source(),
        why: *why,
        measured: None,
    }));
    let measured = Measured::Part { is: Ratio::from_bps(410), limit: Ratio::from_bps(200) };
    let (why, measured) = (LeftOut::Outlier, Some(measured));
    events.push(Event::SourceLeftOut { feed: feed(), source: source(), why, measured });
    for why in [LeftOut::Frozen, LeftOut::Outlier] {
        events.push(Event::SourceOnProbation { feed: feed(), source: source(), why });
        events.push(Event::SourceQuarantined { feed: feed(), source: source(), why });
        events.push(Event::SourceReadmitted { feed: feed(), source: source(), why });
    }
    events.extend(SKIPS.iter().map(|reason| Event::EntrySkipped {
        feed: stored(),
        sequence: 3,
        answer,
        reason: *reason,
    }));
    events.extend(SIGN_FAULTS.iter().map(|fault| Event::SignFailed {
        account,
        nonce,
        fault: *fault,
        detail: "no answer".into(),
    }));
    events.extend(
        [SendOutcome::Accepted, SendOutcome::Ambiguous, SendOutcome::Forbidden].map(|outcome| Event::Sent {
            hash,
            outcome,
            detail: String::new(),
        }),
    );
    events.extend([
        Event::LeaseTaken { account, epoch: 3 },
        Event::LeaseReleased { account },
        Event::LeaseLost { account, why: "not renewed in time" },
        Event::LeaseFenced { account },
        Event::Standby { account, holder: "host-1-0123abcd".into() },
    ]);
    events.extend([Outcome::Final, Outcome::Reverted, Outcome::NoopFilled, Outcome::Foreign].map(closed));
    events
}

const HOLDS: &[Hold] = &[
    Hold::NoValue(Refusal::Quorum { have: 1, need: 2 }),
    Hold::NoValue(Refusal::TooManyOutliers),
    Hold::NoValue(Refusal::Share),
    Hold::NoValue(Refusal::PathsDisagree),
    Hold::OutOfBounds,
    Hold::BreakerOpen,
    Hold::RateFloor,
    Hold::OnOrder,
    Hold::Standby,
    Hold::Gathering,
    Hold::OverBudget,
    Hold::RoundUnknown,
    Hold::Paused,
    Hold::NotAuthorised,
    Hold::Refused,
    Hold::GroupMember,
    Hold::InFlight,
    Hold::AccountBusy,
    Hold::Halted,
    Hold::Leased,
];

const LEFT_OUT: &[LeftOut] = &[
    LeftOut::Stale,
    LeftOut::Lagging,
    LeftOut::Halted,
    LeftOut::Delisted,
    LeftOut::Future,
    LeftOut::WideSpread,
    LeftOut::Thin,
    LeftOut::Frozen,
    LeftOut::Jump,
    LeftOut::Quarantined,
    LeftOut::Depegged,
    LeftOut::Outlier,
    LeftOut::Failing(SourceFault::GeoBlocked),
    LeftOut::Failing(SourceFault::RateLimited),
    LeftOut::Failing(SourceFault::Unresolved),
    LeftOut::Failing(SourceFault::Tls),
    LeftOut::Failing(SourceFault::CertificateExpired),
    LeftOut::Failing(SourceFault::CertificateName),
    LeftOut::Failing(SourceFault::CertificateUntrusted),
    LeftOut::Failing(SourceFault::TlsPinMismatch),
    LeftOut::Failing(SourceFault::Proxy),
    LeftOut::Failing(SourceFault::SymbolMissing),
];

const SKIPS: &[SkipReason] = &[
    SkipReason::UnknownFeed,
    SkipReason::OutOfBounds,
    SkipReason::FeedPaused,
    SkipReason::Stale,
    SkipReason::Exhausted,
    SkipReason::Unknown,
];

const SIGN_FAULTS: &[SignFault] = &[SignFault::Timeout, SignFault::Mismatch, SignFault::Policy];

/// A node that is read although it is behind, as happens to the last one.
#[cfg(test)]
pub(super) fn node() -> super::NodeHealth {
    super::NodeHealth {
        node: "http://127.0.0.1:8545".into(),
        standing: crate::chain::Standing::Lagging,
        reader: true,
        send_only: false,
        head: Some(68),
        subscribed: Some(true),
        behind: Some(9),
        why: "9 blocks behind".into(),
    }
}

/// A market that is closed, by a calendar that ends then.
#[cfg(test)]
pub(super) fn market(ends_at: Wall) -> publisher_core::machine::MarketView {
    publisher_core::machine::MarketView {
        calendar: "nyse".into(),
        digest: B256::repeat_byte(0x5e),
        status: Status::Closed,
        conduct: publisher_core::policy::Conduct::Freeze,
        until: None,
        begins_at: None,
        ends_at,
    }
}

/// One notice of every kind.
pub(super) fn notices() -> Vec<Notice> {
    let node = || "http://127.0.0.1:8545".to_owned();
    let what = || "feed BTC-USD".to_owned();
    vec![
        Notice::Started { version: env!("CARGO_PKG_VERSION"), chain_id: 138, feeds: 2 },
        Notice::Stopping { reason: "SIGTERM".into() },
        Notice::Stopped,
        Notice::Listening { address: "127.0.0.1:9090".into() },
        Notice::NodeFailing { node: node(), error: "the node did not answer in time".into() },
        Notice::NodeBack { node: node() },
        Notice::NodeRefused { node: node(), reason: "chain id 1".into() },
        Notice::NodeWrongHash { node: node(), detail: "another hash".into() },
        Notice::NodeLagging { node: node(), detail: "9 blocks behind".into() },
        Notice::NodeLimited { node: node(), detail: "the node limits our rate".into() },
        Notice::NodeUnready { node: node(), detail: "node is syncing".into() },
        Notice::HeadsTold { node: node() },
        Notice::HeadsUntold { node: node(), error: "the node cannot be reached".into() },
        Notice::StreamUp { venue: "kraken".into(), host: "wss://ws.kraken.com".into() },
        Notice::StreamDown { venue: "kraken".into(), why: "idle", error: "nothing comes".into() },
        Notice::ListUnusable { venue: "okx".into(), why: "absurd", error: "the list is empty".into() },
        Notice::ListBack { venue: "okx".into() },
        Notice::ListShrunk { venue: "okx".into(), from: 900, to: 400 },
        Notice::SourceStep { source: "vault".into(), detail: "fell from 1.1 to 0.9".into() },
        Notice::SourceForgets {
            source: "pool".into(),
            detail: "cardinality_low: the pool keeps 60 observations".into(),
            call: "increaseObservationCardinalityNext(151)".into(),
        },
        Notice::SourceAccepted {
            source: "vault".into(),
            price: "0.9".into(),
            by: "ann".into(),
            reason: "slashed".into(),
        },
        Notice::ReaderChanged { from: node(), to: "http://127.0.0.2:8545".into() },
        Notice::NodesDiffer { what: "nonce", detail: "7 here, 8 there".into() },
        Notice::JournalUnavailable { error: "disk full".into() },
        Notice::JournalBack,
        Notice::ReadBackDiffers {
            feed: "BTC-USD".into(),
            proxy: Address::ZERO.to_string(),
            written: "round 7: 1".into(),
            read: "round 6: 2".into(),
        },
        Notice::LoopStalled { name: "heads", for_span: Span::from_s(60) },
        Notice::CheckWarned { what: what(), detail: "the aggregator is paused".into(), hint: String::new() },
        Notice::CheckWaits { what: what(), detail: "no answer".into(), hint: String::new() },
        Notice::Refused { what: what(), detail: "8 decimals".into(), hint: "correct feed.decimals".into() },
    ]
}
