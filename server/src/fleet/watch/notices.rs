//! Telling open pages that something in a cluster has changed. In memory alone: a row of the database for each pod that
//! starts would push everything else out of the replay window, and a page that missed a notice hears the next.

use app::{
    fleet::watched::{Kind, topic},
    identity::Capability,
};
use uuid::Uuid;

use crate::events::{Feed, Whisper};

pub trait Notices: Send + Sync {
    fn changed(&self, cluster: Uuid, workspace_id: i64, kinds: &[Kind]);
}

/// To whoever follows the feed and may see the cluster.
pub struct FeedNotices(pub Feed);

impl Notices for FeedNotices {
    fn changed(&self, cluster: Uuid, workspace_id: i64, kinds: &[Kind]) {
        let id = cluster.to_string();
        for kind in kinds {
            self.0.whisper(Whisper {
                topic: topic(&id, *kind),
                id: id.clone(),
                capability: Capability::FleetView,
                workspace_id,
            });
        }
    }
}
