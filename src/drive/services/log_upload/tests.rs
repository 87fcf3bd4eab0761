mod clients;

use std::cell::RefCell;

use iot_engine::identity::Identity;
use iot_engine::services::log_upload::{Mode, Proof};

use super::*;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::Machine;

const LEVEL_UP: &str = "$log/operation/PRODUCTIDX/device";
const LEVEL_DOWN: &str = "$log/operation/result/PRODUCTIDX/device";
const TIME_UP: &str = "$sys/operation/PRODUCTIDX/device";
const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"Retcode\":0}";
const BAD: &str = "HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n";

thread_local! {
    static LEVEL: Cell<u32> = const { Cell::new(1) };
    static UP: RefCell<Option<Arc<Uploader>>> = const { RefCell::new(None) };
}

fn find() -> Option<Arc<Uploader>> {
    UP.with_borrow(Clone::clone)
}

/// What the program keeps, and what was done with it.
#[derive(Default, Clone)]
struct Kept(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    text: Vec<u8>,
    calls: Vec<String>,
    /// So many bytes can be saved or read.
    limit: Option<usize>,
    fails_to_delete: bool,
}

impl Kept {
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).calls)
    }

    fn text(&self) -> String {
        String::from_utf8(lock(&self.0).text.clone()).unwrap()
    }
}

impl Store for Kept {
    fn size(&self) -> usize {
        let mut state = lock(&self.0);
        state.calls.push("size".to_owned());
        state.text.len()
    }

    fn read(&self, buffer: &mut [u8]) -> usize {
        let mut state = lock(&self.0);
        state.calls.push(format!("read {}", buffer.len()));
        let count = state.limit.unwrap_or(usize::MAX).min(state.text.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&state.text[..count]);
        count
    }

    fn save(&self, text: &[u8]) -> usize {
        let mut state = lock(&self.0);
        state.calls.push(format!("save {}", text.len()));
        let count = state.limit.unwrap_or(usize::MAX).min(text.len());
        state.text.extend_from_slice(&text[..count]);
        count
    }

    fn delete(&self) -> bool {
        let mut state = lock(&self.0);
        state.calls.push("delete".to_owned());
        if !state.fails_to_delete {
            state.text.clear();
        }
        !state.fails_to_delete
    }
}

/// A device whose log server gives these answers, one after the other, and then good ones.
fn device(answers: &[&str], kept: Option<Kept>) -> (Arc<Machine>, Arc<Uploader>) {
    let mut answers: Vec<String> = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
    let machine = Machine::new(move |_, _| Answer::new(answers.pop().unwrap_or_else(|| GOOD.to_owned())));
    let uploader = uploader(&machine, kept);
    (machine, uploader)
}

fn uploader(machine: &Arc<Machine>, kept: Option<Kept>) -> Arc<Uploader> {
    let identity = Identity::new("PRODUCTIDX", "device").unwrap();
    uploader_of(machine, Sender::new(&identity, Mode::Key, b"key".to_vec()), kept)
}

fn uploader_of(machine: &Arc<Machine>, sender: Sender, kept: Option<Kept>) -> Arc<Uploader> {
    LEVEL.set(1);
    let uploader = Uploader::new(Setup {
        platform: machine.clone(),
        sender,
        store: kept.map(|kept| Box::new(kept) as Box<dyn Store>),
        level: || LEVEL.get(),
        set_level: |level| LEVEL.set(level as u32),
    })
    .unwrap();
    UP.set(Some(uploader.clone()));
    uploader
}

/// Time and lines of each upload since the last call.
fn uploads(machine: &Machine) -> Vec<(String, String)> {
    let requests = std::mem::take(&mut *machine.http.requests.lock().unwrap());
    let body = |request: String| {
        let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
        assert!(body[40..].starts_with("P###PRODUCTIDXdevice####"), "{body}");
        (body[102..112].to_owned(), body[112..].replace("\n\x0c", "|"))
    };
    requests.into_iter().map(body).collect()
}

fn lines_of(machine: &Machine) -> Vec<String> {
    uploads(machine).into_iter().map(|(_, lines)| lines).collect()
}

/// Three lines that are sent in two parts.
fn three_lines() -> [String; 3] {
    ["a", "b", "c"].map(|letter| letter.repeat(1_000))
}

fn collect_three(uploader: &Uploader) {
    three_lines().iter().for_each(|line| uploader.collect(line.as_bytes()));
}

