//! Every key of the configuration: its type, default, two examples and meaning, once.
//!
//! The reader, the JSON schema, the reference and the tests that set one key after the other all come from here. What
//! the keys mean together is the matter of `check`.

use super::allowed::Allowed;
use super::crons::Crons;
use super::leaf::{
    Beyond, Both, Company, Contract, Database, Date, Decay, Dialect, Entry, FinalityRule, Lead, Listen,
    Listening, Multiple, Profile, Rule, Socket, Spend, Together, Wei,
};
use super::problem::{Place, join};
use super::raw::{Branch, Chapter, Default, Item, Key, Leaf, Reader, Section, Table, section};
use super::secret::{Endpoint, Secret};
use super::shift::Shift;
use super::weights::Weights;
use crate::sources::{Pin, Proxy, TimeUnit};
use crate::telemetry::LogFormat;
use Default::{Required, Value, Words};
use alloy::primitives::{Address, B256};
use publisher_core::price::{Price, Ratio};
use publisher_core::time::Span;
use std::collections::BTreeMap;

section! {
    /// One TOML file configures one publisher on one chain.
    /// Paths are relative to the file. A key that is not listed here is an error.
    Root {
        @ chain: Option<Chain>;
        @ signer: BTreeMap<String, Signer>;
        @ feed: BTreeMap<String, Feed>;
        @ store: BTreeMap<String, Store>;
        @ defaults: Option<Defaults>;
        @ rate: BTreeMap<String, Rate>;
        @ constant: BTreeMap<String, Constant>;
        @ venue: BTreeMap<String, Venue>;
        @ source: BTreeMap<String, Source>;
        @ network: BTreeMap<String, Network>;
        @ calendar: BTreeMap<String, Calendar>;
        @ journal: Option<Journal>;
        @ telemetry: Option<Telemetry>;
        @ log: Option<Log>;
    }
}

