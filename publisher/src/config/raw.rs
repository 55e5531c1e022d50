//! From TOML to typed keys, without stopping at the first mistake.
//!
//! serde gives up at the first unknown key or wrong type, so a file with five mistakes would take six runs to
//! correct. Here the parsed document is walked instead: every key is declared once, by [`section!`], with its type,
//! default, examples and meaning, and the same declaration reads it, documents it and drives the tests.

use super::problem::{Found, Lines, Place, join, suggestion};
use super::secret::Lookup;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The form of a value.
#[derive(Debug)]
pub(super) struct Kind {
    /// In a word or two: `duration`.
    pub(super) name: &'static str,
    /// How to write it, with an example.
    pub(super) form: &'static str,
    /// As JSON schema.
    pub(super) schema: &'static str,
    /// Whether the value may hold a secret, so that it is not repeated in messages.
    pub(super) secret: bool,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    /// The key must be there.
    Required,
    /// As if this TOML value stood there.
    Value(&'static str),
    /// Something that depends on other things.
    Words(&'static str),
}

/// One key, as data.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: &'static Kind,
    pub(super) default: Default,
    /// Two different TOML values.
    pub(super) examples: [&'static str; 2],
    pub(super) meaning: &'static str,
}

/// One table of the configuration with the place its keys have in it: `feed.NAME.policy`.
#[derive(Debug)]
pub(super) struct Chapter {
    pub(super) path: String,
    pub(super) about: &'static [&'static str],
    pub(super) keys: Vec<&'static Key>,
    /// A plain value may stand for this one key of the table.
    pub(super) shorthand: Option<&'static str>,
}

/// Why a value is not what its key needs; the hint defaults to the form of the kind.
pub(super) struct Fault {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A value that one key can have.
pub(super) trait Leaf: Sized {
    const KIND: Kind;
    fn read(value: &DeValue<'_>, lookup: &Lookup<'_>) -> Result<Self, Fault>;
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Item<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A table whose keys are known.
pub(super) trait Section: Sized {
    const ABOUT: &'static [&'static str];
    const SHORTHAND: Option<&'static str>;
    /// Takes its keys out of a table.
    fn take(table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self;
    /// Its keys.
    fn keys() -> Vec<&'static Key>;
    /// The names of the tables in it.
    fn branches() -> &'static [&'static str];
    /// It and all tables below.
    fn chapters(path: &str, out: &mut Vec<Chapter>);

