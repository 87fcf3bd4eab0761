//! A hub's place among those of its database: how it gets one, keeps it, and sees the others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use hub_core::error::Result;
use hub_core::ports::agreement::Agreement;
use hub_core::random;

use super::roster::{Given, Place, Roster, Watch};

/// How often a hub says that it lives, and looks at the others.
pub const BEAT: Duration = Duration::from_secs(1);
/// For so long at most nothing is repeated because a hub is behind: it may never catch up.
const LONGEST_BEHIND: Duration = Duration::from_secs(300);
/// Bytes of randomness in a name.
const NAME_BYTES: usize = 4;

/// The agreement of the hubs, as one of them uses it.
#[derive(Clone)]
pub struct Places {
    agreement: Arc<dyn Agreement>,
    /// Hubs at one broker divide its devices; another one's messages they do not see.
    broker: String,
    /// This run of the hub.
    pub holder: String,
    /// The name that the agreement gets where it has none.
    fresh_name: String,
}

/// What a hub's threads tell each other.
pub struct Standing {
    /// Its number.
    pub number: AtomicU32,
    /// Messages may have waited in its session for long.
    pub behind: AtomicBool,
    /// Another hub took it for dead, and has its place.
    pub lost: AtomicBool,
    /// It ends.
    pub ends: AtomicBool,
    /// Commands may be repeated.
    pub may_repeat: AtomicBool,
    /// The numbers of the hubs that serve, a bit each.
    pub members: AtomicU64,
}

/// Sees to the end of a place whose hub has ended.
pub type Adopt = Box<dyn Fn(u32, Place) + Send + Sync>;

impl Places {
    /// The places at the broker of this name.
    pub fn new(agreement: Arc<dyn Agreement>, broker: String) -> Result<Self> {
        let name = || random::bytes(NAME_BYTES).map(hex::encode);
        Ok(Places { agreement, broker, holder: name()?, fresh_name: name()? })
    }

    /// Changes the roster, where `change` does, while no other hub does.
    pub fn change<T>(&self, mut change: impl FnMut(&mut Roster) -> T) -> std::result::Result<T, String> {
        let mut outcome = None;
        let mut agree = |text: &str| {
            // What is no roster was lost in a power cut, and so were the hubs that it told of.
            let mut rosters: BTreeMap<String, Roster> = serde_json::from_str(text).unwrap_or_default();
            let roster = rosters.entry(self.broker.clone()).or_default();
            if roster.name.is_empty() {
                roster.name.clone_from(&self.fresh_name);
            }
            outcome = Some(change(roster));
            serde_json::to_string(&rosters).ok().filter(|next| next != text)
        };
        self.agreement.agree(&mut agree).map_err(|problem| problem.detail)?;
        outcome.ok_or_else(|| "the hubs' agreement cannot be read".to_owned())
    }

    /// The roster as it is.
    pub fn look(&self) -> std::result::Result<Roster, String> {
        self.change(|roster| roster.clone())
    }

    /// Gives back what this run of the hub has.
    pub fn leave(&self) -> std::result::Result<(), String> {
        self.change(|roster| {
            let own = roster.places.values_mut().filter(|place| place.holder == self.holder);
            own.for_each(|place| place.holder.clear());
        })
    }

    /// Takes a place, or says that another hub comes or goes. `watch` has looked at the others in the meantime.
    pub fn take(&self, filters: &[String], watch: &mut Watch) -> std::result::Result<Option<Given>, String> {
        self.change(|roster| {
            watch.look(roster, &self.holder);
            roster.give(&self.holder, filters, watch.none_lives())
        })
    }

    /// Changes the hub's own place; `None` where another hub has it.
    pub fn change_own<T>(
        &self,
        number: u32,
        mut change: impl FnMut(&mut Place) -> T,
    ) -> std::result::Result<Option<T>, String> {
        self.change(|roster| roster.own(number, &self.holder).map(&mut change))
    }
}

impl Standing {
    pub fn new(number: u32) -> Self {
        Standing {
            number: AtomicU32::new(number),
            behind: AtomicBool::new(true),
            lost: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            may_repeat: AtomicBool::new(false),
            members: AtomicU64::new(1 << number),
        }
    }
}

/// Says that a hub lives, and keeps an eye on the others, until the hub ends. In a thread of its own: the others must not
/// take a hub for dead that has much to do.
pub fn keep(places: &Places, standing: &Arc<Standing>, adopt: &Arc<OnceLock<Adopt>>) -> std::io::Result<()> {
    let (places, standing, adopt) = (places.clone(), Arc::downgrade(standing), Arc::downgrade(adopt));
    thread::Builder::new().name("hubs".to_owned()).spawn(move || {
        let (mut watch, mut caught_up) = (Watch::default(), Instant::now());
        while let Some(()) = look(&places, &standing, &adopt, &mut watch, &mut caught_up) {
            thread::sleep(BEAT);
        }
    })?;
    Ok(())
}

