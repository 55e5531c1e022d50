//! How a venue's hosts are reached, beside what their URLs say: through a proxy, and by which keys they are known.
//!
//! Invariants: TLS runs from here to the venue, whatever carries it; the scheme of a URL is never another one; what a
//! venue is known by is asked in addition to what every certificate is held to, never instead of it.

use super::problem::Problems;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use url::Url;

/// How a venue's hosts are reached; by default as everything is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// What carries every connection.
    pub proxy: Option<Proxy>,
    /// The keys of which a host has to show one; any key will do if there are none.
    pub pins: Vec<Pin>,
}

impl Way {
    /// Whether this URL can be asked this way: what is not encrypted is whoever's carries it, and has no key.
    pub(super) fn check(&self, key: &str, url: &Url, problems: &mut Problems) {
        if *self != Self::default() && !matches!(url.scheme(), "https" | "wss") {
            let reason = "is not encrypted, so that a proxy could change it, and no key be known";
            let hint = "use https and wss, or drop proxy and tls_spki_sha256";
            problems.add(key, super::limits::redacted(url), reason, hint);
        }
    }

    /// TLS that asks for the keys, if there are any; `None`: as for everybody.
    ///
    /// # Errors
    /// If this machine has no certificates that it trusts.
    pub(super) fn tls(&self) -> Result<Option<ClientConfig>, rustls::Error> {
        // Root certificates are read once a process, because a configuration may name many ways.
        static USUAL: LazyLock<Result<Arc<Verifier>, rustls::Error>> =
            LazyLock::new(|| Verifier::new(Arc::new(aws_lc_rs::default_provider())).map(Arc::new));
        if *self == Self::default() {
            return Ok(None);
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pinned = Pinned { pins: self.pins.clone(), usual: USUAL.clone()? };
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let verified = builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned));
        Ok(Some(verified.with_no_client_auth()))
    }
}

/// A proxy that carries connections: by HTTP's CONNECT, or SOCKS5 (RFC 1928). It resolves the names.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

/// Why a URL is no proxy, and what to do about it.
pub type NoProxy = (&'static str, &'static str);

impl Proxy {
    /// The proxy of `http://host:port` or `socks5://host:port`, perhaps with a user and password (RFC 1929, RFC 7617).
    ///
    /// # Errors
    /// If it is another kind of URL.
    pub fn new(url: Url) -> Result<Self, NoProxy> {
        if !matches!(url.scheme(), "http" | "socks5" | "socks5h") || url.host_str().is_none_or(str::is_empty)
        {
            return Err(("not an http or socks5 URL", "write e.g. \"socks5://127.0.0.1:1080\""));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(("has more than a host and a port", "keep scheme, user, host and port only"));
        }
        let too_long = |text: Option<String>| text.is_none_or(|text| text.len() > usize::from(u8::MAX));
        if too_long(decoded(url.username())) || url.password().is_some_and(|text| too_long(decoded(text))) {
            let hint = "use at most 255 bytes each, and %40 for @, %3A for :, %2F for /";
            return Err(("a user or password that cannot be sent", hint));
        }
        Ok(Self(url))
    }

    /// The whole URL. Do not print it.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether it speaks SOCKS5.
    pub(super) fn is_socks(&self) -> bool {
        self.0.scheme() != "http"
    }

    /// Where it is. The brackets of an IPv6 address belong to the URL only.
    pub(super) fn place(&self) -> (&str, u16) {
        let host = self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        // Those of HTTP and of SOCKS (RFC 1928).
        (host, self.0.port().unwrap_or(if self.is_socks() { 1080 } else { 80 }))
    }

    /// User and password.
    pub(super) fn credentials(&self) -> Option<(String, String)> {
        let is_there = !self.0.username().is_empty() || self.0.password().is_some();
        let both = || Some((decoded(self.0.username())?, decoded(self.0.password().unwrap_or_default())?));
        is_there.then(both).flatten()
    }

