//! Ranges other than the one that was asked for.

use super::*;

/// What can hardly be right is asked for once more: a cache may have been filled meanwhile.
#[test]
fn a_range_that_can_not_be_right_is_asked_for_once_more() {
    let file = firmware(10);
    let later = partial(&file, 5, "");
    let no_range = b"HTTP/1.1 206 P\r\nContent-Length: 6\r\n\r\nxxxxxx".to_vec();
    let short = b"HTTP/1.1 206 P\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 5\r\n\r\nxxxxx".to_vec();
    for answer in [later, no_range, short] {
        let mut run = Run::new(16, 64);
        let scripts = (0..6).map(|_| says(answer.clone())).collect();
        let end = failure(run.drive(&mut transfer("http://h/f", 4, 10), scripts));
        assert_eq!((end.error, run.got.len(), run.connects.len()), (OtaError::FetchFailed, 0, 2), "{}", end.text);

        let mut run = Run::new(16, 64);
        let scripts = vec![says(answer), says(partial(&file, 4, ""))];
        assert_eq!(run.drive(&mut transfer("http://h/f", 4, 10), scripts), Step::Finished);
        assert_eq!(run.got, &file[4..]);
    }
}

/// Case range_begins_earlier.
#[test]
fn a_range_that_begins_earlier_is_skipped_into() {
    let file = firmware(10_000);
    for begin in [0, 1, 4096, 4999, 5000] {
        for chunk in [1, 100, 5000] {
            let mut transfer = transfer("http://h/f", 0, 10_000);
            let first = partial(&file, 0, "");
            let scripts = vec![says(&first[..first.len() - 5000]), says(partial(&file, begin, ""))];
            let mut run = Run::new(chunk, 64);
            assert_eq!(run.drive(&mut transfer, scripts), Step::Finished, "{begin}");
            assert!(run.got == file, "{begin} {chunk}");
            assert!(run.requests[1].contains("Range: bytes=5000-9999"));
            assert!(matches!(transfer.take_note(), Some(Note::Interrupted(_))));
            let twice =
                (begin < 5000).then(|| Note::FetchedTwice(format!("{} bytes were fetched twice", 5000 - begin)));
            assert_eq!((transfer.take_note(), transfer.take_note()), (twice, None));
        }
    }
}
