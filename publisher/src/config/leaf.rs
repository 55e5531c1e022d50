//! The values that keys can have, each read straight into the type that the rest of the program uses.

use super::raw::{Fault, Item, Kind, Leaf, word};
use super::secret::{Endpoint, Lookup, Secret};
use crate::sources::TimeUnit;
use crate::store::Location;
use crate::telemetry::LogFormat;
use alloy::primitives::{Address, B256};
use publisher_core::price::{Price, Ratio};
use publisher_core::time::{Span, Wall};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use toml::de::DeValue;
use url::Url;

/// More entries than any list needs.
const LIST_MAX: usize = 32;

pub(super) fn text<'v, T: Leaf>(value: &'v DeValue<'_>) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| mismatch::<T>(value))
}

/// A text with its references replaced.
pub(super) fn expanded<T: Leaf>(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<String, Fault> {
    let hint = "set the variable or file for the user that runs the publisher";
    lookup.expand(text::<T>(value)?).map_err(|reason| Fault::new(reason).hint(hint))
}

fn mismatch<T: Leaf>(value: &DeValue<'_>) -> Fault {
    Fault::new(format!("{} where a {} is needed", word(value), T::KIND.name))
}

/// A text with a minus in front means one thing everywhere.
fn not_negative(text: &str) -> Result<&str, Fault> {
    if text.trim_start().starts_with('-') { Err(Fault::new("negative")) } else { Ok(text) }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Fault> {
    not_negative(text)?.parse().map_err(|error: T::Err| Fault::new(error.to_string()))
}

pub(super) const fn kind(name: &'static str, form: &'static str, schema: &'static str) -> Kind {
    Kind { name, form, schema, secret: false }
}

/// Whole numbers of every size.
macro_rules! whole {
    ($($type:ty),*) => {$(
        impl Leaf for $type {
            const KIND: Kind = kind("whole number", "a whole number, e.g. 8", r#"{"type":"integer","minimum":0}"#);
            fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
                let number = value.as_integer().ok_or_else(|| mismatch::<Self>(value))?;
                if number.as_str().starts_with('-') {
                    return Err(Fault::new("negative"));
                }
                Self::from_str_radix(number.as_str(), number.radix()).map_err(|_| Fault::new("too large"))
            }
        }
    )*};
}
whole!(u8, u16, u32, u64, usize);

impl Leaf for bool {
    const KIND: Kind = kind("true or false", "true or false", r#"{"type":"boolean"}"#);
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        value.as_bool().ok_or_else(|| mismatch::<Self>(value))
    }
}

impl Leaf for String {
    const KIND: Kind = kind("text", "a text in quotes", r#"{"type":"string"}"#);
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        text::<Self>(value).map(str::to_owned)
    }
}

impl Leaf for Span {
    const KIND: Kind = kind(
        "duration",
        "a whole number and a unit of ms, s, m, h or d, e.g. \"30s\"",
        r#"{"type":"string","pattern":"^[0-9]+(ms|s|m|h|d)$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        parsed(text::<Self>(value)?).map_err(|fault| short(fault, "not a duration"))
    }
}

impl Leaf for Ratio {
    const KIND: Kind = kind(
        "percentage",
        "a percentage in quotes, exact to seven decimals, e.g. \"0.5%\"",
        r#"{"type":"string","pattern":"^[0-9]+([.][0-9]+)?%$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        parsed(text::<Self>(value)?).map_err(|fault| short(fault, "not a percentage"))
    }
}

impl Leaf for Price {
    const KIND: Kind = kind(
        "decimal",
        "a decimal number in quotes, e.g. \"0.5\"",
        r#"{"type":["string","integer"],"pattern":"^[0-9]+([.][0-9]+)?$","minimum":0}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        match value {
            DeValue::Integer(number) if number.radix() == 10 => parsed(number.as_str()),
            other => parsed(text::<Self>(other)?),
        }
    }
}

/// The kind's form says how to write it; the reason only what is wrong.
fn short(fault: Fault, reason: &'static str) -> Fault {
    if fault.reason == "negative" { fault } else { Fault::new(reason) }
}

/// A day, and its beginning in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) text: String,
    pub(super) at: Wall,
}

impl Leaf for Date {
    const KIND: Kind = kind(
        "date",
        "a day as \"2031-01-31\"",
        r#"{"type":"string","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        let text = text::<Self>(value)?;
        let at = crate::sources::date(text);
        at.map(|at| Self { text: text.to_owned(), at }).ok_or_else(|| Fault::new("not a date"))
    }
}

