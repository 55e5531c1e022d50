//! Why a venue cannot be reached, as far as the layers below HTTP know, for the program and in an operator's words.

use super::way::Unpinned;
use publisher_core::quote::SourceFault;
use rustls::CertificateError as Bad;
use std::error::Error;
use std::io;

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved: {0}")]
pub(super) struct Unresolved(pub(super) String);

/// What the chain of causes holds that is known; its text is all of them without what holds the URL.
pub(super) fn cause(outermost: &(dyn Error + 'static)) -> Option<(SourceFault, String)> {
    let mut next = Some(outermost);
    while let Some(error) = next {
        if error.is::<Unresolved>() {
            return Some((SourceFault::Unresolved, error.to_string()));
        }
        if let Some(error) = error.downcast_ref() {
            return Some(handshake(error));
        }
        // What an error of input or output holds is not its cause: that is the cause of what it holds.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| -> &(dyn Error + 'static) { held }).or_else(|| error.source());
    }
    None
}

/// What a handshake came to grief by.
fn handshake(error: &rustls::Error) -> (SourceFault, String) {
    let (fault, words) = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                (SourceFault::CertificateExpired, "its certificate has ended, or has not begun")
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                (SourceFault::CertificateName, "its certificate is for another host")
            }
            Bad::UnknownIssuer => (
                SourceFault::CertificateUntrusted,
                "nobody whom this machine trusts has signed its certificate",
            ),
            _ => (SourceFault::Tls, "its certificate cannot be accepted"),
        },
        rustls::Error::Other(other) if other.0.is::<Unpinned>() => {
            return (SourceFault::TlsPinMismatch, other.0.to_string());
        }
        rustls::Error::InvalidMessage(_) => (SourceFault::Tls, "no TLS is spoken there"),
        _ => (SourceFault::Tls, "the TLS handshake failed"),
    };
    (fault, format!("{words}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this a layer that wraps its errors once more makes a generic one of each.
    #[test]
    fn f74_what_is_known_is_found_however_deep_it_is_wrapped() {
        let expired = rustls::Error::InvalidCertificate(Bad::Expired);
        let wrapped = io::Error::other(io::Error::other(expired));
        assert_eq!(cause(&wrapped).unwrap().0, SourceFault::CertificateExpired);
        let named = io::Error::other(Unresolved("no address".into()));
        let told = (SourceFault::Unresolved, "the name cannot be resolved: no address".to_owned());
        assert_eq!(cause(&named), Some(told));
        assert_eq!(cause(&io::Error::other("anything")), None);
    }
}