    /// Takes its keys; whatever else there is, is unknown.
    fn read(table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self {
        let this = Self::take(table, reader);
        table.finish(&Self::names(), reader);
        this
    }

    /// All that may stand in it.
    fn names() -> Vec<&'static str> {
        Self::keys().iter().map(|key| key.name).chain(Self::branches().iter().copied()).collect()
    }
}

/// What a table may hold below its own keys: one table, tables by name, or a list of tables.
pub(super) trait Branch: Sized {
    fn take(name: &str, table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self;
    fn chapters(path: &str, out: &mut Vec<Chapter>);
}

/// Declares a table: its keys, each `name: Type, default, [example, example], "meaning";`, then the keys it has in
/// common with other tables (`+ field: Section;`), then the tables in it (`@ name: Branch;`).
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident $(from $shorthand:ident)? {
            $($key:ident: $type:ty, $default:expr, [$one:literal, $two:literal], $meaning:literal;)*
            $(+ $common:ident: $common_type:ty;)*
            $(@ $branch:ident: $branch_type:ty;)*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub(super) struct $name {
            #[allow(dead_code, reason = "not every table is complained about as a whole")]
            pub(super) place: Place,
            $(pub(super) $key: Option<Item<$type>>,)*
            $(pub(super) $common: $common_type,)*
            $(pub(super) $branch: $branch_type,)*
        }

        impl Section for $name {
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const SHORTHAND: Option<&'static str> = [$(Some(stringify!($shorthand)),)? None][0];

            fn take(table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self {
                Self {
                    place: table.place.clone(),
                    $($key: table.leaf(stringify!($key), $default, reader),)*
                    $($common: <$common_type as Section>::take(table, reader),)*
                    $($branch: <$branch_type as Branch>::take(stringify!($branch), table, reader),)*
                }
            }

            fn keys() -> Vec<&'static Key> {
                const KEYS: &[Key] = &[$(Key {
                    name: stringify!($key),
                    kind: &<$type as Leaf>::KIND,
                    default: $default,
                    examples: [$one, $two],
                    meaning: $meaning,
                }),*];
                KEYS.iter()$(.chain(<$common_type as Section>::keys()))*.collect()
            }

            fn branches() -> &'static [&'static str] {
                &[$(stringify!($branch)),*]
            }

            fn chapters(path: &str, out: &mut Vec<Chapter>) {
                out.push(Chapter {
                    path: path.to_owned(),
                    about: Self::ABOUT,
                    keys: Self::keys(),
                    shorthand: Self::SHORTHAND,
                });
                $(<$branch_type as Branch>::chapters(&join(path, stringify!($branch)), out);)*
            }
        }
    };
}
pub(super) use section;

/// What every step of the walk needs.
pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) lines: Lines,
    pub(super) lookup: Lookup<'a>,
    pub(super) found: Found,
    /// The line of every key that is written down.
    pub(super) written: BTreeMap<String, usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, lookup: Lookup<'a>) -> Self {
        Self { text, lines: Lines::of(text), lookup, found: Found::default(), written: BTreeMap::new() }
    }

    /// Reads the whole document; `None` if it is not TOML, because then nothing else can be said about it.
    pub(super) fn document<T: Section>(&mut self) -> Option<T> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = error.span().map(|span| self.lines.at(span.start));
            let place = Place { path: "(syntax)".into(), line, shown: String::new() };
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let hint = match message.contains("duplicate") {
                true => "keep one of them",
                false => "write it as TOML: key = value, texts in \"quotes\", lists in [brackets]",
            };
            self.found.error(&place, message, hint);
        }
        errors.is_empty().then(|| {
            let place = Place { path: String::new(), line: None, shown: String::new() };
            let mut table = Table::new(place, document.get_ref(), self);
            T::read(&mut table, self)
        })
    }

    /// The value as the file spells it, on one line and not too long.
    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        const CHARS: usize = 60;
        if value.get_ref().is_table() {
            return String::new();
        }
        let text = self.text.get(value.span()).unwrap_or_default();
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let mut shown: String = text.chars().take(CHARS).map(plain).collect();
        if text.chars().nth(CHARS).is_some() {
            shown.push('…');
        }
        shown
    }
}

/// A table, of which keys are taken until none should be left.
pub(super) struct Table<'t, 'i> {
    pub(super) place: Place,
    entries: BTreeMap<String, (usize, &'t Spanned<DeValue<'i>>)>,
    /// A plain value stands for the table, so its one key is not written down.
    plain: bool,
}

impl<'t, 'i> Table<'t, 'i> {
    fn new(place: Place, table: &'t DeTable<'i>, reader: &mut Reader<'_>) -> Self {
        let entry = |(key, value): (&Spanned<_>, &'t _)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            let line = reader.lines.at(key.span().start);
            reader.written.insert(join(&place.path, name), line);
            (name.to_string(), (line, value))
        };
        let entries = table.iter().map(entry).collect();
        Self { place, entries, plain: false }
    }

    /// A value that should be a table; a plain value may stand for the `shorthand` key of it.
    fn of<T: Section>(
        place: Place,
        value: &'t Spanned<DeValue<'i>>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        match (value.get_ref(), T::SHORTHAND) {
            (DeValue::Table(table), _) => Some(Self::new(place, table, reader)),
            (_, Some(key)) => {
                let line = place.line.unwrap_or(1);
                Some(Self { place, entries: [(key.to_owned(), (line, value))].into(), plain: true })
            }
            (other, None) => {
                let hint = format!("write it as a table, [{}], with {}", place.path, T::names().join(", "));
                reader.found.error(&place, format!("{} where a table is needed", word(other)), hint);
                None
            }
        }
    }

    pub(super) fn leaf<T: Leaf>(
        &mut self,
        name: &'static str,
        default: Default,
        reader: &mut Reader<'_>,
    ) -> Option<Item<T>> {
        let Some((line, value)) = self.entries.remove(name) else {
            if default == Default::Required {
                let hint = format!("add {name}, {}", T::KIND.form);
                reader.found.error(&self.place.missing(name), "missing", hint);
            }
            return None;
        };
        let shown = if T::KIND.secret { String::new() } else { reader.shown(value) };
        let path = if self.plain { self.place.path.clone() } else { join(&self.place.path, name) };
        let place = Place { path, line: Some(line), shown };
        match T::read(value.get_ref(), &reader.lookup) {
            Ok(value) => Some(Item { value, place }),
            Err(Fault { reason, hint }) => {
                let hint = hint.unwrap_or_else(|| format!("write {}", T::KIND.form));
                reader.found.error(&place, reason, hint);
                None
            }
        }
    }

