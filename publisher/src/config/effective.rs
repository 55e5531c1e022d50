//! What holds after defaults and inheritance: every key with its value, secrets left out.

use super::problem::join;
use super::secret::Endpoint;
use super::shift::Shift;
use super::{Chain, Config, ConstantNote, Feed, OWN_NETWORK, SignerKind, SignerSpec, VenueAsk};
use crate::chain::NodeSetup;
use crate::sources::{ContractKind, ContractSource, CustomSource, NetworkSpec, Pin, TimeUnit, Way};
use crate::store::Location;
use crate::telemetry::LogFormat;
use publisher_core::aggregate::Weighting;
use publisher_core::book::Pricing;
use publisher_core::fees::FeeProfile;
use publisher_core::head::Finality;
use publisher_core::machine::Group;
use publisher_core::policy::{Breaker, Combine, Early, Status};
use publisher_core::price::{Answer, Ratio};
use publisher_core::time::Span;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Collects values below a path.
struct Out<'o> {
    path: String,
    all: &'o mut BTreeMap<String, String>,
}

impl Out<'_> {
    fn put(&mut self, key: &str, value: impl Display) {
        self.all.insert(join(&self.path, key), value.to_string());
    }

    fn opt(&mut self, key: &str, value: Option<impl Display>) {
        self.put(key, value.map_or_else(|| "none".to_owned(), |value| value.to_string()));
    }

    /// Zero means off.
    fn rule<T: Display + Default + PartialEq>(&mut self, key: &str, value: T) {
        if value == T::default() { self.put(key, "off") } else { self.put(key, value) }
    }

    /// A share as so many times the whole. Zero means off.
    fn times(&mut self, key: &str, share: Ratio) {
        if share == Ratio::default() { self.put(key, "off") } else { self.put(key, share.multiple()) }
    }

    fn below(&mut self, key: &str) -> Out<'_> {
        Out { path: join(&self.path, key), all: self.all }
    }
}

impl Config {
    /// Every key that matters with the value that holds, by path. Secrets are left out; URLs show scheme and host.
    pub fn effective(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let mut out = Out { path: String::new(), all: &mut all };
        chain(&self.chain, &mut out.below("chain"));
        match &self.journal {
            Location::File(path) => out.below("journal").put("path", path.display()),
            Location::Server(_) => {
                out.below("journal").put("url", &self.journal);
                out.below("journal").put("lease", self.lease);
            }
        }
        let listen = self.listen.map_or_else(|| "off".to_owned(), |at| at.to_string());
        out.below("telemetry").put("listen", listen);
        let format = match self.log.format {
            LogFormat::Human => "human",
            LogFormat::Json => "json",
        };
        out.below("log").put("format", format);
        out.below("log").put("filter", &self.log.filter);
        for (name, spec) in &self.signers {
            signer(spec, &mut out.below("signer").below(name));
        }
        for (id, ask) in &self.venues {
            venue(ask, &mut out.below("venue").below(id.as_str()));
        }
        for (id, own) in &self.sources {
            source(own, &mut out.below("source").below(id.as_str()));
        }
        for (venue, family) in &self.families {
            let kind = if self.venues.contains_key(venue) { "venue" } else { "source" };
            out.below(kind).below(venue.as_str()).put("family", family);
        }
        for (id, spec) in &self.networks {
            // What holds for the chain itself stands there already.
            if id.as_str() != OWN_NETWORK {
                network(spec, &mut out.below("network").below(id.as_str()));
            }
            for own in &spec.sources {
                contract(own, id.as_str(), &mut out.below("source").below(own.id.as_str()));
            }
        }
        for (id, pricing) in &self.rates {
            if let Some(constant) = &pricing.constant {
                let mut out = out.below("constant");
                let mut out = out.below(id.as_str());
                out.put("value", constant.value);
                if let Some(ConstantNote { comment, expires }) = self.constants.get(id) {
                    out.put("comment", comment);
                    out.put("expires", expires);
                }
                continue;
            }
            gates(pricing, None, &mut out.below("rate").below(id.as_str()));
        }
        for (id, spec) in &self.feeds {
            feed(spec, &mut out.below("feed").below(id.as_str()));
        }
        for (name, file) in &self.calendars {
            out.below("calendar").below(name).put("file", file.display());
        }
        for (name, store) in &self.stores {
            let mut out = out.below("store");
            let mut out = out.below(name);
            out.opt("address", store.address);
            out.put("sync_heartbeats", store.spec.sync_heartbeats);
            out.put("gather", store.spec.gather);
            out.opt("max_age", store.max_age);
            let mut early = out.below("early");
            match store.spec.early {
                Early { always: true, .. } => early.put("ratio", "always"),
                Early { ratio, .. } if ratio == Ratio::default() => early.put("ratio", "never"),
                Early { ratio, .. } => early.put("ratio", ratio),
            }
            early.rule("age", store.spec.early.age);
            early.rule("deviation", store.spec.early.deviation);
            early.rule("confidence_ratio", store.spec.early.confidence_ratio);
        }
        all
    }
}

