//! Which hubs of a database serve, and whose session at the broker is whose: what they keep in their agreement.
//!
//! Each hub takes the first free number; it names the hub's session at the broker, which outlives the hub. A hub says that
//! it lives by a number that it counts up. Hubs come and go one after the other, so that their messages to each other
//! (`turn`) say in all sessions in the same order who serves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

/// As many as there are bits for; more hubs with one database are a mistake.
pub const MAX_PLACES: u32 = 64;

/// The agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Tells the sessions of one database from those of another.
    pub name: String,
    pub places: BTreeMap<u32, Place>,
}

/// A number that is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The run of a hub that sees to it; empty where that has ended in order.
    pub holder: String,
    /// Counted up by its hub as long as that lives.
    pub beat: u64,
    pub stage: Stage,
    /// What the session at the broker subscribes to.
    pub filters: Vec<String>,
    /// Who serves, as far as what is in the session has been dealt with.
    pub members: Members,
    /// Whether messages may have waited in the session for long.
    pub behind: bool,
}

/// How far a place has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its hub makes itself known to the others.
    Joins,
    Serves,
    /// Its hub has ended; the holder deals with what is in the session.
    Ended,
}

/// Who serves at a point of a session, a bit for each number. While a hub comes or goes, it is only sooner or later one of them:
/// what lies between concerns who gains a device and who loses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    pub sooner: u64,
    pub later: u64,
}

impl Members {
    pub fn of(set: u64) -> Self {
        Members { sooner: set, later: set }
    }

    /// Whether this hub deals with the messages of a device.
    pub fn give(&self, client_id: &str, number: u32) -> bool {
        [self.sooner, self.later].iter().any(|set| owner(client_id, *set) == Some(number))
    }
}

/// A place that was given to a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    pub number: u32,
    /// It comes with the session of an earlier hub.
    pub resumed: bool,
}

impl Roster {
    /// How the names of the sessions begin.
    pub fn sessions(&self) -> String {
        format!("hub-{}-", self.name)
    }

    /// Gives a place to a hub that would subscribe to `filters`: one that a hub has left in order with its session, else a
    /// free one. `None` while another hub comes or goes; `alone` is one that knows that no other one lives to do so.
    pub fn give(&mut self, holder: &str, filters: &[String], alone: bool) -> Option<Given> {
        let left = |place: &Place| place.holder.is_empty() && place.stage == Stage::Serves && place.filters == filters;
        if let Some((number, place)) = self.places.iter_mut().find(|(_, place)| left(place)) {
            holder.clone_into(&mut place.holder);
            place.beat += 1;
            return Some(Given { number: *number, resumed: true });
        }
        if alone {
            self.places.retain(|_, place| place.stage != Stage::Joins);
        } else if self.changes() {
            return None;
        }
        // A number that some hub still takes for a member's would be taken for that one.
        let known = self.places.values().fold(0, |all, place| all | place.members.sooner | place.members.later);
        let number = (0..MAX_PLACES).find(|number| !self.places.contains_key(number) && known >> number & 1 == 0)?;
        let place = Place {
            holder: holder.to_owned(),
            beat: 0,
            stage: Stage::Joins,
            filters: filters.to_vec(),
            members: Members::default(),
            behind: false,
        };
        self.places.insert(number, place);
        Some(Given { number, resumed: false })
    }

    /// The place of this number, where this hub still has it.
    pub fn own(&mut self, number: u32, holder: &str) -> Option<&mut Place> {
        self.places.get_mut(&number).filter(|place| place.holder == holder)
    }

    /// Whether a hub comes or goes.
    pub fn changes(&self) -> bool {
        self.places.values().any(|place| place.stage != Stage::Serves)
    }

    /// The numbers of those that serve, a bit each. One that has ended does until its session has been dealt with.
    pub fn members(&self) -> u64 {
        self.places
            .iter()
            .filter(|(_, place)| place.stage != Stage::Joins)
            .fold(0, |set, (number, _)| set | 1 << number)
    }

    /// Whether all sessions but that of `number` have come to the point where that one's hub serves.
    pub fn all_know(&self, number: u32) -> bool {
        let mut others = self.places.iter().filter(|(other, place)| **other != number && place.stage != Stage::Joins);
        others.all(|(_, place)| place.members.later >> number & 1 == 1)
    }

