//! Owns `serve`: the console, built and run on this terminal with the caller's own arguments.

use anyhow::Result;

use crate::build;
use crate::process;
use crate::workspace::{self, Workspace};

pub fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    build::assets(workspace)?;
    let binary = build::server(workspace)?;
    let mut console = process::command(binary);
    // The console refuses variables that look like its settings and are none; these are xtask's.
    for name in workspace::VARIABLES {
        console.env_remove(name);
    }
    process::run(console.arg("serve").args(args))
}
