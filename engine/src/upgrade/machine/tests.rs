use super::super::signed::Refusal;
use super::*;

fn order(version: &str) -> Order {
    Order { version: version.to_owned(), md5: [1; 16], size: 8 }
}

/// Does what the machine asks for until it wants one of `ends`; returns the steps.
fn run_to(machine: &mut Machine, end: Step) -> Vec<Step> {
    let mut steps = Vec::new();
    while machine.step() != end {
        steps.push(machine.step());
        match machine.step() {
            Step::Save => machine.saved(),
            Step::Secure(_) => machine.secured(),
            Step::Fetch(_) => machine.verified(),
            Step::Install(_) => machine.installed(),
            Step::Keep(_) => machine.kept(),
            Step::Return(_) => machine.returned(),
            Step::Tell => machine.told(),
            Step::Wait | Step::Ask | Step::Restart | Step::Confirm => panic!("waits in {steps:?}"),
        }
    }
    steps
}

/// The device is started again.
fn restart(machine: &Machine, running: Slot) -> Machine {
    assert_ne!(machine.step(), Step::Save);
    Machine::at_start(Some(machine.record().clone()), running, 1)
}

fn installed() -> Machine {
    let mut machine = Machine::at_start(None, 0, 1);
    machine.offered(order("2"));
    assert_eq!((machine.step(), machine.offer()), (Step::Ask, Some(&order("2"))));
    machine.accept().unwrap();
    let steps = run_to(&mut machine, Step::Restart);
    assert_eq!(
        steps,
        [Step::Save, Step::Secure(0), Step::Fetch(1), Step::Save, Step::Install(1), Step::Save],
        "what is written is never what starts next"
    );
    machine
}

fn told(mut machine: Machine, cause: Cause) {
    run_to(&mut machine, Step::Tell);
    assert_eq!((machine.record().cause, machine.record().order.clone()), (cause, order("2")));
    assert_eq!(run_to(&mut machine, Step::Wait), [Step::Tell, Step::Save]);
    assert_eq!(machine.record(), &Record::default());
}

#[test]
fn an_upgrade_that_is_confirmed_stays() {
    let mut machine = restart(&installed(), 1);
    assert_eq!(run_to(&mut machine, Step::Confirm), [Step::Save]);
    assert_eq!(machine.cancel(), Err(NotNow));
    machine.confirm().unwrap();
    machine.trial_over();
    assert_eq!(run_to(&mut machine, Step::Tell), [Step::Keep(1), Step::Save]);
    told(restart(&machine, 1), Cause::None);
}

#[test]
fn one_that_is_not_confirmed_goes_back() {
    // At the next start.
    let mut machine = restart(&installed(), 1);
    run_to(&mut machine, Step::Confirm);
    let mut machine = restart(&machine, 1);
    assert_eq!(run_to(&mut machine, Step::Restart), [Step::Save, Step::Return(0), Step::Save][..2]);
    told(restart(&machine, 0), Cause::NotConfirmed);
    // When its time is over.
    let mut machine = restart(&installed(), 1);
    run_to(&mut machine, Step::Confirm);
    machine.trial_over();
    assert_eq!(machine.confirm(), Err(NotNow));
    run_to(&mut machine, Step::Restart);
    told(restart(&machine, 0), Cause::NotConfirmed);
    // By its boot loader.
    let mut machine = restart(&installed(), 1);
    run_to(&mut machine, Step::Confirm);
    told(restart(&machine, 0), Cause::FellBack);
}

#[test]
fn a_slot_that_never_starts_is_given_up() {
    let mut machine = installed();
    for _ in 0..STARTS_BEFORE_TARGET {
        machine = restart(&machine, 0);
        assert_eq!(run_to(&mut machine, Step::Restart), [Step::Save]);
    }
    told(restart(&machine, 0), Cause::NotStarted);
}

#[test]
fn what_is_cancelled_is_told_as_that() {
    let mut machine = Machine::at_start(None, 0, 1);
    assert_eq!((machine.cancel(), machine.accept(), machine.confirm()), (Err(NotNow), Err(NotNow), Err(NotNow)));
    machine.offered(order("2"));
    machine.cancel().unwrap();
    told(machine, Cause::Cancelled);
    let mut machine = installed();
    machine.cancel().unwrap();
    assert_eq!(run_to(&mut machine, Step::Tell), [Step::Save, Step::Return(0), Step::Save]);
    told(machine, Cause::Cancelled);
}

#[test]
fn a_download_goes_on_only_for_the_same_order() {
    let mut machine = Machine::at_start(None, 0, 1);
    machine.offered(order("2"));
    machine.accept().unwrap();
    run_to(&mut machine, Step::Fetch(1));
    machine.opened(Some(Box::new([5; 256])));
    machine.synced(4, true);
    run_to(&mut machine, Step::Fetch(1));

    let mut again = restart(&machine, 0);
    assert_eq!(again.step(), Step::Wait);
    again.offered(order("2"));
    assert_eq!(run_to(&mut again, Step::Fetch(1)), [Step::Secure(0)]);
    assert_eq!((again.record().synced, again.record().header.is_some()), (4, true));
    again.forget_stored();
    assert_eq!((again.record().synced, again.record().header.is_some(), again.step()), (0, false, Step::Save));

    let mut another = restart(&machine, 0);
    another.offered(order("3"));
    assert_eq!(run_to(&mut another, Step::Ask), [Step::Save]);
    assert_eq!(another.record(), &Record::default());
    another.accept().unwrap();
    assert_eq!(another.record().order, order("3"));

    // Somebody has started the slot by hand: it is not written over.
    let mut by_hand = restart(&machine, 1);
    by_hand.offered(order("2"));
    assert_eq!(run_to(&mut by_hand, Step::Fetch(0)), [Step::Save, Step::Secure(1)]);
    assert_eq!(by_hand.record().synced, 0);
}

#[test]
fn what_can_not_be_done_ends_the_upgrade() {
    let mut machine = Machine::at_start(None, 0, 1);
    machine.offered(order("2"));
    machine.accept().unwrap();
    run_to(&mut machine, Step::Fetch(1));
    machine.failed(Cause::Refused(Refusal::BadSignature));
    assert_eq!(machine.step(), Step::Save);
    told(machine, Cause::Refused(Refusal::BadSignature));
}
