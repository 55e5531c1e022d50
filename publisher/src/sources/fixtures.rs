//! Bodies as a venue sends them, and what its preset is expected to read from each: the proof that a preset is right.
//!
//! A folder holds `BODY.json` files and `expected.toml`, and `stream.toml` with messages of its WebSocket; `publisher/presets/README.md` says what stands in it.

use super::decode::{self, Refusal, Row};
use super::fetch::fault_of;
use super::instruments::List;
use super::preset::Preset;
use super::problem::{Problem, Problems};
use super::stream::{Recording, Script};
use publisher_core::quote::SourceFault;
use publisher_core::time::Wall;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is expected of each body.
const EXPECTED: &str = "expected.toml";
/// Files with such names hold messages of a WebSocket, and what is expected of each.
const STREAMS: &str = "stream";
/// Bodies with such names are lists of what the venue trades, not prices.
const LISTS: &str = "instruments";
/// The key of the time at which the bodies were received, in milliseconds since the Unix epoch.
const NOW: &str = "now_ms";
/// The key of the HTTP statuses of bodies that came with another one than 200.
const STATUS: &str = "status";
/// 2026-03-06T14:30:01Z: when they were received where no time is given.
const RECEIVED: Wall = Wall::from_ms(1_772_807_401_000);

/// Venue, name and content of every file in `publisher/presets/fixtures`; `build.rs` collects them.
const SHIPPED: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));

/// A folder of bodies.
#[derive(Debug)]
pub struct Fixtures {
    /// When the bodies were received.
    pub received: Wall,
    /// Each body by its name.
    pub bodies: BTreeMap<String, Vec<u8>>,
    streams: BTreeMap<String, Script>,
    statuses: toml::Table,
    expected: toml::Table,
}

/// What a body gave a symbol, or the whole of it, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The body's name, or that of a file of messages.
    pub body: String,
    /// The symbol, or the place among the messages; none where the body is refused as a whole.
    pub symbol: Option<String>,
    /// What was expected; none where nothing is said of the body.
    pub expected: Option<String>,
    /// What is read: bid, ask, last and base volume, `-` for what is not there, `@` and a time; of a list `trading`,
    /// `halted` or `gone`; or a fault's code.
    pub read: String,
}

impl Reading {
    /// Whether it is as expected.
    pub fn is_right(&self) -> bool {
        self.expected.as_ref() == Some(&self.read)
    }

    /// What to do about it if it is not.
    pub fn problem(&self) -> Option<Problem> {
        let file =
            if self.body.starts_with(STREAMS) { format!("{}.toml", self.body) } else { EXPECTED.to_owned() };
        let body = (!self.body.starts_with(STREAMS)).then_some(self.body.as_str());
        let place: Vec<&str> = body.into_iter().chain(self.symbol.as_deref()).collect();
        let reason = match &self.expected {
            Some(expected) => format!("expected is {expected}"),
            None => "nothing is expected of it".to_owned(),
        };
        let hint = format!(
            "correct the preset where it reads this; if what it reads is right, write it into {file}"
        );
        let (path, value) = (format!("{file}: {}", place.join(".")), self.read.clone());
        (!self.is_right()).then_some(Problem { path, value, reason, hint })
    }
}

/// Why a folder has no fixtures.
#[derive(Debug, thiserror::Error)]
pub enum FixturesError {
    /// A file or the folder cannot be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// The file of expectations is not TOML.
    #[error("{0}: {1}")]
    NotToml(PathBuf, Box<toml::de::Error>),
    /// There is a body of this name already.
    #[error("{0} is there already; name another folder, or write over it with --force")]
    Exists(PathBuf),
    /// What was recorded is none of the venue's.
    #[error(transparent)]
    Setup(#[from] super::SourceSetupError),
    /// What was recorded cannot be written as TOML.
    #[error("{0}: {1}")]
    Unwritable(PathBuf, toml::ser::Error),
}

impl Fixtures {
    /// Those that the preset of this name was tested with; none where the program has no such preset.
    ///
    /// # Errors
    /// If something in them cannot be read.
    pub fn shipped(venue: &str) -> Result<Option<Self>, FixturesError> {
        let files = SHIPPED.iter().filter(|(of, ..)| *of == venue);
        let files: Vec<_> = files.map(|(_, name, bytes)| (PathBuf::from(name), bytes.to_vec())).collect();
        if files.is_empty() { Ok(None) } else { Self::of(files).map(Some) }
    }

