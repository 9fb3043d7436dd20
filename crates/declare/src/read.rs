//! From files to what they declare: one pass over each file, then one look at what they say about each other.

use crate::{
    Declared, Fault, Severity, SourceFile, agent, application, changes, channel, check, connector,
    desk::{Desk, Found},
    drill, issuer, lifecycle,
    limits::{FAULTS_MAX, FILE_BYTES_MAX, FILES_BYTES_MAX, FILES_MAX},
    organisation, rule,
    source::{Source, extension, folder_name, stem},
    system,
    table::{Item, NAME_CURE, Table},
};
use provost_domain::{Directory, Kind, Name, ObjectKey, policy_file::PolicyFile};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};

/// Reads the files of an organisation directory. Everything they mention has to be in them.
#[must_use]
pub fn read(files: &[SourceFile]) -> (Declared, Vec<Fault>) {
    read_beside(files, &Directory::default())
}

/// Reads files that stand beside what a plane already holds: they may mention people, systems, tools and
/// applications that only the plane knows.
#[must_use]
pub fn read_beside(files: &[SourceFile], current: &Directory) -> (Declared, Vec<Fault>) {
    let mut found = Found::default();
    let mut declared = Declared::default();
    let files = within_bounds(files, &mut found);
    let sources: BTreeMap<&str, Source> =
        files.iter().map(|(path, file)| (*path, Source::new(file))).collect();
    let mut used = BTreeSet::new();
    for (path, file) in &files {
        let Some(source) = sources.get(path) else { continue };
        match extension(path) {
            Some("toml") => {
                let folder = Folder { files: &files, used: &mut used };
                read_toml(source, &file.text, folder, &mut found, &mut declared);
            }
            Some("cedar") if folder_name(path) == POLICIES => {
                read_policy(source, &file.text, &mut found, &mut declared);
                used.insert((*path).to_owned());
            }
            _ => {}
        }
    }
    unread_files(&files, &used, &mut found);
    let groups = declared.groups.keys().next().map(|name| format!("group {name}"));
    let drills = declared.drills.keys().next().map(|name| format!("drill {name}"));
    let rules = declared.rules.keys().next().map(|name| format!("rule {name}"));
    let parts = groups.or(drills).or(rules);
    if let (None, Some(part)) = (&declared.organisation, parts) {
        let message = format!("{part} belongs to an organisation, and no file declares [organisation]");
        let cure = "declare [organisation] with its display name beside it".to_owned();
        found.faults.push(Source::fault_of_file("(all files)", Severity::Error, message, cure));
    }
    declared.sources = sources.into_iter().map(|(path, source)| (path.to_owned(), source)).collect();
    changes::check(&declared, &mut found);
    lifecycle::check(&declared, &mut found);
    check::all(&mut declared, &mut found, current);
    let mut faults = found.faults;
    declared.named = found.named;
    declared.parts = found.parts;
    declared.texts = found.texts;
    settle(&mut faults);
    (declared, faults)
}

/// The files an object may refer to, and those that were.
pub(crate) struct Folder<'a> {
    pub(crate) files: &'a BTreeMap<&'a str, &'a SourceFile>,
    pub(crate) used: &'a mut BTreeSet<String>,
}

fn within_bounds<'a>(files: &'a [SourceFile], found: &mut Found) -> BTreeMap<&'a str, &'a SourceFile> {
    let mut kept = BTreeMap::new();
    let mut bytes: usize = 0;
    for file in files {
        bytes = bytes.saturating_add(file.text.len());
        let refusal = if kept.len() >= FILES_MAX {
            Some((format!("more than {FILES_MAX} files"), "put several objects into one file"))
        } else if file.text.len() > FILE_BYTES_MAX {
            Some((format!("file has {} bytes, more than {FILE_BYTES_MAX}", file.text.len()), "split it"))
        } else if bytes > FILES_BYTES_MAX {
            Some((
                format!("all files together have more than {FILES_BYTES_MAX} bytes"),
                "apply a part of them",
            ))
        } else if kept.insert(file.path.as_str(), file).is_some() {
            Some(("file is given twice".to_owned(), "give each file once"))
        } else {
            None
        };
        if let Some((message, cure)) = refusal {
            found.unreadable = true;
            found.faults.push(Source::fault_of_file(&file.path, Severity::Error, message, cure.to_owned()));
            if kept.len() >= FILES_MAX {
                break;
            }
        }
    }
    kept
}

