//! One bounded HTTP request: total time, size of the body, no redirects, no other scheme.
//!
//! It answers what came over the wire and classifies what did not. It never says a URL, because paths and queries
//! may hold keys.

use super::civil;
use super::guard::Http;
use super::reach;
use publisher_core::quote::SourceFault;
use publisher_core::time::{Span, Wall};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use std::error::Error;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// So much of an error's body is looked at.
const ERROR_BODY_MAX: usize = 16 * 1024;
/// A longer wait than the longest ban known is not believed.
pub(super) const RETRY_AFTER_MAX: Span = Span::from_s(3 * 86_400);

/// What one request brought.
pub(super) struct Fetched {
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<Span>,
    /// Those of the answer, which say what is left of a limit.
    pub(super) headers: HeaderMap,
    /// Bytes of the body that were read.
    pub(super) bytes: usize,
    pub(super) received: Wall,
    pub(super) elapsed: Span,
    pub(super) body: Result<Vec<u8>, Failure>,
}

/// Why there is no body with status 200.
pub(super) struct Failure {
    pub(super) fault: SourceFault,
    pub(super) reason: String,
    /// The beginning of the body that came with another status.
    pub(super) body: Vec<u8>,
}

impl Failure {
    fn new(fault: SourceFault, reason: impl Into<String>) -> Self {
        Self { fault, reason: reason.into(), body: Vec::new() }
    }
}

/// How to ask. Nothing has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

/// What to ask and the limits of asking.
pub(super) struct Ask<'a> {
    pub(super) http: &'a Http,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: &'a HeaderMap,
    /// The whole exchange, including the last byte of the body, ends here.
    pub(super) deadline: Instant,
    pub(super) body_max_bytes: usize,
}

pub(super) async fn fetch(ask: Ask<'_>, clock: &impl Fn() -> Wall) -> Fetched {
    let started = Instant::now();
    let (mut status, mut retry_after, mut headers, mut bytes) = (None, None, HeaderMap::new(), 0);
    let exchange = async {
        let request = match ask.method {
            Method::Get => ask.http.client.get(ask.url),
            Method::Post => ask.http.client.post(ask.url),
        };
        let request = request.headers(ask.headers.clone());
        let mut response = request.send().await.map_err(|error| broken(&error, ask.http.is_proxied))?;
        status = Some(response.status().as_u16());
        headers = response.headers().clone();
        retry_after = wait(&headers, clock());
        if response.status() == StatusCode::OK {
            return read(&mut response, ask.body_max_bytes, &mut bytes).await;
        }
        let fault = fault_of(response.status().as_u16(), retry_after);
        let reason = format!("HTTP status {}", response.status().as_u16());
        let body = read(&mut response, ERROR_BODY_MAX, &mut bytes).await.unwrap_or_default();
        Err(Failure { fault, reason, body })
    };
    let body = match timeout_at(ask.deadline, exchange).await {
        Ok(body) => body,
        // An error whose body drips is still the error its status names.
        Err(_) => Err(match status {
            Some(status) if status != StatusCode::OK => {
                Failure::new(fault_of(status, retry_after), format!("HTTP status {status}"))
            }
            Some(_) => Failure::new(SourceFault::Timeout, "the body was not complete in time"),
            None => Failure::new(SourceFault::Timeout, "no answer in time"),
        }),
    };
    Fetched {
        status,
        retry_after,
        headers,
        bytes,
        received: clock(),
        elapsed: started.elapsed().into(),
        body,
    }
}

async fn read(response: &mut Response, max: usize, bytes: &mut usize) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::new(SourceFault::TooLarge, format!("the body is larger than {max} bytes"));
    if response.content_length().is_some_and(|length| usize::try_from(length).is_ok_and(|l| l > max)) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error, false))? {
        *bytes = bytes.saturating_add(chunk.len());
        if body.len().saturating_add(chunk.len()) > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a status other than 200 means by itself. Who forbids and says until when counts requests; a place on the map
/// has no end.
pub(super) fn fault_of(status: u16, retry_after: Option<Span>) -> SourceFault {
    match (status, retry_after) {
        (429, _) | (403, Some(_)) => SourceFault::RateLimited,
        (418, _) => SourceFault::Banned,
        (403 | 451, _) => SourceFault::GeoBlocked,
        _ => SourceFault::HttpStatus,
    }
}

/// Connection, name, TLS and protocol failures. The text is that of the innermost causes, without the URL.
fn broken(error: &reqwest::Error, is_proxied: bool) -> Failure {
    if let Some((fault, reason)) = error.source().and_then(reach::cause) {
        return match fault {
            // The one name that is resolved here.
            SourceFault::Unresolved if is_proxied => {
                Failure::new(SourceFault::Proxy, format!("the proxy cannot be reached: {reason}"))
            }
            fault => Failure::new(fault, reason),
        };
    }
    if error.is_connect() && error.is_timeout() {
        let reason = match is_proxied {
            false => "no connection in time, or no end of the TLS handshake",
            true => "no connection in time through the proxy, by its fault or the venue's",
        };
        return Failure::new(SourceFault::Timeout, reason);
    }
    let is_proxys = is_proxied && error.is_connect();
    let fault = match error.is_timeout() {
        true => SourceFault::Timeout,
        false if is_proxys => SourceFault::Proxy,
        false => SourceFault::Unreachable,
    };
    let mut reason = if is_proxys { "no way through the proxy".to_owned() } else { String::new() };
    let mut cause = error.source();
    while let Some(error) = cause {
        if !reason.is_empty() {
            reason.push_str(": ");
        }
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    Failure::new(fault, if reason.is_empty() { "the request could not be sent".to_owned() } else { reason })
}

/// `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3).
pub(super) fn wait(headers: &HeaderMap, now: Wall) -> Option<Span> {
    retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

fn retry_after(text: &str, now: Wall) -> Option<Span> {
    let span = match civil::number(text) {
        Some(seconds) => Span::from_s(u64::try_from(seconds).ok()?),
        None => civil::http_date(text)?.since(now),
    };
    Some(span.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = Wall::from_ms(784_111_777_000 - 30_000);
        for (text, expected) in [
            ("30", Some(Span::from_s(30))),
            ("0", Some(Span::ZERO)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(Span::from_s(30))),
            ("Sun, 06 Nov 1993 08:49:37 GMT", Some(Span::ZERO)),
            ("999999999999", Some(RETRY_AFTER_MAX)),
            ("Sun, 06 Nov 9999 08:49:37 GMT", Some(RETRY_AFTER_MAX)),
            ("99999999999999999999999", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), expected, "{text}");
        }
    }
}
