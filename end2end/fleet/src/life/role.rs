//! What a cluster is for, which decides what it has: a hub and its spokes have GPUs, a spoke runs a mobile network's core, the
//! edge runs its radio. So that of three clusters no two have the same to show.

/// By the cluster's number, round and round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Hub,
    Spoke,
    Edge,
}

/// What the GPU operator runs on each node with GPUs, as its labels `nvidia.com/gpu.deploy.…` call them.
pub const GPU_AGENTS: [&str; 7] = [
    "driver",
    "container-toolkit",
    "device-plugin",
    "dcgm-exporter",
    "gpu-feature-discovery",
    "mig-manager",
    "operator-validator",
];

impl Role {
    pub fn of(index: u8) -> Self {
        match index % 3 {
            0 => Self::Hub,
            1 => Self::Spoke,
            _ => Self::Edge,
        }
    }

    pub fn has_gpus(self) -> bool {
        self != Self::Edge
    }
}