#[test]
fn case_18_without_a_client_lines_go_out_with_time_0() {
    let (machine, uploader) = device(&[], None);
    uploader.upload(Urgency::Demanded);
    assert!(uploads(&machine).is_empty());
    uploader.collect(b"one\r\n");
    uploader.collect(b"two\r\n");
    uploader.upload(Urgency::Demanded);
    assert_eq!(uploads(&machine), [("0000000000".to_owned(), "one|two|".to_owned())]);
    assert_eq!(*machine.http.attempts.lock().unwrap(), ["devicelog.iot.cloud.tencent.com:80"]);
    assert_eq!(machine.http.open.load(Ordering::Relaxed), 0);
}

#[test]
fn case_06_a_part_that_fails_loses_the_rest_or_has_it_kept_and_doubles_nothing() {
    let [a, b, c] = three_lines();
    let (machine, uploader) = device(&[GOOD, BAD], None);
    collect_three(&uploader);
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), [format!("{a}|{b}|"), format!("{c}|")]);
    uploader.upload(Urgency::Demanded);
    assert!(uploads(&machine).is_empty(), "without the functions unsent lines are lost");

    let kept = Kept::default();
    let (machine, uploader) = device(&[GOOD, BAD], Some(kept.clone()));
    collect_three(&uploader);
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.text(), format!("{c}\n\x0c"));
    uploads(&machine);
    uploader.collect(b"d");
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), [format!("{c}|"), "d|".to_owned()]);
    assert_eq!(kept.text(), "");
}

#[test]
fn case_09_each_answer_is_judged_on_its_own() {
    for bad in [
        BAD,
        "HTTP/1.1 403 Forbidden\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n<html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        "",
    ] {
        let kept = Kept::default();
        let (machine, uploader) = device(&[bad], Some(kept.clone()));
        uploader.collect(b"one");
        uploader.upload(Urgency::Demanded);
        assert_eq!(kept.text(), "one\n\x0c", "{bad:?}");
        uploader.upload(Urgency::Demanded);
        assert_eq!(kept.text(), "", "{bad:?}");
        assert_eq!(lines_of(&machine), ["one|", "one|"]);
    }
}

#[test]
fn case_10_a_silent_server_costs_a_second_and_an_open_connection_nothing() {
    let machine = Machine::new(|number, _| match number {
        0 => Answer::new(GOOD).then_silent(),
        _ => Answer::new("HTTP/1.1 200 OK\r\n").then_silent(),
    });
    let uploader = uploader(&machine, None);
    for (expected, line) in [(0..100, "good"), (1_000..1_100, "silent")] {
        uploader.collect(line.as_bytes());
        let began = machine.ms();
        uploader.upload(Urgency::Demanded);
        assert!(expected.contains(&(machine.ms() - began)), "{line}");
    }
    uploader.collect(b"next");
    uploader.upload(Urgency::WhenDue);
    assert_eq!(lines_of(&machine), ["good|", "silent|"], "it backs off");
}

#[test]
fn case_20_a_server_that_can_not_be_reached_or_takes_nothing_is_given_up() {
    let kept = Kept::default();
    let (machine, uploader) = device(&[], Some(kept.clone()));
    machine.http.refuse.store(true, Ordering::Relaxed);
    uploader.collect(b"one");
    uploader.upload(Urgency::Demanded);
    machine.http.refuse.store(false, Ordering::Relaxed);
    machine.http.connect_ms.store(60_000, Ordering::Relaxed);
    uploader.collect(b"two");
    let began = machine.ms();
    uploader.upload(Urgency::Demanded);
    assert!(machine.ms() - began <= 5_100);
    machine.http.connect_ms.store(0, Ordering::Relaxed);
    machine.http.clogged.store(true, Ordering::Relaxed);
    uploader.collect(b"three");
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.text(), "one\n\x0ctwo\n\x0cthree\n\x0c");
    machine.http.clogged.store(false, Ordering::Relaxed);
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), ["one|two|three|"]);
}

#[test]
fn case_14_the_calls_come_in_order_and_old_lines_go_where_there_are_too_many() {
    let kept = Kept::default();
    let (machine, uploader) = device(&[BAD, BAD, GOOD], Some(kept.clone()));
    lock(&kept.0).text = b"old\n\x0c".to_vec();
    uploader.collect(b"one");
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.calls(), ["size", "read 5", "size", "save 5"]);
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.calls(), ["size", "read 10"]);
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.calls(), ["size", "read 10", "delete"]);
    assert_eq!(lines_of(&machine), ["old|", "old|one|", "old|one|"]);
    // Nothing was kept since.
    uploader.collect(b"two");
    uploader.upload(Urgency::Demanded);
    assert!(kept.calls().is_empty());

    lock(&kept.0).text = [vec![b'x'; 14_990], b"\n\x0c".to_vec()].concat();
    machine.http.refuse.store(true, Ordering::Relaxed);
    uploader.collect(b"three");
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.calls(), ["size", "save 7"], "15000 bytes are allowed");
    uploader.collect(b"");
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.calls(), ["size", "read 14999", "size", "delete", "save 2"]);
}

