//! Upgrades of the devices behind a gateway (gateway.md section 6, and cases 28 to 32 of section 8).

use super::*;
use crate::drive::services::ota::Ota;

/// What the web server has for device `d<n>`.
fn firmware(number: usize) -> Vec<u8> {
    (0..20_000).map(|at| ((at * 7 + number) % 251) as u8).collect()
}

/// A gateway whose web server has a firmware for each device, as `/<n>`.
fn with_firmware() -> (Arc<Machine>, Arc<Client>, Gateway) {
    let machine = Machine::new(|_, request| {
        let number = request.split(['/', ' ']).nth(2).and_then(|number| number.parse().ok()).expect("a number");
        Answer::range(&firmware(number), request)
    });
    machine.mqtt.world().cloud = Cloud::default();
    let client = machine.client();
    let gateway = gateway(&client);
    (machine, client, gateway)
}

fn ota(client: &Arc<Client>, number: usize) -> Result<Ota, String> {
    Ota::new("SP", &format!("d{number}"), client.clone())
}

fn order(machine: &Machine, client: &Arc<Client>, number: usize) {
    let mut checksum = iot_engine::services::ota::Checksum::default();
    checksum.update(&firmware(number));
    let command = format!(
        r#"{{"type":"update_firmware","url":"http://h/{number}","version":"2.{number}","md5sum":"{}","file_size":20000}}"#,
        checksum.hex()
    );
    machine.send(client, &format!("$ota/update/SP/d{number}"), command.as_bytes());
}

/// As the sample does it: 5000 bytes, then what MQTT has to say.
fn download(ota: &Ota, client: &Arc<Client>, mut after_each: impl FnMut()) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut block = [0; 5000];
    ota.start_download(0, ota.file_size().unwrap()).unwrap();
    while !ota.is_fetch_finished() {
        let count = ota.fetch(&mut block, 1000).unwrap();
        whole.extend_from_slice(&block[..count]);
        after_each();
        let _ = client.yield_for(100);
    }
    assert_eq!(ota.check_firmware(), Ok(true));
    ota.report_upgrade_begin().unwrap();
    ota.report_upgrade_success(None).unwrap();
    whole
}

