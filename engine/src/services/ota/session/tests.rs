use super::*;

const UPDATE: &[u8] = br#"{"type":"update_firmware","url":"http://h/f?sign=s3cret","version":"1.3.0",
    "md5sum":"AD4615B866C13AFB8B293A679BFA5DC4","file_size":1000}"#;
const ACCEPTED: &[u8] = br#"{"type":"report_version_rsp","result_code":0}"#;
const REFUSED: &[u8] = br#"{"type":"report_version_rsp","result_code":"-7","result_msg":"who?"}"#;

fn fetching() -> Session {
    let mut session = Session::default();
    assert!(matches!(session.receive(UPDATE), Received::Update { file_size: 1000, .. }));
    session
}

fn downloading(offset: u32) -> Session {
    let mut session = fetching();
    let plan = session.plan_download(offset, 1000).unwrap();
    session.download_started(&plan);
    session
}

/// One session in each state, INITED also after a refusal.
fn sessions() -> [(State, Session); 5] {
    let mut complete = downloading(0);
    let _ = complete.fetched(1000, Millis(0));
    let mut refused = Session::default();
    let _ = refused.receive(REFUSED);
    let mut disconnected = fetching();
    disconnected.download_refused("no route");
    let all = [
        (State::Inited, Session::default()),
        (State::Fetching, fetching()),
        (State::Fetched, complete),
        (State::Inited, refused),
        (State::Disconnected, disconnected),
    ];
    for (state, session) in &all {
        assert_eq!(session.state(), *state);
    }
    all
}

#[test]
fn version_answers_count_in_inited_only() {
    for (state, mut session) in sessions() {
        let before = session.last_error();
        match state {
            State::Inited => {
                assert_eq!(session.receive(ACCEPTED), Received::VersionAccepted);
                assert_eq!(session.state(), State::Inited);
                assert_eq!(session.receive(REFUSED), Received::VersionRefused(-7, "who?".to_owned()));
                assert_eq!(session.state(), State::Inited);
                assert_eq!(session.last_error(), OtaError::ReportVersion);
            }
            _ => {
                assert!(matches!(session.receive(REFUSED), Received::Ignored(_)));
                assert_eq!((session.state(), session.last_error()), (state, before));
            }
        }
    }
}

