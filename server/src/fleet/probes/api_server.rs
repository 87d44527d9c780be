//! Does the API server answer, and does it take our credential? `/readyz`, which whoever is known may read; `/version`
//! where that is not served.

use app::fleet::trouble::Trouble;
use http::StatusCode;

use super::state::ApiReading;
use crate::fleet::ask::{self, JSON};

pub async fn look(client: &kube::Client) -> ApiReading {
    match status(client, "/readyz").await {
        // An old server, or one that lets nobody look at this.
        Ok(StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) => {
            reading(status(client, "/version").await)
        }
        other => reading(other),
    }
}

async fn status(client: &kube::Client, path: &str) -> Result<StatusCode, Trouble> {
    ask::ask(client, path, JSON).await.map(|answered| answered.status)
}

fn reading(answered: Result<StatusCode, Trouble>) -> ApiReading {
    match answered {
        Ok(status) if status.is_success() => ApiReading::Up,
        Ok(status) => match ask::refusal(status) {
            trouble @ (Trouble::Unauthorized | Trouble::Forbidden) => ApiReading::Refused(trouble),
            trouble => ApiReading::Down(trouble),
        },
        Err(trouble) => of(trouble),
    }
}

/// A credential that cannot be used says nothing against the server.
pub fn of(trouble: Trouble) -> ApiReading {
    if trouble.is_refusal() || trouble.is_unasked() || trouble == Trouble::Forbidden {
        ApiReading::Refused(trouble)
    } else {
        ApiReading::Down(trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer() {
        for (status, wanted) in [
            (200, ApiReading::Up),
            (401, ApiReading::Refused(Trouble::Unauthorized)),
            (403, ApiReading::Refused(Trouble::Forbidden)),
            (500, ApiReading::Down(Trouble::ServerError)),
            (302, ApiReading::Down(Trouble::Redirected)),
            (418, ApiReading::Down(Trouble::NotKubernetes)),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(reading(Ok(status)), wanted);
        }
        assert_eq!(reading(Err(Trouble::Oidc)), ApiReading::Refused(Trouble::Oidc));
        let down = Trouble::OidcUnreachable;
        assert_eq!(
            reading(Err(down)),
            ApiReading::Refused(down),
            "the provider's, not the cluster's"
        );
        assert_eq!(reading(Err(Trouble::Timeout)), ApiReading::Down(Trouble::Timeout));
    }
}
