//! A time that is added or taken away, as text: `+30s`, `-20s`.

use super::leaf::{kind, text};
use super::raw::{Fault, Kind, Leaf};
use super::secret::Lookup;
use publisher_core::time::Span;
use std::fmt;
use toml::de::DeValue;

/// Milliseconds that are added; negative: taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift(pub(super) i64);

impl Leaf for Shift {
    const KIND: Kind = kind(
        "signed duration",
        "a duration with its sign, e.g. \"+30s\" or \"-20s\"",
        r#"{"type":"string","pattern":"^[+-]?[0-9]+(ms|s|m|h|d)$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        let text = text::<Self>(value)?;
        let (is_less, length) = match text.strip_prefix('-') {
            Some(length) => (true, length),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let span: Option<Span> = length.parse().ok();
        let ms = span.and_then(|span| i64::try_from(span.ms()).ok());
        let ms = ms.ok_or_else(|| Fault::new("not a duration"))?;
        Ok(Self(if is_less { -ms } else { ms }))
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.0 {
            0 => "",
            1.. => "+",
            _ => "-",
        };
        write!(f, "{sign}{}", Span::from_ms(self.0.unsigned_abs()))
    }
}