fn read_toml(source: &Source, text: &str, folder: Folder<'_>, found: &mut Found, declared: &mut Declared) {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let mut desk = Desk::new(source, found);
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        desk.broken(&at, format!("not valid TOML: {}", error.message()));
    }
    let mut root = Table::new(tree.get_ref(), 0..0, "this file");
    let desk = &mut desk;
    if let Some(item) = root.get("organisation") {
        organisation::organisation(&item, desk, declared);
    }
    each(root.get("group"), desk, "group", |name, item, desk| {
        organisation::group(name, item, desk, declared);
    });
    each(root.get("drill"), desk, "drill", |name, item, desk| drill::named(name, item, desk, declared));
    each(root.get("rule"), desk, "rule", |name, item, desk| rule::named(name, item, desk, declared));
    each(root.get("person"), desk, "person", |name, item, desk| {
        organisation::person(name, item, desk, declared)
    });
    each(root.get("workload"), desk, "workload", |name, item, desk| {
        organisation::workload(name, item, desk, declared);
    });
    each(root.get("issuer"), desk, "issuer", |name, item, desk| issuer::named(name, item, desk, declared));
    each(root.get("connector"), desk, "connector", |name, item, desk| {
        connector::named(name, item, desk, declared);
    });
    each(root.get("channel"), desk, "channel", |name, item, desk| {
        channel::named(name, item, desk, declared);
    });
    let own = own_name(source, desk);
    match (folder_name(&source.path), own) {
        ("systems", Some(own)) => system::own_file(own, &mut root, desk, declared),
        ("agents", Some(own)) => agent::own_file(own, &mut root, desk, declared),
        ("applications", Some(own)) => application::own_file(own, &mut root, desk, folder, declared),
        ("systems" | "agents" | "applications", None) => return,
        _ => {
            each(root.get("system"), desk, "system", |name, item, desk| {
                system::named(name, item, desk, declared);
            });
            each(root.get("agent"), desk, "agent", |name, item, desk| {
                agent::named(name, item, desk, declared)
            });
            each(root.get("application"), desk, "application", |name, item, desk| {
                let folder = Folder { files: folder.files, used: folder.used };
                application::named(name, item, desk, folder, declared);
            });
        }
    }
    // Cases of `provost policy test` may stand in any file; the policy tests read them.
    let _cases = root.get("case");
    root.finish(desk);
}

/// In the folders `systems`, `agents` and `applications` a file is one object, called like the file.
fn own_name(source: &Source, desk: &mut Desk<'_>) -> Option<Name> {
    let folder = folder_name(&source.path);
    if !matches!(folder, "systems" | "agents" | "applications") {
        return None;
    }
    match stem(&source.path).parse() {
        Ok(name) => Some(name),
        Err(error) => {
            desk.found.faults.push(Source::fault_of_file(
                &source.path,
                Severity::Error,
                format!("the file's name names what is in it, but {error}"),
                "call the file like invoice-clerk.toml or bank_2.toml".to_owned(),
            ));
            None
        }
    }
}

/// Reads every `[kind.name]` of a file.
fn each<'t>(
    group: Option<Item<'t>>,
    desk: &mut Desk<'_>,
    kind: &str,
    mut read: impl FnMut((Name, std::ops::Range<usize>), &Item<'t>, &mut Desk<'_>),
) {
    let Some(table) = group.and_then(|group| group.table(desk, format!("[{kind}]"))) else { return };
    for (key, at, item) in table.entries() {
        if !matches!(item.value, DeValue::Table(_)) {
            let message = format!("`{}` in [{kind}] is not a table of its own", crate::table::clip(key));
            desk.error(&at, message, format!("write [{kind}.NAME] above it, with the {kind}'s name"));
            continue;
        }
        match key.parse() {
            Ok(name) => read((name, at), &item, desk),
            Err(error) => desk.error(&at, format!("{error}"), NAME_CURE),
        }
    }
}

fn read_policy(source: &Source, text: &str, found: &mut Found, declared: &mut Declared) {
    match stem(&source.path).parse::<Name>() {
        Ok(name) => {
            let mut desk = Desk::new(source, found);
            if desk.declare(ObjectKey::new(Kind::Policy, name.as_str()), &(0..0)) {
                desk.text_in("", &source.path);
                declared.policies.insert(name.clone(), PolicyFile { name, text: text.to_owned() });
            }
        }
        Err(error) => {
            let message = format!("the file's name names the policies in it, but {error}");
            let cure = "call the file like spending-limits.cedar".to_owned();
            found.faults.push(Source::fault_of_file(&source.path, Severity::Error, message, cure));
        }
    }
}

/// Cedar nobody reads is probably Cedar somebody believes to be in force.
fn unread_files(files: &BTreeMap<&str, &SourceFile>, used: &BTreeSet<String>, found: &mut Found) {
    for path in files.keys().filter(|path| !used.contains(**path)) {
        if matches!(extension(path), Some("cedar" | "cedarschema")) {
            let message = "nothing refers to this file, so it has no force".to_owned();
            let cure = "move it into policies/, or name it in an application".to_owned();
            found.faults.push(Source::fault_of_file(path, Severity::Warning, message, cure));
        }
    }
}

/// In the order of the files, each once, and not more than a person can read. A line that one fault keeps back, because
/// it may hold a secret, is not shown by another.
fn settle(faults: &mut Vec<Fault>) {
    let quiet = faults.iter().filter(|fault| fault.line > 0 && fault.excerpt.is_none());
    let quiet: BTreeSet<(String, u32)> = quiet.map(|fault| (fault.file.clone(), fault.line)).collect();
    for fault in faults.iter_mut().filter(|fault| quiet.contains(&(fault.file.clone(), fault.line))) {
        fault.excerpt = None;
    }
    faults.sort();
    faults.dedup();
    let more = faults.len().saturating_sub(FAULTS_MAX);
    // An error must not be cut off by a thousand warnings before it.
    if more > 0 {
        faults.sort_by_key(|fault| fault.severity);
        faults.truncate(FAULTS_MAX);
        faults.sort();
        let message = format!("{more} more faults are not shown");
        let cure = "cure these first".to_owned();
        faults.push(Source::fault_of_file("(all files)", Severity::Warning, message, cure));
    }
}

const POLICIES: &str = "policies";
