//! Headers of venues, which say how much is left and when to come again.

use super::super::fetch::{self, RETRY_AFTER_MAX};
use super::super::governor::{Budget, Refused};
use super::super::presets;
use crate::fuzz::fuzz;
use publisher_core::time::{Mono, Span, Wall};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const NOW: Wall = Wall::from_ms(1_772_807_401_000);
const EVERY: Span = Span::from_s(1);

/// The headers of lines `name: value`; what is none is left out, as the HTTP library does.
fn headers(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b": ").unwrap_or_default();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// Whatever headers say, a venue is asked again within four of its periods or the longest ban there is, and never more
/// often than planned.
#[test]
fn f51_fuzz_headers() {
    let rules: Vec<_> = presets().iter().flat_map(|preset| &preset.limits).collect();
    fuzz("headers", [], |input| {
        let headers = headers(input);
        let retry_after = fetch::wait(&headers, NOW);
        assert!(retry_after.is_none_or(|wait| wait <= RETRY_AFTER_MAX));
        for rule in &rules {
            let mut now = Mono::default();
            let mut budget = Budget::new(rule.limit, now);
            let longest = rule.limit.per.times(4).max(RETRY_AFTER_MAX);
            for refused in [None, Some(Refused::RateLimited), Some(Refused::Banned)] {
                budget.told(rule.told(&headers, NOW), now);
                if let Some(refused) = refused {
                    budget.refused(refused, retry_after, now);
                }
                assert!(budget.pace(EVERY, 1, now) >= EVERY);
                let from = now;
                loop {
                    let wait = budget.wait(1, now);
                    if wait == Span::ZERO {
                        break;
                    }
                    now = now + wait;
                    assert!(now.since(from) <= longest, "{} is left alone for {wait}", rule.class);
                }
            }
        }
    });
}