fn chain(chain: &Chain, out: &mut Out<'_>) {
    out.put("id", chain.id);
    out.put("block_time", chain.block_time);
    let finality = match (chain.finality, chain.tag) {
        (Finality::Instant, _) => "instant".to_owned(),
        (Finality::Depth(depth), _) => format!("depth:{depth}"),
        (Finality::Tag, tag) => tag.map_or("tag", |tag| tag.name()).to_owned(),
    };
    out.put("finality", finality);
    out.opt("genesis", chain.genesis);
    for (at, node) in chain.rpc.iter().enumerate() {
        let mut out = Out { path: format!("{}.rpc[{at}]", out.path), all: out.all };
        rpc(node, &mut out);
        out.put("send_only", node.send_only);
        out.opt("ws", node.ws.as_ref().map(|ws| Endpoint::new(ws.clone())));
    }
    let mut fees = out.below("fees");
    let profile = match chain.fees.profile {
        FeeProfile::Eip1559 => "eip1559",
        FeeProfile::Legacy => "legacy",
        FeeProfile::ZeroGas => "zero-gas",
    };
    fees.put("profile", profile);
    fees.put("max_fee", format!("{} wei", chain.fees.max_fee_wei));
    fees.put("min_tip", format!("{} wei", chain.fees.min_tip_wei));
    match chain.fees.bump_percent {
        0 => fees.put("bump", "what the nodes ask for"),
        percent => fees.put("bump", format!("{percent}%")),
    }
    let wei = |wei: u128| if wei == 0 { "off".to_owned() } else { format!("{wei} wei") };
    fees.put("max_transaction", wei(chain.caps.transaction_wei));
    fees.put("max_feed_hour", wei(chain.caps.feed_hour_wei));
    fees.put("max_account_day", wei(chain.caps.account_day_wei));
    fees.put("over_budget", if chain.caps.heartbeats_pass { "heartbeats" } else { "nothing" });
    let mut timing = out.below("timing");
    timing.put("answer_timeout", chain.timing.answer_timeout);
    timing.put("retry", chain.timing.retry);
    timing.put("retry_max", chain.timing.retry_max);
    timing.put("resend", chain.timing.resend);
    timing.put("bump_heads", chain.timing.bump_heads);
}

fn rpc(node: &NodeSetup, out: &mut Out<'_>) {
    out.put("url", Endpoint::new(node.url.clone()));
    out.opt("authorization", node.authorization.as_ref().map(|_| "hidden"));
    out.put("timeout", node.timeout);
    out.put("batch_limit", node.batch_limit);
}

fn signer(spec: &SignerSpec, out: &mut Out<'_>) {
    out.put("address", spec.address);
    out.put("timeout", spec.timeout);
    match &spec.kind {
        SignerKind::Web3Signer(url) => remote("web3signer", url, out),
        SignerKind::Web3SignerRpc(url) => remote("web3signer-rpc", url, out),
        SignerKind::EthSigner(url) => remote("ethsigner", url, out),
        SignerKind::Keystore { path, password_file } => {
            out.put("kind", "keystore");
            out.put("path", path.display());
            out.put("password_file", password_file.display());
            out.put("allow_development_keystore", true);
        }
    }
}

fn remote(kind: &str, url: &Endpoint, out: &mut Out<'_>) {
    out.put("kind", kind);
    out.put("url", url);
}

fn venue(ask: &VenueAsk, out: &mut Out<'_>) {
    out.put("preset", ask.preset.id());
    let url = ask.spec.base_url.as_ref().or(ask.preset.hosts().first());
    out.opt("base_url", url.map(|url| Endpoint::new(url.clone())));
    out.opt("key", ask.spec.key.as_ref().map(|_| "hidden"));
    out.put("share", ask.spec.share.unwrap_or(publisher_core::price::Ratio::ONE));
    out.opt("credits", ask.spec.credits);
    out.put("every", ask.spec.every.unwrap_or(ask.preset.every()));
    out.put("timeout", ask.spec.timeout.unwrap_or(ask.preset.timeout()));
    out.put("instruments_every", ask.spec.instruments_every.unwrap_or(Span::from_s(3600)));
    out.put("stream", if ask.stream.off { "off" } else { "auto" });
    out.opt("stream_url", ask.stream.url.as_ref().map(|url| Endpoint::new(url.clone())));
    way(&ask.spec.way, out);
}

