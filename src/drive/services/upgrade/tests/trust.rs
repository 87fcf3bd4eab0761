//! Whose images are taken.

use super::*;

#[test]
fn what_is_not_for_this_device_is_refused_before_a_slot_is_touched() {
    let good = signed(&image(), "PRODUCTIDX", "2.0.0", &keys(1));
    let mut wrong_signature = good.clone();
    wrong_signature[200] ^= 1;
    let mut other_version = Scene::new(signed(&image(), "PRODUCTIDX", "0.9.0", &keys(1)), true);
    other_version.may_downgrade = true;
    let cases = [
        (Scene::new(image(), true), "not signed"),
        (Scene::new(signed(&image(), "PRODUCTIDX", "2.0.0", &keys(2)), true), "does not know"),
        (Scene::new(wrong_signature, true), "signature is wrong"),
        (Scene::new(signed(&image(), "PRODUCTIDY", "2.0.0", &keys(1)), true), "another product"),
        (other_version, "another version"),
        (Scene::new(good[..good.len() - 1].to_vec(), true), "size"),
        (Scene::new(b"IOTF".to_vec(), true), "header"),
        (Scene::new(signed(&vec![7; 30_000], "PRODUCTIDX", "2.0.0", &keys(1)), true), "does not fit"),
    ];
    for (scene, why) in cases {
        scene.live(None, Unsynced::Lost);
        let (result, running) = scene.outcome();
        assert!(result.contains("fail") && result.contains(why), "{why}: {result}");
        let flash = scene.device.0.lock().unwrap();
        assert_eq!((running, flash.next), (0, 0));
        assert!(flash.seen[1].iter().all(|byte| *byte == 0xEE), "{why}: the slot was written");
    }
}

#[test]
fn an_image_that_was_changed_is_never_made_the_next_to_start() {
    let mut file = signed(&image(), "PRODUCTIDX", "2.0.0", &keys(1));
    file[300] ^= 1;
    let scene = Scene::new(file, true);
    scene.live(None, Unsynced::Lost);
    let (result, _) = scene.outcome();
    assert!(result.contains("not the one that was signed"), "{result}");
    assert_eq!(scene.device.0.lock().unwrap().next, 0);
}

#[test]
fn without_keys_any_image_is_taken_and_its_header_comes_off() {
    for file in [image(), signed(&image(), "PRODUCTIDX", "2.0.0", &keys(9))] {
        let mut scene = Scene::new(file, true);
        scene.keys.clear();
        scene.live(None, Unsynced::Lost);
        assert_eq!(scene.outcome().1, 1);
        assert_eq!(scene.device.0.lock().unwrap().safe[1][..20_000], image());
    }
}

#[test]
fn without_what_checks_signatures_what_is_signed_is_refused_and_the_rest_taken() {
    for (file, is_taken) in [(image(), true), (signed(&image(), "PRODUCTIDX", "2.0.0", &keys(1)), false)] {
        let scene = Scene { judge: iot_engine::upgrade::judge_unsigned, keys: vec![], ..Scene::new(file, true) };
        scene.live(None, Unsynced::Lost);
        let (result, running) = scene.outcome();
        assert_eq!((result.contains("built without what checks signatures"), running == 1), (!is_taken, is_taken));
    }
}
