//! What a set of files declares, and where.

use crate::{Fault, Place, Severity, source::Source};
use provost_domain::{
    Channel, Charter, Connector, Issuer, Name, ObjectKey, Person, System, Tool, ToolName, Workload,
    application::Application,
    drill::DrillPlan,
    organisation::{Group, Organisation},
    policy_file::PolicyFile,
    rule::Rule,
};
use std::collections::{BTreeMap, BTreeSet};

/// The organisation that files declare. Whole only when reading found no error.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// Settings, if declared.
    pub organisation: Option<Organisation>,
    /// People by name.
    pub people: BTreeMap<Name, Person>,
    /// Workloads by name.
    pub workloads: BTreeMap<Name, Workload>,
    /// Systems by name.
    pub systems: BTreeMap<Name, System>,
    /// Tools by system and name.
    pub tools: BTreeMap<(Name, ToolName), Tool>,
    /// Policy files by stem.
    pub policies: BTreeMap<Name, PolicyFile>,
    /// Applications by name.
    pub applications: BTreeMap<Name, Application>,
    /// Trusted issuers by name.
    pub issuers: BTreeMap<Name, Issuer>,
    /// Connectors by name.
    pub connectors: BTreeMap<Name, Connector>,
    /// Channels by name.
    pub channels: BTreeMap<Name, Channel>,
    /// Groups of people by name; they go into the organisation's row.
    pub groups: BTreeMap<Name, Group>,
    /// When which agent is drilled, by name; they go into the organisation's row.
    pub drills: BTreeMap<Name, DrillPlan>,
    /// What orders containment by itself, by name; they go into the organisation's row.
    pub rules: BTreeMap<Name, Rule>,
    /// Agents by name.
    pub agents: BTreeMap<Name, DeclaredAgent>,
    /// People, workloads and connectors whose file does not say whether they are active: what the plane says stays.
    pub(crate) silent_on_active: BTreeSet<ObjectKey>,
    /// People whose file does not mention logins: those that signing in has linked stay.
    pub(crate) silent_on_logins: BTreeSet<ObjectKey>,
    pub(crate) named: BTreeMap<ObjectKey, Place>,
    pub(crate) parts: BTreeMap<(ObjectKey, String), Place>,
    pub(crate) texts: BTreeMap<(ObjectKey, String), String>,
    pub(crate) sources: BTreeMap<String, Source>,
}

/// An agent as its file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredAgent {
    /// Its name.
    pub name: Name,
    /// Its charter.
    pub charter: Charter,
    /// True when the file says that it is stopped. Files stop an agent; they never start a stopped one again.
    pub suspended: bool,
}

impl Declared {
    /// Where an object, or a part of it, is declared. A part is a path of members and indices, such as
    /// `grants[0].args.amount.max` or `grants.0.args.amount.max`; a part that stands nowhere by itself is placed at
    /// the nearest part around it, and at last at the object.
    #[must_use]
    pub fn locate(&self, key: &ObjectKey, path: &str) -> Option<Place> {
        let path = dotted(path);
        let mut part = path.as_str();
        while !part.is_empty() {
            if let Some(place) = self.parts.get(&(key.clone(), part.to_owned())) {
                return Some(place.clone());
            }
            part = part.rsplit_once('.').map_or("", |(around, _)| around);
        }
        self.named.get(key).cloned()
    }

    /// A fault in an object or a part of it, placed as [`Declared::locate`] does. An object that the files do not
    /// have gets a fault without a line, under its own key.
    #[must_use]
    pub fn fault_in(
        &self,
        (key, path): (&ObjectKey, &str),
        severity: Severity,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Fault {
        match self.locate(key, path) {
            Some(place) => self.fault_at(place, severity, message, cure),
            None => Source::fault_of_file(&key.to_string(), severity, message.into(), cure.into()),
        }
    }

    /// The path of the file that holds a text of an object: of a policy file (part ``), or of an application's
    /// `schema`, `policies` or `entities`.
    #[must_use]
    pub fn text_path(&self, key: &ObjectKey, part: &str) -> Option<&str> {
        self.texts.get(&(key.clone(), part.to_owned())).map(String::as_str)
    }

    /// A fault in such a text, at a line and column from 1.
    #[must_use]
    pub fn fault_in_text(
        &self,
        (key, part): (&ObjectKey, &str),
        (line, column): (u32, u32),
        severity: Severity,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Fault {
        match self.text_path(key, part) {
            Some(path) => {
                let place = Place { file: path.to_owned(), line, column, width: 1 };
                self.fault_at(place, severity, message, cure)
            }
            None => self.fault_in((key, part), severity, message, cure),
        }
    }

    /// A fault at a place in one of the files, with the line it is on.
    #[must_use]
    pub fn fault_at(
        &self,
        place: Place,
        severity: Severity,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Fault {
        match self.sources.get(&place.file) {
            Some(source) if place.line > 0 => source.fault(place, severity, message.into(), cure.into()),
            _ => Source::fault_of_file(&place.file, severity, message.into(), cure.into()),
        }
    }
}

/// `grants[0].args` and `grants/0/args` as `grants.0.args`.
fn dotted(path: &str) -> String {
    let parts = path.split(['.', '[', ']', '/']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(".")
}