fn way(way: &Way, out: &mut Out<'_>) {
    out.opt("proxy", way.proxy.as_ref().map(|proxy| Endpoint::new(proxy.url().clone())));
    let pins: Vec<_> = way.pins.iter().map(Pin::to_string).collect();
    out.opt("tls_spki_sha256", (!pins.is_empty()).then(|| pins.join(", ")));
}

fn source(source: &CustomSource, out: &mut Out<'_>) {
    out.put("url", Endpoint::new(source.url.clone()));
    out.put("pointer", &source.pointer);
    out.opt("bid_pointer", source.bid_pointer.as_ref());
    out.opt("ask_pointer", source.ask_pointer.as_ref());
    out.opt("time_pointer", source.time.as_ref().map(|(pointer, _)| pointer));
    let unit = source.time.as_ref().map(|(_, unit)| match unit {
        TimeUnit::Seconds => "s",
        TimeUnit::Milliseconds => "ms",
        TimeUnit::Microseconds => "us",
        TimeUnit::Nanoseconds => "ns",
        TimeUnit::Iso8601 => "iso8601",
        TimeUnit::Date => "date",
    });
    out.opt("time_unit", unit);
    out.put("every", source.every.unwrap_or(Span::from_s(5)));
    out.put("timeout", source.timeout.unwrap_or(Span::from_s(5)));
    // The names may be shown, the values not.
    let names: Vec<_> = source.headers.iter().map(|(name, _)| name.as_str()).collect();
    out.put("headers", names.join(", "));
    out.put("allow_private", source.allow_private);
    way(&source.way, out);
}

fn network(network: &NetworkSpec, out: &mut Out<'_>) {
    out.put("id", network.chain_id);
    out.put("confirmations", network.confirmations);
    out.put("every", network.every);
    for (at, node) in network.nodes.iter().enumerate() {
        rpc(node, &mut Out { path: format!("{}.rpc[{at}]", out.path), all: out.all });
    }
}

fn contract(source: &ContractSource, network: &str, out: &mut Out<'_>) {
    out.put("kind", source.kind.name());
    out.put("network", network);
    out.put("address", source.address);
    match &source.kind {
        ContractKind::Chainlink { heartbeat, sequencer } => {
            out.put("heartbeat", heartbeat);
            out.opt("sequencer", *sequencer);
        }
        ContractKind::Curve(ema) => {
            out.put("base", ema.base);
            out.put("quote", ema.quote);
            out.put("min_manipulation_cost", ema.min_manipulation_cost);
        }
        ContractKind::UniswapV2(twap) | ContractKind::UniswapV3(twap) => {
            out.put("base", twap.base);
            out.put("quote", twap.quote);
            out.put("window", twap.window);
            out.put("min_manipulation_cost", twap.min_manipulation_cost);
        }
        ContractKind::Erc4626(growth) | ContractKind::CurveLp(growth) => {
            out.put("max_decrease", growth.max_decrease);
            out.put("max_growth", growth.max_growth);
        }
    }
}

