//! Owns running the crates' own tests, with what they need beside them: a Postgres, the control plane's
//! programs, the packages of the identity provider.
//! Must not know any test.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::build::{self, CRATES};
use crate::control_plane;
use crate::helm;
use crate::postgres::{POSTGRES_URL, Postgres};
use crate::process;
use crate::progress::step;
use crate::setup;
use crate::workspace::Workspace;

/// `sqlite`: the tests do without Postgres. Without it they fail when no Postgres is named.
const ENGINES: &str = "QUARTERDECK_TEST_ENGINES";

/// Where the practice fleet finds Kubernetes.
const FLEET_TOOLS: &str = "FLEET_TOOLS";

/// Where the tests of the chart find Helm and the console.
const HELM: &str = "HELM";
const BIN: &str = "QUARTERDECK_BIN";

/// Where the tests of sign-in find the packages of their provider.
const IDP_PACKAGES: &str = "IDP_PACKAGES";

/// The practice fleet, and what is tested on clusters of it.
const ON_THE_FLEET: [&str; 3] = ["fleet", "engine-proof", "cluster-proof"];

pub fn unit(workspace: &Workspace) -> Result<()> {
    let of_product = product(workspace, |cargo| cargo.env(ENGINES, "sqlite"));
    of_product.and(xtask(workspace))
}

pub fn store(workspace: &Workspace) -> Result<()> {
    let postgres = Postgres::start(&setup::postgres::ensure(workspace)?, workspace)?;
    product(workspace, |cargo| cargo.env(POSTGRES_URL, &postgres.url))
}

pub fn fleet(workspace: &Workspace) -> Result<()> {
    let tools = control_plane::ensure(&workspace.cache, &workspace.root)?;
    let mut cargo = cargo_test(workspace);
    // The others act on clusters of the first, with the store on SQLite.
    for package in ON_THE_FLEET {
        cargo.args(["--package", package]);
    }
    cargo.env(ENGINES, "sqlite");
    // API servers that take the tokens of an identity provider.
    cargo.env(IDP_PACKAGES, setup::npm::ensure_idp(workspace)?);
    process::run(cargo.env(FLEET_TOOLS, tools))
}

/// The chart, against a cluster of the practice fleet and the console's own reading of its settings.
pub fn deploy(workspace: &Workspace) -> Result<()> {
    let tools = control_plane::ensure(&workspace.cache, &workspace.root)?;
    let helm = step("helm", || helm::ensure(&workspace.cache, &workspace.root))?;
    // The suite starts it as a program, and its crate only brings the library.
    build::program(workspace, "fleet")?;
    let mut cargo = cargo_test(workspace);
    cargo.args(["--package", "deploy-proof"]).env(BIN, build::server(workspace)?);
    process::run(cargo.env(FLEET_TOOLS, tools).env(HELM, helm))
}

/// All of the above, with one build. Without the control plane, all but the fleet.
pub fn everything(workspace: &Workspace, tools: Option<&Path>, helm: Option<&Path>) -> Result<()> {
    let postgres = Postgres::start(&setup::postgres::ensure(workspace)?, workspace)?;
    let mut cargo = cargo_test(workspace);
    cargo.args(CRATES).env(POSTGRES_URL, &postgres.url);
    cargo.env(IDP_PACKAGES, setup::npm::ensure_idp(workspace)?);
    match tools {
        Some(tools) => cargo.env(FLEET_TOOLS, tools),
        None => cargo.args(ON_THE_FLEET.iter().flat_map(|package| ["--exclude", package])),
    };
    match helm.filter(|_| tools.is_some()) {
        Some(helm) => cargo.env(HELM, helm).env(BIN, build::server(workspace)?),
        None => cargo.args(["--exclude", "deploy-proof"]),
    };
    process::run(&mut cargo).and(xtask(workspace))
}

/// Sign-in against a real provider, alone.
pub fn identity(workspace: &Workspace) -> Result<()> {
    let mut cargo = cargo_test(workspace);
    cargo.args(["--package", "server", "--test", "oidc"]).env(ENGINES, "sqlite");
    process::run(cargo.env(IDP_PACKAGES, setup::npm::ensure_idp(workspace)?))
}

fn product(workspace: &Workspace, with: impl FnOnce(&mut Command) -> &mut Command) -> Result<()> {
    let mut cargo = cargo_test(workspace);
    cargo.args(["--package", "app", "--package", "server"]);
    cargo.env(IDP_PACKAGES, setup::npm::ensure_idp(workspace)?);
    process::run(with(&mut cargo))
}

fn xtask(workspace: &Workspace) -> Result<()> {
    process::run(cargo_test(workspace).args(["--package", "xtask"]))
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut cargo = build::cargo(workspace, "test");
    cargo.arg("--no-fail-fast");
    cargo
}
