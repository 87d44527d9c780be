//! `quarterdeck work`: the run engine alone, beside consoles that serve the same Postgres.
//!
//! No page and no JSON API: workers, the timer, the feed of news, and the second listener for metrics and readiness.

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::serve::{bind, check_queues, finish, serve_metrics};
use crate::{
    clock::{Clock, Rng},
    config::Config,
    console::{Console, Parts, store_config},
    store::Db,
    vault,
};

/// Works until SIGTERM or SIGINT.
pub async fn work(config: Config) -> anyhow::Result<()> {
    refuse(&config)?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    let metrics = match config.metrics_listen {
        Some(address) => Some(bind("metrics_listen", address).await?),
        None => None,
    };
    let console = open(config).await?;
    check_queues(console)?;
    console.start_work();
    let address = match &metrics {
        Some(listener) => format!("http://{}/metrics", listener.local_addr()?),
        None => "off".to_owned(),
    };
    let queues = match console.config.queues.as_slice() {
        [] => console.operations.queues().join(","),
        queues => queues.join(","),
    };
    let workers = console.config.workers;
    tracing::info!(metrics = address, queues, workers, "Quarterdeck works on {queues}.");

    let metrics_stop = CancellationToken::new();
    let second = serve_metrics(console, metrics, metrics_stop.clone());
    tokio::pin!(second);
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        () = &mut second => {}
    }
    console.shutdown.cancel();
    tokio::select! {
        () = finish(console, console.config.shutdown_grace) => {}
        // The second listener goes on answering meanwhile; it never ends by itself.
        () = &mut second => {}
    }
    metrics_stop.cancel();
    Ok(())
}

/// What cannot be meant.
fn refuse(config: &Config) -> anyhow::Result<()> {
    if store_config(config).sqlite_file()?.is_some() {
        bail!(
            "`quarterdeck work` needs Postgres: a SQLite file is held by one process, the console that serves from it. \
             Give that one workers with --workers, or name a database with --database-url postgres://…"
        );
    }
    if config.read_only {
        bail!("`quarterdeck work` changes things, and --read-only refuses every change");
    }
    if config.workers == 0 {
        bail!("--workers is 0, so nothing would work");
    }
    Ok(())
}

/// As a console that serves, but for those who sign in: nobody does here.
async fn open(config: Config) -> anyhow::Result<&'static Console> {
    let clock = Clock::system();
    let db = Db::open(&store_config(&config), clock.clone())
        .await
        .context("the database cannot be opened")?;
    db.check_schema().await.context("the database does not fit this version")?;
    let rng = Rng::system();
    let vault = vault::open_for(&config, &db, &rng).await?;
    let parts = Parts { config, clock, rng, db, vault, callers: None };
    Ok(Console::open(parts).await?)
}
