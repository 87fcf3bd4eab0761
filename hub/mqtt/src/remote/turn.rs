//! Who deals with what in a hub's session, where every hub gets every message: the hubs tell each other at which point of
//! their sessions one of them comes or goes, and whoever gains a device waits until what was said before has been dealt with.
//!
//! Each change has two points. The first one is in every session when the second one is sent. Between them both hubs deal with a
//! device that changes hands: a broker of several nodes may put a message before a point in one session, and behind it in
//! another one.

use super::roster::{owner, Members, Roster};

/// Stands for a product in the topic of messages to ourselves.
pub const NO_PRODUCT: &str = "hub";

/// A message of a hub to the hubs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// From here on the hub of this number deals with what is its own.
    Joins(u32),
    /// From here on nobody else does.
    Joined(u32),
    /// From here on the others deal with what was this hub's.
    Leaves(u32),
    /// From here on nobody deals with it in its place.
    Left(u32),
    /// A hub has come to this point of its session.
    Mark { number: u32, count: u64 },
}

impl Note {
    /// The note in a message, where it is one of these hubs'. `sessions` is how the names of their sessions begin.
    pub fn parse(topic: &str, payload: &[u8], sessions: &str) -> Option<Note> {
        let (product, name) = topic.strip_prefix("$ota/report/")?.split_once('/')?;
        let number = name.strip_prefix(sessions).filter(|_| product == NO_PRODUCT)?.parse().ok()?;
        match std::str::from_utf8(payload).ok()? {
            "joins" => Some(Note::Joins(number)),
            "joined" => Some(Note::Joined(number)),
            "leaves" => Some(Note::Leaves(number)),
            "left" => Some(Note::Left(number)),
            text => Some(Note::Mark { number, count: text.strip_prefix("mark ")?.parse().ok()? }),
        }
    }

    /// Topic and payload of its message.
    pub fn message(&self, sessions: &str) -> (String, String) {
        let (number, payload) = match self {
            Note::Joins(number) => (number, "joins".to_owned()),
            Note::Joined(number) => (number, "joined".to_owned()),
            Note::Leaves(number) => (number, "leaves".to_owned()),
            Note::Left(number) => (number, "left".to_owned()),
            Note::Mark { number, count } => (number, format!("mark {count}")),
        };
        (format!("{}{number}", Note::topics(sessions)), payload)
    }

    /// How their topics begin.
    pub fn topics(sessions: &str) -> String {
        format!("$ota/report/{NO_PRODUCT}/{sessions}")
    }
}

/// What must have happened before a hub deals with devices that it gained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The others have come to the point where this hub serves.
    Known,
    /// What the session of a hub that has ended holds has been dealt with.
    Cleared(u32),
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Deal,
    /// It is another hub's.
    Skip,
    /// It is this hub's, but not yet.
    Wait,
}

/// The point that a session has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    number: u32,
    members: Members,
    /// What is waited for, and who served before.
    waits: Vec<(Wait, u64)>,
}

impl Turns {
    /// Where the session of this number begins, or goes on.
    pub fn of(number: u32, members: Members, roster: &Roster) -> Self {
        let mut turns = Turns { number, members, waits: Vec::new() };
        let own = 1 << number;
        if (members.sooner | members.later) & own != 0 {
            turns.waits.push((Wait::Known, 0));
        }
        for ending in roster.places.keys().filter(|other| **other != number && roster.is_ending(**other)) {
            turns.waits.push((Wait::Cleared(*ending), members.later | 1 << ending));
        }
        turns.look(roster);
        turns
    }

    /// Who serves at this point.
    pub fn members(&self) -> Members {
        self.members
    }

    /// Whether something is waited for.
    pub fn waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// What to do with a message of a device.
    pub fn turn(&self, client_id: &str) -> Turn {
        if !self.members.give(client_id, self.number) {
            return Turn::Skip;
        }
        match self.waits.iter().any(|(_, before)| owner(client_id, *before) != Some(self.number)) {
            true => Turn::Wait,
            false => Turn::Deal,
        }
    }

