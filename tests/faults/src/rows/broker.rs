//! The broker and the way to it. `slow` makes a download last, so that something can happen meanwhile.

use e2e::Build;

use crate::row::Expect::{FailsUnheard, Right, RightAfter};
use crate::row::Row;

/// A download of 4 s.
pub(super) const SLOW: &str = "http:slow=30000";

/// The rows.
pub fn rows() -> Vec<Row> {
    [connecting(), reporting(), meanwhile(), half_open(), messages(), other_builds()].concat()
}

fn connecting() -> Vec<Row> {
    let mut rows = Vec::new();
    for code in [1, 2, 3, 4, 5, 99] {
        let (name, rule) = (format!("CONNACK {code}"), format!("mqtt:connack={code}#1"));
        rows.push(Row::new(&name, &[&rule], FailsUnheard).says(&["err|"]));
    }
    for (name, rule) in [
        ("the broker resets the connection at once", "refuse"),
        ("the broker closes the connection at once", "hang-up"),
        ("the broker accepts and stays silent", "silent"),
        ("CONNECT cuts the connection", "cut@connect"),
        ("no CONNACK", "no-answer@connect"),
        ("half a CONNACK", "half@connect"),
        ("no SUBACK", "no-answer@subscribe"),
        ("half a SUBACK", "half@subscribe"),
    ] {
        rows.push(Row::new(name, &[&format!("mqtt:{rule}#1")], FailsUnheard));
    }
    rows.extend([
        Row::new("the subscription is refused once", &["mqtt:refuse-subscription#1"], Right),
        Row::new("the subscription is refused, and once more", &["mqtt:refuse-subscription#1-2"], FailsUnheard),
    ]);
    rows
}

/// The version report and the results.
fn reporting() -> Vec<Row> {
    let mut rows = Vec::new();
    for report in ["version", "burning", "done"] {
        for (what, rule) in [
            ("gets no PUBACK", "no-answer"),
            ("cuts the connection", "cut"),
            ("resets the connection", "reset"),
            ("gets half a PUBACK", "half"),
        ] {
            let (name, rule) = (format!("the report of {report} {what}"), format!("mqtt:{rule}@{report}#1"));
            rows.push(Row::new(&name, &[&rule], Right).attempts(3).args(&["-k", "4"]).requests(1));
        }
    }
    rows.extend([
        Row::new(
            "the report of a failure cuts the connection",
            &["http:status=404#1", "mqtt:cut@fail#1"],
            RightAfter(-2),
        )
        .attempts(2),
        Row::new("the broker goes away for 20 s with the result", &["mqtt:away=20@done#1"], Right)
            .attempts(3)
            .requests(1),
        Row::new("no PUBACK ever", &["mqtt:no-answer@publish"], FailsUnheard).says(&["err|"]),
        Row::new("no PUBACK for any report of burning", &["mqtt:no-answer@burning"], FailsUnheard)
            .says(&["err|", "upgrade begin"]),
        Row::new("the fifth packet cuts the connection", &["mqtt:cut@packet#5"], Right).attempts(2),
        Row::new("no PUBACK at all for a while", &["mqtt:no-answer@publish#1-3"], Right).attempts(4).args(&["-k", "4"]),
    ]);
    rows
}

/// While a download runs.
fn meanwhile() -> Vec<Row> {
    let mut rows = Vec::new();
    for (mode, args) in [("", &[][..]), (" (loop thread)", &["-l"][..])] {
        let row =
            |name: &str, faults: &[&str]| Row::new(&format!("{name}{mode}"), faults, Right).args(args).requests(1);
        rows.extend([
            row("the broker is gone for 20 s in mid-download", &["http:slow=5000", "mqtt:away=20@downloading#1"])
                .says(&["connection is back"]),
            row("the broker is gone for 20 s and the download is over first", &[SLOW, "mqtt:away=20@downloading#1"]),
            row("the broker cuts in mid-download", &[SLOW, "mqtt:cut@downloading#1"]),
            row("the broker resets in mid-download", &[SLOW, "mqtt:reset@downloading#1"]),
        ]);
    }
    rows.extend([
        Row::new(
            "broker and firmware server are cut together",
            &["http:cut=60000#1", SLOW, "mqtt:cut@downloading#1"],
            Right,
        )
        .requests(2),
        Row::new(
            "the broker cuts five times",
            &[SLOW, "mqtt:cut@downloading#1-2", "mqtt:cut@burning#1-2", "mqtt:cut@done#1"],
            Right,
        ),
    ]);
    rows
}

/// Nothing is closed, nothing is said: only pings find out.
fn half_open() -> Vec<Row> {
    let mut rows = Vec::new();
    for (mode, args) in [("", &["-k", "4"][..]), (" (loop thread)", &["-k", "4", "-l"][..])] {
        let row = |name: &str, faults: &[&str]| {
            Row::new(&format!("{name}{mode}"), faults, Right).attempts(3).args(args).requests(1)
        };
        rows.extend([
            row("the broker is half-open in mid-download", &["http:slow=8000", "mqtt:silent@downloading#1"]),
            row("the broker is half-open at the end", &["mqtt:silent@burning#1"]),
            row("pings are not answered", &["http:slow=8000", "mqtt:no-answer@pingreq#1-2"]),
        ]);
    }
    rows.push(
        Row::new("half of the update command, then silence", &["mqtt:half@order#1"], Right)
            .attempts(3)
            .args(&["-k", "4"]),
    );
    rows
}

fn messages() -> Vec<Row> {
    vec![
        Row::new("the update command twice under one packet id", &["mqtt:twice@order#1"], Right).requests(1),
        Row::new("every message twice under one packet id", &["mqtt:twice@message"], Right).requests(1),
        Row::new("the update command again in mid-download", &[SLOW, "mqtt:command=repeat@downloading#1"], Right)
            .requests(1),
        Row::new("another update command in mid-download", &[SLOW, "mqtt:command=other@downloading#1"], Right)
            .requests(1),
        Row::new("the update command after the end", &["mqtt:command=repeat@burning#1"], Right).requests(1),
        Row::new("the update command is lost with the connection", &["mqtt:lose@order#1", "mqtt:cut@puback#1"], Right),
        Row::new("a message of 40 kB in mid-download", &[SLOW, "mqtt:send=long-message@downloading#1"], Right)
            .requests(1),
    ]
}

fn other_builds() -> Vec<Row> {
    let mut rows = Vec::new();
    for (build, mode) in [(Build::NoTls, "KEY without TLS"), (Build::Cert, "CERT")] {
        let row =
            |name: &str, faults: &[&str], expect| Row::new(&format!("{mode}: {name}"), faults, expect).build(build);
        rows.extend([
            row("the broker cuts in mid-download", &[SLOW, "mqtt:cut@downloading#1"], Right).requests(1),
            row("the broker is gone for 5 s in mid-download", &[SLOW, "mqtt:away=5@downloading#1"], Right).requests(1),
            row("CONNACK 5", &["mqtt:connack=5#1"], FailsUnheard),
            row("no CONNACK", &["mqtt:no-answer@connect#1"], FailsUnheard),
            row("the report of done cuts the connection", &["mqtt:cut@done#1"], Right).attempts(3),
            row("the firmware server cuts in the middle", &["http:cut=60000#1"], Right).requests(2),
        ]);
    }
    rows
}