/// A rule that can be inherited, and switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule<T> {
    /// Not in force, whatever is inherited. Zero says the same.
    Off,
    /// In force.
    On(T),
}

macro_rules! rule {
    ($type:ty, $zero:expr, $name:literal, $form:literal, $schema:literal) => {
        impl Leaf for Rule<$type> {
            const KIND: Kind = kind($name, $form, $schema);
            fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
                if value.as_str() == Some("off") {
                    return Ok(Self::Off);
                }
                let inner = <$type as Leaf>::read(value, lookup)?;
                Ok(if inner == $zero { Self::Off } else { Self::On(inner) })
            }
        }
    };
}
rule!(
    Span,
    Span::ZERO,
    "duration or off",
    "a whole number and a unit of ms, s, m, h or d, e.g. \"30s\", or \"off\"",
    r#"{"type":"string","pattern":"^(off|[0-9]+(ms|s|m|h|d))$"}"#
);
rule!(
    Ratio,
    Ratio::default(),
    "percentage or off",
    "a percentage in quotes, e.g. \"0.5%\", or \"off\"",
    r#"{"type":"string","pattern":"^(off|[0-9]+([.][0-9]+)?%)$"}"#
);
rule!(
    Price,
    Price::ZERO,
    "decimal or off",
    "a decimal number in quotes, e.g. \"0.5\", or \"off\"",
    r#"{"type":["string","integer"],"pattern":"^(off|[0-9]+([.][0-9]+)?)$","minimum":0}"#
);

/// Which share of its own way lets a feed ride along with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// Any at all.
    Always,
    /// This one; zero: none.
    From(Ratio),
}

impl Leaf for Company {
    const KIND: Kind = kind(
        "percentage, always or never",
        "a percentage in quotes, e.g. \"80%\", \"always\", or \"never\" (\"off\")",
        r#"{"type":"string","pattern":"^(always|never|off|[0-9]+([.][0-9]+)?%)$"}"#,
    );
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        match value.as_str() {
            Some("always") => Ok(Self::Always),
            Some("never" | "off") => Ok(Self::From(Ratio::default())),
            _ => Ratio::read(value, lookup).map(Self::From),
        }
    }
}

/// So many times something, as a share of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Multiple(pub(super) Ratio);

impl Leaf for Multiple {
    const KIND: Kind = kind(
        "multiple",
        "a number of times in quotes, e.g. \"3x\"",
        r#"{"type":"string","pattern":"^[0-9]+([.][0-9]+)?x$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        multiple(text::<Self>(value)?).map(Self)
    }
}

/// A number of times, as a share of the whole: `2.5x`.
pub(super) fn multiple(text: &str) -> Result<Ratio, Fault> {
    let number = not_negative(text)?.strip_suffix('x');
    let times: Option<Price> = number.and_then(|number| number.parse().ok());
    // A hundred percent is once.
    let percent = times.and_then(|times| times.times("100".parse().ok()?));
    let ratio = percent.and_then(|percent| format!("{percent}%").parse().ok());
    ratio.ok_or_else(|| Fault::new("not a multiple"))
}
rule!(
    Multiple,
    Multiple(Ratio::default()),
    "multiple or off",
    "a number of times in quotes, e.g. \"3x\", or \"off\"",
    r#"{"type":"string","pattern":"^(off|[0-9]+([.][0-9]+)?x)$"}"#
);

/// Thresholds by the age of what they are measured against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decay(pub(super) Vec<(Span, Ratio)>);

impl Leaf for Decay {
    const KIND: Kind = kind(
        "list of ages and percentages",
        "e.g. [[\"10m\", \"0.2%\"], [\"30m\", \"0.1%\"]], or [] for none",
        r#"{"type":"array","items":{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":2},"maxItems":32}"#,
    );
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        let list = value.as_array().ok_or_else(|| mismatch::<Self>(value))?;
        if list.len() > LIST_MAX {
            return Err(Fault::new(format!("more than {LIST_MAX} entries")).hint("shorten it"));
        }
        let point = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref().as_array().map(|a| &a[..]) {
            Some([age, threshold]) => {
                Ok((Span::read(age.get_ref(), lookup)?, Ratio::read(threshold.get_ref(), lookup)?))
            }
            _ => Err(Fault::new("not an age with a percentage")),
        };
        list.iter().map(point).collect::<Result<_, _>>().map(Self)
    }
}

