//! From grants to what someone may do. Worked out once per person and epoch: every change of grants, groups, people
//! and keys moves the epoch on, and what was worked out before counts no more.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use app::identity::{Capability, Reach, Role};

use super::store;
use crate::store::{Db, StoreError};

/// What someone may do, and where.
pub type Rights = Vec<(Capability, Reach)>;

/// Who holds a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    Person(String),
    /// A key without an owner.
    Key(String),
}

/// A role somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub role: Role,
    /// None for everything.
    pub workspace_id: Option<i64>,
}

/// The rights of everybody who asked lately.
pub struct RightsBook {
    db: Db,
    /// Roles that the configuration gives to groups of the identity provider (DECIDED 8).
    of_groups: Vec<(String, Role)>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    epoch: i64,
    rights: HashMap<Holder, Arc<Rights>>,
}

impl RightsBook {
    pub fn new(db: Db, of_groups: Vec<(String, Role)>) -> Self {
        Self { db, of_groups, known: Mutex::default() }
    }

    /// What `holder` may do at this epoch.
    pub async fn of(&self, holder: &Holder, epoch: i64) -> Result<Arc<Rights>, StoreError> {
        if let Some(rights) = self.recall(holder, epoch) {
            return Ok(rights);
        }
        let rights = Arc::new(rights(&self.held(holder).await?));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch < epoch {
            *known = Known { epoch, rights: HashMap::new() };
        }
        // Read under a later epoch than asked for, they would be newer still: never keep them under an older one.
        if known.epoch == epoch {
            known.rights.insert(holder.clone(), Arc::clone(&rights));
        }
        Ok(rights)
    }

    /// Every role of `holder`, by grants of their own, of their groups, and by the configuration.
    pub async fn held(&self, holder: &Holder) -> Result<Vec<Held>, StoreError> {
        let mut held = store::grants_of(&self.db, holder).await?;
        if let Holder::Person(id) = holder
            && !self.of_groups.is_empty()
        {
            let groups = store::groups_of(&self.db, id).await?;
            let given = self.of_groups.iter().filter(|(group, _)| groups.contains(group));
            held.extend(given.map(|(_, role)| Held { role: *role, workspace_id: None }));
        }
        Ok(held)
    }

    fn recall(&self, holder: &Holder, epoch: i64) -> Option<Arc<Rights>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (known.epoch == epoch).then(|| known.rights.get(holder).cloned())?
    }
}

/// Each capability once, with everywhere it reaches.
pub fn rights(held: &[Held]) -> Rights {
    let mut reach: HashMap<Capability, Reach> = HashMap::new();
    for Held { role, workspace_id } in held {
        for capability in role.capabilities() {
            let known = reach.entry(capability).or_insert(Reach::Workspaces(BTreeSet::new()));
            match (workspace_id, known) {
                (None, known) => *known = Reach::Everything,
                (Some(id), Reach::Workspaces(ids)) => {
                    ids.insert(*id);
                }
                (Some(_), Reach::Everything) => {}
            }
        }
    }
    Capability::ALL.iter().filter_map(|c| reach.remove(c).map(|reach| (*c, reach))).collect()
}

/// No more than `capabilities`, and nowhere but in `workspace_id` when it is given: what a key may do.
pub fn narrowed(rights: &Rights, capabilities: &[Capability], workspace_id: Option<i64>) -> Rights {
    let within = |reach: &Reach| match workspace_id {
        None => Some(reach.clone()),
        Some(id) => reach.includes(id).then(|| Reach::Workspaces(BTreeSet::from([id]))),
    };
    let kept = rights.iter().filter(|(capability, _)| capabilities.contains(capability));
    kept.filter_map(|(capability, reach)| Some((*capability, within(reach)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(role: Role, workspace_id: Option<i64>) -> Held {
        Held { role, workspace_id }
    }

    fn reach_of(rights: &Rights, capability: Capability) -> Option<Reach> {
        rights.iter().find(|(c, _)| *c == capability).map(|(_, reach)| reach.clone())
    }

    #[test]
    fn grants_add_up() {
        let both = rights(&[held(Role::Auditor, None), held(Role::Operator, Some(7))]);
        assert_eq!(reach_of(&both, Capability::OperationsView), Some(Reach::Everything));
        let manage = reach_of(&both, Capability::OperationsManage);
        assert_eq!(manage, Some(Reach::Workspaces(BTreeSet::from([7]))));
        assert_eq!(reach_of(&both, Capability::IdentityManage), None);
        assert!(rights(&[]).is_empty());
    }

    #[test]
    fn a_key_never_has_more_than_it_was_made_with_nor_than_its_owner_has() {
        let owner = rights(&[held(Role::Operator, Some(7)), held(Role::Operator, Some(8))]);
        let asked = [Capability::OperationsView, Capability::IdentityManage];
        let key = narrowed(&owner, &asked, Some(7));
        assert_eq!(key, vec![(Capability::OperationsView, Reach::Workspaces(BTreeSet::from([7])))]);
        assert!(narrowed(&owner, &asked, Some(9)).is_empty());
        assert_eq!(narrowed(&owner, &asked, None).len(), 1);
    }
}
