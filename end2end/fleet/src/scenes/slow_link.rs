//! `slow-link`: a far-away cluster. Answers are late, requests a little too; TLS handshakes suffer most, as they do in life.

use std::time::Duration;

use anyhow::Result;

use super::Stage;
use crate::link::Direction;

const SCENE: [(&str, Direction, Duration, Duration); 2] = [
    ("slow-answers", Direction::ToClient, Duration::from_millis(1_800), Duration::from_millis(200)),
    ("slow-requests", Direction::ToServer, Duration::from_millis(200), Duration::from_millis(50)),
];

pub async fn play(stage: &Stage) -> Result<()> {
    for (toxic, direction, delay, jitter) in SCENE {
        stage.links.delay(&stage.cluster.name, toxic, direction, delay, jitter).await?;
    }
    Ok(())
}

pub async fn undo(stage: &Stage) -> Result<()> {
    for (toxic, ..) in SCENE {
        stage.links.remove(&stage.cluster.name, toxic).await?;
    }
    Ok(())
}