#[test]
fn case_21_lines_of_json_are_kept_as_they_are_sent_and_garbage_behind_them_is_not() {
    const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n{\"Response\":{\"RequestId\":\"r-1\"}}";
    let mut answers = vec![TAKEN, TAKEN, BAD];
    let machine = Machine::new(move |_, _| Answer::new(answers.pop().unwrap_or(BAD)));
    let kept = Kept::default();
    let device = Identity::new("PRODUCTIDX", "device").unwrap();
    let uploader = uploader_of(&machine, Sender::of_json(&device, Proof::Key(b"key".to_vec())), Some(kept.clone()));
    uploader.collect(b"say \"hi\"\r\n");
    uploader.collect(b"a/b\r\n");
    uploader.upload(Urgency::Demanded);
    let saved = r#""say \"hi\"", "a\/b", "#;
    assert_eq!(kept.text(), saved);
    machine.http.requests.lock().unwrap().clear();

    lock(&kept.0).text.extend_from_slice(b"\"cut in the mid");
    uploader.collect(b"next\r\n");
    uploader.upload(Urgency::Demanded);
    let requests = std::mem::take(&mut *machine.http.requests.lock().unwrap());
    let lists: Vec<_> = requests.iter().map(|request| request.split_once("\"Message\":").unwrap().1).collect();
    assert_eq!(lists, [r#"["say \"hi\"", "a\/b"]}"#, r#"["next"]}"#]);
    assert_eq!(kept.text(), "");
}

#[test]
fn case_14_functions_that_fail_do_no_harm() {
    let kept = Kept::default();
    let (machine, uploader) = device(&[BAD], Some(kept.clone()));
    lock(&kept.0).limit = Some(3);
    uploader.collect(b"one");
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.text(), "one");
    // What is no line is deleted, not kept for ever.
    lock(&kept.0).limit = None;
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.text(), "");

    lock(&kept.0).text = b"saved\n\x0c".to_vec();
    let uploader = uploader_of_a_new_process(&machine, &kept);
    lock(&kept.0).limit = Some(2);
    uploader.collect(b"two");
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.text(), "saved\n\x0c", "what could not be read stays");
    lock(&kept.0).limit = None;
    lock(&kept.0).fails_to_delete = true;
    uploader.upload(Urgency::Demanded);
    uploader.collect(b"three");
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), ["one|", "two|", "saved|", "three|"]);

    lock(&kept.0).text = vec![b'x'; MAX_READ + 1];
    lock(&kept.0).fails_to_delete = false;
    uploader_of_a_new_process(&machine, &kept).upload(Urgency::Demanded);
    assert_eq!(kept.text(), "");
}

fn uploader_of_a_new_process(machine: &Arc<Machine>, kept: &Kept) -> Arc<Uploader> {
    uploader(machine, Some(kept.clone()))
}

/// Cut off at any moment between two calls of the program's functions, no line is lost that was kept once.
#[test]
fn power_cut_after_the_server_has_taken_the_saved_lines_sends_them_twice_rather_than_never() {
    let kept = Kept::default();
    let (machine, uploader) = device(&[], Some(kept.clone()));
    lock(&kept.0).text = b"saved\n\x0c".to_vec();
    // The power goes before the deletion.
    lock(&kept.0).fails_to_delete = true;
    uploader.upload(Urgency::Demanded);
    lock(&kept.0).fails_to_delete = false;
    uploader_of_a_new_process(&machine, &kept).upload(Urgency::WhenDue);
    assert_eq!(lines_of(&machine), ["saved|", "saved|"]);
    assert_eq!(kept.text(), "");
}

#[test]
fn power_cut_in_the_middle_of_saving_keeps_the_whole_lines() {
    let whole = b"first\n\x0csecond\n\x0c";
    for cut in 0..whole.len() {
        let kept = Kept::default();
        lock(&kept.0).text = whole[..cut].to_vec();
        let (machine, uploader) = device(&[], Some(kept.clone()));
        uploader.upload(Urgency::WhenDue);
        let sent = lines_of(&machine).concat();
        assert_eq!(sent.starts_with("first|"), cut >= 7, "{cut}");
        assert_eq!(kept.text(), "", "a torn line does not stay for ever");
        // What is collected later is not torn with it.
        uploader.collect(b"third");
        uploader.upload(Urgency::Demanded);
        assert_eq!(lines_of(&machine), ["third|"]);
    }
}

