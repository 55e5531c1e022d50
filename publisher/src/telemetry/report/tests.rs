use super::super::log::{LogFormat, LogSetup};
use super::super::notice::notify;
use super::super::samples;
use super::*;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: &str, within: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let setup = LogSetup { format, filter: filter.into() };
    tracing::subscriber::with_default(setup.subscriber(move || writer.clone()).unwrap(), within);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn every_event_is_one_json_line_with_its_code_level_and_advice() {
    for event in samples::events() {
        let text = logged(LogFormat::Json, "info", || report(&event));
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["code"], event.code());
        assert_eq!(line["message"], title(&event));
        assert_eq!(line["level"], format!("{:?}", event.level()).to_uppercase());
        let advice = Some(event.advice()).filter(|a| !a.is_empty());
        assert_eq!(line.get("advice").and_then(Value::as_str), advice);
    }
    for notice in samples::notices() {
        let line: Value = serde_json::from_str(&logged(LogFormat::Json, "info", || notify(&notice))).unwrap();
        assert_eq!((&line["code"], &line["message"]), (&notice.code().into(), &notice.title().into()));
    }
}

#[test]
fn fields_carry_the_cores_names() {
    let find = |code| samples::events().into_iter().find(|e| e.code() == code).unwrap();
    let line = |code| -> Value {
        serde_json::from_str(&logged(LogFormat::Json, "info", || report(&find(code)))).unwrap()
    };
    let decided = line("PUB-1001");
    assert_eq!(
        (&decided["feed"], &decided["round"], &decided["answer"], &decided["trigger"]),
        (&"BTC-USD".into(), &7.into(), &"1".into(), &"heartbeat".into())
    );
    let included = line("PUB-2009");
    assert_eq!((&included["gas_used"], &included["total_ms"]), (&43_000.into(), &4000.into()));
    assert_eq!(line("PUB-3001")["depth"], 2);
}

#[test]
fn the_filter_decides_what_is_written() {
    let all = || samples::events().iter().for_each(report);
    let errors = logged(LogFormat::Json, "error", all);
    assert!(errors.lines().count() > 0);
    for line in errors.lines() {
        assert!(line.contains(r#""level":"ERROR""#), "{line}");
    }
    assert_eq!(logged(LogFormat::Human, "off", all), "");
    let human = logged(LogFormat::Human, "publisher=warn", all);
    assert!(human.contains("chain reorganised") && human.contains("PUB-3001"), "{human}");
    assert!(!human.contains("round decided"), "{human}");
    LogSetup { filter: "publisher=loud".into(), ..LogSetup::default() }
        .subscriber(std::io::stderr)
        .err()
        .unwrap();
}

/// A node's words go into a line as one value; they cannot forge a second line.
#[test]
fn hostile_details_stay_inside_their_field() {
    let event = Event::Sent {
        hash: Default::default(),
        outcome: publisher_core::tx::SendOutcome::Ambiguous,
        detail: "x\n{\"code\":\"PUB-9999\"}\u{1b}[31m".into(),
    };
    let text = logged(LogFormat::Json, "info", || report(&event));
    assert_eq!(text.lines().count(), 1, "{text}");
    let human = logged(LogFormat::Human, "info", || report(&event));
    assert_eq!(human.lines().count(), 1, "{human:?}");
    assert!(!human.contains('\u{1b}'), "{human:?}");
}
