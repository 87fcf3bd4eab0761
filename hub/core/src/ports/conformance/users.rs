//! What every store must do with users and with what they have done.

use super::code;
use crate::model::{AuditEntry, ProblemCode, Role, User};
use crate::ports::store::Store;

/// Each user has a name, a role and perhaps a token.
pub fn users(store: &dyn Store) {
    let user = |name: &str, role, has_token| User { name: name.to_owned(), role, has_token, created_at: 7 };
    let (bob, alice) = (user("bob", Role::View, true), user("alice", Role::Administer, false));
    store.add_user(&bob, Some("hash")).expect("added");
    store.add_user(&alice, None).expect("added");
    store.add_user(&user("carol", Role::Order, false), None).expect("a second one without a token");
    assert_eq!(code(store.add_user(&user("bob", Role::Order, true), Some("other"))), Some(ProblemCode::UserExists));
    assert_eq!(
        store.users().map(|users| users.into_iter().map(|user| user.role).collect()),
        Ok(vec![Role::Administer, Role::View, Role::Order])
    );
    assert_eq!((store.user("alice"), store.user("nobody")), (Ok(Some(alice)), Ok(None)));
    assert_eq!((store.user_of_token("hash"), store.user_of_token("other")), (Ok(Some(bob)), Ok(None)));
    assert_eq!(store.set_role("bob", Role::Order).map(|user| (user.role, user.has_token)), Ok((Role::Order, true)));
    assert_eq!(store.user_of_token("hash").map(|user| user.map(|user| user.role)), Ok(Some(Role::Order)));
    assert_eq!(code(store.set_role("nobody", Role::Order)), Some(ProblemCode::UserUnknown));
    store.remove_user("bob").expect("removed");
    assert_eq!(
        (code(store.remove_user("bob")), store.user_of_token("hash")),
        (Some(ProblemCode::UserUnknown), Ok(None))
    );
}

/// What was done is kept in its order.
pub fn audit(store: &dyn Store) {
    let entry = |at: u64| AuditEntry {
        id: 0,
        at,
        name: "alice".to_owned(),
        request: "POST /api/upgrades".to_owned(),
        status: 201,
        detail: (at % 2 == 0).then(|| format!("upgrade {at}")),
    };
    assert_eq!(store.audit(None, None, 9), Ok(Vec::new()));
    for at in 1..=3 {
        store.add_audit(&entry(at)).expect("noted");
    }
    let newest = store.audit(None, None, 2).expect("entries");
    assert_eq!(newest.iter().map(|entry| entry.at).collect::<Vec<_>>(), [3, 2]);
    let second = newest.last().expect("an entry");
    assert_eq!(second, &AuditEntry { id: second.id, ..entry(2) });
    let before = store.audit(Some(second.id), None, 9).expect("entries");
    assert_eq!(before.iter().map(|entry| (entry.at, entry.detail.is_none())).collect::<Vec<_>>(), [(1, true)]);
    store.add_audit(&AuditEntry { name: "bob".to_owned(), ..entry(4) }).expect("noted");
    let of = |name, before| store.audit(before, Some(name), 2).map(|all| all.iter().map(|entry| entry.at).collect());
    assert_eq!((of("bob", None), of("alice", None)), (Ok(vec![4]), Ok(vec![3, 2])));
    assert_eq!((of("alice", Some(second.id)), of("ali", None)), (Ok(vec![1]), Ok(Vec::new())));
}
