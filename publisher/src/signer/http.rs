//! One bounded exchange with a remote signer.

use super::SignError;
use publisher_core::tx::SignFault;
use reqwest::{RequestBuilder, StatusCode};
use std::error::Error;
use std::fmt;
use url::Url;

/// An answer beyond this many bytes is refused; init code that is echoed comes on top.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// A foreign message is shown up to this many characters.
const MESSAGE_LIMIT: usize = 200;

/// Parts of a URL at least this long are taken for secrets when a signer repeats them.
const SECRET_LENGTH: usize = 8;

/// The way to every remote signer. Certificates and connections are kept once, however many accounts there are.
#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

impl Client {
    /// Follows no redirect, uses no proxy of the environment and repeats nothing.
    ///
    /// # Errors
    /// If the machine has no certificates that TLS could be checked with.
    pub fn new() -> Result<Self, SignError> {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .build()
            .map(Self)
            .map_err(|error| SignError::new(SignFault::Policy, format!("TLS: {}", chain_of(&error))))
    }
}

/// One signer's address, and the way there.
pub(super) struct Http {
    client: reqwest::Client,
    url: Url,
}

/// An answer that is worth reading: success, or a client error that may say why.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Http {
    pub(super) fn new(url: &Url, client: &Client) -> Result<Self, SignError> {
        let unusable = |reason: &str| {
            let detail = format!("url {}: {reason}; write e.g. http://127.0.0.1:9000", shown(url));
            SignError::new(SignFault::Policy, detail)
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(unusable("only http and https are spoken"));
        }
        Ok(Self { client: client.0.clone(), url: url.clone() })
    }

    /// The configured address itself.
    pub(super) fn post(&self) -> RequestBuilder {
        self.client.post(self.url.clone())
    }

    /// A path below the configured address.
    pub(super) fn post_to(&self, path: &[&str]) -> RequestBuilder {
        self.client.post(self.below(path))
    }

    /// A path below the configured address.
    pub(super) fn get(&self, path: &[&str]) -> RequestBuilder {
        self.client.get(self.below(path))
    }

    fn below(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        // An http URL always has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Sends the request and reads at most `limit` bytes of the answer.
    pub(super) async fn exchange(&self, request: RequestBuilder, limit: usize) -> Result<Answer, SignError> {
        let broken = |e: reqwest::Error| {
            SignError::new(SignFault::Unavailable, format!("not reached: {}", chain_of(&e.without_url())))
        };
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(SignError::new(
                SignFault::BadAnswer,
                format!(
                    "it redirects (HTTP {}), which is never followed; configure the final address",
                    status.as_u16()
                ),
            ));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err(SignError::new(
                    SignFault::BadAnswer,
                    format!("its answer is longer than {limit} bytes"),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Err(self.unavailable(status, &body))
            }
            status if status.is_server_error() => Err(self.unavailable(status, &body)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(SignError::new(
                SignFault::Refused,
                format!(
                    "it turned us away (HTTP {}): {}; Web3Signer answers only hosts on its --http-host-allowlist",
                    status.as_u16(),
                    self.quoted(&String::from_utf8_lossy(&body)),
                ),
            )),
            status => Ok(Answer { status, body }),
        }
    }

    fn unavailable(&self, status: StatusCode, body: &[u8]) -> SignError {
        let said = self.quoted(&String::from_utf8_lossy(body));
        SignError::new(
            SignFault::Unavailable,
            format!("it is not able to sign now (HTTP {}): {said}", status.as_u16()),
        )
    }

    /// Foreign words, fit to be shown: short, on one line, without what our URL keeps secret.
    pub(super) fn quoted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in secrets(&self.url) {
            text = text.replace(&secret, "…");
        }
        let plain: String =
            text.chars().take(MESSAGE_LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{:?}", plain.trim())
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.url))
    }
}

/// Scheme, host and port: nothing else of a URL is ever shown.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or("?"))
}

fn secrets(url: &Url) -> Vec<String> {
    let mut parts: Vec<String> = url.path_segments().into_iter().flatten().map(str::to_owned).collect();
    parts.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    parts.push(url.username().to_owned());
    parts.extend(url.password().map(str::to_owned));
    parts.retain(|part| part.len() >= SECRET_LENGTH);
    parts
}

/// An error with its causes, which reqwest leaves to the reader.
fn chain_of(error: &dyn Error) -> String {
    std::iter::successors(error.source(), |cause| (*cause).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
