//! What comes in a hub's session: whose it is, and in which order it is dealt with.

use std::collections::VecDeque;

use rumqttc::mqttbytes::v4::{PubAck, Publish};
use rumqttc::mqttbytes::QoS;
use tokio::time::{Duration, Instant};

use hub_core::messaging;
use hub_core::ota;
use hub_core::ports::Uplink;

use super::places::Places;
use super::roster::{Roster, Stage};
use super::turn::{Note, Turn, Turns, NO_PRODUCT};

/// A broker that keeps to its window keeps more than so many to itself; one that does not must not fill the memory.
const MOST_HELD: usize = 10_000;
/// A hub that has not come to a point for so long may never do.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A session's messages.
pub struct Inbox {
    places: Places,
    sessions: String,
    number: u32,
    /// Where every hub gets every message.
    turns: Option<Turns>,
    /// What waits, in order.
    held: VecDeque<Publish>,
    /// A note waits: so does all that is behind it.
    blocked: bool,
    waits_since: Instant,
    /// The last mark of its own that it has come to.
    mark: Option<u64>,
    /// It has come to the point from which on nobody deals with anything here.
    pub left: bool,
    /// How many messages it has dealt with.
    pub count: usize,
}

impl Inbox {
    /// The session of this number, which `places` has; all messages are its own until it knows the others.
    pub fn new(places: Places, sessions: String, number: u32) -> Self {
        Inbox {
            places,
            sessions,
            number,
            turns: None,
            held: VecDeque::new(),
            blocked: false,
            waits_since: Instant::now(),
            mark: None,
            left: false,
            count: 0,
        }
    }

    /// Every hub gets every message, and these serve.
    pub fn divide(&mut self, turns: Turns) {
        self.turns = Some(turns);
        self.waits_since = Instant::now();
    }

    /// Whether it waits for other hubs.
    pub fn waits(&self) -> bool {
        self.turns.as_ref().is_some_and(Turns::waits)
    }

    /// The last mark of its own that it has come to since it was asked.
    pub fn take_mark(&mut self) -> Option<u64> {
        self.mark.take()
    }

    /// Forgets what the broker will bring again.
    pub fn disconnected(&mut self) {
        self.held.clear();
        self.blocked = false;
    }

    /// Deals with a message, or keeps it for later; returns what may be acknowledged.
    pub fn take(&mut self, uplink: &dyn Uplink, message: Publish) -> Result<Vec<PubAck>, String> {
        let mut acks = Vec::new();
        self.sort(uplink, message, &mut acks)?;
        if self.held.len() > MOST_HELD {
            self.give_up(uplink);
            self.release(uplink, &mut acks)?;
        }
        Ok(acks)
    }

    /// Looks how far the others are, and deals with what has waited for them; returns what may be acknowledged.
    pub fn look(&mut self, uplink: &dyn Uplink) -> Result<Vec<PubAck>, String> {
        let mut acks = Vec::new();
        let Some(turns) = self.turns.as_mut().filter(|turns| turns.waits()) else { return Ok(acks) };
        let moved = turns.look(&self.places.look()?);
        if !moved && self.waits_since.elapsed() > LONGEST_WAIT {
            self.give_up(uplink);
        } else if !moved {
            return Ok(acks);
        }
        self.release(uplink, &mut acks)?;
        Ok(acks)
    }

    /// Whether this hub is one of those that serve.
    pub fn serves(&self) -> bool {
        self.turns.as_ref().is_none_or(|turns| turns.members().later >> self.number & 1 == 1)
    }

    /// Goes on as if the others had been told that this hub serves.
    pub fn serve_anyway(&mut self) -> Result<(), String> {
        self.come_to(Note::Joins(self.number))?;
        self.come_to(Note::Joined(self.number))
    }

    /// A mark has come back that was sent when these served, and nobody came or went: if that is not how it is, notes have
    /// been lost.
    pub fn compare(&mut self, uplink: &dyn Uplink, members: u64) -> Result<(), String> {
        let differs = |turns: &&mut Turns| {
            !turns.waits() && (turns.members().sooner, turns.members().later) != (members, members)
        };
        let Some(turns) = self.turns.as_mut().filter(differs) else { return Ok(()) };
        let roster = self.places.look()?;
        if roster.changes() || roster.members() != members {
            return Ok(());
        }
        uplink.warn("messages between the hubs were lost: the broker may keep too few for a hub that is behind");
        turns.take_on(members);
        self.record(None).map(drop)
    }

