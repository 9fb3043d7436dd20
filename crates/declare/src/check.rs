//! What files say about each other: mentions of what does not exist, circles of managers, one name for two.

mod charters;
mod issuers;

use crate::{
    Declared, Fault, Place, Severity,
    desk::{Found, Mention, Mentioned},
    table::{clip, join, nearest},
};
use provost_domain::{
    Directory, Kind, Name, ObjectKey, Tool, ToolName,
    charter::{ArgRule, Scalar},
    tool::{ArgShape, ArgType, BuiltIn},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Looks everything up, once all files are read.
pub(crate) fn all(declared: &mut Declared, found: &mut Found, current: &Directory) {
    let mentions = std::mem::take(&mut found.mentions);
    // A thing in a file that is not valid TOML may be there and unreadable: nothing is said about what is missing.
    if !found.unreadable {
        let world = World { declared, named: &found.named, current };
        let faults: Vec<Fault> = mentions.iter().filter_map(|mention| world.look_up(mention)).collect();
        found.faults.extend(faults);
    }
    found.faults.extend(one_name_for_two(declared, &found.named));
    found.faults.extend(circles_of_managers(declared, &found.managers));
    found.faults.extend(issuers::clashes(declared, found, current));
    found.faults.extend(crate::channel::unknown_groups(declared, found, current));
    write_decimals_as_text(declared, current);
    let hollow = charters::hollow_grants(declared, current, found);
    found.faults.extend(hollow);
}

/// What may be mentioned.
struct World<'a> {
    declared: &'a Declared,
    /// Also what could not be read whole.
    named: &'a BTreeMap<ObjectKey, Place>,
    current: &'a Directory,
}

impl World<'_> {
    fn look_up(&self, mention: &Mention) -> Option<Fault> {
        let mut severity = Severity::Error;
        let (message, cure) = match &mention.of {
            Mentioned::Object { key, role } if self.knows(key) => {
                // Who does not answer for anything today only has to be replaced some day.
                severity = if *role == "owner" { Severity::Error } else { Severity::Warning };
                self.gone(key, role)?
            }
            Mentioned::Object { key, role } => self.object(key, role),
            Mentioned::Tool { system, tool } => self.tool(system, tool)?,
            Mentioned::Arg { system, tools, path, number } => self.arg(system, tools, path, *number)?,
        };
        Some(self.declared.fault_at(mention.place.clone(), severity, message, cure))
    }

    fn knows(&self, key: &ObjectKey) -> bool {
        self.named.contains_key(key) || self.current.get(key).is_some()
    }

    fn object(&self, key: &ObjectKey, role: &str) -> (String, String) {
        let kind = key.kind.as_str();
        let known = self.named.keys().filter(|other| other.kind == key.kind).map(|other| other.key.as_str());
        let message = if role == kind {
            format!("there is no {kind} `{}`", key.key)
        } else {
            format!("{role} `{}` is not a {kind} of these files", key.key)
        };
        let cure = nearest(&key.key, known).map_or_else(
            || format!("declare [{kind}.{}], or name another", key.key),
            |near| format!("did you mean `{near}`?"),
        );
        (message, cure)
    }

    /// A person who has left owns nothing that may act.
    fn gone(&self, key: &ObjectKey, role: &str) -> Option<(String, String)> {
        if key.kind != Kind::Person {
            return None;
        }
        let name = key.key.parse::<Name>().ok()?;
        let current = self.current.people.get(&name);
        let active = match self.declared.people.get(&name) {
            Some(person) if self.declared.silent_on_active.contains(key) => {
                current.map_or(person.active, |person| person.active)
            }
            Some(person) => person.active,
            None => current.is_none_or(|person| person.active),
        };
        let message = format!("{role} `{name}` has left (active = false)");
        (!active).then(|| (message, format!("name a person who is there as {role}")))
    }

    fn tool(&self, system: &Name, tool: &ToolName) -> Option<(String, String)> {
        let system_key = ObjectKey::new(Kind::System, system.as_str());
        if !self.knows(&system_key) || BuiltIn::ALL.iter().any(|own| own.as_str() == tool.as_str()) {
            return None;
        }
        if self.knows_tool(system, tool) {
            return None;
        }
        let prefix = format!("{system}/");
        let known: BTreeSet<&str> = self
            .named
            .keys()
            .filter(|key| key.kind == Kind::Tool)
            .filter_map(|key| key.key.strip_prefix(&prefix))
            .chain(BuiltIn::ALL.iter().map(|own| own.as_str()))
            .collect();
        let message = format!("system {system} has no tool `{tool}`");
        let cure = nearest(tool.as_str(), known.iter().copied()).map_or_else(
            || format!("run `provost system import` again, or name one of {}", clip(&join(known.iter()))),
            |near| format!("did you mean `{near}`?"),
        );
        Some((message, cure))
    }

    /// A tool of a declared system stands in its file; of another, in the plane.
    fn knows_tool(&self, system: &Name, tool: &ToolName) -> bool {
        let key = ObjectKey::tool(system, tool);
        let system_key = ObjectKey::new(Kind::System, system.as_str());
        self.named.contains_key(&key)
            || (!self.named.contains_key(&system_key) && self.current.get(&key).is_some())
    }

    fn arg(&self, system: &Name, tools: &[ToolName], path: &str, number: bool) -> Option<(String, String)> {
        tools.iter().find_map(|name| {
            let tool = find_tool(self.declared, self.current, system, name)?;
            match shape_at(&tool.args, path) {
                None => {
                    let known = paths(&tool.args);
                    let message = format!("tool {system}/{name} has no argument `{}`", clip(path));
                    let near = nearest(path, known.iter().map(String::as_str));
                    let cure = match (near, tools.len()) {
                        (Some(near), _) => format!("did you mean `{near}`?"),
                        (None, 1) if known.is_empty() => "take it out: the tool has no arguments".to_owned(),
                        (None, 1) => format!("name one of {}", clip(&join(&known))),
                        (None, _) => format!("give {name} a table of its own, without this argument"),
                    };
                    Some((message, cure))
                }
                Some(ArgShape::Long | ArgShape::Decimal) => None,
                Some(_) if number => {
                    let message = format!("argument `{}` of {system}/{name} is not a number", clip(path));
                    Some((
                        message,
                        "limit it with one_of, none_of, like or not_like; add up numbers only".to_owned(),
                    ))
                }
                Some(_) => None,
            }
        })
    }
}

