//! When a schedule ticks: a cron expression, read on the clock of a time zone.
//!
//! Owns the arithmetic alone; the store and the starting are `timer`'s. The expressions are croner's, the zones
//! jiff's; what a change of the clock means is decided here, since croner decides it by how an expression is
//! spelled (`0,30 2 * * *` otherwise than `*/30 2 * * *`).
//!
//! - An expression that leaves every hour free (`*/5 * * * *`, `17 * * * *`) counts real time. Where the clock
//!   jumps ahead, the skipped hour holds no ticks, because no time passes; where it is set back, the repeated hour
//!   has its ticks twice. "Every 5 minutes" stays every 5 minutes.
//! - Any other (`30 2 * * *`, `*/30 1-3 * * 0`) names times of the day. Each happens once a day: one in the
//!   skipped hour at the moment after the gap, several of them as that one tick; one in the repeated hour the
//!   first time that the clock shows it.
//!
//! So a tick is never lost and never doubled, whichever zone.

use std::str::FromStr as _;

use app::time::Micros;
use croner::Cron;
use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};
use serde_json::Value;

/// More changes of the clock than that between two ticks, and the expression has none left in our lifetime.
const CHANGES_MAX: usize = 400;
/// A repeated range is never longer than a day, and an expression ticks once a minute at most.
const REPEATED_MAX: usize = 24 * 60;

/// A type that is started on a clock as well.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its identity in the store.
    pub name: &'static str,
    pub kind: &'static str,
    label: &'static str,
    cron: Cron,
    zone: TimeZone,
    pub input: Value,
}

impl Schedule {
    /// `cron` has five fields and is read in UTC; `label` says the same for people: "every 5 minutes".
    ///
    /// # Panics
    /// When `cron` is none: that is a mistake in the code, found at the first start.
    pub fn new(
        name: &'static str,
        kind: &'static str,
        cron: &'static str,
        label: &'static str,
    ) -> Self {
        let cron = Cron::from_str(cron).expect("a cron expression of five fields");
        Self { name, kind, label, cron, zone: TimeZone::UTC, input: Value::Null }
    }

    /// The same expression on the clock of this zone.
    #[must_use]
    pub fn in_zone(self, zone: &TimeZone) -> Self {
        Self { zone: zone.clone(), ..self }
    }

    /// For people: "daily at 03:40, Europe/Berlin". What counts real time is the same in every zone.
    pub fn label(&self) -> String {
        if self.counts_real_time() {
            return self.label.to_owned();
        }
        format!("{}, {}", self.label, self.zone.iana_name().unwrap_or("UTC"))
    }

    /// The first tick after `now`; none when the expression has no more.
    pub fn next_after(&self, now: Micros) -> Option<Micros> {
        let now = now.timestamp();
        let next =
            if self.counts_real_time() { self.next_instant(now) } else { self.next_reading(now) };
        Some(Micros(next?.as_microsecond()))
    }

    fn counts_real_time(&self) -> bool {
        (0..24).all(|hour| self.cron.pattern.hour_match(hour).unwrap_or(false))
    }

    /// From one change of the clock to the next the zone is an offset; within it a reading is an instant.
    fn next_instant(&self, now: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (now, false);
        for _ in 0..CHANGES_MAX {
            let offset = self.zone.to_offset(from);
            let change = self.zone.following(from).next().map(|change| change.timestamp());
            let tick = offset.to_timestamp(self.tick(offset.to_datetime(from), inclusive)?).ok()?;
            match change {
                Some(change) if change <= tick => (from, inclusive) = (change, true),
                _ => return Some(tick),
            }
        }
        None
    }

    /// The next reading of the clock that the expression names and that comes after `now`.
    fn next_reading(&self, now: Timestamp) -> Option<Timestamp> {
        let mut shown = self.zone.to_datetime(now);
        for _ in 0..=REPEATED_MAX {
            shown = self.tick(shown, false)?;
            let instant = self.first_shown(shown)?;
            // While the clock shows an hour for the second time, its readings are past.
            if instant > now {
                return Some(instant);
            }
        }
        None
    }