    /// The session has come to a note. True where that has changed who serves.
    pub fn come_to(&mut self, note: Note) -> bool {
        let before = self.members;
        match note {
            Note::Joins(number) => self.members.sooner |= 1 << number,
            Note::Joined(number) => self.members = Members::of(self.members.sooner | 1 << number),
            Note::Leaves(number) => self.members.sooner &= !(1 << number),
            Note::Left(number) => self.members = Members::of(self.members.sooner & !(1 << number)),
            Note::Mark { .. } => {}
        }
        let wait = match note {
            Note::Joins(number) if number == self.number => Wait::Known,
            Note::Leaves(number) if number != self.number => Wait::Cleared(number),
            _ => return self.members != before,
        };
        if self.members != before {
            self.waits.push((wait, before.later));
        }
        self.members != before
    }

    /// Takes on who serves where notes have been lost.
    pub fn take_on(&mut self, members: u64) {
        self.members = Members::of(members);
    }

    /// Sees what has happened. True where something is waited for no longer.
    pub fn look(&mut self, roster: &Roster) -> bool {
        let count = self.waits.len();
        let number = self.number;
        self.waits.retain(|(wait, _)| match wait {
            Wait::Known => !roster.all_know(number),
            Wait::Cleared(ended) => roster.is_ending(*ended),
        });
        self.waits.len() != count
    }

