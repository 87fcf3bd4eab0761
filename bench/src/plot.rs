//! The README's plot: download speeds as bars, in SVG.

use std::fmt::Write as _;

use crate::figures::{number, BarKind, Row};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 120.0;
/// For the number behind a bar.
const RIGHT: f64 = 90.0;
const BAR: f64 = 16.0;
const STEP: f64 = 20.0;
const TITLE: f64 = 24.0;
const GAP: f64 = 12.0;

/// A group for each row that has bars.
pub fn svg(rows: &[Row]) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|row| !row.bars.is_empty()).collect();
    let most = rows.iter().flat_map(|row| &row.bars).map(|bar| bar.value).fold(1.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / most;
    let mut body = String::new();
    let mut y = GAP;
    for row in rows {
        // Writing to a String can't fail.
        let _ = writeln!(body, r#"<text x="8" y="{:.0}" font-weight="bold">{}</text>"#, y + 14.0, escaped(&row.case));
        y += TITLE;
        for bar in &row.bars {
            let colour = match bar.kind {
                BarKind::Ours => "#c2410c",
                BarKind::Limit => "#94a3b8",
                BarKind::CSdk => "#334155",
            };
            // What is there can be seen, however little it is.
            let width = (bar.value * scale).max(1.0);
            let (base, name) = (y + 12.0, escaped(&bar.name));
            let _ = writeln!(body, r#"<text x="{:.0}" y="{base:.0}" text-anchor="end">{name}</text>"#, LEFT - 6.0);
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT:.0}" y="{y:.0}" width="{width:.1}" height="{BAR:.0}" fill="{colour}"/>"#
            );
            let value = number(bar.value);
            let _ = writeln!(body, r#"<text x="{:.1}" y="{base:.0}">{value} MB/s</text>"#, LEFT + width + 6.0);
            y += STEP;
        }
        y += GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y:.0}\" viewBox=\"0 0 {WIDTH} {y:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
