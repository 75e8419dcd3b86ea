//! The figures as a picture: four bars of seconds, and how late each end was.

use std::fmt::Write as _;

use e2e::figures::percentile;

use super::report::Report;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 170.0;
const ROW: f64 = 34.0;

/// An SVG that reads on light and on dark ground.
pub fn svg(report: &Report) -> String {
    let mut picture = String::new();
    let height = ROW.mul_add(5.0, 270.0);
    let _ = writeln!(
        picture,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>"
    );
    text(
        &mut picture,
        16.0,
        24.0,
        &format!("{} grants, sandbox: seconds from apply to Active", report.grants),
    );
    bars(&mut picture, report);
    ends(&mut picture, report, ROW.mul_add(5.0, 30.0));
    picture.push_str("</svg>\n");
    picture
}

fn text(picture: &mut String, x: f64, y: f64, words: &str) {
    let _ = writeln!(picture, "<text x=\"{x}\" y=\"{y}\" fill=\"#1f2933\">{words}</text>");
}

fn bars(picture: &mut String, report: &Report) {
    let floor = |number: usize| report.object_floor.get(number).map_or(0.0, |floor| floor.seconds);
    let rows = [
        ("object floor, before", floor(0), "#9aa5b1"),
        ("Comity", report.seconds, "#2f6fde"),
        ("request floor", report.request_floor.seconds, "#9aa5b1"),
        ("object floor, after", floor(1), "#9aa5b1"),
    ];
    let longest = rows.iter().map(|(_, seconds, _)| *seconds).fold(0.1, f64::max);
    for (row, (what, seconds, colour)) in (1_u32..).zip(rows) {
        let top = ROW.mul_add(f64::from(row), 6.0);
        let width = (WIDTH - LEFT - 80.0) * seconds / longest;
        text(picture, 16.0, top + 17.0, what);
        let _ = writeln!(
            picture,
            "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{width:.1}\" height=\"24\" rx=\"3\" fill=\"{colour}\"/>"
        );
        text(picture, LEFT + width + 8.0, top + 17.0, &format!("{seconds:.1} s"));
    }
}

/// How late each end was, in rising order, under the line of half a second.
fn ends(picture: &mut String, report: &Report, top: f64) {
    let (bottom, right) = (top + 190.0, WIDTH - 40.0);
    text(picture, 16.0, top + 18.0, "milliseconds from the recorded end until a SubjectAccessReview says no");
    let most = report.expiry.last().copied().unwrap_or(1.0).max(550.0);
    let height = |late: f64| (bottom - top - 40.0).mul_add(-(late / most), bottom);
    let goal = height(500.0);
    let _ = writeln!(
        picture,
        "<line x1=\"60\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\" stroke=\"#52606d\"/>\n\
         <line x1=\"60\" x2=\"{right}\" y1=\"{goal:.1}\" y2=\"{goal:.1}\" stroke=\"#c23b22\" stroke-dasharray=\"5 4\"/>"
    );
    text(picture, 16.0, goal + 4.0, "500");
    text(picture, 40.0, bottom + 4.0, "0");
    let step = (right - 60.0) / report.expiry.len().max(1) as f64;
    for (number, late) in (0_u32..).zip(&report.expiry) {
        let x = step.mul_add(f64::from(number) + 0.5, 60.0);
        let y = height(*late);
        let _ = writeln!(picture, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" fill=\"#2f6fde\"/>");
    }
    let (half, most) = (percentile(&report.expiry, 50), percentile(&report.expiry, 99));
    text(
        picture,
        60.0,
        bottom + 22.0,
        &format!("each dot a grant, in rising order; p50 {half:.0} ms, p99 {most:.0} ms"),
    );
}