    fn give_up(&mut self, uplink: &dyn Uplink) {
        uplink.warn("does not wait for the other hubs any longer: a report may be dealt with behind a later one");
        self.turns.iter_mut().for_each(Turns::give_up);
    }

    /// What has waited comes again, in order.
    fn release(&mut self, uplink: &dyn Uplink, acks: &mut Vec<PubAck>) -> Result<(), String> {
        self.blocked = false;
        for message in std::mem::take(&mut self.held) {
            self.sort(uplink, message, acks)?;
        }
        Ok(())
    }

    fn sort(&mut self, uplink: &dyn Uplink, message: Publish, acks: &mut Vec<PubAck>) -> Result<(), String> {
        if self.blocked {
            self.held.push_back(message);
            return Ok(());
        }
        let mut kept = true;
        if let Some(note) =
            self.turns.is_some().then(|| Note::parse(&message.topic, &message.payload, &self.sessions)).flatten()
        {
            if self.must_wait(note) {
                self.blocked = !matches!(note, Note::Mark { .. });
                self.held.push_back(message);
                return Ok(());
            }
            self.come_to(note)?;
        } else if let Some(client_id) = sender(&message) {
            match self.turns.as_ref().map_or(Turn::Deal, |turns| turns.turn(&client_id)) {
                Turn::Skip => {}
                Turn::Wait => {
                    self.held.push_back(message);
                    return Ok(());
                }
                Turn::Deal => {
                    kept = uplink.device_message(&client_id, &message);
                    self.count += 1;
                }
            }
        }
        if kept && message.qos == QoS::AtLeastOnce {
            acks.push(PubAck::new(message.pkid));
        }
        Ok(())
    }

    /// What a hub says of the point it has come to must be true of all that is before that point.
    fn must_wait(&self, note: Note) -> bool {
        match note {
            Note::Mark { number, .. } => number == self.number && !self.held.is_empty(),
            // The others let it wait for them only once it serves.
            Note::Joined(number) if number == self.number => false,
            _ => self.waits(),
        }
    }

    fn come_to(&mut self, note: Note) -> Result<(), String> {
        match note {
            Note::Mark { number, count } if number == self.number => self.mark = Some(count),
            Note::Left(number) if number == self.number => self.left = true,
            _ => {}
        }
        let Some(turns) = &mut self.turns else { return Ok(()) };
        let waited = turns.waits();
        let joined = note == Note::Joined(self.number);
        if !turns.come_to(note) && !joined {
            return Ok(());
        }
        if !waited {
            self.waits_since = Instant::now();
        }
        let roster = self.record(joined.then_some(Stage::Serves))?;
        // Nobody may have been in the way.
        if let Some(turns) = self.turns.as_mut().filter(|_| self.held.is_empty()) {
            turns.look(&roster);
        }
        Ok(())
    }

    /// Notes who serves at this point, before what is up to it is acknowledged.
    fn record(&self, stage: Option<Stage>) -> Result<Roster, String> {
        let Some(members) = self.turns.as_ref().map(Turns::members) else { return self.places.look() };
        let roster = self.places.change(|roster| {
            let place = roster.own(self.number, &self.places.holder)?;
            place.members = members;
            place.stage = stage.unwrap_or(place.stage);
            Some(roster.clone())
        })?;
        roster.ok_or_else(|| "another hub has its place".to_owned())
    }
}

