//! A device that loses power in mid-download goes on from what it has stored.

use std::fs;

use e2e::{ends, Answer, Build, Desk, Firmware, Gate, Sample, Server};

const SIZE: usize = 600_000;

/// A desk whose web server stops after the byte that `stalls` gives for the request's number, counted in the file.
struct Scene {
    desk: Desk,
    server: Server,
}

impl Scene {
    fn new(stalls: &'static [usize]) -> Scene {
        let bytes = Firmware::image(SIZE);
        let server = Server::http(move |request| {
            let answer = Answer::file(&bytes, request).header("ETag", "\"v2\"");
            let begin = request.range().map_or(0, |(first, _)| first);
            match stalls.get(request.number - 1) {
                Some(stall) => answer.stall_after(stall - begin, &Gate::default()),
                None => answer,
            }
        });
        let url = server.url("/firmware");
        let desk = Desk::with_url(Build::Key, SIZE, |_| url);
        Scene { desk, server }
    }

    /// Starts the sample, lets it come as far as byte `stall` of the file, and kills it.
    fn run_and_kill(&self, stall: usize) {
        let mut sample = self.desk.sample().start();
        // Said after the state file was written.
        sample.wait_for(&[&format!("downloaded {stall} of {SIZE} bytes")]);
        sample.kill();
        let stored = fs::metadata(self.desk.bin_file()).expect("the firmware so far").len();
        assert_eq!(stored, stall as u64);
    }

    /// The first byte of the last request.
    fn last_offset(&self) -> usize {
        self.server.ranges().last().copied().flatten().map_or(0, |(first, _)| first)
    }
}

#[test]
fn resumes_from_the_stored_offset() {
    let scene = Scene::new(&[250_000]);
    scene.run_and_kill(250_000);
    let finished = scene.desk.expect_upgrade(&mut scene.desk.sample().start());
    finished.assert_says(&["resuming at 250000"]);
    let (first, last) = scene.server.ranges()[1].expect("a range");
    assert_eq!((first, last), (250_000, SIZE - 1));
    assert_eq!(scene.server.requests().mark(), 2);
    assert_eq!(ends(&scene.desk.hub, &scene.desk.device), ["done"]);
}

#[test]
fn resumes_after_a_second_and_a_third_kill() {
    let stalls = &[150_000, 290_000, 470_000];
    let scene = Scene::new(stalls);
    for stall in stalls {
        scene.run_and_kill(*stall);
    }
    scene.desk.expect_upgrade(&mut scene.desk.sample().start());
    let firsts: Vec<usize> = scene.server.ranges().iter().map(|range| range.map_or(0, |(first, _)| first)).collect();
    assert_eq!(firsts, [0, 150_000, 290_000, 470_000]);
}

#[test]
fn resumes_after_an_orderly_stop() {
    let scene = Scene::new(&[250_000]);
    let mut sample = scene.desk.sample().start();
    sample.wait_for(&["downloaded 250000 of"]);
    sample.terminate();
    let finished = scene.desk.finish(&mut sample);
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["stopped at 250000 of 600000 bytes"]);
    scene.desk.expect_upgrade(&mut scene.desk.sample().start());
    assert_eq!(scene.last_offset(), 250_000);
    // Stopping is no failure: nobody was told of one.
    assert_eq!(ends(&scene.desk.hub, &scene.desk.device), ["done"]);
}

#[test]
fn resumes_over_https_with_the_hub() {
    // The same as above with nothing scripted: the state file says where to go on.
    let desk = Desk::new(Build::Key, SIZE);
    let stored = 400_000;
    desk.store(stored);
    desk.expect_upgrade(&mut desk.sample().start());
    let get = desk.hub.wait("http", |_| true);
    assert_eq!(get["range"], format!("bytes={stored}-{}", SIZE - 1));
    assert_eq!(get["bytes"], SIZE - stored);
}

#[test]
fn everything_was_stored_already() {
    let scene = Scene::new(&[]);
    let desk = &scene.desk;
    desk.store(SIZE);
    desk.expect_upgrade(&mut desk.sample().start());
    assert_eq!(scene.server.requests().mark(), 0, "nothing was missing");
    assert_eq!(ends(&desk.hub, &desk.device), ["done"]);
}

/// A state file that lies must not cost more than starting over.
fn starts_over(prepare: impl FnOnce(&Desk)) {
    let scene = Scene::new(&[]);
    prepare(&scene.desk);
    scene.desk.expect_upgrade(&mut scene.desk.sample().start());
    assert_eq!(scene.last_offset(), 0);
    assert_eq!(ends(&scene.desk.hub, &scene.desk.device), ["done"]);
}

#[test]
fn a_state_file_ahead_of_the_data() {
    starts_over(|desk| {
        fs::write(desk.bin_file(), &desk.firmware.bytes[..1000]).expect("the firmware so far");
        desk.store_state(300_000);
    });
}

#[test]
fn a_state_file_ahead_of_the_firmware() {
    starts_over(|desk| {
        fs::write(desk.bin_file(), vec![0; SIZE + 5]).expect("the firmware so far");
        desk.store_state(SIZE + 5);
    });
}

#[test]
fn a_state_file_of_another_version() {
    starts_over(|desk| {
        fs::write(desk.bin_file(), vec![7; 300_000]).expect("the firmware so far");
        let other = Firmware::new(desk.folder.path(), "1.9.0", SIZE);
        Sample::store_state(&desk.home, &desk.device, &other, 300_000);
    });
}

#[test]
fn state_files_of_garbage() {
    for garbage in ["", "{", "\0\0\0\0", r#"{"version":2}"#, r#"{"downloaded":-1}"#, "[[[[[[[[[[[[[["] {
        starts_over(|desk| {
            fs::write(desk.bin_file(), vec![7; 300_000]).expect("the firmware so far");
            fs::write(desk.state_file(), garbage).expect("the state file");
        });
    }
}

#[test]
fn a_state_file_without_the_data() {
    starts_over(|desk| desk.store_state(300_000));
}

#[test]
fn more_data_than_the_state_file_says() {
    // What lies behind may be a block cut by the power going.
    let scene = Scene::new(&[]);
    let desk = &scene.desk;
    let mut stored = desk.firmware.bytes[..300_000].to_vec();
    stored.extend([7; 50_000]);
    fs::write(desk.bin_file(), stored).expect("the firmware so far");
    desk.store_state(300_000);
    desk.expect_upgrade(&mut desk.sample().start());
    assert_eq!(scene.last_offset(), 300_000);
}

#[test]
fn data_that_rotted_is_found_out_and_fetched_again() {
    let scene = Scene::new(&[]);
    let desk = &scene.desk;
    fs::write(desk.bin_file(), vec![7; 300_000]).expect("the firmware so far");
    desk.store_state(300_000);
    let mut sample = desk.sample_with_attempts(2).start();
    desk.expect_upgrade(&mut sample);
    let firsts: Vec<usize> = scene.server.ranges().iter().map(|range| range.map_or(0, |(first, _)| first)).collect();
    assert_eq!(firsts, [300_000, 0]);
    assert_eq!(ends(&desk.hub, &desk.device), ["fail", "done"]);
}
