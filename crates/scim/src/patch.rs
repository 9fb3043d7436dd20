//! What a patch makes of a resource (RFC 7644 section 3.5.2): all of it, or nothing. Beside the standard's form it reads what
//! providers send:
//!
//! - operators in any case (`Replace`), booleans as text (`"False"`);
//! - `remove` with a plain path and the values to remove: only those go;
//! - no path, and names in the value: with dots (`name.givenName`), with URNs, with filters;
//! - `replace` of `emails[type eq "work"].value` when there is none: one is made.
//!
//! What there is not is passed over. What only the server says is refused by its path, and passed over inside a value.

use crate::{
    Attribute, Attributes, Fault, Filter, ResourceType,
    fault::clip,
    path::{Path, Target},
    resource::{check, inside, is_primary, not_primary, tidy, value_of},
    schema::{Kind, Mutability},
};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// The resource after a patch.
///
/// # Errors
/// The protocol's: nothing of the patch counts then.
pub fn apply(kind: &ResourceType, before: &Attributes, body: &Value) -> Result<Attributes, Fault> {
    let mut after = before.clone();
    for operation in operations(body)? {
        one(kind, &mut after, operation)?;
    }
    tidy(&mut after);
    check(kind, &after)?;
    Ok(after)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

fn operations(body: &Value) -> Result<&Vec<Value>, Fault> {
    let Some(body) = body.as_object() else { return Err(Fault::syntax("the body is no JSON object")) };
    let found = member(body, "operations").and_then(Value::as_array);
    let found = found.ok_or_else(|| Fault::syntax("`Operations` is no list"))?;
    match found.len() {
        0 => Err(Fault::syntax("`Operations` is empty")),
        count if count > OPERATIONS_MAX => {
            Err(Fault::syntax(format!("a patch has at most {OPERATIONS_MAX} operations")))
        }
        _ => Ok(found),
    }
}

fn one(kind: &ResourceType, after: &mut Attributes, operation: &Value) -> Result<(), Fault> {
    let Some(operation) = operation.as_object() else {
        return Err(Fault::syntax("an operation is no object"));
    };
    let op = match member(operation, "op").and_then(Value::as_str) {
        Some(word) if word.eq_ignore_ascii_case("add") => Op::Add,
        Some(word) if word.eq_ignore_ascii_case("replace") => Op::Replace,
        Some(word) if word.eq_ignore_ascii_case("remove") => Op::Remove,
        Some(word) => return Err(Fault::syntax(format!("{} is no operation", clip(word)))),
        None => return Err(Fault::syntax("`op` is missing")),
    };
    let path = match member(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => return Err(Fault::path("`path` is no text")),
    };
    let value = member(operation, "value");
    match (op, path, value) {
        (Op::Remove, None, _) => Err(Fault::no_target("`remove` needs a path")),
        (Op::Remove, Some(path), value) => match Target::parse(kind, path)? {
            Target::Attribute { path, filter } => remove(after, path, filter.as_ref(), value),
            Target::Extension(schema) => {
                after.remove(schema.id);
                Ok(())
            }
            Target::Resource => Err(Fault::no_target("a resource goes with DELETE")),
            Target::Unknown => Ok(()),
        },
        (_, _, None) => Err(Fault::value("`value` is missing")),
        (op, Some(path), Some(value)) => {
            let target = Target::parse(kind, path)?;
            if let Target::Attribute { path, .. } = &target
                && path.last_named().mutability == Mutability::ReadOnly
            {
                return Err(read_only(path));
            }
            put(kind, after, op, target, value)
        }
        (op, None, Some(Value::Object(members))) => members_of(kind, after, op, "", members),
        (_, None, Some(_)) => Err(Fault::value("without a path, `value` is an object of attributes")),
    }
}

/// Each member of a value as if its name were the path. `prefix`: the extension they are of.
fn members_of(
    kind: &ResourceType,
    after: &mut Attributes,
    op: Op,
    prefix: &str,
    members: &Map<String, Value>,
) -> Result<(), Fault> {
    for (name, value) in members {
        let target = Target::parse(kind, &format!("{prefix}{name}"))?;
        // `id` and the like come along with whole resources.
        if let Target::Attribute { path, .. } = &target
            && path.last_named().mutability == Mutability::ReadOnly
        {
            continue;
        }
        put(kind, after, op, target, value)?;
    }
    Ok(())
}

fn put(
    kind: &ResourceType,
    after: &mut Attributes,
    op: Op,
    target: Target,
    value: &Value,
) -> Result<(), Fault> {
    match target {
        Target::Unknown => Ok(()),
        Target::Resource => match value {
            Value::Object(members) => members_of(kind, after, op, "", members),
            _ => Err(Fault::value("a resource is an object")),
        },
        Target::Extension(schema) => match value {
            Value::Object(members) => members_of(kind, after, op, &format!("{}:", schema.id), members),
            _ => Err(Fault::value("an extension is an object")),
        },
        Target::Attribute { path, .. } if path.attribute.name == "schemas" => Ok(()),
        Target::Attribute { path, filter } => {
            inside(after, path, |object| match (path.attribute.many, filter) {
                (true, Some(filter)) => some_of(object, path, &filter, op, value),
                (true, None) => many(object, path, op, value),
                (false, Some(_)) => Err(Fault::path(format!("`{}` is no list", path.attribute.name))),
                (false, None) => single(object, path, value),
            })
        }
    }
}

/// An attribute with one value: set, or, of an object, the members that are named.
fn single(object: &mut Attributes, path: Path, value: &Value) -> Result<(), Fault> {
    let attribute = path.attribute;
    match path.member {
        Some(member) => {
            let value = value_of(member, value)?;
            let mut around = taken(object, attribute);
            set(&mut around, member, value);
            restore(object, attribute, around);
        }
        None => match value_of(attribute, value)? {
            Some(Value::Object(members)) if attribute.kind == Kind::Complex => {
                let mut around = taken(object, attribute);
                around.extend(members);
                restore(object, attribute, around);
            }
            value => set(object, attribute, value),
        },
    }
    Ok(())
}

/// A list, whole: added to or put in the place of what was; or one member of each of its values.
fn many(object: &mut Attributes, path: Path, op: Op, value: &Value) -> Result<(), Fault> {
    let attribute = path.attribute;
    let before = list(object, attribute);
    let mut all = before.clone();
    match path.member {
        Some(member) => {
            let value = value_of(member, value)?;
            if all.is_empty() {
                all.push(Value::Object(Map::new()));
            }
            for object in all.iter_mut().filter_map(Value::as_object_mut) {
                set(object, member, value.clone());
            }
        }
        None => {
            let Some(Value::Array(given)) = value_of(attribute, value)? else {
                if op == Op::Replace {
                    object.remove(attribute.name);
                }
                return Ok(());
            };
            match op {
                Op::Add => append(&mut all, given),
                Op::Replace | Op::Remove => all = given,
            }
        }
    }
    keep(object, attribute, &before, all)
}

/// The values of a list that fit; one is made where none does and the filter says what it has to be.
fn some_of(object: &mut Attributes, path: Path, filter: &Filter, op: Op, value: &Value) -> Result<(), Fault> {
    let attribute = path.attribute;
    let before = list(object, attribute);
    let mut all = before.clone();
    let change = |value_before: &mut Value| -> Result<(), Fault> {
        let Some(members) = value_before.as_object_mut() else { return Ok(()) };
        match path.member {
            Some(member) => set(members, member, value_of(member, value)?),
            None => {
                let given = value_of(attribute, value)?;
                if let Some(Value::Object(given)) = given.and_then(|given| given.get(0).cloned()) {
                    members.extend(given);
                }
            }
        }
        Ok(())
    };
    let fits = |value: &Value| value.as_object().is_some_and(|object| filter.matches(object));
    let mut found = false;
    for value in all.iter_mut().filter(|value| fits(value)) {
        found = true;
        change(value)?;
    }
    if !found {
        let Some(equals) = filter.equals() else {
            return Err(Fault::no_target(format!("no value of `{}` fits the filter", attribute.name)));
        };
        let made = equals.into_iter().map(|(member, value)| (member.name.to_owned(), value));
        let mut made = Value::Object(made.collect());
        change(&mut made)?;
        append(&mut all, vec![made]);
    }
    let _either_way = op;
    keep(object, attribute, &before, all)
}

fn remove(
    after: &mut Attributes,
    path: Path,
    filter: Option<&Filter>,
    value: Option<&Value>,
) -> Result<(), Fault> {
    let attribute = path.attribute;
    if path.last_named().mutability == Mutability::ReadOnly {
        return Err(read_only(&path));
    }
    if attribute.required {
        return Err(Fault::mutability(format!("`{}` is required, and is not removed", attribute.name)));
    }
    inside(after, path, |object| {
        if !attribute.many {
            match path.member {
                Some(member) => {
                    let mut around = taken(object, attribute);
                    around.remove(member.name);
                    restore(object, attribute, around);
                }
                None => drop(object.remove(attribute.name)),
            }
            return Ok(());
        }
        let before = list(object, attribute);
        let fits = |value: &Value| match filter {
            Some(filter) => value.as_object().is_some_and(|object| filter.matches(object)),
            None => true,
        };
        let all = match (path.member, value) {
            (Some(member), _) => {
                let mut all = before.clone();
                for value in all.iter_mut().filter(|value| fits(value)) {
                    value.as_object_mut().map(|object| object.remove(member.name));
                }
                all.retain(|value| value.as_object().is_some_and(|object| !object.is_empty()));
                all
            }
            (None, Some(named)) if filter.is_none() && !named.is_null() => {
                let named = match value_of(attribute, named)? {
                    Some(Value::Array(named)) => named,
                    _ => Vec::new(),
                };
                let values: HashSet<&str> = named.iter().filter_map(value_in).collect();
                let goes = |value: &Value| {
                    value_in(value).is_some_and(|value| values.contains(value)) || named.contains(value)
                };
                before.iter().filter(|value| !goes(value)).cloned().collect()
            }
            (None, _) => before.iter().filter(|value| !fits(value)).cloned().collect(),
        };
        keep(object, attribute, &before, all)
    })
}

/// Puts a list back, with one primary value at most: the one that has become it.
fn keep(
    object: &mut Attributes,
    attribute: &Attribute,
    before: &[Value],
    mut all: Vec<Value>,
) -> Result<(), Fault> {
    let primary: Vec<usize> =
        all.iter().enumerate().filter(|(_, value)| is_primary(value)).map(|(place, _)| place).collect();
    if primary.len() > 1 {
        let new = |place: &&usize| all.get(**place).is_some_and(|value| !before.contains(value));
        let stays = primary.iter().find(new).or_else(|| primary.first()).copied();
        for (place, value) in all.iter_mut().enumerate() {
            if Some(place) != stays {
                not_primary(value);
            }
        }
    }
    let all = value_of(attribute, &Value::Array(all))?;
    set(object, attribute, all);
    Ok(())
}

/// What is not there yet is added; what has the same `value` is one with it.
fn append(all: &mut Vec<Value>, given: Vec<Value>) {
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, value) in all.iter().enumerate() {
        if let Some(value) = value_in(value) {
            places.insert(value.to_owned(), place);
        }
    }
    for value in given {
        match value_in(&value).map(str::to_owned) {
            Some(key) => match places.get(&key).and_then(|place| all.get_mut(*place)) {
                Some(known) => {
                    if let (Some(known), Some(new)) = (known.as_object_mut(), value.as_object()) {
                        known.extend(new.clone());
                    }
                }
                None => {
                    places.insert(key, all.len());
                    all.push(value);
                }
            },
            None if all.contains(&value) => {}
            None => all.push(value),
        }
    }
}

