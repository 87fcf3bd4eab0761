//! How soon a download begins.

use crate::figures::{in_turns, Goal, Row, Unit};
use crate::site::Site;
use crate::{curl, fetch, Plan};

const BYTES: usize = 1_000_000;
const ROUNDS: usize = 21;

pub fn run(plan: &Plan) -> Vec<Row> {
    let site = Site::new("https", BYTES);
    let mut ours = || fetch::run(None, &site, &["-b", "5000"]).first_byte_s * 1e3;
    let mut by_curl = || curl::fetch(&[], &site.url, &site.roots, BYTES).first_byte_s * 1e3;
    let figures = in_turns(plan.rounds(ROUNDS), Unit::Milliseconds, &mut [("ours", &mut ours), ("curl", &mut by_curl)]);
    let [ours, by_curl] = figures.as_slice() else { unreachable!("one figure each") };
    let row = Row::new("update command to first byte of firmware, HTTPS, TLS 1.3", ours.clone())
        .beside("curl, start to first byte", by_curl)
        .goal(Goal::at_most(1.2, ours.median() / by_curl.median(), "times curl"));
    vec![row]
}
