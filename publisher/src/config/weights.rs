//! What the votes of families count.

use super::raw::{Fault, Kind, Leaf, word};
use super::secret::Lookup;
use std::collections::BTreeMap;
use toml::de::DeValue;

/// A weight is a small whole number: only the proportions matter.
const WEIGHT_MAX: u32 = 1000;

/// What votes count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// All the same.
    Equal,
    /// By what venues say about their volume.
    Volume,
    /// As written, by family.
    Fixed(BTreeMap<String, u32>),
}

impl Leaf for Weights {
    const KIND: Kind = Kind {
        name: "weights",
        form: "\"equal\", \"volume\", or a whole number from 1 to 1000 for each family, e.g. { kraken = 2, acme = 1 }",
        schema: r#"{"anyOf":[{"enum":["equal","volume"]},{"type":"object","additionalProperties":{"type":"integer","minimum":1,"maximum":1000}}]}"#,
        secret: false,
    };

    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        let Some(table) = value.as_table() else {
            return match value.as_str() {
                Some("equal") => Ok(Self::Equal),
                Some("volume") => Ok(Self::Volume),
                Some(_) => Err(Fault::new("not one of the choices")),
                None => Err(Fault::new(format!("{} where weights are needed", word(value)))),
            };
        };
        let weights = table.iter().map(|(family, weight)| {
            let weight = u32::read(weight.get_ref(), lookup)?;
            match (1..=WEIGHT_MAX).contains(&weight) {
                true => Ok((family.get_ref().to_string(), weight)),
                false => Err(Fault::new(format!("{weight} is no weight"))),
            }
        });
        weights.collect::<Result<_, _>>().map(Self::Fixed)
    }
}