impl Leaf for Address {
    const KIND: Kind = kind(
        "address",
        "20 bytes in hex, e.g. \"0x5FbDB2315678afecb367f032d93F642f64180aa3\"",
        r#"{"type":"string","pattern":"^0x[0-9a-fA-F]{40}$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        let text = text::<Self>(value)?;
        let hex = text.strip_prefix("0x").ok_or_else(|| Fault::new("not an address"))?;
        let address: Self = text.parse().map_err(|_| Fault::new("not an address"))?;
        // An address that mixes cases carries a checksum; a typing error must not become another account.
        let mixed =
            hex.bytes().any(|b| b.is_ascii_uppercase()) && hex.bytes().any(|b| b.is_ascii_lowercase());
        if mixed && address.to_checksum(None) != text {
            return Err(Fault::new("the checksum of its capital letters is wrong (EIP-55)")
                .hint("copy it again; a letter or digit is wrong"));
        }
        if address.is_zero() {
            return Err(Fault::new("the zero address").hint("leave the key out until there is an address"));
        }
        Ok(address)
    }
}

impl Leaf for B256 {
    const KIND: Kind =
        kind("hash", "32 bytes in hex, \"0x…\"", r#"{"type":"string","pattern":"^0x[0-9a-fA-F]{64}$"}"#);
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        let text = text::<Self>(value)?;
        let hash = text.strip_prefix("0x").and_then(|_| text.parse().ok());
        hash.ok_or_else(|| Fault::new("not a hash"))
    }
}

/// Where metrics are served, or nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listen(pub(super) Option<SocketAddr>);

impl Leaf for Listen {
    const KIND: Kind =
        kind("listen address", "IP and port, e.g. \"127.0.0.1:9464\", or \"off\"", r#"{"type":"string"}"#);
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        match text::<Self>(value)? {
            "off" => Ok(Self(None)),
            text => {
                text.parse().map(|at| Self(Some(at))).map_err(|_| Fault::new("not an IP address and port"))
            }
        }
    }
}

impl Leaf for Endpoint {
    const KIND: Kind = Kind {
        name: "URL",
        form: "an http or https URL, e.g. \"https://api.example.com/${KEY}\"",
        schema: r#"{"type":"string"}"#,
        secret: true,
    };
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        address(&expanded::<Self>(value, lookup)?, ["http", "https"], "not an http or https URL")
    }
}

/// The address of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket(pub Endpoint);

impl std::fmt::Display for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Leaf for Socket {
    const KIND: Kind = Kind {
        name: "WebSocket URL",
        form: "a ws or wss URL, e.g. \"wss://rpc.example.com/${KEY}\"",
        ..Endpoint::KIND
    };
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        address(&expanded::<Self>(value, lookup)?, ["ws", "wss"], "not a ws or wss URL").map(Self)
    }
}

/// A URL of one of these schemes.
fn address(text: &str, schemes: [&str; 2], otherwise: &str) -> Result<Endpoint, Fault> {
    let url = Url::parse(text).map_err(|error| Fault::new(format!("not a URL: {error}")))?;
    if !schemes.contains(&url.scheme()) || url.host().is_none() {
        return Err(Fault::new(otherwise));
    }
    Ok(Endpoint::new(url))
}

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Database(pub(super) Location);

impl Leaf for Database {
    const KIND: Kind = Kind {
        name: "database URL",
        form: "a postgres URL, e.g. \"postgres://oracle:${PASSWORD}@db.internal/oracle\"",
        schema: r#"{"type":"string"}"#,
        secret: true,
    };
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        let text = expanded::<Self>(value, lookup)?;
        let url = Url::parse(&text).map_err(|error| Fault::new(format!("not a URL: {error}")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.host().is_none() {
            return Err(Fault::new("not a postgres URL"));
        }
        if url.path().trim_matches('/').is_empty() {
            return Err(Fault::new("names no database"));
        }
        Ok(Self(Location::Server(url)))
    }
}

impl Leaf for Secret {
    const KIND: Kind = Kind {
        name: "secret text",
        form: "a text that refers to a secret as ${NAME} (environment) or ${file:PATH}",
        schema: r#"{"type":"string"}"#,
        secret: true,
    };
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        expanded::<Self>(value, lookup).map(Self::new)
    }
}

impl Leaf for BTreeMap<String, Secret> {
    const KIND: Kind = Kind {
        name: "table of texts",
        form: "e.g. { x-api-key = \"${KEY}\" }",
        schema: r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
        secret: true,
    };
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        let table = value.as_table().ok_or_else(|| mismatch::<Self>(value))?;
        let entry =
            |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
                Ok((key.get_ref().to_string(), Secret::read(value.get_ref(), lookup)?))
            };
        table.iter().map(entry).collect()
    }
}