    /// The same for HTTP requests, which otherwise resolve the names of venues themselves.
    pub(super) fn of_requests(&self) -> Result<reqwest::Proxy, reqwest::Error> {
        match self.0.as_str().strip_prefix("socks5://") {
            Some(rest) => reqwest::Proxy::all(format!("socks5h://{rest}")),
            None => reqwest::Proxy::all(self.0.clone()),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::limits::redacted(&self.0))
    }
}

/// What stands for other bytes in a URL (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|n| u8::try_from(n).ok());
                digit()? << 4 | digit()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

/// The SHA-256 of a key's SubjectPublicKeyInfo, as RFC 7469 pins keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// What is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in base64 or hex")]
pub struct NoPin;

impl FromStr for Pin {
    type Err = NoPin;

    fn from_str(text: &str) -> Result<Self, NoPin> {
        let bytes = match text.len() {
            64 => alloy::hex::decode(text).map_err(|_| NoPin)?,
            _ => BASE64_STANDARD.decode(text).map_err(|_| NoPin)?,
        };
        bytes.try_into().map(Self).map_err(|_| NoPin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

/// The key that a host showed is none of those that it is known by.
#[derive(Debug, thiserror::Error)]
#[error("its key is {0}, which is none of tls_spki_sha256")]
pub(super) struct Unpinned(Pin);

/// Accepts what is accepted usually, if the key is one that is known, or none is asked for.
#[derive(Debug)]
struct Pinned {
    pins: Vec<Pin>,
    usual: Arc<Verifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let shown = Pin(sha256(&key)?);
        if self.pins.is_empty() || self.pins.contains(&shown) {
            return Ok(verified);
        }
        Err(rustls::Error::Other(OtherError(Arc::new(Unpinned(shown)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// The hash that the library's own suites of SHA-256 use, so that no other one is needed.
fn sha256(bytes: &[u8]) -> Result<[u8; 32], rustls::Error> {
    let suite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
    let hash = suite.map(|suite| suite.common.hash_provider.hash(bytes));
    let hash = hash.and_then(|hash| hash.as_ref().try_into().ok());
    hash.ok_or_else(|| rustls::Error::General("this build has no SHA-256".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this a pin with a slip is one that no key has, and the venue is lost at the next start.
    #[test]
    fn a_pin_is_a_hash_in_one_of_two_spellings() {
        // Of no bytes at all (FIPS 180-4).
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let pin: Pin = hex.parse().unwrap();
        assert_eq!(pin.to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_eq!(sha256(b"").unwrap(), pin.0);
        for text in ["", "47DEQ", &hex[2..], &format!("{hex}00"), &hex.replace('e', "g"), "sha256/47DEQpj8"] {
            assert_eq!(text.parse::<Pin>(), Err(NoPin), "{text}");
        }
    }

    /// Without this a password with a colon is half of one, and what a proxy cannot do is found out when it is needed.
    #[test]
    fn s12_a_proxy_is_a_place_and_perhaps_who_asks() {
        let proxy = |text: &str| Proxy::new(text.parse().unwrap());
        for (text, place, credentials) in [
            ("http://proxy.example", ("proxy.example", 80), None),
            ("http://10.0.0.1:3128/", ("10.0.0.1", 3128), None),
            ("socks5://[::1]", ("::1", 1080), None),
            ("socks5h://me@proxy:9", ("proxy", 9), Some(("me", ""))),
            ("socks5://me:p%40ss%3A%2f@proxy:9", ("proxy", 9), Some(("me", "p@ss:/"))),
        ] {
            let proxy = proxy(text).unwrap();
            let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
            assert_eq!((proxy.place(), proxy.credentials()), (place, credentials), "{text}");
            assert!(!format!("{proxy:?}").contains("me"), "{proxy:?}");
        }
        for text in [
            "https://proxy:443",
            "socks4://proxy:1080",
            "ftp://proxy",
            "socks5:proxy",
            "http://proxy/path",
            "http://proxy?to=elsewhere",
            "http://me:%zz@proxy",
            "http://me:%f@proxy",
            "http://me:%ff@proxy",
            &format!("socks5://{}@proxy", "x".repeat(256)),
        ] {
            assert!(proxy(text).is_err(), "{text}");
        }
    }
}
