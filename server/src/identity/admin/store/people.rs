//! People: who they are, what they hold, where they are signed in.

use app::{
    identity::{
        Reach,
        model::{HeldRole, PEOPLE_FILTERS, Person, Session, Source},
    },
    list::{ListQuery, Page},
    time::Micros,
    workspaces::model::WorkspaceRef,
};

use crate::{
    identity::rights::Held,
    store::{
        Db, Row, Sql, StoreError, Tx,
        paged::{Ask, like, paged},
    },
};

const COLUMNS: &str = "SELECT p.id, p.source, p.login, p.display_name, p.email, p.created_at, \
    p.signed_in_at, p.disabled_at, CASE WHEN p.password_hash IS NULL THEN 0 ELSE 1 END AS has_password";

pub async fn list(db: &Db, reach: &Reach, query: &ListQuery) -> Result<Page<Person>, StoreError> {
    debug_assert_eq!(PEOPLE_FILTERS.len(), 4, "each filter has its condition below");
    let mut sql = reached(Sql::new(" FROM people p WHERE 1 = 1"), reach);
    if let Some(words) = query.value("q") {
        let like = like(words);
        for (before, column) in [
            (" AND (LOWER(p.display_name) LIKE ", " ESCAPE '\\'"),
            (" OR LOWER(p.login) LIKE ", " ESCAPE '\\'"),
            (" OR LOWER(p.email) LIKE ", " ESCAPE '\\')"),
        ] {
            sql = sql.push(before).arg(&like).push(column);
        }
    }
    if !query.values("source").is_empty() {
        sql = sql.push(" AND p.source IN ").list(query.values("source"));
    }
    if let [state] = query.values("state") {
        sql = sql.push(match state.as_str() {
            "disabled" => " AND p.disabled_at IS NOT NULL",
            _ => " AND p.disabled_at IS NULL",
        });
    }
    if !query.values("group").is_empty() {
        let of =
            " AND EXISTS (SELECT 1 FROM person_groups f WHERE f.person_id = p.id AND f.name IN ";
        sql = sql.push(of).list(query.values("group")).push(")");
    }
    let order = " ORDER BY LOWER(p.display_name), p.id";
    paged(db, query, Ask { select: COLUMNS, from_where: sql, order }, person).await
}

/// A permit for some workspaces reaches those who hold a grant there, of their own or by a group.
fn reached(sql: Sql, reach: &Reach) -> Sql {
    let Reach::Workspaces(ids) = reach else { return sql };
    sql.push(
        " AND EXISTS (SELECT 1 FROM grants r WHERE ((r.subject_kind = 'person' AND r.subject_id = p.id) \
         OR (r.subject_kind = 'group' AND r.subject_id IN (SELECT m.name FROM person_groups m WHERE m.person_id = p.id))) \
         AND r.workspace_id IN ",
    )
    .list(ids.iter().copied())
    .push(")")
}

pub async fn find(db: &Db, reach: &Reach, id: &str) -> Result<Option<Person>, StoreError> {
    let sql = Sql::new(COLUMNS).push(" FROM people p WHERE p.id = ").arg(id);
    db.fetch_optional(reached(sql, reach)).await?.map(|row| person(&row)).transpose()
}

/// For a change: as the changes before it left the person.
pub async fn find_in(tx: &mut Tx, id: &str) -> Result<Option<Person>, StoreError> {
    let sql = Sql::new(COLUMNS).push(" FROM people p WHERE p.id = ").arg(id);
    tx.fetch_optional(sql).await?.map(|row| person(&row)).transpose()
}

/// By id, or by the name that a local person signs in with.
pub async fn find_subject(tx: &mut Tx, id_or_login: &str) -> Result<Option<Person>, StoreError> {
    let sql = Sql::new(COLUMNS)
        .push(" FROM people p WHERE p.id = ")
        .arg(id_or_login)
        .push(" OR (p.source = 'local' AND p.login = ")
        .arg(id_or_login.to_ascii_lowercase())
        .push(") ORDER BY CASE WHEN p.id = ")
        .arg(id_or_login)
        .push(" THEN 0 ELSE 1 END");
    tx.fetch_optional(sql).await?.map(|row| person(&row)).transpose()
}

