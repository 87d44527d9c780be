//! Images that nobody can pull: a name with a typo, a registry that wants a password, a release that was never built.

use serde_json::json;

use super::{Trouble, kubelet::Conduct, objects::App};

/// For the workload of a team that lives with it: its pipeline never pushed the image.
pub const NEVER_BUILT: (&str, Conduct) = (
    "image-pull",
    Conduct::NoImage {
        error: "failed to pull and unpack image \"IMAGE\": failed to resolve reference \"IMAGE\": IMAGE: not found",
    },
);

const TYPO: (&str, Conduct) = (
    "image-typo",
    Conduct::NoImage {
        error: "failed to pull and unpack image \"docker.io/library/IMAGE\": failed to resolve reference \
                \"docker.io/library/IMAGE\": pull access denied, repository does not exist or may require authorization: \
                server message: insufficient_scope: authorization failed",
    },
);

const PRIVATE: (&str, Conduct) = (
    "image-private",
    Conduct::NoImage {
        error: "failed to pull and unpack image \"IMAGE\": failed to resolve reference \"IMAGE\": failed to authorize: \
                failed to fetch anonymous token: unexpected status from GET request to \
                https://registry.practice.test/token: 401 Unauthorized",
    },
);

pub fn all() -> Vec<Trouble> {
    let of = |namespace, name, conduct: (&'static str, Conduct), image: &str| {
        let app = App::new(namespace, name).label(conduct.0);
        Trouble {
            scene: "image-pull",
            namespace,
            name,
            conduct: Some(conduct),
            objects: vec![app.container(json!({ "image": image })).deployment()],
            log: &[],
        }
    };
    vec![
        of("search", "suggest", TYPO, "busyboxx:1.36"),
        of("platform", "licences", PRIVATE, "registry.practice.test/vendor/licences:4.2.0"),
    ]
}
