//! Quarterdeck's only entry for building, serving, showing and testing it. Owns the choice of the command;
//! each command is a module. Must stay small and quick to build, since everybody waits for it first.

mod bench;
mod build;
mod cli;
mod console;
mod control_plane;
mod demo;
mod helm;
mod http;
mod postgres;
mod process;
mod progress;
mod serve;
mod setup;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Command;
use crate::workspace::Workspace;

/// What shells expect of a program that the user ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = run(&words);
    if process::interrupted() {
        return ExitCode::from(INTERRUPTED);
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let command = cli::parse(words)?;
    process::end_children_on_signals()?;
    let workspace = Workspace::find()?;
    match command {
        Command::Help(text) => cli::help(text),
        Command::Setup => setup::all(&workspace)?,
        Command::Build { release } => build::run(&workspace, release)?,
        Command::Serve { args } => serve::run(&workspace, &args)?,
        Command::Demo { fleet } => demo::run(&workspace, fleet)?,
        Command::Test { parts } => test::run(&workspace, &parts)?,
        Command::Bench { name, args } => bench::run(&workspace, &name, &args)?,
    }
    Ok(())
}
