//! A token that a venue wants for each connection, asked for over HTTP before it is opened.
//!
//! It opens one connection and is never used again: venues let tokens expire, and one that was refused stays so.

use super::dial::Failure;
use crate::sources::budgets::{Budgets, Learned, LimitRule};
use crate::sources::decode;
use crate::sources::fetch::{Ask, Fetched, Method, fetch};
use crate::sources::guard::Http;
use crate::sources::limits::socket_fault;
use crate::sources::preset::PreRequest;
use crate::sources::way::Way;
use publisher_core::quote::SourceFault;
use publisher_core::time::{Span, Wall};
use reqwest::header::HeaderMap;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// The whole exchange.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A token and a few servers are small.
const BODY_MAX_BYTES: usize = 64 << 10;
/// Nobody puts more into a URL.
const TOKEN_MAX_BYTES: usize = 4096;

/// Where tokens are asked for.
#[derive(Clone, Debug)]
pub(in crate::sources) struct Counter {
    pub(in crate::sources) http: Http,
    /// The venue's HTTP hosts.
    pub(in crate::sources) hosts: Vec<Url>,
    /// The limits of those, and what is used of them.
    pub(in crate::sources) limits: Vec<LimitRule>,
    pub(in crate::sources) budgets: Budgets,
    /// What errors of the venue mean.
    pub(in crate::sources) answer: decode::Answer,
    /// The operator said where the socket is, so that what the venue says of it is not looked at.
    pub(in crate::sources) is_elsewhere: bool,
    /// How the venue is reached, here and where the sockets are.
    pub(in crate::sources) way: Way,
}

/// What the venue said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) value: String,
    /// Where to connect to.
    pub(super) host: Option<Url>,
    /// How often it wants a ping.
    pub(super) ping: Option<Span>,
}

impl Counter {
    /// Asks one of the hosts, another one each time.
    pub(super) async fn ask(
        &self,
        rule: &PreRequest,
        turn: usize,
        clock: &impl Fn() -> Wall,
    ) -> Result<Token, Failure> {
        let host = self.hosts.get(turn.checked_rem(self.hosts.len()).unwrap_or_default());
        let url = host.and_then(|host| {
            Url::parse(&format!("{}{}", host.as_str().trim_end_matches('/'), rule.path)).ok()
        });
        let url = url.ok_or_else(|| Failure::new("the URL of the request for a token cannot be built"))?;
        let deadline = Instant::now() + TIMEOUT;
        let base = host.map_or("", Url::as_str);
        if let Err(wait) = self.budgets.take_by(deadline, base, &self.limits, |_| rule.cost).await {
            let detail = format!("no token: held back for {wait} to stay within the venue's limits");
            return Err(Failure { status: Some(429), detail });
        }
        let (headers, body_max_bytes) = (HeaderMap::new(), BODY_MAX_BYTES);
        let ask =
            Ask { http: &self.http, method: Method::Post, url, headers: &headers, deadline, body_max_bytes };
        let fetched = fetch(ask, clock).await;
        let (headers, received, retry_after) = (&fetched.headers, fetched.received, fetched.retry_after);
        let fault = self.fault(rule, &fetched);
        self.budgets.learn(base, &self.limits, &Learned { headers, received, fault, retry_after });
        let failed = |reason: &str| Failure {
            status: fetched.status.filter(|status| *status != 200),
            detail: format!("no token: {reason}"),
        };
        let body = fetched.body.as_ref().map_err(|failure| failed(&failure.reason))?;
        read(rule, body, self.is_elsewhere).map_err(failed)
    }
}

impl Counter {
    /// What is wrong with an answer, in the venue's own words where it has them: who asks too often may be told so with
    /// status 200.
    fn fault(&self, rule: &PreRequest, fetched: &Fetched) -> Option<SourceFault> {
        let (status, body, fault) = match &fetched.body {
            Err(failure) => (fetched.status, &failure.body, failure.fault),
            Ok(body) if read(rule, body, self.is_elsewhere).is_err() => {
                (Some(200), body, SourceFault::VenueError)
            }
            Ok(_) => return None,
        };
        Some(status.map_or(fault, |status| self.answer.failed(status, body, fault).fault))
    }
}

