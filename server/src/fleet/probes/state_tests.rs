//! The rules of DESIGN §8, row by row, and what holds whatever comes.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60 * Micros::SECOND;
const DOWN: Readings = at(ApiReading::Down(Trouble::Timeout));
const UP: Readings = at(ApiReading::Up);
const REFUSED: Readings = at(ApiReading::Refused(Trouble::Unauthorized));

const fn at(api: ApiReading) -> Readings {
    Readings { api, nodes: NodesReading::Unread, upstreams: [UpstreamReading::NotConfigured; 3] }
}

fn new() -> Past {
    Past {
        state: ClusterState::Provisioning,
        connectivity: Connectivity::Disconnected,
        failures: 0,
        successes: 0,
        flips: Vec::new(),
    }
}

/// The verdicts of looks half a minute apart.
fn looks(readings: &[Readings]) -> Vec<Verdict> {
    let (mut past, mut now) = (new(), Micros(MINUTE));
    let mut all = Vec::new();
    for reading in readings {
        let (verdict, next) = judge(&past, reading, now);
        all.push(verdict);
        past = next;
        now = now.plus(MINUTE / 2);
    }
    all
}

fn states(readings: &[Readings]) -> Vec<(ClusterState, Connectivity)> {
    looks(readings).iter().map(|verdict| (verdict.state, verdict.connectivity)).collect()
}

#[test]
fn two_looks_in_a_row_make_a_state() {
    use ClusterState::{Degraded, Offline, Online};
    use Connectivity::{Connected, Disconnected};
    for (readings, wanted) in [
        (vec![UP], vec![(Online, Connected)]),
        (vec![UP, DOWN, UP], vec![(Online, Connected), (Online, Connected), (Online, Connected)]),
        (
            vec![UP, DOWN, DOWN, DOWN],
            vec![
                (Online, Connected),
                (Online, Connected),
                (Offline, Disconnected),
                (Offline, Disconnected),
            ],
        ),
        (vec![DOWN, DOWN], vec![(Degraded, Disconnected), (Offline, Disconnected)]),
        (
            vec![DOWN, DOWN, UP, UP],
            vec![
                (Degraded, Disconnected),
                (Offline, Disconnected),
                (Offline, Disconnected),
                (Online, Connected),
            ],
        ),
        (vec![REFUSED, REFUSED], vec![(Degraded, Connected), (Degraded, Connected)]),
        (vec![UP, REFUSED], vec![(Online, Connected), (Degraded, Connected)]),
    ] {
        assert_eq!(states(&readings), wanted, "{readings:?}");
    }
}

#[test]
fn a_connection_that_comes_and_goes_is_intermittent_until_it_stays() {
    use Connectivity::{Connected, Intermittent};
    let shaky = states(&[UP, DOWN, UP, DOWN, UP]);
    let reached: Vec<Connectivity> = shaky.iter().map(|(_, reached)| *reached).collect();
    assert_eq!(reached, [Connected, Connected, Connected, Intermittent, Intermittent]);
    assert!(shaky.iter().all(|(state, _)| *state == ClusterState::Online), "{shaky:?}");
    // Ten minutes later the flips count no more.
    let later = [vec![UP, DOWN, UP, DOWN, UP], vec![UP; 20]].concat();
    assert_eq!(states(&later).last().map(|(_, reached)| *reached), Some(Connected));
}

#[test]
fn each_point_is_named_and_only_what_is_configured_counts() {
    use UpstreamReading::{Down, NotConfigured, Up};
    const UNREAD: UpstreamReading = UpstreamReading::Unread(Unread::ApiServer);
    let nodes = |not_ready| NodesReading::Counted { not_ready, all: 9 };
    for (readings, score, lost) in [
        (Readings { nodes: nodes(0), ..UP }, 100, vec![]),
        (Readings { nodes: nodes(2), ..UP }, 90, vec![("nodes", 10)]),
        (
            Readings { upstreams: [Down(Ill::Silent), Up, NotConfigured], ..UP },
            80,
            vec![("prometheus", 20)],
        ),
        (
            Readings { upstreams: [Down(Ill::Silent); 3], nodes: nodes(9), ..UP },
            40,
            vec![("prometheus", 20), ("tempo", 15), ("loki", 15), ("nodes", 10)],
        ),
        (Readings { upstreams: [UNREAD; 3], ..DOWN }, 50, vec![("api_server", 50)]),
        (
            Readings { upstreams: [Down(Ill::Silent); 3], ..DOWN },
            0,
            vec![("api_server", 50), ("prometheus", 20), ("tempo", 15), ("loki", 15)],
        ),
        (REFUSED, 50, vec![("api_server", 50)]),
    ] {
        let verdict = looks(&[readings]).remove(0);
        let named: Vec<_> =
            verdict.deductions.iter().map(|d| (d.component.as_str(), d.points)).collect();
        assert_eq!((verdict.score, named), (score, lost), "{readings:?}");
    }
}

