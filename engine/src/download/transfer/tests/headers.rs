//! What headers of an answer do: odd lines, validators, redirects to another URL and what goes there.

use super::*;

#[test]
fn redirects_are_followed_five_times() {
    let file = firmware(10);
    let to = |status: u16, location: &str| {
        says(format!("HTTP/1.1 {status} X\r\nContent-Length: 9\r\nLocation: {location}\r\n\r\nelsewhere"))
    };
    let mut run = Run::new(100, 64);
    let scripts = vec![
        to(301, "/second?x=%2F%00"),
        to(302, "third"),
        to(303, "//other/fourth"),
        to(307, "https://secure/fifth"),
        to(308, "https://secure:8443/sixth"),
        says(whole(&file, "")),
    ];
    assert_eq!(run.drive(&mut transfer("http://h/a/first", 0, 10), scripts), Step::Finished);
    let places: Vec<&str> = run.connects.iter().map(|(_, url)| url.as_str()).collect();
    assert_eq!(
        places,
        [
            "http://h/a/first",
            "http://h/second",
            "http://h/third",
            "http://other/fourth",
            "https://secure/fifth",
            "https://secure:8443/sixth"
        ]
    );
    assert!(run.requests[1].starts_with("GET /second?x=%2F%00 HTTP/1.1\r\n"));
    assert!(run.requests[5].contains("Host: secure:8443\r\n"));

    let scripts = (0..9).map(|_| to(302, "/f")).collect();
    let mut run = Run::new(100, 64);
    let end = failure(run.drive(&mut transfer("http://h/f", 0, 10), scripts));
    assert_eq!((end.error, run.connects.len()), (OtaError::FetchFailed, 6));
}

#[test]
fn redirects_that_lead_nowhere_or_away_from_tls_fail() {
    for location in [
        "Location: http://h/f?s3cret",
        "Location: ftp://h/s3cret",
        "Location: \u{1f}s3cret",
        "Location: https:s3cret/",
        "X: y",
        "Location: http://",
    ] {
        let scripts = vec![says(format!("HTTP/1.1 302 Found\r\n{location}\r\n\r\n"))];
        let end = failure(Run::new(100, 64).drive(&mut transfer("https://h/f", 0, 10), scripts));
        assert_eq!(end.error, OtaError::FetchFailed, "{location}");
        assert!(!end.text.contains("s3cret"), "{}", end.text);
    }
}

#[test]
fn a_retry_begins_at_the_first_url_again() {
    let file = firmware(10);
    let redirect = || says("HTTP/1.1 302 Found\r\nLocation: http://other/signed\r\n\r\n");
    let cut = partial(&file, 0, "");
    let mut run = Run::new(1, 1);
    let scripts = vec![redirect(), says(&cut[..cut.len() - 4]), redirect(), says(partial(&file, 6, ""))];
    assert_eq!(run.drive(&mut transfer("http://h/f", 0, 10), scripts), Step::Finished);
    assert_eq!(run.got, file);
    assert_eq!(run.connects[2].1, "http://h/f");
}

/// Case url_with_user.
#[test]
fn user_and_password_go_to_their_server_only() {
    let to = |location: &str| says(format!("HTTP/1.1 302 X\r\nLocation: {location}\r\n\r\n"));
    let mut run = Run::new(16, 64);
    let mut transfer = transfer("http://u:p%20w@fw.example/f.bin", 0, 10);
    let scripts = vec![to("?a=1"), to("//other/f"), to("http://fw.example/g"), says(whole(&firmware(10), ""))];
    assert_eq!(run.drive(&mut transfer, scripts), Step::Finished);
    let sent = |request: &String| request.contains("\r\nAuthorization: Basic dTpwIHc=\r\n");
    // Once elsewhere, they don't come back.
    assert_eq!(run.requests.iter().map(sent).collect::<Vec<_>>(), [true, true, false, false]);
    assert!(run.requests[1].starts_with("GET /f.bin?a=1 HTTP/1.1\r\n"), "{}", run.requests[1]);
}

/// Case odd_header_lines, in a whole answer to a range request.
#[test]
fn odd_header_lines_do_not_keep_the_firmware_away() {
    let file = firmware(10);
    for line in
        ["X-Cache : HIT", "X-Long: a\r\n  b", "PHP Warning: x", "X-Odd(1): z", "X-\u{56fa}: z", "X: a\u{1}b", ": v"]
    {
        let mut run = Run::new(16, 64);
        let answer = says(partial(&file, 4, &format!("{line}\r\n")));
        assert_eq!(run.drive(&mut transfer("http://h/f", 4, 10), vec![answer]), Step::Finished, "{line}");
        assert_eq!((&run.got[..], run.connects.len()), (&file[4..], 1), "{line}");
    }
    let spaced = String::from_utf8_lossy(&partial(b"0123456789", 4, "")).replace("Length:", "Length :");
    let mut run = Run::new(16, 64);
    assert_eq!(run.drive(&mut transfer("http://h/f", 4, 10), vec![says(spaced)]), Step::Finished);
    assert_eq!(run.got, b"456789");
}

/// Nodes of one object store differ in their ETags. Size and MD5 decide.
#[test]
fn validators_that_differ_only_show_in_the_log() {
    let file = firmware(10);
    let first = partial(&file, 0, "ETag: \"a\"\r\n");
    for (second, skipped) in [
        (partial(&file, 6, "ETag: \"b\"\r\n"), false),
        (whole(&file, "ETag: \"b\"\r\n"), true),
        (partial(&file, 0, "ETag: W/\"a\"\r\n"), true),
    ] {
        let mut run = Run::new(1, 1);
        let mut transfer = transfer("http://h/f", 0, 10);
        let end = run.drive(&mut transfer, vec![says(&first[..first.len() - 4]), says(second)]);
        assert_eq!((end, &run.got), (Step::Finished, &file));
        assert!(matches!(transfer.take_note(), Some(Note::Interrupted(_))));
        let Some(Note::Changed(text)) = transfer.take_note() else { panic!("no word of the change") };
        assert!(text.starts_with("the file's ETag was \"a\", now is "), "{text}");
        assert_eq!(matches!(transfer.take_note(), Some(Note::FetchedTwice(_))), skipped);
    }
}
