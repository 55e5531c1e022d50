//! Places in a JSON document, found without turning the document into values.
//!
//! Everything here works on raw text, so a number keeps every digit that the venue wrote. A key that occurs twice
//! on the way is an error: which of the two is meant would be a guess.

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

mod expression;

use expression::Filter;

/// A JSON document nested deeper than this is refused before it is parsed.
pub(super) const DEPTH_MAX: usize = 64;
/// More steps than any preset needs; a longer path is a mistake.
const STEPS_MAX: usize = 16;

/// Steps from a document or row to a place in it: `result.list`, `c[0]`, `[7]`, a JSON pointer, or an expression.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Into an object a key, into an array an index without leading zeros (RFC 6901, section 4).
    Child(Box<str>),
    /// To the one element that says something.
    Only(Filter),
}

/// Why a text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    #[error("an empty step, or a bracket that does not hold a plain index")]
    Step,
    #[error("more than 16 steps")]
    Long,
    #[error("a JSON pointer starts with `/` and uses `~` only in `~0` and `~1` (RFC 6901)")]
    Pointer,
    #[error("column {column}: {what}")]
    Expression { column: usize, what: &'static str },
}

/// The document has another shape than the path needs: a key twice, or no JSON at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Path {
    /// The document itself.
    pub(super) fn whole() -> Self {
        Self(Vec::new())
    }

    /// Reads the notation of presets: keys joined by dots, indices in brackets.
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        let mut steps: Vec<Box<str>> = Vec::new();
        for part in text.split('.') {
            let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
            // `[7].x` starts with an index; `a..b` has nothing where a key must be.
            if key.is_empty() && (rest.is_empty() || !steps.is_empty()) {
                return Err(PathError::Step);
            }
            if !key.is_empty() {
                steps.push(key.into());
            }
            while !rest.is_empty() {
                let inner = rest.strip_prefix('[').and_then(|r| r.split_once(']')).ok_or(PathError::Step)?;
                index(inner.0).ok_or(PathError::Step)?;
                steps.push(inner.0.into());
                rest = inner.1;
            }
        }
        Self::bounded(steps)
    }

    /// Reads a JSON pointer (RFC 6901); the empty pointer is the whole document.
    pub(super) fn pointer(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Ok(Self::whole());
        }
        let steps = text.strip_prefix('/').ok_or(PathError::Pointer)?.split('/').map(unescape);
        Self::bounded(steps.collect::<Option<_>>().ok_or(PathError::Pointer)?)
    }

    fn bounded(steps: Vec<Box<str>>) -> Result<Self, PathError> {
        if steps.len() > STEPS_MAX {
            return Err(PathError::Long);
        }
        Ok(Self(steps.into_iter().map(Step::Child).collect()))
    }

    /// Reads an expression if it begins with `$`, a JSON pointer if not.
    pub(super) fn pointer_or_expression(text: &str) -> Result<Self, PathError> {
        if text.starts_with('$') { expression::parse(text) } else { Self::pointer(text) }
    }

    /// The raw text at this place; `None` if there is nothing.
    pub(super) fn find<'a>(&self, document: &'a RawValue) -> Result<Option<&'a RawValue>, Malformed> {
        find(&self.0, document)
    }

    /// Whether the way ends at a list without elements: what is looked for is not missing, there is none of it.
    pub(super) fn ends_in_empty_list(&self, document: &RawValue) -> bool {
        let mut place = document;
        for step in &self.0 {
            let next = match step {
                Step::Child(key) => child(place, key),
                Step::Only(filter) => filter.only(place),
            };
            match next {
                Ok(Some(next)) => place = next,
                _ => return place.get().split_ascii_whitespace().collect::<String>() == "[]",
            }
        }
        false
    }
}

fn find<'a>(steps: &[Step], document: &'a RawValue) -> Result<Option<&'a RawValue>, Malformed> {
    let mut place = document;
    for step in steps {
        let next = match step {
            Step::Child(key) => child(place, key)?,
            Step::Only(filter) => filter.only(place)?,
        };
        match next {
            Some(next) => place = next,
            None => return Ok(None),
        }
    }
    Ok(Some(place))
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Child(key) => write!(f, "/{key}"),
            Step::Only(filter) => write!(f, "/{filter:?}"),
        })
    }
}

/// A plain decimal index: no sign, no leading zero.
fn index(text: &str) -> Option<usize> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| text.parse().ok()).flatten()
}

fn unescape(step: &str) -> Option<Box<str>> {
    let mut pieces = step.split('~');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (mark, rest) = piece.split_at_checked(1)?;
        text.push(match mark {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        text.push_str(rest);
    }
    Some(text.into())
}

fn child<'a>(place: &'a RawValue, step: &str) -> Result<Option<&'a RawValue>, Malformed> {
    let mut reader = serde_json::Deserializer::from_str(place.get());
    match place.get().as_bytes().first() {
        Some(b'{') => reader.deserialize_map(Child(step)).map_err(|_| Malformed),
        Some(b'[') if index(step).is_some() => reader.deserialize_seq(Child(step)).map_err(|_| Malformed),
        _ => Ok(None),
    }
}

