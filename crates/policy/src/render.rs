//! Cedar's own diagnostics, with the spot in the file where they point.

use crate::Spot;
use miette::Diagnostic;

/// A message, its help, and its spot.
pub(crate) struct Rendered {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) at: Option<Spot>,
}

/// Renders a diagnostic whose labels count bytes of `text`.
pub(crate) fn diagnostic(found: &dyn Diagnostic, text: &str, policy: Option<&str>) -> Rendered {
    let span = found.labels().and_then(|mut labels| labels.next());
    let label = span.as_ref().and_then(|span| span.label()).map(str::to_owned);
    let message = match label {
        Some(label) if label != found.to_string() => format!("{found}: {label}"),
        _ => found.to_string(),
    };
    Rendered {
        message: prune(&message),
        help: found.help().map(|help| help.to_string()),
        at: span.map(|span| spot(text, span.offset(), span.len(), policy)),
    }
}

/// A spot by its place in the text, in bytes.
pub(crate) fn spot(text: &str, offset: usize, len: usize, policy: Option<&str>) -> Spot {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let head = before.rsplit('\n').next().unwrap_or_default();
    let tail = after.split('\n').next().unwrap_or_default();
    let marked = tail.char_indices().take_while(|(at, _)| *at < len.max(1)).count().max(1);
    let line = before.matches('\n').count() + 1;
    let gutter = line.to_string();
    let blank = |text: &str| " ".repeat(text.chars().count());
    // Tabs stay tabs, so that the line below stands under the line above in every terminal.
    let indent: String = head.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    Spot {
        policy: policy.map(str::to_owned),
        line,
        column: head.chars().count() + 1,
        excerpt: format!(
            "{gutter} | {head}{}\n{} | {indent}{}",
            tail.trim_end(),
            blank(&gutter),
            "^".repeat(marked)
        ),
    }
}

/// Cedar names policies by their place in the file (``for policy `policy0`, …``); people know them by `@id`, which
/// is part of the spot.
fn prune(message: &str) -> String {
    let rest = message
        .strip_prefix("for policy `policy")
        .and_then(|rest| rest.split_once("`, "))
        .map_or(message, |(_, rest)| rest);
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_underlined_below_its_line() {
        let text = "one\n  two words é\nthree";
        let found = spot(text, 6, 3, Some("p"));
        assert_eq!((found.line, found.column), (2, 3));
        assert_eq!(found.excerpt, "2 |   two words é\n  |   ^^^");
        let end = spot(text, 4_000, 9, None);
        assert_eq!((end.line, end.column), (3, 6));
        assert_eq!(spot("", 0, 0, None).excerpt, "1 | \n  | ^");
    }
}
