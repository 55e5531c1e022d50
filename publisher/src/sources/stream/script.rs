//! What a venue said over a WebSocket, and what its preset is expected to make of it: a socket without a network.
//!
//! A script is heard by the session that listens to the venue, on a clock of the script's own, so that what it gives is
//! the same on every machine and in every year. What is recorded is heard in the same way, and what it gives then is
//! what is expected from then on.

use super::plan::Plan;
use super::session::{Action, Kind, Session};
use crate::sources::fixtures::Reading;
use crate::sources::preset::{Preset, StreamPreset};
use crate::sources::problem::{Problems, SourceSetupError};
use alloy::primitives::hex;
use publisher_core::price::Price;
use publisher_core::quote::{MarketId, Quote};
use publisher_core::time::{Mono, Span, Wall};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// 2026-01-01T00:00:00Z: when the socket was opened where nothing else is said.
const OPENED: Wall = Wall::from_ms(1_767_225_600_000);
/// The frames that subscribe are written within this, or within what they take at the venue's pace.
const SUBSCRIBED: Span = Span::from_s(2);
/// A script is no longer, so that one of fancy ends.
const LENGTH_MAX: Span = Span::from_s(86_400);

/// A file of messages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sources) struct Script {
    /// The markets, as the venue's HTTP interface spells them.
    pub(super) symbols: Vec<String>,
    /// When the socket was opened, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now_ms: Option<i64>,
    /// The frames that subscribe to them.
    written: Vec<String>,
    /// Markets that are subscribed to after all messages.
    live: usize,
    pub(super) message: Vec<Message>,
}

/// A message, what it is and what it gives.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    /// It came so many milliseconds after the one before.
    #[serde(default, skip_serializing_if = "is_default")]
    after_ms: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) text: Option<String>,
    /// A binary frame in hexadecimal digits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) frame: Option<String>,
    /// `data`, `control`, `unpriced` or `bad`.
    is: String,
    /// What was written in the time before it came.
    #[serde(default, skip_serializing_if = "is_default")]
    written: Vec<String>,
    /// What it is answered with.
    #[serde(default, skip_serializing_if = "is_default")]
    answer: Vec<String>,
    /// Bid, ask, last, base volume and, after `@`, milliseconds since the socket was opened, of each symbol's quote.
    #[serde(default, skip_serializing_if = "is_default")]
    gives: BTreeMap<String, String>,
}

/// What a session made of a message, field by field as in [`Message`].
struct Heard {
    is: String,
    written: Vec<String>,
    answer: Vec<String>,
    gives: BTreeMap<String, String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A frame as it came, and when, counted from the opening of the socket.
#[derive(Clone, Debug)]
pub struct Frame {
    pub(super) at: Mono,
    pub(super) body: FrameBody,
}

#[derive(Clone, Debug)]
pub(super) enum FrameBody {
    Text(String),
    Packed(Vec<u8>),
}

impl FrameBody {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Packed(bytes) => bytes.len(),
        }
    }
}

/// What a session made of all messages.
struct Played {
    written: Vec<String>,
    heard: Vec<Heard>,
    live: usize,
}

impl Script {
    /// A script of frames that came over a socket opened at this time, with what they give now as what they are expected
    /// to give.
    ///
    /// # Errors
    /// As for [`Self::readings`].
    pub(in crate::sources) fn of(
        preset: &Preset,
        symbols: &[String],
        opened: Wall,
        frames: &[Frame],
    ) -> Result<Self, SourceSetupError> {
        let before = std::iter::once(Mono::default()).chain(frames.iter().map(|frame| frame.at));
        let message = |(before, frame): (Mono, &Frame)| {
            let (text, packed) = match &frame.body {
                FrameBody::Text(text) => (Some(text.clone()), None),
                FrameBody::Packed(bytes) => (None, Some(hex::encode(bytes))),
            };
            Message { after_ms: frame.at.since(before).ms(), text, frame: packed, ..Message::default() }
        };
        let message = before.zip(frames).map(message).collect();
        let (now_ms, symbols) = (Some(opened.ms()), symbols.to_vec());
        let mut script = Self { symbols, now_ms, written: Vec::new(), live: 0, message };
        let played = script.play(preset)?;
        (script.written, script.live) = (played.written, played.live);
        for (message, heard) in script.message.iter_mut().zip(played.heard) {
            let Heard { is, written, answer, gives } = heard;
            (message.is, message.written, message.answer, message.gives) = (is, written, answer, gives);
        }
        Ok(script)
    }