/// Finds one entry of an object or array and skips the others.
struct Child<'s>(&'s str);

impl<'de> Visitor<'de> for Child<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or array without repeated keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(matches) = map.next_key_seed(Is(self.0))? {
            if !matches {
                map.next_value::<IgnoredAny>()?;
            } else if found.replace(map.next_value::<&RawValue>()?).is_some() {
                return Err(serde::de::Error::custom("a key twice"));
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (wanted, mut at, mut found) = (index(self.0), 0, None);
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if Some(at) == wanted {
                found = Some(element);
            }
            at += 1;
        }
        Ok(found)
    }
}

/// Compares a key without keeping it.
struct Is<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// Calls `visit` with every element of an array.
pub(super) fn each_element<'a>(list: &'a RawValue, visit: impl FnMut(&'a RawValue)) -> Result<(), Malformed> {
    let mut reader = serde_json::Deserializer::from_str(list.get());
    reader.deserialize_seq(Elements(visit)).map_err(|_| Malformed)
}

/// Calls `visit` with every key and value of an object.
pub(super) fn each_entry<'a>(
    object: &'a RawValue,
    visit: impl FnMut(String, &'a RawValue),
) -> Result<(), Malformed> {
    let mut reader = serde_json::Deserializer::from_str(object.get());
    reader.deserialize_map(Entries(visit)).map_err(|_| Malformed)
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }
}

struct Entries<F>(F);

impl<'de, F: FnMut(String, &'de RawValue)> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            (self.0)(key, value);
        }
        Ok(())
    }
}

/// Whether brackets and braces nest deeper than [`DEPTH_MAX`]; reads each byte once and allocates nothing.
pub(super) fn too_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(document: &str, path: &Path) -> Result<Option<String>, Malformed> {
        let raw: &RawValue = serde_json::from_str(document).unwrap();
        path.find(raw).map(|found| found.map(|r| r.get().to_owned()))
    }

    #[test]
    fn presets_and_pointers_reach_the_same_places() {
        let document = r#" {"a":["1",2.50,{"b":1e-7}], "x.y/z":{"~":0}, "\u0061b":7, "n":null} "#;
        for (preset, pointer, expected) in [
            ("a[1]", "/a/1", Some("2.50")),
            ("a[2].b", "/a/2/b", Some("1e-7")),
            ("a.0", "/a/0", Some("\"1\"")),
            ("ab", "/ab", Some("7")),
            ("n", "/n", Some("null")),
            ("a[9]", "/a/9", None),
            ("a[0].b", "/a/0/b", None),
            ("q", "/q", None),
        ] {
            for path in [Path::parse(preset).unwrap(), Path::pointer(pointer).unwrap()] {
                assert_eq!(find(document, &path).unwrap().as_deref(), expected, "{preset}");
            }
        }
        assert_eq!(find(document, &Path::pointer("/x.y~1z/~0").unwrap()).unwrap().as_deref(), Some("0"));
        assert_eq!(find(document, &Path::pointer("/a/-").unwrap()), Ok(None));
        assert_eq!(find(document, &Path::pointer("/a/01").unwrap()), Ok(None));
        assert_eq!(find(document, &Path::pointer("").unwrap()).unwrap().unwrap(), document.trim());
        assert_eq!(find("[[1,2],[3]]", &Path::parse("[0][1]").unwrap()).unwrap().as_deref(), Some("2"));
    }

    #[test]
    fn a_key_that_occurs_twice_is_not_guessed() {
        let path = Path::parse("last").unwrap();
        assert_eq!(find(r#"{"last":1,"other":0,"last":2}"#, &path), Err(Malformed));
        assert_eq!(find(r#"{"last":1,"other":0,"other":2}"#, &path).unwrap().as_deref(), Some("1"));
    }

    #[test]
    fn refuses_what_is_not_a_path() {
        for text in ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[-1]", "a[01]", "a[1]b", "a[x]"] {
            assert_eq!(Path::parse(text), Err(PathError::Step), "{text}");
        }
        for text in ["a", "/~", "/~2", "/a~"] {
            assert_eq!(Path::pointer(text), Err(PathError::Pointer), "{text}");
        }
        assert_eq!(Path::pointer(&"/a".repeat(17)), Err(PathError::Long));
        assert_eq!(Path::parse(&"[0]".repeat(17)), Err(PathError::Long));
    }

    #[test]
    fn depth_counts_structure_and_not_text() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(!too_deep(nested(64).as_bytes()));
        assert!(too_deep(nested(65).as_bytes()));
        assert!(too_deep(&[b'{'; 100]));
        assert!(!too_deep(format!(r#"["{}"]"#, "[".repeat(100)).as_bytes()));
        assert!(!too_deep(format!(r#"["\"{}"]"#, "{".repeat(100)).as_bytes()));
        assert!(too_deep(format!(r#"["\\"{}"#, "[".repeat(100)).as_bytes()));
        assert!(!too_deep("[]".repeat(1000).as_bytes()));
    }
}
