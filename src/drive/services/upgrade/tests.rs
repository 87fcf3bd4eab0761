use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Mutex as StdMutex;

use ed25519_compact::{sha512, KeyPair, Seed};
use iot_engine::services::ota::Checksum;

use super::store::StoreError;
use super::*;
use crate::drive::testing::web_server::{range_begin, Answer};
use crate::drive::testing::Machine as Testbed;

mod flash;
mod trust;

const UPDATE_TOPIC: &str = "$ota/update/PRODUCTIDX/device";
const REPORT_TOPIC: &str = "$ota/report/PRODUCTIDX/device";
const BLOCK: u32 = 4096;
const EVERY: u32 = 2 * BLOCK;

fn keys(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

fn image() -> Vec<u8> {
    (0..20_000_u32).map(|i| (i * i / 7) as u8).collect()
}

fn factory() -> Vec<u8> {
    b"what the device came with".to_vec()
}

/// An image and its header, as docs/upgrade.md has it.
fn signed(image: &[u8], product_id: &str, version: &str, pair: &KeyPair) -> Vec<u8> {
    let field = |text: &str| {
        let mut field = text.as_bytes().to_vec();
        field.resize(32, 0);
        field
    };
    let mut file = b"IOTF\x01\x01\x01\x00".to_vec();
    file.extend((image.len() as u64).to_be_bytes());
    file.extend([0; 8]);
    file.extend(&sha512::Hash::hash(*pair.pk)[..8]);
    file.extend(field(product_id));
    file.extend(field(version));
    file.extend(sha512::Hash::hash(image));
    file.extend([0; 32]);
    file.extend(*pair.sk.sign(&file, None));
    file.extend(image);
    file
}

/// What becomes of bytes for which nobody has waited when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsynced {
    Lost,
    Kept,
    Torn,
}

/// The power went.
struct Cut;

/// Flash: two slots, two places of a record, and what the boot loader starts next.
struct Flash {
    /// As the device reads it.
    seen: [Vec<u8>; 4],
    /// As it is when the power goes.
    safe: [Vec<u8>; 4],
    next: u8,
    running: u8,
    calls: u32,
    /// The power goes before this call.
    cut_before: Option<u32>,
    /// From this call on all fail.
    broken_from: Option<u32>,
    /// Bytes that are erased at once.
    block: u32,
    /// Erasing does nothing.
    is_stuck: bool,
    /// What was done to the slots, and to the record.
    touched: [Touched; 2],
}

/// How often flash was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Touched {
    bytes: usize,
    erases: u32,
    syncs: u32,
}

impl Flash {
    fn touched(&mut self, area: u8) -> &mut Touched {
        &mut self.touched[usize::from(area >= RECORD_AREA)]
    }
}

#[derive(Clone)]
struct Device(Arc<StdMutex<Flash>>);

impl Device {
    fn new() -> Self {
        Self::with_block(BLOCK)
    }

    fn with_block(block: u32) -> Self {
        Self::with_size(block, 24 * 1024)
    }

    fn with_size(block: u32, size: usize) -> Self {
        let record = vec![0xFF; block.max(BLOCK) as usize];
        let areas = [factory(), vec![0xEE; size], record.clone(), record];
        let (seen, safe) = (areas.clone(), areas);
        let flash = Flash {
            seen,
            safe,
            next: 0,
            running: 0,
            calls: 0,
            cut_before: None,
            broken_from: None,
            block,
            is_stuck: false,
            touched: [Touched::default(); 2],
        };
        Device(Arc::new(StdMutex::new(flash)))
    }

    fn call<T>(&self, body: impl FnOnce(&mut Flash) -> T) -> Result<T, StoreError> {
        let mut flash = self.0.lock().unwrap();
        flash.calls += 1;
        if flash.cut_before == Some(flash.calls) {
            drop(flash);
            resume_unwind(Box::new(Cut));
        }
        if flash.broken_from.is_some_and(|from| flash.calls >= from) {
            return Err(StoreError(-5));
        }
        Ok(body(&mut flash))
    }

