//! What kind of task a purpose is: its words, without what differs from one task to the next. `Pay invoice 4711 to
//! "Acme GmbH"` and `Pay invoice 4712 to "Bolt AG"` are one kind, `pay-invoice-to`.

use provost_domain::{Agent, BaselineOf, Task};

/// The kind of a purpose, if it has any words: at most [`WORDS_MAX`] of them.
#[must_use]
pub fn of(purpose: &str) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for word in unquoted(purpose).split_whitespace().filter(|word| !is_value(word)) {
        let plain: String =
            word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        if !plain.is_empty() {
            words.push(plain.chars().take(WORD_CHARS_MAX).collect());
        }
        if words.len() == WORDS_MAX {
            break;
        }
    }
    (!words.is_empty()).then(|| words.join("-"))
}

/// For whom the runs of a task are usual: the agent, its kind of task, and all agents with its purpose.
#[must_use]
pub fn whose(agent: &Agent, task: &Task) -> Vec<BaselineOf> {
    let mut whose = vec![BaselineOf::Agent { agent: agent.name.clone() }];
    whose.extend(of(&task.purpose).map(|kind| BaselineOf::Kind { agent: agent.name.clone(), kind }));
    whose.extend(of(&agent.charter.purpose).map(|purpose| BaselineOf::Purpose { purpose }));
    whose
}

/// Without what stands in quotation marks.
fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut closes = None;
    for c in text.chars() {
        match (closes, c) {
            (Some(end), c) if c == end => closes = None,
            (Some(_), _) => {}
            (None, '"') => closes = Some('"'),
            (None, '\u{201c}') => closes = Some('\u{201d}'),
            (None, '\u{201e}') => closes = Some('\u{201c}'),
            (None, '\u{ab}') => closes = Some('\u{bb}'),
            (None, c) => plain.push(c),
        }
    }
    plain
}

/// A number, a name of a file, an address.
fn is_value(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    word.chars().any(|c| c.is_numeric() || "@/\\_.#$€%=".contains(c))
}

/// Words of a purpose that make its kind.
pub const WORDS_MAX: usize = 8;
const WORD_CHARS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_one_task_to_the_next_is_no_part_of_its_kind() {
        let table = [
            ("Pay invoice 4711 to \"Acme GmbH\"", Some("pay-invoice-to")),
            ("pay  invoice #9 to “Bolt”.", Some("pay-invoice-to")),
            ("Answer ticket T-99!", Some("answer-ticket")),
            ("Read https://a.example and bills/2024.txt; tell me", Some("read-and-tell-me")),
            ("Zahle die Rechnungen", Some("zahle-die-rechnungen")),
            ("one two three four five six seven eight nine", Some("one-two-three-four-five-six-seven-eight")),
            ("4711", None),
            ("", None),
        ];
        for (purpose, kind) in table {
            assert_eq!(of(purpose).as_deref(), kind, "{purpose}");
        }
    }
}