/// Reads an answer. A host that is no place for sockets is an error, and so is one without TLS: what was asked for in
/// confidence is not continued in the open.
fn read(rule: &PreRequest, body: &[u8], is_elsewhere: bool) -> Result<Token, &'static str> {
    let body = decode::parse(body).map_err(|refusal| refusal.reason)?;
    if !rule.ok.iter().all(|check| check.holds(body, body).unwrap_or(false)) {
        return Err("the venue answers with an error");
    }
    let find = |place: &decode::Place| {
        let found: Option<&RawValue> = place.find(body, body).ok().flatten();
        found.and_then(decode::text)
    };
    let value = find(&rule.token).filter(|token| !token.is_empty() && token.len() <= TOKEN_MAX_BYTES);
    let value = value.ok_or("there is none in the answer")?.into_owned();
    let host = match rule.host.as_ref().filter(|_| !is_elsewhere) {
        Some(place) => {
            let url = find(place).and_then(|text| Url::parse(&text).ok());
            let url = url.filter(|url| socket_fault(url).is_none() && url.scheme() == "wss");
            Some(url.ok_or("the host in the answer is no wss URL")?)
        }
        None => None,
    };
    let ping = rule.ping_ms.as_ref().and_then(find).and_then(|text| text.parse().ok()).map(Span::from_ms);
    Ok(Token { value, host, ping })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::fuzz;
    use crate::sources::preset;
    use std::cell::Cell;

    const GOOD: &str = r#"{"code":"200000","data":{"token":"2neAiuYvAU61ZDXANAGAsiL4","instanceServers":[{"endpoint":
        "wss://ws-api-spot.kucoin.com/","encrypt":true,"protocol":"websocket","pingInterval":18000,"pingTimeout":10000}]}}"#;

    /// Without this a venue's answer, or whoever writes it, says where we connect to, and how.
    #[test]
    fn f76_an_answer_gives_a_token_and_a_host_or_nothing() {
        let stream = preset("kucoin").unwrap().stream.clone().unwrap();
        let rule = stream.pre_request.unwrap();
        let read = |body: &str| read(&rule, body.as_bytes(), false);
        let token = read(GOOD).unwrap();
        assert_eq!(token.value, "2neAiuYvAU61ZDXANAGAsiL4");
        assert_eq!(token.host.unwrap().as_str(), "wss://ws-api-spot.kucoin.com/");
        assert_eq!(token.ping, Some(Span::from_s(18)));
        let quiet = GOOD.replace("18000", "\"often\"");
        assert_eq!(read(&quiet).unwrap().ping, None);
        for (from, to) in [
            ("200000", "400100"),
            ("2neAiuYvAU61ZDXANAGAsiL4", ""),
            ("2neAiuYvAU61ZDXANAGAsiL4", &"x".repeat(TOKEN_MAX_BYTES + 1)),
            ("\"token\"", "\"tokens\""),
            ("wss://", "ws://"),
            ("wss://", "http://"),
            ("wss://", "wss://user:password@"),
            (".com/", ".com/?to=elsewhere"),
            ("\"endpoint\"", "\"end\""),
            ("{", "["),
        ] {
            assert!(read(&GOOD.replace(from, to)).is_err(), "{from} {to:.20}");
        }
        let elsewhere = super::read(&rule, GOOD.replace("wss://", "ws://").as_bytes(), true);
        assert_eq!(elsewhere.unwrap().host, None, "the operator's own place has no need of it");
    }

    /// Without this an answer that was cut or tampered with stops the daemon, or opens a socket without TLS.
    #[test]
    fn f47_f51_fuzz_tokens() {
        let rule = preset("kucoin").unwrap().stream.clone().unwrap().pre_request.unwrap();
        let found = Cell::new(0);
        fuzz("token", [GOOD.as_bytes().to_vec()], |bytes| {
            for is_elsewhere in [false, true] {
                let Ok(Token { value, host, .. }) = super::read(&rule, bytes, is_elsewhere) else { continue };
                assert!((1..=TOKEN_MAX_BYTES).contains(&value.len()), "{value}");
                let is_safe = |host: &Url| host.scheme() == "wss" && host.username().is_empty();
                assert!(
                    if is_elsewhere { host.is_none() } else { host.as_ref().is_some_and(is_safe) },
                    "{host:?}"
                );
                found.set(found.get() + 1);
            }
        });
        assert!(found.get() > 0, "no token was found");
    }
}
