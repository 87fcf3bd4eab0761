use super::*;
use crate::services::ota::{Delivery, Failure};

const MD5: &str = "0cc175b9c0f1b6a831c399e269772661";
const OTHER_MD5: &str = "92eb5ffee6ae2fec3ad71c777531578f";
const NOW: Millis = Millis(1_000_000);
const BOTH: [Direction; 2] = [Direction::Download, Direction::Upload];

/// The type of the cloud's answer to a question for a task.
fn kind(direction: Direction) -> &'static str {
    match direction {
        Direction::Download => "get_download_task_rsp",
        Direction::Upload => "create_upload_task_rsp",
    }
}

fn message(direction: Direction, size: u32) -> String {
    let kind = kind(direction);
    format!(r#"{{"type":"{kind}","size":{size},"name":"n","md5sum":"{MD5}","url":"http://h/f?sign=x"}}"#)
}

fn answer(direction: Direction, code: i32) -> String {
    format!(r#"{{"type":"report_{}_progress_rsp","result_code":{code},"result_msg":"m"}}"#, direction.word())
}

fn receive(session: &mut Session, text: &str) -> Received {
    session.receive(text.as_bytes(), NOW)
}

/// A session with a task of `size` bytes.
fn started(direction: Direction, size: u32) -> Session {
    let mut session = Session::default();
    assert!(matches!(receive(&mut session, &message(direction, size)), Received::Task { .. }));
    session.side(direction).started(0, NOW);
    session
}

fn payloads(reports: &[Report]) -> Vec<&str> {
    reports.iter().map(|report| report.payload.as_str()).collect()
}

fn code_of(report: &Report) -> &str {
    let (_, rest) = report.payload.split_once(r#""result_code":"#).unwrap();
    rest.split(',').next().unwrap()
}

#[test]
fn a_task_starts_its_own_way_only() {
    for direction in BOTH {
        let mut session = started(direction, 10);
        let location = "http://h/f".to_owned();
        assert_eq!(
            receive(&mut Session::default(), &message(direction, 10)),
            Received::Task { direction, name: "n".to_owned(), size: 10, location }
        );
        for way in BOTH {
            assert_eq!(session.side(way).is_started(), way == direction);
            assert_eq!(session.side(way).task().is_ok(), way == direction);
        }
    }
}

/// Case 3.
#[test]
fn a_second_task_is_ignored_until_the_first_is_reported() {
    for direction in BOTH {
        let mut session = started(direction, 10);
        let refusal = format!(r#"{{"type":"{}"}}"#, kind(direction));
        for text in [message(direction, 11), message(direction, 0), refusal] {
            assert!(matches!(receive(&mut session, &text), Received::Ignored(_)), "{text}");
        }
        assert_eq!(session.side(direction).moved(10, NOW).len(), 2);
        assert!(matches!(receive(&mut session, &message(direction, 11)), Received::Ignored(_)));
        session.side(direction).finish(None, true).unwrap();
        assert!(matches!(receive(&mut session, &message(direction, 11)), Received::Task { size: 11, .. }));
    }
}

#[test]
fn a_bad_task_changes_nothing_and_is_reported_where_it_has_a_name() {
    let mut session = Session::default();
    let bad = message(Direction::Download, 0);
    let Received::BadTask(reason, Some(report)) = receive(&mut session, &bad) else { panic!() };
    assert_eq!(reason, "the download task can't be followed: size is 0");
    assert_eq!((report.delivery, code_of(&report)), (Delivery::Kept, "-1"));
    assert_eq!(report.payload, Report::failed(Direction::Download, "n", ResultCode::Timeout).payload);
    assert!(matches!(receive(&mut session, r#"{"type":"download"}"#), Received::BadTask(_, None)));
    let side = session.side(Direction::Download);
    assert_eq!((side.state(), side.last_error()), (State::Inited, ResourceError::None));
    assert!(matches!(receive(&mut session, "{}"), Received::Malformed(_)));
    assert_eq!(receive(&mut session, r#"{"type":"x"}"#), Received::Ignored("unknown type x".to_owned()));
}

#[test]
fn a_refusal_is_the_last_error() {
    for direction in BOTH {
        let mut session = Session::default();
        let text = format!(r#"{{"type":"{}","result_code":5,"result_msg":"no"}}"#, kind(direction));
        assert_eq!(receive(&mut session, &text), Received::Refused(direction, "result_code 5, no".to_owned()));
        let side = session.side(direction);
        assert_eq!((side.state(), side.last_error()), (State::Inited, ResourceError::Fail));
    }
}

/// Case 31.
#[test]
fn progress_is_told_at_0_once_a_second_and_at_100() {
    for direction in BOTH {
        let mut session = started(direction, 100_000_000);
        let progress = |percent| Report::progress(direction, "n", percent).payload;
        let mut at = |count, ms| {
            let reports = session.side(direction).moved(count, NOW + ms);
            payloads(&reports).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(at(1, 0), [progress(0)]);
        assert_eq!(at(42_999_999, 999), [""; 0]);
        assert_eq!(at(7_000_000, 1000), [progress(50)]);
        assert_eq!(at(50_000_000, 1001), [progress(100)]);
        assert_eq!(at(1, 5000), [""; 0]);
        assert_eq!(session.side(direction).state(), State::End);
        assert_eq!(session.side(direction).count(), 100_000_000);
    }
}

/// Case 4.
#[test]
fn a_download_that_goes_on_tells_no_beginning() {
    let mut session = started(Direction::Download, 100);
    let plan = session.plan_download(40).unwrap();
    assert_eq!((plan.offset, plan.end, plan.file_size), (40, 100, 100));
    let side = session.side(Direction::Download);
    side.started(40, NOW);
    assert_eq!(side.moved(10, NOW), []);
    assert_eq!(side.count(), 50);
    assert_eq!(payloads(&side.moved(50, NOW)), [Report::progress(Direction::Download, "n", 100).payload]);

    let mut session = started(Direction::Download, 100);
    assert!(session.plan_download(100).is_ok());
    session.side(Direction::Download).started(100, NOW);
    assert_eq!(session.side(Direction::Download).moved(0, NOW), []);
    assert_eq!(session.side(Direction::Download).state(), State::End);

    let mut session = started(Direction::Download, 100);
    assert_eq!(session.plan_download(101), Err(ResourceError::InvalidParam));
    let side = session.side(Direction::Download);
    assert_eq!((side.state(), side.last_error()), (State::Disconnected, ResourceError::InvalidParam));
    assert!(side.task().is_ok());
    side.finish(None, false).unwrap();
    assert_eq!(side.state(), State::Inited);
}

/// Cases 12 and 25.
#[test]
fn nothing_moves_before_a_task_and_behind_its_end() {
    for direction in BOTH {
        let mut session = Session::default();
        assert_eq!(session.plan_download(0), Err(ResourceError::InvalidState));
        assert_eq!(session.plan_upload(), Err(ResourceError::InvalidState));
        let side = session.side(direction);
        assert_eq!(side.may_go_on().unwrap_err().0, ResourceError::InvalidState);
        assert_eq!(side.moved(5, NOW), []);
        assert!(side.task().is_err() && side.check(MD5).is_err());
        assert_eq!(side.last_error(), ResourceError::InvalidState);

        let mut session = started(direction, 10);
        session.side(direction).moved(10, NOW);
        let (error, why) = session.side(direction).may_go_on().unwrap_err();
        assert_eq!((error, why), (ResourceError::InvalidState, format!("no {} is under way", direction.word())));
    }
}

/// Case 13.
#[test]
fn an_error_that_the_cloud_answers_stops_until_the_program_looks() {
    for direction in BOTH {
        let mut session = started(direction, 10);
        let received = receive(&mut session, &answer(direction, 5));
        assert_eq!(received, Received::Result(direction, 5, "m".to_owned()));
        let side = session.side(direction);
        let (error, why) = side.may_go_on().unwrap_err();
        assert_eq!(error, ResourceError::InvalidState);
        assert_eq!(why, "the cloud answered result_code 5 to a report");
        assert_eq!((side.state(), side.last_error()), (State::Start, ResourceError::InvalidState));
        assert!(side.is_started());
        assert!(side.may_go_on().is_ok());
    }
}

/// Case 5, and what the cloud is told of each failure.
#[test]
fn a_failure_is_told_to_the_cloud_where_the_cloud_can_do_something() {
    for direction in BOTH {
        for (failure, error, code) in [
            (Failure::auth("403"), ResourceError::FetchAuthFail, "-3"),
            (Failure::not_exist("404"), ResourceError::FetchNotExist, "-2"),
            (Failure::timeout("30 s"), ResourceError::FetchTimeout, "-1"),
        ] {
            let mut session = started(direction, 10);
            let side = session.side(direction);
            let (told, report) = side.failed(&failure);
            let report = report.unwrap();
            assert_eq!((told, side.last_error(), side.state()), (error, error, State::Inited));
            assert_eq!((code_of(&report), report.delivery), (code, Delivery::Kept));
            assert!(side.task().is_err());
            // What the program reports next is the same, whether it names the resource or not.
            let again = side.finish(None, false).unwrap();
            assert_eq!((again.payload, again.delivery), (report.payload, Delivery::AtLeastOnce));
            assert_eq!(code_of(&side.finish(Some("n"), false).unwrap()), "-1", "once");
        }
        let mut session = started(direction, 10);
        let side = session.side(direction);
        assert_eq!(side.failed(&Failure::failed("500")), (ResourceError::FetchFailed, None));
        assert_eq!((side.state(), side.last_error()), (State::End, ResourceError::FetchFailed));
        assert_eq!(code_of(&side.finish(None, false).unwrap()), "-1");
        assert_eq!((side.state(), side.last_error()), (State::Inited, ResourceError::None));
    }
}

/// Cases 1 and 11.
#[test]
fn the_md5_is_checked_at_the_end_as_often_as_asked() {
    for direction in BOTH {
        let mut session = started(direction, 10);
        let side = session.side(direction);
        assert_eq!(side.check(MD5), Err(ResourceError::InvalidState));
        side.moved(10, NOW);
        for digest in [MD5, &MD5.to_uppercase()] {
            assert_eq!(side.check(digest), Ok((true, None)));
        }
        let Ok((false, Some(report))) = side.check(OTHER_MD5) else { panic!() };
        assert_eq!(report.payload, Report::failed(direction, "n", ResultCode::Md5Mismatch).payload);
        assert_eq!(side.check(MD5), Err(ResourceError::InvalidState), "the task is dropped");
        assert_eq!(code_of(&side.finish(Some("n"), false).unwrap()), "-4");
    }
}

/// Case 22.
#[test]
fn a_report_needs_a_name() {
    for direction in BOTH {
        for name in [Some(""), Some(&"n".repeat(65)[..])] {
            let mut session = started(direction, 10);
            let side = session.side(direction);
            assert_eq!(side.finish(name, true), Err(ResourceError::InvalidParam));
            assert_eq!((side.state(), side.last_error()), (State::Inited, ResourceError::InvalidParam));
        }
        let mut session = Session::default();
        assert_eq!(session.side(direction).finish(None, true), Err(ResourceError::InvalidParam));
        assert_eq!(session.side(direction).finish(Some("m"), true), Ok(Report::done(direction, "m")));
    }
}

#[test]
fn an_upload_asks_with_what_can_be_uploaded() {
    let mut session = Session::default();
    let long = "n".repeat(65);
    for (name, size, md5) in [("", 1, MD5), (&long, 1, MD5), ("n", 0, MD5), ("n", -5, MD5), ("n", 1, &MD5[1..])] {
        assert_eq!(session.ask_upload(name, size, md5), Err(ResourceError::InvalidParam));
    }
    assert_eq!(session.side(Direction::Upload).last_error(), ResourceError::InvalidParam);
    assert_eq!(session.link_restored(false), [""; 0]);
    assert_eq!(session.ask_upload("n", 7, MD5), Ok(create_upload_task("n", 7, MD5)));
}

/// Case 21.
#[test]
fn an_upload_of_another_size_than_asked_does_not_start() {
    let mut session = Session::default();
    session.ask_upload("n", 7, MD5).unwrap();
    receive(&mut session, &message(Direction::Upload, 8));
    assert_eq!(session.plan_upload(), Err(ResourceError::InvalidParam));
    assert_eq!(session.side(Direction::Upload).state(), State::Disconnected);

    let mut session = started(Direction::Upload, 8);
    let plan = session.plan_upload().unwrap();
    assert_eq!((plan.size, plan.md5[..2].to_vec()), (8, vec![0x0c, 0xc1]));
}

#[test]
fn what_was_lost_with_the_link_is_asked_again() {
    let mut session = Session::default();
    assert_eq!(session.link_restored(false), [""; 0]);
    let download = session.ask_download();
    let upload = session.ask_upload("n", 7, MD5).unwrap();
    assert_eq!(session.link_restored(true), [""; 0]);
    assert_eq!(session.link_restored(false), [download, &upload]);
    receive(&mut session, &message(Direction::Download, 1));
    assert_eq!(session.link_restored(false), [upload]);
    receive(&mut session, r#"{"type":"create_upload_task_rsp","result_code":1}"#);
    assert_eq!(session.link_restored(false), [""; 0]);
    session.side(Direction::Download).finish(None, true).unwrap();
    assert_eq!(session.link_restored(false), [download]);
}

/// Cases 18 to 20.
#[test]
fn the_answer_to_the_final_report_is_told_from_those_to_progress() {
    let mut session = started(Direction::Upload, 10);
    assert_eq!(session.uploaded(10, NOW).len(), 2);
    session.await_answer();
    receive(&mut session, &answer(Direction::Upload, 0));
    receive(&mut session, &answer(Direction::Download, 3));
    receive(&mut session, &answer(Direction::Upload, 0));
    assert_eq!(session.final_answer(NOW), None);
    receive(&mut session, &answer(Direction::Upload, 0));
    assert_eq!(session.final_answer(NOW), Some(0));
    session.end_wait();
    session.await_answer();
    let result = r#"{"type":"upload_result","report":{"progress":{"result_code":4}}}"#;
    assert_eq!(receive(&mut session, result), Received::Result(Direction::Upload, 4, String::new()));
    assert_eq!(session.final_answer(NOW), Some(4));
}
