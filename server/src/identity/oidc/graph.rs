//! Groups that did not fit into a token: Microsoft Graph is asked for them, page by page, with the person's own
//! access token. The address is the configured one; what a token or an answer names is never followed elsewhere.

use http::{
    Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION},
};
use serde::Deserialize;
use url::Url;

use super::{
    claims::tidy,
    error::{Leg, OidcError},
};
use crate::egress::Client;

/// 999 each: more than anyone is in.
const MOST_PAGES: usize = 20;

#[derive(Deserialize)]
struct Page {
    value: Vec<Member>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    id: String,
    #[serde(rename = "@odata.type")]
    kind: String,
}

/// Beside groups there are directory roles and administrative units.
const GROUP: &str = "#microsoft.graph.group";

/// The ids of all groups that the bearer is in, through other groups too.
pub async fn groups(http: &Client, graph: &Url, bearer: &str) -> Result<Vec<String>, OidcError> {
    // Asked without a cast to groups: for ids and types the right to read oneself is enough.
    let base = graph.as_str().trim_end_matches('/');
    let first = format!("{base}/me/transitiveMemberOf?$select=id&$top=999");
    let mut next = Some(Url::parse(&first).map_err(|_| failed("its address is none"))?);
    let mut ids = Vec::new();
    for _ in 0..MOST_PAGES {
        let Some(url) = next.take() else { return Ok(tidy(ids.into_iter())) };
        let page = page(http, &url, bearer).await?;
        ids.extend(
            page.value.into_iter().filter(|member| member.kind == GROUP).map(|group| group.id),
        );
        next = page.next.map(|link| followed(graph, &link)).transpose()?;
    }
    match next {
        None => Ok(tidy(ids.into_iter())),
        Some(_) => Err(failed("the list does not end")),
    }
}

async fn page(http: &Client, url: &Url, bearer: &str) -> Result<Page, OidcError> {
    let request = Request::get(url.as_str())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, format!("Bearer {bearer}"))
        .body(Vec::new())
        .map_err(|_| failed("the access token cannot be sent"))?;
    let sent = http.send(request).await;
    let response = sent.map_err(|error| OidcError::unreachable(Leg::Graph, &error))?;
    match response.status() {
        StatusCode::OK => serde_json::from_slice(response.body())
            .map_err(|_| failed("the answer is no list of groups")),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(failed(
            "Graph refuses the access token; the application needs the delegated permission User.Read",
        )),
        status => Err(OidcError::status(Leg::Graph, status)),
    }
}

/// The token goes to no other host than the configured one.
fn followed(graph: &Url, link: &str) -> Result<Url, OidcError> {
    let url = Url::parse(link).ok().filter(|url| url.origin() == graph.origin());
    url.ok_or_else(|| failed("the next page is on another host"))
}

fn failed(why: &str) -> OidcError {
    OidcError::Groups(why.to_owned())
}