    /// The power goes, and comes back.
    fn power_cycle(&self, unsynced: Unsynced) {
        let mut flash = self.0.lock().unwrap();
        let Flash { seen, safe, .. } = &mut *flash;
        for (seen, safe) in seen.iter_mut().zip(safe) {
            match unsynced {
                Unsynced::Lost => seen.clone_from(safe),
                Unsynced::Kept => safe.clone_from(seen),
                Unsynced::Torn => {
                    let changed: Vec<usize> = (0..seen.len()).filter(|at| seen[*at] != safe[*at]).collect();
                    for at in &changed[changed.len() / 2..] {
                        seen[*at] = safe[*at];
                    }
                    safe.clone_from(seen);
                }
            }
        }
        flash.running = flash.next;
        flash.cut_before = None;
    }

    /// What starts next must be whole, whatever else there is.
    fn check(&self) {
        let flash = self.0.lock().unwrap();
        let next = &flash.safe[usize::from(flash.next)];
        assert!(
            next[..factory().len()] == *factory() || next[..image().len()] == *image(),
            "slot {} would start and is not whole",
            flash.next
        );
    }
}

impl Store for Device {
    fn running(&self) -> Result<u8, StoreError> {
        self.call(|flash| flash.running)
    }

    fn open(&self, slot: u8, size: u32) -> Result<(), StoreError> {
        let fits = self.call(|flash| flash.seen[usize::from(slot)].len() >= size as usize)?;
        fits.then_some(()).ok_or(StoreError(-1))
    }

    fn read(&self, area: u8, offset: u32, data: &mut [u8]) -> Result<(), StoreError> {
        self.call(|flash| data.copy_from_slice(&flash.seen[usize::from(area)][offset as usize..][..data.len()]))
    }

    fn write(&self, area: u8, offset: u32, data: &[u8]) -> Result<(), StoreError> {
        self.call(|flash| {
            let there = &mut flash.seen[usize::from(area)][offset as usize..][..data.len()];
            if flash.block == 0 {
                there.fill(0xFF);
            }
            let is_erased = there.iter().all(|byte| *byte == 0xFF);
            assert!(is_erased || flash.is_stuck, "written twice without erasing, area {area} at {offset}");
            // As flash does: bits only ever become 0.
            there.iter_mut().zip(data).for_each(|(there, byte)| *there &= byte);
            flash.touched(area).bytes += data.len();
        })
    }

    fn sync(&self, area: u8) -> Result<(), StoreError> {
        self.call(|flash| {
            flash.safe[usize::from(area)] = flash.seen[usize::from(area)].clone();
            flash.touched(area).syncs += 1;
        })
    }

    fn erase(&self, area: u8, offset: u32) -> Result<(), StoreError> {
        self.call(|flash| {
            assert!(offset % flash.block == 0 && area != flash.running, "area {area} at {offset} is not to be erased");
            if area >= RECORD_AREA || !flash.is_stuck {
                flash.seen[usize::from(area)][offset as usize..][..flash.block as usize].fill(0xFF);
            }
            flash.touched(area).erases += 1;
        })
    }

    fn commit(&self, slot: u8, _is_trial: bool) -> Result<(), StoreError> {
        self.call(|flash| flash.next = slot)
    }

    fn erase_size(&self) -> u32 {
        self.0.lock().unwrap().block
    }
}

/// The cloud's side: one order, and what was reported of it.
#[derive(Default)]
struct Orders {
    results: Vec<String>,
    requests: Vec<usize>,
}

struct Scene {
    device: Device,
    file: Vec<u8>,
    /// What the web server makes of a request for it.
    serve: fn(&[u8], &str) -> Answer,
    orders: Arc<StdMutex<Orders>>,
    works: bool,
    events: Arc<StdMutex<Vec<Event>>>,
    judge: Judge,
    keys: Vec<PublicKey>,
    every: u32,
    may_downgrade: bool,
}

/// How the device's run has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Cut,
    Restart,
    Settled,
}

impl Scene {
    fn new(file: Vec<u8>, works: bool) -> Self {
        Scene {
            device: Device::new(),
            file,
            serve: Answer::range,
            orders: Arc::default(),
            works,
            events: Arc::default(),
            judge: iot_engine::upgrade::judge,
            keys: vec![PublicKey::new(*keys(1).pk)],
            every: EVERY,
            may_downgrade: false,
        }
    }

    /// A good firmware in the file, as its owner has signed it.
    fn usual(works: bool) -> Self {
        Self::new(signed(&image(), "PRODUCTIDX", "2.0.0", &keys(1)), works)
    }