    /// The last quote of each symbol.
    pub(in crate::sources) fn gives(&self) -> BTreeMap<&str, &str> {
        let gives = self.message.iter().flat_map(|message| &message.gives);
        gives.map(|(symbol, quote)| (symbol.as_str(), quote.as_str())).collect()
    }

    /// What the preset makes of the script called `name`, place by place.
    ///
    /// # Errors
    /// With everything that makes it no script of this venue.
    pub(in crate::sources) fn readings(
        &self,
        name: &str,
        preset: &Preset,
    ) -> Result<Vec<Reading>, SourceSetupError> {
        let played = self.play(preset)?;
        let mut readings = Vec::new();
        let mut put = |place: String, expected: Option<String>, read: String| {
            readings.push(Reading { body: name.to_owned(), symbol: Some(place), expected, read });
        };
        put("written".to_owned(), Some(lines(&self.written)), lines(&played.written));
        for (at, (expected, heard)) in self.message.iter().zip(&played.heard).enumerate() {
            let place = |what: &str| format!("message[{at}].{what}");
            put(place("is"), Some(expected.is.clone()), heard.is.clone());
            let symbols: BTreeSet<&String> = expected.gives.keys().chain(heard.gives.keys()).collect();
            for symbol in symbols {
                let read = heard.gives.get(symbol).cloned().unwrap_or_else(|| "nothing".to_owned());
                put(place(&format!("gives.{symbol}")), expected.gives.get(symbol).cloned(), read);
            }
            for (what, expected, read) in
                [("written", &expected.written, &heard.written), ("answer", &expected.answer, &heard.answer)]
            {
                if !expected.is_empty() || !read.is_empty() {
                    put(place(what), Some(lines(expected)), lines(read));
                }
            }
        }
        put("live".to_owned(), Some(self.live.to_string()), played.live.to_string());
        Ok(readings)
    }

    fn play(&self, preset: &Preset) -> Result<Played, SourceSetupError> {
        let mut problems = Problems::default();
        let stage = self.stage(preset, &mut problems);
        let frames = self.frames(&mut problems);
        let (mut stage, frames) = problems.finish(preset.id(), stage.zip(Some(frames)))?;
        let stream = Arc::clone(&stage.stream);
        let frames_of_ours = u64::try_from(self.symbols.len().div_ceil(stream.symbols_per_frame.max(1)));
        let paced = stream.write_every.times(frames_of_ours.unwrap_or(u64::MAX));
        stage.pass(stream.quiet + paced.max(SUBSCRIBED));
        let written = std::mem::take(&mut stage.written);
        // The messages' clock starts when everything is subscribed to, whatever that took.
        stage.now = Mono::default();
        let heard = frames.iter().map(|(after, body)| stage.hear(*after, body)).collect();
        Ok(Played { written, heard, live: stage.session.live() })
    }

    fn stage(&self, preset: &Preset, problems: &mut Problems) -> Option<Stage> {
        let symbols: Vec<Arc<str>> = self.symbols.iter().map(|symbol| symbol.as_str().into()).collect();
        preset.symbols.keys(&symbols, problems);
        let Some(stream) = preset.stream.clone().map(Arc::new) else {
            let hint = "add a table stream to the preset, or remove the file";
            problems.add("stream", "", "the preset has no stream", hint);
            return None;
        };
        let markets: Vec<_> = symbols.iter().map(|symbol| MarketId::new(preset.id(), symbol)).collect();
        let mut plans = Plan::all(&stream, &markets, preset.no_time_penalty);
        let planned: usize = plans.iter().map(|plan| plan.own).sum();
        if plans.len() != 1 || planned != markets.len() {
            let hint = format!("name 1 to {} markets that the stream has", stream.symbols_per_connection);
            problems.add("symbols", self.symbols.join(", "), "not the markets of one socket", hint);
            return None;
        }
        let session = Session::new(Arc::new(plans.pop()?), Mono::default());
        let opened = self.now_ms.map_or(OPENED, Wall::from_ms);
        Some(Stage { stream, session, opened, now: Mono::default(), written: Vec::new(), quotes: Vec::new() })
    }

