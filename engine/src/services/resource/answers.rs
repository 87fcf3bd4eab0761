//! Which of the cloud's answers is the one to the final report of an upload (resource.md section 5). An answer to a
//! progress report looks the same.

use crate::time::Millis;

/// How long after the last answer it counts where answers are missing.
const GRACE_MS: u64 = 1000;

/// The answers to reports of one upload.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Progress reports that have not been answered.
    open: u32,
    waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Default)]
struct Waiting {
    /// The last answer that could be one to a progress report.
    last: Option<(i32, Millis)>,
    answer: Option<i32>,
}

impl Answers {
    /// An upload begins.
    pub fn begin(&mut self) {
        self.open = 0;
    }

    /// A progress report goes out.
    pub fn reported(&mut self) {
        self.open = self.open.saturating_add(1);
    }

    /// The final report goes out.
    pub fn await_last(&mut self) {
        self.waiting = Some(Waiting::default());
    }

    /// An answer came at `now`.
    pub fn received(&mut self, code: i32, now: Millis) {
        let is_open = self.open > 0;
        self.open = self.open.saturating_sub(1);
        if let Some(waiting) = &mut self.waiting {
            if code == 0 && is_open {
                waiting.last = Some((code, now));
            } else {
                waiting.answer.get_or_insert(code);
            }
        }
    }

    /// What the cloud made of the upload, said in a message of its own.
    pub fn received_result(&mut self, code: i32) {
        if let Some(waiting) = &mut self.waiting {
            waiting.answer.get_or_insert(code);
        }
    }

    /// The answer to the final report, as far as it can be told at `now`.
    #[must_use]
    pub fn last(&self, now: Millis) -> Option<i32> {
        let waiting = self.waiting.as_ref()?;
        waiting.answer.or_else(|| waiting.last.filter(|(_, at)| now.since(*at) >= GRACE_MS).map(|(code, _)| code))
    }

    /// Nobody waits any more.
    pub fn end(&mut self) {
        *self = Answers::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 19.
    #[test]
    fn answers_to_progress_reports_are_skipped() {
        let mut answers = Answers::default();
        for _ in 0..3 {
            answers.reported();
        }
        answers.received(0, Millis(0));
        answers.await_last();
        answers.received(0, Millis(10));
        answers.received(0, Millis(20));
        assert_eq!(answers.last(Millis(900)), None);
        answers.received(0, Millis(30));
        assert_eq!(answers.last(Millis(31)), Some(0));
        answers.received(9, Millis(40));
        assert_eq!(answers.last(Millis(41)), Some(0), "the first one counts");
        answers.end();
        assert_eq!(answers.last(Millis(9999)), None);
    }

    #[test]
    fn where_answers_are_missing_the_last_one_counts_a_second_later() {
        let mut answers = Answers::default();
        answers.reported();
        answers.reported();
        answers.await_last();
        assert_eq!(answers.last(Millis(5000)), None);
        answers.received(0, Millis(100));
        assert_eq!(answers.last(Millis(1099)), None);
        assert_eq!(answers.last(Millis(1100)), Some(0));
    }

    /// Case 18.
    #[test]
    fn an_answer_that_is_not_0_counts_at_once() {
        for code in [7, -1] {
            let mut answers = Answers::default();
            answers.reported();
            answers.await_last();
            answers.received(code, Millis(1));
            assert_eq!(answers.last(Millis(1)), Some(code));
        }
    }

    /// Case 20.
    #[test]
    fn an_upload_result_answers_no_progress_report() {
        let mut answers = Answers::default();
        answers.reported();
        answers.received_result(4);
        assert_eq!(answers.last(Millis(1)), None);
        answers.await_last();
        answers.received_result(3);
        assert_eq!(answers.last(Millis(1)), Some(3));
    }
}