#[test]
fn an_update_command_counts_in_inited_only() {
    for (state, mut session) in sessions() {
        match state {
            State::Inited => {
                let received = session.receive(UPDATE);
                let location = "http://h/f".to_owned();
                let expected = Received::Update { version: "1.3.0".to_owned(), file_size: 1000, location };
                assert_eq!(received, expected);
                assert_eq!(session.state(), State::Fetching);
            }
            _ => {
                assert!(matches!(session.receive(UPDATE), Received::Ignored(_)));
                assert!(matches!(session.receive(br#"{"type":"future"}"#), Received::Ignored(_)));
                assert_eq!(session.state(), state);
            }
        }
    }
}

#[test]
fn a_bad_command_changes_nothing_and_is_reported() {
    let mut session = Session::default();
    let Received::BadUpdate(reason, report) = session.receive(br#"{"type":"update_firmware","version":"2"}"#) else {
        panic!("taken");
    };
    assert_eq!(reason, "url is missing");
    assert_eq!(report, Report::failure("2", FailureCode::Upgrade, "url is missing"));
    assert_eq!((session.state(), session.last_error()), (State::Inited, OtaError::None));
    assert!(matches!(session.receive(b"{"), Received::Malformed(_)));
    assert!(matches!(session.receive(br#"{"type":"x"}"#), Received::Ignored(_)));
}

#[test]
fn reporting_a_version_starts_over_in_every_state() {
    for (_, mut session) in sessions() {
        assert_eq!(session.report_version("1.0"), Ok(Report::version("1.0")));
        assert_eq!((session.state(), session.last_error()), (State::Inited, OtaError::None));
        assert_eq!(session.command(), Err(OtaError::InvalidState));
        assert_eq!(session.upgrade_begin(None), Err(OtaError::InvalidState));
    }
}

#[test]
fn a_version_has_1_to_32_characters() {
    for (state, mut session) in sessions() {
        for version in ["", &"v".repeat(33)] {
            assert_eq!(session.report_version(version), Err(OtaError::InvalidParam));
            assert_eq!(session.upgrade_done(Some(version)), Err(OtaError::InvalidParam));
            assert_eq!(session.upgrade_failed(Some(version)), Err(OtaError::InvalidParam));
            assert_eq!((session.state(), session.last_error()), (state, OtaError::InvalidParam));
        }
        assert!(session.report_version(&"v".repeat(32)).is_ok());
    }
}

#[test]
fn downloads_and_fetches_need_fetching() {
    for (state, mut session) in sessions() {
        let expected = if state == State::Fetching { Ok(()) } else { Err(OtaError::InvalidState) };
        assert_eq!(session.plan_download(0, 1000).map(drop), expected);
        assert_eq!(session.may_fetch(), expected);
    }
}

#[test]
fn ranges_stay_inside_the_file() {
    let range = |offset, size| fetching().plan_download(offset, size).map(|plan| (plan.offset, plan.end));
    assert_eq!(range(0, 1000), Ok((0, 1000)));
    assert_eq!(range(999, 1000), Ok((999, 1000)));
    assert_eq!(range(1000, 1000), Ok((1000, 1000)));
    assert_eq!(range(0, 5000), Ok((0, 1000)));
    assert_eq!(range(0, 400), Ok((0, 400)));
    assert_eq!(range(1001, 1000), Err(OtaError::InvalidParam));
    assert_eq!(range(1001, u32::MAX), Err(OtaError::InvalidParam));
    assert_eq!(range(0, 0), Err(OtaError::InvalidParam));
}

#[test]
fn bytes_are_counted_from_the_offset_and_the_last_one_completes() {
    let mut session = downloading(600);
    assert_eq!(session.fetched_size(), Ok(600));
    assert_eq!(session.fetched(100, Millis(0)), [Report::downloading("1.3.0", 0)]);
    assert_eq!(session.fetched(100, Millis(1000)), [Report::downloading("1.3.0", 80)]);
    assert_eq!(session.state(), State::Fetching);
    assert_eq!(session.fetched(200, Millis(1001)), [Report::downloading("1.3.0", 100)]);
    assert_eq!((session.state(), session.fetched_size()), (State::Fetched, Ok(1000)));
}

#[test]
fn nothing_left_to_fetch_is_complete_without_a_byte() {
    let mut session = downloading(1000);
    assert_eq!(session.state(), State::Fetching);
    assert_eq!(session.fetched(0, Millis(0)), []);
    assert_eq!(session.state(), State::Fetched);
}

#[test]
fn a_failure_is_reported_once() {
    let mut session = downloading(0);
    let failure = Failure::auth("the server answered 403");
    let report = Report::failure("1.3.0", FailureCode::Auth, "the server answered 403");
    assert_eq!(session.fetch_failed(&failure), Some(report));
    assert_eq!((session.state(), session.last_error()), (State::Fetched, OtaError::FetchAuthFail));
    assert_eq!(session.fetch_failed(&failure), None);
    assert_eq!(session.fetched(10, Millis(0)), []);
}

#[test]
fn the_check_answers_twice_and_reports_once() {
    let mut session = downloading(0);
    let digest = "ad4615b866c13afb8b293a679bfa5dc4";
    assert_eq!(session.check_firmware(digest), Err(OtaError::InvalidState));
    let _ = session.fetched(1000, Millis(0));
    assert_eq!(session.check_firmware(digest), Ok((true, None)));
    let Ok((false, Some(report))) = session.check_firmware("00") else { panic!("no report") };
    assert!(report.payload.contains(r#""result_code":"-4""#));
    assert_eq!(session.check_firmware("00"), Ok((false, None)));
    assert_eq!(session.check_firmware(digest), Ok((true, None)));
}

#[test]
fn questions_need_a_command() {
    for (state, mut session) in sessions() {
        let known = state != State::Inited;
        assert_eq!(session.command().is_ok(), known, "{state:?}");
        assert_eq!(session.fetched_size().is_ok(), known, "{state:?}");
    }
}

#[test]
fn the_end_of_an_upgrade_goes_back_to_inited() {
    let mut session = downloading(0);
    let _ = session.fetched(1000, Millis(0));
    assert_eq!(session.upgrade_begin(None), Ok(Report::upgrade_begin("1.3.0")));
    assert_eq!(session.state(), State::Fetched);
    assert_eq!(session.upgrade_done(None), Ok(Report::upgrade_done("1.3.0")));
    assert_eq!(session.state(), State::Inited);
    // The publish may have failed: it can be tried again without naming the version.
    assert_eq!(session.upgrade_done(None), Ok(Report::upgrade_done("1.3.0")));
    let failed = Report::failure("9", FailureCode::Upgrade, "upgrade failed");
    assert_eq!(session.upgrade_failed(Some("9")), Ok(failed));
    assert_eq!(session.state(), State::Inited);
}

#[test]
fn a_refused_version_does_not_keep_the_device_from_its_upgrade() {
    let mut session = Session::default();
    session.report_version("1.0").unwrap();
    session.receive(REFUSED);
    assert!(matches!(session.receive(UPDATE), Received::Update { .. }));
}

#[test]
fn a_refusal_that_no_command_follows_ends_the_attempt() {
    let mut session = Session::default();
    let refused = br#"{"type":"report_version_rsp","result_code":1}"#;
    assert!(matches!(session.receive(refused), Received::VersionRefused(1, _)));
    session.end_refused();
    assert_eq!((session.state(), session.last_error()), (State::Fetched, OtaError::ReportVersion));
    assert_eq!(session.check_firmware("0").map(drop), Err(OtaError::InvalidState));
    assert!(session.report_version("1.0.0").is_ok());
    assert_eq!((session.state(), session.last_error()), (State::Inited, OtaError::None));
    let mut session = fetching();
    session.end_refused();
    assert_eq!(session.state(), State::Fetching, "a command is being followed");
}

#[test]
fn a_server_that_has_forgotten_us_is_told_the_version_again() {
    let mut session = Session::default();
    assert_eq!(session.link_restored(false), None);
    session.report_version("1.0").unwrap();
    assert_eq!(session.link_restored(true), None);
    assert_eq!(session.link_restored(false), Some(Report::version("1.0")));
    session.receive(REFUSED);
    assert_eq!(session.link_restored(false), Some(Report::version("1.0")));
    session.receive(UPDATE);
    assert_eq!(session.link_restored(false), None, "in the middle of an upgrade");
    session.upgrade_failed(None).unwrap();
    assert_eq!(session.link_restored(false), Some(Report::version("1.0")));
    session.receive(UPDATE);
    session.upgrade_done(None).unwrap();
    assert_eq!(session.link_restored(false), None, "another version runs now");
}

#[test]
fn the_last_thing_that_went_wrong_is_the_reason_of_the_failure_report() {
    let reason = |session: &mut Session| session.upgrade_failed(None).unwrap();
    let failed = |text| Report::failure("1.3.0", FailureCode::Upgrade, text);
    let mut session = downloading(0);
    let _ = session.fetch_failed(&Failure::not_exist("the server answered 404"));
    assert_eq!(reason(&mut session), failed("the server answered 404"));

    let mut session = downloading(0);
    let _ = session.fetched(1000, Millis(0));
    let _ = session.check_firmware("00");
    let text = "MD5 of the firmware is 00, announced was AD4615B866C13AFB8B293A679BFA5DC4";
    assert_eq!(reason(&mut session), failed(text));

    let mut session = downloading(0);
    session.set_failure_reason("disk full after 400000 bytes");
    // Told again where the first report could not be published.
    assert_eq!(reason(&mut session), failed("disk full after 400000 bytes"));
    assert_eq!(reason(&mut session), failed("disk full after 400000 bytes"));
    session.report_version("1").unwrap();
    session.receive(UPDATE);
    assert_eq!(reason(&mut session), failed("upgrade failed"));
}

#[test]
fn a_download_that_could_not_start_is_the_reason_of_the_failure_report() {
    let mut session = fetching();
    session.download_refused("no route");
    let refused = Report::failure("1.3.0", FailureCode::Upgrade, "no route");
    assert_eq!(session.upgrade_failed(None), Ok(refused));
    // The next command has nothing to do with it.
    session.receive(UPDATE);
    let failed = Report::failure("1.3.0", FailureCode::Upgrade, "upgrade failed");
    assert_eq!(session.upgrade_failed(None), Ok(failed));
}

#[test]
fn a_session_that_tells_once_leaves_failures_to_its_owner() {
    let mut session = Session::telling_once();
    session.report_version("1").unwrap();
    session.receive(UPDATE);
    assert_eq!(session.failure_reason(), None);
    assert_eq!(session.fetch_failed(&Failure::not_exist("the server answered 404")), None);
    assert_eq!((session.state(), session.failure_reason()), (State::Fetched, Some("the server answered 404")));
    let text = session.failure_reason().unwrap().to_owned();
    let report = Report::failure("1.3.0", FailureCode::NotExist, "the server answered 404");
    assert_eq!(session.ended_by(None, FailureCode::NotExist, &text), Ok(report));
    assert_eq!(session.state(), State::Inited);

    session.receive(UPDATE);
    let _ = session.fetched(1000, Millis(0));
    assert_eq!(session.check_firmware("00"), Ok((false, None)));
    assert!(session.failure_reason().is_some_and(|text| text.starts_with("MD5 of the firmware is 00")));
    // A command that can't be followed is nobody else's.
    session.report_version("1").unwrap();
    assert!(matches!(session.receive(br#"{"type":"update_firmware"}"#), Received::BadUpdate(..)));
}
