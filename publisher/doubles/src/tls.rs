//! TLS as venues have it on bad days: certificates that have ended, are somebody else's or nobody's, and handshakes that
//! do not end.
//!
//! The certificates are made by `tls/make` and committed; a client that is to trust them trusts [`AUTHORITY`].

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate, in PEM, of the authority that has signed those of [`Tls::Good`], [`Tls::Expired`] and
/// [`Tls::Elsewhere`]. Its key is gone.
pub const AUTHORITY: &str = include_str!("../tls/ca.pem");

const KEY: &[u8] = include_bytes!("../tls/key.pem");

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
    /// What takes the handshakes of a server that gets so far.
    pub(crate) fn acceptor(self) -> io::Result<Option<TlsAcceptor>> {
        let chain: &[u8] = match self {
            Self::Good => include_bytes!("../tls/good.pem"),
            Self::Expired => include_bytes!("../tls/expired.pem"),
            Self::Elsewhere => include_bytes!("../tls/elsewhere.pem"),
            Self::SelfSigned => include_bytes!("../tls/self_signed.pem"),
            Self::Stalls | Self::Resets | Self::Plain => return Ok(None),
        };
        let certificate = CertificateDer::from_pem_slice(chain).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(KEY).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
            .map_err(io::Error::other)?;
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }
}
