//! The keys as people and editors read them: a commented example, a JSON schema, a Markdown reference.

use super::keys::chapters;
use super::raw::{Chapter, Default, Key};
use crate::calendar::{Calendar, shipped, utc};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A complete, commented configuration that is valid as it stands.
pub const fn example() -> &'static str {
    include_str!("../../config/example.toml")
}

/// The configuration's JSON schema (draft 2020-12), for editors that check TOML with one.
pub fn schema() -> Value {
    let mut root = table(&[], &[]);
    for chapter in chapters() {
        let at: Vec<&str> = chapter.path.split('.').filter(|part| !part.is_empty()).collect();
        put(&mut root, &at, &chapter);
    }
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".into(), json!("Configuration of the oracle publisher"));
        root.insert("required".into(), json!(["chain", "signer", "feed"]));
    }
    root
}

/// A table that takes these keys and no other.
fn table(about: &[&str], keys: &[&Key]) -> Value {
    let property = |key: &&Key| {
        let mut schema: Value = serde_json::from_str(key.kind.schema).unwrap_or_default();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".into(), json!(key.meaning));
            if let Default::Value(toml) = key.default {
                schema.insert("default".into(), serde_json::from_str(toml).unwrap_or_default());
            }
        }
        (key.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    let required: Vec<_> = keys.iter().filter(|k| k.default == Default::Required).map(|k| k.name).collect();
    let mut table = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let Some(table) = table.as_object_mut() {
        if !required.is_empty() {
            table.insert("required".into(), json!(required));
        }
        if !about.is_empty() {
            table.insert("description".into(), json!(about.join(" ").trim()));
        }
    }
    table
}

/// Puts a chapter at its place: `NAME` stands for every name, `[]` for every entry of a list.
fn put(root: &mut Value, at: &[&str], chapter: &Chapter) {
    let Some((first, rest)) = at.split_first() else {
        if let (Some(root), Value::Object(own)) = (root.as_object_mut(), chapter_schema(chapter)) {
            root.extend(own);
        }
        return;
    };
    let (name, list) = first.strip_suffix("[]").map_or((*first, false), |name| (name, true));
    let child = match name {
        "NAME" => entry(root, "additionalProperties"),
        _ => match entry(root, "properties") {
            Value::Object(properties) => properties.entry(name).or_insert_with(|| json!({})),
            other => other,
        },
    };
    if list {
        if let Some(child) = child.as_object_mut() {
            child.insert("type".into(), json!("array"));
        }
        put(entry(child, "items"), rest, chapter);
    } else {
        if let (Some(child), Some(&"NAME")) = (child.as_object_mut(), rest.first()) {
            child.insert("type".into(), json!("object"));
        }
        put(child, rest, chapter);
    }
}

/// The object under a key, made if need be.
fn entry<'v>(value: &'v mut Value, key: &str) -> &'v mut Value {
    let slot = &mut value[key];
    if !slot.is_object() {
        *slot = json!({});
    }
    slot
}

fn chapter_schema(chapter: &Chapter) -> Value {
    let full = table(chapter.about, &chapter.keys);
    let plain = chapter.shorthand.and_then(|name| chapter.keys.iter().find(|key| key.name == name));
    match plain.and_then(|key| serde_json::from_str::<Value>(key.kind.schema).ok()) {
        Some(plain) => json!({ "oneOf": [plain, full] }),
        None => full,
    }
}

/// The reference, as Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration reference\n\n\
         Generated from the program's own table of keys; `publisher config schema` prints the same as JSON schema,\n\
         `publisher config example` a commented file to begin with.\n\n\
         Durations are whole numbers with a unit: `250ms`, `30s`, `5m`, `1h`, `2d`. Percentages and prices are exact\n\
         decimals in quotes: `\"0.5%\"`, `\"67000.5\"`. URLs and headers may refer to secrets as `${NAME}` (environment) or\n\
         `${file:PATH}`; what these stand for is never printed.\n",
    );
    let chapters = chapters();
    for (at, chapter) in chapters.iter().enumerate() {
        let heading = match (chapter.path.as_str(), chapter.path.strip_suffix("[]")) {
            ("", _) => "The file".to_owned(),
            (_, Some(path)) => format!("`[[{path}]]`"),
            (path, None) => format!("`[{path}]`"),
        };
        let _never_fails = write!(out, "\n## {heading}\n\n");
        let same = |other: &&Chapter| std::ptr::eq(other.about, chapter.about);
        if let Some(first) = chapters.iter().take(at).find(same) {
            let _never_fails = writeln!(out, "The keys of `[{}]`.", first.path);
            continue;
        }
        for line in chapter.about {
            let _never_fails = writeln!(out, "{}", line.trim());
        }
        if !chapter.keys.is_empty() {
            out.push_str("\n| Key | Type | Example | Default | Meaning |\n|---|---|---|---|---|\n");
        }
        for key in &chapter.keys {
            let default = match key.default {
                Default::Required => "**required**".to_owned(),
                Default::Value(toml) => format!("`{toml}`"),
                Default::Words(words) => words.to_owned(),
            };
            let Key { name, kind, meaning, examples: [example, _], .. } = *key;
            let _never_fails =
                writeln!(out, "| `{name}` | {} | `{example}` | {default} | {meaning} |", kind.name);
        }
    }
    out.push_str("\n## Venues with a preset\n\n| Venue | Polled every | What it is |\n|---|---|---|\n");
    for preset in crate::sources::presets() {
        let pushes = if preset.has_stream() { ", and pushed" } else { "" };
        let _never_fails =
            writeln!(out, "| `{}` | {}{pushes} | {} |", preset.id(), preset.every(), preset.about());
    }
    out.push_str("\n## Calendars\n\n| Calendar | Known until | What it is |\n|---|---|---|\n");
    for (name, Calendar { about, hours }) in shipped() {
        let _never_fails = writeln!(out, "| `{name}` | {} | {about} |", utc(hours.ends_at));
    }
    out
}
