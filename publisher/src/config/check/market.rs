//! Markets that open and close: calendars, and what a feed does outside their hours.

use super::{Check, Layers, Set};
use crate::calendar::{Calendar, shipped};
use crate::config::FILE_MAX_BYTES;
use crate::config::allowed::Allowed;
use crate::config::problem::{Place, suggestion};
use publisher_core::policy::{Conduct, Hours, Market, Status};
use publisher_core::time::Span;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The calendars of one's own; `None`: one that cannot be read.
pub(super) type Calendars = BTreeMap<String, Option<Arc<Hours>>>;

impl Check<'_> {
    /// Reads the calendars of one's own.
    pub(super) fn calendars(&mut self) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        for (name, raw) in &self.root.calendar {
            let Some(file) = &raw.file else { continue };
            let path = self.path(&file.value);
            let read = text_of(&path).and_then(|text| Calendar::parse(name, &text));
            if let Err(fault) = &read {
                let hint = "write it like publisher/calendars/nyse.toml";
                self.found.error(&file.place, fault.clone(), hint);
            }
            self.calendars.insert(name.clone(), read.ok().map(|calendar| calendar.hours));
            files.insert(name.clone(), path);
        }
        files
    }

    /// The hours of a calendar of one's own, or of one that comes with the program.
    fn hours(&mut self, name: &str, place: &Place) -> Option<Arc<Hours>> {
        if let Some(own) = self.calendars.get(name) {
            return own.clone();
        }
        let known = shipped().get(name).map(|calendar| Arc::clone(&calendar.hours));
        if known.is_none() && !self.root.calendar.contains_key(name) {
            let own = self.root.calendar.keys().map(String::as_str);
            let hint = suggestion(name, shipped().keys().copied().chain(own));
            self.found.error(place, "no such calendar", hint);
        }
        known
    }

    /// The market of a feed.
    pub(super) fn market(&mut self, layers: &Layers<'_>, heartbeat: Span) -> Option<Market> {
        let calendar = layers.rule("calendar", |p| p.calendar.as_ref());
        let told: [(Status, Set<Allowed>); 7] = [
            (Status::Closed, layers.rule("on_market.closed", |p| p.on_market.as_ref()?.closed.as_ref())),
            (Status::HalfDay, layers.rule("on_market.half_day", |p| p.on_market.as_ref()?.half_day.as_ref())),
            (Status::Pre, layers.rule("on_market.pre", |p| p.on_market.as_ref()?.pre.as_ref())),
            (Status::Post, layers.rule("on_market.post", |p| p.on_market.as_ref()?.post.as_ref())),
            (
                Status::Overnight,
                layers.rule("on_market.overnight", |p| p.on_market.as_ref()?.overnight.as_ref()),
            ),
            (Status::Halted, layers.rule("on_market.halted", |p| p.on_market.as_ref()?.halted.as_ref())),
            (Status::Unknown, layers.rule("on_market.unknown", |p| p.on_market.as_ref()?.unknown.as_ref())),
        ];
        let Some(name) = &calendar.value else {
            if let Some((_, set)) = told.iter().find(|(_, set)| set.own) {
                let hint = "leave it out, or set policy.calendar";
                self.found.warn(&set.place, "it keeps no market's hours", hint);
            }
            return None;
        };
        if self.root.feed.contains_key(name) {
            let hint =
                "name the feed otherwise, or a calendar of your own: [calendar.NAME] with a copy of its file";
            let reason = "a feed has this name as well: nobody could say which of both is halted";
            self.found.error(&calendar.place, reason, hint);
        }
        let hours = self.hours(name, &calendar.place)?;
        let whose = layers.whose(&calendar.place);
        // Of a halt no calendar knows: until something else is said of it, nothing is published.
        let mut conduct =
            BTreeMap::from([(Status::Open, Conduct::Normal), (Status::Halted, Conduct::Freeze)]);
        for (status, set) in told {
            let is_halt = status == Status::Halted;
            let meets = is_halt || hours.statuses().any(|met| met == status);
            match set.value {
                None if meets && !is_halt && !self.found.has_error_below(&set.place.path) => {
                    let reason =
                        format!("{name} can be {}, and nothing is said of that{whose}", status.code());
                    let hint = "say \"normal\", \"widen:3x\", \"switch_source\", \"heartbeat_only\" or \"freeze\"; there is no default";
                    self.found.error(&set.place, reason, hint);
                }
                None => {}
                Some(Allowed(allowed)) => {
                    if set.own && !meets {
                        let reason = format!("{name} is never {}", status.code());
                        self.found.warn(&set.place, reason, "leave it out");
                    }
                    if allowed == Conduct::HeartbeatOnly && heartbeat == Span::ZERO {
                        let reason = format!("there is no heartbeat, so it is the same as freeze{whose}");
                        self.found.warn(&set.place, reason, "set heartbeat, or say \"freeze\"");
                    }
                    let list = layers.place.missing("off_hours_sources");
                    let is_there = layers.has_off_hours || self.found.has_error_below(&list.path);
                    if allowed == Conduct::SwitchSource && !is_there {
                        let reason = format!("there are no other sources{}", layers.whose(&set.place));
                        self.found.error(
                            &set.place,
                            reason,
                            "add off_hours_sources to the feed, or say what else it does",
                        );
                    }
                    conduct.insert(status, allowed);
                }
            }
        }
        Some(Market { hours, conduct, halts: Vec::new() })
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if u64::try_from(bytes).is_ok_and(|bytes| bytes <= FILE_MAX_BYTES) => Ok(text),
        Ok(_) => Err("larger than 1 MiB".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
