//! Every setting, once: its name, what it means, its default and where it stands in `--help`.

use super::{
    oidc,
    setting::{Kind, Setting},
};

const fn single(
    group: &'static str,
    key: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { key, value, group, help, default, kind: Kind::Single, secret: false }
}

const NETWORK: &str = "Network";
const SIGN_IN: &str = "Sign-in with OpenID Connect";
const STORAGE: &str = "Storage";
const RETENTION: &str = "Retention";
const LIMITS: &str = "Limits";
const WORK: &str = "Work";
const LOGS: &str = "Logs";

pub const SETTINGS: &[Setting] = &[
    single(
        NETWORK,
        "listen",
        "ADDRESS",
        "127.0.0.1:7080",
        "Where the console answers, in plain http. Beyond this machine it wants a public_url that says how it is reached.",
    ),
    single(
        NETWORK,
        "metrics_listen",
        "ADDRESS",
        "127.0.0.1:7081",
        "Where /metrics and /readyz?verbose answer, apart from the console; `off` for nowhere.",
    ),
    single(
        NETWORK,
        "public_url",
        "URL",
        "",
        "The address that people type, when a proxy stands before the console; may have a sub-path.",
    ),
    Setting {
        kind: Kind::Many,
        ..single(
            NETWORK,
            "trusted_proxies",
            "NETWORK",
            "",
            "Proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8; repeatable.",
        )
    },
    Setting {
        kind: Kind::Many,
        ..single(
            NETWORK,
            "egress_ca_files",
            "FILE",
            "",
            "PEM certificates of authorities that outgoing https trusts besides the system's; repeatable.",
        )
    },
    Setting {
        kind: Kind::Switch,
        ..single(
            NETWORK,
            "insecure_http",
            "yes|no",
            "no",
            "Allow a public_url that is plain http on another host than this one.",
        )
    },
    single(
        NETWORK,
        "demo_users",
        "FILE",
        "",
        "For demonstrations, on loopback only: one-click sign-in as auditor, operator and admin; their passwords and API keys go to this file.",
    ),
    Setting {
        kind: Kind::Switch,
        ..single(
            NETWORK,
            "read_only",
            "yes|no",
            "no",
            "Refuse every change, whoever asks; starts no scheduled work either.",
        )
    },
    single(
        NETWORK,
        "environment",
        "NAME",
        "",
        "A name shown above every page, such as `production`, so that nobody mistakes one for another.",
    ),
    single(
        SIGN_IN,
        "oidc_issuer",
        "URL",
        "",
        "The identity provider, spelled as in its own tokens; switches this way of signing in on.",
    ),
    single(SIGN_IN, "oidc_client_id", "NAME", "", "What the provider calls this console."),
    Setting {
        secret: true,
        ..single(
            SIGN_IN,
            "oidc_client_secret",
            "SECRET",
            "",
            "Proves that it is this console that asks; none for a public client.",
        )
    },
    Setting {
        kind: Kind::Many,
        ..single(
            SIGN_IN,
            "oidc_scopes",
            "SCOPE",
            oidc::SCOPES,
            "What is asked of the provider; some give refresh tokens for offline_access only; repeatable.",
        )
    },
    single(
        SIGN_IN,
        "oidc_ca_file",
        "FILE",
        "",
        "Certificates (PEM) of the provider's authority, when this machine does not know it.",
    ),
    Setting {
        kind: Kind::Many,
        ..single(
            SIGN_IN,
            "oidc_claim_id",
            "PATH",
            "",
            "The claim that tells people apart, when neither oid with tid nor sub does; repeatable.",
        )
    },
    Setting {
        kind: Kind::Many,
        ..single(
            SIGN_IN,
            "oidc_claim_name",
            "PATH",
            oidc::NAME,
            "Where a person's name stands; the first that is there; repeatable.",
        )
    },
    Setting {
        kind: Kind::Many,
        ..single(
            SIGN_IN,
            "oidc_claim_email",
            "PATH",
            oidc::EMAIL,
            "Where the e-mail stands; shown only, rights never hang on it; repeatable.",
        )
    },
    Setting {
        kind: Kind::Many,
        ..single(
            SIGN_IN,
            "oidc_claim_groups",
            "PATH",
            oidc::GROUPS,
            "Where the groups stand, such as realm_access.roles; repeatable.",
        )
    },
    Setting {
        kind: Kind::Many,
        ..single(
            SIGN_IN,
            "oidc_algorithms",
            "NAME",
            oidc::ALGORITHM,
            "Signatures that are believed; never `none`, never one with a shared secret; repeatable.",
        )
    },
    single(
        SIGN_IN,
        "oidc_graph_url",
        "URL",
        "",
        "Microsoft Graph, such as https://graph.microsoft.com/v1.0, asked for the groups that did not fit into a token of Entra ID.",
    ),
    Setting {
        kind: Kind::Many,
        ..single(
            SIGN_IN,
            "oidc_grant",
            "GROUP=ROLE",
            "",
            "A group of the provider that is auditor, operator or admin of everything; as long as nothing is granted to anybody the console does not start; repeatable.",
        )
    },
    Setting {
        kind: Kind::Switch,
        ..single(
            SIGN_IN,
            "oidc_require_verified_email",
            "yes|no",
            "no",
            "Take an e-mail only when the provider says that it verified it.",
        )
    },
    Setting {
        secret: true,
        ..single(
            STORAGE,
            "database_url",
            "URL",
            "sqlite:quarterdeck.db",
            "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME; the variable DATABASE_URL is read too.",
        )
    },
    single(
        STORAGE,
        "database_connections",
        "NUMBER",
        "8",
        "Connections to Postgres at most; SQLite has one that writes and three that read.",
    ),
    single(
        STORAGE,
        "statement_timeout",
        "SECONDS",
        "2",
        "How long one statement of a request may take before it is given up.",
    ),
    single(
        STORAGE,
        "vault_key_file",
        "FILE",
        "",
        "The key ring that seals secrets and chains the audit log. For SQLite, PATH.key unless set, made on the \
         first start; for Postgres, made by you from `quarterdeck keys new`.",
    ),
    Setting {
        secret: true,
        ..single(
            STORAGE,
            "vault_keys",
            "RING",
            "",
            "The key ring itself instead of a file, best by its variable: lines of `id base64`, the first is active.",
        )
    },
    single(
        RETENTION,
        "audit_retention_days",
        "DAYS",
        "400",
        "How long audit entries are kept; older ones are pruned daily and leave a signed checkpoint.",
    ),
    single(
        RETENTION,
        "run_retention_days",
        "DAYS",
        "90",
        "How long an operation that succeeded is kept after its end.",
    ),
    single(
        RETENTION,
        "failed_run_retention_days",
        "DAYS",
        "180",
        "How long an operation that failed is kept after its end.",
    ),
    single(
        RETENTION,
        "run_log_retention_days",
        "DAYS",
        "14",
        "How long the log of an operation is kept after its end.",
    ),
    single(
        RETENTION,
        "open_work_days",
        "DAYS",
        "7",
        "How long a failure that nobody takes up counts as open work.",
    ),
    single(
        RETENTION,
        "health_retention_days",
        "DAYS",
        "7",
        "How long it is kept how a cluster fared.",
    ),
    single(
        RETENTION,
        "removed_cluster_retention_days",
        "DAYS",
        "30",
        "How long a removed cluster can still be looked up; what opened it is erased at once.",
    ),
    single(
        RETENTION,
        "event_retention_hours",
        "HOURS",
        "24",
        "How far back a page that was away can catch up with what changed.",
    ),
    single(
        RETENTION,
        "event_retention_count",
        "NUMBER",
        "100000",
        "The same by number: of more events than that, the oldest are pruned before their time.",
    ),
    single(LIMITS, "max_body_bytes", "BYTES", "1048576", "The largest request body that is taken."),
    single(
        LIMITS,
        "request_timeout",
        "SECONDS",
        "30",
        "How long a request may take; live streams are exempt.",
    ),
    single(
        LIMITS,
        "shutdown_grace",
        "SECONDS",
        "20",
        "How long running requests and tasks may take to finish after SIGTERM.",
    ),
    single(
        LIMITS,
        "search_rate",
        "PER SECOND",
        "10",
        "Searches that one caller may make in a second before the answer is 429.",
    ),
    single(
        WORK,
        "workers",
        "NUMBER",
        "4",
        "Operations that run at the same time in this process, at most 16; 0 for none, where others work.",
    ),
    Setting {
        kind: Kind::Words,
        ..single(
            WORK,
            "queues",
            "NAME,…",
            "",
            "The queues that this process works on, such as system,upkeep; all of them unless set; repeatable.",
        )
    },
    single(
        WORK,
        "schedule_time_zone",
        "ZONE",
        "UTC",
        "On whose clock the console's own schedules run, such as Europe/Berlin.",
    ),
    Setting {
        kind: Kind::Many,
        secret: true,
        ..single(
            WORK,
            "upstreams",
            "NAME=URL",
            "",
            "A service that the self-check must reach, such as prometheus=http://127.0.0.1:9090; repeatable.",
        )
    },
    single(
        LOGS,
        "log_format",
        "json|pretty",
        "pretty",
        "One JSON object a line, or text for people.",
    ),
    single(
        LOGS,
        "log_level",
        "FILTER",
        "info",
        "error, warn, info, debug or trace, also by part: info,server::web=debug.",
    ),
];
