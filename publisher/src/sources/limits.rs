//! Limits and forms of what an operator may set: durations and URLs.

use super::problem::Problems;
use publisher_core::time::Span;
use url::Url;

/// Shortest and longest interval between polls of a source.
pub(super) const EVERY: (Span, Span) = (Span::from_ms(100), Span::from_s(3600));
/// Shortest and longest time for one poll.
pub(super) const TIMEOUT: (Span, Span) = (Span::from_ms(100), Span::from_s(60));

/// Shortest and longest time between two looks at a venue's list of markets.
pub(super) const LISTS_EVERY: (Span, Span) = (Span::from_s(1), Span::from_s(86_400));

/// Scheme, host, port and perhaps a path in front of the venue's own; nothing that a path cannot follow.
pub(super) fn base_url(path: &str, text: &str, problems: &mut Problems) -> Option<Url> {
    let url = problems.keep(path, text, Url::parse(text), "write e.g. https://api.example.com")?;
    match base_fault(&url) {
        None => Some(url),
        Some((reason, hint)) => {
            problems.add(path, redacted(&url), reason, hint);
            None
        }
    }
}

/// Why requests cannot start with this URL.
pub(super) fn base_fault(url: &Url) -> Option<(&'static str, &'static str)> {
    url_fault(url).or_else(|| {
        let bare = url.query().is_none() && url.fragment().is_none();
        (!bare).then_some(("has a query or fragment", "keep scheme, host, port and path only"))
    })
}

/// Why this URL cannot be asked at all.
pub(super) fn url_fault(url: &Url) -> Option<(&'static str, &'static str)> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        Some(("not an http or https URL", "write e.g. https://api.example.com"))
    } else if !url.username().is_empty() || url.password().is_some() {
        Some(("holds a user name or password", "put credentials into headers, which are never printed"))
    } else {
        None
    }
}

/// Why no WebSocket can be opened below this URL.
pub(super) fn socket_fault(url: &Url) -> Option<(&'static str, &'static str)> {
    if !matches!(url.scheme(), "ws" | "wss") || url.host().is_none() {
        Some(("not a ws or wss URL", "write e.g. wss://ws.example.com"))
    } else if !url.username().is_empty() || url.password().is_some() {
        Some(("holds a user name or password", "the streams of public prices need none"))
    } else if url.query().is_some() || url.fragment().is_some() {
        Some(("has a query or fragment", "keep scheme, host, port and path only"))
    } else {
        None
    }
}

/// Scheme, host and port: paths and queries of URLs may hold keys and are never printed.
pub(super) fn redacted(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// A duration within limits.
pub(super) fn span(path: &str, text: &str, limits: (Span, Span), problems: &mut Problems) -> Option<Span> {
    let span = problems.keep(path, text, text.parse::<Span>(), "e.g. 2s")?;
    within(path, span, limits, problems)
}

/// The duration, if it is within limits.
pub(super) fn within(path: &str, span: Span, limits: (Span, Span), problems: &mut Problems) -> Option<Span> {
    if span < limits.0 || span > limits.1 {
        problems.add(path, span.to_string(), "out of range", format!("use {} to {}", limits.0, limits.1));
        return None;
    }
    Some(span)
}
