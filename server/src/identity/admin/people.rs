//! People: added, renamed, disabled, let in again; their sessions ended and their passwords forgotten.

use app::{
    error::{ApiError, Conflict, Thing},
    identity::{
        Manage, People, Permit, Reach, View,
        model::{
            self, ChangePerson, NewPerson, PEOPLE_FILTERS, PasswordLink, Person, PersonDetail,
            Source,
        },
        refuse,
    },
    list::{ListQuery, Page},
    paths,
};
use async_trait::async_trait;

use super::{
    Admin, still_administered,
    store::{self, begin, people, refused},
};
use crate::{
    identity::{
        local::links::{self, For},
        store::{end_session, end_sessions_of},
    },
    journal::AuditRow,
    store::Tx,
};

const MISSING: ApiError = ApiError::NotFound(Thing::Person);
/// A person's keys are shown up to here on their page; the list of keys has them all.
const KEYS_SHOWN: &str = "100";

#[async_trait]
impl People for Admin {
    async fn list(
        &self,
        permit: &Permit<View>,
        query: &ListQuery,
    ) -> Result<Page<Person>, ApiError> {
        let mut page = people::list(&self.db, permit.reach(), query).await.map_err(refused)?;
        people::fill(&self.db, permit.reach(), &mut page.items, &self.configured)
            .await
            .map_err(refused)?;
        Ok(page)
    }

    async fn get(&self, permit: &Permit<View>, id: &str) -> Result<PersonDetail, ApiError> {
        let reach = permit.reach();
        let found = people::find(&self.db, reach, id).await.map_err(refused)?;
        let mut found = [found.ok_or(MISSING)?];
        people::fill(&self.db, reach, &mut found, &self.configured).await.map_err(refused)?;
        let [person] = found;
        let now = self.db.now().await.map_err(refused)?;
        // Where somebody sits is the business of no single workspace.
        let sessions = match reach {
            Reach::Everything => people::sessions(&self.db, id, now).await.map_err(refused)?,
            Reach::Workspaces(_) => Vec::new(),
        };
        let first = [("page_size".to_owned(), KEYS_SHOWN.to_owned())];
        let query = ListQuery::parse(&[], first).map_err(ApiError::Invalid)?;
        let keys = store::keys::list(&self.db, reach, Some(id), &query, now).await;
        Ok(PersonDetail { person, sessions, keys: keys.map_err(refused)?.items })
    }