    /// Reads a folder. One that is empty or not there has no bodies.
    ///
    /// # Errors
    /// If something in it cannot be read.
    pub fn read(folder: &Path) -> Result<Self, FixturesError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| FixturesError::Io(path, error)
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(failed(folder))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(folder)(error)),
        };
        let known =
            |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json" || ending == "toml");
        let paths = entries.into_iter().map(|entry| entry.path()).filter(known);
        let file = |path: PathBuf| -> Result<_, FixturesError> {
            let bytes = fs::read(&path).map_err(failed(&path))?;
            Ok((path, bytes))
        };
        Self::of(paths.map(file).collect::<Result<_, _>>()?)
    }

    fn of(files: Vec<(PathBuf, Vec<u8>)>) -> Result<Self, FixturesError> {
        let (mut bodies, mut streams) = (BTreeMap::new(), BTreeMap::new());
        let mut expected = toml::Table::new();
        for (path, bytes) in files {
            let Some(name) = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned) else {
                continue;
            };
            if path.extension().is_some_and(|ending| ending == "json") {
                bodies.insert(name, bytes);
            } else if path.file_name().is_some_and(|name| name == EXPECTED) {
                expected = parse(path, bytes)?;
            } else if name.starts_with(STREAMS) {
                streams.insert(name, parse(path, bytes)?);
            }
        }
        let received = expected.remove(NOW).and_then(|now| now.as_integer()).map_or(RECEIVED, Wall::from_ms);
        let statuses = match expected.remove(STATUS) {
            Some(toml::Value::Table(statuses)) => statuses,
            _ => toml::Table::new(),
        };
        Ok(Self { received, bodies, streams, statuses, expected })
    }

    /// Whether a body of this name is a list of what the venue trades, and no prices.
    pub fn is_list(name: &str) -> bool {
        name.starts_with(LISTS)
    }

    /// Whether it has messages of a WebSocket.
    pub fn has_stream(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Bodies of which something is expected and that are not there.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let named = self.expected.keys().chain(self.statuses.keys());
        named.map(String::as_str).filter(|name| !self.bodies.contains_key(*name))
    }

    /// What the preset reads from each body, and makes of each message.
    ///
    /// # Errors
    /// With every symbol that is not one of the venue's.
    pub fn replay(&self, preset: &Preset) -> Result<Vec<Reading>, super::SourceSetupError> {
        let mut readings = Vec::new();
        for (name, body) in &self.bodies {
            let reading = |symbol: Option<&str>, expected: Option<&str>, read| Reading {
                body: name.clone(),
                symbol: symbol.map(str::to_owned),
                expected: expected.map(str::to_owned),
                read,
            };
            let rows = self.expected.get(name).and_then(toml::Value::as_table);
            let symbols: Vec<&str> =
                rows.into_iter().flat_map(toml::Table::keys).map(String::as_str).collect();
            let read = match self.statuses.get(name).and_then(toml::Value::as_integer) {
                Some(status) => Err(read_failed(preset, status, body)),
                None if Self::is_list(name) => read_list(preset, body, &symbols)?,
                None => read(preset, body, &symbols, self.received)?,
            };
            match read {
                Ok(read) if rows.is_some() => {
                    for (symbol, read) in symbols.iter().zip(read) {
                        let expected = rows.and_then(|rows| rows.get(*symbol)).and_then(toml::Value::as_str);
                        readings.push(reading(Some(symbol), expected, read));
                    }
                }
                whole => {
                    let expected = self.expected.get(name).and_then(toml::Value::as_str);
                    readings.push(reading(None, expected, whole.err().unwrap_or_else(|| "rows".to_owned())));
                }
            }
        }
        for (name, script) in &self.streams {
            readings.extend(script.readings(name, preset)?);
        }
        Ok(readings)
    }

    /// Keeps a body that was received now, and what the preset reads from it as what is expected. One of that name is
    /// written over only by `force`.
    ///
    /// # Errors
    /// If there is one of that name, or the files cannot be written.
    pub fn record(
        mut self,
        folder: &Path,
        name: &str,
        body: &[u8],
        read: impl IntoIterator<Item = (String, String)>,
        received: Wall,
        force: bool,
    ) -> Result<PathBuf, FixturesError> {
        let path = folder.join(format!("{name}.json"));
        if self.bodies.contains_key(name) && !force {
            return Err(FixturesError::Exists(path));
        }
        let rows: toml::Table = read.into_iter().map(|(symbol, row)| (symbol, row.into())).collect();
        self.expected.insert(name.to_owned(), rows.into());
        self.expected.insert(NOW.to_owned(), received.ms().into());
        // What is received now came with 200.
        self.statuses.remove(name);
        if !self.statuses.is_empty() {
            self.expected.insert(STATUS.to_owned(), self.statuses.into());
        }
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, body))
            .and_then(|()| fs::write(folder.join(EXPECTED), self.expected.to_string()));
        written.map(|()| path.clone()).map_err(|error| FixturesError::Io(path, error))
    }

    /// Where messages of this name stand, if they may be written.
    ///
    /// # Errors
    /// If there are some already, unless `force` writes over them.
    pub fn stream_path(&self, folder: &Path, name: &str, force: bool) -> Result<PathBuf, FixturesError> {
        let path = folder.join(format!("{name}.toml"));
        if self.streams.contains_key(name) && !force { Err(FixturesError::Exists(path)) } else { Ok(path) }
    }
}

