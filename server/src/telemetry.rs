//! What the process says about itself while it runs: lines on standard error.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{IsTerminal as _, stderr},
    panic,
};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Config, LogFormat};

/// Starts writing lines. Called once, by `main`; tests keep quiet.
pub fn start(config: &Config) {
    // The configuration has tried the filter already.
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    // It writes the whole of an answer that it cannot read, and an answer may be a secret.
    let filter = match "kube_client=off".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    match config.log_format {
        LogFormat::Json => {
            let lines =
                lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(lines).init();
        }
        LogFormat::Pretty => registry.with(lines.with_target(false)).init(),
    }
    panic::set_hook(Box::new(note_panic));
}

/// A panic is one line like any other, within the request that it ended.
fn note_panic(info: &panic::PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("(no message)");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    // Frames only where RUST_BACKTRACE asks for them: they cost milliseconds.
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(panic.message = message, panic.location = location, backtrace, "panicked");
}
