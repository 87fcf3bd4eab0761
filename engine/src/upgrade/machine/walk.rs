//! Every state that a device, its boot loader, its program and its cloud can come to, by every order of events, the power
//! going at any moment: breadth first, each state once.

use std::collections::{HashMap, VecDeque};

use super::super::record::{Cause, Order, Phase, Record};
use super::super::signed::Refusal;
use super::{Machine, Slot, Step};

/// What is in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    /// What the device has had from the beginning.
    Factory,
    /// Erased, or a part of an image.
    Partial,
    /// All of the firmware of this order.
    Whole {
        order: u8,
        /// It comes up and works. Nobody can see that before it runs.
        works: bool,
    },
}

/// What the cloud was told of an order.
type Told = Option<(Cause, String)>;

/// So many orders, of which the later ones come when the cloud likes.
const ORDERS: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    slots: [Content; 2],
    /// The slot that starts next, and whether the boot loader goes back by itself if it does not come up.
    next: Slot,
    on_trial: bool,
    record: Option<Record>,
    machine: Machine,
    /// The order that the cloud has sent last, 0 for none yet.
    order: u8,
    told: [Told; ORDERS as usize],
    /// Bytes of firmware are in the slot, but were not synced.
    is_dirty: bool,
}

fn order(number: u8) -> Order {
    Order { version: String::new(), md5: [number; 16], size: 2 }
}

impl World {
    fn new() -> Self {
        World {
            slots: [Content::Factory, Content::Partial],
            next: 0,
            on_trial: false,
            record: None,
            machine: Machine::at_start(None, 0, 1),
            order: 0,
            told: Default::default(),
            is_dirty: false,
        }
    }

    fn running(&self) -> Slot {
        self.machine.running()
    }

    /// A start from `slot`.
    fn start(mut self, slot: Slot) -> Self {
        self.machine = Machine::at_start(self.record.clone(), slot, 1);
        // What was not synced is gone or not: what is left is a part in either case.
        self.is_dirty = false;
        self
    }

    /// The power comes back: from the next slot, or, where that is no good, from the other one if the loader can.
    fn restarted(&self) -> Vec<(&'static str, Self)> {
        let mut worlds = vec![("start", self.clone().start(self.next))];
        if self.on_trial {
            let other = self.next ^ 1;
            worlds.push(("start, the loader goes back this time", self.clone().start(other)));
            let mut back = self.clone();
            (back.next, back.on_trial) = (other, false);
            worlds.push(("start, the loader goes back", back.start(other)));
        }
        worlds
    }

    /// What comes of this world by one event.
    fn next_worlds(&self) -> Vec<(&'static str, Self)> {
        let mut worlds = self.restarted();
        let mut with = |what, change: &dyn Fn(&mut World)| {
            let mut world = self.clone();
            change(&mut world);
            worlds.push((what, world));
        };
        if self.order < ORDERS {
            with("the cloud has an order", &|world| world.order += 1);
        }
        with("cancel", &|world| {
            let _ = world.machine.cancel();
        });
        with("the time is over", &|world| world.machine.trial_over());
        if !matches!(self.slots[usize::from(self.running())], Content::Whole { works: false, .. }) {
            with("confirm", &|world| {
                let _ = world.machine.confirm();
            });
        }
        if self.machine.step() == Step::Wait || self.machine.step() == Step::Ask {
            if let Some(number) = self.open_order() {
                with("the order comes", &|world| world.machine.offered(order(number)));
            }
        }
        match self.machine.step() {
            Step::Save => with("save", &|world| {
                world.record = Some(world.machine.record().clone());
                world.machine.saved();
            }),
            Step::Ask => with("accept", &|world| {
                let _ = world.machine.accept();
            }),
            Step::Secure(slot) => {
                with("secure", &|world| {
                    (world.next, world.on_trial) = (slot, false);
                    world.machine.secured();
                });
                with("secure fails", &|world| world.machine.failed(Cause::Store));
            }
            Step::Fetch(slot) => {
                let place = usize::from(slot);
                with("a part comes", &|world| {
                    world.slots[place] = Content::Partial;
                    world.is_dirty = true;
                });
                if self.is_dirty {
                    with("a part is synced", &|world| {
                        world.machine.synced(1, true);
                        world.is_dirty = false;
                    });
                }
                let number = self.machine.record().order.md5[0];
                for works in [true, false] {
                    with("all is there, synced and verified", &|world| {
                        world.slots[place] = Content::Whole { order: number, works };
                        world.is_dirty = false;
                        world.machine.synced(2, false);
                        world.machine.verified();
                    });
                }
                with("all is there and is refused", &|world| {
                    world.slots[place] = Content::Partial;
                    world.machine.failed(Cause::Refused(Refusal::WrongImage));
                });
                with("the download fails", &|world| world.machine.failed_by(Cause::NoSuchFile, "404"));
            }
            Step::Install(slot) => {
                with("install", &|world| {
                    (world.next, world.on_trial) = (slot, true);
                    world.machine.installed();
                });
                // It may have been done, and the answer lost.
                with("install fails", &|world| world.machine.failed(Cause::Store));
                with("install is done and fails", &|world| {
                    (world.next, world.on_trial) = (slot, true);
                    world.machine.failed(Cause::Store);
                });
            }
            Step::Keep(slot) => {
                with("keep", &|world| {
                    (world.next, world.on_trial) = (slot, false);
                    world.machine.kept();
                });
                with("keep fails", &|world| world.machine.failed(Cause::Store));
            }
            Step::Return(slot) => with("return", &|world| {
                (world.next, world.on_trial) = (slot, false);
                world.machine.returned();
            }),
            Step::Tell => {
                // The cloud hears it, and the device may not hear that it has.
                with("the cloud is told", &World::tell);
                with("the cloud is told and says so", &|world| {
                    world.tell();
                    world.machine.told();
                });
            }
            Step::Wait | Step::Restart | Step::Confirm => {}
        }
        worlds
    }