    /// Whether a place's hub has ended and its session has not been dealt with.
    pub fn is_ending(&self, number: u32) -> bool {
        self.places.get(&number).is_some_and(|place| place.stage == Stage::Ended)
    }

    /// Has a hub see to the end of a place, if nothing has changed there since it was `seen`, and nothing else is going on.
    pub fn end(&mut self, number: u32, seen: &Place, holder: &str) -> bool {
        let going_on = seen.stage == Stage::Serves && self.changes();
        match self.places.get_mut(&number) {
            Some(place) if !going_on && (&place.holder, place.beat) == (&seen.holder, seen.beat) => {
                // One that did not serve yet leaves nothing to anybody.
                if place.stage == Stage::Serves {
                    place.stage = Stage::Ended;
                }
                holder.clone_into(&mut place.holder);
                place.beat += 1;
                true
            }
            _ => false,
        }
    }
}

/// Whose a device is among these numbers: as even as chance is, and when one comes or goes no device changes between the
/// others.
pub fn owner(client_id: &str, members: u64) -> Option<u32> {
    let weight = |number: &u32| Sha1::digest(format!("{number} {client_id}"));
    (0..MAX_PLACES).filter(|number| members >> number & 1 == 1).max_by_key(weight)
}

/// Finds out who has ended: whoever has not counted up in so many looks. A hub that was held up itself, or could not look,
/// has looked less often.
#[derive(Default)]
pub struct Watch {
    /// How each place was, and in how many looks since.
    seen: BTreeMap<u32, (Place, u32)>,
}

/// A place that has not counted up in so many looks has no hub.
pub const LOOKS: u32 = 6;

impl Watch {
    /// Looks; returns the place to end next, where there is one, as it is. `own` is the hub that looks.
    pub fn look(&mut self, roster: &Roster, own: &str) -> Option<(u32, Place)> {
        self.seen.retain(|number, _| roster.places.contains_key(number));
        for (number, place) in &roster.places {
            let before =
                self.seen.get(number).filter(|(seen, _)| (&seen.holder, seen.beat) == (&place.holder, place.beat));
            let looks = before.map_or(0, |(_, looks)| looks + 1);
            self.seen.insert(*number, (place.clone(), looks));
        }
        let is_dead = |number: &u32, place: &Place| {
            place.holder.is_empty() || self.seen.get(number).is_some_and(|(_, looks)| *looks >= LOOKS)
        };
        let mut dead = roster.places.iter().filter(|(number, place)| place.holder != own && is_dead(number, place));
        // What goes on must end before anything else can.
        let (number, place) = match roster.changes() {
            true => dead.find(|(_, place)| place.stage != Stage::Serves),
            false => dead.next(),
        }?;
        Some((*number, place.clone()))
    }

    /// Whether no place has a hub.
    pub fn none_lives(&self) -> bool {
        self.seen.values().all(|(place, looks)| place.holder.is_empty() || *looks >= LOOKS)
    }

