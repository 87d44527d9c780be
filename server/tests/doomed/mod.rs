//! Worker processes that are killed. The test program starts itself once more, as one ignored test that is a
//! worker; it goes on to a marked point, says so, and stands there until SIGKILL ends it.
#![expect(
    clippy::disallowed_methods,
    reason = "starts a process, and reads the plan that it was started with"
)]

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    str::FromStr,
    time::Duration,
};

use app::time::Micros;
use server::{
    clock::Clock,
    store::{Db, Fault, Faults, StoreConfig},
    vault::ChainKeys,
};

/// Longer than any test: whoever waits so long stands still.
const FOR_EVER: Duration = Duration::from_hours(1_000);
const STANDS: &str = "|stands|";
const ENDED: &str = "|ended|";

/// Where the process comes to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Nowhere: it works until there is nothing left.
    Nowhere,
    /// Before its `n`-th statement.
    Before(u64),
    /// Its `n`-th statement is done, and the answer does not come.
    After(u64),
    /// At a point that the work itself marks.
    At(String),
}

/// What a doomed process is told.
#[derive(Clone, Debug)]
pub struct Doom {
    pub url: String,
    /// What its clock says; it stands still.
    pub now: Micros,
    pub stand: Stand,
    /// Where its effects go.
    pub world: String,
}

/// The doomed process, seen from the test.
pub struct Victim {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Victim {
    /// `entry` is the ignored test that lives as a worker.
    pub fn start(entry: &str, doom: &Doom) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--ignored", "--exact", "--nocapture", entry])
            .env("DOOMED_URL", &doom.url)
            .env("DOOMED_NOW", doom.now.0.to_string())
            .env("DOOMED_STAND", doom.stand.to_string())
            .env("DOOMED_WORLD", &doom.world)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts again");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// Waits until it stands, or has no more work; then says how many statements it needed.
    pub fn wait(&mut self) -> Option<u64> {
        for line in self.lines.by_ref().map_while(Result::ok) {
            if line.contains(STANDS) {
                return None;
            }
            if let Some((_, count)) = line.split_once(ENDED) {
                return Some(count.trim().parse().expect("a number"));
            }
        }
        panic!("it ended by itself: {:?}", self.child.wait());
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("it lives");
        let status = self.child.wait().expect("our own child");
        assert!(!status.success(), "it ended by itself");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Doom {
    /// What this process was told, if it was started to be killed.
    pub fn read() -> Option<Self> {
        let word = |name: &str| std::env::var(name).ok();
        Some(Self {
            url: word("DOOMED_URL")?,
            now: Micros(word("DOOMED_NOW")?.parse().expect("a time")),
            stand: word("DOOMED_STAND")?.parse().expect("a place to stand"),
            world: word("DOOMED_WORLD")?,
        })
    }

    /// Opens the database, works until told to stand, and does not come back.
    pub async fn live<W: Future<Output = ()>>(self, work: impl FnOnce(Db) -> W) {
        let config = StoreConfig::at(self.url.clone());
        let _held = config.hold().expect("nobody else works on this file");
        let faults = Faults::none();
        let (clock, _hand) = Clock::manual(self.now);
        let db = Db::open_with(&config, clock, Some(faults.clone())).await.expect("a database");
        db.chain_with(ChainKeys::for_tests());
        let before = faults.seen();
        match self.stand {
            Stand::Before(n) => faults.add(n, Fault::Delay(FOR_EVER)),
            Stand::After(n) => faults.add(n, Fault::DelayAnswer(FOR_EVER)),
            Stand::Nowhere | Stand::At(_) => {}
        }
        let works = async {
            work(db.clone()).await;
            println!("{ENDED}{}", faults.seen() - before);
        };
        let stands = async {
            while faults.waiting() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            println!("{STANDS}");
            std::future::pending::<()>().await;
        };
        futures::join!(works, stands);
    }
}

/// Stands here if that is what this process was told.
pub async fn mark(point: &str) {
    if Doom::read().is_some_and(|doom| doom.stand == Stand::At(point.to_owned())) {
        println!("{STANDS}");
        std::future::pending::<()>().await;
    }
}

impl std::fmt::Display for Stand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nowhere => write!(f, "nowhere"),
            Self::Before(n) => write!(f, "before {n}"),
            Self::After(n) => write!(f, "after {n}"),
            Self::At(point) => write!(f, "at {point}"),
        }
    }
}

impl FromStr for Stand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |n: &str| n.parse().map_err(|_| format!("{n} is no number"));
        match text.split_once(' ') {
            None if text == "nowhere" => Ok(Self::Nowhere),
            Some(("before", n)) => Ok(Self::Before(number(n)?)),
            Some(("after", n)) => Ok(Self::After(number(n)?)),
            Some(("at", point)) => Ok(Self::At(point.to_owned())),
            _ => Err(format!("{text} is no place to stand")),
        }
    }
}