/// One look; `None` once the hub has ended.
fn look(
    places: &Places,
    standing: &Weak<Standing>,
    adopt: &Weak<OnceLock<Adopt>>,
    watch: &mut Watch,
    caught_up: &mut Instant,
) -> Option<()> {
    let (standing, adopt) = (standing.upgrade()?, adopt.upgrade()?);
    if standing.ends.load(Ordering::Relaxed) {
        return None;
    }
    let number = standing.number.load(Ordering::Relaxed);
    let behind = standing.behind.load(Ordering::Relaxed);
    let looked = places.change(|roster| {
        for (other, place) in roster.places.iter_mut().filter(|(_, place)| place.holder == places.holder) {
            place.beat += 1;
            place.behind = *other == number && behind;
        }
        roster.clone()
    });
    // Without an answer nobody knows anything; who cannot be heard is not dead.
    let Ok(roster) = looked else {
        standing.may_repeat.store(false, Ordering::Relaxed);
        return Some(());
    };
    let ended = watch.look(&roster, &places.holder);
    let is_own = roster.places.get(&number).is_some_and(|place| place.holder == places.holder);
    standing.lost.store(!is_own, Ordering::Relaxed);
    standing.members.store(roster.members(), Ordering::Relaxed);
    let all_there = watch.all_live() && !roster.changes() && !roster.places.values().any(|place| place.behind);
    if all_there {
        *caught_up = Instant::now();
    }
    standing.may_repeat.store(all_there || caught_up.elapsed() > LONGEST_BEHIND, Ordering::Relaxed);
    if let (Some((number, place)), Some(adopt)) = (ended, adopt.get()) {
        adopt(number, place);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::super::roster::{Members, Stage};
    use super::super::tests::Text;
    use super::*;

    /// A hub that serves, and what its thread knows.
    struct Hub {
        places: Places,
        standing: Arc<Standing>,
        adopt: Arc<OnceLock<Adopt>>,
        adopted: Arc<Mutex<Vec<u32>>>,
        watch: Watch,
        caught_up: Instant,
    }

    impl Hub {
        fn new(text: &Arc<Text>) -> Self {
            let places = Places::new(text.clone(), "b".to_owned()).expect("a name");
            let given = places.take(&["a".to_owned()], &mut Watch::default()).expect("agreed").expect("a place");
            let serve =
                |place: &mut Place| (place.stage, place.members) = (Stage::Serves, Members::of(1 << given.number));
            places.change_own(given.number, serve).expect("agreed").expect("its own");
            let (adopt, adopted) = (Arc::new(OnceLock::new()), Arc::new(Mutex::new(Vec::new())));
            let seen = adopted.clone();
            let add: Adopt =
                Box::new(move |number, _| seen.lock().unwrap_or_else(PoisonError::into_inner).push(number));
            assert!(adopt.set(add).is_ok());
            let standing = Arc::new(Standing::new(given.number));
            standing.behind.store(false, Ordering::Relaxed);
            Hub { places, standing, adopt, adopted, watch: Watch::default(), caught_up: Instant::now() }
        }

        /// Looks; whether it may repeat commands then.
        fn look(&mut self) -> bool {
            let (standing, adopt) = (Arc::downgrade(&self.standing), Arc::downgrade(&self.adopt));
            look(&self.places, &standing, &adopt, &mut self.watch, &mut self.caught_up).expect("it goes on");
            self.standing.may_repeat.load(Ordering::Relaxed)
        }

        fn adopted(&self) -> Vec<u32> {
            self.adopted.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    #[test]
    fn nothing_is_repeated_while_a_hub_is_behind_or_ends() {
        let text = Arc::new(Text::default());
        let (mut one, mut two) = (Hub::new(&text), Hub::new(&text));
        assert!(one.look() && two.look());
        assert_eq!(one.standing.members.load(Ordering::Relaxed), 0b11);
        two.standing.behind.store(true, Ordering::Relaxed);
        assert!(!two.look() && !one.look());
        // It may never catch up.
        one.caught_up = one.caught_up.checked_sub(LONGEST_BEHIND * 2).expect("a time");
        assert!(one.look());
        two.standing.behind.store(false, Ordering::Relaxed);
        assert!(two.look() && one.look());
        two.places.leave().expect("agreed");
        one.look();
        assert_eq!(one.adopted(), [1]);
        two.look();
        assert!(two.standing.lost.load(Ordering::Relaxed) && !one.standing.lost.load(Ordering::Relaxed));
    }

    #[test]
    fn hubs_at_another_broker_are_nothing_to_do_with_it() {
        let text = Arc::new(Text::default());
        let one = Hub::new(&text);
        let other = Places::new(text.clone(), "other".to_owned()).expect("a name");
        let given = other.take(&[], &mut Watch::default()).expect("agreed").expect("a place");
        let rosters = [&one.places, &other].map(|places| places.look().expect("agreed"));
        assert_eq!((given.number, rosters[0].members(), rosters[1].members()), (0, 1, 0));
        assert_ne!(rosters[0].name, rosters[1].name);
    }

    #[test]
    fn who_is_silent_is_soon_waited_for_and_then_followed() {
        let text = Arc::new(Text::default());
        let (mut one, mut two) = (Hub::new(&text), Hub::new(&text));
        assert!(two.look());
        let repeats: Vec<bool> = std::iter::from_fn(|| one.adopted().is_empty().then(|| one.look())).collect();
        assert!(repeats.first() == Some(&true) && repeats.last() == Some(&false), "{repeats:?}");
        assert_eq!(one.adopted(), [1]);
        drop(two.standing);
        assert!(look(&two.places, &Weak::new(), &Weak::new(), &mut two.watch, &mut two.caught_up).is_none());
    }
}
