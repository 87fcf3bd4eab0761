//! When the stages of an order begin, when it stops, and how many devices may be told.

use crate::model::{Hours, RollOut, RollOutPlan};

/// Fewer devices that are done or have failed stop no order in the middle of a stage: one bad device of three says little.
pub const TELLING: u64 = 10;
/// Stages of an order at most.
const MAX_STAGES: usize = 20;
/// Devices a minute at most.
const MAX_PER_MINUTE: u32 = 100_000;
/// Turns that nobody took are still there for so long, in microseconds: longer than from one sweep to the next.
const KEPT: u64 = 2_000_000;
const MINUTE: u64 = 60_000_000;

/// Whether a plan makes sense; else what is wrong with it.
pub fn check(plan: &RollOutPlan) -> Result<(), String> {
    let rise = plan.stages.windows(2).all(|pair| pair.first() < pair.last());
    let begin = plan.stages.first().is_some_and(|first| *first > 0);
    if !rise || !begin || plan.stages.last() != Some(&100) || plan.stages.len() > MAX_STAGES {
        return Err(format!("`stages` must be rising percentages, the last one 100, at most {MAX_STAGES}."));
    }
    for (name, percent) in [("advance_at", Some(plan.advance_at)), ("stop_at_failures", plan.stop_at_failures)] {
        if percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
            return Err(format!("`{name}` must be a percentage from 1 to 100."));
        }
    }
    if plan.per_minute.is_some_and(|devices| !(1..=MAX_PER_MINUTE).contains(&devices)) {
        return Err(format!("`per_minute` must be from 1 to {MAX_PER_MINUTE}."));
    }
    if plan.hours.is_some_and(|hours| hours.from == hours.to) {
        return Err(
            "`hours` must end at another time than they begin; without them devices are told all day.".to_owned()
        );
    }
    Ok(())
}

/// How far an order is, in jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of the stages that have begun, but for those called off.
    pub begun: u64,
    /// Of these, those done or failed.
    pub begun_ended: u64,
    /// Unfinished, of whatever stage.
    pub open: u64,
    /// Done or failed, of whatever stage, since it was resumed.
    pub ended: u64,
    /// Of these, those that have failed.
    pub failed: u64,
}

/// What is to be done with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Stay,
    /// The next stage begins.
    Begin,
    /// It stops.
    Stop,
    /// Its hours are over: whoever was told and has said nothing is not told again before the next ones.
    Close,
    /// Its hours have begun.
    Open,
    /// Nothing will ever be to be done.
    Over,
}

/// Whether devices may be told at this time of the day.
fn is_open(hours: Option<&Hours>, now: u64) -> bool {
    let Some(Hours { from, to }) = hours else {
        return true;
    };
    let (from, to, minute) = (u64::from(from.minute()), u64::from(to.minute()), now / 60_000 % (24 * 60));
    if from < to {
        (from..to).contains(&minute)
    } else {
        minute >= from || minute < to
    }
}

/// What is to be done for the hours of an order that is `closed`, or not; nothing comes before it.
pub fn at_hours(roll_out: &RollOut, closed: bool, now: u64) -> Option<Step> {
    match (is_open(roll_out.plan.hours.as_ref(), now), closed) {
        _ if roll_out.stopped.is_some() => None,
        (true, true) => Some(Step::Open),
        (false, false) => Some(Step::Close),
        _ => None,
    }
}

/// What is to be done with an order at `now`. One that `stands` takes devices that come later.
pub fn step(roll_out: &RollOut, tally: &Tally, stands: bool, now: u64) -> Step {
    let RollOut { plan, stage, stopped, .. } = roll_out;
    if stopped.is_some() {
        return Step::Stay;
    }
    if *stage == 0 {
        return if plan.not_before.is_none_or(|begin| begin <= now) { Step::Begin } else { Step::Stay };
    }
    let last = is_last(roll_out);
    if last && !stands && tally.open == 0 {
        return Step::Over;
    }
    // Nobody is in the first stage of an order that waits for devices: that says nothing.
    let stage_ended = match tally.begun {
        0 => !stands,
        begun => percent_of(tally.begun_ended, begun, plan.advance_at),
    };
    if plan.stop_at_failures.is_some_and(|rate| fails(tally, rate, stage_ended)) {
        return Step::Stop;
    }
    if stage_ended && !last && !plan.by_hand {
        return Step::Begin;
    }
    Step::Stay
}

