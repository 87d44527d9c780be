//! The roles: names for sets of capabilities, so that a grant is one word. Code never checks a role.

use serde::{Deserialize, Serialize};

use super::Capability;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything, changes nothing.
    Auditor,
    /// Triages, operates agents, debugs.
    Operator,
    Admin,
}

/// What an auditor has: the system pages and every `.view`.
const AUDITOR: &[Capability] = &[
    Capability::AccessSystemPanel,
    Capability::OperationsView,
    Capability::FleetView,
    Capability::AgentsView,
    Capability::ObserveView,
    Capability::GpuView,
    Capability::DebugView,
    Capability::IntelligenceView,
    Capability::ReportsView,
    Capability::AuditView,
    Capability::IdentityView,
];

/// What an operator has beyond an auditor.
const OPERATOR: &[Capability] = &[
    Capability::OperationsManage,
    Capability::AgentsOperate,
    Capability::ObserveManage,
    Capability::DebugUse,
    Capability::IntelligenceUse,
    Capability::ReportsCreate,
];

impl Role {
    pub const ALL: &'static [Self] = &[Self::Auditor, Self::Operator, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Auditor => "Auditor",
            Self::Operator => "Operator",
            Self::Admin => "Admin",
        }
    }

    /// In one line, for whoever chooses between them.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Auditor => "Sees everything, changes nothing.",
            Self::Operator => {
                "Sees everything, triages operations, operates agents, debugs, writes reports."
            }
            Self::Admin => "May do everything, and decides who may do what.",
        }
    }

    pub fn capabilities(self) -> Vec<Capability> {
        match self {
            Self::Auditor => AUDITOR.to_vec(),
            Self::Operator => [AUDITOR, OPERATOR].concat(),
            Self::Admin => Capability::ALL.to_vec(),
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|role| role.as_str() == name).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auditor_sees_everything_and_changes_nothing() {
        let auditor = Role::Auditor.capabilities();
        for capability in Capability::ALL {
            let sees = capability.as_str().rsplit('.').next() == Some("view")
                || *capability == Capability::AccessSystemPanel;
            assert_eq!(auditor.contains(capability), sees, "{}", capability.as_str());
        }
    }

    #[test]
    fn each_role_holds_the_one_before_it() {
        let (auditor, operator, admin) = (
            Role::Auditor.capabilities(),
            Role::Operator.capabilities(),
            Role::Admin.capabilities(),
        );
        assert!(auditor.iter().all(|c| operator.contains(c)));
        assert!(operator.iter().all(|c| admin.contains(c)));
        assert_eq!(admin.len(), Capability::ALL.len());
        for secret in
            [Capability::IdentityManage, Capability::FleetManage, Capability::SettingsManage]
        {
            assert!(!operator.contains(&secret), "{}", secret.as_str());
        }
    }
}
