//! What is printed: JSON for machines, tables and colours for people. Colours only on a terminal, and never when
//! `NO_COLOR` is set.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// JSON instead of words.
    pub json: bool,
    /// How words look.
    pub style: Style,
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    on: bool,
}

impl Out {
    /// For standard output as it is.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json, style: Style::of(&std::io::stdout()) }
    }

    /// Prints the value, as JSON or as these words.
    pub fn show<T: Serialize>(&self, value: &T, words: impl FnOnce(&T, Style) -> String) {
        if self.json {
            self.value(value);
        } else {
            self.text(&words(value, self.style));
        }
    }

    /// Prints words, unless JSON is wanted.
    pub fn say(&self, words: &str) {
        if !self.json {
            self.text(words);
        }
    }

    /// Prints the value as indented JSON.
    pub fn value<T: Serialize>(&self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.text(&text),
            Err(error) => self.text(&format!("{{\"error\":\"{error}\"}}")),
        }
    }

    /// Prints as it is, with one line break at its end. A reader that went away is no reason to fail.
    pub fn text(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _reader_gone = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    }
}

impl Style {
    /// No colours.
    #[must_use]
    pub const fn plain() -> Self {
        Self { on: false }
    }

    /// Colours if the stream is a terminal and nobody objects.
    #[must_use]
    pub fn of(stream: &impl std::io::IsTerminal) -> Self {
        let objects = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = objects("CLICOLOR_FORCE");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { on: !objects("NO_COLOR") && !dumb && (stream.is_terminal() || forced) }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What went well.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What was refused or is wrong.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// What waits or wants a look.
    #[must_use]
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// A name or a command.
    #[must_use]
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// A heading.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A word of state in the colour of its meaning.
    #[must_use]
    pub fn state(self, word: &str) -> String {
        match word {
            "allow" | "active" | "running" | "success" | "delivered" | "set" | "normal" | "yes" => {
                self.green(word)
            }
            "deny" | "suspended" | "decommissioned" | "off" | "given-up" | "failure" | "missing"
            | "error" => self.red(word),
            "hold" | "unknown" | "proposed" | "pending-reapproval" | "expired" | "read-only"
            | "approvals-only" | "unmanaged" | "warning" => self.yellow(word),
            _ => word.to_owned(),
        }
    }
}

/// A table with these heads, without lines, as wide as the terminal.
#[must_use]
pub fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>, style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width());
    table.set_header(heads.iter().map(|text| style.bold(&text.to_uppercase())).collect::<Vec<_>>());
    let mut empty = true;
    for row in rows {
        empty = false;
        table.add_row(row);
    }
    if empty {
        return style.dim("none");
    }
    // What a row is called is copied from here, so it must not be broken.
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    let lines = table.to_string();
    lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// `name  value` lines, names in one column, later lines of a value below its first.
#[must_use]
pub fn facts(rows: &[(&str, String)], style: Style) -> String {
    let wide = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let mut lines = value.lines();
        let pad = " ".repeat(wide.saturating_sub(name.chars().count()));
        text.push_str(&format!("  {}{pad}  {}\n", style.dim(name), lines.next().unwrap_or_default()));
        for line in lines {
            text.push_str(&format!("  {}  {line}\n", " ".repeat(wide)));
        }
    }
    text
}

/// Words of no more than `wide` columns a line, later lines begun with `indent`.
#[must_use]
pub fn wrapped(text: &str, wide: usize, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > wide {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join(&format!("\n{indent}"))
}

/// Columns a text takes, colours not counted.
fn columns(text: &str) -> usize {
    let mut count = 0;
    let mut in_colour = false;
    for c in text.chars() {
        match (in_colour, c) {
            (false, '\x1b') => in_colour = true,
            (false, _) => count += 1,
            (true, 'm') => in_colour = false,
            (true, _) => {}
        }
    }
    count
}

/// Text from outside without control characters, so that no name can repaint a terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Columns of the terminal, or of a page.
#[must_use]
pub fn width() -> u16 {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse::<u16>().ok());
    let seen = || comfy_table::Table::new().width().filter(|_| std::io::stdout().is_terminal());
    told.or_else(seen).unwrap_or(WIDTH_DEFAULT).clamp(WIDTH_MIN, WIDTH_MAX)
}

const WIDTH_DEFAULT: u16 = 120;
const WIDTH_MIN: u16 = 40;
const WIDTH_MAX: u16 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_by_what_is_seen_of_them() {
        let colours = Style { on: true };
        assert_eq!(
            wrapped(&format!("{} b c", colours.red("aa")), 4, "  "),
            format!("{} b\n  c", colours.red("aa"))
        );
        assert_eq!(wrapped("one two three", 7, ""), "one two\nthree");
    }

    #[test]
    fn a_name_from_outside_cannot_repaint_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }

    #[test]
    fn what_a_row_is_called_is_never_broken() {
        let id = "decision_01m811nfv5ehxr4vemm5g0yzwv";
        let long = "a reason that goes on and on and on ".repeat(8);
        let text = table(&["decision", "reason"], [vec![id.to_owned(), long]], Style::plain());
        assert!(text.contains(id), "{text}");
    }
}