/// Whether no further stage follows.
pub fn is_last(roll_out: &RollOut) -> bool {
    usize::try_from(roll_out.stage).is_ok_and(|stage| stage >= roll_out.plan.stages.len())
}

fn fails(tally: &Tally, rate: u8, stage_ended: bool) -> bool {
    let telling = tally.ended >= TELLING || stage_ended;
    telling && tally.failed > 0 && percent_of(tally.failed, tally.ended, rate)
}

/// Whether `part` is `percent` of `whole` at least.
fn percent_of(part: u64, whole: u64, percent: u8) -> bool {
    part.saturating_mul(100) >= whole.saturating_mul(percent.into())
}

/// Whether the devices of a stage, from 0, may be told now.
pub fn is_due(roll_out: &RollOut, stage: u32, now: u64) -> bool {
    stage < roll_out.stage && roll_out.stopped.is_none() && is_open(roll_out.plan.hours.as_ref(), now)
}

/// The stage, from 0, of a device that comes when the devices that were there have been drawn already. Its lot is another one in
/// each order, and the same in every hub.
pub fn late_stage(plan: &RollOutPlan, upgrade_id: i64, client_id: &str) -> u32 {
    // FNV-1a, and a step more: of its last bits alone little can be seen of the first characters.
    let bytes = upgrade_id.to_be_bytes().into_iter().chain(client_id.bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let lot = (hash ^ (hash >> 16)).wrapping_mul(0x7feb_352d) >> 8;
    let passed = plan.stages.iter().filter(|percent| lot % 100 >= u32::from(**percent)).count();
    u32::try_from(passed).unwrap_or(u32::MAX)
}

/// The turns to tell a device that an order gives out, so many in any minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// The time of the next turn, UTC in microseconds.
    next: u64,
    interval: u64,
    now: u64,
}

impl Turns {
    /// The turns at `now`, in milliseconds. `next` is what [`Turns::taken`] was when some were taken last; 0: none were.
    pub fn at(per_minute: u32, next: u64, now: u64) -> Self {
        let now = now.saturating_mul(1000);
        // Those that are kept from before a minute belong to it.
        let interval = (MINUTE + KEPT).div_ceil(u64::from(per_minute.max(1)));
        Turns { next: next.max(now.saturating_sub(KEPT)), interval, now }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.now.checked_sub(self.next).map_or(0, |since| since / self.interval + 1)
    }

