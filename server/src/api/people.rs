//! People over JSON: the same service, permits and answers as the pages.

use app::{
    identity::{
        Manage, People, View,
        model::{
            AddedPerson, ChangePerson, NewPerson, PEOPLE_FILTERS, PasswordLink, Person,
            PersonDetail,
        },
        permit,
    },
    list::Page,
};
use axum::extract::State;
use http::StatusCode;

use crate::{
    console::Console,
    identity::Asking,
    web::{
        Failed,
        errors::ErrorResponse,
        json::Json,
        query::{PathText, Query},
    },
};

/// People who may or might sign in, in the order of their names.
#[utoipa::path(
    get,
    path = "/api/v1/people",
    tag = "people",
    params(
        ("page" = Option<u32>, Query, description = "From 1; reaches row 10 000, then `cursor` goes on", minimum = 1),
        ("page_size" = Option<u32>, Query, description = "20 when absent", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` or `previous_cursor` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Page<Person>),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn list(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<Page<Person>>, Failed> {
    let query = query.list(PEOPLE_FILTERS)?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(People::list(&*console.admin, &permit, &query).await?))
}

/// One person, with roles, sessions that last, and keys.
#[utoipa::path(
    get,
    path = "/api/v1/people/{id}",
    tag = "people",
    params(("id" = String, Path, description = "The person's id")),
    responses(
        (status = 200, body = PersonDetail),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or not within reach"),
    )
)]
pub async fn get(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<Json<PersonDetail>, Failed> {
    query.none()?;
    let permit = permit::<View>(&caller).await?;
    Ok(Json(People::get(&*console.admin, &permit, &id).await?))
}

/// Adds a local account. The answer holds the link with which its password is chosen, once.
#[utoipa::path(
    post,
    path = "/api/v1/people",
    tag = "people",
    request_body = NewPerson,
    responses(
        (status = 201, body = AddedPerson),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "The login is taken"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn add(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    query: Query,
    Json(new): Json<NewPerson>,
) -> Result<(StatusCode, Json<AddedPerson>), Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    let (person, password_link) = People::add(&*console.admin, &permit, new).await?;
    Ok((StatusCode::CREATED, Json(AddedPerson { person, password_link })))
}

/// Renames, disables, enables. Disabling ends sessions and stops keys at once.
#[utoipa::path(
    patch,
    path = "/api/v1/people/{id}",
    tag = "people",
    params(("id" = String, Path, description = "The person's id")),
    request_body = ChangePerson,
    responses(
        (status = 200, body = Person),
        (status = 400, body = ErrorResponse),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there"),
        (status = 409, body = ErrorResponse, description = "The last admin, or somebody whom the identity provider decides about"),
        (status = 415, body = ErrorResponse),
        (status = 422, body = ErrorResponse, description = "The field and the rule that it broke"),
    )
)]
pub async fn change(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
    Json(change): Json<ChangePerson>,
) -> Result<Json<Person>, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    Ok(Json(People::change(&*console.admin, &permit, &id, change).await?))
}

/// A new link to choose a password; those made before are worth nothing then.
#[utoipa::path(
    post,
    path = "/api/v1/people/{id}/link",
    tag = "people",
    params(("id" = String, Path, description = "The person's id")),
    responses(
        (status = 201, body = PasswordLink),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there"),
        (status = 409, body = ErrorResponse, description = "Disabled, or somebody whom the identity provider decides about"),
    )
)]
pub async fn link(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<(StatusCode, Json<PasswordLink>), Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    let link = People::link(&*console.admin, &permit, &id).await?;
    Ok((StatusCode::CREATED, Json(link)))
}

/// Ends a session of somebody.
#[utoipa::path(
    delete,
    path = "/api/v1/people/sessions/{id}",
    tag = "people",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse),
        (status = 404, body = ErrorResponse, description = "Not there, or ended before"),
    )
)]
pub async fn end_session(
    State(console): State<&'static Console>,
    Asking(caller): Asking,
    PathText(id): PathText,
    query: Query,
) -> Result<StatusCode, Failed> {
    query.none()?;
    let permit = permit::<Manage>(&caller).await?;
    People::end_session(&*console.admin, &permit, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