fn value_in(value: &Value) -> Option<&str> {
    value.get("value").and_then(Value::as_str)
}

fn list(object: &Attributes, attribute: &Attribute) -> Vec<Value> {
    match object.get(attribute.name) {
        Some(Value::Array(all)) => all.clone(),
        _ => Vec::new(),
    }
}

fn taken(object: &mut Attributes, attribute: &Attribute) -> Map<String, Value> {
    match object.remove(attribute.name) {
        Some(Value::Object(around)) => around,
        _ => Map::new(),
    }
}

fn restore(object: &mut Attributes, attribute: &Attribute, around: Map<String, Value>) {
    if !around.is_empty() {
        object.insert(attribute.name.to_owned(), Value::Object(around));
    }
}

fn set(object: &mut Attributes, attribute: &Attribute, value: Option<Value>) {
    match value {
        Some(value) => drop(object.insert(attribute.name.to_owned(), value)),
        None => drop(object.remove(attribute.name)),
    }
}

fn read_only(path: &Path) -> Fault {
    Fault::mutability(format!("`{}` is said by the server", path.last_named().name))
}

/// A member in any case: some write `operations`, some `Path`.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object
        .get(name)
        .or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

impl Path {
    /// The attribute, or the member of it, that was named.
    fn last_named(&self) -> &'static Attribute {
        self.member.unwrap_or(self.attribute)
    }
}

const OPERATIONS_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
