//! Quarterdeck's only entry for building, serving, showing and testing it. Owns the choice of the command;
//! each command is a module. Must stay small and quick to build, since everybody waits for it first.

mod build;
mod control_plane;
mod process;
mod progress;
mod setup;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    process::end_children_on_signals()?;
    let workspace = workspace::Workspace::find()?;
    match std::env::args().nth(1).as_deref() {
        Some("setup") => setup::all(&workspace),
        Some("build") => build::run(&workspace, std::env::args().any(|word| word == "--release")),
        _ => anyhow::bail!("commands: setup, build"),
    }
}
