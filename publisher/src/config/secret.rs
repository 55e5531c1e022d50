//! Text that must not be printed, and where it comes from.
//!
//! A URL or header may hold `${NAME}`, an environment variable, or `${file:PATH}`, a file, so that no secret has to
//! stand in the configuration. What they stand for appears in no message, no `Debug` and no effective configuration.

use std::fmt;
use std::io::Read;
use std::path::Path;
use url::Url;

/// A secret in a file is not larger than this.
const FILE_MAX_BYTES: u64 = 64 << 10;

/// An address whose path, query and user may be secret: shown as scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    pub(super) fn new(url: Url) -> Self {
        Self(url)
    }

    /// The whole URL. Do not print it.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether what it says travels in clear text to a machine that is not this one's neighbour.
    pub(super) fn is_exposed(&self) -> bool {
        matches!(self.0.scheme(), "http" | "ws") && !is_private(&self.0)
    }
}

/// Whether a database is reached over other people's networks without having to encrypt.
pub(super) fn is_exposed_database(url: &Url) -> bool {
    let encrypts = |(key, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        matches!(key.as_ref(), "sslmode" | "ssl-mode")
            && matches!(value.as_ref(), "require" | "verify-ca" | "verify-full")
    };
    !is_private(url) && !url.query_pairs().any(encrypts)
}

/// A loopback or private address, or a name without a dot or of a zone that no public server has.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => !crate::sources::is_public(ip.into()),
        Some(url::Host::Ipv6(ip)) => !crate::sources::is_public(ip.into()),
        // A URL that is not of the web does not parse addresses.
        Some(url::Host::Domain(name)) if name.parse::<std::net::IpAddr>().is_ok() => {
            name.parse().is_ok_and(|ip| !crate::sources::is_public(ip))
        }
        Some(url::Host::Domain(name)) => {
            !name.contains('.')
                || [".local", ".internal", ".localhost", ".lan", ".test"]
                    .iter()
                    .any(|zone| name.ends_with(zone))
        }
        None => false,
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text. Do not print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

/// Where references are looked up.
pub(super) struct Lookup<'a> {
    /// The environment.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// What relative paths are relative to.
    pub(super) folder: &'a Path,
}

impl Lookup<'_> {
    /// Replaces `${NAME}` and `${file:PATH}`. An error names the reference, never a value.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("a ${ without its }")?;
            out.push_str(before);
            out.push_str(&match name.strip_prefix("file:") {
                Some(path) => self.file(path)?,
                None => (self.variable)(name)
                    .ok_or_else(|| format!("the environment variable {name:?} is not set"))?,
            });
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// A file's text without the line end that editors add.
    fn file(&self, path: &str) -> Result<String, String> {
        let path = self.folder.join(path);
        let fail = |why: &str| format!("the file {} {why}", path.display());
        // A pipe or device may never end.
        if !std::fs::metadata(&path).map_err(|e| fail(&format!("cannot be read: {e}")))?.is_file() {
            return Err(fail("is not a plain file"));
        }
        let mut text = String::new();
        let read =
            std::fs::File::open(&path).and_then(|f| f.take(FILE_MAX_BYTES + 1).read_to_string(&mut text));
        match read {
            Ok(bytes) if u64::try_from(bytes).is_ok_and(|n| n <= FILE_MAX_BYTES) => {
                Ok(text.trim_end_matches(['\n', '\r']).to_owned())
            }
            Ok(_) => Err(fail("is larger than 64 KiB")),
            Err(error) => Err(fail(&format!("cannot be read: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let variable = |name: &str| (name == "KEY").then(|| "${KEY}hunter2".to_owned());
        Lookup { variable: &variable, folder: Path::new(env!("CARGO_MANIFEST_DIR")) }.expand(text)
    }

    #[test]
    fn references_are_replaced_once_and_named_when_they_lead_nowhere() {
        assert_eq!(expand("a$b{}c").unwrap(), "a$b{}c");
        assert_eq!(expand("a${KEY}b${KEY}").unwrap(), "a${KEY}hunter2b${KEY}hunter2");
        assert_eq!(expand("${NO}").unwrap_err(), "the environment variable \"NO\" is not set");
        assert_eq!(expand("${KEY").unwrap_err(), "a ${ without its }");
        assert!(expand("${file:src/lib.rs}").unwrap().starts_with("//!"));
        assert!(expand("${file:src}").unwrap_err().ends_with("is not a plain file"));
        assert!(expand("${file:/dev/zero}").unwrap_err().ends_with("is not a plain file"));
        assert!(expand("${file:nowhere}").unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let endpoint =
            Endpoint::new("https://me:hunter2@rpc.example:8545/v3/hunter2?k=hunter2".parse().unwrap());
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://rpc.example:8545 https://rpc.example:8545");
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret} {secret:?}"), "hidden hidden");
    }

    #[test]
    fn clear_text_may_stay_in_the_house() {
        for (url, exposed) in [
            ("http://127.0.0.1:8545", false),
            ("http://localhost", false),
            ("http://10.1.2.3", false),
            ("http://[::1]:1", false),
            ("http://besu:8545", false),
            ("http://signer.internal", false),
            ("http://8.8.8.8", true),
            ("http://rpc.example.com", true),
            ("https://rpc.example.com", false),
        ] {
            assert_eq!(Endpoint::new(url.parse().unwrap()).is_exposed(), exposed, "{url}");
        }
    }
}
