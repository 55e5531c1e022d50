//! What a feed is allowed to do while its market has some status, as text: `heartbeat_only`, `widen:3x`.

use super::leaf::{kind, multiple, text};
use super::raw::{Fault, Kind, Leaf};
use super::secret::Lookup;
use publisher_core::policy::Conduct;
use publisher_core::price::Ratio;
use toml::de::DeValue;

/// What a feed does while its market is not simply open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed(pub(super) Conduct);

/// Thresholds widen by no more than this many times: what is meant by more is `heartbeat_only`.
const WIDEN_MAX: u64 = 1_000;

impl Leaf for Allowed {
    const KIND: Kind = kind(
        "conduct",
        "\"normal\", \"widen:3x\", \"switch_source\", \"heartbeat_only\" or \"freeze\"",
        r#"{"type":"string","pattern":"^(normal|switch_source|heartbeat_only|freeze|widen:[0-9]+([.][0-9]+)?x)$"}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        Ok(Self(match text::<Self>(value)? {
            "normal" => Conduct::Normal,
            "switch_source" => Conduct::SwitchSource,
            "heartbeat_only" => Conduct::HeartbeatOnly,
            "freeze" => Conduct::Freeze,
            other => {
                let factor =
                    other.strip_prefix("widen:").ok_or_else(|| Fault::new("not one of the choices"))?;
                let factor = multiple(factor)?;
                let max = Ratio::from_ppb(Ratio::ONE.ppb() * WIDEN_MAX);
                if factor <= Ratio::ONE || factor > max {
                    let hint = format!("write more than 1x and at most {WIDEN_MAX}x");
                    return Err(Fault::new("thresholds would not widen, or never fire").hint(hint));
                }
                Conduct::Widen(factor)
            }
        }))
    }
}
