//! `api-down`: nobody outside reaches the API server; inside, the cluster lives on.

use anyhow::Result;

use super::Stage;

pub async fn play(stage: &Stage) -> Result<()> {
    stage.links.cut(&stage.cluster.name).await
}

pub async fn undo(stage: &Stage) -> Result<()> {
    stage.links.mend(&stage.cluster.name).await
}
