//! Rich authorization requests (RFC 9396): what a token may be used for, down to arguments. There is one type,
//! `provost_task`; several entries add up, and no two of them name the same tool.

use crate::{OauthCode, OauthError, arg_rule, json, uri};
use provost_domain::{Name, ToolName, charter::ArgRule};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The `type` of an entry.
pub const DETAIL_TYPE: &str = "provost_task";

/// Tools of one system, with limits on their arguments. In JSON:
/// `{"type": "provost_task", "system": "bank", "tools": ["transfer"], "args": {"amount": {"max": "100"}}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskDetail {
    #[serde(rename = "type")]
    kind: DetailType,
    /// The system.
    pub system: Name,
    /// Its tools; all that the charter grants there, if empty (absent in JSON).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<ToolName>,
    /// Limits on arguments of these tools, by dotted path, as in a charter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, ArgRule>,
    /// Resources where it may be used (RFC 9396 section 2.2); wherever the token is good, if empty.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub locations: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum DetailType {
    #[serde(rename = "provost_task")]
    ProvostTask,
}

/// A whole `authorization_details`: at least one entry, each tool in one entry only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Details(Vec<TaskDetail>);

impl TaskDetail {
    /// These tools of a system, or all if there is none named, with these limits, wherever the token is good.
    #[must_use]
    pub const fn new(system: Name, tools: BTreeSet<ToolName>, args: BTreeMap<String, ArgRule>) -> Self {
        Self { kind: DetailType::ProvostTask, system, tools, args, locations: BTreeSet::new() }
    }

    fn names(&self, tool: &ToolName) -> bool {
        self.tools.is_empty() || self.tools.contains(tool)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let both_name = other.tools.is_empty() || other.tools.iter().any(|tool| self.names(tool));
        self.system == other.system && (self.tools.is_empty() || both_name)
    }
}

impl Details {
    /// These entries.
    ///
    /// # Errors
    /// `invalid_authorization_details` when there is none, too many, or a tool in two of them: it would not be clear which
    /// limits hold.
    pub fn new(entries: Vec<TaskDetail>) -> Result<Self, OauthError> {
        if entries.is_empty() || entries.len() > ENTRIES_MAX {
            return Err(refusal(format!("authorization_details must have 1 to {ENTRIES_MAX} entries")));
        }
        let mut rest = entries.as_slice();
        while let Some((entry, later)) = rest.split_first() {
            if let Some(twin) = later.iter().find(|other| entry.overlaps(other)) {
                let text =
                    format!("two entries name the same tools of system {}; make them one", twin.system);
                return Err(refusal(text));
            }
            rest = later;
        }
        Ok(Self(entries))
    }

    /// Reads the parameter of a request.
    ///
    /// # Errors
    /// `invalid_authorization_details`; unknown types, members and limits are refused (RFC 9396 section 5).
    pub fn parse_text(text: &str) -> Result<Self, OauthError> {
        if text.len() > DETAILS_BYTES_MAX {
            return Err(refusal(format!("authorization_details is longer than {DETAILS_BYTES_MAX} bytes")));
        }
        let unreadable = |_fault| refusal("authorization_details must be a JSON array, no member name twice");
        Self::parse(&json::value(text.as_bytes()).map_err(unreadable)?)
    }

