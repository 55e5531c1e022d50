//! The reference rates of the European Central Bank as Frankfurter serves them: what one euro costs in each currency,
//! as JSON numbers, once a day.

use axum::http::StatusCode;

use super::answer::{Answer, Ask};
use super::desk::Desk;
use super::refusal::Refusal;
use super::row::Row;
use crate::clock;
use crate::json::{Json, number, object, text};

pub(crate) fn answer(desk: &Desk, ask: &Ask<'_>) -> Answer {
    match (ask.path, ask.parameter("base")) {
        ("/v1/latest", None | Some("EUR")) => {
            let rows = desk.all();
            let time_ms = rows.iter().map(|row| row.time_ms).min().unwrap_or_else(clock::now_ms);
            let date = clock::iso8601(time_ms).chars().take(10).collect::<String>();
            let rate = |row: &&Row| (row.key(&row.pair.quote), row.price_number(row.last));
            let body = object([
                ("amount", number("1.0")),
                ("base", text("EUR")),
                ("date", text(date)),
                ("rates", Json::Object(rows.iter().map(rate).collect())),
            ]);
            Answer::json(StatusCode::OK, &body, &rows)
        }
        _ => Answer::json(StatusCode::NOT_FOUND, &message("not found"), &[]),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Json {
    message(match refusal {
        Refusal::RateLimited | Refusal::Banned => "too many requests",
        Refusal::GeoBlocked => "not available in your region",
        Refusal::Unavailable | Refusal::InBody => "internal server error",
    })
}

fn message(message: &str) -> Json {
    object([("message", text(message))])
}