    /// When each frame came after the one before, and the frame.
    fn frames(&self, problems: &mut Problems) -> Vec<(Span, FrameBody)> {
        let mut length = Span::ZERO;
        let mut frames = Vec::new();
        for (at, message) in self.message.iter().enumerate() {
            let path = format!("message[{at}]");
            let after = Span::from_ms(message.after_ms);
            length = length + after;
            if length > LENGTH_MAX {
                problems.add(path, message.after_ms.to_string(), "longer than a day", "cut it short");
                break;
            }
            match (&message.text, &message.frame) {
                (Some(text), None) => frames.push((after, FrameBody::Text(text.clone()))),
                (None, Some(digits)) => match hex::decode(digits) {
                    Ok(bytes) => frames.push((after, FrameBody::Packed(bytes))),
                    Err(error) => {
                        let hint = "write the bytes of a binary frame in hexadecimal digits";
                        problems.add(format!("{path}.frame"), digits, error.to_string(), hint);
                    }
                },
                _ => problems.add(path, "", "neither a text nor a frame, or both", "write one of the two"),
            }
        }
        frames
    }
}

fn lines(texts: &[String]) -> String {
    texts.join("\n")
}

/// A session on a clock of its own, what it wrote and what it read.
struct Stage {
    stream: Arc<StreamPreset>,
    session: Session,
    opened: Wall,
    now: Mono,
    written: Vec<String>,
    quotes: Vec<Quote>,
}

impl Stage {
    fn wall(&self) -> Wall {
        self.opened + self.now.since(Mono::default())
    }

    /// Whether the session goes on.
    fn take(&mut self, actions: Vec<Action>) -> bool {
        let mut goes_on = true;
        for action in actions {
            match action {
                Action::Write(text) => self.written.push(text),
                Action::Quotes(quotes) => self.quotes.extend(quotes),
                Action::Ping => {}
                Action::End(_) => goes_on = false,
            }
        }
        goes_on
    }

    /// Lets time pass, tick by tick as the session asks for it, unless it ends.
    fn pass(&mut self, span: Span) {
        let end = self.now + span;
        loop {
            let actions = self.session.tick(self.now, self.wall());
            if !self.take(actions) || self.now >= end {
                self.now = end;
                return;
            }
            self.now = self.session.wake_at(self.now).max(self.now + Span::from_ms(1)).min(end);
        }
    }

    fn hear(&mut self, after: Span, body: &FrameBody) -> Heard {
        if after > Span::ZERO {
            self.pass(after);
        }
        let written = std::mem::take(&mut self.written);
        self.quotes.clear();
        let (now, wall) = (self.now, self.wall());
        let (kind, actions): (Kind, Vec<Action>) = match body {
            FrameBody::Text(text) => self.session.hear(now, wall, text.as_bytes()),
            FrameBody::Packed(bytes) => self.session.hear_packed(now, wall, bytes),
        };
        self.take(actions);
        let gives = self.quotes.iter().map(|quote| show(quote, self.opened)).collect();
        Heard { is: kind.code().to_owned(), written, answer: std::mem::take(&mut self.written), gives }
    }
}

fn show(quote: &Quote, opened: Wall) -> (String, String) {
    let prices = [quote.bid, quote.ask, quote.last, quote.base_volume];
    let text = |price: Option<Price>| price.map_or("-".to_owned(), |price| price.to_string());
    let (prices, ms) = (prices.map(text).join(" "), quote.as_of.ms() - opened.ms());
    (quote.market.symbol.to_string(), format!("{prices} @{ms}"))
}
