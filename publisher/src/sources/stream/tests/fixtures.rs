//! Messages as the venues write them, `presets/fixtures/NAME/stream.toml`: what each is and what it gives.

use super::super::script::{Frame, FrameBody, Script};
use crate::sources::{Preset, preset, presets};
use publisher_core::time::{Mono, Wall};

/// What a venue's folder says of its stream.
pub(super) fn script(venue: &str) -> Script {
    let file = format!("{}/presets/fixtures/{venue}/stream.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Without this a venue's words are read as somebody remembered them, and a preset gains a stream that no test heard.
#[test]
fn every_venues_messages_are_what_they_are() {
    for preset in presets().iter().filter(|preset| preset.has_stream()) {
        let venue = preset.id();
        let script = script(venue);
        for reading in script.readings("stream", preset).unwrap_or_else(|error| panic!("{error}")) {
            assert!(reading.is_right(), "{venue}: {:?}", reading.problem());
        }
        assert!(!script.gives().is_empty(), "{venue} gives nothing");
    }
}

/// Without this `source test` is content with a stream that reads another price, or none.
#[test]
fn whatever_a_message_was_to_be_and_is_not_is_told_with_its_place() {
    let okx = preset("okx").unwrap();
    let text =
        std::fs::read_to_string(format!("{}/presets/fixtures/okx/stream.toml", env!("CARGO_MANIFEST_DIR")))
            .unwrap();
    for (from, to, place) in [
        ("live = 1", "live = 2", "live"),
        (r#""instId":"ETH-USDT"}]}'"#, r#""instId":"ETH-USD"}]}'"#, "written"),
        ("is = \"data\"", "is = \"control\"", "message[3].is"),
        ("67000.15 2222 @123", "67000.16 2222 @123", "message[3].gives.BTC-USDT"),
        ("gives = { BTC-USDT", "gives = { ETH-USDT", "message[3].gives.BTC-USDT"),
        (r#"text = 'pong'"#, "answer = ['ping']\ntext = 'pong'", "message[2].answer"),
        (r#"text = 'pong'"#, "written = ['x']\ntext = 'pong'", "message[2].written"),
    ] {
        assert!(text.contains(from), "{from}");
        let script: Script = toml::from_str(&text.replacen(from, to, 1)).unwrap();
        let readings = script.readings("stream", okx).unwrap();
        let problem = readings.iter().find_map(|reading| reading.problem()).unwrap();
        assert_eq!(problem.path, format!("stream.toml: {place}"));
        assert!(!problem.reason.is_empty() && !problem.hint.is_empty(), "{problem}");
    }
    // What is no script of the venue is refused as a whole.
    for (from, to, path) in [
        ("text = 'pong'", "", "message[2]"),
        ("text = 'pong'", "text = 'pong'\nframe = '00'", "message[2]"),
        ("text = 'pong'", "frame = 'xyz'", "message[2].frame"),
        ("text = 'pong'", "text = 'pong'\nafter_ms = 86400001", "message[2]"),
        ("symbols = [\"BTC-USDT\"", "symbols = [\"btcusdt\"", "symbols"),
        ("symbols = [\"BTC-USDT\", \"ETH-USDT\"]", "symbols = []", "symbols"),
    ] {
        assert!(text.contains(from), "{from}");
        let script: Script = toml::from_str(&text.replacen(from, to, 1)).unwrap();
        let error = script.readings("stream", okx).unwrap_err();
        assert_eq!(error.problems.first().unwrap().path, path, "{error}");
    }
    let ecb = script("okx").readings("stream", preset("ecb").unwrap()).unwrap_err();
    assert!(ecb.to_string().contains("no stream"), "{ecb}");
}

/// Without this what was recorded does not give again what it gave, or loses a frame that was packed.
#[test]
fn what_is_recorded_gives_the_same_when_it_is_heard_again() {
    let opened = Wall::from_ms(1_772_807_401_000);
    let text = |at, text: &str| Frame { at: Mono::from_ms(at), body: FrameBody::Text(text.into()) };
    let of = |venue: &'static str, symbols: &[&str], frames: &[Frame]| -> (&'static Preset, Script) {
        let preset = preset(venue).unwrap();
        let symbols: Vec<String> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        let script = Script::of(preset, &symbols, opened, frames).unwrap();
        (preset, toml::from_str(&toml::to_string(&script).unwrap()).unwrap())
    };
    // A refused frame is asked for in halves, and a ping is due in between.
    let refused = r#"{"event":"error","code":"60018","msg":"no \u2028 such channel"}"#;
    let price = r#"{"arg":{"channel":"tickers","instId":"SOL-USDT"},"data":[{"instId":"SOL-USDT","last":"2","askPx":"3","bidPx":"1","vol24h":"4","ts":"1772807400500"}]}"#;
    let ack = r#"{"event":"subscribe","arg":{"channel":"tickers","instId":"SOL-USDT"}}"#;
    let (okx, script) = of(
        "okx",
        &["SOL-USDT", "ETH-USDT"],
        &[text(40, refused), text(900, ack), text(1_500, price), text(18_000, "pong")],
    );
    assert_eq!(script.gives().into_iter().collect::<Vec<_>>(), [("SOL-USDT", "1 3 2 4 @-500")]);
    let readings = script.readings("stream", okx).unwrap();
    assert!(readings.iter().all(|reading| reading.is_right()), "{readings:?}");
    let written: Vec<_> =
        readings.iter().filter(|r| r.symbol.as_ref().is_some_and(|s| s.ends_with("].written"))).collect();
    assert!(written.iter().any(|r| r.read.contains("ETH-USDT")), "the other half is asked for: {written:?}");
    assert!(written.iter().any(|r| r.read.contains("ping")), "{written:?}");
    // Packed frames stay packed.
    let packed = super::fixtures::script("htx");
    let digits = packed.message.iter().find_map(|message| message.frame.clone()).unwrap();
    let body = FrameBody::Packed(alloy::primitives::hex::decode(&digits).unwrap());
    let (htx, script) = of("htx", &["btcusdt"], &[Frame { at: Mono::from_ms(7), body }]);
    assert_eq!(script.message[0].frame.as_ref(), Some(&digits));
    assert_eq!(script.gives().len(), 1);
    assert!(script.readings("stream", htx).unwrap().iter().all(|reading| reading.is_right()));
}
