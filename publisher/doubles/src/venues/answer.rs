//! A request to a venue and the venue's answer, before anything goes wrong on the wire.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::row::Row;
use crate::json::Json;

/// What was asked, below the venue's prefix.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    /// The path without the venue's prefix, beginning with a slash.
    pub(crate) path: &'a str,
    /// Decoded query parameters in their order; a name may repeat.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: &'a HeaderMap,
}

impl Ask<'_> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path's segments.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.trim_start_matches('/').split('/').collect()
    }
}

/// What the venue says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The markets whose prices are in the body.
    pub(crate) rows: Vec<Row>,
}

impl Answer {
    /// A JSON body that shows the prices of `rows`.
    pub(crate) fn json(status: StatusCode, body: &Json, rows: &[&Row]) -> Self {
        Self {
            rows: rows.iter().map(|row| (*row).clone()).collect(),
            ..Self::text(status, "application/json", body.to_string())
        }
    }

    pub(crate) fn text(status: StatusCode, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type, body: body.into(), headers: vec![], rows: vec![] }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The HTTP response. A header value that HTTP cannot carry is left out.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
