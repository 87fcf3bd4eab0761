//! Bare download loops of 100 MB, without a disk, beside the least a device must do.

use crate::fetch::{self, speed};
use crate::figures::{in_turns, BarKind, Figure, Goal, Row, Unit};
use crate::site::Site;
use crate::{c_sdk, curl, limit, Plan};

const BYTES: usize = 100_000_000;
const ROUNDS: usize = 9;
const LARGE: usize = 65_536;
const SMALL: usize = 5_000;

pub fn run(plan: &Plan) -> Vec<Row> {
    let mut rows = of_scheme(plan, "http", "socket + MD5", c_sdk::HTTP_SHARE);
    rows.extend(of_scheme(plan, "https", "rustls + MD5", c_sdk::HTTPS_SHARE));
    rows
}

/// The loop with large and with small buffers. `noted` is the C SDK's share of the limit where no peer is measured.
fn of_scheme(plan: &Plan, scheme: &str, limit_name: &str, noted: f64) -> Vec<Row> {
    let site = Site::new(scheme, plan.bytes(BYTES));
    let bytes = site.size();
    let loop_of = |size: usize| {
        let site = &site;
        move || speed(bytes, fetch::run(None, site, &["-b", &size.to_string()]).download_s)
    };
    let peer_of = |size: usize| {
        let (site, peer) = (&site, plan.peer.as_deref());
        move || speed(bytes, fetch::run(peer, site, &["-b", &size.to_string()]).download_s)
    };
    let (mut large, mut small) = (loop_of(LARGE), loop_of(SMALL));
    let mut least = || speed(bytes, limit::fetch(&site.url, &site.roots, bytes));
    let mut by_curl = || speed(bytes, curl::fetch(&[], &site.url, &site.roots, bytes).total_s);
    let (mut peer_large, mut peer_small) = (peer_of(LARGE), peer_of(SMALL));
    let mut runners: Vec<(&str, &mut dyn FnMut() -> f64)> =
        vec![("64 kB", &mut large), ("5,000 bytes", &mut small), (limit_name, &mut least), ("curl", &mut by_curl)];
    if plan.peer.is_some() {
        runners.push(("C SDK 64 kB", &mut peer_large));
        runners.push(("C SDK 5,000 bytes", &mut peer_small));
    }
    println!("   {bytes} bytes over {scheme}");
    let figures = in_turns(plan.rounds(ROUNDS), Unit::MegabytesPerSecond, &mut runners);
    let [large, small, least, by_curl, peers @ ..] = figures.as_slice() else { unreachable!("one figure each") };

    let title = scheme.to_uppercase();
    let mut of_large = Row::new(&format!("FetchYield loop, 100 MB, 64 kB buffers, {title}"), large.clone())
        .beside(limit_name, least)
        .beside("curl without MD5", by_curl)
        .goal(Goal::at_least(0.9, large.median() / least.median(), &format!("of {limit_name}")))
        .bar("this library", large.median(), BarKind::Ours)
        .bar(limit_name, least.median(), BarKind::Limit);
    let mut of_small = Row::new(&format!("the same, 5,000-byte buffers, {title}"), small.clone())
        .beside("64 kB buffers", large)
        .goal(Goal::at_least(0.8, small.median() / large.median(), "of the 64 kB figure"))
        .bar("this library", small.median(), BarKind::Ours);
    let share = match peers {
        [peer_large, peer_small] => {
            of_large = of_large.beside("C SDK", peer_large).bar("C SDK", peer_large.median(), BarKind::CSdk);
            of_small = of_small.beside("C SDK", peer_small).bar("C SDK", peer_small.median(), BarKind::CSdk);
            peer_large.median() / least.median()
        }
        _ => noted,
    };
    vec![of_large.beside("C SDK", &Figure::once(Unit::OfTheLimit, share)), of_small]
}
