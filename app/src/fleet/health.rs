//! How a cluster fared: the points of its history, and what a picture of them shows.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::ClusterState;
use crate::{
    time::Micros,
    ui::{
        Clockface, Tone,
        chart::{Bar, Bars, Unit},
    },
};

/// How far back it is shown.
pub const SHOWN: i64 = 7 * 24 * 3_600 * Micros::SECOND;
/// One bar of the picture.
const STRETCH: i64 = 2 * 3_600 * Micros::SECOND;
/// Without a change there is a point each five minutes; after so long without one, nobody looked.
const GOOD_FOR: i64 = 10 * 60 * Micros::SECOND;

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HealthPoint {
    pub at: Micros,
    pub state: ClusterState,
    /// Null where there was none.
    pub health_score: Option<i64>,
    /// How long the API server took, in microseconds; null when it did not answer.
    pub latency_us: Option<i64>,
}

/// What one bar tells of its two hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stretch {
    worst: Option<i64>,
    offline: bool,
}

/// A bar for each two hours: the lowest score in them. Hours in which nobody looked are gaps, never zeroes.
pub fn bars(points: &[HealthPoint], clock: &Clockface) -> Option<Bars> {
    if points.is_empty() {
        return None;
    }
    let end = clock.now;
    let start = end.plus(-SHOWN);
    let stretches = stretches(points, start, end);
    let lowest = stretches.iter().filter_map(|stretch| stretch.worst).min()?;
    let offline = stretches.iter().filter(|stretch| stretch.offline).count();
    let mut at = start;
    let bar = |stretch: &Stretch| {
        let label = clock.short(at);
        at = at.plus(STRETCH);
        let tone = match stretch.worst {
            _ if stretch.offline => Tone::Bad,
            Some(100) => Tone::Ok,
            Some(_) => Tone::Warn,
            None => Tone::Plain,
        };
        #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
        let value = stretch.worst.map(|score| score as f64);
        Bar { label, value, tone }
    };
    let bars = stretches.iter().map(bar).collect();
    let mut title = format!("Health of the last 7 days: {lowest} of 100 at its lowest");
    if offline > 0 {
        let times = if offline == 1 { "bar" } else { "bars" };
        title = format!("{title}, offline in {offline} {times}");
    }
    Some(Bars {
        id: "health".to_owned(),
        title,
        description: "One bar for the lowest score of each two hours, the newest at the right; hatched where nobody looked."
            .to_owned(),
        unit: Unit::Points,
        bars,
    })
}

/// A point counts until the next one, while it is good.
fn stretches(points: &[HealthPoint], start: Micros, end: Micros) -> Vec<Stretch> {
    let count = usize::try_from(SHOWN / STRETCH).unwrap_or(0);
    let mut all = vec![Stretch::default(); count];
    let place = |at: Micros| {
        let at = at.since(start).clamp(0, SHOWN - 1) / STRETCH;
        usize::try_from(at).unwrap_or(0).min(count - 1)
    };
    for (n, point) in points.iter().enumerate() {
        let Some(score) = point.health_score else { continue };
        let next = points.get(n + 1).map_or(end, |next| next.at);
        let until = next.min(point.at.plus(GOOD_FOR)).min(end).max(point.at);
        for stretch in &mut all[place(point.at)..=place(until)] {
            stretch.worst = Some(stretch.worst.map_or(score, |worst| worst.min(score)));
            stretch.offline |= point.state == ClusterState::Offline;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_790_000_000_000_000);
    const HOUR: i64 = 3_600 * Micros::SECOND;

    fn point(hours_ago: i64, state: ClusterState, score: i64) -> HealthPoint {
        let at = NOW.plus(-hours_ago * HOUR);
        HealthPoint { at, state, health_score: Some(score), latency_us: None }
    }

    #[test]
    fn the_lowest_of_two_hours_is_shown_and_what_nobody_saw_is_a_gap() {
        let points = [
            point(25, ClusterState::Online, 100),
            point(24, ClusterState::Offline, 50),
            point(1, ClusterState::Online, 90),
        ];
        let all = stretches(&points, NOW.plus(-SHOWN), NOW);
        assert_eq!(all.len(), 84);
        assert_eq!(all[83], Stretch { worst: Some(90), offline: false });
        assert_eq!(all[72], Stretch { worst: Some(50), offline: true });
        assert_eq!(all[71], Stretch { worst: Some(100), offline: false });
        assert_eq!(all.iter().filter(|stretch| stretch.worst.is_none()).count(), 81);
    }
}
