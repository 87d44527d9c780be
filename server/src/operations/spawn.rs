//! The tasks of a process that works: the timer, its workers, and the row that says so.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{
    OperationsService,
    presence::{Presence, process_name},
};
use crate::tasks::Tasks;

const TIMER_TASK: &str = "Starts scheduled operations and takes back those whose worker is gone.";
const WORKER_TASK: &str = "Does queued operations, one at a time.";
const PRESENCE_TASK: &str = "Says every ten seconds that this process works, and on which queues.";

impl OperationsService {
    /// The first of these that is no queue of the catalog, if there is one.
    pub fn find_unknown_queue<'a>(&self, queues: &'a [String]) -> Option<&'a str> {
        let known = self.queues();
        queues.iter().map(String::as_str).find(|queue| !known.contains(queue))
    }

    /// Starts the timer and `workers` workers as tasks of this process, for these queues or, when none is named, for
    /// all.
    pub fn spawn(&self, tasks: &Tasks, queues: &[String], workers: usize) {
        let queues = match queues {
            [] => self.queues(),
            queues => queues.iter().map(String::as_str).collect(),
        };
        let timer = Arc::new(self.timer());
        tasks.spawn("operations.timer", TIMER_TASK, move |stop| {
            let timer = Arc::clone(&timer);
            async move {
                timer.run(stop).await;
                Ok(())
            }
        });
        let working = TaskTracker::new();
        for n in 1..=workers {
            // Tasks are named for the life of the process.
            let name: &'static str = Box::leak(format!("operations.worker.{n}").into_boxed_str());
            let owner = format!("{}:{n}", process_name());
            let worker = Arc::new(self.worker(owner, &queues));
            let working = working.clone();
            tasks.spawn(name, WORKER_TASK, move |stop| {
                let (worker, working) = (Arc::clone(&worker), working.token());
                async move {
                    worker.run(stop).await;
                    drop(working);
                    Ok(())
                }
            });
        }
        if workers > 0 {
            self.spawn_presence(tasks, &queues, workers, working);
        }
    }

    fn spawn_presence(&self, tasks: &Tasks, queues: &[&str], workers: usize, working: TaskTracker) {
        let queues = queues.iter().map(|queue| (*queue).to_owned()).collect();
        let presence = Arc::new(Presence::new(self.base.clone(), queues, workers, working));
        tasks.spawn("operations.presence", PRESENCE_TASK, move |stop| {
            let presence = Arc::clone(&presence);
            async move {
                presence.run(stop).await;
                Ok(())
            }
        });
    }
}
