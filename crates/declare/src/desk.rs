//! The desk a file is read at: it collects faults, what names what, and where everything stands.

use crate::{Fault, Place, Severity, source::Source};
use provost_domain::{Kind, Name, ObjectKey, ToolName};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// What reading one or more files found besides the objects.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) faults: Vec<Fault>,
    /// Every named thing, read whole or not, and where it is first declared.
    pub(crate) named: BTreeMap<ObjectKey, Place>,
    /// Every part of an object: (`agent x`, `grants.0.args.amount`).
    pub(crate) parts: BTreeMap<(ObjectKey, String), Place>,
    /// The file that holds a text of an object: (`application x`, `schema`), (`policy y`, ``).
    pub(crate) texts: BTreeMap<(ObjectKey, String), String>,
    /// Every mention of something else, to be looked up when all files are read.
    pub(crate) mentions: Vec<Mention>,
    /// Who reports to whom, and where that is said.
    pub(crate) managers: BTreeMap<Name, (Name, Place)>,
    /// Whether some file is not valid TOML, so that a thing that seems missing may only be unreadable.
    pub(crate) unreadable: bool,
}

/// A mention of something by name.
#[derive(Debug, Clone)]
pub(crate) struct Mention {
    pub(crate) place: Place,
    pub(crate) of: Mentioned,
}

/// What is mentioned.
#[derive(Debug, Clone)]
pub(crate) enum Mentioned {
    /// An object by its key; the word says in what role: `owner`, `manager`.
    Object { key: ObjectKey, role: &'static str },
    /// A tool of a system.
    Tool { system: Name, tool: ToolName },
    /// An argument of several tools of a system; `number` if it has to be one.
    Arg { system: Name, tools: Vec<ToolName>, path: String, number: bool },
}

/// One file being read.
pub(crate) struct Desk<'a> {
    pub(crate) source: &'a Source,
    pub(crate) found: &'a mut Found,
    /// Lines that are not valid TOML: nothing else is said about them.
    pub(crate) broken_lines: BTreeSet<u32>,
    /// The object whose parts are being read.
    subject: Option<ObjectKey>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(source: &'a Source, found: &'a mut Found) -> Self {
        Self { source, found, broken_lines: BTreeSet::new(), subject: None }
    }

    pub(crate) fn error(&mut self, at: &Range<usize>, message: impl Into<String>, cure: impl Into<String>) {
        self.fault(at, Severity::Error, message.into(), cure.into());
    }

    pub(crate) fn warning(&mut self, at: &Range<usize>, message: impl Into<String>, cure: impl Into<String>) {
        self.fault(at, Severity::Warning, message.into(), cure.into());
    }

    /// A fault about something that is not there; in a file that is not valid TOML it may only be unreadable.
    pub(crate) fn missing(&mut self, at: &Range<usize>, message: impl Into<String>, cure: impl Into<String>) {
        if self.broken_lines.is_empty() {
            self.error(at, message, cure);
        }
    }

    /// A fault on a line that may hold a secret: the line is not shown.
    pub(crate) fn quiet_error(&mut self, at: &Range<usize>, message: &str, cure: &str) {
        let before = self.found.faults.len();
        self.error(at, message, cure);
        if let Some(fault) = self.found.faults.get_mut(before) {
            fault.excerpt = None;
        }
    }

    /// A line that is not valid TOML.
    pub(crate) fn broken(&mut self, at: &Range<usize>, message: String) {
        let cure = "see https://toml.io for how TOML is written".to_owned();
        let place = self.source.place(at);
        self.found.unreadable = true;
        if self.broken_lines.insert(place.line) {
            self.found.faults.push(self.source.fault(place, Severity::Error, message, cure));
        }
    }

    /// Whether a line above is not valid TOML.
    pub(crate) fn is_below_broken(&self, at: &Range<usize>) -> bool {
        let line = self.source.place(at).line;
        self.broken_lines.first().is_some_and(|broken| *broken < line)
    }

    fn fault(&mut self, at: &Range<usize>, severity: Severity, message: String, cure: String) {
        let place = self.source.place(at);
        if !self.broken_lines.contains(&place.line) {
            self.found.faults.push(self.source.fault(place, severity, message, cure));
        }
    }

    /// Says that an object is declared here; false, and a fault, when it already is somewhere else.
    pub(crate) fn declare(&mut self, key: ObjectKey, at: &Range<usize>) -> bool {
        let place = self.source.place(at);
        self.subject = Some(key.clone());
        if let Some(first) = self.found.named.get(&key) {
            let message = format!("{key} is declared twice");
            let cure = format!("keep one: the first is at {}:{}:{}", first.file, first.line, first.column);
            self.error(at, message, cure);
            return false;
        }
        self.found.named.insert(key, place);
        true
    }

    /// Remembers where a part of the present object stands.
    pub(crate) fn mark(&mut self, path: impl Into<String>, at: &Range<usize>) {
        if let Some(subject) = &self.subject {
            self.found.parts.insert((subject.clone(), path.into()), self.source.place(at));
        }
    }

    /// Remembers the file that holds a text of the present object.
    pub(crate) fn text_in(&mut self, part: &str, path: &str) {
        if let Some(subject) = &self.subject {
            self.found.texts.insert((subject.clone(), part.to_owned()), path.to_owned());
        }
    }

    /// Remembers a mention of an object.
    pub(crate) fn mention(&mut self, kind: Kind, name: &Name, role: &'static str, at: &Range<usize>) {
        let of = Mentioned::Object { key: ObjectKey::new(kind, name.as_str()), role };
        self.found.mentions.push(Mention { place: self.source.place(at), of });
    }

    /// Remembers a mention of a tool.
    pub(crate) fn mention_tool(&mut self, system: &Name, tool: &ToolName, at: &Range<usize>) {
        let of = Mentioned::Tool { system: system.clone(), tool: tool.clone() };
        self.found.mentions.push(Mention { place: self.source.place(at), of });
    }

    /// Remembers a mention of an argument of several tools.
    pub(crate) fn mention_arg(
        &mut self,
        (system, tools): (&Name, &[ToolName]),
        path: &str,
        number: bool,
        at: &Range<usize>,
    ) {
        let of =
            Mentioned::Arg { system: system.clone(), tools: tools.to_vec(), path: path.to_owned(), number };
        self.found.mentions.push(Mention { place: self.source.place(at), of });
    }
}