fn parse<T: DeserializeOwned>(path: PathBuf, bytes: Vec<u8>) -> Result<T, FixturesError> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(FixturesError::Io(path, io::Error::new(io::ErrorKind::InvalidData, error))),
    };
    toml::from_str(&text).map_err(|error| FixturesError::NotToml(path, Box::new(error)))
}

/// Keeps what came over a socket, and what the preset makes of it as what is expected; gives the last quote of each
/// symbol.
///
/// # Errors
/// If the preset does not know the symbols, or the file cannot be written.
pub fn record_stream(
    preset: &Preset,
    symbols: &[String],
    recording: &Recording,
    path: &Path,
) -> Result<BTreeMap<String, String>, FixturesError> {
    let script = Script::of(preset, symbols, recording.opened, &recording.frames)?;
    let text = toml::to_string(&script).map_err(|error| FixturesError::Unwritable(path.to_owned(), error))?;
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| FixturesError::Io(path.to_owned(), error))?;
    Ok(script.gives().into_iter().map(|(symbol, quote)| (symbol.to_owned(), quote.to_owned())).collect())
}

/// What a venue's list says of each symbol, in their order; or the fault of the whole list.
///
/// # Errors
/// With every symbol that is not one of the venue's.
pub fn read_list(
    preset: &Preset,
    body: &[u8],
    symbols: &[&str],
) -> Result<Result<Vec<String>, String>, super::SourceSetupError> {
    let Some(instruments) = &preset.instruments else { return Ok(Err("no list".to_owned())) };
    let symbols: Vec<Arc<str>> = symbols.iter().map(|symbol| Arc::from(*symbol)).collect();
    let mut problems = Problems::default();
    let keys = preset.symbols.keys(&symbols, &mut problems);
    problems.finish(preset.id(), Some(()))?;
    let list = instruments.read(&preset.symbols, &keys, symbols.len(), body);
    let codes = |list: List| list.markets.iter().map(|listing| listing.code().to_owned()).collect();
    Ok(list.map(codes).map_err(|refusal| refusal.fault.code().to_owned()))
}

/// What a body means that came with this status.
fn read_failed(preset: &Preset, status: i64, body: &[u8]) -> String {
    let status = u16::try_from(status).unwrap_or_default();
    code(&preset.answer.failed(status, body, fault_of(status, None)))
}

fn code(refusal: &Refusal) -> String {
    let code = if refusal.unknown_symbol { "unknown_symbol" } else { refusal.fault.code() };
    code.to_owned()
}

/// What each symbol gets from a body, in the order of the symbols; or the fault of the whole body.
///
/// # Errors
/// With every symbol that is not one of the venue's.
pub fn read(
    preset: &Preset,
    body: &[u8],
    symbols: &[&str],
    received: Wall,
) -> Result<Result<Vec<String>, String>, super::SourceSetupError> {
    let symbols: Vec<Arc<str>> = symbols.iter().map(|symbol| Arc::from(*symbol)).collect();
    let mut problems = Problems::default();
    let keys = preset.symbols.keys(&symbols, &mut problems);
    problems.finish(preset.id(), Some(()))?;
    Ok(match decode::read(&preset.answer, &preset.symbols, &keys, symbols.len(), body, received) {
        Ok(rows) => Ok(rows.into_iter().map(show).collect()),
        Err(refusal) => Err(code(&refusal)),
    })
}

fn show(row: Result<Row, SourceFault>) -> String {
    let row = match row {
        Ok(row) => row,
        Err(fault) => return fault.code().to_owned(),
    };
    let prices = [row.bid, row.ask, row.last, row.base_volume];
    let prices = prices.map(|price| price.map_or("-".to_owned(), |price| price.to_string())).join(" ");
    let time = row.time.map_or(String::new(), |time| format!(" @{}", time.ms()));
    format!("{prices}{time}")
}
