//! Every rule in a configuration in which it fires, and in one that is as near to it as can be and in which it does not.

use super::*;
use crate::config::tests::SMALL;
use std::path::Path as File;

const FIVE: &str =
    r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "gemini:BTCUSD", "bitfinex:tBTCUSD""#;
const TETHER: &str = "[rate.\"USDT-USD\"]\nsources = [\"coinbase:USDT-USD\", \"kraken:USDTUSD\", \"bitstamp:usdtusd\", \"okx:USDT-USD\"]\n";

/// A configuration with these sources and rules of one feed, and whatever follows.
fn written(sources: &str, feed: &str, policy: &str, rest: &str) -> String {
    let (before_feeds, _) = SMALL.split_once("[feed").unwrap();
    format!(
        r#"{before_feeds}
[feed."BTC-USD"]
sources = [{sources}]
{feed}
[feed."BTC-USD".policy]
{policy}
{rest}"#
    )
}

fn found(sources: &str, feed: &str, policy: &str, rest: &str) -> Vec<Finding> {
    let text = written(sources, feed, policy, rest);
    let config = Config::parse(&text, File::new("test.toml"));
    lint(&config.unwrap_or_else(|problems| panic!("{problems}\n{text}")))
}

const SYNC: &str = "[store.main]\nsync_heartbeats = true\n";
const STORE: &str = "[store.main]\n";
const FEED: &str = "decimals = 8\nmin = \"1000\"\nmax = \"1000000\"";
const POLICY: &str = "heartbeat = \"1h\"\ndeviation = \"0.5%\"";

/// The proof and the key of a rule that fires.
fn fires(rule: &str, findings: &[Finding]) -> Option<String> {
    let finding = findings.iter().find(|finding| finding.rule == rule)?;
    assert!(finding.proof.len() > 10 && finding.advice.len() > 10, "{finding:?}");
    Some(format!("{}: {}", finding.path, finding.proof))
}

struct Case {
    rule: &'static str,
    /// Sources, the feed's own keys, its policy, and what follows.
    fires: [String; 4],
    /// What the proof says.
    because: &'static str,
    quiet: [String; 4],
}

fn case(rule: &'static str, fires: [&str; 4], because: &'static str, quiet: [&str; 4]) -> Case {
    Case { rule, fires: fires.map(str::to_owned), because, quiet: quiet.map(str::to_owned) }
}

/// The policy of a feed that is frozen whenever New York does not trade.
fn market(policy: &str) -> String {
    let closed =
        ["closed", "pre", "post", "unknown"].map(|status| format!("{status} = \"freeze\"")).join(", ");
    format!(
        "deviation = \"0.5%\"\ncalendar = \"nyse\"\non_market = {{ half_day = \"normal\", {closed} }}\n{policy}"
    )
}

/// The policy of a backup with an hour and a half, and with twice this deviation.
fn backup(deviation: &str, policy: &str) -> String {
    format!(
        "heartbeat = \"1h\"\ndeviation = {deviation:?}\nbackup = {{ deviation_coefficient = \"2x\", heartbeat_modifier = \"+30m\" }}\n{policy}"
    )
}

/// The policy of a feed whose thresholds are so many times as large after New York's close.
fn thin(factor: &str, policy: &str) -> String {
    market(policy).replace("post = \"freeze\"", &format!("post = \"widen:{factor}\""))
}

