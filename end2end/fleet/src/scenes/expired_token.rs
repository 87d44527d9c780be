//! `expired-token`: the token of the least-privilege kubeconfig is worth nothing any more; the API server says 401.
//!
//! A token is worth as much as its service account: deleting that one revokes it. Nothing in the API could bring the same
//! account back, since a new one has another uid, so the undo puts what etcd held back into etcd.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};

use super::Stage;
use crate::{cluster::viewer, kubeconfig, state::write_whole, wait};

/// The API server remembers for 10 s how a token was judged.
const LIMIT: Duration = Duration::from_mins(1);

pub async fn play(stage: &Stage) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(stage.client().await?, viewer::NAMESPACE);
    if accounts.get_opt(viewer::NAME).await?.is_none() {
        return Ok(());
    }
    let record = record(stage).await?.context("etcd does not hold the viewer's account")?;
    write_whole(&kept(stage), record.as_bytes())?;
    accounts.delete(viewer::NAME, &DeleteParams::default()).await?;
    await_verdict(stage, false).await
}

pub async fn undo(stage: &Stage) -> Result<()> {
    let kept = kept(stage);
    let record = match fs::read_to_string(&kept) {
        Ok(record) => record,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("cannot read what the scene kept"),
    };
    etcd(stage, "put", &json!({ "key": key(stage), "value": record })).await?;
    await_verdict(stage, true).await?;
    fs::remove_file(kept).context("cannot remove what the scene kept")
}

/// Where the account's record waits for the undo.
fn kept(stage: &Stage) -> PathBuf {
    stage.cluster.folder().join("viewer.account")
}

/// In base64, as etcd's gateway wants keys and values.
fn key(stage: &Stage) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let path =
        format!("/{}/serviceaccounts/{}/{}", stage.cluster.name, viewer::NAMESPACE, viewer::NAME);
    BASE64_STANDARD.encode(path)
}

async fn record(stage: &Stage) -> Result<Option<String>> {
    let answer = etcd(stage, "range", &json!({ "key": key(stage) })).await?;
    Ok(answer["kvs"][0]["value"].as_str().map(ToOwned::to_owned))
}

async fn etcd(stage: &Stage, call: &str, body: &Value) -> Result<Value> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let answer = http.post(format!("{}/v3/kv/{call}", stage.etcd)).json(body).send().await?;
    let status = answer.status();
    if !status.is_success() {
        bail!("etcd refused {call}: {status} {}", answer.text().await.unwrap_or_default());
    }
    Ok(answer.json().await?)
}

/// Waits until the API server takes the viewer's token, or refuses it; past the link, which may be in trouble itself.
async fn await_verdict(stage: &Stage, taken: bool) -> Result<()> {
    let client = kubeconfig::client(&stage.direct(&stage.cluster.viewer_kubeconfig)?).await?;
    let what = if taken { "the token to be taken again" } else { "the token to be refused" };
    wait::until(what, LIMIT, async || -> Result<Option<()>> {
        let is_taken = match client.list_core_api_versions().await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 401 => false,
            Err(error) => return Err(error.into()),
        };
        Ok((is_taken == taken).then_some(()))
    })
    .await
}
