//! Who uses the console, and what they have done.

use crate::hub::{now_ms, Hub};
use crate::model::{AddUser, AuditEntry, ChangeUser, NewUser, Problem, ProblemCode, User};
use crate::ports::store::Outcome;
use crate::users::{hash, is_name, ticket, token, CONSOLE, LOCAL, MAX_NAME};

/// Characters kept of what a request or its answer says.
const MAX_AUDITED: usize = 300;
/// Entries that are shown at a time.
const MAX_ENTRIES: u32 = 1000;

impl Hub {
    /// Every user, in order of name.
    pub fn user_list(&self) -> Outcome<Vec<User>> {
        self.store.users()
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Outcome<Option<User>> {
        self.store.user(name)
    }

    /// The user whose token such a ticket is of.
    pub fn user_of_ticket(&self, ticket: &[u8]) -> Outcome<Option<User>> {
        self.store.user_of_token(&hash(ticket))
    }

    /// Adds a user. The token is told here and never again.
    pub fn add_user(&self, what: &AddUser) -> Outcome<NewUser> {
        if !is_name(&what.name) {
            return Err(Problem::invalid(format!(
                "A user's name has 1 to {MAX_NAME} printable ASCII characters and no spaces, and is not {CONSOLE:?} or {LOCAL:?}."
            ))
            .coded(ProblemCode::UserNameBad, &[("max", &MAX_NAME)]));
        }
        let token = what.token.then(token).transpose()?;
        let user = User { name: what.name.clone(), role: what.role, has_token: token.is_some(), created_at: now_ms() };
        self.store.add_user(&user, token.as_deref().map(|token| hash(&ticket(token))).as_deref())?;
        Ok(NewUser { user, token })
    }

    /// Gives a user another role: it counts from the next request on.
    pub fn change_user(&self, name: &str, what: &ChangeUser) -> Outcome<User> {
        self.store.set_role(name, what.role)
    }

    /// Removes a user; the token opens nothing from then on.
    pub fn remove_user(&self, name: &str) -> Outcome<()> {
        self.store.remove_user(name)
    }

    /// Notes what somebody has done. What is too long is cut.
    pub fn note_audit(&self, entry: AuditEntry) -> Outcome<()> {
        let cut = |text: String| text.chars().take(MAX_AUDITED).collect();
        self.store.add_audit(&AuditEntry { request: cut(entry.request), detail: entry.detail.map(cut), ..entry })
    }

    /// What was done, newest first: at most 1000 entries, those before an id and of one name where they are given.
    pub fn audit(&self, before: Option<i64>, name: Option<&str>, limit: u32) -> Outcome<Vec<AuditEntry>> {
        self.store.audit(before, name, limit.min(MAX_ENTRIES))
    }
}
