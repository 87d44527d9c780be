//! What the readings of one look say of a cluster: its state, how it is reached, its score and what the score lost.
//! Pure: the same readings after the same past give the same answer.
//!
//! A state changes only when two looks in a row agree, so that one lost packet is no outage. What is reached through an
//! API server that does not answer is not known: neither well nor ill, and it costs no points a second time.

use app::{
    fleet::{
        model::{ClusterState, Connectivity, Deduction},
        trouble::Trouble,
        upstreams::OUTSIDE,
    },
    time::Micros,
};

/// So many looks in a row that agree make it so.
pub const IN_A_ROW: i64 = 2;
/// So many changes between answering and not…
const FLIPS: usize = 3;
/// …within so long are a connection that comes and goes.
const FLIPS_WITHIN: i64 = 10 * 60 * Micros::SECOND;

const FULL: i64 = 100;
const API_SERVER: i64 = 50;
const NODES: i64 = 10;

/// What may be configured beside the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    Prometheus,
    Tempo,
    Loki,
}

impl Upstream {
    pub const ALL: [Self; 3] = [Self::Prometheus, Self::Tempo, Self::Loki];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Tempo => "tempo",
            Self::Loki => "loki",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Prometheus => "Prometheus",
            Self::Tempo => "Tempo",
            Self::Loki => "Loki",
        }
    }

    const fn points(self) -> i64 {
        match self {
            Self::Prometheus => 20,
            Self::Tempo | Self::Loki => 15,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiReading {
    Up,
    /// It answers, and takes no credential that we have.
    Refused(Trouble),
    Down(Trouble),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodesReading {
    Counted {
        not_ready: usize,
        all: usize,
    },
    /// It could not be looked at, or we may not.
    #[default]
    Unread,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamReading {
    #[default]
    NotConfigured,
    Up,
    Down(Ill),
    /// It could not be looked at: neither well nor ill.
    Unread(Unread),
}

/// Why nothing is known of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is reached through the API server, which did not answer.
    ApiServer,
    /// The API server does not let us through to it.
    NotAllowed,
    /// It asks for a token, and the API server's proxy hands none on.
    TokenDropped,
    /// The token that is stored for it cannot be read.
    Token,
}

impl Unread {
    /// None where what is said of the API server explains it.
    fn says(self, upstream: Upstream) -> Option<String> {
        let label = upstream.label();
        match self {
            Self::ApiServer => None,
            Self::NotAllowed => Some(format!(
                "{label} is not known: the credential may not use the service proxy (get services/proxy) in its namespace. `quarterdeck rbac` grants it."
            )),
            Self::TokenDropped => Some(format!(
                "{label} is not known: it asks for a token, and the API server's proxy, through which it is reached, drops the Authorization header. {OUTSIDE}"
            )),
            Self::Token => Some(format!(
                "{label} is not known: the token that is stored for it cannot be read. Store it again, or check the secret that it refers to."
            )),
        }
    }
}

/// Why an upstream does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ill {
    /// Nothing answers, or nothing in time.
    Silent,
    /// It answers that it is not ready, or with an error.
    NotReady,
    /// It wants another token.
    Refuses,
    /// The address names nothing.
    Missing,
}

impl Ill {
    const fn says(self) -> &'static str {
        match self {
            Self::Silent => "does not answer",
            Self::NotReady => "answers that it is not ready",
            Self::Refuses => "refuses the credential that is stored for it",
            Self::Missing => "is not at its address",
        }
    }
}

/// All that one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    pub api: ApiReading,
    pub nodes: NodesReading,
    /// As in [`Upstream::ALL`].
    pub upstreams: [UpstreamReading; 3],
}

impl Readings {
    /// Nothing but the API server was looked at.
    pub fn only(api: ApiReading) -> Self {
        Self { api, nodes: NodesReading::default(), upstreams: [UpstreamReading::default(); 3] }
    }
}

/// What earlier looks left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub state: ClusterState,
    pub connectivity: Connectivity,
    /// In a row, counted up to [`IN_A_ROW`]; one of them is 0.
    pub failures: i64,
    pub successes: i64,
    /// When it went up or down.
    pub flips: Vec<Micros>,
}

/// How it fares now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: ClusterState,
    pub connectivity: Connectivity,
    pub score: i64,
    pub api: Option<bool>,
    /// As in [`Upstream::ALL`]; none: not configured, or not known.
    pub upstreams: [Option<bool>; 3],
    pub trouble: Option<Trouble>,
    pub deductions: Vec<Deduction>,
}

