//! The only sources of time and of chance.
//!
//! Everything that asks what time it is, waits, or rolls dice takes a [`Clock`] or an [`Rng`], so that a test
//! can hold both still. Must not know the database's clock: that is `store`'s.
#![expect(clippy::disallowed_methods, reason = "this is where time comes from")]

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use app::time::Micros;
use rand::{Rng as _, RngExt as _, SeedableRng as _, TryRng as _, rngs::StdRng, rngs::SysRng};
use tokio::sync::watch;

/// Tells the time and waits.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System { started: Instant },
    Manual { held: Held, skew: Arc<AtomicI64> },
}

/// What the hand of a test moves; all its clocks share it.
#[derive(Clone)]
struct Held {
    at: watch::Sender<Moment>,
    /// Until when each sleeper sleeps.
    sleepers: Arc<Mutex<Vec<Duration>>>,
}

#[derive(Clone, Copy)]
struct Moment {
    wall: Micros,
    monotonic: Duration,
}

impl Clock {
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock that stands still until its [`ManualClock`] moves it.
    pub fn manual(start: Micros) -> (Self, ManualClock) {
        let at = watch::Sender::new(Moment { wall: start, monotonic: Duration::ZERO });
        let hand = ManualClock(Held { at, sleepers: Arc::default() });
        (hand.process(0), hand)
    }

    pub fn now(&self) -> Micros {
        match &self.0 {
            Source::System { .. } => Micros(jiff::Timestamp::now().as_microsecond()),
            Source::Manual { held, skew } => {
                held.at.borrow().wall.plus(skew.load(Ordering::Relaxed))
            }
        }
    }

    /// Time since this clock was made; never goes back, whatever happens to the wall clock.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { held, .. } => held.at.borrow().monotonic,
        }
    }

    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Source::System { .. } => tokio::time::sleep(duration).await,
            Source::Manual { held, .. } => {
                let mut at = held.at.subscribe();
                let until = at.borrow().monotonic + duration;
                let _asleep = Asleep::new(held, until);
                // The sender lives in `self`, so waiting cannot end with it gone.
                let _ = at.wait_for(|at| at.monotonic >= until).await;
            }
        }
    }

    /// What the database's clock says where a test holds it.
    pub fn held(&self) -> Option<Micros> {
        match &self.0 {
            Source::System { .. } => None,
            Source::Manual { held, .. } => Some(held.at.borrow().wall),
        }
    }
}

/// The hand on a [`Clock::manual`]: moving it wakes those who slept until then.
pub struct ManualClock(Held);

impl ManualClock {
    /// Time passes.
    pub fn advance(&self, by: Duration) {
        self.0.at.send_modify(|at| {
            at.wall = at.wall.plus(micros(by));
            at.monotonic += by;
        });
    }

    /// Somebody sets the wall clock, the database's too; no time passes.
    pub fn jump(&self, by: i64) {
        self.0.at.send_modify(|at| at.wall = at.wall.plus(by));
    }

    /// The clock of a process whose wall clock differs from the database's by so many microseconds.
    pub fn process(&self, skew: i64) -> Clock {
        Clock(Source::Manual { held: self.0.clone(), skew: Arc::new(AtomicI64::new(skew)) })
    }

    /// How long until each sleeper wakes, the next one first; zero when it woke and did not run yet.
    pub fn sleepers(&self) -> Vec<Duration> {
        let now = self.0.at.borrow().monotonic;
        let sleepers = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left: Vec<_> = sleepers.iter().map(|until| until.saturating_sub(now)).collect();
        left.sort_unstable();
        left
    }
}

impl Clock {
    /// Somebody sets the wall clock of this process alone. The system's clock is not ours to set.
    pub fn set_askew(&self, by: i64) {
        if let Source::Manual { skew, .. } = &self.0 {
            skew.store(by, Ordering::Relaxed);
        }
    }
}

/// A sleeper, as long as it sleeps.
struct Asleep<'a> {
    held: &'a Held,
    until: Duration,
}