/// The device a message is of, where a hub has anything to do with it.
fn sender(message: &Publish) -> Option<String> {
    let client_id = ota::sender(&message.topic).or_else(|| messaging::sender(&message.topic));
    client_id.filter(|_| message.topic.split('/').nth(2) != Some(NO_PRODUCT))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex, PoisonError};

    use super::super::roster::{owner, Members};
    use super::super::tests::Text;
    use super::*;

    /// What was dealt with, by payload, and what a person was told.
    #[derive(Default)]
    struct Heard {
        dealt: Mutex<Vec<String>>,
        warnings: Mutex<Vec<String>>,
    }

    impl Heard {
        fn dealt(&self) -> Vec<String> {
            std::mem::take(&mut *self.dealt.lock().unwrap_or_else(PoisonError::into_inner))
        }

        fn warnings(&self) -> usize {
            self.warnings.lock().unwrap_or_else(PoisonError::into_inner).len()
        }
    }

    impl Uplink for Heard {
        fn device_message(&self, _client_id: &str, message: &Publish) -> bool {
            let text = String::from_utf8_lossy(&message.payload).into_owned();
            self.dealt.lock().unwrap_or_else(PoisonError::into_inner).push(text.clone());
            text != "too much"
        }

        fn broker_has(&self, _jobs: &[i64]) {}

        fn still_wanted(&self, jobs: &[i64]) -> BTreeSet<i64> {
            jobs.iter().copied().collect()
        }

        fn warn(&self, text: &str) {
            self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        }
    }

    /// Hubs 0 and 1 by one agreement, of which the second one has come to where it joins.
    struct Pair {
        heard: Heard,
        first: Inbox,
        second: Inbox,
        /// A device that the second one gains, and one that stays the first one's.
        moves: String,
        stays: String,
        next: RefCell<u16>,
    }

    impl Pair {
        fn new() -> Self {
            let text = Arc::new(Text::default());
            let inbox = |number: u32, members: u64| {
                let places = Places::new(text.clone(), "b".to_owned()).expect("a name");
                let given = places.take(&[], &mut Default::default()).expect("agreed").expect("a place");
                assert_eq!(given.number, number);
                let own = |place: &mut super::super::roster::Place| place.members = Members::of(members);
                places.change_own(number, own).expect("agreed").expect("its own");
                if number == 0 {
                    places.change_own(0, |place| place.stage = Stage::Serves).expect("agreed");
                }
                let roster = places.look().expect("agreed");
                let mut inbox = Inbox::new(places, roster.sessions(), number);
                inbox.divide(Turns::of(number, Members::of(members), &roster));
                inbox
            };
            let (first, second) = (inbox(0, 0b01), inbox(1, 0b01));
            let find = |number: u32| {
                let mut names = (0..).map(|n| format!("d{n}"));
                names.find(|name| owner(&format!("P1{name}"), 0b11) == Some(number)).expect("one")
            };
            Pair { heard: Heard::default(), first, second, moves: find(1), stays: find(0), next: RefCell::new(0) }
        }

        fn message(&self, topic: String, payload: &str) -> Publish {
            *self.next.borrow_mut() += 1;
            Publish { pkid: *self.next.borrow(), ..Publish::new(topic, QoS::AtLeastOnce, payload) }
        }

        /// Brings a message to one of them; how many may be acknowledged.
        fn bring(&mut self, number: usize, message: &Publish) -> usize {
            let inbox = [&mut self.first, &mut self.second].into_iter().nth(number).expect("one of two");
            inbox.take(&self.heard, message.clone()).expect("dealt with").len()
        }

        fn report(&mut self, number: usize, name: &str, payload: &str) -> usize {
            let message = self.message(format!("$ota/report/P1/{name}"), payload);
            self.bring(number, &message)
        }

        fn note(&mut self, number: usize, note: Note) -> usize {
            let (topic, payload) = note.message(&self.first.sessions);
            let message = self.message(topic, &payload);
            self.bring(number, &message)
        }

        fn look(&mut self) -> usize {
            self.second.look(&self.heard).expect("agreed").len()
        }
    }

    #[test]
    fn who_comes_deals_with_a_device_once_the_other_one_has_come_there() {
        let mut pair = Pair::new();
        let (moves, stays) = (pair.moves.clone(), pair.stays.clone());
        assert_eq!(pair.report(1, &moves, "before"), 1);
        assert_eq!((pair.note(1, Note::Joins(1)), pair.note(1, Note::Joined(1))), (1, 1));
        assert!(pair.second.serves());
        assert_eq!(
            (pair.report(1, &moves, "one"), pair.report(1, &moves, "two"), pair.report(1, &stays, "none")),
            (0, 0, 1)
        );
        // It has not come so far as to what waits.
        assert_eq!((pair.note(1, Note::Mark { number: 1, count: 7 }), pair.second.take_mark()), (0, None));
        assert_eq!((pair.look(), pair.heard.dealt()), (0, vec![]));
        assert_eq!(
            (pair.report(0, &moves, "before"), pair.note(0, Note::Joins(1)), pair.note(0, Note::Joined(1))),
            (1, 1, 1)
        );
        assert_eq!((pair.report(0, &moves, "one"), pair.heard.dealt()), (1, vec!["before".to_owned()]));
        assert_eq!((pair.look(), pair.heard.dealt()), (3, vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!((pair.second.take_mark(), pair.second.take_mark(), pair.second.count), (Some(7), None, 2));
        assert_eq!(
            (pair.report(1, &moves, "three"), pair.heard.dealt(), pair.heard.warnings()),
            (1, vec!["three".to_owned()], 0)
        );
    }

    #[test]
    fn nobody_says_that_it_has_come_to_a_point_before_which_something_waits() {
        let mut pair = Pair::new();
        let (moves, stays) = (pair.moves.clone(), pair.stays.clone());
        pair.note(1, Note::Joins(1));
        pair.note(1, Note::Joined(1));
        assert_eq!(pair.report(1, &moves, "one"), 0);
        // A third one comes: all that follows stays behind that, in order.
        assert_eq!(
            (pair.note(1, Note::Joins(2)), pair.report(1, &stays, "none"), pair.report(1, &moves, "two")),
            (0, 0, 0)
        );
        assert_eq!(pair.second.turns.as_ref().map(Turns::members), Some(Members::of(0b11)));
        // The broker brings it again.
        pair.second.disconnected();
        assert_eq!((pair.report(1, &moves, "one"), pair.note(1, Note::Joins(2))), (0, 0));
        pair.note(0, Note::Joins(1));
        pair.note(0, Note::Joined(1));
        assert_eq!((pair.look(), pair.heard.dealt()), (2, vec!["one".to_owned()]));
        assert_eq!(pair.second.turns.as_ref().map(Turns::members), Some(Members { sooner: 0b111, later: 0b11 }));
    }

    #[test]
    fn what_was_not_kept_is_not_acknowledged() {
        let mut pair = Pair::new();
        let stays = pair.stays.clone();
        assert_eq!((pair.report(0, &stays, "too much"), pair.report(0, &stays, "one")), (0, 1));
        assert_eq!(pair.heard.dealt(), ["too much", "one"]);
        let other = pair.message("$elsewhere".to_owned(), "");
        assert_eq!(pair.bring(0, &other), 1);
    }

    #[test]
    fn a_flood_ends_the_wait() {
        let mut pair = Pair::new();
        let moves = pair.moves.clone();
        pair.note(1, Note::Joins(1));
        let acks: usize = (0..=MOST_HELD).map(|_| pair.report(1, &moves, "one")).sum();
        assert_eq!((acks, pair.heard.dealt().len(), pair.heard.warnings()), (MOST_HELD + 1, MOST_HELD + 1, 1));
        assert!(!pair.second.waits());
    }

    #[test]
    fn lost_notes_are_made_good_when_nobody_comes_or_goes() {
        let mut pair = Pair::new();
        pair.first.compare(&pair.heard, 0b01).expect("agreed");
        pair.first.compare(&pair.heard, 0b11).expect("agreed");
        assert_eq!(
            (pair.first.turns.as_ref().map(Turns::members), pair.heard.warnings()),
            (Some(Members::of(0b01)), 0)
        );
        // Without a word to the first one.
        pair.second.serve_anyway().expect("agreed");
        assert!(pair.second.serves() && pair.second.waits());
        pair.first.compare(&pair.heard, 0b11).expect("agreed");
        assert_eq!(
            (pair.first.turns.as_ref().map(Turns::members), pair.heard.warnings()),
            (Some(Members::of(0b11)), 1)
        );
        assert_eq!(pair.look(), 0);
        assert!(!pair.second.waits());
    }

    #[test]
    fn who_has_lost_its_place_deals_with_nothing_more() {
        let mut pair = Pair::new();
        pair.first.places.change_own(0, |place| place.holder = "another".to_owned()).expect("agreed").expect("its own");
        let (topic, payload) = Note::Joins(1).message(&pair.first.sessions);
        let message = pair.message(topic, &payload);
        assert!(pair.first.take(&pair.heard, message).is_err());
    }
}
