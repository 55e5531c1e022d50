//! Which markets one socket is for, and what they are called on it.

use crate::sources::preset::{StreamPreset, Subscribe};
use publisher_core::quote::MarketId;
use publisher_core::time::Span;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::form_urlencoded;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) preset: Arc<StreamPreset>,
    /// What is asked for: the feeds' markets, and behind them a canary that is none of theirs, where the socket has no
    /// other one.
    pub(super) markets: Vec<MarketId>,
    /// So many of them are the feeds'.
    pub(super) own: usize,
    /// The stream's symbol of each.
    names: Vec<String>,
    /// The market that each text in a message stands for.
    pub(super) keys: BTreeMap<String, usize>,
    /// The market whose silence is the socket's.
    pub(super) canary: Option<usize>,
    /// How old a price is that comes without a time.
    pub(super) penalty: Span,
    /// The age at which the socket is replaced.
    pub(super) life: Span,
}

impl Plan {
    /// The plans of all sockets that these markets need. Markets that the stream cannot express are left to HTTP.
    pub(super) fn all(preset: &Arc<StreamPreset>, markets: &[MarketId], penalty: Span) -> Vec<Self> {
        let named = |market: &MarketId| Some((market.clone(), preset.naming.name(&market.symbol)?));
        let venue = markets.first().map(|market| market.venue.as_str());
        let canary = preset.canary.as_ref().zip(venue);
        let canary = canary.and_then(|(symbol, venue)| named(&MarketId::new(venue, symbol)));
        let named: Vec<_> = markets.iter().filter_map(named).collect();
        sockets(&named, preset.symbols_per_connection.max(1), canary.as_ref())
            .into_iter()
            .zip(0u64..)
            .map(|((part, guard), number)| {
                let own = part.len();
                let (markets, names): (Vec<_>, Vec<_>) = part.iter().chain(guard).cloned().unzip();
                let topic = |name: &String| preset.topic.replace("{symbol}", name);
                let keys = names.iter().enumerate();
                let keys = keys.flat_map(|(at, name)| [(topic(name), at), (name.clone(), at)]).collect();
                // Symbols may be spelled in several ways, of which the stream has one.
                let canary =
                    canary.as_ref().and_then(|(_, canary)| names.iter().position(|name| name == canary));
                // Sockets that were opened together do not end together.
                let earlier = Span::from_ms(preset.life.ms() / 48 * (number % 12) / 12);
                let life = preset.life.less(earlier);
                Self { preset: Arc::clone(preset), markets, own, names, keys, canary, penalty, life }
            })
            .collect()
    }

    /// The feeds' markets.
    pub(super) fn feeds(&self) -> &[MarketId] {
        self.markets.get(..self.own).unwrap_or_default()
    }

    /// What follows the host, with a token where the venue wants one.
    pub(super) fn path(&self, token: &str) -> String {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let names: Vec<_> = self.names.iter().map(|name| encode(name)).collect();
        self.preset.path.replace("{symbols}", &names.join(",")).replace("{token}", &encode(token))
    }

    /// The frame that subscribes to these, before its numbers are filled in.
    pub(super) fn frame(&self, subscribe: &Subscribe, markets: &[usize]) -> String {
        let names = markets.iter().filter_map(|at| self.names.get(*at));
        let each = |name: &String| {
            let topic = self.preset.topic.replace("{symbol}", name);
            subscribe.each.replace("{topic}", &topic).replace("{symbol}", name)
        };
        let list: Vec<_> = names.map(each).collect();
        subscribe.text.replace("{symbols}", &list.join(&subscribe.join))
    }
}

/// A market and the stream's symbol of it.
type Named = (MarketId, String);

/// What each socket is for, at most so many markets, and the canary that is to be asked for as well: a socket whose own
/// markets are all rare could not be told from a dead one. Where a socket takes one market only there is no room for it.
fn sockets<'a>(
    mut rest: &'a [Named],
    most: usize,
    canary: Option<&'a Named>,
) -> Vec<(&'a [Named], Option<&'a Named>)> {
    let mut sockets = Vec::new();
    while !rest.is_empty() {
        let (full, _) = rest.split_at(most.min(rest.len()));
        let guard = canary.filter(|(_, name)| most > 1 && full.iter().all(|(_, other)| other != name));
        let room = most - usize::from(guard.is_some());
        let (part, others) = rest.split_at(room.min(rest.len()));
        sockets.push((part, guard));
        rest = others;
    }
    sockets
}
