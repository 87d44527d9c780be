//! One question to an API server: a path, an answer of bounded size, the trouble where there is none.

use app::fleet::trouble::Trouble;
use http::{Request, StatusCode, header::ACCEPT};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::error::trouble_of;

/// Metadata is enough.
pub const METADATA: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
pub const JSON: &str = "application/json";
/// No page that we ask for is larger.
const LARGEST: usize = 32 << 20;

pub struct Answered {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// Whatever it answers, a refusal too. An error is one of the way there.
pub async fn ask(client: &kube::Client, path: &str, accept: &str) -> Result<Answered, Trouble> {
    let request = Request::get(path)
        .header(ACCEPT, accept)
        .body(Body::empty())
        .map_err(|_| Trouble::NotKubernetes)?;
    let answer = client.send(request).await.map_err(|error| trouble_of(&error))?;
    let status = answer.status();
    let read = Limited::new(answer.into_body(), LARGEST).collect().await;
    let body = read.map_err(|_| Trouble::Unreachable)?.to_bytes().to_vec();
    Ok(Answered { status, body })
}

/// What a good answer holds.
pub async fn read<T: DeserializeOwned>(
    client: &kube::Client,
    path: &str,
    accept: &str,
) -> Result<T, Trouble> {
    let Answered { status, body } = ask(client, path, accept).await?;
    if !status.is_success() {
        return Err(refusal(status));
    }
    serde_json::from_slice(&body).map_err(|_| Trouble::NotKubernetes)
}

/// A list of metadata that holds nothing is written as `null`.
pub fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

pub fn refusal(status: StatusCode) -> Trouble {
    match status.as_u16() {
        401 => Trouble::Unauthorized,
        403 => Trouble::Forbidden,
        500..=599 | 429 => Trouble::ServerError,
        300..=399 => Trouble::Redirected,
        _ => Trouble::NotKubernetes,
    }
}
