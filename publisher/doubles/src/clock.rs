//! Wall-clock readings and their spellings on the wire.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

/// `2026-03-06T14:30:00.123000Z`: the microsecond spelling that exchanges print.
pub(crate) fn iso8601(unix_ms: i64) -> String {
    let (days, ms_of_day) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
    let (year, month, day) = civil_date(days);
    let seconds = ms_of_day / 1_000;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}000Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        ms_of_day % 1_000,
    )
}

/// Proleptic Gregorian date of a day count since 1970-01-01. Years are counted from March, so that the leap
/// day is the last of its year and every month start follows from one linear formula.
fn civil_date(days_since_epoch: i64) -> (i64, i64, i64) {
    const DAYS_TO_0000_03_01: i64 = 719_468;
    const DAYS_PER_ERA: i64 = 146_097;
    let days = days_since_epoch + DAYS_TO_0000_03_01;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spelled_like_the_exchanges_do() {
        let check = |unix_ms, expected| assert_eq!(iso8601(unix_ms), expected);
        check(0, "1970-01-01T00:00:00.000000Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000000Z");
        check(1_709_251_199_999, "2024-02-29T23:59:59.999000Z");
        check(1_772_807_400_123, "2026-03-06T14:30:00.123000Z");
        check(-1, "1969-12-31T23:59:59.999000Z");
    }
}
