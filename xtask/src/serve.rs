//! Owns `serve`: the console, built and run on this terminal with the caller's own arguments.

use anyhow::Result;

use crate::build;
use crate::process;
use crate::workspace::Workspace;

pub fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    build::assets(workspace)?;
    let binary = build::server(workspace)?;
    process::run(process::command(binary).arg("serve").args(args))
}
