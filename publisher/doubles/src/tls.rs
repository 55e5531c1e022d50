//! TLS as venues have it on bad days: certificates that have ended, are somebody else's or nobody's, and handshakes that
//! do not end.
//!
//! A client that is to trust the good ones trusts [`authority`].

use std::io;
use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData as _,
    date_time_ymd,
};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Made anew by every process, so that there is no key that somebody might trust.
static AUTHORITY: LazyLock<Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error>> = LazyLock::new(|| {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // A name of its own, or what signs itself under the same one would look like something that it has signed badly.
    params.distinguished_name.push(DnType::CommonName, "authority of the doubles");
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
});

fn issuer() -> io::Result<&'static CertifiedIssuer<'static, KeyPair>> {
    AUTHORITY.as_ref().map_err(io::Error::other)
}

/// The certificate, in PEM, of the authority that has signed those of [`Tls::Good`], [`Tls::Expired`] and
/// [`Tls::Elsewhere`] in this process.
///
/// # Errors
/// This machine gives no random numbers.
pub fn authority() -> io::Result<String> {
    Ok(issuer()?.pem())
}

/// How a server meets clients before there is any HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// With a certificate for `localhost` and 127.0.0.1, until 2126.
    Good,
    /// With one that ended with 2020.
    Expired,
    /// With one for `other.example`.
    Elsewhere,
    /// With one for this host that nobody but itself has signed.
    SelfSigned,
    /// It takes the connection, and says nothing.
    Stalls,
    /// It resets the connection as soon as the client has begun.
    Resets,
    /// It answers the handshake in plain HTTP.
    Plain,
}

impl Tls {
    /// What takes the handshakes of a server that gets so far, and the SHA-256 of its key in hex (RFC 7469).
    pub(crate) fn acceptor(self) -> io::Result<Option<(TlsAcceptor, String)>> {
        let names = match self {
            Self::Good | Self::Expired | Self::SelfSigned => &["localhost", "127.0.0.1"][..],
            Self::Elsewhere => &["other.example"],
            Self::Stalls | Self::Resets | Self::Plain => return Ok(None),
        };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        if self == Self::Expired {
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let signed = match self {
            Self::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, issuer()?),
        };
        let certificate: CertificateDer<'static> = signed.map_err(io::Error::other)?.into();
        let hash = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
        let hash = hash.ok_or_else(|| io::Error::other("no SHA-256"))?.common.hash_provider;
        let hash = hash.hash(&key.subject_public_key_info());
        let hash = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
            .map_err(io::Error::other)?;
        Ok(Some((TlsAcceptor::from(Arc::new(config)), hash)))
    }
}