#[test]
fn what_is_not_known_is_neither_well_nor_ill() {
    let unread = UpstreamReading::Unread(Unread::ApiServer);
    let readings = Readings { upstreams: [unread; 3], ..DOWN };
    let verdict = looks(&[readings]).remove(0);
    assert_eq!((verdict.api, verdict.upstreams), (Some(false), [None; 3]));
    assert_eq!(looks(&[REFUSED])[0].api, None, "how it fares cannot be asked");
    assert_eq!(
        sentence(&REFUSED).as_deref(),
        Some("Credential refused: The API server does not know this credential (401).")
    );
}

#[test]
fn what_is_not_known_has_its_reason_and_costs_nothing() {
    for (why, words) in [
        (Unread::TokenDropped, "drops the Authorization header"),
        (Unread::NotAllowed, "services/proxy"),
        (Unread::Token, "cannot be read"),
    ] {
        let upstreams =
            [UpstreamReading::Unread(why), UpstreamReading::Up, UpstreamReading::NotConfigured];
        let verdict = looks(&[Readings { upstreams, ..UP }]).remove(0);
        assert_eq!((verdict.state, verdict.score), (ClusterState::Online, 100));
        let [told] = &verdict.deductions[..] else { panic!("{:?}", verdict.deductions) };
        assert_eq!((told.component.as_str(), told.points), ("prometheus", 0));
        assert!(told.reason.contains(words), "{}", told.reason);
    }
}

#[test]
fn an_upstream_that_is_down_degrades_and_a_node_does_not() {
    let down = [UpstreamReading::Up, UpstreamReading::Down(Ill::NotReady), UpstreamReading::Up];
    assert_eq!(looks(&[Readings { upstreams: down, ..UP }])[0].state, ClusterState::Degraded);
    let nodes = NodesReading::Counted { not_ready: 1, all: 1 };
    assert_eq!(looks(&[Readings { nodes, ..UP }])[0].state, ClusterState::Online);
}

fn api() -> impl Strategy<Value = ApiReading> {
    prop_oneof![
        Just(ApiReading::Up),
        Just(ApiReading::Refused(Trouble::Forbidden)),
        Just(ApiReading::Down(Trouble::Unreachable)),
    ]
}

fn upstream() -> impl Strategy<Value = UpstreamReading> {
    prop_oneof![
        Just(UpstreamReading::NotConfigured),
        Just(UpstreamReading::Up),
        Just(UpstreamReading::Unread(Unread::ApiServer)),
        Just(UpstreamReading::Unread(Unread::TokenDropped)),
        Just(UpstreamReading::Down(Ill::Silent)),
        Just(UpstreamReading::Down(Ill::Missing)),
    ]
}

fn readings() -> impl Strategy<Value = Readings> {
    let nodes = (0..3_usize).prop_map(|n| NodesReading::Counted { not_ready: n, all: 3 });
    (api(), nodes, [upstream(), upstream(), upstream()])
        .prop_map(|(api, nodes, upstreams)| Readings { api, nodes, upstreams })
}

proptest! {
    #[test]
    fn whatever_comes_the_rules_hold(all in proptest::collection::vec(readings(), 1..60)) {
        let down = |reading: &Readings| matches!(reading.api, ApiReading::Down(_));
        let verdicts = looks(&all);
        for (at, verdict) in verdicts.iter().enumerate() {
            let lost: i64 = verdict.deductions.iter().map(|deduction| deduction.points).sum();
            prop_assert_eq!(verdict.score, (100 - lost).max(0));
            prop_assert!((0..=100).contains(&verdict.score));
            prop_assert!(verdict.deductions.iter().all(|d| d.points >= 0 && !d.reason.is_empty()));
            // The first look ends the beginning.
            prop_assert!(verdict.state != ClusterState::Provisioning);
            let two_down = at > 0 && down(&all[at]) && down(&all[at - 1]);
            let two_up = at > 0 && !down(&all[at]) && !down(&all[at - 1]);
            if two_down {
                prop_assert_eq!(verdict.state, ClusterState::Offline);
                prop_assert_eq!(verdict.connectivity, Connectivity::Disconnected);
            }
            if two_up {
                prop_assert!(verdict.state != ClusterState::Offline);
                prop_assert!(verdict.connectivity != Connectivity::Disconnected);
            }
            // One look alone takes nobody down.
            if verdict.state == ClusterState::Offline && !two_down {
                prop_assert!(at > 0 && verdicts[at - 1].state == ClusterState::Offline);
            }
            prop_assert_eq!(verdict.trouble.is_some(), all[at].api != ApiReading::Up);
        }
    }
}
