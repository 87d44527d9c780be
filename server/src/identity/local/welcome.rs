//! What a link that works once opens: the first admin's account, or the choice of a password.

use app::{
    error::{ApiError, Conflict, Rule, SignInFailure},
    identity::{
        Role,
        model::{Welcome, WelcomeTo},
    },
};

use super::{
    Account, Accounts, Knock, LOGIN_MAX,
    links::{self, For},
    normal, password, store,
};
use crate::{
    clock::Rng,
    identity::{
        sessions::{Begun, Method},
        store::{end_sessions_of, insert_grant, move_epoch},
        token::{self, Token},
    },
    journal::AuditRow,
    store::{Db, StoreError},
};

const NAME_MAX: usize = 100;

/// The account that the first link makes.
pub struct NewAdmin<'a> {
    pub login: &'a str,
    pub name: &'a str,
    pub password: &'a str,
}

/// A link for the first admin, while the console knows nobody at all.
pub async fn first_link(db: &Db, rng: &Rng) -> Result<Option<Token>, StoreError> {
    if store::is_anybody_known(db).await? {
        return Ok(None);
    }
    let mut tx = db.begin().await?;
    let (token, _) = links::issue(&mut tx, rng, &For::FirstAdmin).await?;
    tx.commit(Vec::new()).await?;
    Ok(Some(token))
}

fn spent() -> ApiError {
    ApiError::SignInFailed(SignInFailure::LinkSpent)
}

impl Accounts {
    /// Whom a link is for, without taking it.
    pub async fn find_link(&self, link: &str) -> Result<Option<Welcome>, ApiError> {
        let now = self.db.clock().now();
        let found = store::find_link(&self.db, token::hash(link), now).await?;
        let to = match found {
            None => return Ok(None),
            Some(None) if store::is_anybody_known(&self.db).await? => return Ok(None),
            Some(None) => WelcomeTo::FirstAdmin,
            Some(Some(id)) => match store::find_account_by_id(&self.db, &id).await? {
                Some(account) if !account.disabled => {
                    WelcomeTo::Person { login: account.login, name: account.name }
                }
                _ => return Ok(None),
            },
        };
        Ok(Some(Welcome { link: link.to_owned(), to }))
    }

    /// Before the slow part: strangers with made-up links must not keep the console hashing. Taking it judges again.
    async fn look_at(&self, link: &str) -> Result<(), ApiError> {
        self.find_link(link).await?.map(|_| ()).ok_or_else(spent)
    }

    /// Makes the first admin, as long as there is nobody: of two links used at once, one does.
    pub async fn make_first_admin(
        &self,
        link: &str,
        admin: NewAdmin<'_>,
        knock: Knock<'_>,
    ) -> Result<Begun, ApiError> {
        self.writable()?;
        let (login, name) = (normal(admin.login), admin.name.trim());
        check_login(&login)?;
        let name = if name.is_empty() { login.clone() } else { name.to_owned() };
        check_name(&name)?;
        password::check("password", admin.password)?;
        self.look_at(link).await?;
        let hash = self.passwords.hash(admin.password).await?;
        let account = Account {
            id: self.rng.uuid(),
            login,
            name,
            password_hash: Some(hash),
            disabled: false,
        };
        let mut tx = self.db.begin().await?;
        // First: whoever makes people waits here for whoever else does.
        move_epoch(&mut tx).await?;
        let whom = links::spend(&mut tx, link).await?;
        if whom != Some(For::FirstAdmin) || store::anybody(&mut tx).await? {
            return Err(spent());
        }
        let made = store::insert_account(&mut tx, &account, None).await?;
        made.ok_or(ApiError::Conflict(Conflict::NameTaken))?;
        let caller = self.caller(&account, knock);
        let grant = self.rng.uuid();
        insert_grant(&mut tx, &grant, ("person", &account.id), Role::Admin, None, &caller).await?;
        let begun = self.begin(&mut tx, &account, Method::Setup, knock).await?;
        let rows = vec![
            AuditRow::allowed(&caller, "identity.person.add")
                .target("person", &account.id, &account.name)
                .detail("by", "setup_link"),
            AuditRow::allowed(&caller, "identity.grant.add")
                .target("grant", &grant, Role::Admin.as_str())
                .detail("person", account.id.as_str())
                .detail("role", Role::Admin.as_str()),
            self.began(&account, &begun, Method::Setup, knock),
        ];
        tx.commit(rows).await?;
        Ok(begun)
    }

    /// A new password for whom the link was made; every session that they had ends.
    pub async fn choose_password(
        &self,
        link: &str,
        new: &str,
        knock: Knock<'_>,
    ) -> Result<Begun, ApiError> {
        self.writable()?;
        password::check("password", new)?;
        self.look_at(link).await?;
        let hash = self.passwords.hash(new).await?;
        let mut tx = self.db.begin().await?;
        let Some(For::Person(id)) = links::spend(&mut tx, link).await? else { return Err(spent()) };
        let account = store::lock_account(&mut tx, &id).await?.filter(|account| !account.disabled);
        let account = account.ok_or_else(spent)?;
        store::set_password(&mut tx, &id, &hash).await?;
        end_sessions_of(&mut tx, &id, None, "password").await?;
        move_epoch(&mut tx).await?;
        let begun = self.begin(&mut tx, &account, Method::Setup, knock).await?;
        let caller = self.caller(&account, knock);
        let rows = vec![
            AuditRow::allowed(&caller, "identity.password.change")
                .target("person", &account.id, &account.name)
                .detail("by", "link"),
            self.began(&account, &begun, Method::Setup, knock),
        ];
        tx.commit(rows).await?;
        Ok(begun)
    }
}

/// Names that one can type, and that look alike to nobody.
pub fn check_login(login: &str) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    if login.is_empty() {
        return Err(ApiError::invalid("name", Rule::Required));
    }
    if login.len() > LOGIN_MAX {
        return Err(ApiError::invalid("name", Rule::Length { min: 1, max: 200 }));
    }
    if !login.chars().all(plain) {
        let expected = app::error::Expected::Login;
        return Err(ApiError::invalid("name", Rule::Malformed { expected }));
    }
    Ok(())
}

pub fn check_name(name: &str) -> Result<(), ApiError> {
    let length = name.chars().count();
    if !(1..=NAME_MAX).contains(&length) {
        return Err(ApiError::invalid("display_name", Rule::Length { min: 1, max: 100 }));
    }
    if name.chars().any(char::is_control) {
        let expected = app::error::Expected::Text;
        return Err(ApiError::invalid("display_name", Rule::Malformed { expected }));
    }
    Ok(())
}
