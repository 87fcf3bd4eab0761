//! `hub user` and `hub audit`.

use std::process::ExitCode;

use super::args::{self, UserAction};
use super::connection::{part, Connection};
use super::output::{self, time};
use super::trouble::Trouble;
use hub_core::model::{AddUser, AuditLog, ChangeUser, NewUser, Role, User, UserList};

impl From<args::Role> for Role {
    fn from(role: args::Role) -> Self {
        match role {
            args::Role::View => Role::View,
            args::Role::Order => Role::Order,
            args::Role::Administer => Role::Administer,
        }
    }
}

/// Carries `hub user` out.
pub fn run(args: &args::User) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    match &args.action {
        None | Some(UserAction::List) => list(&hub, json)?,
        Some(UserAction::Add { name, role, no_token }) => {
            let what = AddUser { name: name.clone(), role: (*role).into(), token: !no_token };
            let added: NewUser = hub.post("/api/users", &what)?;
            match (json, &added.token) {
                (true, _) => output::json(&added),
                (false, Some(token)) => output::line(&format!("added {name}\ntoken: {token}")),
                (false, None) => output::line(&format!("added {name}, who comes in by a proxy")),
            }
        }
        Some(UserAction::Change { name, role }) => {
            let changed: User =
                hub.post(&format!("/api/users/{}/role", part(name)), &ChangeUser { role: (*role).into() })?;
            match json {
                true => output::json(&changed),
                false => output::line(&format!("{name} may {} now", changed.role.word())),
            }
        }
        Some(UserAction::Remove { name }) => {
            hub.delete(&format!("/api/users/{}", part(name)))?;
            if !json {
                output::line(&format!("removed {name}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(hub: &Connection, json: bool) -> Result<(), Trouble> {
    let list: UserList = hub.get("/api/users")?;
    if json {
        output::json(&list);
        return Ok(());
    }
    let row = |user: User| {
        let comes_in = if user.has_token { "token" } else { "proxy" };
        [user.name, user.role.word().to_owned(), comes_in.to_owned(), time(user.created_at)]
    };
    let rows: Vec<_> = list.users.into_iter().map(row).collect();
    output::table(["NAME", "ROLE", "COMES IN BY", "ADDED"], &rows, "no users");
    Ok(())
}

/// Carries `hub audit` out.
pub fn audit(args: &args::Audit) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let before = args.before.map(|id| format!("&before={id}")).unwrap_or_default();
    let name = args.name.as_deref().map(|name| format!("&name={}", part(name))).unwrap_or_default();
    let log: AuditLog = hub.get(&format!("/api/audit?limit={}{before}{name}", args.limit))?;
    if args.target.json {
        output::json(&log);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |entry: hub_core::model::AuditEntry| {
        let status = entry.status.to_string();
        let detail = entry.detail.unwrap_or_default();
        [entry.id.to_string(), time(entry.at), entry.name, entry.request, status, detail]
    };
    let rows: Vec<_> = log.entries.into_iter().map(row).collect();
    output::table(["ID", "WHEN", "WHO", "WHAT", "STATUS", "DETAIL"], &rows, "nothing was done");
    Ok(ExitCode::SUCCESS)
}
