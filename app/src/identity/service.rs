//! What the server must supply so that sign-in and one's own page can be drawn, and people, grants and keys listed and
//! changed.
//!
//! Whoever changes something needs [`Manage`] where it lies, and nobody hands on a right that they do not hold
//! there themselves: not by a grant, not by a key, not by a link to somebody's password.

use async_trait::async_trait;

use super::{
    Caller, Capability, Permit, Right,
    model::{
        ApiKey, ChangePerson, ConfiguredGrant, Grant, MintedKey, NewGrant, NewKey, NewPerson, Own,
        PasswordLink, Person, PersonDetail, Welcome,
    },
};
use crate::{
    error::ApiError,
    list::{ListQuery, Page},
};

/// Sees people, grants and keys.
pub struct View;

impl Right for View {
    const CAPABILITY: Capability = Capability::IdentityView;
}

/// Decides who may do what.
pub struct Manage;

impl Right for Manage {
    const CAPABILITY: Capability = Capability::IdentityManage;
}

#[async_trait]
pub trait Accounts: Send + Sync {
    /// Who the caller is, with their sessions.
    async fn own(&self, caller: &Caller) -> Result<Own, ApiError>;

    /// Whom a link that works once is for, while it works.
    async fn find_welcome(&self, link: &str) -> Result<Option<Welcome>, ApiError>;
}

#[async_trait]
pub trait People: Send + Sync {
    /// In the order of their names. A permit for some workspaces reaches those who hold a grant there.
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Person>, ApiError>;

    async fn get(&self, permit: &Permit<View>, id: &str) -> Result<PersonDetail, ApiError>;

    /// A local account, with the link to its first password: the one moment at which it is known.
    async fn add(
        &self,
        permit: &Permit<Manage>,
        new: NewPerson,
    ) -> Result<(Person, PasswordLink), ApiError>;

    /// Disabling ends the person's sessions and stops their keys, at once.
    async fn change(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        change: ChangePerson,
    ) -> Result<Person, ApiError>;

    /// A new link for a forgotten password; earlier ones are worth nothing then.
    async fn link(&self, permit: &Permit<Manage>, id: &str) -> Result<PasswordLink, ApiError>;

    async fn end_session(&self, permit: &Permit<Manage>, session: &str) -> Result<(), ApiError>;
}

#[async_trait]
pub trait Grants: Send + Sync {
    /// Newest first.
    async fn list(&self, permit: &Permit<View>, query: &ListQuery)
    -> Result<Page<Grant>, ApiError>;

    /// What the configuration gives; it is changed there.
    fn configured(&self, permit: &Permit<View>) -> Vec<ConfiguredGrant>;

    async fn add(&self, permit: &Permit<Manage>, new: NewGrant) -> Result<Grant, ApiError>;

    async fn remove(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError>;
}

#[async_trait]
pub trait Keys: Send + Sync {
    /// Newest first, everybody's.
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<ApiKey>, ApiError>;

    /// Whose keys the caller's own keys are; none for who has no account here.
    async fn find_owner(&self, caller: &Caller) -> Result<Option<String>, ApiError>;

    /// The caller's own, newest first.
    async fn list_own(&self, caller: &Caller, query: &ListQuery) -> Result<Page<ApiKey>, ApiError>;

    /// A key of the caller's own needs no right but those that it is made with; one for a service, or one that
    /// exists already, needs [`Manage`].
    async fn mint(&self, caller: &Caller, new: NewKey) -> Result<MintedKey, ApiError>;

    async fn revoke(&self, permit: &Permit<Manage>, id: &str) -> Result<(), ApiError>;

    /// One of the caller's own. A key revokes itself and what was made with it, no other.
    async fn revoke_own(&self, caller: &Caller, id: &str) -> Result<(), ApiError>;
}
