//! Who uses the console, and what they have done, as the API says it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do; each role may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything but secrets.
    View,
    /// Also upload firmware, order upgrades, send messages and files, and change shadows and configurations.
    Order,
    /// Also add, renew and remove devices, let products register, bind devices to gateways, and look after users.
    Administer,
}

impl Role {
    /// As the API has it.
    pub fn word(self) -> &'static str {
        match self {
            Role::View => "view",
            Role::Order => "order",
            Role::Administer => "administer",
        }
    }
}

/// Somebody who makes a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Caller {
    /// A user's name; `console` for the token that the hub was started with, `local` where none is asked for.
    pub name: String,
    pub role: Role,
}

/// A user of the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub name: String,
    pub role: Role,
    /// False: comes in by a trusted proxy only.
    pub has_token: bool,
    pub created_at: u64,
}

/// Every user, in order of name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    pub users: Vec<User>,
}

/// A user to be added.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    /// As a trusted proxy says it, where there is one.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]*$")]
    pub name: String,
    pub role: Role,
    /// `false`: no token is made.
    #[serde(default = "yes")]
    pub token: bool,
}

fn yes() -> bool {
    true
}

/// What a user may do from now on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    pub role: Role,
}

/// A user with what is shown only once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewUser {
    pub user: User,
    /// Not shown again.
    pub token: Option<String>,
}

/// Something that somebody has done, or tried to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: i64,
    pub at: u64,
    /// Who, as in `Caller`.
    pub name: String,
    /// The request: method, path and query.
    pub request: String,
    /// The answer's HTTP status.
    pub status: u16,
    /// What came of it, where more is to be said.
    pub detail: Option<String>,
}

/// What was done, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditLog {
    pub entries: Vec<AuditEntry>,
}