#[test]
fn power_cut_between_two_parts_of_the_saved_lines_keeps_all_of_them() {
    let kept = Kept::default();
    let text = three_lines().map(|line| line + "\n\x0c").concat();
    lock(&kept.0).text = text.clone().into_bytes();
    let (machine, uploader) = device(&[GOOD, BAD], Some(kept.clone()));
    uploader.upload(Urgency::Demanded);
    assert_eq!(kept.text(), text);
    uploader_of_a_new_process(&machine, &kept).upload(Urgency::WhenDue);
    assert_eq!(lines_of(&machine)[2..].concat(), text.replace("\n\x0c", "|"));
}

/// Calls the uploader from inside.
struct Nested(Arc<Mutex<Weak<Uploader>>>, Kept);

impl Store for Nested {
    fn size(&self) -> usize {
        if let Some(uploader) = lock(&self.0).upgrade() {
            uploader.upload(Urgency::Demanded);
            uploader.finish();
            UP.set(Some(uploader));
        }
        self.1.size()
    }

    fn read(&self, buffer: &mut [u8]) -> usize {
        self.1.read(buffer)
    }

    fn save(&self, text: &[u8]) -> usize {
        self.1.save(text)
    }

    fn delete(&self) -> bool {
        self.1.delete()
    }
}

#[test]
fn case_16_the_programs_functions_may_call_everything_and_uploads_never_overlap() {
    let machine = Machine::new(|_, _| Answer::new(GOOD));
    let slot = Arc::new(Mutex::new(Weak::new()));
    let kept = Kept::default();
    let identity = Identity::new("PRODUCTIDX", "device").unwrap();
    let uploader = Uploader::new(Setup {
        platform: machine.clone(),
        sender: Sender::new(&identity, Mode::Key, b"key".to_vec()),
        store: Some(Box::new(Nested(slot.clone(), kept.clone()))),
        level: || 1,
        set_level: |_| {},
    })
    .unwrap();
    *lock(&slot) = Arc::downgrade(&uploader);
    uploader.collect(b"x");
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), ["x|"]);
    assert_eq!(kept.calls(), ["size"]);
}

#[test]
fn case_16_what_eight_threads_log_is_all_there() {
    let (machine, uploader) = device(&[], None);
    let threads: Vec<_> = (0..8)
        .map(|number: u32| {
            let uploader = uploader.clone();
            std::thread::spawn(move || (0..20).for_each(|line| uploader.collect(format!("{number}:{line}").as_bytes())))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    uploader.upload(Urgency::Demanded);
    let sent = lines_of(&machine).concat();
    let lines: Vec<_> = sent.split_terminator('|').collect();
    assert_eq!(lines.len(), 160);
    for number in 0..8 {
        let own: Vec<_> = lines.iter().filter(|line| line.starts_with(&format!("{number}:"))).copied().collect();
        assert_eq!(own, (0..20).map(|line| format!("{number}:{line}")).collect::<Vec<_>>());
    }
}

/// While one thread waits for the server another one is not held, and the end waits for the first.
#[test]
fn case_16_a_second_upload_returns_at_once_and_the_end_waits_for_the_first() {
    use std::sync::mpsc::channel;
    let (machine, uploader) = device(&[], None);
    uploader.collect(b"x");
    let (reading, is_reading) = channel();
    let (going_on, may_go_on) = channel::<()>();
    let (reading, may_go_on) = (Mutex::new(reading), Mutex::new(may_go_on));
    *machine.http.on_read.lock().unwrap() = Some(Box::new(move || {
        let _ = lock(&reading).send(());
        let _ = lock(&may_go_on).recv();
    }));
    let is_sent = Arc::new(AtomicBool::new(false));
    let first = {
        let (uploader, is_sent) = (uploader.clone(), is_sent.clone());
        std::thread::spawn(move || {
            uploader.upload(Urgency::Demanded);
            is_sent.store(true, Ordering::Release);
        })
    };
    is_reading.recv().unwrap();
    uploader.collect(b"y");
    uploader.upload(Urgency::Demanded);
    assert_eq!(machine.http.attempts.lock().unwrap().len(), 1);
    drop(going_on);
    uploader.finish();
    first.join().unwrap();
    assert!(is_sent.load(Ordering::Acquire));
    // What came meanwhile stayed for the next one.
    uploader.upload(Urgency::Demanded);
    assert_eq!(lines_of(&machine), ["x|", "y|"]);
}