    /// Whether each place has been counted up lately.
    pub fn all_live(&self) -> bool {
        self.seen.values().all(|(_, looks)| *looks < LOOKS / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters() -> Vec<String> {
        vec!["a".to_owned(), "b".to_owned()]
    }

    /// A hub that serves.
    fn serve(roster: &mut Roster, holder: &str) -> u32 {
        let given = roster.give(holder, &filters(), false).expect("a place");
        assert!(!given.resumed);
        let members = Members::of(roster.members() | 1 << given.number);
        let place = roster.own(given.number, holder).expect("its own");
        (place.stage, place.members) = (Stage::Serves, members);
        given.number
    }

    #[test]
    fn hubs_come_one_after_the_other() {
        let mut roster = Roster::default();
        let given = roster.give("a", &filters(), false).expect("a place");
        assert_eq!((given, roster.members()), (Given { number: 0, resumed: false }, 0));
        assert_eq!(roster.give("b", &filters(), false), None, "the first one joins");
        roster.own(0, "a").expect("its own").stage = Stage::Serves;
        assert_eq!((serve(&mut roster, "b"), roster.members()), (1, 0b11));
        assert!(roster.own(1, "a").is_none());
    }

    #[test]
    fn who_left_in_order_is_followed_with_its_session() {
        let mut roster = Roster::default();
        serve(&mut roster, "a");
        serve(&mut roster, "b");
        roster.own(0, "a").expect("its own").holder.clear();
        assert_eq!(
            roster.give("c", &["other".to_owned()], false).map(|given| given.number),
            Some(2),
            "it wants another session"
        );
        assert_eq!(roster.give("d", &filters(), false), Some(Given { number: 0, resumed: true }));
        assert_eq!(roster.own(0, "d").expect("its own").members, Members::of(1));
    }

    #[test]
    fn who_does_not_count_up_has_ended() {
        let mut roster = Roster::default();
        serve(&mut roster, "a");
        serve(&mut roster, "b");
        serve(&mut roster, "c");
        let mut watch = Watch::default();
        assert_eq!(watch.look(&roster, "a"), None);
        for _ in 1..LOOKS {
            assert_eq!(watch.look(&roster, "a"), None);
            for (number, holder) in [(0, "a"), (2, "c")] {
                roster.own(number, holder).expect("its own").beat += 1;
            }
        }
        assert!(!watch.all_live());
        let (number, seen) = watch.look(&roster, "a").expect("one that has ended");
        assert_eq!(number, 1);
        let mut other = roster.clone();
        other.own(1, "b").expect("its own").beat += 1;
        assert!(!other.end(number, &seen, "a"), "it lives");
        assert!(roster.end(number, &seen, "a"));
        assert!(roster.is_ending(1) && !roster.end(number, &seen, "c"), "another one was first");
        assert_eq!((watch.look(&roster, "a"), roster.members()), (None, 0b111));
        roster.places.remove(&1);
        assert_eq!(watch.look(&roster, "a"), None);
        assert_eq!((roster.members(), watch.all_live()), (0b101, true));
        assert_eq!(
            roster.give("d", &filters(), false).map(|given| given.number),
            Some(3),
            "c takes 1 for a member yet"
        );
    }

    #[test]
    fn one_hub_goes_at_a_time() {
        let mut roster = Roster::default();
        assert_eq!(["a", "b", "c"].map(|holder| serve(&mut roster, holder)), [0, 1, 2]);
        let (first, second) = (roster.places[&0].clone(), roster.places[&1].clone());
        assert!(roster.end(0, &first, "b"));
        assert!(!roster.end(1, &second, "c"), "the first one is going");
        let mut watch = Watch::default();
        let found: Vec<_> = (0..=LOOKS).filter_map(|_| watch.look(&roster, "c")).collect();
        let [(0, seen)] = found.as_slice() else { panic!("{found:?} instead of what goes on") };
        assert!(roster.end(0, seen, "c"), "whoever saw to it has ended, too");
        assert_eq!(roster.places[&0].holder, "c");
    }

    #[test]
    fn who_is_alone_waits_for_nobody() {
        let mut roster = Roster::default();
        serve(&mut roster, "a");
        serve(&mut roster, "b");
        let seen = roster.places[&0].clone();
        assert!(roster.end(0, &seen, "b"));
        assert!(roster.give("c", &filters(), false).is_none());
        let mut watch = Watch::default();
        watch.look(&roster, "c");
        assert!(!watch.none_lives());
        while !watch.none_lives() {
            watch.look(&roster, "c");
        }
        let given = roster.give("c", &filters(), true).expect("a place");
        assert_eq!((given, roster.members()), (Given { number: 2, resumed: false }, 0b11));
        assert_eq!(watch.look(&roster, "c").map(|(number, _)| number), Some(0), "that is to be ended first");
        // One that dies before it serves leaves nothing.
        assert_eq!(roster.give("d", &filters(), true), Some(Given { number: 2, resumed: false }));
    }

    #[test]
    fn each_device_has_one_owner_and_keeps_it_when_others_go() {
        let ids: Vec<String> = (0..300).map(|n| format!("PRODUCTdev{n}")).collect();
        let mut counts = [0; 3];
        for id in &ids {
            let of_three = owner(id, 0b1_0011).expect("somebody");
            let of_two = owner(id, 0b1_0001).expect("somebody");
            assert!(of_three == of_two || of_three == 1);
            counts[[0, 1, 4].iter().position(|n| *n == of_three).expect("a member")] += 1;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
        assert_eq!(owner("x", 0), None);
    }
}
