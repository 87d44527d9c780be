//! `rotate-ca`: the API server presents a certificate of another authority than the one that the kubeconfigs name.
//!
//! The server starts again with another certificate. It would read a changed file while it runs, too, but whoever was
//! connected could then resume the session of before, for which nobody looks at a certificate. The cluster's own components ask for it by another name and get another certificate, so that only those outside are troubled. For whoever
//! is to be brought back without the undo, `rotated.kubeconfig` has the viewer's token with the new authority.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Stage;
use crate::{
    cluster::{CERTIFICATE, KEY, SERVER_NAMES},
    kubeconfig::{self, Identity},
    pki::{Authority, Pair},
    state::write_whole,
    wait,
};

const LIMIT: Duration = Duration::from_secs(30);

pub async fn play(stage: &Stage) -> Result<()> {
    if kept(stage, CERTIFICATE).exists() {
        return Ok(());
    }
    let folder = stage.cluster.folder();
    let authority = Authority::new(&format!("{}-ca-rotated", stage.cluster.name))?;
    let pair = authority.server("kube-apiserver", &SERVER_NAMES)?;
    for file in [KEY, CERTIFICATE] {
        fs::copy(folder.join(file), kept(stage, file)).context("cannot keep the certificate")?;
    }
    let viewer = token(stage)?;
    let repaired = kubeconfig::render(
        &stage.cluster.name,
        &stage.cluster.proxied_url,
        &authority.certificate,
        &Identity::Token(&viewer),
    )?;
    write_whole(&folder.join(REPAIRED), repaired.as_bytes())?;
    present(stage, &pair, &authority.certificate).await
}

pub async fn undo(stage: &Stage) -> Result<()> {
    if !kept(stage, CERTIFICATE).exists() {
        return Ok(());
    }
    let read = |file| fs::read_to_string(kept(stage, file)).context("cannot read what was kept");
    let before = Pair { certificate: read(CERTIFICATE)?, key: read(KEY)? };
    present(stage, &before, &stage.cluster.ca).await?;
    for file in [KEY, CERTIFICATE] {
        fs::remove_file(kept(stage, file))?;
    }
    fs::remove_file(stage.cluster.folder().join(REPAIRED))?;
    Ok(())
}

const REPAIRED: &str = "rotated.kubeconfig";

fn kept(stage: &Stage, file: &str) -> PathBuf {
    stage.cluster.folder().join(format!("{file}.kept"))
}

/// The viewer's token, from the kubeconfig that the fleet wrote.
fn token(stage: &Stage) -> Result<String> {
    let text = fs::read_to_string(&stage.cluster.viewer_kubeconfig)?;
    let config: Value = serde_json::from_str(&text)?;
    let token = config["users"][0]["user"]["token"].as_str();
    token.map(ToOwned::to_owned).context("the viewer's kubeconfig has no token")
}

/// Gives the server its certificate, and waits until it presents it.
async fn present(stage: &Stage, pair: &Pair, authority: &str) -> Result<()> {
    let folder = stage.cluster.folder();
    write_whole(&folder.join(KEY), pair.key.as_bytes())?;
    write_whole(&folder.join(CERTIFICATE), pair.certificate.as_bytes())?;
    stage.restart().await?;
    let anybody = Identity::Token("nobody");
    let name = &stage.cluster.name;
    let config = kubeconfig::render(name, &stage.cluster.api_url, authority, &anybody)?;
    wait::until("the API server to present its other certificate", LIMIT, async || {
        // A new client each time: a connection that stands says nothing about the next.
        match kubeconfig::client(&config).await?.apiserver_version().await {
            // Whoever is refused was answered, so the certificate was trusted.
            Ok(_) | Err(kube::Error::Api(_)) => Ok(Some(())),
            Err(error) => Err(anyhow::Error::from(error)),
        }
    })
    .await
}
