//! Venues that send anything.

use super::super::script::Script;
use super::fixtures::script;
use super::rig::{Rig, shipped};
use crate::fuzz::fuzz;
use crate::sources::presets;
use alloy::primitives::hex;
use publisher_core::time::Span;

type Venues = Vec<(&'static str, Script)>;

fn venues() -> Venues {
    let streaming = presets().iter().filter(|preset| preset.has_stream());
    streaming.map(|preset| (preset.id(), script(preset.id()))).collect()
}

fn rig((venue, fixture): &(&'static str, Script)) -> Rig {
    let symbols: Vec<&str> = fixture.symbols.iter().map(String::as_str).collect();
    Rig::new(venue, shipped(venue), &symbols)
}

/// Whatever a venue says, prices are positive, and what is written stays paced: subscriptions and pings, and one answer
/// for each message.
fn check(rig: &Rig, heard: usize) {
    let (venue, written) = (&rig.venue, rig.written.len());
    assert!(written <= 12 * heard, "{venue} wrote {written} messages in {heard} s");
    for quote in &rig.quotes {
        let prices = [quote.bid, quote.ask, quote.last];
        assert!(prices.into_iter().flatten().all(|price| price.is_positive()), "{quote:?}");
    }
}

/// Each line is a message, a second after the other, on the stream of every venue.
#[test]
fn f47_f51_fuzz_frames() {
    let venues = venues();
    let messages = |fixture: &Script| {
        let texts = fixture.message.iter().filter_map(|message| message.text.as_deref());
        texts.collect::<Vec<&str>>().join("\n").into_bytes()
    };
    let genuine: Vec<_> = venues.iter().map(|(_, fixture)| messages(fixture)).collect();
    fuzz("frame", genuine, |bytes| {
        for venue in &venues {
            let (mut rig, mut heard) = (rig(venue), 0);
            for message in bytes.split(|byte| *byte == b'\n').take(30) {
                let (_, actions) = rig.hear_bytes(message);
                // It goes on, or ends.
                assert!(actions.len() <= 1, "{actions:?}");
                rig.pass(Span::from_s(1));
                heard += 1;
            }
            check(&rig, heard);
        }
    });
}

/// Packed frames: compressed ones, and such as are no text at all.
#[test]
fn f47_f51_fuzz_packed_frames() {
    let venues = venues();
    let frames = venues.iter().flat_map(|(_, fixture)| &fixture.message);
    let frames = frames.filter_map(|message| hex::decode(message.frame.as_ref()?).ok());
    let genuine: Vec<_> = frames.collect();
    fuzz("packed", genuine, |bytes| {
        for venue in &venues {
            let mut rig = rig(venue);
            rig.pass(Span::from_s(1));
            rig.hear_packed(bytes);
            check(&rig, 2);
        }
    });
}
