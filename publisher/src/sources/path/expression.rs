//! Expressions: a path that chooses an element by what it says, `$.data[?symbol=="BTC"].price`.
//!
//! The notation is a part of JSONPath (RFC 9535) that names one place: keys, indices, and filters of equality. A filter
//! must find one element; where it finds two, which of them is meant would be a guess. There is no wildcard, no
//! recursion and no arithmetic, so an expression reads the document once for each of its steps, and a number stays the
//! text that the venue wrote.

use super::{Malformed, Path, PathError, STEPS_MAX, Step, each_element, each_entry, find, index};
use publisher_core::price::Price;
use serde_json::value::RawValue;

/// Conditions of one filter, at most.
const CONDITIONS_MAX: usize = 4;

/// What an element has to say to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

/// Something in it that has to be equal to this.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    at: Vec<Step>,
    is: Literal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Literal {
    /// A text, which a number never equals.
    Text(String),
    /// A number, by its value: `1.0` is `1`.
    Number(Price),
    /// `true`, `false` or `null`.
    Word(Box<str>),
}

impl Filter {
    /// The one element of a list, or value of an object, that meets all conditions.
    pub(super) fn only<'a>(&self, place: &'a RawValue) -> Result<Option<&'a RawValue>, Malformed> {
        let (mut found, mut failed) = (None, false);
        let visit = |element: &'a RawValue| match self.matches(element) {
            Ok(true) => failed |= found.replace(element).is_some(),
            Ok(false) => {}
            Err(Malformed) => failed = true,
        };
        match place.get().as_bytes().first() {
            Some(b'[') => each_element(place, visit)?,
            Some(b'{') => {
                let mut visit = visit;
                each_entry(place, |_, value| visit(value))?;
            }
            _ => {}
        }
        if failed { Err(Malformed) } else { Ok(found) }
    }

    fn matches(&self, element: &RawValue) -> Result<bool, Malformed> {
        for condition in &self.0 {
            if !find(&condition.at, element)?.is_some_and(|value| condition.is.equals(value)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Literal {
    fn equals(&self, value: &RawValue) -> bool {
        match self {
            Self::Text(text) => serde_json::from_str(value.get()).is_ok_and(|said: String| said == *text),
            Self::Number(number) => value.get().parse() == Ok(*number),
            Self::Word(word) => *value.get() == **word,
        }
    }
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Path, PathError> {
    let mut reader = Reader { text, at: 0 };
    reader.need("$", "an expression begins with $")?;
    let mut steps = Vec::new();
    while !reader.rest().is_empty() {
        steps.push(reader.step()?);
        if steps.len() > STEPS_MAX {
            return Err(PathError::Long);
        }
    }
    Ok(Path(steps))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, PathError> {
        let before = self.text.get(..self.at).unwrap_or_default();
        Err(PathError::Expression { column: before.chars().count() + 1, what })
    }

    fn takes(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    fn need(&mut self, token: &str, what: &'static str) -> Result<(), PathError> {
        if self.takes(token) { Ok(()) } else { self.fault(what) }
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn word(&mut self, may_hold: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let (word, _) = rest.split_at(rest.find(|c| !may_hold(c)).unwrap_or(rest.len()));
        self.at += word.len();
        word
    }

    fn name(&mut self) -> Result<Step, PathError> {
        match self.word(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            "" => self.fault("a key is needed here; one with other signs is written [\"like this\"]"),
            name => Ok(Step::Child(name.into())),
        }
    }

    /// A text in quotes, if one stands here: with JSON's escapes between double ones, as it is between single ones.
    fn quoted(&mut self) -> Result<Option<String>, PathError> {
        if self.takes("'") {
            let inner = self.word(|c| c != '\'').to_owned();
            self.need("'", "the text that begins before has no end")?;
            return Ok(Some(inner));
        }
        if !self.rest().starts_with('"') {
            return Ok(None);
        }
        let mut texts = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
        match texts.next() {
            Some(Ok(text)) => {
                self.at += texts.byte_offset();
                Ok(Some(text))
            }
            _ => self.fault("not a text in quotes"),
        }
    }

    fn step(&mut self) -> Result<Step, PathError> {
        if self.takes(".") {
            return self.name();
        }
        self.need("[", "a . or [ is needed here")?;
        let step = if self.takes("?") { Step::Only(self.filter()?) } else { self.child()? };
        self.need("]", "a ] is needed here")?;
        Ok(step)
    }

    /// What stands between brackets that is no filter.
    fn child(&mut self) -> Result<Step, PathError> {
        if let Some(key) = self.quoted()? {
            return Ok(Step::Child(key.into()));
        }
        let start = self.at;
        let digits = self.word(|c| c.is_ascii_digit());
        if index(digits).is_none() {
            self.at = start;
            return self.fault("a plain index, a key in quotes or ?filter is needed here");
        }
        Ok(Step::Child(digits.into()))
    }

    fn filter(&mut self) -> Result<Filter, PathError> {
        let mut conditions = Vec::new();
        loop {
            self.blanks();
            let at = self.inner()?;
            self.blanks();
            self.need("==", "== is needed here: filters compare for equality")?;
            self.blanks();
            let is = self.literal()?;
            self.blanks();
            conditions.push(Condition { at, is });
            if !self.takes("&&") {
                return Ok(Filter(conditions));
            }
            if conditions.len() == CONDITIONS_MAX {
                return self.fault("more than 4 conditions");
            }
        }
    }

    /// What of an element is compared: `symbol`, `@.info.symbol`, `@[0]`, or `@` for the element itself.
    fn inner(&mut self) -> Result<Vec<Step>, PathError> {
        let mut steps = if self.takes("@") { Vec::new() } else { vec![self.name()?] };
        while self.rest().starts_with(['.', '[']) {
            if steps.len() == STEPS_MAX {
                return Err(PathError::Long);
            }
            if self.takes(".") {
                steps.push(self.name()?);
            } else {
                self.need("[", "a [ is needed here")?;
                steps.push(self.child()?);
                self.need("]", "a ] is needed here")?;
            }
        }
        Ok(steps)
    }

    fn literal(&mut self) -> Result<Literal, PathError> {
        if let Some(text) = self.quoted()? {
            return Ok(Literal::Text(text));
        }
        let start = self.at;
        let word = self.word(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'));
        if let Ok(number) = word.parse() {
            return Ok(Literal::Number(number));
        }
        if ["true", "false", "null"].contains(&word) {
            return Ok(Literal::Word(word.into()));
        }
        self.at = start;
        self.fault("a text in quotes, a number, true, false or null is needed here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &str = r#"{"data":[{"symbol":"ETH","price":3000.10},{"symbol":"BTC","id":1,"price":67000.123456789012345678901},
        {"symbol":"DOGE","price":"0.1","quote":{"USD":{"price":1e-1}}}],
        "rows":[["tBTCUSD",1,2.50],["tETHUSD",3,4]],
        "by name":{"a":{"live":false,"p":1},"b":{"live":true,"p":2}}, "twice":[{"k":1},{"k":1.0}]}"#;

    fn find(expression: &str) -> Result<Option<&'static str>, Malformed> {
        let body: &'static RawValue = serde_json::from_str(BODY).unwrap();
        Ok(parse(expression).unwrap().find(body)?.map(RawValue::get))
    }

    #[test]
    fn an_element_is_chosen_by_what_it_says_and_numbers_keep_every_digit() {
        for (expression, found) in [
            (r#"$.data[?symbol=="BTC"].price"#, Some("67000.123456789012345678901")),
            (r#"$["data"][?@.symbol == 'ETH']["price"]"#, Some("3000.10")),
            (r#"$.data[?quote.USD.price==0.1].symbol"#, Some("\"DOGE\"")),
            (r#"$.data[?symbol=="BTC" && id==1.0].price"#, Some("67000.123456789012345678901")),
            (r#"$.data[?symbol=="BTC" && id==2].price"#, None),
            (r#"$.data[?symbol=="LTC"].price"#, None),
            // A text is no number.
            (r#"$.data[?price==0.1].symbol"#, None),
            (r#"$.data[?price=="0.1"].symbol"#, Some("\"DOGE\"")),
            (r#"$.rows[?@[0]=="tBTCUSD"][2]"#, Some("2.50")),
            (r#"$['by name'][?live==true].p"#, Some("2")),
            ("$.data[1].id", Some("1")),
            ("$.data[?a==1]", None),
            ("$.rows[0][0][?a==1]", None),
        ] {
            assert_eq!(find(expression), Ok(found), "{expression}");
        }
        assert_eq!(find("$").unwrap().unwrap(), BODY);
    }

    #[test]
    fn two_that_are_equal_are_not_guessed_between() {
        assert_eq!(find("$.twice[?k==1]"), Err(Malformed));
    }

    #[test]
    fn a_mistake_is_named_with_its_column() {
        for (text, column, what) in [
            ("data", 1, "begins with $"),
            ("$data", 2, "a . or ["),
            ("$.", 3, "a key is needed"),
            ("$.a..b", 5, "a key is needed"),
            ("$.é[x]", 5, "a plain index"),
            ("$.a[01]", 5, "a plain index"),
            ("$.a[*]", 5, "a plain index"),
            ("$.a[0", 6, "a ] is needed"),
            ("$.a[?b]", 7, "== is needed"),
            ("$.a[?b=1]", 7, "== is needed"),
            ("$.a[?b==BTC]", 9, "a text in quotes"),
            ("$.a[?b==\"BTC]", 9, "not a text"),
            ("$.a[?b=='BTC]", 14, "has no end"),
            ("$.a[?b==1 || c==2]", 11, "a ] is needed"),
            ("$.a[?==1]", 6, "a key is needed"),
        ] {
            match parse(text) {
                Err(PathError::Expression { column: at, what: said }) => {
                    assert!(at == column && said.contains(what), "{text}: column {at}: {said}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(parse(&format!("${}", ".a".repeat(17))), Err(PathError::Long));
        assert_eq!(parse(&format!("$[?@{}==1]", ".a".repeat(17))), Err(PathError::Long));
        assert!(parse(&format!("$[?{}]", ["a==1"; 4].join("&&"))).is_ok());
        assert!(parse(&format!("$[?{}]", ["a==1"; 5].join("&&"))).is_err());
    }

    proptest! {
        #[test]
        fn never_panics_on_text(text in r#"\$[.a\[\]?@=&"' 0-9é\\-]{0,60}"#) {
            if let Ok(path) = parse(&text) {
                let body: &RawValue = serde_json::from_str(BODY).unwrap();
                let _ = path.find(body);
            }
        }
    }
}
