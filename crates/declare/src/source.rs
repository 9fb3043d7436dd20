//! Files as they were given, and where things stand in them.

use crate::{Fault, Place, Severity, fault::EXCERPT_CHARS_MAX};
use std::{ops::Range, sync::Arc};

/// One file of an organisation directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the directory, with `/` between parts: `agents/invoice-clerk.toml`.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl SourceFile {
    /// A file.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// Whether a file with this path belongs to an organisation directory: `.toml`, `.cedar`, `.cedarschema`, `.json`.
/// Hidden files and folders do not.
#[must_use]
pub fn is_declaration(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.') && part != "." && part != "..");
    !hidden && extension(path).is_some_and(|ext| matches!(ext, "toml" | "cedar" | "cedarschema" | "json"))
}

/// A file and where its lines start.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    text: Arc<str>,
    line_starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(file: &SourceFile) -> Self {
        let after_newlines = file.text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Self {
            path: file.path.clone(),
            text: file.text.as_str().into(),
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// Where a range of bytes stands; its width ends with its first line.
    pub(crate) fn place(&self, bytes: &Range<usize>) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= bytes.start);
        let start = self.line_starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let chars = |range: Range<usize>| self.text.get(range).map_or(0, |text| text.chars().count());
        let line_end = start + self.line(line).map_or(0, str::len);
        let (from, to) = (bytes.start.min(line_end), bytes.end.min(line_end));
        Place {
            file: self.path.clone(),
            line: number(line),
            column: number(chars(start..from) + 1),
            width: number(chars(from..to.max(from)).max(1)),
        }
    }

    /// The text of a line, counted from 1.
    pub(crate) fn line(&self, line: usize) -> Option<&str> {
        let from = *self.line_starts.get(line.checked_sub(1)?)?;
        let to = self.line_starts.get(line).copied().unwrap_or(self.text.len());
        self.text.get(from..to).map(|text| text.trim_end_matches(['\n', '\r']))
    }

    /// A fault at a place in this file, with the line it is on.
    pub(crate) fn fault(&self, place: Place, severity: Severity, message: String, cure: String) -> Fault {
        let line = usize::try_from(place.line).ok().and_then(|line| self.line(line));
        let excerpt = line.map(|line| line.chars().take(EXCERPT_CHARS_MAX).collect());
        let Place { file, line, column, width } = place;
        Fault { file, line, column, severity, message, cure, excerpt, width }
    }

    /// A fault about the file as a whole.
    pub(crate) fn fault_of_file(path: &str, severity: Severity, message: String, cure: String) -> Fault {
        let file = path.to_owned();
        Fault { file, line: 0, column: 0, severity, message, cure, excerpt: None, width: 0 }
    }
}

/// What follows the last dot of the last part of a path.
pub(crate) fn extension(path: &str) -> Option<&str> {
    file_name(path).rsplit_once('.').map(|(_, extension)| extension)
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The last part of a path, without what follows its first dot.
pub(crate) fn stem(path: &str) -> &str {
    let name = file_name(path);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// The name of the folder a file stands in; empty at the top.
pub(crate) fn folder_name(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or("")
}

/// The path of a file named relative to the folder of another.
pub(crate) fn beside(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_bytes_has_its_line_and_column_in_characters() {
        let source = Source::new(&SourceFile::new("a.toml", "é = 1\nbc = \"ö\"\r\n"));
        let at = |range| {
            let place = source.place(&range);
            (place.line, place.column, place.width)
        };
        assert_eq!(at(0..2), (1, 1, 1));
        assert_eq!(at(5..6), (1, 5, 1));
        assert_eq!(at(12..16), (2, 6, 3));
        assert_eq!(at(12..400), (2, 6, 3), "a mark ends with its line");
        assert_eq!(at(900..901).0, 3, "past the end is the last line");
        assert_eq!(source.line(2), Some("bc = \"ö\""));
    }

    #[test]
    fn only_the_four_kinds_of_file_that_are_not_hidden_belong() {
        for good in ["a.toml", "./x/b.cedar", "p/c.cedarschema", "d.entities.json"] {
            assert!(is_declaration(good), "{good}");
        }
        for bad in [".git/a.toml", "README.md", "x/.b.toml", "toml", "a.toml.swp"] {
            assert!(!is_declaration(bad), "{bad}");
        }
    }
}
