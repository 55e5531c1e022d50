//! The keys that say how a venue is reached.

use super::leaf::{expanded, kind, text};
use super::raw::{Fault, Kind, Leaf};
use super::secret::Lookup;
use crate::sources::{Pin, Proxy};
use toml::de::DeValue;
use url::Url;

/// A key of now and one that is to come, for a few hosts.
const PINS_MAX: usize = 8;

impl Leaf for Proxy {
    const KIND: Kind = Kind {
        name: "proxy",
        form: "an http or socks5 URL, e.g. \"socks5://me:${PASSWORD}@127.0.0.1:1080\"",
        schema: r#"{"type":"string"}"#,
        secret: true,
    };
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault> {
        let url = Url::parse(&expanded::<Self>(value, lookup)?);
        let url = url.map_err(|error| Fault::new(format!("not a URL: {error}")))?;
        Self::new(url).map_err(|(reason, hint)| Fault::new(reason).hint(hint))
    }
}

impl Leaf for Vec<Pin> {
    const KIND: Kind = kind(
        "list of keys",
        "a list of SHA-256 hashes in base64 or hex, e.g. [\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]",
        r#"{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":8}"#,
    );
    fn read(value: &DeValue<'_>, _: &Lookup<'_>) -> Result<Self, Fault> {
        let list = value.as_array().filter(|list| (1..=PINS_MAX).contains(&list.len()));
        let list = list.ok_or_else(|| Fault::new(format!("not a list of one to {PINS_MAX} texts")))?;
        let pin = |value: &toml::Spanned<DeValue<'_>>| {
            text::<Self>(value.get_ref())?.parse().map_err(|error| Fault::new(format!("{error}")))
        };
        list.iter().map(pin).collect()
    }
}