impl<'a> Asleep<'a> {
    fn new(held: &'a Held, until: Duration) -> Self {
        held.sleepers.lock().unwrap_or_else(PoisonError::into_inner).push(until);
        Self { held, until }
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let mut sleepers = self.held.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = sleepers.iter().position(|until| *until == self.until) {
            sleepers.swap_remove(found);
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Rolls dice. The system's is fit for secrets; a seeded one gives a test the same dice each time.
#[derive(Clone)]
pub struct Rng(Dice);

#[derive(Clone)]
enum Dice {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Rng {
    pub fn system() -> Self {
        Self(Dice::System)
    }

    pub fn seeded(seed: u64) -> Self {
        Self(Dice::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// Fills with bytes that nobody can foresee.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing that this process does would be safe then.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Dice::System => {
                SysRng.try_fill_bytes(bytes).expect("the operating system's random source");
            }
            Dice::Seeded(dice) => lock(dice).fill_bytes(bytes),
        }
    }

    /// A UUIDv4, as our ids are spelled.
    pub fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// A number from 0 up to `end`, without `end`; 0 when `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        if end == 0 {
            return 0;
        }
        match &self.0 {
            Dice::System => {
                let mut seed = <StdRng as rand::SeedableRng>::Seed::default();
                self.fill(&mut seed);
                StdRng::from_seed(seed).random_range(0..end)
            }
            Dice::Seeded(dice) => lock(dice).random_range(0..end),
        }
    }

    /// `duration` give or take `fraction` of it, so that many who wait alike do not come back at once.
    pub fn jitter(&self, duration: Duration, fraction: f64) -> Duration {
        const STEPS: u32 = 1 << 20;
        let dice = u32::try_from(self.below(u64::from(STEPS))).unwrap_or(STEPS / 2);
        let offset = (f64::from(dice) / f64::from(STEPS)).mul_add(2.0, -1.0);
        duration.mul_f64((1.0 + offset * fraction).max(0.0))
    }
}

/// Dice have no state that a panic could leave half changed.
fn lock(dice: &Mutex<StdRng>) -> MutexGuard<'_, StdRng> {
    dice.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_who_slept_until_then() {
        let (clock, hand) = Clock::manual(Micros(1_000));
        let mut sleeper = Box::pin(clock.sleep(Duration::from_secs(10)));
        assert!(futures::poll!(sleeper.as_mut()).is_pending());
        hand.advance(Duration::from_secs(9));
        assert!(futures::poll!(sleeper.as_mut()).is_pending());
        hand.advance(Duration::from_secs(1));
        sleeper.await;
        assert_eq!(clock.now(), Micros(10_001_000));
        assert_eq!(clock.monotonic(), Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_jump_of_the_wall_clock_wakes_nobody() {
        let (clock, hand) = Clock::manual(Micros(0));
        let mut sleeper = Box::pin(clock.sleep(Duration::from_secs(1)));
        assert!(futures::poll!(sleeper.as_mut()).is_pending());
        hand.jump(3_600_000_000);
        assert!(futures::poll!(sleeper.as_mut()).is_pending());
        assert_eq!(hand.sleepers(), [Duration::from_secs(1)]);
        assert_eq!((clock.now(), clock.monotonic()), (Micros(3_600_000_000), Duration::ZERO));
        let other = hand.process(-5);
        assert_eq!((other.now(), other.held()), (Micros(3_599_999_995), clock.held()));
        drop(sleeper);
        assert_eq!(hand.sleepers(), [Duration::ZERO; 0]);
    }

    #[test]
    fn the_same_seed_rolls_the_same_dice() {
        let (one, two) = (Rng::seeded(7), Rng::seeded(7));
        assert_eq!(one.uuid(), two.uuid());
        assert_eq!(one.below(1_000_000), two.below(1_000_000));
        assert_ne!(Rng::system().uuid(), Rng::system().uuid());
    }

    #[test]
    fn jitter_stays_within_its_fraction() {
        let rng = Rng::seeded(1);
        let base = Duration::from_secs(3);
        let all: Vec<Duration> = (0..1_000).map(|_| rng.jitter(base, 2.0 / 3.0)).collect();
        assert!(all.iter().all(|d| (1.0..=5.0).contains(&d.as_secs_f64())));
        assert!(all.iter().any(|d| d.as_secs_f64() < 1.5));
        assert!(all.iter().any(|d| d.as_secs_f64() > 4.5));
        assert_eq!(rng.below(0), 0);
        assert!((0..100).all(|_| Rng::system().below(3) < 3));
    }
}