    /// What is left is unknown.
    pub(super) fn finish(&mut self, known: &[&'static str], reader: &mut Reader<'_>) {
        for (name, (line, _)) in std::mem::take(&mut self.entries) {
            // The value of a key that nobody knows may be anything, so it is not shown.
            let place = Place { path: join(&self.place.path, &name), line: Some(line), shown: String::new() };
            if is_secret(&name) {
                let hint = "let a remote signer hold keys; elsewhere refer to a secret as ${NAME} (environment) \
                            or ${file:PATH}. If a real secret stands here, replace it: it has been written down";
                reader.found.error(&place, "a secret does not belong in a configuration", hint);
            } else {
                reader.found.error(&place, "unknown key", suggestion(&name, known.iter().copied()));
            }
        }
    }
}

/// Names under which people write secrets down.
fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    ["privatekey", "secret", "mnemonic", "seed", "password", "passphrase", "apikey", "token"]
        .iter()
        .any(|word| name.contains(word))
        || name == "key"
}

impl<T: Section> Branch for Option<T> {
    fn take(name: &str, table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self {
        let (line, value) = table.entries.remove(name)?;
        let place = Place { path: join(&table.place.path, name), line: Some(line), shown: String::new() };
        let mut table = Table::of::<T>(place, value, reader)?;
        Some(T::read(&mut table, reader))
    }

    fn chapters(path: &str, out: &mut Vec<Chapter>) {
        T::chapters(path, out);
    }
}

impl<T: Section> Branch for BTreeMap<String, T> {
    fn take(name: &str, table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self {
        let Some((line, value)) = table.entries.remove(name) else { return Self::new() };
        let path = join(&table.place.path, name);
        let DeValue::Table(tables) = value.get_ref() else {
            let place = Place { path: path.clone(), line: Some(line), shown: String::new() };
            let hint = format!("write one table for each, [{path}.NAME]");
            let reason = format!("{} where tables are needed", word(value.get_ref()));
            reader.found.error(&place, reason, hint);
            return Self::new();
        };
        let mut named = Self::new();
        for (key, value) in tables {
            let line = reader.lines.at(key.span().start);
            let place = Place { path: join(&path, key.get_ref()), line: Some(line), shown: String::new() };
            reader.written.insert(place.path.clone(), line);
            if let Some(fault) = name_fault(key.get_ref()) {
                reader.found.error(&place, "not a usable name", fault);
            } else if let Some(mut table) = Table::of::<T>(place, value, reader) {
                named.insert(key.get_ref().to_string(), T::read(&mut table, reader));
            }
        }
        named
    }

    fn chapters(path: &str, out: &mut Vec<Chapter>) {
        T::chapters(&format!("{path}.NAME"), out);
    }
}

impl<T: Section> Branch for Vec<T> {
    fn take(name: &str, table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self {
        let Some((line, value)) = table.entries.remove(name) else { return Self::new() };
        let path = join(&table.place.path, name);
        let place = |path: String| Place { path, line: Some(line), shown: String::new() };
        let DeValue::Array(list) = value.get_ref() else {
            let reason = format!("{} where a list is needed", word(value.get_ref()));
            reader.found.error(&place(path), reason, "write [ … ] around it");
            return Self::new();
        };
        let mut all = Self::new();
        for (at, value) in list.iter().enumerate() {
            if let Some(mut table) = Table::of::<T>(place(format!("{path}[{at}]")), value, reader) {
                all.push(T::read(&mut table, reader));
            }
        }
        all
    }

    fn chapters(path: &str, out: &mut Vec<Chapter>) {
        T::chapters(&format!("{path}[]"), out);
    }
}

/// Names go into metrics, paths and file names, and `:`, `*` and blanks separate the parts of a source.
fn name_fault(name: &str) -> Option<&'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let hint = "use 1 to 64 letters, digits and - _ . /";
    (name.is_empty() || name.len() > 64 || !name.chars().all(good)).then_some(hint)
}

/// What a value is, in words.
pub(super) fn word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a floating-point number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