/// A name belongs to one identity, whatever its class.
fn one_name_for_two<'a>(
    declared: &'a Declared,
    named: &'a BTreeMap<ObjectKey, Place>,
) -> impl Iterator<Item = Fault> + 'a {
    let mut first: BTreeMap<&str, &ObjectKey> = BTreeMap::new();
    let identities =
        named.iter().filter(|(key, _)| matches!(key.kind, Kind::Person | Kind::Workload | Kind::Agent));
    identities.filter_map(move |(key, place)| {
        let other = first.get(key.key.as_str()).copied();
        first.entry(key.key.as_str()).or_insert(key);
        let message = format!("{key} has the name of {}", other?);
        let cure = "give each person, workload and agent a name of its own";
        Some(declared.fault_at(place.clone(), Severity::Error, message, cure))
    })
}

/// Each circle once, at the person of it whose name comes first.
fn circles_of_managers(declared: &Declared, managers: &BTreeMap<Name, (Name, Place)>) -> Vec<Fault> {
    let circle = |(start, (manager, place)): (&Name, &(Name, Place))| {
        let mut chain = vec![start.as_str()];
        let mut next = manager;
        while next != start {
            // Into a circle that does not contain the start, or not the first of this circle.
            if next < start || chain.contains(&next.as_str()) {
                return None;
            }
            chain.push(next.as_str());
            next = &managers.get(next)?.0;
        }
        chain.push(start.as_str());
        let message = match chain.len() {
            2 => format!("{start} is their own manager"),
            _ => format!("managers go in a circle: {}", clip(&chain.join(" → "))),
        };
        Some(declared.fault_at(place.clone(), Severity::Error, message, "let the chain of managers end"))
    };
    managers.iter().filter_map(circle).collect()
}

/// `one_of = [5, 10]` on a decimal argument means 5.0 and 10.0: decimals are compared as their text.
fn write_decimals_as_text(declared: &mut Declared, current: &Directory) {
    let mut agents = std::mem::take(&mut declared.agents);
    for agent in agents.values_mut() {
        for grant in Arc::make_mut(&mut agent.charter.grants) {
            let (system, tools) = (&grant.system, &grant.tools);
            for (path, rule) in grant.args.iter_mut() {
                let decimal = |name: &ToolName| {
                    let tool = find_tool(declared, current, system, name);
                    tool.is_some_and(|tool| shape_at(&tool.args, path) == Some(&ArgShape::Decimal))
                };
                if !tools.is_empty() && tools.iter().all(decimal) {
                    as_decimals(rule);
                }
            }
        }
    }
    declared.agents = agents;
}

fn as_decimals(rule: &mut ArgRule) {
    for value in rule.one_of.iter_mut().chain(&mut rule.none_of) {
        let text = match &*value {
            Scalar::Long(number) => number.to_string(),
            Scalar::Text(text) => text.clone(),
            Scalar::Bool(_) => continue,
        };
        if let Ok(decimal) = text.parse::<provost_domain::Decimal>() {
            *value = Scalar::Text(decimal.to_string());
        }
    }
}

fn find_tool<'a>(
    declared: &'a Declared,
    current: &'a Directory,
    system: &Name,
    name: &ToolName,
) -> Option<std::borrow::Cow<'a, Tool>> {
    use std::borrow::Cow;
    if let Some(own) = BuiltIn::ALL.iter().find(|own| own.as_str() == name.as_str()) {
        let system =
            declared.systems.get(system).or_else(|| current.systems.get(system).map(AsRef::as_ref))?;
        return own.tool(system).ok().map(Cow::Owned);
    }
    let key = (system.clone(), name.clone());
    let current = || current.tools.get(&key).filter(|_| !declared.systems.contains_key(system));
    declared.tools.get(&key).or_else(|| current().map(AsRef::as_ref)).map(Cow::Borrowed)
}

/// The shape of the argument at a dotted path. A member whose own name has dots is found too.
fn shape_at<'a>(args: &'a BTreeMap<String, ArgType>, path: &str) -> Option<&'a ArgShape> {
    if let Some(arg) = args.get(path) {
        return Some(&arg.shape);
    }
    path.match_indices('.').find_map(|(at, _)| {
        let (head, rest) = path.split_at_checked(at)?;
        match &args.get(head)?.shape {
            ArgShape::Record { members } => shape_at(members, rest.strip_prefix('.')?),
            _ => None,
        }
    })
}

fn paths(args: &BTreeMap<String, ArgType>) -> Vec<String> {
    let inner = |(name, arg): (&String, &ArgType)| match &arg.shape {
        ArgShape::Record { members } => {
            paths(members).into_iter().map(|rest| format!("{name}.{rest}")).collect()
        }
        _ => vec![name.clone()],
    };
    args.iter().flat_map(inner).collect()
}