    /// The order that the cloud still wants to hear of.
    fn open_order(&self) -> Option<u8> {
        let last = usize::from(self.order.checked_sub(1)?);
        self.told[last].is_none().then_some(self.order)
    }

    fn tell(&mut self) {
        let record = self.machine.record();
        let place = usize::from(record.order.md5[0]) - 1;
        let result = (record.cause, record.failure().to_owned());
        let told = &mut self.told[place];
        assert!(told.as_ref().is_none_or(|before| *before == result), "two results: {told:?} and {result:?}");
        *told = Some(result);
        let runs = self.slots[usize::from(self.machine.running())];
        let is_new = matches!(runs, Content::Whole { order, works: true } if order == record.order.md5[0]);
        assert_eq!(record.cause == Cause::None, is_new, "the report is not true");
    }

    /// What must hold whenever the power may go.
    fn check(&self) {
        let [runs, next, spare] = [self.running(), self.next, self.next ^ 1].map(|slot| self.slots[usize::from(slot)]);
        assert!(next != Content::Partial, "a slot that was not verified is the next");
        assert!(runs != Content::Partial, "the slot that runs was written over");
        let is_bad = |content| matches!(content, Content::Partial | Content::Whole { works: false, .. });
        assert!(!is_bad(next) || !is_bad(spare), "two bad slots");
        // A slot that does not work is next only as long as somebody is going to take it back.
        let phase = self.record.as_ref().map_or(Phase::Idle, |record| record.phase);
        if is_bad(next) {
            assert!(
                matches!(phase, Phase::Installing | Phase::Installed | Phase::Trial | Phase::Returning),
                "nobody takes {next:?} back in {phase:?}"
            );
        }
    }

    /// Nothing is left to do, and every order that still counts has its result.
    fn is_settled(&self) -> bool {
        self.order == ORDERS
            && self.open_order().is_none()
            && self.machine.step() == Step::Wait
            && self.record_is_idle()
    }

    fn record_is_idle(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.phase == Phase::Idle)
    }
}

#[test]
fn no_order_of_events_ends_badly() {
    // Somebody may have chosen the other slot by hand, or the record was lost: the machine knows nothing of it.
    let by_hand = World { slots: [Content::Factory; 2], next: 1, ..World::new() };
    let mut worlds = vec![World::new(), by_hand];
    let mut known: HashMap<World, usize> = worlds.iter().cloned().zip(0..).collect();
    let mut came_from: Vec<Vec<usize>> = vec![vec![]; worlds.len()];
    let mut queue = VecDeque::from([0, 1]);
    let mut events = 0_usize;
    while let Some(index) = queue.pop_front() {
        for (_, world) in worlds[index].clone().next_worlds() {
            events += 1;
            let place = *known.entry(world.clone()).or_insert_with(|| {
                world.check();
                worlds.push(world);
                came_from.push(vec![]);
                queue.push_back(worlds.len() - 1);
                worlds.len() - 1
            });
            came_from[place].push(index);
        }
    }
    // Whatever has happened, it can still end with a result for each order and nothing left to do.
    let mut ends_well = vec![false; worlds.len()];
    let mut queue: Vec<usize> = (0..worlds.len()).filter(|index| worlds[*index].is_settled()).collect();
    let settled = queue.len();
    while let Some(index) = queue.pop() {
        if !std::mem::replace(&mut ends_well[index], true) {
            queue.extend(&came_from[index]);
        }
    }
    if let Some(stuck) = ends_well.iter().position(|well| !well) {
        panic!("no way out of {:#?}", worlds[stuck]);
    }
    let results: std::collections::HashSet<Told> = worlds.iter().flat_map(|world| world.told.clone()).collect();
    println!("{} states, {events} events, {settled} of them settled, {} results", worlds.len(), results.len());
    // Fewer would mean that the walk no longer comes to what it is there for.
    assert!(worlds.len() > 5_000, "{} states", worlds.len());
    for cause in [Cause::None, Cause::Cancelled, Cause::NotStarted, Cause::NotConfirmed, Cause::FellBack, Cause::Store]
    {
        assert!(results.contains(&Some((cause, cause.text().to_owned()))), "{cause:?} was never told");
    }
    assert!(results.contains(&Some((Cause::NoSuchFile, "404".to_owned()))), "no failed download was told");
}