    /// When the clock shows this for the first time, or jumps over it.
    fn first_shown(&self, reading: DateTime) -> Option<Timestamp> {
        let at = |offset: Offset| offset.to_timestamp(reading).ok();
        match self.zone.to_ambiguous_timestamp(reading).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset),
            AmbiguousOffset::Fold { before, .. } => at(before),
            // Read with the offset that comes after, it lies before the jump.
            AmbiguousOffset::Gap { after, .. } => {
                Some(self.zone.following(at(after)?).next()?.timestamp())
            }
        }
    }

    /// The expression on a clock that never changes.
    fn tick(&self, after: DateTime, inclusive: bool) -> Option<DateTime> {
        let after = after.to_zoned(TimeZone::UTC).ok()?;
        Some(self.cron.find_next_occurrence(&after, inclusive).ok()?.datetime())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &'static str, zone: &str) -> Schedule {
        let zone = TimeZone::get(zone).expect("a zone");
        Schedule::new("s", "t", cron, "then").in_zone(&zone)
    }

    fn at(text: &str) -> Micros {
        text.parse().expect("a time")
    }

    /// Every tick after `from` and up to `to`.
    fn ticks(schedule: &Schedule, from: &str, to: &str) -> Vec<Micros> {
        let (mut now, to) = (at(from), at(to));
        let mut ticks = Vec::new();
        while let Some(next) = schedule.next_after(now).filter(|next| *next <= to) {
            assert!(next > now, "time goes on");
            ticks.push(next);
            now = next;
        }
        ticks
    }

    #[track_caller]
    fn expect(cron: &'static str, zone: &str, (from, to): (&str, &str), wanted: &[&str]) {
        let wanted: Vec<Micros> = wanted.iter().map(|text| at(text)).collect();
        let found = ticks(&schedule(cron, zone), from, to);
        assert_eq!(found, wanted, "{cron} in {zone}: {found:?}");
    }

    #[test]
    fn ticks_follow_the_expression_in_utc() {
        let schedule = Schedule::new("s", "t", "*/5 * * * *", "every 5 minutes");
        let next = schedule.next_after(at("2026-03-29T00:59:59.999999Z"));
        assert_eq!(next, Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(
            schedule.next_after(at("2026-03-29T01:00:00Z")),
            Some(at("2026-03-29T01:05:00Z"))
        );
    }

    /// Berlin: 2:00 becomes 3:00 at 01:00 UTC. New York: 2:00 becomes 3:00 at 07:00 UTC. Santiago: midnight becomes
    /// 1:00 at 04:00 UTC, so that a day there begins at 1:00. Lord Howe: 2:00 becomes 2:30 at 15:30 UTC.
    #[test]
    fn a_tick_in_the_skipped_hour_happens_once_right_after_the_gap() {
        let berlin = ("2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z");
        let around = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
        expect("30 2 * * *", "Europe/Berlin", berlin, &around);
        let york = ("2026-03-07T00:00:00Z", "2026-03-09T12:00:00Z");
        let around = ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"];
        expect("30 2 * * *", "America/New_York", york, &around);
        let santiago = ("2026-09-05T00:00:00Z", "2026-09-07T12:00:00Z");
        let around = ["2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"];
        expect("0 0 * * *", "America/Santiago", santiago, &around);
        let howe = ("2026-10-02T00:00:00Z", "2026-10-04T12:00:00Z");
        let around = ["2026-10-02T15:45:00Z", "2026-10-03T15:30:00Z"];
        expect("15 2 * * *", "Australia/Lord_Howe", howe, &around);
    }

    /// However the expression is spelled: several readings that the clock jumps over are one tick.
    #[test]
    fn several_ticks_in_the_skipped_hour_are_one() {
        let berlin = ("2026-03-29T00:45:00Z", "2026-03-29T12:00:00Z");
        for cron in ["*/30 2 * * *", "0,30 2 * * *"] {
            expect(cron, "Europe/Berlin", berlin, &["2026-03-29T01:00:00Z"]);
        }
        // 2:00 and 2:30 meet 3:00, which is named as well.
        let named = ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"];
        expect("*/30 1-3 * * *", "Europe/Berlin", berlin, &named);
        let even = ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"];
        expect(
            "0 */2 * * *",
            "Europe/Berlin",
            ("2026-03-29T00:45:00Z", "2026-03-29T03:00:00Z"),
            &even,
        );
    }

    /// Berlin: 3:00 becomes 2:00 at 01:00 UTC. New York: 2:00 becomes 1:00 at 06:00 UTC. Santiago: midnight becomes
    /// 23:00 at 03:00 UTC. Lord Howe: 2:00 becomes 1:30 at 15:00 UTC.
    #[test]
    fn a_tick_in_the_repeated_hour_happens_once() {
        let berlin = ("2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z");
        let around = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        expect("30 2 * * *", "Europe/Berlin", berlin, &around);
        let york = ("2026-10-31T00:00:00Z", "2026-11-02T12:00:00Z");
        let around = ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"];
        expect("30 1 * * *", "America/New_York", york, &around);
        let santiago = ("2026-04-04T00:00:00Z", "2026-04-06T12:00:00Z");
        let around = ["2026-04-04T02:30:00Z", "2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"];
        expect("30 23 * * *", "America/Santiago", santiago, &around);
        let howe = ("2026-04-03T00:00:00Z", "2026-04-05T00:00:00Z");
        let around = ["2026-04-03T14:45:00Z", "2026-04-04T14:45:00Z"];
        expect("45 1 * * *", "Australia/Lord_Howe", howe, &around);
        // Spelled with a step, which croner alone would run twice.
        let hour = ("2026-10-24T23:45:00Z", "2026-10-25T12:00:00Z");
        let once = ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"];
        expect("*/30 2 * * *", "Europe/Berlin", hour, &once);
    }

    /// Asked in the middle of the hour's second time, the tick was already.
    #[test]
    fn what_the_clock_shows_again_is_past() {
        let daily = schedule("30 2 * * *", "Europe/Berlin");
        for now in ["2026-10-25T00:30:00Z", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"] {
            assert_eq!(daily.next_after(at(now)), Some(at("2026-10-26T01:30:00Z")), "{now}");
        }
    }

    #[test]
    fn every_few_minutes_goes_on_through_every_change() {
        for zone in ["Europe/Berlin", "America/New_York", "America/Santiago", "Pacific/Auckland"] {
            for cron in ["*/5 * * * *", "*/5 0-23 * * *"] {
                let five = schedule(cron, zone);
                let tz = TimeZone::get(zone).expect("a zone");
                let from = at("2026-01-01T00:00:00Z").timestamp();
                for change in tz.following(from).take(4) {
                    let change = Micros(change.timestamp().as_microsecond());
                    let mut now = change.plus(-2 * 3_600 * Micros::SECOND);
                    while now < change.plus(2 * 3_600 * Micros::SECOND) {
                        let next = five.next_after(now).expect("always one more");
                        let apart = next.since(now);
                        assert_eq!(apart, 300 * Micros::SECOND, "{cron} in {zone} at {now:?}");
                        now = next;
                    }
                }
            }
        }
        let hourly = schedule("17 * * * *", "Europe/Berlin");
        assert_eq!(ticks(&hourly, "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z").len(), 72);
        assert_eq!(ticks(&hourly, "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z").len(), 72);
    }

    /// A year of days has a tick for each, in zones of every kind.
    #[test]
    fn no_day_is_left_out_and_none_has_two() {
        for zone in [
            "Europe/Berlin",
            "America/New_York",
            "America/Santiago",
            "Australia/Lord_Howe",
            "Asia/Kolkata",
        ] {
            for cron in ["0 0 * * *", "30 1 * * *", "30 2 * * *", "59 23 * * *"] {
                let daily = schedule(cron, zone);
                let found = ticks(&daily, "2026-01-01T12:00:00Z", "2027-01-01T12:00:00Z");
                assert_eq!(found.len(), 365, "{cron} in {zone}");
            }
        }
    }

    #[test]
    fn a_calendar_may_have_no_more_ticks() {
        assert_eq!(
            schedule("0 0 31 2 *", "Europe/Berlin").next_after(at("2026-01-01T00:00:00Z")),
            None
        );
    }

    #[test]
    fn the_label_names_the_zone_where_it_matters() {
        assert_eq!(schedule("30 2 * * *", "Europe/Berlin").label(), "then, Europe/Berlin");
        assert_eq!(Schedule::new("s", "t", "0 3 * * *", "daily").label(), "daily, UTC");
        assert_eq!(schedule("*/5 * * * *", "Europe/Berlin").label(), "then");
    }
}