/// A text in a list, and where in the file it starts.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) text: String,
    pub(super) offset: usize,
}

impl Leaf for Vec<Entry> {
    const KIND: Kind = kind(
        "list of texts",
        "a list of texts, e.g. [\"kraken:XBTUSD\", \"binance:BTCUSDT * USDT-USD\"]",
        r#"{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":32}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        let list = value.as_array().ok_or_else(|| mismatch::<Self>(value))?;
        if list.is_empty() {
            return Err(Fault::new("an empty list"));
        }
        if list.len() > LIST_MAX {
            return Err(Fault::new(format!("more than {LIST_MAX} entries")).hint("shorten it"));
        }
        let entry = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref().as_str() {
            Some(text) => Ok(Entry { text: text.to_owned(), offset: value.span().start }),
            None => Err(Fault::new(format!("{} where a text is needed", word(value.get_ref())))),
        };
        list.iter().map(entry).collect()
    }
}

/// Wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wei(pub(super) u128);

impl Leaf for Wei {
    const KIND: Kind = kind(
        "amount",
        "an amount of wei or gwei for a unit of gas, e.g. \"1.5 gwei\"",
        r#"{"type":"string","pattern":"^[0-9]+([.][0-9]+)? (wei|gwei)$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        wei(text::<Self>(value)?, &[("wei", 0), ("gwei", 9)], "not a unit of gas prices").map(Self)
    }
}

/// Wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spend(pub(super) u128);

impl Leaf for Spend {
    const KIND: Kind = kind(
        "amount",
        "an amount of wei, gwei or ether, e.g. \"0.05 ether\"",
        r#"{"type":"string","pattern":"^[0-9]+([.][0-9]+)? (wei|gwei|ether)$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        wei(text::<Self>(value)?, &[("wei", 0), ("gwei", 9), ("ether", 18)], "not a unit of amounts")
            .map(Self)
    }
}
rule!(
    Spend,
    Spend(0),
    "amount or off",
    "an amount of wei, gwei or ether, e.g. \"0.05 ether\", or \"off\"",
    r#"{"type":"string","pattern":"^(off|[0-9]+([.][0-9]+)? (wei|gwei|ether))$"}"#
);

/// A number and one of these units, in wei.
fn wei(text: &str, units: &[(&str, u8)], otherwise: &str) -> Result<u128, Fault> {
    let (number, unit) = not_negative(text)?.rsplit_once(' ').ok_or_else(|| Fault::new("no unit"))?;
    let unit = units.iter().find(|(name, _)| *name == unit);
    let (_, decimals) = *unit.ok_or_else(|| Fault::new(otherwise))?;
    let price: Price = parsed(number)?;
    let exact = price.to_answer(decimals).filter(|a| a.display(decimals).to_string() == price.to_string());
    let exact = exact.ok_or_else(|| Fault::new("less than one wei, or a fraction of one"))?;
    u128::try_from(exact.value()).map_err(|_| Fault::new("too large"))
}

/// Texts with a fixed set of values.
macro_rules! choice {
    ($(#[$doc:meta])* $vis:vis $name:ident, $form:literal, {$($(#[$each:meta])* $variant:ident = $text:literal),+ $(,)?}) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $($(#[$each])* $variant),+
        }

        impl Leaf for $name {
            const KIND: Kind = kind("choice", $form, concat!("{\"enum\":[", choice!(@list $($text),+), "]}"));
            fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
                match text::<Self>(value)? {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(Fault::new("not one of the choices")),
                }
            }
        }
    };
    (@list $first:literal $(, $rest:literal)*) => {
        concat!("\"", $first, "\"" $(, ",\"", $rest, "\"")*)
    };
}

choice! {
    /// How a chain charges.
    pub(super) Profile, "\"eip1559\", \"legacy\" or \"zero-gas\"", {
        /// Base fee and tip.
        Eip1559 = "eip1559",
        /// One gas price.
        Legacy = "legacy",
        /// Nothing.
        ZeroGas = "zero-gas",
    }
}

choice! {
    /// How a signer is spoken to.
    pub(super) Dialect, "\"web3signer\", \"web3signer-rpc\", \"ethsigner\" or \"keystore\"", {
        /// Web3Signer, REST.
        Web3Signer = "web3signer",
        /// Web3Signer, JSON-RPC.
        Web3SignerRpc = "web3signer-rpc",
        /// EthSigner and compatible, JSON-RPC.
        EthSigner = "ethsigner",
        /// A V3 keystore file.
        Keystore = "keystore",
    }
}

