//! What an agent is made of, in words.

use crate::{Style, out::clean};
use provost_api::agent::PartView;

/// Each part on a line of its own, what differs in red.
pub(crate) fn parts(parts: &[PartView], style: Style) -> String {
    let line = |part: &PartView| {
        let word = |text: &Option<String>| text.as_deref().map_or("nothing".to_owned(), clean);
        let from = if part.from == "charter" { " (charter)" } else { "" };
        let approved = format!("{} {}{from}", clean(&part.part), word(&part.approved));
        match part.differs {
            true => style.red(&format!("{approved}, but presents {}", word(&part.presented))),
            false => approved,
        }
    };
    parts.iter().map(line).collect::<Vec<_>>().join("\n")
}
