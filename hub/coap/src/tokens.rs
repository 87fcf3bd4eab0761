//! The tokens that devices were given, by which CoAP knows them.

use std::collections::{HashMap, VecDeque};

/// How many tokens of one device are good at a time: its older ones end with the next.
const PER_DEVICE: usize = 4;

/// A device as its topics name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its product.
    pub product_id: String,
    /// Its name within that.
    pub device_name: String,
}

impl Owner {
    /// Its client id.
    pub fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.device_name)
    }

    /// Whether the device may post there.
    pub fn may_post(&self, path: &str) -> bool {
        let Owner { product_id, device_name } = self;
        let own = path.strip_prefix(product_id.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let below =
            own.and_then(|rest| rest.strip_prefix(device_name.as_str())).and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|rest| !rest.is_empty()) || path == format!("$ota/report/{product_id}/{device_name}")
    }
}

/// Every token that is good. Only devices that the hub knows get one, so there are not more than the hub's devices need.
#[derive(Default)]
pub struct Tokens {
    owners: HashMap<Vec<u8>, Owner>,
    given: HashMap<Owner, VecDeque<Vec<u8>>>,
}

impl Tokens {
    /// Takes down that a device was given this token.
    pub fn give(&mut self, owner: Owner, token: Vec<u8>) {
        self.owners.insert(token.clone(), owner.clone());
        let given = self.given.entry(owner).or_default();
        given.push_back(token);
        while given.len() > PER_DEVICE {
            if let Some(old) = given.pop_front() {
                self.owners.remove(&old);
            }
        }
    }

    /// Whose token this is.
    pub fn owner(&self, token: &[u8]) -> Option<&Owner> {
        self.owners.get(token)
    }

    /// Ends those of one device.
    pub fn end(&mut self, owner: &Owner) {
        for token in self.given.remove(owner).into_iter().flatten() {
            self.owners.remove(&token);
        }
    }

    /// Ends all.
    pub fn clear(&mut self) {
        *self = Tokens::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> Owner {
        Owner { product_id: "P1".to_owned(), device_name: name.to_owned() }
    }

    #[test]
    fn a_device_has_a_few_at_a_time() {
        let mut tokens = Tokens::default();
        tokens.give(owner("b"), b"b".to_vec());
        for number in 0..=u8::try_from(PER_DEVICE).expect("a few") {
            tokens.give(owner("a"), vec![number]);
        }
        assert_eq!((tokens.owner(&[0]), tokens.owner(&[1])), (None, Some(&owner("a"))));
        tokens.end(&owner("a"));
        assert_eq!((tokens.owner(&[1]), tokens.owner(b"b")), (None, Some(&owner("b"))));
        tokens.clear();
        assert_eq!(tokens.owner(b"b"), None);
    }

    #[test]
    fn a_device_posts_to_its_own_topics() {
        for own in ["P1/a/data", "P1/a/b/c", "$ota/report/P1/a"] {
            assert!(owner("a").may_post(own), "{own}");
        }
        for other in
            ["P1/a", "P1/a/", "P1/ab/c", "P1/b/data", "P2/a/data", "$ota/report/P1/b", "$ota/report/P1/a/x", "a"]
        {
            assert!(!owner("a").may_post(other), "{other}");
        }
    }
}