choice! {
    /// Whether a venue is listened to over WebSocket.
    pub(super) Listening, "\"auto\" or \"off\"", {
        /// Where its preset says how.
        Auto = "auto",
        /// It is only polled.
        Off = "off",
    }
}

choice! {
    /// What a contract is.
    pub(super) Contract, "\"chainlink\", \"erc4626\", \"curve-lp\", \"curve\", \"uniswap-v2\" or \"uniswap-v3\"", {
        /// A feed that answers like Chainlink's.
        Chainlink = "chainlink",
        /// A vault.
        Erc4626 = "erc4626",
        /// A share of a Curve pool.
        CurveLp = "curve-lp",
        /// One coin of a pool in another.
        Curve = "curve",
        /// A pair.
        UniswapV2 = "uniswap-v2",
        /// A pool.
        UniswapV3 = "uniswap-v3",
    }
}

choice! {
    /// What goes out beyond a budget.
    pub(super) Beyond, "\"heartbeats\" (that are due, and first rounds) or \"nothing\"", {
        /// Heartbeats that are due, and first rounds.
        Heartbeats = "heartbeats",
        /// Nothing.
        Nothing = "nothing",
    }
}

choice! {
    /// How feeds of a group move together.
    pub(super) Together, "\"atomic\" (all or none) or \"best_effort\" (without those that may not)", {
        /// All or none.
        Atomic = "atomic",
        /// Without those that may not move.
        BestEffort = "best_effort",
    }
}

choice! {
    /// How two deviation rules combine.
    pub(super) Both, "\"any\" (either suffices) or \"all\" (both are needed)", {
        /// Either suffices.
        Any = "any",
        /// Both are needed.
        All = "all",
    }
}

/// When a block is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FinalityRule {
    /// At once.
    Instant,
    /// With so many blocks on top.
    Depth(u64),
    /// When the node's `finalized` block has reached it.
    Finalized,
    /// When the node's `safe` block has reached it.
    Safe,
}

/// The head window holds twice the depth of finality and at most 4096 blocks.
const DEPTH_MAX: u64 = 2048;

impl Leaf for FinalityRule {
    const KIND: Kind = kind(
        "finality rule",
        "\"instant\", \"depth:12\", \"tag\" (finalized), \"op-stack\" (safe) or \"op-stack:finalized\"",
        r#"{"type":"string","pattern":"^(instant|depth:[0-9]+|tag|op-stack(:finalized)?)$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        match text::<Self>(value)? {
            "instant" => Ok(Self::Instant),
            "tag" | "op-stack:finalized" => Ok(Self::Finalized),
            "op-stack" => Ok(Self::Safe),
            text => {
                let depth = text.strip_prefix("depth:").and_then(|depth| depth.parse().ok());
                match depth.ok_or_else(|| Fault::new("not a finality rule"))? {
                    0 => Err(Fault::new("a depth of no blocks")
                        .hint("write \"instant\" if blocks are final at once")),
                    depth if depth > DEPTH_MAX => Err(Fault::new(format!("deeper than {DEPTH_MAX} blocks"))
                        .hint("write \"tag\" for slow chains")),
                    depth => Ok(Self::Depth(depth)),
                }
            }
        }
    }
}

impl Leaf for LogFormat {
    const KIND: Kind = kind("choice", "\"human\" or \"json\"", r#"{"enum":["human","json"]}"#);
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        text::<Self>(value)?.parse().map_err(|_| Fault::new("not one of the choices"))
    }
}

impl Leaf for TimeUnit {
    const KIND: Kind = kind(
        "time unit",
        "\"s\", \"ms\", \"us\", \"ns\", \"iso8601\" or \"date\"",
        r#"{"enum":["s","ms","us","ns","iso8601","date"]}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        text::<Self>(value)?.parse().map_err(|_| Fault::new("not a unit of time stamps"))
    }
}

/// How long before a heartbeat is due it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// Two blocks, at least 2 s and at most a quarter of the heartbeat.
    Auto,
    /// This long.
    Fixed(Span),
}

impl Leaf for Lead {
    const KIND: Kind = kind(
        "duration or auto",
        "a whole number and a unit of ms, s, m, h or d, e.g. \"5s\", or \"auto\"",
        r#"{"type":"string","pattern":"^(auto|[0-9]+(ms|s|m|h|d))$"}"#,
    );
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        if value.as_str() == Some("auto") {
            Ok(Self::Auto)
        } else {
            Span::read(value, lookup).map(Self::Fixed)
        }
    }
}

/// The value of an optional key.
pub(super) fn value<T: Clone>(item: Option<&Item<T>>) -> Option<T> {
    item.map(|item| item.value.clone())
}
