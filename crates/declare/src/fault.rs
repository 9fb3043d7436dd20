//! What is wrong with the files: each fault has a place, says what and why, and how to cure it.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One fault in the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// Path of the file, as it was given.
    pub file: String,
    /// From 1; 0 when the fault is about the file as a whole.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Whether it stops the files from being applied.
    pub severity: Severity,
    /// What is wrong, lower case, one line.
    pub message: String,
    /// What to do about it, lower case, one line.
    pub cure: String,
    /// The source line, cut to [`EXCERPT_CHARS_MAX`]; absent where the line may hold a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// How many characters of the line it is about.
    #[serde(default)]
    pub width: u32,
}

/// Whether a fault stops the files from being applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is applied until it is cured.
    Error,
    /// Probably not meant; applied all the same.
    Warning,
}

/// A place in the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Path of the file, as it was given.
    pub file: String,
    /// From 1; 0 for the file as a whole.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// How many characters.
    pub width: u32,
}

impl Fault {
    /// Whether it stops the files from being applied.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The fault as a terminal shows it: what, where, the line with a mark under it, and the cure.
    #[must_use]
    pub fn render(&self) -> String {
        let word = if self.is_error() { "error" } else { "warning" };
        let gutter = self.line.to_string().len();
        let mut out = format!("{word}: {}\n", self.message);
        // Writing to a String cannot fail.
        let _ = if self.line == 0 {
            writeln!(out, "{:gutter$}--> {}", "", self.file)
        } else {
            writeln!(out, "{:gutter$}--> {}:{}:{}", "", self.file, self.line, self.column)
        };
        if let (Some(excerpt), true) = (&self.excerpt, self.line > 0) {
            let pad: String = excerpt.chars().take(place(self.column)).map(blank).collect();
            let marks = "^".repeat(place(self.width).clamp(0, EXCERPT_CHARS_MAX) + 1);
            let _ =
                write!(out, "{:gutter$} |\n{} | {excerpt}\n{:gutter$} | {pad}{marks}\n", "", self.line, "");
        }
        let _ = writeln!(out, "{:gutter$} = do: {}", "", self.cure);
        out
    }
}

/// All faults as a terminal shows them, and how many there are. Empty for no faults.
#[must_use]
pub fn render_all(faults: &[Fault]) -> String {
    let mut out: String = faults.iter().flat_map(|fault| [fault.render(), "\n".to_owned()]).collect();
    let errors = faults.iter().filter(|fault| fault.is_error()).count();
    let parts: Vec<String> = [(errors, "error"), (faults.len() - errors, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if !parts.is_empty() {
        out.push_str(&parts.join(", "));
        out.push('\n');
    }
    out
}

/// Whether some fault stops the files from being applied.
#[must_use]
pub fn any_error(faults: &[Fault]) -> bool {
    faults.iter().any(Fault::is_error)
}

/// Zero-based, for counting characters before a mark.
fn place(one_based: u32) -> usize {
    usize::try_from(one_based.saturating_sub(1)).unwrap_or(0)
}

/// Keeps tabs, so that the mark stands under what it means.
fn blank(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

/// Characters of a source line that a fault shows at most.
pub const EXCERPT_CHARS_MAX: usize = 160;
