//! Rows side by side, as a file would say them, line by line. Lines are text, whatever is in them.

use provost_api::proposal::{LineDiff, RowDiff};
use provost_domain::{Object, Proposal};
use serde_json::Value;

/// Every row that is written, before and afterwards.
pub(super) fn diffs(row: &Proposal, before: &[Option<Object>]) -> Vec<RowDiff> {
    row.writes
        .iter()
        .zip(before)
        .map(|(write, before)| {
            let verb = match (before, write.after()) {
                (None, _) => "add",
                (Some(_), Some(_)) => "change",
                (Some(_), None) => "remove",
            };
            let text = |object: Option<&Object>| object.map(lines).unwrap_or_default();
            let mut lines = side_by_side(&text(before.as_ref()), &text(write.after()));
            let more = lines.len().saturating_sub(LINES_SHOWN_MAX);
            lines.truncate(LINES_SHOWN_MAX);
            RowDiff { row: write.key().to_string(), verb: verb.to_owned(), lines, more }
        })
        .collect()
}

/// A row as lines.
fn lines(object: &Object) -> Vec<String> {
    let text = match object {
        Object::Policy(policy) => policy.text.clone(),
        Object::Agent(agent) => toml(&agent.charter),
        other => match serde_json::to_value(other) {
            Ok(Value::Object(mut members)) => toml(&members.remove("body").unwrap_or_default()),
            _ => String::new(),
        },
    };
    text.lines().take(LINES_MAX).map(str::to_owned).collect()
}

fn toml<T: serde::Serialize>(row: &T) -> String {
    // Through JSON, whose members are in order; TOML has no null, and rows have none either.
    let value = serde_json::to_value(row).unwrap_or_default();
    toml::to_string_pretty(&value)
        .or_else(|_no_toml| serde_json::to_string_pretty(&value))
        .unwrap_or_default()
}

/// The lines of both, those that are the same beside each other (longest common subsequence).
fn side_by_side(before: &[String], after: &[String]) -> Vec<LineDiff> {
    let width = after.len().saturating_add(1);
    let mut common = vec![0_u32; width.saturating_mul(before.len().saturating_add(1))];
    let at = |i: usize, j: usize| i.saturating_mul(width).saturating_add(j);
    let look = |common: &[u32], i: usize, j: usize| common.get(at(i, j)).copied().unwrap_or(0);
    for (i, was) in before.iter().enumerate().rev() {
        for (j, is) in after.iter().enumerate().rev() {
            let next = match was == is {
                true => look(&common, i.saturating_add(1), j.saturating_add(1)).saturating_add(1),
                false => look(&common, i.saturating_add(1), j).max(look(&common, i, j.saturating_add(1))),
            };
            if let Some(place) = common.get_mut(at(i, j)) {
                *place = next;
            }
        }
    }
    let (mut i, mut j, mut lines) = (0_usize, 0_usize, Vec::new());
    // What goes and what comes at the same place stand beside each other.
    let (mut gone, mut came) = (Vec::new(), Vec::new());
    loop {
        match (before.get(i), after.get(j)) {
            (Some(was), Some(is)) if was == is => {
                pair(&mut lines, &mut gone, &mut came);
                lines.push(LineDiff { before: Some(was.clone()), after: Some(is.clone()) });
                (i, j) = (i.saturating_add(1), j.saturating_add(1));
            }
            (Some(was), is)
                if is.is_none()
                    || look(&common, i.saturating_add(1), j) >= look(&common, i, j.saturating_add(1)) =>
            {
                gone.push(was.clone());
                i = i.saturating_add(1);
            }
            (_, Some(is)) => {
                came.push(is.clone());
                j = j.saturating_add(1);
            }
            _ => break,
        }
    }
    pair(&mut lines, &mut gone, &mut came);
    lines
}

fn pair(lines: &mut Vec<LineDiff>, gone: &mut Vec<String>, came: &mut Vec<String>) {
    let rows = gone.len().max(came.len());
    let (mut before, mut after) = (std::mem::take(gone).into_iter(), std::mem::take(came).into_iter());
    lines.extend((0..rows).map(|_| LineDiff { before: before.next(), after: after.next() }));
}

/// Lines of one row that are compared: the table of the comparison grows with their square.
const LINES_MAX: usize = 600;
const LINES_SHOWN_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_stands_beside_itself_and_nothing_is_lost() {
        let text = |text: &str| text.chars().map(|c| c.to_string()).collect::<Vec<_>>();
        let told = |before: &str, after: &str| {
            let side = |line: Option<String>| line.unwrap_or_else(|| "-".to_owned());
            let lines = side_by_side(&text(before), &text(after));
            let (left, right): (Vec<_>, Vec<_>) =
                lines.into_iter().map(|line| (side(line.before), side(line.after))).unzip();
            (left.concat(), right.concat())
        };
        let cases = [
            ("", "", "", ""),
            ("abc", "abc", "abc", "abc"),
            ("abc", "axc", "abc", "axc"),
            ("ac", "abc", "a-c", "abc"),
            ("abc", "ac", "abc", "a-c"),
            ("", "ab", "--", "ab"),
            ("ab", "", "ab", "--"),
            ("abcd", "xbd", "abcd", "xb-d"),
        ];
        for (before, after, left, right) in cases {
            assert_eq!(told(before, after), (left.to_owned(), right.to_owned()), "{before} {after}");
        }
    }
}