fn sources(pricing: &Pricing) -> String {
    pricing.paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn gates(pricing: &Pricing, off_hours: Option<&Pricing>, out: &mut Out<'_>) {
    out.put("sources", sources(pricing));
    let mut policy = out.below("policy");
    policy.put("max_age", pricing.max_age);
    policy.put("quorum", pricing.rules.quorum);
    let rules = &pricing.rules;
    let paths = std::iter::once(pricing).chain(off_hours).flat_map(|pricing| &pricing.paths);
    let weights: BTreeMap<_, _> = paths.map(|path| (&path.family, path.weight)).collect();
    match rules.weighting {
        Weighting::Volume => policy.put("weights", "volume"),
        Weighting::Fixed if weights.values().all(|weight| *weight == 1) => policy.put("weights", "equal"),
        Weighting::Fixed => {
            let weight = |(family, weight): (_, _)| format!("{family} = {weight}");
            policy.put("weights", weights.into_iter().map(weight).collect::<Vec<_>>().join(", "));
        }
    }
    policy.put("volume_cap", rules.volume_cap);
    policy.rule("max_spread", rules.max_spread);
    policy.rule("min_volume", rules.min_volume);
    policy.put("outlier_floor", rules.outlier_floor);
    policy.rule("refuse_spread", rules.refuse_spread);
    policy.rule("self_jump", rules.self_jump);
    policy.rule("frozen", rules.frozen);
    policy.rule("quarantine", rules.quarantine);
    policy.put("path_tolerance", rules.path_tolerance);
    policy.rule("path_refuse", rules.path_refuse);
    policy.below("on_depeg").put("drop_sources", rules.drop_depegged);
    if let Some(peg) = rules.peg {
        let mut out = out.below("peg");
        out.put("enter", peg.enter);
        out.put("exit", peg.exit);
        out.put("looks", peg.looks);
        out.put("families", peg.families);
        out.put("calm", peg.calm);
    }
}

fn breaker(rule: &Breaker, out: &mut Out<'_>) {
    out.rule("min", rule.min);
    out.put("max", rule.max);
    let growth = Answer::from(i64::try_from(rule.growth.ppb()).unwrap_or(i64::MAX));
    out.put("per_sqrt_minute", growth.display(9));
    out.put("corroborate", rule.corroborate);
    out.put("confirm_for", rule.confirm_for);
    out.put("max_open", rule.max_open);
}

fn feed(feed: &Feed, out: &mut Out<'_>) {
    match &feed.entry {
        None => out.opt("aggregator", feed.aggregator),
        Some((store, entry)) => {
            out.put("store", store);
            out.put("store_id", entry.number);
            out.opt("group", entry.group.as_ref().map(|group| &group.name));
            let policy = |group: &Group| if group.is_atomic { "atomic" } else { "best_effort" };
            out.opt("group_policy", entry.group.as_ref().map(policy));
            out.opt("facade", feed.facade);
        }
    }
    out.opt("proxy", feed.proxy);
    out.put("description", &feed.description);
    out.put("decimals", feed.decimals);
    out.put("signer", &feed.signer);
    out.put("min", feed.policy.min_answer.display(feed.decimals));
    out.put("max", feed.policy.max_answer.display(feed.decimals));
    out.opt("reference", feed.pricing.reference.as_ref().map(|reference| &reference.rate));
    out.opt("reference_band", feed.pricing.reference.as_ref().map(|reference| reference.band));
    out.opt("off_hours_sources", feed.off_hours.as_ref().map(sources));
    gates(&feed.pricing, feed.off_hours.as_ref(), out);
    let (policy, mut out) = (&feed.policy, out.below("policy"));
    out.rule("heartbeat", policy.heartbeat);
    out.put("heartbeat_lead", policy.heartbeat_lead);
    let cron: Vec<&str> = policy.schedule.slots.iter().map(|slot| &*slot.name).collect();
    out.put("cron", if cron.is_empty() { "none".to_owned() } else { cron.join("; ") });
    let deviation = &policy.deviation;
    out.rule("deviation", deviation.relative);
    let abs = alloy::primitives::I256::try_from(deviation.absolute).unwrap_or_default();
    match abs.is_zero() {
        true => out.put("deviation_abs", "off"),
        false => out.put("deviation_abs", Answer::new(abs).display(feed.decimals)),
    }
    let decay: Vec<String> =
        deviation.decay.iter().map(|(age, threshold)| format!("{threshold} at {age}")).collect();
    out.put("deviation_decay", if decay.is_empty() { "none".to_owned() } else { decay.join(", ") });
    out.put("on_change", deviation.on_change);
    let combine = match deviation.combine {
        Combine::Any => "any",
        Combine::All => "all",
    };
    out.put("combine", combine);
    out.rule("confidence_ratio", policy.confidence.ratio);
    out.put("confidence_rearm", policy.confidence.rearm);
    out.rule("settle", policy.settle);
    out.rule("accept_deviation", policy.accept_deviation);
    let mut confirm = out.below("confirm");
    confirm.put("ticks", policy.confirm.ticks);
    confirm.times("bypass", policy.confirm.bypass);
    out.rule("min_interval", policy.pace.min_interval);
    out.times("min_interval_bypass", policy.pace.bypass);
    breaker(&policy.breaker, &mut out.below("breaker"));
    out.opt("calendar", policy.market.as_ref().map(|market| &market.hours.calendar));
    let mut on_market = out.below("on_market");
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Open) {
        let conduct = policy.market.as_ref().and_then(|market| market.conduct.get(&status));
        on_market.opt(status.code(), conduct);
    }
    out.below("on_depeg").rule("heartbeat", policy.depeg_heartbeat);
    out.rule("standby", policy.standby);
    out.opt("hibernate_flag", policy.hibernate_flag);
    let mut backup = out.below("backup");
    backup.put("deviation_coefficient", policy.backup.coefficient.multiple());
    backup.put("heartbeat_modifier", Shift(policy.backup.heartbeat_modifier_ms));
    backup.rule("require_historical", policy.backup.historical);
}