    /// Reads a JSON value that was itself read strictly.
    ///
    /// # Errors
    /// As [`Details::parse_text`].
    pub fn parse(value: &Value) -> Result<Self, OauthError> {
        let entries = value.as_array().filter(|entries| entries.len() <= ENTRIES_MAX);
        let entries = entries.ok_or_else(|| {
            refusal(format!("authorization_details must be an array of 1 to {ENTRIES_MAX} objects"))
        })?;
        Self::new(entries.iter().map(read_entry).collect::<Result<_, _>>()?)
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[TaskDetail] {
        &self.0
    }

    /// What may be used of `child` under this, its parent: every tool of the child must be the parent's, and the parent's
    /// limits are always added to the child's. The result allows nothing that either of them does not.
    ///
    /// # Errors
    /// `invalid_authorization_details` for a tool or location that the parent lacks, and for limits that leave nothing or
    /// cannot both be said.
    pub fn attenuate(&self, child: &Self) -> Result<Self, OauthError> {
        let mut merged = Vec::new();
        for wanted in &child.0 {
            let mut missing = wanted.tools.clone();
            let from = merged.len();
            for held in self.0.iter().filter(|held| held.system == wanted.system) {
                let tools: BTreeSet<ToolName> = match (held.tools.is_empty(), wanted.tools.is_empty()) {
                    (true, _) => wanted.tools.clone(),
                    (_, true) => held.tools.clone(),
                    (false, false) => wanted.tools.intersection(&held.tools).cloned().collect(),
                };
                if tools.is_empty() && !(held.tools.is_empty() && wanted.tools.is_empty()) {
                    continue;
                }
                missing.retain(|tool| !tools.contains(tool));
                merged.push(merge(held, wanted, tools)?);
            }
            if merged.len() == from {
                return Err(refusal(format!("system {} is not among what is held", wanted.system)));
            }
            if let Some(tool) = missing.first() {
                return Err(refusal(format!("{tool} of system {} is not among what is held", wanted.system)));
            }
        }
        Self::new(merged)
    }
}

/// [`Details::attenuate`] where either side may be unlimited. The result is unlimited only when both are.
///
/// # Errors
/// As [`Details::attenuate`].
pub fn attenuate(parent: Option<&Details>, child: Option<&Details>) -> Result<Option<Details>, OauthError> {
    match (parent, child) {
        (Some(parent), Some(child)) => parent.attenuate(child).map(Some),
        (parent, child) => Ok(parent.or(child).cloned()),
    }
}

fn merge(
    held: &TaskDetail,
    wanted: &TaskDetail,
    tools: BTreeSet<ToolName>,
) -> Result<TaskDetail, OauthError> {
    let mut args = held.args.clone();
    for (path, rule) in &wanted.args {
        let rule = match held.args.get(path) {
            None => rule.clone(),
            Some(held) => arg_rule::both(held, rule).ok_or_else(|| {
                let text = "the limits asked for and those held leave nothing, or cannot both be said";
                refusal(format!("argument {path} of system {}: {text}", wanted.system))
            })?,
        };
        args.insert(path.clone(), rule);
    }
    let locations = match (held.locations.is_empty(), wanted.locations.is_empty()) {
        (true, _) => wanted.locations.clone(),
        (_, true) => held.locations.clone(),
        (false, false) if wanted.locations.is_subset(&held.locations) => wanted.locations.clone(),
        (false, false) => {
            return Err(refusal(format!(
                "a location for system {} is not among what is held",
                wanted.system
            )));
        }
    };
    Ok(TaskDetail { kind: DetailType::ProvostTask, system: wanted.system.clone(), tools, args, locations })
}

fn read_entry(value: &Value) -> Result<TaskDetail, OauthError> {
    let entry = value.as_object().ok_or_else(|| refusal("each authorization detail must be an object"))?;
    if entry.get("type").is_none_or(|kind| kind != DETAIL_TYPE) {
        return Err(refusal(format!("the only type of authorization details is {DETAIL_TYPE}")));
    }
    if entry.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(refusal(
            "an authorization detail has the members type, system, tools, args and locations only",
        ));
    }
    let system = entry.get("system").and_then(Value::as_str).and_then(|system| system.parse().ok());
    let system: Name = system.ok_or_else(|| refusal("each authorization detail must name a system"))?;
    let tools = texts(entry, "tools")?
        .into_iter()
        .map(|tool| tool.parse().map_err(|_not_a_name| refusal("tools must be names of tools")))
        .collect::<Result<BTreeSet<ToolName>, _>>()?;
    let locations = texts(entry, "locations")?;
    for location in &locations {
        uri::check_resource(location).map_err(|_not_a_uri| refusal("locations must be absolute URIs"))?;
    }
    let locations = locations.into_iter().map(str::to_owned).collect();
    Ok(TaskDetail { kind: DetailType::ProvostTask, system, tools, args: read_args(entry)?, locations })
}

/// A list that, if it is there, names something: an empty one could mean all or nothing.
fn texts<'v>(entry: &'v Map<String, Value>, name: &str) -> Result<BTreeSet<&'v str>, OauthError> {
    let Some(value) = entry.get(name) else { return Ok(BTreeSet::new()) };
    let wrong = || refusal(format!("{name}, if given, must be a list of 1 to {LIST_MAX} texts, each once"));
    let items = value.as_array().filter(|items| (1..=LIST_MAX).contains(&items.len())).ok_or_else(wrong)?;
    let texts: BTreeSet<&str> = items.iter().filter_map(Value::as_str).collect();
    if texts.len() == items.len() { Ok(texts) } else { Err(wrong()) }
}

fn read_args(entry: &Map<String, Value>) -> Result<BTreeMap<String, ArgRule>, OauthError> {
    let Some(value) = entry.get("args") else { return Ok(BTreeMap::new()) };
    let wrong =
        || refusal(format!("args, if given, must be an object of 1 to {ARGS_MAX} limits by dotted path"));
    let args = value.as_object().filter(|args| (1..=ARGS_MAX).contains(&args.len())).ok_or_else(wrong)?;
    let good_path = |path: &str| {
        path.len() <= PATH_BYTES_MAX
            && path.split('.').all(|part| !part.is_empty())
            && path.chars().all(|c| !c.is_control())
    };
    let read = |(path, rule): (&String, &Value)| match arg_rule::read(rule) {
        Some(rule) if good_path(path) => Ok((path.clone(), rule)),
        _ => Err(refusal(
            "a limit on an argument is an object of one_of, none_of, like, not_like, min, max (decimals as text) and \
             optional, or absent alone, and must leave something",
        )),
    };
    args.iter().map(read).collect()
}

fn refusal(text: impl Into<std::borrow::Cow<'static, str>>) -> OauthError {
    OauthError::new(OauthCode::InvalidAuthorizationDetails, text)
}

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::parse(&value).map_err(|error| serde::de::Error::custom(error.description()))
    }
}

const MEMBERS: &[&str] = &["type", "system", "tools", "args", "locations"];
const ENTRIES_MAX: usize = 16;
const LIST_MAX: usize = 256;
const ARGS_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 256;
const DETAILS_BYTES_MAX: usize = 16_384;

#[cfg(test)]
pub(crate) mod tests;
