//! One socket, heard for a while and kept as it came.

use super::script::{Frame, FrameBody};
use super::session::Session;
use super::{Hosts, Jitter, Line, Step, Talk, Told, step};
use publisher_core::price::Price;
use publisher_core::quote::{MarketId, Observation};
use publisher_core::time::{Mono, Span, Wall};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// So much is kept at most.
const KEPT_MAX_BYTES: usize = 8 << 20;

/// What came over a socket.
#[derive(Debug)]
pub struct Recording {
    /// When it was opened.
    pub opened: Wall,
    /// Every text and binary frame, in the order in which they came.
    pub frames: Vec<Frame>,
    /// The last price of each market that gave one.
    pub prices: BTreeMap<MarketId, Price>,
    /// Bytes in them.
    pub bytes: usize,
    /// Why it ended before its time, if it did.
    pub ended: Option<&'static str>,
}

/// When a socket has been heard for long enough, before its time is over.
#[derive(Clone, Copy, Debug)]
pub enum Enough {
    /// So many frames have come.
    Frames(usize),
    /// Each of its markets has given a price.
    Prices,
}

impl Line {
    /// Opens one socket, subscribes to the line's markets, and keeps what comes until so much time has passed or that is
    /// enough. It answers what has to be answered, as [`Line::listen`] does.
    ///
    /// # Errors
    /// If none of the venue's hosts gives a socket: why, in words.
    pub async fn record(
        &self,
        clock: impl Fn() -> Wall + Sync,
        most: Span,
        enough: Enough,
    ) -> Result<Recording, String> {
        let mut hosts = Hosts { line: self, clock: &clock, at: 0, blocked: 0, jitter: Jitter::new(0) };
        let (socket, ping) = loop {
            match hosts.dial(Span::ZERO).await {
                Ok(dialed) => break dialed,
                Err(failure) if hosts.at + 1 >= self.hosts.len() => return Err(failure.detail),
                Err(_) => hosts.at += 1,
            }
        };
        let (opened, began) = (clock(), Instant::now());
        let mono = || Mono::from_ms(Span::from(began.elapsed()).ms());
        let session = Session::new(Arc::clone(&self.plan), mono()).pinging(ping);
        let mut talk = Talk::new(socket, session);
        let mut kept =
            Recording { opened, frames: Vec::new(), prices: BTreeMap::new(), bytes: 0, ended: None };
        let wake = |talk: &Talk| began + talk.session.wake_at(mono()).since(Mono::default()).into();
        let end = sleep_until(began + most.into());
        tokio::pin!(end);
        let is_enough = |kept: &Recording| match enough {
            Enough::Frames(count) => kept.frames.len() >= count,
            Enough::Prices => kept.prices.len() >= self.markets().len(),
        };
        while !is_enough(&kept) && kept.bytes < KEPT_MAX_BYTES {
            let step = tokio::select! {
                () = &mut end => break,
                step = step(Some(&mut talk), wake) => step,
            };
            let now = mono();
            let body = match &step {
                // A text that is none is no message of the protocol, and the library ends the socket for it.
                Step::Text(text) => {
                    std::str::from_utf8(text).ok().map(|text| FrameBody::Text(text.to_owned()))
                }
                Step::Binary(bytes) => Some(FrameBody::Packed(bytes.to_vec())),
                _ => None,
            };
            if let Some(body) = body {
                kept.bytes += body.len();
                kept.frames.push(Frame { at: now, body });
            }
            let prices = &mut kept.prices;
            let mut told = |told: Told<'_>| {
                let Told::Quotes(observations) = told else { return };
                for observation in observations {
                    let Observation::Quote(quote) = observation else { continue };
                    prices.extend(quote.price().ok().map(|price| (quote.market.clone(), price)));
                }
            };
            if let Some((_, detail)) = talk.act(step, now, clock(), &mut told) {
                kept.ended = Some(detail);
                break;
            }
        }
        Ok(kept)
    }
}
