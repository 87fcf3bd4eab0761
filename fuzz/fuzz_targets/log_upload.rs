//! What the log server and the cloud say: an answer in any pieces has one verdict, the level is one that there is, and a text is
//! split without a byte more or less, in both forms.
#![no_main]

use iot_engine::services::log_upload::{self, level, Form};
use libfuzzer_sys::fuzz_target;

fn verdict<'a>(form: Form, pieces: impl Iterator<Item = &'a [u8]>) -> Result<(), String> {
    let mut answer = log_upload::answer();
    for piece in pieces {
        if answer.need().is_none() {
            break;
        }
        answer.room(piece.len()).copy_from_slice(piece);
        answer.received(piece.len());
    }
    answer.closed();
    log_upload::verdict(form, answer)
}

fuzz_target!(|data: &[u8]| {
    let _ = level::parse(data);

    for form in [Form::Plain, Form::Json] {
        assert!(data.starts_with(form.sound(data)));
        let mut left = data;
        let mut whole = Vec::new();
        while !left.is_empty() {
            let part = form.first_part(left);
            assert!((1..=left.len()).contains(&part));
            whole.extend_from_slice(&left[..part]);
            left = &left[part..];
        }
        assert_eq!(whole, data);

        let Some((&len, answer)) = data.split_first() else { return };
        let in_pieces = verdict(form, answer.chunks(usize::from(len).max(1)));
        let at_once = verdict(form, std::iter::once(answer));
        // A server that says too much may be found out sooner.
        if answer.len() <= 16 * 1024 {
            assert_eq!(in_pieces.is_ok(), at_once.is_ok(), "{in_pieces:?} {at_once:?}");
        }
        if let Err(why) = in_pieces {
            assert!(!why.is_empty());
        }
    }
});