fn person(row: &Row) -> Result<Person, StoreError> {
    Ok(Person {
        id: row.text("id")?,
        source: row.word::<Source>("source")?,
        login: row.text("login")?,
        display_name: row.text("display_name")?,
        email: row.opt_text("email")?,
        groups: Vec::new(),
        roles: Vec::new(),
        has_password: row.bool("has_password")?,
        created_at: row.micros("created_at")?,
        signed_in_at: row.opt_micros("signed_in_at")?,
        disabled_at: row.opt_micros("disabled_at")?,
    })
}

/// Fills in groups and roles, as far as `reach` goes; `configured` are the roles of groups by configuration.
pub async fn fill(
    db: &Db,
    reach: &Reach,
    people: &mut [Person],
    configured: &[app::identity::model::ConfiguredGrant],
) -> Result<(), StoreError> {
    if people.is_empty() {
        return Ok(());
    }
    let ids = people.iter().map(|person| person.id.clone()).collect::<Vec<_>>();
    let sql = Sql::new("SELECT person_id, name FROM person_groups WHERE person_id IN ").list(&ids);
    for row in db.fetch_all(sql.push(" ORDER BY name")).await? {
        let (id, name) = (row.text("person_id")?, row.text("name")?);
        people
            .iter_mut()
            .filter(|person| person.id == id)
            .for_each(|p| p.groups.push(name.clone()));
    }
    let groups = people.iter().flat_map(|person| person.groups.clone()).collect::<Vec<_>>();
    let sql = Sql::new(
        "SELECT g.subject_kind, g.subject_id, g.role, g.workspace_id, w.name FROM grants g \
         LEFT JOIN workspaces w ON w.id = g.workspace_id WHERE ((g.subject_kind = 'person' AND g.subject_id IN ",
    )
    .list(&ids)
    .push(") OR (g.subject_kind = 'group' AND g.subject_id IN ")
    .list(&groups)
    .push("))");
    let sql = super::within(sql, "g.workspace_id", reach);
    for row in db.fetch_all(sql.push(" ORDER BY g.role, g.workspace_id")).await? {
        // A role that this version does not know grants nothing here.
        let (Ok(role), subject) = (row.word("role"), row.text("subject_id")?) else { continue };
        let group = (row.text("subject_kind")? == "group").then(|| subject.clone());
        let workspace = workspace(&row, "workspace_id", "name")?;
        let holds = |person: &Person| match &group {
            Some(group) => person.groups.contains(group),
            None => person.id == subject,
        };
        for person in people.iter_mut().filter(|person| holds(person)) {
            let (workspace, group) = (workspace.clone(), group.clone());
            person.roles.push(HeldRole { role, workspace, group, configured: false });
        }
    }
    if *reach == Reach::Everything {
        for person in people {
            let given = configured.iter().filter(|given| person.groups.contains(&given.group));
            person.roles.extend(given.map(|given| HeldRole {
                role: given.role,
                workspace: None,
                group: Some(given.group.clone()),
                configured: true,
            }));
        }
    }
    Ok(())
}

pub(super) fn workspace(
    row: &Row,
    id: &'static str,
    name: &'static str,
) -> Result<Option<WorkspaceRef>, StoreError> {
    let (id, name) = (row.opt_i64(id)?, row.opt_text(name)?);
    Ok(id.map(|id| WorkspaceRef { id, name: name.unwrap_or_default() }))
}

/// Every stored grant of a person and of their groups, in a change.
pub async fn held_in(tx: &mut Tx, id: &str) -> Result<Vec<Held>, StoreError> {
    let sql = Sql::new(
        "SELECT role, workspace_id FROM grants WHERE (subject_kind = 'person' AND subject_id = ",
    )
    .arg(id)
    .push(") OR (subject_kind = 'group' AND subject_id IN (SELECT name FROM person_groups WHERE person_id = ")
    .arg(id)
    .push("))");
    let held = |row: &Row| {
        let workspace_id = row.opt_i64("workspace_id")?;
        Ok(row.word("role").ok().map(|role| Held { role, workspace_id }))
    };
    tx.fetch_all(sql).await?.iter().map(held).filter_map(Result::transpose).collect()
}

