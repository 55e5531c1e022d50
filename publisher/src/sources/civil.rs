//! The spellings of civil time that venues use: RFC 3339 and bare dates in bodies, the HTTP date in headers.
//!
//! Exact to the millisecond (further digits are cut) and UTC only after applying the written offset. Days are
//! counted in the proleptic Gregorian calendar; leap seconds are refused, because no venue writes them.

use publisher_core::time::Wall;

const MS_PER_DAY: i64 = 86_400_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `2026-03-06T14:30:00.123456Z` and the same with an offset; `None` for anything else.
pub(super) fn rfc3339(text: &str) -> Option<Wall> {
    let (date, rest) = text.split_at_checked(10)?;
    let (year, month, day) = (number(date.get(..4)?)?, number(date.get(5..7)?)?, number(date.get(8..)?)?);
    if date.get(4..5)? != "-" || date.get(7..8)? != "-" {
        return None;
    }
    let (clock, zone) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let (fraction_ms, zone) = match zone.strip_prefix('.') {
        Some(digits) => {
            let end = digits.find(|c: char| !c.is_ascii_digit())?;
            (milliseconds(digits.get(..end)?)?, digits.get(end..)?)
        }
        None => (0, zone),
    };
    let offset_ms = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('+') { 1 } else { -1 };
            let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
            let (hours, minutes) = (two(hours, 23)?, two(minutes, 59)?);
            sign * (hours * 60 + minutes) * 60_000
        }
    };
    Some(Wall::from_ms(day_ms(year, month, day)? + clock_ms(clock)? + fraction_ms - offset_ms))
}

/// Reads `2026-03-06` as the beginning of that day.
pub(crate) fn date(text: &str) -> Option<Wall> {
    (text.len() == 10).then(|| rfc3339(&format!("{text}T00:00:00Z"))).flatten()
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the only date that RFC 9110 lets a server write.
pub(super) fn http_date(text: &str) -> Option<Wall> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day = two(words.next()?, 31)?;
    let name = words.next()?;
    let month = (1..).zip(MONTHS).find(|(_, month)| *month == name)?.0;
    let year = words.next().filter(|year| year.len() == 4).and_then(number)?;
    let clock = clock_ms(words.next()?)?;
    if words.next() != Some("GMT") || words.next().is_some() {
        return None;
    }
    Some(Wall::from_ms(day_ms(year, month, day)? + clock))
}

/// Decimal digits only: no sign, no space, not empty.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The first three digits of a fraction of a second.
pub(super) fn milliseconds(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number(format!("{fraction:0<3}").get(..3)?)
}

fn two(text: &str, max: i64) -> Option<i64> {
    number(text).filter(|n| text.len() == 2 && *n <= max)
}

fn clock_ms(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hours, minutes, seconds) =
        (two(parts.next()?, 23)?, two(parts.next()?, 59)?, two(parts.next()?, 59)?);
    parts.next().is_none().then_some(((hours * 60 + minutes) * 60 + seconds) * 1000)
}

/// Midnight of a date, in milliseconds since the Unix epoch.
fn day_ms(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that start in March put the leap day at the end, where it moves no other month.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1;
    // 0000-03-01 is 719,468 days before 1970-01-01.
    Some((days - 719_468) * MS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc_3339() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2026-03-06T14:30:00.123456Z", 1_772_807_400_123),
            ("2026-03-06T14:30:00.1Z", 1_772_807_400_100),
            ("2026-03-06T16:30:00+02:00", 1_772_807_400_000),
            ("2026-03-06 09:00:00-05:30", 1_772_807_400_000),
        ] {
            assert_eq!(rfc3339(text), Some(Wall::from_ms(ms)), "{text}");
        }
        for text in [
            "",
            "2026-03-06",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-03-06T24:00:00Z",
            "2026-03-06T14:30:60Z",
            "2026-03-06T14:30:00",
            "2026-03-06T14:30:00.Z",
            "2026-03-06T14:30:00+2:00",
            "2026-03-06T14:30:00Zz",
            "2026/03/06T14:30:00Z",
            "+026-03-06T14:30:00Z",
            "2026-03-06T14:30:00.5",
            "２０２6-03-06T14:30:00Z",
            "2026-03-06T1é:30:00Z",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_is_the_beginning_of_its_day() {
        assert_eq!(date("2000-02-29"), Some(Wall::from_ms(951_782_400_000)));
        for text in ["", "2026-3-6", "2026-02-29", "2026-03-06T14:30:00Z", "06-03-2026", "2026-03-06 "] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn reads_http_dates() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Wall::from_ms(784_111_777_000)));
        for text in [
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "30",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = (rfc3339(&text), date(&text), http_date(&text));
        }
    }
}
