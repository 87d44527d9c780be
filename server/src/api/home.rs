//! Open work over JSON: what home shows.

use app::{
    error::{ApiError, Expected, Rule, Violation},
    home::{
        Home as _,
        model::{OpenWork, day_began},
    },
};
use axum::extract::State;
use jiff::tz::TimeZone;

use crate::{
    console::Console,
    identity::Asking,
    web::{Failed, errors::ErrorResponse, json::Json, query::Query},
};

/// Names of zones are shorter than that.
const ZONE_MAX: u32 = 64;

/// What needs a human, oldest first: as far as you may see it. An empty list of `sources` says that you may see
/// none; a source that is `unavailable` is missing from the rows.
#[utoipa::path(
    get,
    path = "/api/v1/open-work",
    tag = "home",
    params(("zone" = Option<String>, Query, description = "Where \"today\" began: an IANA name, UTC when absent", example = "Europe/Lisbon", max_length = 64)),
    responses(
        (status = 200, body = OpenWork),
        (status = 401, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn open_work(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<OpenWork>, Failed> {
    let zone = zone(query)?;
    let began = day_began(console.clock.now(), &zone);
    Ok(Json(console.home.open_work(&caller, began).await))
}

fn zone(query: Query) -> Result<TimeZone, ApiError> {
    let (mut zone, mut violations) = (None, Vec::new());
    for (key, value) in query.0 {
        match key.as_str() {
            "zone" if zone.is_some() => violations.push(Violation::new(key, Rule::Repeated)),
            "zone" if value.len() > ZONE_MAX as usize => {
                violations.push(Violation::new(key, Rule::Length { min: 1, max: ZONE_MAX }));
            }
            "zone" => {
                zone = TimeZone::get(&value).ok();
                if zone.is_none() {
                    let expected = Expected::Text;
                    violations.push(Violation::new(key, Rule::Malformed { expected }));
                }
            }
            _ => violations.push(Violation::new(key, Rule::UnknownField)),
        }
    }
    let zone = zone.unwrap_or(TimeZone::UTC);
    if violations.is_empty() { Ok(zone) } else { Err(ApiError::Invalid(violations)) }
}