pub async fn groups_in(tx: &mut Tx, id: &str) -> Result<Vec<String>, StoreError> {
    let sql = Sql::new("SELECT name FROM person_groups WHERE person_id = ").arg(id);
    tx.fetch_all(sql).await?.iter().map(|row| row.text("name")).collect()
}

/// How many people could sign in now and administer the console. Those of the provider count only while there is
/// one; local accounts only with a password.
pub async fn count_admins(
    tx: &mut Tx,
    with_provider: bool,
    admin_groups: &[&str],
) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM people p WHERE p.disabled_at IS NULL AND (")
        .push(if with_provider { "p.source = 'oidc' OR " } else { "" })
        .push(
            "p.password_hash IS NOT NULL) AND (EXISTS (SELECT 1 FROM grants g WHERE g.role = 'admin' \
             AND g.workspace_id IS NULL AND ((g.subject_kind = 'person' AND g.subject_id = p.id) OR \
             (g.subject_kind = 'group' AND g.subject_id IN (SELECT m.name FROM person_groups m WHERE m.person_id = p.id)))) \
             OR EXISTS (SELECT 1 FROM person_groups c WHERE c.person_id = p.id AND c.name IN ",
        )
        .list(admin_groups.iter().copied())
        .push("))");
    tx.fetch_one(sql).await?.i64("n")
}

pub struct New<'a> {
    pub id: &'a str,
    pub login: &'a str,
    pub display_name: &'a str,
    pub email: Option<&'a str>,
}

/// False when the login is taken.
pub async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let sql = Sql::new(
        "INSERT INTO people (id, source, login, display_name, email, created_at) VALUES (",
    )
    .arg(new.id)
    .push(", 'local', ")
    .arg(new.login)
    .push(", ")
    .arg(new.display_name)
    .push(", ")
    .arg(new.email)
    .push(", ")
    .arg(now)
    .push(") ON CONFLICT DO NOTHING RETURNING id");
    Ok(tx.fetch_optional(sql).await?.is_some())
}

/// Writes what may have changed of somebody.
pub async fn update(tx: &mut Tx, person: &Person) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE people SET display_name = ")
        .arg(&person.display_name)
        .push(", email = ")
        .arg(person.email.as_deref())
        .push(", disabled_at = ")
        .arg(person.disabled_at)
        .push(" WHERE id = ")
        .arg(&person.id);
    tx.execute(sql).await.map(|_| ())
}

/// Links to a password that have not been used.
pub async fn delete_links(tx: &mut Tx, person_id: &str) -> Result<(), StoreError> {
    let sql = Sql::new("DELETE FROM setup_links WHERE person_id = ").arg(person_id);
    tx.execute(sql).await.map(|_| ())
}

/// The sessions that last at `now`, the latest first.
pub async fn sessions(db: &Db, person_id: &str, now: Micros) -> Result<Vec<Session>, StoreError> {
    let sql = Sql::new(
        "SELECT id, method, address, device, created_at, seen_at, expires_at FROM sessions \
         WHERE ended_at IS NULL AND expires_at > ",
    )
    .arg(now)
    .push(" AND person_id = ")
    .arg(person_id)
    .push(" ORDER BY seen_at DESC, id LIMIT 100");
    let session = |row: &Row| {
        Ok(Session {
            id: row.text("id")?,
            method: row.text("method")?,
            address: row.opt_text("address")?,
            device: row.opt_text("device")?,
            created_at: row.micros("created_at")?,
            seen_at: row.micros("seen_at")?,
            expires_at: row.micros("expires_at")?,
        })
    };
    db.fetch_all(sql).await?.iter().map(session).collect()
}

/// Whose session it is: id and name.
pub async fn find_session(tx: &mut Tx, id: &str) -> Result<Option<(String, String)>, StoreError> {
    let sql = Sql::new(
        "SELECT p.id, p.display_name FROM sessions s JOIN people p ON p.id = s.person_id WHERE s.id = ",
    );
    let row = tx.fetch_optional(sql.arg(id)).await?;
    row.map(|row| Ok((row.text("id")?, row.text("display_name")?))).transpose()
}