/// The verdict, and the past of the next one.
pub fn judge(past: &Past, readings: &Readings, now: Micros) -> (Verdict, Past) {
    let reached = !matches!(readings.api, ApiReading::Down(_));
    let (failures, successes, flips) = counted(past, reached, now);
    let is_new = matches!(past.state, ClusterState::Provisioning | ClusterState::Unknown);
    let deductions = deductions(readings);
    let lost = deductions.iter().map(|deduction| deduction.points).sum::<i64>();
    let well = if is_well(readings) { ClusterState::Online } else { ClusterState::Degraded };
    let state = match (reached, past.state) {
        (true, ClusterState::Offline) if successes < IN_A_ROW => ClusterState::Offline,
        (true, _) => well,
        (false, _) if failures >= IN_A_ROW => ClusterState::Offline,
        // It never answered, and once more decides.
        (false, _) if is_new => ClusterState::Degraded,
        (false, held) => held,
    };
    let connectivity = match (reached, state) {
        (false, _) if failures >= IN_A_ROW => Connectivity::Disconnected,
        _ if flips.len() >= FLIPS => Connectivity::Intermittent,
        (true, ClusterState::Offline) => Connectivity::Disconnected,
        (true, _) => Connectivity::Connected,
        (false, _) if is_new => Connectivity::Disconnected,
        // The flips that made it so are long ago.
        (false, _) if past.connectivity == Connectivity::Intermittent => Connectivity::Connected,
        (false, _) => past.connectivity,
    };
    let (api, trouble) = match readings.api {
        ApiReading::Up => (Some(true), None),
        ApiReading::Refused(trouble) => (None, Some(trouble)),
        ApiReading::Down(trouble) => (Some(false), Some(trouble)),
    };
    let verdict = Verdict {
        state,
        connectivity,
        score: (FULL - lost).max(0),
        api,
        upstreams: readings.upstreams.map(healthy),
        trouble,
        deductions,
    };
    let next = Past { state, connectivity, failures, successes, flips };
    (verdict, next)
}

/// Failures and successes in a row with this look, and the flips that still count.
fn counted(past: &Past, reached: bool, now: Micros) -> (i64, i64, Vec<Micros>) {
    let recent = |at: &Micros| now.since(*at) < FLIPS_WITHIN;
    let mut flips: Vec<Micros> = past.flips.iter().copied().filter(recent).collect();
    let turned = if reached { past.failures > 0 } else { past.successes > 0 };
    if turned {
        flips.push(now);
    }
    // Enough to know that there are enough.
    let surplus = flips.len().saturating_sub(FLIPS);
    flips.drain(..surplus);
    if reached {
        (0, (past.successes + 1).min(IN_A_ROW), flips)
    } else {
        ((past.failures + 1).min(IN_A_ROW), 0, flips)
    }
}

fn healthy(reading: UpstreamReading) -> Option<bool> {
    match reading {
        UpstreamReading::Up => Some(true),
        UpstreamReading::Down(_) => Some(false),
        UpstreamReading::NotConfigured | UpstreamReading::Unread(_) => None,
    }
}

/// A node that is not ready costs points and is no state of the cluster's.
fn is_well(readings: &Readings) -> bool {
    let down = |reading: &UpstreamReading| matches!(reading, UpstreamReading::Down(_));
    readings.api == ApiReading::Up && !readings.upstreams.iter().any(down)
}

fn deductions(readings: &Readings) -> Vec<Deduction> {
    let lost = |component: &str, points, reason: String| Deduction {
        component: component.to_owned(),
        points,
        reason,
    };
    let mut all = Vec::new();
    match readings.api {
        ApiReading::Up => {}
        ApiReading::Refused(trouble) => {
            all.push(lost("api_server", API_SERVER, refused(trouble)));
        }
        ApiReading::Down(trouble) => {
            all.push(lost("api_server", API_SERVER, trouble.says().to_owned()));
        }
    }
    for (upstream, reading) in Upstream::ALL.into_iter().zip(readings.upstreams) {
        match reading {
            UpstreamReading::Down(ill) => {
                let reason = format!("{} {}.", upstream.label(), ill.says());
                all.push(lost(upstream.as_str(), upstream.points(), reason));
            }
            // It costs nothing, and is said: what is not known has a reason.
            UpstreamReading::Unread(why) => {
                all.extend(why.says(upstream).map(|why| lost(upstream.as_str(), 0, why)));
            }
            UpstreamReading::NotConfigured | UpstreamReading::Up => {}
        }
    }
    if let NodesReading::Counted { not_ready, all: nodes } = readings.nodes
        && not_ready > 0
    {
        let verb = if not_ready == 1 { "is" } else { "are" };
        let reason = format!("{not_ready} of {nodes} nodes {verb} not ready.");
        all.push(lost("nodes", NODES, reason));
    }
    all
}

/// The server takes no credential that we have, or there was none to show.
fn refused(trouble: Trouble) -> String {
    let what = if trouble.is_unasked() { "No credential to show" } else { "Credential refused" };
    format!("{what}: {}", trouble.says())
}

/// The sentence of a trouble, as a cluster's status has it.
pub fn sentence(readings: &Readings) -> Option<String> {
    match readings.api {
        ApiReading::Up => None,
        ApiReading::Refused(trouble) => Some(refused(trouble)),
        ApiReading::Down(trouble) => Some(trouble.says().to_owned()),
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
