//! Owns running the crates' own tests, with what they need beside them: a Postgres, the control plane's programs.
//! Must not know any test.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::postgres::Postgres;
use crate::build;
use crate::control_plane;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

/// A server on which the tests may create databases.
const POSTGRES_URL: &str = "QUARTERDECK_TEST_POSTGRES_URL";

/// `sqlite`: the tests do without Postgres. Without it they fail when no Postgres is named.
const ENGINES: &str = "QUARTERDECK_TEST_ENGINES";

/// Where the practice fleet finds Kubernetes.
const FLEET_TOOLS: &str = "FLEET_TOOLS";

pub fn unit(workspace: &Workspace) -> Result<()> {
    process::run(cargo_test(workspace).args(["--exclude", "fleet"]).env(ENGINES, "sqlite"))
}

pub fn store(workspace: &Workspace) -> Result<()> {
    let postgres = Postgres::start(&setup::postgres::ensure(workspace)?, workspace)?;
    process::run(
        cargo_test(workspace)
            .args(["--exclude", "fleet", "--exclude", "xtask"])
            .env(POSTGRES_URL, &postgres.url),
    )
}

pub fn fleet(workspace: &Workspace) -> Result<()> {
    let tools = control_plane::ensure(&workspace.cache, &workspace.root)?;
    let mut cargo = build::cargo(workspace, "test");
    process::run(cargo.args(["--no-fail-fast", "--package", "fleet"]).env(FLEET_TOOLS, tools))
}

/// All of the above in one run. Without the control plane, all but the fleet.
pub fn everything(workspace: &Workspace, tools: Option<&Path>) -> Result<()> {
    let postgres = Postgres::start(&setup::postgres::ensure(workspace)?, workspace)?;
    let mut cargo = cargo_test(workspace);
    match tools {
        Some(tools) => cargo.env(FLEET_TOOLS, tools),
        None => cargo.args(["--exclude", "fleet"]),
    };
    process::run(cargo.env(POSTGRES_URL, &postgres.url))
}

/// The whole workspace whatever is tested, so that features, and with them compiled dependencies, stay the same.
fn cargo_test(workspace: &Workspace) -> Command {
    let mut cargo = build::cargo(workspace, "test");
    cargo.args(["--no-fail-fast", "--workspace", "--exclude", "frontend"]);
    cargo
}
