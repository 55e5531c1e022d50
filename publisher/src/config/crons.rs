//! Rounds at fixed times.

use super::raw::{Fault, Kind, Leaf, word};
use super::secret::Lookup;
use crate::calendar::Zone;
use publisher_core::policy::Slot;
use publisher_core::time::Span;
use std::sync::Arc;
use toml::de::DeValue;

/// More entries than any feed needs.
const LIST_MAX: usize = 32;

/// The entries of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crons(pub(super) Vec<Slot>);

impl Leaf for Crons {
    const KIND: Kind = Kind {
        name: "list of times",
        form: "e.g. [{ at = \"0 8 * * mon-fri\", tz = \"Europe/London\", jitter = \"30s\" }], or [] for none",
        schema: r#"{"type":"array","maxItems":32,"items":{"type":"object","required":["at"],"additionalProperties":false,"properties":{"at":{"type":"string"},"tz":{"type":"string"},"jitter":{"type":"string"}}}}"#,
        secret: false,
    };

    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        let mismatch = |value: &DeValue<'_>| Fault::new(format!("{} where times are needed", word(value)));
        let list = value.as_array().ok_or_else(|| mismatch(value))?;
        if list.len() > LIST_MAX {
            return Err(Fault::new(format!("more than {LIST_MAX} entries")).hint("shorten it"));
        }
        let slot = |value: &toml::Spanned<DeValue<'_>>| {
            let table = value.get_ref().as_table().ok_or_else(|| mismatch(value.get_ref()))?;
            if let Some(other) = table.keys().find(|key| !["at", "tz", "jitter"].contains(&&**key.get_ref()))
            {
                return Err(Fault::new(format!("{} is none of at, tz and jitter", other.get_ref())));
            }
            let text =
                |key: &str| table.get(key).map(|value| String::read(value.get_ref(), lookup)).transpose();
            let at = text("at")?.ok_or_else(|| Fault::new("there is no `at`"))?;
            let tz = text("tz")?.unwrap_or_else(|| "UTC".to_owned());
            let jitter = table.get("jitter").map(|value| Span::read(value.get_ref(), lookup)).transpose()?;
            let jitter = jitter.unwrap_or(Span::ZERO);
            let cron = at.parse().map_err(|fault| Fault::new(format!("{at:?}: {fault}")))?;
            let zone = Arc::new(Zone::named(&tz).map_err(Fault::new)?.offsets());
            let name = format!("{at} {tz} within {jitter}").into();
            Ok(Slot { name, at: cron, zone, jitter })
        };
        list.iter().map(slot).collect::<Result<_, _>>().map(Self)
    }
}