fn cases() -> Vec<Case> {
    let with = |policy: &str| format!("{POLICY}\n{policy}");
    let two = r#""coinbase:BTC-USD", "kraken:XBTUSD""#;
    let three = r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd""#;
    let four = r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "gemini:BTCUSD""#;
    let by_rate =
        r#""coinbase:BTC-USD", "kraken:XBTUSD", "binance:BTCUSDT * USDT-USD", "okx:BTC-USDT * USDT-USD""#;
    let one_by_rate = r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "okx:BTC-USDT * USDT-USD""#;
    let pegged = format!("{TETHER}peg = \"1%\"\n");
    let drop = with("on_depeg = { drop_sources = true }");
    let narrow = "decimals = 8\nmin = \"50000\"\nmax = \"60000\"";
    let second = |sources: &str| {
        format!("[feed.\"BTC-USD-2\"]\nsources = [{sources}]\n{FEED}\npolicy.heartbeat = \"2h\"\n")
    };
    let stored = format!("{FEED}\nstore = \"main\"\nstore_id = 0");
    let beside = |heartbeat: &str| {
        format!(
            "[feed.\"ETH-USD\"]\nsources = [\"coinbase:ETH-USD\", \"kraken:ETHUSD\", \"bitstamp:ethusd\"]\n{FEED}\nstore = \"main\"\nstore_id = 1\npolicy.heartbeat = {heartbeat:?}\n"
        )
    };
    let grouped = format!("{FEED}\nstore = \"main\"\nstore_id = 0\ngroup = \"dollars\"");
    let second_grouped = |group: &str| {
        format!(
            "[feed.\"ETH-USD\"]\nsources = [\"coinbase:ETH-USD\", \"kraken:ETHUSD\", \"bitstamp:ethusd\"]\n{FEED}\nstore = \"main\"\nstore_id = 1\ngroup = {group:?}\npolicy.heartbeat = \"1h\"\n"
        )
    };
    let blind = r#""kraken:XBTUSD", "gate:BTC_USDT * USDT-USD", "bitfinex:tBTCUSD""#;
    let no_stream = "[venue.kraken]\nstream = \"off\"\n[venue.gate]\nstream = \"off\"\n[venue.bitfinex]\nstream = \"off\"\n";
    let own = |name: &str, host: &str| {
        format!("[source.{name}]\nurl = \"https://{host}/btc\"\npointer = \"/price\"\n")
    };
    let euros = "[rate.euro]\nsources = [\"ecb:EUR/USD\"]\npolicy = { allow_single_source = true, max_age = \"4d\" }\n";
    let converted = r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "kraken:XBTEUR * euro""#;
    let reference = format!("{FEED}\nreference = \"other\"");
    let other = |sources: &str| format!("[rate.other]\nsources = [{sources}]\n");
    let busd = TETHER.replace("USDT", "BUSD").replace("usdt", "busd");
    let owns = [own("a", "a.example"), own("b", "b.example"), own("c", "c.example")].concat();
    let repeated = r#""coinbase:BTC-USD", "kraken:XBTUSD", "coingecko:bitcoin""#;
    let repeated_once_more = r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd", "coingecko:bitcoin""#;
    vec![
        case(
            "aggregator-counted",
            [repeated, FEED, &with("max_age = \"5m\""), ""],
            "without them 2 of 3 families are left, none of which may lie, and the quorum is 3",
            [repeated_once_more, FEED, &with("max_age = \"5m\""), ""],
        ),
        case(
            "breaker-off",
            [FIVE, FEED, POLICY, ""],
            "is published at once",
            [FIVE, FEED, &with("breaker = \"20%\""), ""],
        ),
        case(
            "breaker-never",
            [FIVE, narrow, &with("breaker = \"21%\""), ""],
            "not more than 21% of 50000",
            [FIVE, narrow, &with("breaker = \"19%\""), ""],
        ),
        case(
            "confidence-never",
            [FIVE, FEED, &with("confidence_ratio = \"0.02%\""), ""],
            "no value is surer than 0.01%",
            [FIVE, FEED, &with("confidence_ratio = \"0.03%\""), ""],
        ),
        case(
            "confidence-never",
            [FIVE, FEED, &with("confidence_ratio = \"1.01%\""), ""],
            "never reaches 1.01%",
            [FIVE, FEED, &with("confidence_ratio = \"1%\""), ""],
        ),
        case(
            "confirm-never",
            [
                FIVE,
                FEED,
                "heartbeat = \"40s\"\ndeviation = \"1%\"\nmax_age = \"30s\"\nconfirm = 5",
                "[venue.gemini]\nevery = \"10s\"\nstream = \"off\"\n",
            ],
            "gemini:BTCUSD is renewed every 10s, and 5 looks take 40s",
            [
                FIVE,
                FEED,
                "heartbeat = \"41s\"\ndeviation = \"1%\"\nmax_age = \"30s\"\nconfirm = 5",
                "[venue.gemini]\nevery = \"10s\"\nstream = \"off\"\n",
            ],
        ),
        case(
            "depeg-heartbeat-never",
            [by_rate, FEED, &with("on_depeg = { heartbeat = \"10m\" }"), TETHER],
            "has a peg to lose",
            [by_rate, FEED, &with("on_depeg = { heartbeat = \"10m\" }"), &pegged],
        ),
        case(
            "depeg-heartbeat-never",
            [by_rate, FEED, &with("on_depeg = { heartbeat = \"1h\" }"), &pegged],
            "a round comes every 1h anyway",
            [by_rate, FEED, &with("on_depeg = { heartbeat = \"59m\" }"), &pegged],
        ),
        case(
            "depeg-stops",
            [by_rate, FEED, &drop, &pegged],
            "2 of 4 families are left, and the quorum is 3",
            [one_by_rate, FEED, &drop, &pegged],
        ),
        case(
            "deviation-abs-never",
            [FIVE, narrow, "heartbeat = \"1h\"\ndeviation_abs = \"10001\"", ""],
            "between 50000 and 60000",
            [FIVE, narrow, "heartbeat = \"1h\"\ndeviation_abs = \"10000\"", ""],
        ),
        case(
            "deviation-below-unit",
            [FIVE, "decimals = 0\nmin = \"199\"\nmax = \"1000000\"", POLICY, ""],
            "0.5% of 199",
            [FIVE, "decimals = 0\nmin = \"200\"\nmax = \"1000000\"", POLICY, ""],
        ),
        case(
            "deviation-never",
            [FIVE, narrow, "heartbeat = \"1h\"\ndeviation = \"20.1%\"", ""],
            "not 20.1% apart",
            [FIVE, narrow, "heartbeat = \"1h\"\ndeviation = \"20%\"", ""],
        ),
        case(
            "deviation-never",
            [FIVE, narrow, &backup("10.1%", ""), ""],
            "deviation_coefficient: answers lie between 50000 and 60000, which are not 20.2% apart",
            [FIVE, narrow, &backup("10%", ""), ""],
        ),
        // It falls as far before the heartbeat that the backup has, and not before the other.
        case(
            "deviation-never",
            [FIVE, narrow, &backup("30%", "deviation_decay = [[\"2h\", \"10%\"]]"), ""],
            "not 30% apart",
            [FIVE, narrow, &backup("30%", "deviation_decay = [[\"90m\", \"10%\"]]"), ""],
        ),
        case(
            "deviation-abs-never",
            [
                FIVE,
                narrow,
                "heartbeat = \"1h\"\ndeviation_abs = \"5001\"\nbackup = { deviation_coefficient = \"2x\" }",
                "",
            ],
            "between 50000 and 60000",
            [
                FIVE,
                narrow,
                "heartbeat = \"1h\"\ndeviation_abs = \"5000\"\nbackup = { deviation_coefficient = \"2x\" }",
                "",
            ],
        ),
        case(
            "duplicate-feed",
            [FIVE, FEED, POLICY, &second(FIVE)],
            "BTC-USD has the same sources",
            [FIVE, FEED, POLICY, &second(three)],
        ),
        case(
            "early-never",
            [FIVE, &stored, POLICY, "[store.main]\nearly = { age = \"1h\" }\n"],
            "heartbeat of 1h or less",
            [FIVE, &stored, POLICY, "[store.main]\nearly = { age = \"59m\" }\n"],
        ),
        case(
            "early-never",
            [FIVE, &stored, POLICY, "[store.main]\nearly = { deviation = \"0.5%\" }\n"],
            "round of its own by 0.5%",
            [FIVE, &stored, POLICY, "[store.main]\nearly = { deviation = \"0.49%\" }\n"],
        ),
        // What a backup or a thin market makes of the deviation is what has to come before it.
        case(
            "early-never",
            [FIVE, &stored, POLICY, "[store.main]\nearly = { deviation = \"1%\" }\n"],
            "round of its own by 1%",
            [
                FIVE,
                &stored,
                &with("backup = { deviation_coefficient = \"2.1x\" }"),
                "[store.main]\nearly = { deviation = \"1%\" }\n",
            ],
        ),
        case(
            "early-never",
            [
                FIVE,
                &stored,
                &thin("2x", "heartbeat = \"1h\""),
                "[store.main]\nearly = { deviation = \"1%\" }\n",
            ],
            "round of its own by 1%",
            [
                FIVE,
                &stored,
                &thin("2.1x", "heartbeat = \"1h\""),
                "[store.main]\nearly = { deviation = \"1%\" }\n",
            ],
        ),
        case(
            "widen-never",
            [FIVE, narrow, &thin("40.1x", ""), ""],
            "post: 40.1x the thresholds is 20.05% even when the heartbeat comes",
            [FIVE, narrow, &thin("40x", ""), ""],
        ),
        case(
            "widen-never",
            [FIVE, narrow, &thin("2x", "deviation_abs = \"5001\"\ncombine = \"all\""), ""],
            "1% and 10002 even when",
            [FIVE, narrow, &thin("2x", "deviation_abs = \"5001\"\ncombine = \"any\""), ""],
        ),
        case(
            "widen-never",
            [FIVE, narrow, &thin("50x", "deviation_decay = [[\"1h\", \"0.4%\"]]\nheartbeat = \"30m\""), ""],
            "is 22.5% even when",
            [FIVE, narrow, &thin("50x", "deviation_decay = [[\"1h\", \"0.4%\"]]\nheartbeat = \"1h\""), ""],
        ),
        case(
            "widen-trips-breaker",
            [FIVE, FEED, &thin("20x", "breaker = { min = \"10%\", max = \"10%\" }"), ""],
            "20x the deviation is 10% at least, and the breaker opens at 10% at most",
            [FIVE, FEED, &thin("19x", "breaker = { min = \"10%\", max = \"10%\" }"), ""],
        ),
        case(
            "sync-never",
            [FIVE, &stored, POLICY, &format!("{SYNC}{}", beside("45m"))],
            "divides that of another one",
            [FIVE, &stored, POLICY, &format!("{SYNC}{}", beside("24h"))],
        ),
        case("few-families", [two, FEED, POLICY, ""], "of 2 that is none", [three, FEED, POLICY, ""]),
        case(
            "group-of-one",
            [FIVE, &grouped, POLICY, &format!("{STORE}{}", second_grouped("euros"))],
            "no other feed is in the group dollars",
            [FIVE, &grouped, POLICY, &format!("{STORE}{}", second_grouped("dollars"))],
        ),
        case(
            "no-exchange-time",
            [blind, FEED, POLICY, &format!("{TETHER}{no_stream}")],
            "the time of receipt counts",
            [&format!("{blind}, \"bitstamp:btcusd\""), FEED, POLICY, &format!("{TETHER}{no_stream}")],
        ),
        case(
            "outlier-floor-always",
            [FIVE, FEED, &with("outlier_floor = \"0.009%\""), ""],
            "0.01%",
            [FIVE, FEED, &with("outlier_floor = \"0.01%\""), ""],
        ),
        case(
            "cron-never",
            [FIVE, FEED, &market("cron = [{ at = \"0 8 * * mon-fri\", tz = \"America/New_York\" }]"), ""],
            "nyse has 522 times of 0 8 * * mon-fri America/New_York",
            [FIVE, FEED, &market("cron = [{ at = \"0 8 * * mon-fri\", tz = \"America/Los_Angeles\" }]"), ""],
        ),
        // What is too early may be late enough after its jitter.
        case(
            "cron-never",
            [
                FIVE,
                FEED,
                &market("cron = [{ at = \"25 9 * * *\", tz = \"America/New_York\", jitter = \"4m\" }]"),
                "",
            ],
            "at none of them every rule holds",
            [
                FIVE,
                FEED,
                &market("cron = [{ at = \"25 9 * * *\", tz = \"America/New_York\", jitter = \"5m\" }]"),
                "",
            ],
        ),
        case(
            "freeze-outlasts-heartbeat",
            [FIVE, FEED, &market("heartbeat = \"24h\""), ""],
            "frozen for up to 92 h, from 2026-12-24T18:00:00Z on: its heartbeat of 1d is always missed then",
            [FIVE, FEED, &market("heartbeat = \"5d\""), ""],
        ),
        case("quorum-of-all", [three, FEED, POLICY, ""], "all 3 families", [four, FEED, POLICY, ""]),
        case(
            "rate-always-stale",
            [converted, FEED, POLICY, euros],
            "ecb:EUR/USD is asked every 30m",
            [converted, FEED, &with("max_age = \"30m\""), euros],
        ),
        case(
            "reference-of-the-same",
            [FIVE, &reference, POLICY, &other(three)],
            "every family of other",
            [three, &reference, POLICY, &other(FIVE)],
        ),
        case(
            "refuse-spread-never",
            [FIVE, FEED, &with("refuse_spread = \"2%\""), ""],
            "of 5 families",
            [&format!("{FIVE}, \"okx:BTC-USD\""), FEED, &with("refuse_spread = \"2%\""), ""],
        ),
        case(
            "retired-host",
            [&format!("{FIVE}, \"a\""), FEED, POLICY, &own("a", "api.coindesk.com")],
            "api.coindesk.com has been given up",
            [&format!("{FIVE}, \"a\""), FEED, POLICY, &own("a", "api.coindesk.example")],
        ),
        case(
            "retired-host",
            [
                &format!("{FIVE}, \"mexc:BTCUSDT * USDT-USD\""),
                FEED,
                POLICY,
                &format!("{TETHER}[venue.mexc]\nstream_url = \"wss://wbs.mexc.com\"\n"),
            ],
            "venue.mexc.stream_url: wbs.mexc.com has been given up",
            [
                &format!("{FIVE}, \"mexc:BTCUSDT * USDT-USD\""),
                FEED,
                POLICY,
                &format!("{TETHER}[venue.mexc]\nstream_url = \"wss://wbs-api.mexc.com\"\n"),
            ],
        ),
        case(
            "retired-market",
            [&format!("{FIVE}, \"binance-us:BTCBUSD * BUSD-USD\""), FEED, POLICY, &busd],
            "binance-us:BTCBUSD is a market of BUSD",
            [FIVE, FEED, POLICY, ""],
        ),
        case(
            "volume-never",
            [r#""a", "b", "c""#, FEED, &with("min_volume = \"1\""), &owns],
            "it can never fire",
            [r#""a", "b", "c", "kraken:XBTUSD""#, FEED, &with("min_volume = \"1\""), &owns],
        ),
        case(
            "volume-never",
            [two, FEED, &with("weights = \"volume\""), ""],
            "all count the same",
            [three, FEED, &with("weights = \"volume\""), ""],
        ),
    ]
}

#[test]
fn s3_each_rule_fires_with_its_proof_and_not_beside_it() {
    for Case { rule, fires: loud, because, quiet } in cases() {
        let [sources, feed, policy, rest] = &loud;
        let told = fires(rule, &found(sources, feed, policy, rest));
        assert!(told.as_ref().is_some_and(|told| told.contains(because)), "{rule}: {told:?}");
        let [sources, feed, policy, rest] = &quiet;
        let told = fires(rule, &found(sources, feed, policy, rest));
        assert_eq!(told, None, "{rule} fires where it should not");
    }
}

/// Without a line an editor cannot jump there, and a reader searches a long file.
#[test]
fn a_finding_has_the_line_of_its_key_of_what_it_inherits_or_of_its_table() {
    let line = |sources: &str, policy: &str, rest: &str, rule: &str| {
        let findings = found(sources, FEED, policy, rest);
        let finding = findings.iter().find(|finding| finding.rule == rule).unwrap();
        let text = written(sources, FEED, policy, rest);
        let line = text.lines().nth(finding.line.unwrap() - 1).unwrap();
        (finding.path.clone(), line.to_owned())
    };
    let at = |path: &str, line: &str| (path.to_owned(), line.to_owned());
    let floor = "outlier_floor = \"0.009%\"";
    assert_eq!(
        line(FIVE, &format!("{POLICY}\n{floor}"), "", "outlier-floor-always"),
        at("feed.\"BTC-USD\".policy.outlier_floor", floor)
    );
    assert_eq!(
        line(FIVE, POLICY, &format!("[defaults.policy]\n{floor}"), "outlier-floor-always"),
        at("feed.\"BTC-USD\".policy.outlier_floor", floor)
    );
    let quorum = line(FIVE, &format!("{POLICY}\nquorum = 5"), "", "quorum-of-all");
    assert_eq!(quorum, at("feed.\"BTC-USD\".policy.quorum", "quorum = 5"));
    let usdt = format!("{TETHER}[rate.\"USDT-USD\".policy]\n{floor}");
    assert_eq!(
        line(FIVE, POLICY, &usdt, "outlier-floor-always"),
        at("rate.\"USDT-USD\".policy.outlier_floor", floor)
    );
    let (path, inline) = line(FIVE, &market("heartbeat = \"24h\""), "", "freeze-outlasts-heartbeat");
    assert_eq!(path, "feed.\"BTC-USD\".policy.on_market.closed");
    assert!(inline.contains("closed = "), "{inline}");
    // Where nobody has spelled the key, its table is the place.
    let three = r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd""#;
    let table = "[feed.\"BTC-USD\".policy]";
    assert_eq!(line(three, POLICY, "", "quorum-of-all"), at("feed.\"BTC-USD\".policy.quorum", table));
}

#[test]
fn every_rule_is_tried_and_has_a_name_of_its_own() {
    let ids: BTreeSet<_> = rules::RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules::RULES.len());
    assert_eq!(ids, cases().iter().map(|case| case.rule).collect());
}

/// Without this, the first configuration that everybody reads is one that the program warns of.
#[test]
fn nothing_is_found_in_the_example() {
    let config = Config::parse(crate::config::example(), File::new("example.toml")).unwrap();
    assert_eq!(lint(&config), []);
}

#[test]
fn what_the_configuration_warns_of_is_among_it() {
    let all =
        found(r#""coinbase:BTC-USD", "kraken:XBTUSD", "bitstamp:btcusd""#, FEED, "heartbeat = \"20s\"", "");
    let of_config: Vec<_> = all.iter().filter(|finding| finding.rule == "configuration").collect();
    assert!(of_config.iter().any(|f| f.path.ends_with("heartbeat") && f.line.is_some()), "{all:#?}");
}
