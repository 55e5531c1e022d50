//! From symbols to the URL of one request.

use url::{Url, form_urlencoded};

/// How the symbols get into a request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Path and query with `{symbols}`, or without it if the answer always holds every market.
    pub(super) path: String,
    /// How one symbol is written, with `{symbol}`.
    pub(super) each: String,
    /// What stands between two symbols.
    pub(super) join: String,
    /// More symbols than this need `path_all`.
    pub(super) symbols_max: usize,
    /// The request for every market of the venue.
    pub(super) path_all: Option<String>,
}

/// Where requests go.
pub(super) enum Target {
    /// To the first host that answers, for a list of symbols.
    Hosts { hosts: Vec<Url>, request: Request },
    /// To one URL as it stands.
    Url(Url),
}

impl Request {
    /// Whether this many symbols are listed in the request, or all markets asked for; `None` if neither can be.
    pub(super) fn lists(&self, count: usize) -> Option<bool> {
        if !self.path.contains("{symbols}") {
            Some(false)
        } else if count <= self.symbols_max {
            Some(true)
        } else {
            self.path_all.is_some().then_some(false)
        }
    }

    fn path<'a>(&self, count: usize, symbols: impl Iterator<Item = &'a str>) -> Option<String> {
        if !self.lists(count)? {
            return Some(
                self.path_all
                    .as_ref()
                    .filter(|_| self.path.contains("{symbols}"))
                    .unwrap_or(&self.path)
                    .clone(),
            );
        }
        let encode = |s: &str| form_urlencoded::byte_serialize(s.as_bytes()).collect::<String>();
        let list: Vec<_> = symbols.map(|symbol| self.each.replace("{symbol}", &encode(symbol))).collect();
        Some(self.path.replace("{symbols}", &list.join(&self.join)))
    }
}

impl Target {
    pub(super) fn lists(&self, count: usize) -> bool {
        match self {
            Self::Hosts { request, .. } => request.lists(count) == Some(true),
            Self::Url(_) => false,
        }
    }

    pub(super) fn url<'a>(
        &self,
        host: usize,
        count: usize,
        symbols: impl Iterator<Item = &'a str>,
    ) -> Option<Url> {
        match self {
            Self::Hosts { hosts, request } => {
                let base = hosts.get(host).or(hosts.first())?.as_str().trim_end_matches('/');
                Url::parse(&format!("{base}{}", request.path(count, symbols)?)).ok()
            }
            Self::Url(url) => Some(url.clone()),
        }
    }
}
