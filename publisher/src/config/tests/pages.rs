//! What is generated from the keys.

use super::*;
use serde_json::Value;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/REFERENCE.md");

/// Without this, the reference describes a program of last month.
#[test]
fn the_reference_is_fresh() {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(REFERENCE, reference()).unwrap();
    }
    let file = std::fs::read_to_string(REFERENCE).unwrap_or_default();
    assert!(
        file == reference(),
        "config/REFERENCE.md is not what the keys say; run the tests once with UPDATE=1 and commit the file"
    );
}

#[test]
fn the_reference_has_every_key_and_no_broken_row() {
    let text = reference();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        assert!([4, 6].contains(&line.matches('|').count()), "{line}");
    }
    for chapter in keys::chapters() {
        for key in &chapter.keys {
            assert!(text.contains(&format!("| `{}` |", key.name)), "{} {}", chapter.path, key.name);
            assert!(key.meaning.ends_with('.'), "{} {}", chapter.path, key.name);
        }
    }
}

/// The JSON form of a TOML text.
fn json(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

/// A few words of JSON schema, enough to judge a configuration: the faults of `value`.
fn faults(schema: &Value, value: &Value, path: &str, out: &mut Vec<String>) {
    if let Some(choices) = schema["oneOf"].as_array() {
        let good = choices.iter().filter(|choice| {
            let mut inner = Vec::new();
            faults(choice, value, path, &mut inner);
            inner.is_empty()
        });
        if good.count() != 1 {
            out.push(format!("{path}: not exactly one of the choices"));
        }
        return;
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        out.push(format!("{path}: not in {choices:?}"));
    }
    let kind = match value {
        Value::String(_) => "string",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    };
    let kinds = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![kind],
    };
    if !kinds.contains(&kind) {
        out.push(format!("{path}: {kind} instead of {kinds:?}"));
    }
    for (at, entry) in value.as_array().into_iter().flatten().enumerate() {
        faults(&schema["items"], entry, &format!("{path}[{at}]"), out);
    }
    let Some(table) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !table.contains_key(name) {
            out.push(format!("{path}.{name}: missing"));
        }
    }
    for (name, entry) in table {
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => out.push(format!("{path}.{name}: unknown")),
            (Value::Null, other) => faults(other, entry, &format!("{path}.{name}"), out),
            (property, _) => faults(property, entry, &format!("{path}.{name}"), out),
        }
    }
}

#[test]
fn the_schema_accepts_what_the_program_accepts() {
    let judge = |text: &str| {
        let mut out = Vec::new();
        faults(&schema(), &json(text), "", &mut out);
        out
    };
    for text in [example(), SMALL].into_iter().chain(effect::FULL_TEXTS.iter().map(String::as_str)) {
        assert_eq!(judge(text), Vec::<String>::new(), "{text}");
    }
    for (from, to, fault) in [
        ("id = 138", "id = \"138\"", ".chain.id: string instead of [\"integer\"]"),
        ("id = 138", "idd = 138", ".chain.id: missing"),
        ("id = 138", "id = 138\nidd = 1", ".chain.idd: unknown"),
        ("\"zero-gas\"", "\"free\"", ".chain.fees: not exactly one of the choices"),
        ("heartbeat", "heartbaet", ".feed.BTC-USD.policy.heartbaet: unknown"),
        ("[signer.main]", "[signers.main]", ".signer: missing"),
    ] {
        let found = judge(&changed(SMALL, &[(from, to)]));
        assert!(found.iter().any(|f| f == fault), "{fault} in {found:?}");
    }
}