/// What device `d<n>` has reported: the state of each report.
fn states(machine: &Machine, number: usize) -> Vec<String> {
    let reports = machine.take_published(&format!("$ota/report/SP/d{number}"));
    let state = |text: &str| text.split(r#""state":""#).nth(1).map(|rest| rest[..rest.find('"').unwrap()].to_owned());
    reports.iter().filter_map(|(_, text)| state(text)).collect()
}

const STORY: [&str; 4] = ["downloading", "downloading", "burning", "done"];

/// The library's own subscriptions do not count among the program's ten, so a gateway has as many handles as devices.
#[test]
fn case_28_as_many_handles_as_devices_and_one_that_ends_makes_room() {
    const DEVICES: usize = 200;
    let (machine, client, gateway) = with_firmware();
    let mut handles: Vec<_> = (0..DEVICES).map(|number| ota(&client, number).unwrap()).collect();
    for number in 0..DEVICES {
        order(&machine, &client, number);
    }
    for (number, ota) in handles.iter().enumerate() {
        assert_eq!(ota.version(), Ok(format!("2.{number}")));
    }
    handles[7].destroy();
    handles[7] = ota(&client, 7).unwrap();
    order(&machine, &client, 7);
    assert!(handles.iter().all(Ota::is_fetching));
    // All are subscribed again, and nothing is reported anew.
    machine.mqtt.world().closed = true;
    let _ = client.yield_for(10_000);
    assert!(client.is_connected());
    machine.mqtt.world().received.clear();
    assert_eq!(download(&handles[199], &client, || ()), firmware(199));
    assert_eq!(states(&machine, 199), STORY);
    assert!((0..199).all(|number| states(&machine, number).is_empty()));
    gateway.close();
}

#[test]
fn case_29_a_topic_that_is_refused_or_granted_late_harms_nobody() {
    let (machine, client, gateway) = with_firmware();
    machine.mqtt.world().grants(&[Grant::Refused, Grant::Refused]);
    let began = machine.ms();
    assert_eq!(ota(&client, 1).err(), Some("$ota/update/SP/d1 not subscribed: the server refused it".to_owned()));
    assert!(machine.ms() - began < 100);

    // The SUBACK comes after 3 s: nobody is there any more.
    machine.mqtt.world().latency_ms = 3_000;
    assert!(ota(&client, 1).is_err());
    machine.mqtt.world().latency_ms = 0;
    let _ = client.yield_for(6_000);

    let ota = ota(&client, 1).unwrap();
    order(&machine, &client, 1);
    assert_eq!(download(&ota, &client, || ()), firmware(1));
    machine.mqtt.world().cloud =
        Cloud::default().answer_with(|_, _| Some((DOWN.to_owned(), result_of("online", "d", 0))));
    assert_eq!(online(&gateway, "d"), Ok(0));
}

#[test]
fn case_30_two_commands_together_and_a_cut_in_the_first_download() {
    let (machine, client, gateway) = with_firmware();
    let [first, second] = [1, 2].map(|number| ota(&client, number).unwrap());
    order(&machine, &client, 1);
    order(&machine, &client, 2);
    assert!(first.is_fetching() && second.is_fetching());
    let mut blocks = 0;
    let whole = download(&first, &client, || {
        blocks += 1;
        machine.mqtt.world().closed |= blocks == 2;
    });
    assert_eq!(whole, firmware(1));
    // The second kept its command meanwhile.
    assert_eq!(download(&second, &client, || ()), firmware(2));
    let _ = client.yield_for(10_000);
    for number in [1, 2] {
        let states = states(&machine, number);
        assert_eq!(states[states.len() - 2..], STORY[2..], "d{number}");
    }
    gateway.close();
}

#[test]
fn case_30_two_downloads_side_by_side_do_not_disturb_each_other() {
    let (machine, client, _gateway) = with_firmware();
    let handles = [1, 2].map(|number| ota(&client, number).unwrap());
    for (number, ota) in (1..).zip(&handles) {
        order(&machine, &client, number);
        ota.start_download(0, 20_000).unwrap();
    }
    let mut wholes = [Vec::new(), Vec::new()];
    while !handles.iter().all(Ota::is_fetch_finished) {
        for (ota, whole) in handles.iter().zip(&mut wholes).filter(|(ota, _)| ota.is_fetching()) {
            let mut block = [0; 3000];
            let count = ota.fetch(&mut block, 1000).unwrap();
            whole.extend_from_slice(&block[..count]);
        }
    }
    assert_eq!(wholes, [firmware(1), firmware(2)]);
    assert!(handles.iter().all(|ota| ota.check_firmware() == Ok(true)));
}

/// The loop thread has MQTT: what the sample yields after each block costs the thread that fetches no time.
#[cfg(feature = "multithread")]
#[test]
fn case_31_with_the_loop_thread_a_download_waits_for_nothing() {
    let (machine, client, _gateway) = with_firmware();
    let ota = ota(&client, 1).unwrap();
    order(&machine, &client, 1);
    // As if the loop thread were running: pumping is its business.
    client.set_loop_status(true);
    let began = machine.ms();
    assert_eq!(download(&ota, &client, || ()), firmware(1));
    assert_eq!(
        machine.ms(),
        began + 100,
        "only after the last block, when there is no download any more, it sleeps as ever"
    );
    client.set_loop_status(false);
}

#[test]
fn case_32_a_handle_ends_before_or_after_the_gateway() {
    let (machine, client, gateway) = with_firmware();
    let [before, after] = [1, 2].map(|number| ota(&client, number).unwrap());
    order(&machine, &client, 2);
    before.destroy();
    order(&machine, &client, 1);
    assert!(!before.is_fetching());
    gateway.close();
    client.destroy();
    assert!(after.is_fetching());
    assert!(after.report_upgrade_begin().is_err());
    after.destroy();
    drop((before, after, gateway));
    assert_eq!(Arc::strong_count(&client), 1, "somebody still holds the client");
}

#[test]
fn case_32_a_second_handle_for_the_same_device_works_on_when_the_first_ends() {
    let (machine, client, _gateway) = with_firmware();
    let [first, second] = [1, 1].map(|number| ota(&client, number).unwrap());
    first.destroy();
    order(&machine, &client, 1);
    assert!(!first.is_fetching());
    assert_eq!(download(&second, &client, || ()), firmware(1));
}
