//! An application that the decision point serves: `applications/NAME.toml` with `[application]`, or
//! `[application.NAME]` elsewhere, and beside it its Cedar schema, its policies and what is stored about its
//! entities. Files not named are those beside it with the application's name.

use crate::{
    Declared, Severity, SourceFile,
    desk::Desk,
    limits::ENTITIES_MAX,
    organisation::Named,
    read::Folder,
    source::{Source, beside},
    table::{Item, Table, clip},
};
use provost_domain::{
    Kind, Name, ObjectKey,
    application::{Application, RequestProperties, StoredEntity},
};
use std::{collections::BTreeSet, ops::Range};

/// `applications/NAME.toml`.
pub(crate) fn own_file(
    name: Name,
    root: &mut Table<'_>,
    desk: &mut Desk<'_>,
    folder: Folder<'_>,
    declared: &mut Declared,
) {
    let Some(item) = root.need(desk, "application", "write [application]; it may be empty") else { return };
    let Some(mut table) = item.table(desk, "[application]") else { return };
    application((name, item.at), &mut table, desk, folder, declared);
    table.finish(desk);
}

/// `[application.NAME]`.
pub(crate) fn named(
    named: Named,
    item: &Item<'_>,
    desk: &mut Desk<'_>,
    folder: Folder<'_>,
    declared: &mut Declared,
) {
    let Some(mut table) = item.table(desk, format!("[application.{}]", named.0)) else { return };
    application(named, &mut table, desk, folder, declared);
    table.finish(desk);
}

fn application(
    (name, at): Named,
    table: &mut Table<'_>,
    desk: &mut Desk<'_>,
    mut folder: Folder<'_>,
    declared: &mut Declared,
) {
    let fresh = desk.declare(ObjectKey::new(Kind::Application, name.as_str()), &at);
    if name.as_str() == AGENTS {
        desk.error(
            &at,
            "an application cannot be called `agent`: that is the plane's own",
            "call it otherwise",
        );
    }
    let schema = file(table, "schema", (&name, "cedarschema"), true, desk, &mut folder);
    let policies = file(table, "policies", (&name, "cedar"), true, desk, &mut folder);
    let entities = file(table, "entities", (&name, "entities.json"), false, desk, &mut folder);
    let accepted = table.get("request_properties").map_or_else(BTreeSet::new, |item| {
        let read = |item: &Item<'_>, desk: &mut Desk<'_>| property(item, desk);
        item.distinct(desk, read).into_iter().map(|(property, _)| property).collect()
    });
    let buffered = table.boolean(desk, "buffered").unwrap_or(false);
    let entities = entities.map_or_else(|| Some(Vec::new()), |file| stored(file, desk));
    if let (Some(schema), Some(policies), Some(entities), true) = (schema, policies, entities, fresh) {
        let (schema, policies) = (schema.text.clone(), policies.text.clone());
        let request_properties = RequestProperties { accepted };
        let application =
            Application { name: name.clone(), schema, policies, entities, request_properties, buffered };
        declared.applications.insert(name, application);
    }
}

/// The file a key names, or the one beside with the application's name.
fn file<'f>(
    table: &mut Table<'_>,
    key: &'static str,
    (name, extension): (&Name, &str),
    needed: bool,
    desk: &mut Desk<'_>,
    folder: &mut Folder<'f>,
) -> Option<&'f SourceFile> {
    let item = table.get(key);
    let (at, wanted): (Range<usize>, String) = match &item {
        Some(item) => (item.at.clone(), item.text(desk)?.to_owned()),
        None => (table.at.clone(), format!("{name}.{extension}")),
    };
    let inside = !wanted.starts_with('/') && !wanted.split('/').any(|part| matches!(part, "" | "." | ".."));
    if !inside {
        let message = format!("`{key}` names a file outside of its folder");
        desk.error(&at, message, "name a file in the same folder or below it");
        return None;
    }
    let path = beside(&desk.source.path, &wanted);
    desk.mark(key, &at);
    match folder.files.get(path.as_str()) {
        Some(file) => {
            desk.text_in(key, &path);
            folder.used.insert(path);
            Some(file)
        }
        None if item.is_some() || needed => {
            let message = format!("there is no file {}", clip(&path));
            desk.missing(&at, message, format!("write it, or name another: {key} = \"{name}.{extension}\""));
            None
        }
        None => None,
    }
}

fn property(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let text = item.text(desk)?;
    match text.split_once('.') {
        Some((kind, property)) if !kind.is_empty() && !property.is_empty() => Some(text.to_owned()),
        _ => {
            let message = format!("`{}` does not name a property of a type", clip(text));
            desk.error(&item.at, message, "write it as type.property: \"document.status\"");
            None
        }
    }
}

/// The entities of a JSON file: a list of `{ "type", "id", "properties", "parents": [[type, id]] }`.
fn stored(file: &SourceFile, desk: &mut Desk<'_>) -> Option<Vec<StoredEntity>> {
    let source = Source::new(file);
    let entities: Vec<StoredEntity> = match serde_json::from_str(&file.text) {
        Ok(entities) => entities,
        Err(error) => {
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let (line, column) = (count(error.line()), count(error.column()).max(1));
            let place = crate::Place { file: file.path.clone(), line, column, width: 1 };
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            let cure = "write a list of { \"type\": …, \"id\": …, \"properties\": { … }, \"parents\": [[type, id]] }";
            let message = format!("not a list of entities: {said}");
            desk.found.faults.push(source.fault(place, Severity::Error, message, cure.to_owned()));
            return None;
        }
    };
    let whole = |message: String, cure: &str| {
        Source::fault_of_file(&file.path, Severity::Error, message, cure.to_owned())
    };
    if entities.len() > ENTITIES_MAX {
        let message = format!("{} entities, more than {ENTITIES_MAX}", entities.len());
        desk.found.faults.push(whole(message, "let the application send properties with its requests"));
        return None;
    }
    let mut seen = BTreeSet::new();
    for entity in &entities {
        if !seen.insert((&entity.kind, &entity.id)) {
            let message = format!("{} \"{}\" is stored twice", clip(&entity.kind), clip(&entity.id));
            desk.found.faults.push(whole(message, "keep one"));
        }
    }
    Some(entities)
}

/// The name the plane uses for its own decisions.
pub(crate) const AGENTS: &str = "agent";