section! {
    /// The chain that rounds go to.
    Chain {
        id: u64, Required, ["138", "1337"],
            "EIP-155 chain id. Nothing is signed for a node that serves another.";
        block_time: Span, Required, [r#""2s""#, r#""5s""#],
            "Expected time between blocks, 50ms to 10m. The head is polled this often.";
        finality: FinalityRule, Required, [r#""depth:12""#, r#""tag""#],
            "When a block is final: `instant` for QBFT and IBFT 2; `depth:N` with N blocks on top; `tag` when the node says `finalized`; `op-stack` when it says `safe`.";
        genesis: B256, Words("pinned at the first start"),
            [r#""0x1111111111111111111111111111111111111111111111111111111111111111""#,
             r#""0x2222222222222222222222222222222222222222222222222222222222222222""#],
            "Hash of block 0. A node whose chain begins otherwise is refused.";
        @ rpc: Vec<Rpc>;
        @ fees: Option<Fees>;
        @ timing: Option<Timing>;
    }
}

section! {
    /// The chain's JSON-RPC nodes. All are sent transactions; one at a time is read, the first one at first.
    /// A plain text stands for `url`: `rpc = ["http://127.0.0.1:8545"]`.
    Rpc from url {
        url: Endpoint, Required, [r#""http://127.0.0.1:8545""#, r#""http://127.0.0.2:8545""#],
            "Address of the node. Messages show scheme and host only.";
        authorization: Secret, Words("none"), [r#""Bearer ${KEY}""#, r#""Bearer x""#],
            "Value of the HTTP header `Authorization`.";
        timeout: Span, Value(r#""5s""#), [r#""3s""#, r#""4s""#],
            "Time for one call, 100ms to 60s.";
        batch_limit: usize, Value("100"), ["1", "10"],
            "Questions in one HTTP request; 1 for a node that takes no batches.";
        send_only: bool, Value("false"), ["false", "true"],
            "It is given transactions and never read. At least one node must be read.";
        ws: Socket, Words("heads are polled only"), [r#""ws://127.0.0.1:8546""#, r#""ws://127.0.0.2:8546""#],
            "Its WebSocket address. New heads it tells of are read at once; heads are polled every block time all the same.";
    }
}

section! {
    /// What may be paid for gas.
    /// A plain text stands for `profile`: `fees = "zero-gas"`.
    Fees from profile {
        profile: Profile, Required, [r#""eip1559""#, r#""legacy""#],
            "`eip1559`: base fee and tip; `legacy`: one gas price; `zero-gas`: nothing is paid.";
        max_fee: Wei, Words("`500 gwei`; `0 wei` with `zero-gas`"), [r#""400 gwei""#, r#""300.5 gwei""#],
            "No attempt ever offers more for a unit of gas. With `zero-gas` a first attempt offers nothing; only a replacement may offer up to this, where nodes take no equal price.";
        min_tip: Wei, Value(r#""1 wei""#), [r#""2 gwei""#, r#""3 wei""#],
            "No attempt offers a smaller tip, or legacy price.";
        bump: Ratio, Words("exactly what the nodes ask for"), [r#""15%""#, r#""20%""#],
            "How much a replacement adds at least, whole percents from 10%. Nodes are known by `web3_clientVersion`: most ask for 10% on each field, Besu for 10% on the price paid, anvil for one wei.";
        max_transaction: Rule<Spend>, Value(r#""off""#), [r#""0.01 ether""#, r#""5000000 gwei""#],
            "A round's transaction never costs more: gas limit times the most that is offered, and a rollup's fee for the data. At this cap it waits as at `max_fee`.";
        max_feed_hour: Rule<Spend>, Value(r#""off""#), [r#""0.05 ether""#, r#""0.06 ether""#],
            "Rounds of a feed cost no more within any hour, what is on its way included; a batch costs each of its feeds an equal share. Beyond it the feed is held; what still goes out is said by `over_budget`.";
        max_account_day: Rule<Spend>, Value(r#""off""#), [r#""0.5 ether""#, r#""0.6 ether""#],
            "The same for everything that an account pays within any day. Steps of a rollout count, and are not held.";
        over_budget: Beyond, Value(r#""heartbeats""#), [r#""nothing""#, r#""heartbeats""#],
            "What goes out beyond `max_feed_hour` and `max_account_day`: `heartbeats` that are due and first rounds, or `nothing`.";
    }
}

section! {
    /// Deadlines and delays on the way to the chain. The defaults suit nearly every network.
    Timing {
        answer_timeout: Span, Value(r#""5s""#), [r#""6s""#, r#""7s""#],
            "A question to a node or signer that was not answered is asked again after this.";
        retry: Span, Value(r#""500ms""#), [r#""400ms""#, r#""300ms""#],
            "First delay after a failure; it doubles up to `retry_max`.";
        retry_max: Span, Value(r#""15s""#), [r#""20s""#, r#""30s""#],
            "Longest delay after failures.";
        resend: Span, Words("two blocks, at least 5s"), [r#""8s""#, r#""9s""#],
            "A transaction that was accepted but not included goes out again after this.";
        bump_heads: u32, Value("3"), ["4", "5"],
            "A transaction that was not included in so many blocks is replaced by one with a higher fee.";
    }
}

section! {
    /// Who signs. A remote signer holds the key; a keystore file is for development.
    Signer {
        kind: Dialect, Required, [r#""web3signer-rpc""#, r#""web3signer""#],
            "`web3signer`: its REST API; `web3signer-rpc` and `ethsigner` (legacy transactions only): JSON-RPC `eth_signTransaction`; `keystore`: a V3 keystore file.";
        address: Address, Required,
            [r#""0x70997970c51812dc3a010c7d01b50e0d17dc79c8""#, r#""0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc""#],
            "The account. The signer must prove that it signs for it.";
        url: Endpoint, Words("required for a remote signer"), [r#""http://127.0.0.1:9000""#, r#""http://127.0.0.2:9000""#],
            "Address of the remote signer.";
        timeout: Span, Value(r#""5s""#), [r#""3s""#, r#""4s""#],
            "Time for one signature, 100ms to 60s.";
        path: String, Words("required for a keystore"), [r#""dev.json""#, r#""other.json""#],
            "The keystore file.";
        password_file: String, Words("required for a keystore"), [r#""dev.password""#, r#""other.password""#],
            "A file with the keystore's password.";
        allow_development_keystore: bool, Value("false"), ["true", "false"],
            "Says that this key protects nothing of value. A keystore is refused without it.";
    }
}

section! {
    /// A price that is published.
    Feed {
        decimals: u8, Required, ["8", "6"],
            "Decimal places of the aggregator's answers, 0 to 36.";
        min: Price, Required, [r#""1""#, r#""2.5""#],
            "Smallest price that may be published. Anything below is held back, never clamped.";
        max: Price, Required, [r#""10000000""#, "20000000"],
            "Largest price that may be published.";
        sources: Vec<Entry>, Required,
            [r#"["coinbase:BTC-USD", "kraken:XBTUSD", "binance:BTCUSDT * USDT-USD", "acme"]"#,
             r#"["coinbase:BTC-USD", "kraken:XBTUSD", "binance:BTCUSD", "acme"]"#],
            "Where it is seen: `venue:SYMBOL` as the venue spells it, or the name of a `[source]`; `* RATE` and ` / RATE` convert it, up to four times, and `1 / ` in front turns it round. What comes out must be what the feed is called after. Venues of one family share one vote.";
        off_hours_sources: Vec<Entry>, Words("none"),
            [r#"["coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "acme"]"#,
             r#"["coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "binance:BTCUSD", "acme"]"#],
            "Where it is seen while `on_market` says `switch_source`, spelled like `sources`. Gates and `max_age` are those of the feed; a `quorum` and `weights` that are written down hold for both lists, and a `quorum` that is not is a majority of each. Both are asked for all the time; no value is made of quotes of both.";
        signer: String, Words("the only signer"), [r#""main""#, r#""second""#],
            "Which `[signer]` signs its rounds.";
        aggregator: Address, Words("none before `publisher deploy`"),
            [r#""0x5fbdb2315678afecb367f032d93f642f64180aa3""#, r#""0xe7f1725e7734ce288f8367e1bb143e90bb3f0512""#],
            "The contract that stores the rounds.";
        proxy: Address, Words("none before `publisher deploy`"),
            [r#""0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0""#, r#""0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9""#],
            "The contract that consumers read.";
        reference: String, Words("none"), [r#""BTC-reference""#, r#""BTC-other""#],
            "A `[rate]` or another feed that says the same in another way. Without it, or too far from it, nothing is published: a missing or inverted rate in `sources` shows here.";
        reference_band: Ratio, Value(r#""5%""#), [r#""3%""#, r#""2%""#],
            "How far from its `reference` a value may be.";
        store: String, Words("none: it has an aggregator of its own"), [r#""main""#, r#""second""#],
            "Which `[store]` stores its rounds.";
        store_id: u16, Words("required with `store`"), ["3", "4"],
            "The number that the store gave to the feed, or will give: stores number their feeds from 0 in the order in which they are added.";
        facade: Address, Words("none before `publisher deploy`"),
            [r#""0xa513e6e4b8f2a923d98304ec87f64353c4d5c853""#, r#""0x2279b7a0a67db372996a5fab50d91eaa73d2ebe6""#],
            "The contract that shows the feed of its store. Consumers may read it without a proxy: write it as `proxy` too.";
        group: String, Words("none"), [r#""dollars""#, r#""euros""#],
            "Feeds of a store that move together: what makes a round of one makes a round of each.";
        group_policy: Together, Value(r#""atomic""#), [r#""best_effort""#, r#""atomic""#],
            "What becomes of its group while a feed of it may not move, for want of a value, say: `atomic`, all go in one transaction or none does (`group_member_invalid`); `best_effort`, the others go without it. All feeds of a group say the same.";
        description: String, Words("the name with ` / `: `BTC / USD`"), [r#""Bitcoin""#, r#""BTC""#],
            "What the contracts say they price.";
        @ policy: Option<Policy>;
    }
}

section! {
    /// A contract that many feeds share: those that are due in the same block go out in one transaction.
    Store {
        address: Address, Words("none before `publisher deploy`"),
            [r#""0x5fc8d32690cc91d4c39d9d3abcbd16989f875707""#, r#""0x0165878a594ca255338adfa4d48449f69242eb8f""#],
            "The `FeedStore`.";
        sync_heartbeats: bool, Value("false"), ["true", "false"],
            "A heartbeat that is due takes along the feeds whose own heartbeat divides it, 1h with 24h, so that they come in one transaction from then on.";
        gather: Span, Value(r#""0s""#), [r#""2s""#, r#""3s""#],
            "How long a feed that is due waits for others, up to 1m, and how far ahead heartbeats are looked for: what becomes due moments apart goes out in one transaction. A heartbeat that has come waits for nobody. The default publishes at once, because a delayed answer is dearer to some than a transaction.";
        max_age: Span, Words("`1h` for a new one"), [r#""10m""#, r#""20m""#],
            "How long before its block a report may have been observed, whole seconds; fixed when the store is deployed. It must exceed the longest gap between two blocks.";
        @ early: Option<Early>;
    }
}

section! {
    /// Which feeds ride along with one that is due, although nothing makes a round of their own. Each rule suffices; without any, none do.
    /// A plain percentage, or `always`, stands for `ratio`: `early = "80%"`.
    Early from ratio {
        ratio: Company, Value(r#""never""#), [r#""80%""#, r#""always""#],
            "Those that have reached this share of their own deviation or heartbeat; `always`: every one that may be published, as Pyth's publishers do where nothing is said. A deviation that has yet to settle never rides along.";
        age: Rule<Span>, Value(r#""off""#), [r#""30m""#, r#""20m""#],
            "Those whose answer on chain is so old.";
        deviation: Rule<Ratio>, Value(r#""off""#), [r#""0.2%""#, r#""0.3%""#],
            "Those whose value differs by this part from their answer on chain.";
        confidence_ratio: Rule<Ratio>, Value(r#""off""#), [r#""1%""#, r#""0.8%""#],
            "Those whose value is as unsure as this part of it, for as long as it is.";
    }
}

section! {
    /// What all feeds and rates inherit, key by key.
    Defaults {
        @ policy: Option<Policy>;
    }
}

section! {
    /// When a feed is published, and which quotes count.
    /// Every key is looked up in the feed, then in `[defaults.policy]`, then here. `"off"` or zero switches a rule off that would be inherited.
    Policy {
        heartbeat: Rule<Span>, Value(r#""off""#), [r#""1h""#, r#""2h""#],
            "A round at least this often, counted from the last round on chain.";
        heartbeat_lead: Lead, Words("`auto`: two blocks, at least 2s, at most a quarter of the heartbeat"), [r#""7s""#, r#""9s""#],
            "A heartbeat is sent this long before it is due, so that it is on chain in time.";
        cron: Crons, Value("[]"),
            [r#"[{ at = "0 8 * * mon-fri", tz = "Europe/London" }]"#,
             r#"[{ at = "*/10 * * * *", jitter = "30s" }]"#],
            "A round at these times, whatever the value is: minute, hour, day of month, month and day of week, in the zone `tz` (UTC), later by less than `jitter` (0s), which differs by feed, account and time. Times that were missed are made up for once, and any round serves those before it.";
        deviation: Rule<Ratio>, Value(r#""off""#), [r#""0.5%""#, r#""0.25%""#],
            "A round as soon as the value differs by this part from the answer on chain. It fires at the threshold.";
        deviation_abs: Rule<Price>, Value(r#""off""#), [r#""100""#, r#""50.5""#],
            "A round as soon as the value differs by this much, in units of the feed's price.";
        combine: Both, Words("required with both deviations"), [r#""any""#, r#""all""#],
            "Whether either deviation suffices or both are needed.";
        deviation_decay: Decay, Value("[]"), [r#"[["10m", "0.2%"], ["30m", "0.1%"]]"#, r#"[["20m", "0.15%"]]"#],
            "What `deviation` becomes as the answer on chain ages: ages and thresholds, between which it falls in a straight line.";
        on_change: bool, Value("false"), ["true", "false"],
            "A round as soon as the answer differs at all from the one on chain, whatever the deviations say.";
        confidence_ratio: Rule<Ratio>, Value(r#""off""#), [r#""1%""#, r#""0.8%""#],
            "A round once the value's confidence, which is half the width of what is not known, has become this part of it: the crossing makes it, once, and not the state. `publisher quote` shows it.";
        confidence_rearm: Ratio, Words("half of `confidence_ratio`"), [r#""0.3%""#, r#""0.2%""#],
            "Only a value that has been surer than this since, and since the start, can make another one.";
        min_interval: Rule<Span>, Value(r#""off""#), [r#""10s""#, r#""20s""#],
            "Neither a deviation nor an unsure value makes a round sooner than this after the last one. Heartbeats do not wait.";
        min_interval_bypass: Rule<Multiple>, Value(r#""off""#), [r#""5x""#, r#""2.5x""#],
            "A deviation of so many thresholds does not wait for `min_interval`.";
        settle: Rule<Span>, Value(r#""off""#), [r#""3s""#, r#""4s""#],
            "A deviation must last this long without a break.";
        accept_deviation: Rule<Ratio>, Value(r#""off""#), [r#""1%""#, r#""2%""#],
            "An answer on its way that the value has left by this much is replaced, under the same nonce and with a higher fee, as soon as two heads came without it; else once `chain.timing.bump_heads` did.";
        standby: Rule<Span>, Value(r#""off""#), [r#""20s""#, r#""30s""#],
            "This publisher is a standby with a key of its own: a round that is due is left to another transmitter for this long, and written only if it has not come by then. The wait begins anew with every round on chain, so that nothing is written within this time of one that others wrote.";
        hibernate_flag: Address, Words("none: it never hibernates"), [r#""0x5fc8d32690cc91d4c39d9d3abcbd16989f875707""#, r#""0x0165878a594ca255338adfa4d48449f69242eb8f""#],
            "A contract of flags (`getFlags(address[])`, as Chainlink's and this toolkit's have it). While both are raised there, that of the zero address and that of the feed's aggregator (in a store that of its facade, or of the store where it has none), nothing is published but what `publisher feed submit` asks for; once one is lowered the feed awakes with a round. It is read with the feed's round, every 30s at least. What cannot be read changes nothing (PUB-1017), and after a start nothing is written before it has been read.";
        calendar: String, Words("none: its market never closes"), [r#""nyse""#, r#""lse""#],
            "The hours of its market: `fx`, `lse`, `nyse`, or a `[calendar]` of one's own; no feed may have the same name. What is published outside them is said by `on_market`.";
        + gates: Gates;
        @ backup: Option<Backup>;
        @ confirm: Option<Confirm>;
        @ breaker: Option<Breaker>;
        @ on_market: Option<OnMarket>;
        @ on_depeg: Option<OnDepeg>;
    }
}

section! {
    /// What a publisher that stands in for another one does otherwise, so that both may have the same policy. It writes only what the other one plainly leaves undone, and not at all within `policy.standby` of a round on chain.
    Backup {
        deviation_coefficient: Multiple, Value(r#""1x""#), [r#""2x""#, r#""1.5x""#],
            "`deviation`, `deviation_decay`, `deviation_abs` and `accept_deviation` are so many times as large. With `on_change` any difference still makes a round.";
        heartbeat_modifier: Shift, Value(r#""0s""#), [r#""+30s""#, r#""-20s""#],
            "What is added to the heartbeat, or taken away from it.";
        require_historical: Rule<Span>, Value(r#""off""#), [r#""5m""#, r#""10m""#],
            "A deviation counts only if the value of so long ago deviates as well from the answer that is on chain now, to the same side. What is not known of that time, after a start or a gap in the values, makes no deviation count. Heartbeats, first rounds, times of `cron` and unsure values do not wait. Sixty values of that time are remembered, in this process.";
    }
}

section! {
    /// How often in a row a deviation must show before it is published.
    /// A plain number stands for `ticks`: `confirm = 2`. Heartbeats do not wait.
    Confirm from ticks {
        ticks: u32, Value("0"), ["3", "4"],
            "Looks in a row, each at newer quotes than the one before, that must all deviate the same way; 0 and 1 for none but the first.";
        bypass: Rule<Multiple>, Value(r#""off""#), [r#""3x""#, r#""4x""#],
            "A deviation of so many thresholds is published at once.";
    }
}

section! {
    /// The circuit breaker: which step away from the answer on chain is not believed at once. The heartbeat waits too.
    /// A plain percentage stands for `min`: `breaker = "20%"`.
    Breaker from min {
        min: Rule<Ratio>, Value(r#""off""#), [r#""20%""#, r#""30%""#],
            "The largest step that is believed at once, away from an answer that is new.";
        max: Ratio, Words("five thirds of `min`"), [r#""40%""#, r#""50%""#],
            "What `min` grows to at most as the answer on chain ages.";
        per_sqrt_minute: Price, Value(r#""0.0075""#), [r#""0.01""#, r#""0.02""#],
            "How fast it grows: after t minutes it is `min` × (1 + √(t × this)). 0 for not at all.";
        corroborate: usize, Value("3"), ["4", "5"],
            "A larger step is believed once so many families say it that had no part in the answer on chain; 0 for never.";
        confirm_for: Span, Value(r#""3m""#), [r#""4m""#, r#""5m""#],
            "Or once all venues that count agree on it within 1%, and it has stayed within 1%, for this long, give or take a quarter by chance.";
        max_open: Span, Value(r#""1h""#), [r#""2h""#, r#""3h""#],
            "When nothing has confirmed it for so long, an operator is called (PUB-1010). It is still not published.";
    }
}

section! {
    /// What a feed with a `calendar` does while its market is not simply open: `normal`, every rule holds; `widen:3x`, every rule holds, with three times `deviation`, `deviation_decay`, `deviation_abs` and `accept_deviation`, while gates, confidence and breaker stay as they are; `switch_source`, every rule holds, for what `off_hours_sources` of the feed say; `heartbeat_only`, heartbeats repeat the last value that was computed before; `freeze`, nothing is published, and heartbeats are missed.
    /// Nothing is assumed: consumers who measure an answer's age need other than those who trade on it. At an opening, what held before goes on, where that says less, until every quote that counts is of after it. So `off_hours_sources` speak until all others are quoted after the opening, and then not before the market closes again, whoever falls silent. At the close they are waited for in the same way, and nothing is published meanwhile, for no longer than `max_age`. To the `breaker` a step from one list to the other is a step.
    OnMarket {
        closed: Allowed, Words("required if the calendar has it"), [r#""switch_source""#, r#""freeze""#],
            "While the market is closed.";
        half_day: Allowed, Words("required if the calendar has it"), [r#""normal""#, r#""freeze""#],
            "While it is open on a day on which it closes early.";
        pre: Allowed, Words("required if the calendar has it"), [r#""heartbeat_only""#, r#""normal""#],
            "In an early session, before the opening.";
        post: Allowed, Words("required if the calendar has it"), [r#""heartbeat_only""#, r#""normal""#],
            "In a late session, after the close.";
        overnight: Allowed, Words("none, but required if the calendar has it"), [r#""heartbeat_only""#, r#""widen:3x""#],
            "In the night between two days of a market that trades around the clock on weekdays.";
        halted: Allowed, Value(r#""freeze""#), [r#""switch_source""#, r#""widen:2.5x""#],
            "While an operator has halted it with `publisher market halt`, whatever its calendar says meanwhile. The end of a halt is an opening.";
        unknown: Allowed, Words("required with a calendar"), [r#""freeze""#, r#""normal""#],
            "When the calendar has ended: it is told of 60 days ahead (PUB-1014).";
    }
}

section! {
    /// Which quotes of a feed or rate count.
    Gates {
        max_age: Span, Value(r#""30s""#), [r#""20s""#, r#""25s""#],
            "A quote older than this has no vote.";
        quorum: usize, Words("a majority, and at least 3 of 3 or more families"), ["3", "4"],
            "Families that must answer with a usable quote. A venue is a family by itself, unless `venue.NAME.family` says otherwise.";
        allow_single_source: bool, Value("false"), ["true", "false"],
            "Permits a quorum of one. A single venue can then say anything.";
        weights: Weights, Value(r#""equal""#), [r#""volume""#, r#""equal""#],
            "What votes count in the median: `equal`; `volume`, by what venues say about theirs; or a whole number for each family, `{ coinbase = 2, kraken = 2, acme = 1 }`, none with half of the whole.";
        volume_cap: Ratio, Value(r#""34%""#), [r#""40%""#, r#""45%""#],
            "With `weights = \"volume\"`: no family has a larger share of the weight. Two that lie then hold twice as much, so equal weights withstand more.";
        max_spread: Rule<Ratio>, Value(r#""1%""#), [r#""2%""#, r#""3%""#],
            "A quote whose bid and ask are further apart than this part of their middle has no vote.";
        min_volume: Rule<Price>, Value(r#""off""#), [r#""10""#, r#""20.5""#],
            "A market in which less is traded in 24 hours, in units of its base asset, has no vote. One that does not tell its volume passes.";
        outlier_floor: Ratio, Words(r#"`"0.5%"`; of a rate with a `peg`, `"0.2%"`"#), [r#""0.6%""#, r#""0.7%""#],
            "A family within this part of the median is never left out as an outlier.";
        refuse_spread: Rule<Ratio>, Value(r#""5%""#), [r#""4%""#, r#""3%""#],
            "Nothing is published while a family that counts is further than this from the median.";
        self_jump: Rule<Ratio>, Words(r#"`"30%"`; of a rate with a `peg`, `"2%"`"#), [r#""20%""#, r#""25%""#],
            "A quote further than this from what its source said within two minutes is not believed, unless three other families or more than half of all say the same within 1%. Where three answer it keeps its place in the median, and does not count towards the quorum; else it has no vote.";
        frozen: Rule<Ratio>, Value(r#""0.1%""#), [r#""0.2%""#, r#""0.3%""#],
            "A source that has said the same for a minute while the median of all moved by more than this, and by five times the width of its book, has no vote. Oracles and shares (`kind` of `chainlink`, `erc4626`, `curve-lp`) stand still by their nature and are exempt.";
        quarantine: Rule<Span>, Value(r#""10m""#), [r#""20m""#, r#""15m""#],
            "A source that is an outlier again and again, frozen, or without its symbol for this long loses its vote, and has it back after agreeing for three times as long. Never so many that fewer than the quorum are left.";
        path_tolerance: Ratio, Value(r#""0.3%""#), [r#""0.4%""#, r#""0.6%""#],
            "Sources that are converted by different rates may differ by this, and by what their spreads explain. Beyond it, confidence is half of the gap.";
        path_refuse: Rule<Ratio>, Value(r#""2%""#), [r#""3%""#, r#""4%""#],
            "Nothing is published while sources that are converted by different rates are further apart than this: a rate is wrong, or a peg is lost.";
    }
}

section! {
    /// What changes while a rate that converts a source has lost its peg (`rate.NAME.peg`). Without it, what the rate converts follows the rate, whatever that is.
    OnDepeg {
        heartbeat: Rule<Span>, Value(r#""off""#), [r#""10m""#, r#""5m""#],
            "A round at least this often meanwhile, if that is more often than `policy.heartbeat` says; also where one of those rates is itself converted by such a rate.";
        + sources: Depegged;
    }
}

section! {
    /// What changes while a rate that converts a source of this one has lost its peg.
    Depegged {
        drop_sources: bool, Value("false"), ["true", "false"],
            "What such a rate converts has no vote until the peg is had again.";
    }
}

section! {
    /// Which quotes of a rate count.
    /// Every key is looked up in the rate, then in `[defaults.policy]`, then here.
    RatePolicy {
        + gates: Gates;
        @ on_depeg: Option<Depegged>;
    }
}

section! {
    /// A value that is not published but converts others: `binance:BTCUSDT * USDT-USD`.
    Rate {
        sources: Vec<Entry>, Required,
            [r#"["coinbase:USDT-USD", "kraken:USDTUSD", "bitstamp:usdtusd", "okx:USDT-USD"]"#,
             r#"["coinbase:USDT-USD", "kraken:USDTZUSD", "bitstamp:usdtusd", "okx:USDT-USD"]"#],
            "As for a feed.";
        @ policy: Option<RatePolicy>;
        @ peg: Option<Peg>;
    }
}

section! {
    /// A rate that nobody quotes: a value that is spelled out, with a reason and an end. It is named in sources like any other rate.
    Constant {
        value: Price, Required, [r#""1""#, r#""0.5""#],
            "What it is.";
        comment: String, Required, [r#""redeemed one to one by its issuer""#, r#""one share is half of the fund""#],
            "Why it may be taken as this, and who said so.";
        expires: Date, Required, [r#""2031-01-31""#, r#""2032-01-31""#],
            "From this day on (UTC) it is no value, and what it converts has no vote. People are told a month before (PUB-1032) and on the day (PUB-1033).";
    }
}

section! {
    /// The rate of a stable asset should be one. When it is not, people are told (PUB-1030), and feeds do what their `policy.on_depeg` says. The rate itself is never clamped.
    /// A plain percentage stands for `enter`: `peg = "1%"`.
    Peg from enter {
        enter: Ratio, Value(r#""1%""#), [r#""2%""#, r#""3%""#],
            "So far from one, or further, the peg is lost.";
        exit: Ratio, Words("half of `enter`"), [r#""0.4%""#, r#""0.6%""#],
            "Only nearer to one than this it may be had again.";
        looks: u32, Value("3"), ["2", "4"],
            "Looks in a row, a second apart and each at newer quotes, that have to find it lost.";
        families: usize, Value("3"), ["2", "4"],
            "Families that have to stand behind each of those looks.";
        calm: Span, Value(r#""10m""#), [r#""5m""#, r#""20m""#],
            "How long the rate has to stay near to one, without a break, before the peg counts as had again.";
    }
}

section! {
    /// A venue that is asked in another way than its preset says. Venues with a preset need no entry.
    Venue {
        preset: String, Words("the venue's name"), [r#""binance""#, r#""kraken""#],
            "Whose request and answer format it speaks: a venue of the program, or a file of one's own (`./mine.toml`) like those in `publisher/presets`.";
        family: String, Words("its preset's, such as `aggregators` for what repeats exchanges, else the preset's name; with a `base_url` its own name"), [r#""global""#, r#""world""#],
            "What it fails together with, such as an exchange and its mirror: venues of one family share one vote.";
        base_url: Endpoint, Words("the preset's hosts"), [r#""https://127.0.0.1:7000""#, r#""https://127.0.0.2:7000""#],
            "A mirror, a proxy of one's own or a simulator. It may be a private address.";
        key: Secret, Words("none"), [r#""${KEY}""#, r#""x""#],
            "The key to its API, for a venue that takes one. It is shown nowhere.";
        share: Ratio, Value(r#""100%""#), [r#""25%""#, r#""50%""#],
            "Part of the venue's rate limits that this process may use, where several ask from one address.";
        credits: u64, Words("the smallest plan's"), ["100000", "200000"],
            "What your plan with the venue allows in 30 days, for a venue that sells plans.";
        every: Span, Words("the preset's"), [r#""3s""#, r#""4s""#],
            "Time between polls, 100ms to 1h.";
        timeout: Span, Words("the preset's"), [r#""3s""#, r#""4s""#],
            "Time for one poll, 100ms to 60s.";
        instruments_every: Span, Value(r#""1h""#), [r#""2h""#, r#""3h""#],
            "Time between two looks at the venue's list of markets, 1s to 1d, where the preset says where that is. A market that two lists in a row do not have, or have as halted, loses its vote (`delisted`, `halted`).";
        stream: Listening, Value(r#""auto""#), [r#""off""#, r#""auto""#],
            "`auto`: prices are taken over WebSocket as well where the preset says how, and polls become rare while all markets come that way, or have nothing to say on a socket that lives; with `base_url` only if there is a `stream_url`. `off`: they are only polled.";
        stream_url: Socket, Words("the preset's hosts"), [r#""wss://127.0.0.1:7001""#, r#""wss://127.0.0.2:7001""#],
            "Another place that speaks the venue's WebSocket protocol, without the path. It may be a private address.";
        proxy: Proxy, Words("none"), [r#""socks5://127.0.0.1:1080""#, r#""http://me:${KEY}@127.0.0.1:3128""#],
            "A proxy that carries every connection to the venue: `socks5://host:port`, or `http://host:port`, which is told to CONNECT; perhaps with a user and password (`socks5://me:${PASSWORD}@host:port`). TLS runs through it from end to end, so that nothing but https and wss is asked through it, and it resolves the names. Variables such as `HTTPS_PROXY` are not looked at.";
        tls_spki_sha256: Vec<Pin>, Words("none"),
            [r#"["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]"#, r#"["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]"#],
            "The SHA-256 of the public keys (SubjectPublicKeyInfo, in base64 or hex) of which the venue has to show one, in addition to a certificate that is valid: those of now, and the next one before it is used. Another key is `tls_pin_mismatch`, and nothing is read.";
    }
}

section! {
    /// A source of one's own: a URL with a price in its JSON, or, with `kind`, a contract.
    /// Contracts are read at one block for all of them, as often as their `[network]` says.
    Source {
        kind: Contract, Words("required for a contract; without it, `url` is asked"), [r#""erc4626""#, r#""curve-lp""#],
            "What the contract is. `chainlink`: a feed that answers like Chainlink's; `erc4626`: what a share of a vault is worth in its asset; `curve-lp`: what a share of a Curve pool is worth (`get_virtual_price`); `curve`: what one coin of such a pool is worth in another, by its own moving average (`price_oracle`); `uniswap-v3` and `uniswap-v2`: the mean price of a pool of two tokens over a `window`.";
        network: String, Value(r#""chain""#), [r#""ethereum""#, r#""other""#],
            "Which `[network]` the contract is on; `chain` is that of `[chain]`, with its nodes.";
        address: Address, Words("required with `kind`"),
            [r#""0x83f20f44975d03b1b09e64809b757c47f942beea""#, r#""0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7""#],
            "The contract. None that a feed writes is taken for a source of that feed.";
        heartbeat: Span, Words("required for `chainlink`"), [r#""1h""#, r#""24h""#],
            "How often that feed is written at least. An answer older than this and a tenth has no vote.";
        sequencer: Address, Words("none"),
            [r#""0xfdb631f5ee196f0ed6faa767959853a9f217697d""#, r#""0x371ead81c9102c9bf4874a9075ffff170f2ee389""#],
            "On a rollup: the `chainlink` feed that says whether the sequencer runs. While it does not, and for an hour after, the price has no vote.";
        base: Address, Words("required for a pool"),
            [r#""0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2""#, r#""0x2260fac5e5542a773aa44fbcfedf7c193bc2c599""#],
            "The token that is priced, whichever of a pool's two it is.";
        quote: Address, Words("required for a pool"),
            [r#""0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48""#, r#""0xdac17f958d2ee523a2206206994597c13d831ec7""#],
            "The token it is priced in.";
        window: Span, Value(r#""30m""#), [r#""10m""#, r#""20m""#],
            "How long a pool's price is averaged over, 10s to 1d. The mean is as old as half of that, so that what reads it needs a `max_age` of more; a feed of faster sources takes it as its `reference`, from a rate of its own. A `uniswap-v2` pool has no price before it was watched for so long.";
        min_manipulation_cost: Price, Words("required for a pool"), [r#""50000""#, r#""60000""#],
            "What it must cost at least to move the pool's price by 1 %, in units of the quote token. A thinner pool has no vote. Of a `curve` pool this is reckoned as if its product were constant, which is less than it costs.";
        max_decrease: Ratio, Value(r#""0.1%""#), [r#""0.2%""#, r#""0.3%""#],
            "A share that is worth so much less than it was is not believed, over restarts too, until an operator says so (`publisher source accept`).";
        max_growth: Ratio, Value(r#""1%""#), [r#""2%""#, r#""3%""#],
            "Nor is one whose worth rises by more than this in a day.";
        url: Endpoint, Words("required without `kind`"), [r#""https://api.acme.example/btc""#, r#""https://mirror.acme.example/btc""#],
            "What to ask. Messages show scheme and host only.";
        family: String, Words("its own name"), [r#""acme-group""#, r#""acme-world""#],
            "What it fails together with, such as an exchange and its mirror: venues of one family share one vote.";
        pointer: String, Words("required without `kind`"), [r#""/price""#, r#""/data/0/price""#],
            "Where the price is, a number or a text with one: a JSON pointer (RFC 6901), or an expression such as `$.data[?symbol==\"BTC\"].price`, which chooses the one element that says so (keys, indices, and filters with `==` and `&&`).";
        bid_pointer: String, Words("none"), [r#""/bid""#, r#""/data/0/bid""#],
            "JSON pointer to the best bid; only with `ask_pointer`.";
        ask_pointer: String, Words("none"), [r#""/ask""#, r#""/data/0/ask""#],
            "JSON pointer to the best ask; only with `bid_pointer`.";
        time_pointer: String, Words("none: the time of the request counts"), [r#""/time""#, r#""/data/0/time""#],
            "JSON pointer to the time of the price; only with `time_unit`.";
        time_unit: TimeUnit, Words("none"), [r#""ms""#, r#""s""#],
            "What that time is in, since 1970 for numbers; only with `time_pointer`.";
        every: Span, Value(r#""5s""#), [r#""3s""#, r#""4s""#],
            "Time between polls, 100ms to 1h.";
        timeout: Span, Value(r#""5s""#), [r#""3s""#, r#""4s""#],
            "Time for one poll, 100ms to 60s.";
        headers: BTreeMap<String, Secret>, Words("none"), [r#"{ x-api-key = "${KEY}" }"#, r#"{ x-key = "${KEY}" }"#],
            "Headers of the request, e.g. for a key.";
        allow_private: bool, Value("false"), ["true", "false"],
            "Permits private, loopback and link-local addresses.";
        proxy: Proxy, Words("none"), [r#""socks5://127.0.0.1:1080""#, r#""http://me:${KEY}@127.0.0.1:3128""#],
            "A proxy that carries every connection to its host: `socks5://host:port`, or `http://host:port`, which is told to CONNECT; perhaps with a user and password (`socks5://me:${PASSWORD}@host:port`). TLS runs through it from end to end, so that nothing but https and wss is asked through it, and it resolves the names. Variables such as `HTTPS_PROXY` are not looked at.";
        tls_spki_sha256: Vec<Pin>, Words("none"),
            [r#"["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]"#, r#"["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]"#],
            "The SHA-256 of the public keys (SubjectPublicKeyInfo, in base64 or hex) of which its host has to show one, in addition to a certificate that is valid: those of now, and the next one before it is used. Another key is `tls_pin_mismatch`, and nothing is read.";
    }
}

section! {
    /// A chain whose contracts are sources, if it is another one than that of `[chain]`, or read through other nodes.
    Network {
        id: u64, Required, ["1", "137"],
            "EIP-155 chain id. Nothing that a node says counts before it has said that it serves this chain.";
        confirmations: u64, Words("`1`; for the chain itself `0` where blocks are final at once"), ["2", "3"],
            "How many blocks behind the head contracts are read, up to 256.";
        every: Span, Words("`5s`; for the chain itself its block time, 1s to 5s"), [r#""3s""#, r#""4s""#],
            "Time between polls, 100ms to 1h. A poll costs two requests, however many contracts are read; one, if there is no new block.";
        @ rpc: Vec<NetworkRpc>;
    }
}

section! {
    /// Its JSON-RPC nodes, asked in turn: the next one once one fails.
    /// A plain text stands for `url`: `rpc = ["https://rpc.example.com"]`.
    NetworkRpc from url {
        url: Endpoint, Required, [r#""http://127.0.0.1:8745""#, r#""http://127.0.0.2:8745""#],
            "Address of the node. Messages show scheme and host only.";
        authorization: Secret, Words("none"), [r#""Bearer ${KEY}""#, r#""Bearer x""#],
            "Value of the HTTP header `Authorization`.";
        timeout: Span, Value(r#""5s""#), [r#""3s""#, r#""4s""#],
            "Time for one call, 100ms to 60s.";
        batch_limit: usize, Value("100"), ["1", "10"],
            "Questions in one HTTP request; 1 for a node that takes no batches.";
    }
}

section! {
    /// The hours of a market, in a file of one's own like those in `publisher/calendars`. Of the same name as one of these it takes its place.
    Calendar {
        file: String, Required, [r#""calendars/nyse.toml""#, r#""calendars/lse.toml""#],
            "The file.";
    }
}

section! {
    /// What must survive a restart: every nonce, every signed transaction, every round.
    Journal {
        path: String, Value(r#""publisher.db""#), [r#""/var/lib/publisher/rounds.db""#, r#""other.db""#],
            "The SQLite file. One process at a time uses it.";
        url: Database, Words("the file"),
            [r#""postgres://oracle:${KEY}@127.0.0.1/oracle""#, r#""postgres://oracle@127.0.0.2:5433/oracle""#],
            "A PostgreSQL database in place of the file, which replicas share: each account is served by one of them at a time, and by another within 8 s when it dies.";
        lease: Span, Value(r#""6s""#), [r#""5s""#, r#""9s""#],
            "How long an account stays with a replica that is not heard of, 5s to 60s. With a file it says nothing.";
    }
}

section! {
    /// `/metrics`, `/healthz` and `/readyz`.
    Telemetry {
        listen: Listen, Value(r#""127.0.0.1:9464""#), [r#""0.0.0.0:9464""#, r#""off""#],
            "IP address and port, or `off`.";
    }
}

section! {
    /// Log lines, on stderr.
    Log {
        format: LogFormat, Value(r#""human""#), [r#""json""#, r#""human""#],
            "`human` or `json`.";
        filter: String, Value(r#""info""#), [r#""warn""#, r#""publisher=debug,warn""#],
            "A level, or a filter of the crate tracing-subscriber.";
    }
}

/// Every table, in the order of the reference.
pub(super) fn chapters() -> Vec<Chapter> {
    let mut all = Vec::new();
    Root::chapters("", &mut all);
    all
}
