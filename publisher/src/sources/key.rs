//! API keys: sent in the header that a venue wants them in, and shown nowhere.

use super::problem::Problems;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// A key to a venue's API.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// From its text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

/// How a venue wants its key.
#[derive(Clone, Debug)]
pub(super) struct KeyRule {
    pub(super) header: HeaderName,
    /// The header's value, with `{key}` where the key goes.
    pub(super) value: String,
    /// Whether the venue answers nothing without one.
    pub(super) required: bool,
}

impl KeyRule {
    pub(super) fn parse(header: &str, value: &str, required: bool, problems: &mut Problems) -> Option<Self> {
        if !value.contains("{key}") {
            problems.add("key.value", value, "no key in it", "write {key} where the key goes");
        }
        let name = header.parse::<HeaderName>();
        let header = problems.keep("key.header", header, name, "use letters, digits and -")?;
        Some(Self { header, value: value.to_owned(), required })
    }
}

/// The headers of a venue's requests. No problem repeats the key.
pub(super) fn headers(rule: Option<&KeyRule>, key: Option<&ApiKey>, problems: &mut Problems) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match (rule, key) {
        (Some(rule), Some(key)) => {
            let value = rule.value.replace("{key}", &key.0).parse::<HeaderValue>();
            let hint = "use printable ASCII on one line";
            if let Some(mut value) = problems.keep("key", "", value, hint).filter(|_| !key.0.is_empty()) {
                value.set_sensitive(true);
                headers.insert(rule.header.clone(), value);
            } else if key.0.is_empty() {
                problems.add("key", "", "an empty key", hint);
            }
        }
        (Some(rule), None) if rule.required => {
            problems.add("key", "", "this venue answers only with a key", "set key = \"${NAME}\"");
        }
        (None, Some(_)) => problems.add("key", "", "this venue takes no key", "leave it out"),
        (_, None) => {}
    }
    headers
}