    /// Waits no longer.
    pub fn give_up(&mut self) {
        self.waits.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::roster::{Place, Stage};
    use super::*;

    /// Hubs that serve, and know each other.
    fn roster(numbers: &[u32]) -> Roster {
        let set = numbers.iter().fold(0, |set, number| set | 1 << number);
        let place = |number: &u32| Place {
            holder: format!("run {number}"),
            beat: 0,
            stage: Stage::Serves,
            filters: Vec::new(),
            members: Members::of(set),
            behind: false,
        };
        Roster { name: "n".to_owned(), places: numbers.iter().map(|number| (*number, place(number))).collect() }
    }

    /// A device that is this hub's among some, and that one's among more.
    fn device(hubs: &[(u64, u32)]) -> String {
        let mut ids = (0..).map(|n| format!("PRODUCTdev{n}"));
        ids.find(|id| hubs.iter().all(|(set, number)| owner(id, *set) == Some(*number))).expect("one")
    }

    #[test]
    fn a_note_is_what_a_hub_says_to_its_own() {
        for note in [
            Note::Joins(0),
            Note::Joined(63),
            Note::Leaves(7),
            Note::Left(1),
            Note::Mark { number: 2, count: u64::MAX },
        ] {
            let (topic, payload) = note.message("hub-abc-");
            assert_eq!(Note::parse(&topic, payload.as_bytes(), "hub-abc-"), Some(note), "{topic}");
            assert_eq!(Note::parse(&topic, payload.as_bytes(), "hub-xyz-"), None, "another database's");
        }
        for (topic, payload) in [
            ("$ota/report/P1/hub-abc-1", "joins"),
            ("$ota/report/hub/hub-abc-1-probe", "joins"),
            ("$ota/report/hub/hub-abc-1", ""),
            ("$ota/report/hub/hub-abc-1", "mark "),
            ("$ota/report/hub/hub-abc-", "left"),
            ("$ota/update/hub/hub-abc-1", "left"),
        ] {
            assert_eq!(Note::parse(topic, payload.as_bytes(), "hub-abc-"), None, "{topic} {payload}");
        }
    }

    #[test]
    fn who_comes_waits_until_the_others_have_come_to_the_same_point() {
        let (moves, stays) = (device(&[(0b01, 0), (0b11, 1)]), device(&[(0b01, 0), (0b11, 0)]));
        let mut roster = roster(&[0]);
        let mut first = Turns::of(0, Members::of(0b01), &roster);
        roster
            .places
            .insert(1, Place { stage: Stage::Joins, members: Members::default(), ..roster.places[&0].clone() });
        let mut second = Turns::of(1, Members::of(roster.members()), &roster);
        let both = |first: &Turns, second: &Turns, id: &str| (first.turn(id), second.turn(id));
        assert_eq!(both(&first, &second, &moves), (Turn::Deal, Turn::Skip));
        assert!(second.come_to(Note::Joins(1)) && first.come_to(Note::Joins(1)));
        assert_eq!(both(&first, &second, &moves), (Turn::Deal, Turn::Wait), "both deal with it here");
        assert!(second.come_to(Note::Joined(1)));
        assert_eq!(both(&first, &second, &moves), (Turn::Deal, Turn::Wait));
        roster.places.get_mut(&1).expect("the second one").stage = Stage::Serves;
        assert!(!second.look(&roster), "the first one has not come there");
        assert!(first.come_to(Note::Joined(1)));
        assert_eq!(both(&first, &second, &moves), (Turn::Skip, Turn::Wait));
        assert_eq!(both(&first, &second, &stays), (Turn::Deal, Turn::Skip));
        roster.places.get_mut(&0).expect("the first one").members = first.members();
        assert!(second.look(&roster) && !second.waits() && !first.waits());
        assert_eq!(both(&first, &second, &moves), (Turn::Skip, Turn::Deal));
        assert!(!first.come_to(Note::Joins(1)) && !first.come_to(Note::Joined(1)), "said again");
    }

    #[test]
    fn who_follows_waits_until_what_was_said_before_has_been_dealt_with() {
        let mut roster = roster(&[0, 1, 2]);
        let (gained, kept) = (device(&[(0b111, 0), (0b110, 1)]), device(&[(0b111, 1)]));
        let mut dead = Turns::of(0, Members::of(0b111), &roster);
        let mut heir = Turns::of(1, Members::of(0b111), &roster);
        roster.places.get_mut(&0).expect("the dead one").stage = Stage::Ended;
        assert_eq!((dead.turn(&gained), heir.turn(&gained)), (Turn::Deal, Turn::Skip));
        assert!(dead.come_to(Note::Leaves(0)) && heir.come_to(Note::Leaves(0)));
        assert_eq!((dead.turn(&gained), heir.turn(&gained)), (Turn::Deal, Turn::Wait));
        assert_eq!((dead.turn(&kept), heir.turn(&kept)), (Turn::Skip, Turn::Deal), "its own devices do not wait");
        assert!(dead.come_to(Note::Left(0)) && heir.come_to(Note::Left(0)));
        assert_eq!((dead.turn(&gained), heir.turn(&gained)), (Turn::Skip, Turn::Wait));
        assert!(!heir.look(&roster));
        // Started again, it still waits.
        let again = Turns::of(1, heir.members(), &roster);
        assert_eq!(again.turn(&gained), Turn::Wait);
        roster.places.remove(&0);
        assert!(heir.look(&roster));
        assert_eq!((heir.turn(&gained), heir.members()), (Turn::Deal, Members::of(0b110)));
    }

    #[test]
    fn who_waits_for_a_hub_that_ends_waits_for_what_that_has_left() {
        let mut roster = roster(&[0, 1]);
        roster.places.get_mut(&0).expect("the first one").members = Members::of(0b01);
        let id = device(&[(0b01, 0), (0b11, 1)]);
        let mut turns = Turns::of(1, Members::of(0b11), &roster);
        assert_eq!(turns.turn(&id), Turn::Wait, "it came lately, and was started again");
        roster.places.get_mut(&0).expect("the first one").stage = Stage::Ended;
        assert!(!turns.look(&roster));
        roster.places.remove(&0);
        assert!(turns.look(&roster));
        assert_eq!(turns.turn(&id), Turn::Deal);
    }

    #[test]
    fn what_was_lost_is_made_good() {
        let roster = roster(&[0, 1]);
        let id = device(&[(0b01, 0), (0b11, 1)]);
        let mut turns = Turns::of(0, Members::of(0b01), &roster);
        assert_eq!(turns.turn(&id), Turn::Deal);
        turns.take_on(roster.members());
        assert_eq!(turns.turn(&id), Turn::Skip);
        turns.come_to(Note::Leaves(1));
        turns.give_up();
        assert_eq!(turns.turn(&id), Turn::Deal);
    }
}
