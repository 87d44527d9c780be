//! Home: what needs a human, from every domain that has something to say.
//!
//! Knows no domain: `console` hands it the sources. Must not decide who may see a row; a source is asked only
//! when the caller holds all that it needs, and answers within the caller's reach.

use std::sync::Arc;

use app::{
    home::{
        Home, NeedsHuman,
        model::{Answer, OpenWork, ROWS_MAX, Source},
    },
    identity::Caller,
    time::Micros,
};
use async_trait::async_trait;

use crate::clock::Clock;

pub struct HomeService {
    clock: Clock,
    sources: Vec<Arc<dyn NeedsHuman>>,
}

impl HomeService {
    pub fn new(clock: Clock, sources: Vec<Arc<dyn NeedsHuman>>) -> Self {
        Self { clock, sources }
    }

    fn heard_by(&self, caller: &Caller) -> impl Iterator<Item = &Arc<dyn NeedsHuman>> {
        self.sources.iter().filter(|source| source.needs().iter().all(|c| caller.may(*c)))
    }
}

#[async_trait]
impl Home for HomeService {
    async fn open_work(&self, caller: &Caller, day_began: Micros) -> OpenWork {
        let asked: Vec<_> = self.heard_by(caller).collect();
        let answers = asked.iter().map(|source| source.look(caller, day_began));
        let answers = futures::future::join_all(answers).await;
        let mut work = OpenWork {
            looked_at: self.clock.now(),
            day_began,
            rows: Vec::new(),
            more: false,
            today: None,
            closed: Vec::new(),
            sources: Vec::new(),
        };
        for (source, answer) in asked.into_iter().zip(answers) {
            let unavailable = answer.as_ref().err().map(ToString::to_string);
            work.sources.push(Source { name: source.name(), unavailable });
            if let Ok(answer) = answer {
                add(&mut work, answer);
            }
        }
        work.rows.sort_by(|one, other| (one.since, &one.key).cmp(&(other.since, &other.key)));
        work.more |= work.rows.len() > ROWS_MAX;
        work.rows.truncate(ROWS_MAX);
        work
    }
}

fn add(work: &mut OpenWork, answer: Answer) {
    work.rows.extend(answer.rows);
    work.more |= answer.more;
    work.today = work.today.or(answer.today);
    work.closed.extend(answer.closed);
}
