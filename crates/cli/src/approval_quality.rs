//! `provost approvals quality`: how approvals are answered, as tables.

use crate::{
    Client, Failure, Out, Style,
    out::{clean, facts, table},
    when,
};
use clap::Args;
use provost_api::{
    Moment, Span,
    quality::{NamedMeasure, PersonQuality, QualityQuery, QualityView},
};
use provost_domain::{Name, Timestamp};
use std::fmt::Write as _;

/// `provost approvals quality`.
#[derive(Debug, Clone, Args)]
pub struct QualityArgs {
    /// Only what this person answered
    #[arg(long)]
    pub person: Option<Name>,
    /// Only of this operation, such as bank/transfer
    #[arg(long)]
    pub tool: Option<String>,
    /// Only what was asked for since: 7d, 12h, or a moment (RFC 3339); 30 days at most
    #[arg(long, value_parser = since)]
    pub since: Option<Since>,
}

/// So long ago, or a moment.
#[derive(Debug, Clone, Copy)]
pub enum Since {
    /// So long ago.
    Ago(Span),
    /// A moment.
    At(Moment),
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub(crate) async fn run(args: QualityArgs, client: &Client, out: Out) -> Result<(), Failure> {
    let since = args.since.map(|since| match since {
        Since::Ago(span) => {
            Moment(Timestamp::from_millis(when::now_seconds().saturating_mul(1_000)).minus(span.0))
        }
        Since::At(moment) => moment,
    });
    let query = QualityQuery { since, person: args.person, tool: args.tool };
    let quality: QualityView = client.get_with("approvals/quality", &query).await?;
    out.show(&quality, render);
    Ok(())
}

fn since(text: &str) -> Result<Since, String> {
    match text.parse::<Span>() {
        Ok(span) => Ok(Since::Ago(span)),
        Err(_no_span) => text
            .parse()
            .map(Since::At)
            .map_err(|_neither| "write how long ago (7d, 12h) or a moment (2026-11-22T05:54:29Z)".to_owned()),
    }
}

fn render(quality: &QualityView, style: Style) -> String {
    let all = &quality.all;
    let since = when::long(quality.since);
    let whole =
        if quality.complete { "" } else { "; there were more before that this node does not measure" };
    let checks = quality.checks.map(|checks| {
        format!("{} refused, {} approved, {} unanswered", checks.refused, checks.approved, checks.unanswered)
    });
    let mut text = facts(
        &[
            ("asked since", format!("{since}{whole}")),
            ("asked for", all.asked.to_string()),
            ("granted", format!("{} ({} of those decided)", all.granted, rate(all.rate))),
            ("refused", all.refused.to_string()),
            ("edited", all.edited.to_string()),
            ("nobody answered", all.timed_out.to_string()),
            ("withdrawn", all.withdrawn.to_string()),
            (
                "time to decide",
                format!("half within {}, nine of ten within {}", length(all.median), length(all.p90)),
            ),
            ("checks", checks.unwrap_or_default()),
        ],
        style,
    );
    if !quality.people.is_empty() {
        let _written = writeln!(text, "\n{}", people(&quality.people, style));
    }
    for (of, rows) in [("operation", &quality.tools), ("agent", &quality.agents)] {
        if !rows.is_empty() {
            let _written = writeln!(text, "\n{}", measures(of, rows, style));
        }
    }
    text
}

fn people(rows: &[PersonQuality], style: Style) -> String {
    let some = |count: usize, bad: fn(Style, &str) -> String| match count {
        0 => "0".to_owned(),
        count => bad(style, &count.to_string()),
    };
    let row = |row: &PersonQuality| {
        vec![
            row.person.to_string(),
            row.waiting.to_string(),
            row.yes.to_string(),
            row.no.to_string(),
            row.edited.to_string(),
            rate(row.rate),
            length(row.median),
            length(row.p90),
            format!("{} (most {})", row.per_day, row.busiest_day),
            some(row.hurried, |style, text| style.yellow(text)),
            row.warned.to_string(),
            row.checks_refused.to_string(),
            some(row.checks_approved, |style, text| style.red(text)),
        ]
    };
    let heads = [
        "person",
        "waits",
        "yes",
        "no",
        "edits",
        "rate",
        "half",
        "9 of 10",
        "a day",
        "too fast",
        "warned",
        "checks no",
        "checks yes",
    ];
    table(&heads, rows.iter().map(row), style)
}

fn measures(of: &str, rows: &[NamedMeasure], style: Style) -> String {
    let row = |row: &NamedMeasure| {
        let measure = &row.measure;
        vec![
            clean(&row.name),
            measure.asked.to_string(),
            measure.granted.to_string(),
            measure.refused.to_string(),
            measure.edited.to_string(),
            measure.timed_out.to_string(),
            rate(measure.rate),
            length(measure.median),
            length(measure.p90),
        ]
    };
    let heads = [of, "asked", "granted", "refused", "edited", "nobody", "rate", "half", "9 of 10"];
    table(&heads, rows.iter().map(row), style)
}

fn rate(rate: Option<u32>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{rate} %"))
}

fn length(span: Option<Span>) -> String {
    span.map_or("-".to_owned(), when::length)
}
