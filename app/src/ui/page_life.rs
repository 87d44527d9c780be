//! What keeps an open page true: "12 s ago" grows older, and the viewer's zone is told to the server once.

use leptos::prelude::*;

/// How often relative times are written anew.
const TICK: std::time::Duration = std::time::Duration::from_secs(10);

/// Draws nothing. `server_now` is the server's clock in milliseconds when the page was drawn, so that a
/// browser whose clock is off still counts right.
#[island]
pub fn PageLife(server_now: f64, zone_told: bool) -> impl IntoView {
    Effect::new(move |_| {
        if !zone_told {
            tell_zone();
        }
        let ahead = js_sys::Date::now() - server_now;
        let _ = set_interval(move || age_times(js_sys::Date::now() - ahead), TICK);
    });
}

fn tell_zone() {
    let options = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new())
        .resolved_options();
    let Ok(zone) = js_sys::Reflect::get(&options, &"timeZone".into()) else { return };
    let Some(zone) = zone.as_string() else { return };
    if zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b)) {
        let secure =
            if window().location().protocol().as_deref() == Ok("https:") { "; Secure" } else { "" };
        let cookie = format!("qd_zone={zone}; Path=/; Max-Age=31536000; SameSite=Lax{secure}");
        let _ = js_sys::Reflect::set(&document(), &"cookie".into(), &cookie.into());
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds between two days of our lives")]
fn age_times(now: f64) {
    let Ok(times) = document().query_selector_all("time[data-rel]") else { return };
    for time in (0..times.length()).filter_map(|i| times.item(i)) {
        let at = js_sys::Reflect::get(&time, &"dateTime".into()).ok().and_then(|v| v.as_string());
        let at = at.map_or(f64::NAN, |at| js_sys::Date::parse(&at));
        if at.is_finite() {
            let said = super::moment::relative(((now - at) / 1000.0) as i64);
            if time.text_content().as_deref() != Some(&said) {
                time.set_text_content(Some(&said));
            }
        }
    }
}
