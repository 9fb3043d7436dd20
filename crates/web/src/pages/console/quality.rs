//! How approvals are answered: measures as tables, and two charts drawn here that say the same.

use super::{
    asked::{self, Choice, Faults},
    bits,
    look::{Frame, Looker, Shown},
};
use askama::Template;
use axum::extract::Query;
use provost_api::{
    Span,
    quality::{MeasureView, QualityQuery, QualityView},
};
use provost_control::{Action, quality};
use provost_domain::DurationMs;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    since: String,
    person: String,
    tool: String,
}

#[derive(Template)]
#[template(path = "console/quality.html")]
struct Page {
    frame: Frame,
    form: Form,
    faults: Vec<String>,
    spans: Vec<Choice>,
    quality: QualityView,
    days: Vec<Bar>,
    most: usize,
    people: Vec<Line>,
    longest: Option<Span>,
}

/// A part of a column: so much of a day.
struct Bar {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    class: &'static str,
}

/// How long one person takes, as a line from nothing to the ninetieth of a hundred, marked at the fiftieth.
struct Line {
    name: String,
    y: usize,
    text_y: usize,
    median: u64,
    p90: u64,
}

/// The quality of approvals.
pub(super) async fn show(looker: Looker, Query(form): Query<Form>) -> Shown {
    looker.may(Action::ApprovalRead)?;
    let mut faults = Faults::default();
    let back = SPANS.iter().find(|(word, ..)| *word == form.since).map_or(MONTH, |(_, _, back)| *back);
    let query = QualityQuery {
        since: Some(looker.plane().now().minus(back).into()),
        person: faults.read("name of a person", &form.person),
        tool: faults.read("operation", &form.tool),
    };
    let quality = quality::show(&looker.op, query).await.map_err(|error| looker.failed(&error))?;
    let spans: Vec<(&'static str, &'static str)> =
        SPANS.iter().map(|(word, label, _)| (*word, *label)).collect();
    let (days, most) = columns(&quality);
    let (people, longest) = lines(&quality);
    let page = Page {
        frame: looker.frame("/approvals"),
        spans: asked::choices(&form.since, &spans),
        faults: faults.into_lines(),
        form,
        quality,
        days,
        most,
        people,
        longest,
    };
    Ok(looker.page(&page))
}

/// Columns of days, 600 by 96: granted below, then edited, refused, and what nobody answered.
fn columns(quality: &QualityView) -> (Vec<Bar>, usize) {
    let all = |measure: &MeasureView| parts(measure).iter().map(|(count, _)| count).sum::<usize>();
    let most = quality.days.iter().map(|day| all(&day.measure)).max().unwrap_or_default();
    let step = WIDTH.checked_div(quality.days.len()).unwrap_or(WIDTH).clamp(2, 40);
    let mut bars = Vec::new();
    for (place, day) in quality.days.iter().enumerate() {
        let mut below = 0_usize;
        for (count, class) in parts(&day.measure) {
            let height = count.saturating_mul(HEIGHT).checked_div(most).unwrap_or_default();
            let height = if count > 0 { height.max(2) } else { continue };
            below = below.saturating_add(height);
            let (x, width) = (place.saturating_mul(step), step.saturating_sub(2).max(1));
            bars.push(Bar { x, y: HEIGHT.saturating_sub(below), width, height, class });
        }
    }
    (bars, most)
}

fn parts(measure: &MeasureView) -> [(usize, &'static str); 4] {
    let nobody = measure.timed_out.saturating_add(measure.withdrawn);
    [(measure.granted, "good"), (measure.edited, "act"), (measure.refused, "stop"), (nobody, "wait")]
}

/// Lines of the people with most answers, 400 wide, to the scale of the longest.
fn lines(quality: &QualityView) -> (Vec<Line>, Option<Span>) {
    let timed = || quality.people.iter().filter(|row| row.p90.is_some()).take(LINES_MAX);
    let longest = timed().filter_map(|row| row.p90).max();
    let scale = longest.map_or(1, |span| span.0.0.max(1));
    let scaled = |span: Option<Span>| {
        span.map_or(0, |span| span.0.0.saturating_mul(LINE_WIDTH).checked_div(scale).unwrap_or_default())
    };
    let lines = timed().enumerate().map(|(place, row)| Line {
        name: row.person.to_string(),
        y: place.saturating_mul(LINE_HEIGHT).saturating_add(4),
        text_y: place.saturating_mul(LINE_HEIGHT).saturating_add(15),
        median: scaled(row.median).max(2),
        p90: scaled(row.p90).max(2),
    });
    (lines.collect(), longest)
}

impl Page {
    fn lines_height(&self) -> usize {
        self.people.len().saturating_mul(LINE_HEIGHT)
    }

    /// A length of time, or a dash.
    fn length(span: &Option<Span>) -> String {
        span.map_or("–".to_owned(), |span| bits::length(span.0))
    }

    fn rate(rate: &Option<u32>) -> String {
        rate.map_or("–".to_owned(), |rate| format!("{rate} %"))
    }
}

const MONTH: DurationMs = DurationMs::from_mins(30 * 24 * 60);
const SPANS: &[(&str, &str, DurationMs)] = &[
    ("", "the last 30 days", MONTH),
    ("week", "the last 7 days", DurationMs::from_mins(7 * 24 * 60)),
    ("day", "the last 24 hours", DurationMs::from_mins(24 * 60)),
];
const WIDTH: usize = 600;
const HEIGHT: usize = 96;
const LINES_MAX: usize = 12;
const LINE_WIDTH: u64 = 380;
const LINE_HEIGHT: usize = 22;
