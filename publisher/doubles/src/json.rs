//! JSON as a venue writes it: keys in its own order, numbers digit by digit.
//!
//! A `serde_json::Value` would sort the keys and pass numbers through floats; both would make the double
//! kinder than the wire.

use std::fmt;

/// A JSON value to be written, never read.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A number, by its exact text.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A text value.
pub(crate) fn text(value: impl ToString) -> Json {
    Json::Text(value.to_string())
}

/// A bare number by its exact text.
pub(crate) fn number(value: impl ToString) -> Json {
    Json::Number(value.to_string())
}

/// An object with its keys in the given order.
pub(crate) fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Json)>) -> Json {
    Json::Object(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(value) => f.write_str(&serde_json::Value::from(value.as_str()).to_string()),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if position == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(fields) => {
                f.write_str("{")?;
                for (position, (key, value)) in fields.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", serde_json::Value::from(key.as_str()))?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_digits_and_escapes_are_kept() {
        let value = object([
            ("z", number("67000.120000000000000001")),
            ("a", text("say \"hi\"\n")),
            ("l", Json::List(vec![Json::Null, Json::Bool(true), Json::List(vec![])])),
        ]);
        let expected = r#"{"z":67000.120000000000000001,"a":"say \"hi\"\n","l":[null,true,[]]}"#;
        assert_eq!(value.to_string(), expected);
    }
}
