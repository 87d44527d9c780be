//! The capabilities: the only thing that code checks.

use serde::{Deserialize, Serialize};

macro_rules! capabilities {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// One thing that a caller may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
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
    SettingsManage = "settings.manage",
}

impl std::str::FromStr for Capability {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|c| c.as_str() == name).ok_or(())
    }
}