    async fn add(
        &self,
        permit: &Permit<Manage>,
        new: NewPerson,
    ) -> Result<(Person, PasswordLink), ApiError> {
        permit.everywhere().await?;
        let login = model::login(&new.login)?;
        let typed = new.display_name.filter(|name| !name.trim().is_empty());
        let display_name = model::display_name(typed.as_deref().unwrap_or(&login))?;
        let email = model::email(new.email.as_deref().unwrap_or_default())?;
        let id = self.rng.uuid();
        let mut tx = begin(&self.db).await?;
        let row = people::New {
            id: &id,
            login: &login,
            display_name: &display_name,
            email: email.as_deref(),
        };
        if !people::insert(&mut tx, &row).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::NameTaken));
        }
        let person = people::find_in(&mut tx, &id).await.map_err(refused)?.ok_or(MISSING)?;
        let link = self.issue(&mut tx, &person).await?;
        let added = audit(permit, "identity.person.add", &person).detail("login", login.as_str());
        let linked = audit(permit, "identity.person.link", &person);
        tx.commit(vec![added, linked]).await.map_err(refused)?;
        Ok((person, link))
    }

    async fn change(
        &self,
        permit: &Permit<Manage>,
        id: &str,
        change: ChangePerson,
    ) -> Result<Person, ApiError> {
        permit.everywhere().await?;
        let name = change.display_name.as_deref().map(model::display_name).transpose()?;
        let email = change.email.as_deref().map(model::email).transpose()?;
        let mut tx = begin(&self.db).await?;
        let person = people::find_in(&mut tx, id).await.map_err(refused)?.ok_or(MISSING)?;
        if person.source != Source::Local && (name.is_some() || email.is_some()) {
            return Err(ApiError::Conflict(Conflict::FromProvider));
        }
        let enables = change.disabled == Some(false) && person.disabled_at.is_some();
        if enables {
            // Who is let in again gets back what they held.
            let rights = self.rights_in(&mut tx, id).await?;
            if let Some(missing) = permit.caller().lacking(&rights) {
                drop(tx);
                return Err(refuse(permit.caller(), missing).await);
            }
        }
        let mut changed = person.clone();
        changed.display_name = name.unwrap_or(changed.display_name);
        changed.email = email.unwrap_or(changed.email);
        let mut rows = renamed(permit, &person, &changed);
        if enables {
            changed.disabled_at = None;
            rows.push(audit(permit, "identity.person.enable", &changed));
        }
        if change.disabled == Some(true) && person.disabled_at.is_none() {
            rows.push(self.disable(&mut tx, permit, &mut changed).await?);
        } else {
            people::update(&mut tx, &changed).await.map_err(refused)?;
        }
        tx.commit(rows).await.map_err(refused)?;
        Ok(changed)
    }

    async fn link(&self, permit: &Permit<Manage>, id: &str) -> Result<PasswordLink, ApiError> {
        permit.everywhere().await?;
        let mut tx = begin(&self.db).await?;
        let person = people::find_in(&mut tx, id).await.map_err(refused)?.ok_or(MISSING)?;
        if person.source != Source::Local {
            return Err(ApiError::Conflict(Conflict::FromProvider));
        }
        if person.disabled_at.is_some() {
            return Err(ApiError::Conflict(Conflict::Disabled));
        }
        // Whoever holds the link can become this person.
        let rights = self.rights_in(&mut tx, id).await?;
        if let Some(missing) = permit.caller().lacking(&rights) {
            drop(tx);
            return Err(refuse(permit.caller(), missing).await);
        }
        let link = self.issue(&mut tx, &person).await?;
        let row = audit(permit, "identity.person.link", &person);
        tx.commit(vec![row]).await.map_err(refused)?;
        Ok(link)
    }

    async fn end_session(&self, permit: &Permit<Manage>, session: &str) -> Result<(), ApiError> {
        const MISSING: ApiError = ApiError::NotFound(Thing::Session);
        permit.everywhere().await?;
        let mut tx = begin(&self.db).await?;
        let whose = people::find_session(&mut tx, session).await.map_err(refused)?;
        let (person, name) = whose.ok_or(MISSING)?;
        if !end_session(&mut tx, session, "administration").await.map_err(refused)? {
            return Err(MISSING);
        }
        let row = AuditRow::allowed(permit.caller(), "identity.session.end")
            .target("person", person, name)
            .capability(app::identity::Capability::IdentityManage)
            .detail("session_id", session);
        tx.commit(vec![row]).await.map_err(refused)
    }
}

impl Admin {
    /// The link, with what stands before our paths.
    async fn issue(&self, tx: &mut Tx, person: &Person) -> Result<PasswordLink, ApiError> {
        let whom = For::Person(person.id.clone());
        let (token, expires_at) = links::issue(tx, &self.rng, &whom).await.map_err(refused)?;
        let link = format!("{}{}", self.origin, paths::welcome(token.reveal()));
        Ok(PasswordLink { link, expires_at })
    }

    async fn disable(
        &self,
        tx: &mut Tx,
        permit: &Permit<Manage>,
        person: &mut Person,
    ) -> Result<AuditRow, ApiError> {
        let before = self.admins(tx).await?;
        person.disabled_at = Some(tx.now().await.map_err(refused)?);
        people::update(tx, person).await.map_err(refused)?;
        still_administered(before, self.admins(tx).await?)?;
        let ended = end_sessions_of(tx, &person.id, None, "disabled").await.map_err(refused)?;
        people::delete_links(tx, &person.id).await.map_err(refused)?;
        Ok(audit(permit, "identity.person.disable", person).detail("sessions_ended", ended))
    }
}

fn audit(permit: &Permit<Manage>, action: &'static str, person: &Person) -> AuditRow {
    AuditRow::allowed(permit.caller(), action)
        .target("person", &person.id, &person.display_name)
        .capability(app::identity::Capability::IdentityManage)
}

fn renamed(permit: &Permit<Manage>, before: &Person, after: &Person) -> Vec<AuditRow> {
    if (&before.display_name, &before.email) == (&after.display_name, &after.email) {
        return Vec::new();
    }
    let row = audit(permit, "identity.person.rename", after)
        .detail("display_name_before", before.display_name.as_str())
        .detail("display_name", after.display_name.as_str())
        .detail("email_changed", before.email != after.email);
    vec![row]
}

// The store answers each of these filters.
const _: () = assert!(PEOPLE_FILTERS.len() == 4);