    /// To be kept after so many were taken.
    pub fn taken(&self, count: u64) -> u64 {
        self.next.saturating_add(self.interval.saturating_mul(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stopped;

    fn plan(stages: &[u8]) -> RollOutPlan {
        RollOutPlan { stages: stages.to_vec(), stop_at_failures: Some(5), ..RollOutPlan::default() }
    }

    fn at(stage: u32) -> RollOut {
        RollOut { plan: plan(&[1, 10, 100]), stage, stage_at: Some(1), stopped: None }
    }

    fn stopped() -> Option<Stopped> {
        Some(Stopped { at: 1, by: None, failed: 1, ended: 1 })
    }

    fn hours(from: &str, to: &str) -> Option<Hours> {
        Some(Hours { from: from.parse().expect("a time"), to: to.parse().expect("a time") })
    }

    fn tally(begun: u64, done: u64, failed: u64) -> Tally {
        Tally { begun, begun_ended: done + failed, open: 1000 - done - failed, ended: done + failed, failed }
    }

    #[test]
    fn plans_that_make_sense() {
        assert_eq!(check(&RollOutPlan::default()), Ok(()));
        for good in [&[100][..], &[1, 10, 100], &[99, 100]] {
            assert_eq!(check(&plan(good)), Ok(()), "{good:?}");
        }
        let long: Vec<u8> = (80..=100).collect();
        for bad in [&[][..], &[0, 100], &[1, 10], &[10, 10, 100], &[10, 1, 100], &[1, 100, 101], &[200], &long] {
            assert!(check(&plan(bad)).is_err_and(|text| text.contains("`stages`")), "{bad:?}");
        }
        let wrong = |plan: RollOutPlan, name: &str| assert!(check(&plan).is_err_and(|text| text.contains(name)));
        for percent in [0, 101] {
            wrong(RollOutPlan { advance_at: percent, ..RollOutPlan::default() }, "`advance_at`");
            wrong(RollOutPlan { stop_at_failures: Some(percent), ..RollOutPlan::default() }, "`stop_at_failures`");
        }
        let never = hours("02:00", "02:00");
        wrong(RollOutPlan { hours: never, ..RollOutPlan::default() }, "`hours`");
        for per_minute in [Some(0), Some(MAX_PER_MINUTE + 1)] {
            wrong(RollOutPlan { per_minute, ..RollOutPlan::default() }, "`per_minute`");
        }
    }

    #[test]
    fn the_first_stage_begins_at_its_time() {
        let mut order = at(0);
        assert_eq!(step(&order, &Tally::default(), false, 5), Step::Begin);
        order.plan.not_before = Some(5);
        order.plan.by_hand = true;
        let steps = [4, 5, 6].map(|now| step(&order, &Tally::default(), false, now));
        assert_eq!(steps, [Step::Stay, Step::Begin, Step::Begin]);
    }

    #[test]
    fn the_next_stage_begins_when_most_of_one_have_ended() {
        for (begun, done, failed, wanted) in [
            (100, 0, 0, Step::Stay),
            (100, 89, 0, Step::Stay),
            (100, 90, 0, Step::Begin),
            (100, 86, 4, Step::Begin),
            (100, 85, 5, Step::Stop),
            (1, 1, 0, Step::Begin),
            (0, 0, 0, Step::Begin),
        ] {
            assert_eq!(step(&at(1), &tally(begun, done, failed), false, 9), wanted, "{begun} {done} {failed}");
            let by_hand = RollOut { plan: RollOutPlan { by_hand: true, ..at(1).plan }, ..at(1) };
            let stays = if wanted == Step::Begin { Step::Stay } else { wanted };
            assert_eq!(step(&by_hand, &tally(begun, done, failed), false, 9), stays, "{begun} {done} {failed}");
            let last = step(&at(3), &tally(begun, done, failed), false, 9);
            assert_eq!(last, stays, "{begun} {done} {failed}");
        }
        // Devices may still come: nobody there is no stage that has ended.
        assert_eq!(step(&at(1), &Tally::default(), true, 9), Step::Stay);
        assert_eq!(step(&at(1), &tally(1, 1, 0), true, 9), Step::Begin);
    }

    #[test]
    fn an_order_stops_where_too_many_fail() {
        for (begun, done, failed, wanted) in [
            // Too few to say anything, unless that is all.
            (100, 0, 9, Step::Stay),
            (100, 0, 10, Step::Stop),
            (100, 9, 1, Step::Stop),
            (100, 19, 1, Step::Stop),
            (100, 20, 1, Step::Stay),
            (1, 0, 1, Step::Stop),
            (100, 50, 0, Step::Stay),
        ] {
            assert_eq!(step(&at(1), &tally(begun, done, failed), false, 9), wanted, "{begun} {done} {failed}");
            assert_eq!(step(&at(3), &tally(begun, done, failed), true, 9), wanted, "{begun} {done} {failed}");
            let mut careless = at(3);
            careless.plan.stop_at_failures = None;
            assert_eq!(step(&careless, &tally(begun, done, failed), false, 9), Step::Stay);
        }
        let stopped = RollOut { stopped: stopped(), ..at(1) };
        assert_eq!(step(&stopped, &tally(100, 0, 100), false, 9), Step::Stay);
        // Failures from before it was resumed do not count, and it goes on.
        let resumed = Tally { ended: 0, failed: 0, ..tally(1, 0, 1) };
        assert_eq!(step(&at(1), &resumed, false, 9), Step::Begin);
    }

    #[test]
    fn an_order_is_over_when_nothing_is_left_of_its_last_stage() {
        let all = Tally { open: 0, ..tally(100, 0, 100) };
        assert_eq!(step(&at(3), &all, false, 9), Step::Over);
        assert_eq!(step(&at(3), &all, true, 9), Step::Stop);
        assert_eq!(step(&at(2), &Tally { failed: 0, ..all }, false, 9), Step::Begin);
        assert_eq!(step(&at(3), &Tally { open: 1, failed: 0, ..all }, false, 9), Step::Stay);
    }

    #[test]
    fn who_is_due() {
        assert_eq!([0, 1, 2].map(|stage| is_due(&at(2), stage, 9)), [true, true, false]);
        assert!(!is_due(&at(0), 0, 9));
        let stopped = RollOut { stopped: stopped(), ..at(2) };
        assert!(!is_due(&stopped, 0, 9));
    }

    #[test]
    fn devices_are_told_at_the_hours_of_a_day() {
        // 2026-12-01, a minute of it.
        let at_minute = |minute: u64| (1_796_083_200 + minute * 60) * 1000;
        let mut order = at(2);
        let mut told = |hours, minutes: [u64; 6]| {
            order.plan.hours = hours;
            minutes.map(|minute| is_due(&order, 0, at_minute(minute)))
        };
        let night = hours("02:00", "05:00");
        assert_eq!(told(night, [0, 119, 120, 299, 300, 1439]), [false, false, true, true, false, false]);
        let past_midnight = hours("23:00", "01:00");
        assert_eq!(told(past_midnight, [0, 59, 60, 1379, 1380, 1439]), [true, true, false, false, true, true]);
        let till_midnight = hours("23:00", "00:00");
        assert_eq!(told(till_midnight, [0, 60, 720, 1379, 1380, 1439]), [false, false, false, false, true, true]);
        assert_eq!(told(None, [0, 60, 720, 1379, 1380, 1439]), [true; 6]);
        order.plan.hours = night;
        // The last millisecond before.
        assert!(!is_due(&order, 0, at_minute(120) - 1) && is_due(&order, 0, at_minute(300) - 1));

        let steps = |order: &RollOut, minute| [false, true].map(|closed| at_hours(order, closed, at_minute(minute)));
        assert_eq!(steps(&order, 119), [Some(Step::Close), None]);
        assert_eq!(steps(&order, 120), [None, Some(Step::Open)]);
        assert_eq!(steps(&RollOut { stopped: stopped(), ..order }, 119), [None, None]);
        assert_eq!(at_hours(&at(1), false, at_minute(0)), None);
    }

    #[test]
    fn who_comes_late_is_in_a_stage_by_lot() {
        let mut counts = [0; 3];
        let mut moved = 0;
        for n in 0..10_000 {
            let id = format!("PRODUCTdevice{n}");
            let stage = late_stage(&plan(&[1, 10, 100]), 7, &id);
            counts[stage as usize] += 1;
            moved += u32::from(stage != late_stage(&plan(&[1, 10, 100]), 8, &id));
            assert_eq!(late_stage(&plan(&[100]), 7, &id), 0);
        }
        assert!((60..140).contains(&counts[0]) && (800..1000).contains(&counts[1]), "{counts:?}");
        // Not the same ones in each order.
        assert!(moved > 1000, "{moved}");
    }

    #[test]
    fn no_minute_has_more_turns_than_it_may() {
        for per_minute in [1, 2, 59, 60, 600, 6000, MAX_PER_MINUTE] {
            let (mut next, mut given) = (0, Vec::new());
            // Sweeps come when they come, and now and then nobody takes a turn for a while.
            let mut now = 1_000_000;
            for sweep in 0..400_u64 {
                now += [250, 1000, 1000, 3700][usize::try_from(sweep % 4).expect("small")];
                now += if sweep == 150 { 300_000 } else { 0 };
                let turns = Turns::at(per_minute, next, now);
                next = turns.taken(turns.count());
                given.push((now, turns.count()));
            }
            for (begin, _) in &given {
                let in_minute = |at: u64| (*begin..begin + 60_000).contains(&at);
                let sum: u64 = given.iter().filter(|(at, _)| in_minute(*at)).map(|(_, count)| count).sum();
                assert!(sum <= u64::from(per_minute), "{sum} of {per_minute}");
            }
            let all: u64 = given.iter().map(|(_, count)| count).sum();
            assert!(all > u64::from(per_minute) * 6, "{all} at {per_minute} a minute");
        }
        assert_eq!(Turns::at(60, u64::MAX, 5).count(), 0);
    }
}