    fn settings(&self) -> Settings {
        let is_new = self.device.0.lock().unwrap().running == 1;
        Settings {
            version: if is_new { "2.0.0" } else { "1.0.0" }.to_owned(),
            judge: self.judge,
            keys: self.keys.clone(),
            minimum: None,
            may_downgrade: self.may_downgrade,
            plan: Plan { is_automatic: true, record_every: self.every, confirm_ms: 1000, trial_starts: 1 },
        }
    }

    fn machine(&self) -> Arc<Testbed> {
        let (file, orders, serve) = (self.file.clone(), self.orders.clone(), self.serve);
        let machine = Testbed::new(move |_, request| {
            orders.lock().unwrap().requests.push(range_begin(request));
            serve(&file, request)
        });
        let mut checksum = Checksum::default();
        checksum.update(&self.file);
        let order = format!(
            r#"{{"type":"update_firmware","url":"http://h/f?s=1","version":"2.0.0","md5sum":"{}","file_size":{}}}"#,
            checksum.hex(),
            self.file.len()
        );
        let orders = self.orders.clone();
        let cloud = std::mem::take(&mut machine.mqtt.world().cloud);
        machine.mqtt.world().cloud = cloud.answer_with(move |topic, payload| {
            let text = String::from_utf8_lossy(payload);
            let mut orders = orders.lock().unwrap();
            if topic == REPORT_TOPIC && (text.contains(r#""done""#) || text.contains(r#""fail""#)) {
                orders.results.push(text.into_owned());
                return None;
            }
            let is_asked = topic == REPORT_TOPIC && text.contains("report_version") && orders.results.is_empty();
            is_asked.then(|| (UPDATE_TOPIC.to_owned(), order.clone().into_bytes()))
        });
        machine
    }

    fn upgrade(&self, client: Arc<Client>) -> Upgrade {
        let events = self.events.clone();
        let tell = Box::new(move |event: &Event| events.lock().unwrap().push(event.clone()));
        Upgrade::new(client, Box::new(self.device.clone()), self.settings(), tell).unwrap()
    }

    /// One run of the device's program.
    fn run(&self) -> End {
        let machine = self.machine();
        let client = machine.client();
        let run = || {
            let upgrade = self.upgrade(client.clone());
            for _ in 0..5_000 {
                assert!(upgrade.yield_for(20));
                let events = std::mem::take(&mut *self.events.lock().unwrap());
                if self.works && events.contains(&Event::Trial) {
                    upgrade.confirm().unwrap();
                }
                if events.iter().any(|event| matches!(event, Event::Restart(_))) {
                    return End::Restart;
                }
                let is_over = !self.orders.lock().unwrap().results.is_empty();
                let is_idle = upgrade.status().phase == Phase::Idle && upgrade.machine.lock().step() == Step::Wait;
                if is_over && is_idle {
                    return End::Settled;
                }
            }
            panic!("it comes to no end: {:?}", upgrade.status());
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(end) => end,
            Err(why) if why.is::<Cut>() => End::Cut,
            Err(why) => resume_unwind(why),
        }
    }

    /// Runs it until nothing is left to do, with the power gone before the call `cut_before`. Returns how often the power went.
    fn live(&self, cut_before: Option<u32>, unsynced: Unsynced) -> u32 {
        let mut cuts = 0;
        self.device.0.lock().unwrap().cut_before = cut_before;
        for _ in 0..10 {
            let end = self.run();
            self.device.check();
            match end {
                End::Settled => return cuts,
                // A program that restarts its device has synced nothing more than what it has synced.
                End::Restart => {
                    let cut_before = self.device.0.lock().unwrap().cut_before;
                    self.device.power_cycle(unsynced);
                    self.device.0.lock().unwrap().cut_before = cut_before;
                }
                End::Cut => {
                    cuts += 1;
                    self.device.power_cycle(unsynced);
                }
            }
        }
        panic!("it is started again and again");
    }

    /// The one result that the cloud was told, and the slot that runs.
    fn outcome(&self) -> (String, u8) {
        let mut results = self.orders.lock().unwrap().results.clone();
        results.dedup();
        assert_eq!(results.len(), 1, "{results:?}");
        (results.remove(0), self.device.0.lock().unwrap().running)
    }
}

#[test]
fn a_signed_upgrade_goes_into_the_other_slot_and_stays() {
    let scene = Scene::usual(true);
    assert_eq!(scene.live(None, Unsynced::Lost), 0);
    let (result, running) = scene.outcome();
    assert!(result.contains(r#""done""#) && result.contains("2.0.0"), "{result}");
    assert_eq!(running, 1);
    assert_eq!(scene.orders.lock().unwrap().requests, [0]);
}

#[test]
fn one_that_does_not_confirm_goes_back() {
    let scene = Scene::usual(false);
    scene.live(None, Unsynced::Lost);
    let (result, running) = scene.outcome();
    assert!(result.contains("did not confirm"), "{result}");
    assert_eq!(running, 0);
}

#[test]
fn the_power_may_go_before_any_call_of_the_store() {
    let mut figures = [0_u32; 3];
    for works in [true, false] {
        let scene = Scene::usual(works);
        scene.live(None, Unsynced::Lost);
        let calls = scene.device.0.lock().unwrap().calls;
        // Erased, written, synced, committed, read: fewer would mean that the test no longer cuts what it is there for.
        assert!(calls > 40, "{calls} calls");
        for cut_before in 1..=calls {
            for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn] {
                let scene = Scene::usual(works);
                figures[0] += scene.live(Some(cut_before), unsynced);
                let (result, running) = scene.outcome();
                let is_done = result.contains(r#""done""#);
                // A trial that the power ends counts as one that was not confirmed.
                assert_eq!(is_done, running == 1, "call {cut_before}, {unsynced:?}: {result}");
                assert!(works || !is_done);
                let resumed = scene.orders.lock().unwrap().requests.iter().any(|begin| *begin > 0);
                figures[1] += u32::from(resumed);
                figures[2] += u32::from(is_done);
            }
        }
    }
    let [cuts, resumed, done] = figures;
    println!("{cuts} power cuts: {resumed} downloads went on, {done} upgrades stayed, no slot was lost");
    assert!(cuts > 200 && resumed > 10 && resumed < cuts && done > 100, "{figures:?}");
}

#[test]
fn flash_is_erased_block_by_block_and_a_download_goes_on_at_a_block() {
    const LARGE: u32 = 2 * BLOCK;
    let scene = |cut_before| {
        let device = Device::with_block(LARGE);
        let scene = Scene { device, ..Scene::usual(true) };
        let cuts = scene.live(cut_before, Unsynced::Torn);
        (scene, cuts)
    };
    let (uncut, _) = scene(None);
    let (calls, erases) = {
        let flash = uncut.device.0.lock().unwrap();
        (flash.calls, flash.touched[0].erases)
    };
    // 20,000 bytes are 2.4 blocks.
    assert_eq!(erases, 3);
    let mut resumed = 0;
    for cut_before in 1..=calls {
        let (cut, cuts) = scene(Some(cut_before));
        cut.outcome();
        for begin in cut.orders.lock().unwrap().requests.iter().filter(|begin| **begin > 0) {
            assert_eq!((begin - 256) % LARGE as usize, 0, "call {cut_before}: from byte {begin}");
            resumed += 1;
        }
        // Those that were not synced are erased once more, no others.
        let erases = cut.device.0.lock().unwrap().touched[0].erases;
        assert!((3..=3 + 2 * cuts).contains(&erases) || cut.outcome().1 == 0, "call {cut_before}: {erases} erased");
    }
    assert!(resumed > 5, "{resumed}");
}

#[test]
fn flash_that_holds_something_else_is_never_the_next_to_start() {
    let scene = Scene::usual(true);
    scene.device.0.lock().unwrap().is_stuck = true;
    scene.live(None, Unsynced::Lost);
    let (result, running) = scene.outcome();
    assert!(result.contains("could not be stored"), "{result}");
    assert_eq!((running, scene.device.0.lock().unwrap().next), (0, 0));
}

#[test]
fn a_download_that_fails_is_told_once_and_as_what_it_was() {
    type Serve = fn(&[u8], &str) -> Answer;
    let cases: [(Serve, &str, &str); 4] = [
        (|_, _| Answer::new("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "-2", "404"),
        (|_, _| Answer::new("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "-3", "403"),
        (|_, _| Answer::new("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno!"), "-5", "3"),
        (|file, request| Answer::range(&[&file[..file.len() - 1], b"?"].concat(), request), "-4", "MD5"),
    ];
    for (serve, code, why) in cases {
        let scene = |cut_before| {
            let scene = Scene { serve, keys: vec![], ..Scene::new(image(), true) };
            let cuts = scene.live(cut_before, Unsynced::Lost);
            assert!(cut_before.is_some() || scene.orders.lock().unwrap().results.len() == 1, "told twice");
            (scene, cuts)
        };
        let (uncut, _) = scene(None);
        let (result, running) = uncut.outcome();
        assert!(result.contains(&format!(r#""result_code":"{code}""#)) && result.contains(why), "{result}");
        assert_eq!(running, 0);
        let calls = uncut.device.0.lock().unwrap().calls;
        for cut_before in 1..=calls {
            let (cut, cuts) = scene(Some(cut_before));
            assert_eq!((cut.outcome(), cuts), ((result.clone(), 0), 1), "call {cut_before}");
        }
    }
}

#[test]
fn a_store_that_breaks_ends_in_a_result_once_it_works_again() {
    for from in 4..40 {
        let scene = Scene::usual(true);
        scene.device.0.lock().unwrap().broken_from = Some(from);
        let machine = scene.machine();
        let client = machine.client();
        let upgrade = scene.upgrade(client);
        for _ in 0..20 {
            assert!(upgrade.yield_for(20));
        }
        scene.device.0.lock().unwrap().broken_from = None;
        drop(upgrade);
        scene.device.check();
        scene.live(None, Unsynced::Kept);
        let (result, running) = scene.outcome();
        assert_eq!(result.contains(r#""done""#), running == 1, "from call {from}: {result}");
    }
}

#[test]
fn the_program_decides() {
    let scene = Scene::usual(true);
    let machine = scene.machine();
    let client = machine.client();
    let asked = Arc::new(StdMutex::new(Vec::new()));
    let heard = asked.clone();
    let tell = Box::new(move |event: &Event| heard.lock().unwrap().push(event.clone()));
    let mut settings = scene.settings();
    settings.plan.is_automatic = false;
    let upgrade = Upgrade::new(client, Box::new(scene.device.clone()), settings, tell).unwrap();
    assert_eq!((upgrade.accept(), upgrade.defer(5), upgrade.cancel()), (Err(NotNow), Err(NotNow), Err(NotNow)));
    let found = Event::Found("2.0.0".to_owned(), 20_256);
    for _ in 0..3 {
        upgrade.yield_for(300);
    }
    assert_eq!(asked.lock().unwrap().as_slice(), std::slice::from_ref(&found));
    upgrade.defer(1000).unwrap();
    upgrade.yield_for(900);
    assert_eq!(asked.lock().unwrap().len(), 1);
    upgrade.yield_for(300);
    assert_eq!(*asked.lock().unwrap(), [found.clone(), found]);
    upgrade.cancel().unwrap();
    for _ in 0..5 {
        upgrade.yield_for(100);
    }
    assert!(scene.outcome().0.contains("the program has cancelled"), "{:?}", scene.outcome());
    assert_eq!(upgrade.status().phase, Phase::Idle);
    upgrade.destroy();
    assert!(!upgrade.yield_for(10));
}

#[test]
fn a_yield_inside_of_a_yield_is_refused() {
    let scene = Scene::usual(true);
    let machine = scene.machine();
    let client = machine.client();
    let inner: Arc<StdMutex<Option<std::sync::Weak<Upgrade>>>> = Arc::default();
    let refused = Arc::new(StdMutex::new(Vec::new()));
    let (again, seen) = (inner.clone(), refused.clone());
    let tell = Box::new(move |_: &Event| {
        let upgrade = again.lock().unwrap().as_ref().and_then(std::sync::Weak::upgrade);
        seen.lock().unwrap().push(upgrade.map(|upgrade| upgrade.yield_for(1)));
    });
    let upgrade = Arc::new(Upgrade::new(client, Box::new(scene.device.clone()), scene.settings(), tell).unwrap());
    *inner.lock().unwrap() = Some(Arc::downgrade(&upgrade));
    for _ in 0..40 {
        assert!(upgrade.yield_for(20));
    }
    let refused = refused.lock().unwrap();
    assert!(!refused.is_empty() && refused.iter().all(|each| *each == Some(false)), "{refused:?}");
}
