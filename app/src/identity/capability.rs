//! The capabilities: the only thing that code checks.

use serde::{Deserialize, Serialize};

macro_rules! capabilities {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// One thing that a caller may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Capability { $(#[serde(rename = $name)] $variant),+ }

        impl Capability {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

capabilities! {
    AccessSystemPanel = "platform.access_system_panel",
    OperationsView = "platform.operations.view",
    OperationsManage = "platform.operations.manage",
    RunbooksManage = "platform.runbooks.manage",
    FleetView = "fleet.view",
    FleetManage = "fleet.manage",
    AgentsView = "agents.view",
    AgentsOperate = "agents.operate",
    ObserveView = "observe.view",
    ObserveManage = "observe.manage",
    GpuView = "gpu.view",
    DebugView = "debug.view",
    DebugUse = "debug.use",
    IntelligenceView = "intelligence.view",
    IntelligenceUse = "intelligence.use",
    IntelligenceManage = "intelligence.manage",
    ReportsView = "reports.view",
    ReportsCreate = "reports.create",
    AuditView = "audit.view",
    IdentityView = "identity.view",
    IdentityManage = "identity.manage",
    SettingsManage = "settings.manage",
}

impl Capability {
    /// Several of them in one line.
    pub fn names(capabilities: &[Self]) -> String {
        capabilities.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// By hand: the derive does not see a name that a macro hands on.
#[cfg(feature = "ssr")]
impl utoipa::PartialSchema for Capability {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(Self::ALL.iter().map(|capability| capability.as_str())))
            .into()
    }
}

#[cfg(feature = "ssr")]
impl utoipa::ToSchema for Capability {}

impl std::str::FromStr for Capability {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|c| c.as_str() == name).ok_or(())
    }
}
