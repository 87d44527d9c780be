//! The caller, carried through every call, and the permit that proves one right.
//!
//! A service method that needs a right takes `&Permit<R>`; only [`permit`] makes one, and it reports the
//! refusal, so a right can be neither forgotten nor refused in silence.

use std::{collections::BTreeSet, fmt, marker::PhantomData, sync::Arc};

use async_trait::async_trait;

use super::Capability;
use crate::error::{ApiError, Thing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    User,
    ApiKey,
    Outpost,
    System,
    /// Nobody that is known: in audit rows of refused sign-ins only.
    Stranger,
}

impl CallerKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::Outpost => "outpost",
            Self::System => "system",
            Self::Stranger => "stranger",
        }
    }
}

/// Which workspaces a grant reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    Workspaces(BTreeSet<i64>),
}

impl Reach {
    pub fn includes(&self, workspace_id: i64) -> bool {
        match self {
            Self::Everything => true,
            Self::Workspaces(ids) => ids.contains(&workspace_id),
        }
    }

    /// One workspace, or everything.
    pub fn of(workspace_id: Option<i64>) -> Self {
        workspace_id.map_or(Self::Everything, |id| Self::Workspaces(BTreeSet::from([id])))
    }

    /// Whether it reaches all that `other` reaches.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::Workspaces(_), Self::Everything) => false,
            (Self::Workspaces(ids), Self::Workspaces(others)) => others.is_subset(ids),
        }
    }
}

/// Where refusals are written down.
#[async_trait]
pub trait Gate: Send + Sync {
    async fn refused(&self, caller: &Caller, capability: Capability);
}

/// Who is asking.
#[derive(Clone)]
pub struct Caller {
    pub kind: CallerKind,
    pub id: String,
    pub name: String,
    /// Correlates log lines, audit rows and error pages of one request.
    pub request_id: String,
    /// The peer's address, after trusted proxies; none for the system itself.
    pub address: Option<std::net::IpAddr>,
    /// The session's hash, for audit rows; none for a key and for the system.
    pub session: Option<String>,
    /// Whose rights an API key uses: its owner's id.
    pub on_behalf_of: Option<String>,
    /// What a key without an owner stands for.
    pub service_identity: Option<String>,
    grants: Vec<(Capability, Reach)>,
    gate: Arc<dyn Gate>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.kind.as_str(), self.id)
    }
}

impl Caller {
    pub fn new(
        kind: CallerKind,
        id: impl Into<String>,
        name: impl Into<String>,
        grants: Vec<(Capability, Reach)>,
        gate: Arc<dyn Gate>,
    ) -> Self {
        Self {
            kind,
            id: id.into(),
            name: name.into(),
            request_id: String::new(),
            address: None,
            session: None,
            on_behalf_of: None,
            service_identity: None,
            grants,
            gate,
        }
    }

    /// Somebody who is not known, and may nothing.
    pub fn stranger(gate: Arc<dyn Gate>) -> Self {
        Self::new(CallerKind::Stranger, "", "", Vec::new(), gate)
    }

    /// Every workspace that some capability of theirs reaches.
    pub fn reach_of_all(&self) -> Reach {
        let mut all = BTreeSet::new();
        for (_, reach) in &self.grants {
            match reach {
                Reach::Everything => return Reach::Everything,
                Reach::Workspaces(ids) => all.extend(ids),
            }
        }
        Reach::Workspaces(all)
    }

    /// Whether to draw an action. Drawing is no permission: the service asks for a [`Permit`] all the same.
    pub fn may(&self, capability: Capability) -> bool {
        self.grants.iter().any(|(granted, _)| *granted == capability)
    }

    /// Every capability that the caller has anywhere, in the order of [`Capability::ALL`].
    pub fn capabilities(&self) -> Vec<Capability> {
        Capability::ALL.iter().copied().filter(|capability| self.may(*capability)).collect()
    }

    /// The first of these rights that the caller does not hold, or not as far.
    pub fn lacking(&self, rights: &[(Capability, Reach)]) -> Option<Capability> {
        let held = |capability, wanted| self.reach(capability).is_some_and(|r| r.covers(wanted));
        let missing = rights.iter().find(|(capability, wanted)| !held(*capability, wanted));
        missing.map(|(capability, _)| *capability)
    }

    /// The workspaces that `capability` reaches, or none when the caller lacks it.
    pub fn reach(&self, capability: Capability) -> Option<Reach> {
        let mut found: Option<Reach> = None;
        for (_, reach) in self.grants.iter().filter(|(granted, _)| *granted == capability) {
            found = Some(match (found, reach) {
                (Some(Reach::Everything), _) | (_, Reach::Everything) => Reach::Everything,
                (Some(Reach::Workspaces(mut all)), Reach::Workspaces(more)) => {
                    all.extend(more);
                    Reach::Workspaces(all)
                }
                (None, reach) => reach.clone(),
            });
        }
        found
    }
}

/// A right, as a type: `operations::Manage` names the capability that it stands for.
pub trait Right: Send + Sync + 'static {
    const CAPABILITY: Capability;
}

/// Proof that the caller holds `R`, with the workspaces it reaches. Lists must be given [`Permit::reach`].
pub struct Permit<R: Right> {
    caller: Caller,
    reach: Reach,
    right: PhantomData<R>,
}

impl<R: Right> Permit<R> {
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// For what belongs to no workspace: the right must reach everything. A refusal is reported.
    pub async fn everywhere(&self) -> Result<(), ApiError> {
        self.within(None).await
    }

    /// For what belongs to a workspace, or to none. One that the right does not reach is not there.
    pub async fn within(&self, workspace_id: Option<i64>) -> Result<(), ApiError> {
        match (workspace_id, &self.reach) {
            (_, Reach::Everything) => Ok(()),
            (None, _) => Err(refuse(&self.caller, R::CAPABILITY).await),
            (Some(id), reach) if reach.includes(id) => Ok(()),
            (Some(_), _) => Err(ApiError::NotFound(Thing::Workspace)),
        }
    }
}

/// Asks for a capability that is known at run time only: an operation type's own.
pub async fn require(caller: &Caller, capability: Capability) -> Result<Reach, ApiError> {
    if let Some(reach) = caller.reach(capability) {
        return Ok(reach);
    }
    Err(refuse(caller, capability).await)
}

/// Asks for rights that are to be handed on: nobody gives what they do not have themselves, nor further than it
/// reaches.
pub async fn require_all(caller: &Caller, rights: &[(Capability, Reach)]) -> Result<(), ApiError> {
    match caller.lacking(rights) {
        None => Ok(()),
        Some(missing) => Err(refuse(caller, missing).await),
    }
}

/// Reports a refusal and says it. Writes into the audit log, so never while a change is open.
pub async fn refuse(caller: &Caller, capability: Capability) -> ApiError {
    caller.gate.refused(caller, capability).await;
    ApiError::Forbidden(capability)
}

/// The only maker of permits. A refusal is reported to the caller's gate before it is answered.
pub async fn permit<R: Right>(caller: &Caller) -> Result<Permit<R>, ApiError> {
    let reach = require(caller, R::CAPABILITY).await?;
    Ok(Permit { caller: caller.clone(), reach, right: PhantomData })
}
