//! `quarterdeck serve`: from the configuration to a console that answers, and down again in good order.

use std::{io::Write as _, time::Duration};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    clock::{Clock, Rng},
    config::Config,
    console::{Console, Parts, store_config},
    identity::{self, local},
    routes,
    store::{Db, Dialect},
    vault,
    web::{listener, stack, stack::Stack},
};

/// Serves until SIGTERM or SIGINT.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    let listener = bind("listen", config.listen).await?;
    let metrics = match config.metrics_listen {
        Some(address) => Some(bind("metrics_listen", address).await?),
        None => None,
    };
    // Before the database is opened, and until the process ends. A read-only console disturbs nobody.
    let _held = if config.read_only {
        None
    } else {
        Some(store_config(&config).hold().context("the database cannot be opened")?)
    };
    let console = open(config).await?;
    check_queues(console)?;
    let stack =
        Stack::new(console, routes::all()).context("the route table does not fit the pages")?;
    console.start();
    say_where(console, &listener, metrics.as_ref())?;
    say_who(console, &listener).await?;

    let clock = &console.clock;
    let metrics_stop = CancellationToken::new();
    let second = serve_metrics(console, metrics, metrics_stop.clone());
    let first =
        listener::serve(listener, clock.clone(), console.shutdown.clone(), move |peer, request| {
            let stack = stack.clone();
            async move { stack.answer(Some(peer), request).await }
        });
    tokio::pin!(first, second);
    let mut first_done = false;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        () = &mut first => first_done = true,
        () = &mut second => {}
    }
    // Readiness says so from here on, streams end, and no new connection is taken.
    console.shutdown.cancel();
    let began = console.clock.monotonic();
    let drain = async {
        if !first_done {
            first.await;
        }
    };
    let grace = console.config.shutdown_grace;
    let drained = tokio::select! {
        () = drain => true,
        () = console.clock.sleep(grace) => false,
        // The second listener goes on answering meanwhile; it never ends by itself.
        () = &mut second => false,
        _ = interrupt.recv() => false,
    };
    if !drained {
        tracing::warn!("requests were still running when the grace was over");
    }
    let left = grace.saturating_sub(console.clock.monotonic().saturating_sub(began));
    finish(console, left.max(Duration::from_secs(1))).await;
    metrics_stop.cancel();
    Ok(())
}

pub(super) async fn finish(console: &'static Console, grace: Duration) {
    let late = console.tasks.shutdown(grace).await;
    if !late.is_empty() {
        tracing::warn!(tasks = late.join(", "), "tasks did not stop in time");
    }
    // A connection that never comes back must not keep the process.
    let closed = tokio::time::timeout(Duration::from_secs(5), console.db.close()).await;
    if closed.is_err() {
        tracing::warn!("the database was not closed in time");
    }
    tracing::info!("stopped");
}

pub(super) async fn bind(
    setting: &str,
    address: std::net::SocketAddr,
) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{setting}: {address} cannot be listened on"))
}

/// Opens the store and wires the console. One process holds a SQLite file, so it is brought up to date
/// right here; Postgres is shared, and who migrates it decides when.
async fn open(config: Config) -> anyhow::Result<&'static Console> {
    let clock = Clock::system();
    let db = Db::open(&store_config(&config), clock.clone())
        .await
        .context("the database cannot be opened")?;
    if db.dialect() == Dialect::Sqlite && !config.read_only {
        for migration in db.migrate().await.context("the database was not migrated")? {
            tracing::info!(migration = migration.name, "brought the database up to date");
        }
    }
    db.check_schema().await.context("the database does not fit this version")?;
    identity::check_start(&config, &db).await?;
    let rng = Rng::system();
    let vault = vault::open_for(&config, &db, &rng).await?;
    let parts = Parts { config, clock, rng, db, vault, callers: None };
    Ok(Console::open(parts).await?)
}

/// A queue that no type is in is a name that was typed wrong: nobody would ever notice that it stays empty.
pub(super) fn check_queues(console: &Console) -> anyhow::Result<()> {
    let Some(unknown) = console.operations.find_unknown_queue(&console.config.queues) else {
        return Ok(());
    };
    let known = console.operations.queues().join(", ");
    anyhow::bail!("queues: `{unknown}` is no queue of this version; there are {known}")
}

pub(super) async fn serve_metrics(
    console: &'static Console,
    listener: Option<TcpListener>,
    stop: CancellationToken,
) {
    let Some(listener) = listener else { return std::future::pending().await };
    let router = stack::of_metrics(console);
    listener::serve(listener, console.clock.clone(), stop, move |_, request| {
        let router = router.clone();
        async move {
            match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
    .await;
}

fn say_where(
    console: &Console,
    listener: &TcpListener,
    metrics: Option<&TcpListener>,
) -> anyhow::Result<()> {
    let url = format!("http://{}{}/", listener.local_addr()?, console.config.base());
    let metrics = match metrics {
        Some(metrics) => format!("http://{}/metrics", metrics.local_addr()?),
        None => "off".to_owned(),
    };
    tracing::info!(url, metrics, "Quarterdeck is up: {url}");
    Ok(())
}

/// Who can sign in where nobody could yet: the demo's people, or the first admin by a link.
async fn say_who(console: &'static Console, listener: &TcpListener) -> anyhow::Result<()> {
    if console.config.read_only {
        return Ok(());
    }
    if let Some(file) = &console.config.demo_users {
        let gate = std::sync::Arc::clone(&console.gate);
        local::demo::prepare(&console.db, &console.rng, gate, file).await?;
        tracing::warn!("demo: whoever uses this machine can enter as anybody");
        return Ok(());
    }
    if console.config.oidc.is_some() {
        return Ok(());
    }
    if let Some(link) = local::first_link(&console.db, &console.rng).await? {
        let origin = console.config.public_url.as_ref().map(|url| url.origin.clone());
        let address = listener.local_addr()?;
        let origin = origin.unwrap_or_else(|| format!("http://{address}"));
        let path = app::paths::welcome(link.reveal());
        // For the person at the terminal, not for the log. Nobody may be there to read it.
        let words = "Nobody can sign in yet. Become the first admin (within 24 hours, once):";
        drop(writeln!(std::io::stdout(), "{words}\n  {origin}{path}"));
    }
    Ok(())
}
