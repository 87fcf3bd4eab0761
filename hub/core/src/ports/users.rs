//! What the hub needs of a store for those who use the console. Each method is one whole transaction.

use crate::model::{AuditEntry, Problem, Role, User};

type Outcome<T> = Result<T, Problem>;

/// The users, and what was done.
pub trait Users {
    /// Every user, in order of name.
    fn users(&self) -> Outcome<Vec<User>>;

    /// The user of this name.
    fn user(&self, name: &str) -> Outcome<Option<User>>;

    /// The user whose token has this hash.
    fn user_of_token(&self, hash: &str) -> Outcome<Option<User>>;

    /// Adds a user. With a token where there is a hash of one.
    fn add_user(&self, user: &User, token_hash: Option<&str>) -> Outcome<()>;

    /// Gives a user another role. Returns the user as it is then.
    fn set_role(&self, name: &str, role: Role) -> Outcome<User>;

    /// Removes a user, and the token with it.
    fn remove_user(&self, name: &str) -> Outcome<()>;

    /// Notes what was done; the id does not count. Of the old entries, all but the newest 10,000 go.
    fn add_audit(&self, entry: &AuditEntry) -> Outcome<()>;

    /// The newest entries, or those before an id, newest first; those of one name where it is given.
    fn audit(&self, before: Option<i64>, name: Option<&str>, limit: u32) -> Outcome<Vec<AuditEntry>>;
}
