//! The Cedar schema of an organisation: what policies may say about whom. The text is for people and editors too.

use provost_domain::{
    Directory, Effect, Name, System, Tool,
    tool::{ArgShape, ArgType, BuiltIn},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// The whole schema as Cedar text: entity types, the nine effects, and every operation with its arguments.
#[must_use]
pub fn schema_text(directory: &Directory) -> String {
    let mut text = head(&BTreeSet::new());
    for system in directory.systems.values() {
        _ = writeln!(text, "\n// {}: {}", system.name, one_line(&system.description));
        for tool in operations(directory, system) {
            text.push_str(&action(&tool));
        }
    }
    text
}

/// Every operation of a system: its tools, and what every MCP server has.
pub(crate) fn operations(directory: &Directory, system: &System) -> Vec<Tool> {
    let name: &Name = &system.name;
    let tools = directory.tools_of(name).map(|tool| tool.as_ref().clone());
    let built_in = BuiltIn::ALL.into_iter().filter_map(|built_in| built_in.tool(system).ok());
    tools.chain(built_in).collect()
}

/// The part of the schema that is the same everywhere, with stand-ins for the effects that no tool has yet: a
/// policy about deletions may be written before there is anything to delete.
pub(crate) fn head(without_tools: &BTreeSet<Effect>) -> String {
    let mut text = HEAD.to_owned();
    for effect in Effect::ALL {
        _ = writeln!(text, "action {};", quoted(effect.as_str()));
    }
    for effect in without_tools {
        _ = writeln!(
            text,
            "action {} in [{}] appliesTo {{ principal: [Agent], resource: [System], context: {CONTEXT} }};",
            quoted(&format!("(any {effect})")),
            quoted(effect.as_str()),
        );
    }
    text
}

/// The declaration of one operation.
pub(crate) fn action(tool: &Tool) -> String {
    let groups: Vec<String> = tool.effects_or_worst().into_iter().map(|e| quoted(e.as_str())).collect();
    let context = CONTEXT
        .replace("args: {}", &format!("args: {}", record(&tool.args)))
        .replace("args_from: {}", &format!("args_from: {}", origins(tool)));
    format!(
        "action {} in [{}] appliesTo {{ principal: [Agent], resource: [System], context: {context} }};\n",
        quoted(&tool.path()),
        groups.join(", "),
    )
}

/// Two tools with the same key look the same to every policy that does not name them.
pub(crate) fn shape_key(tool: &Tool) -> String {
    let groups: Vec<&str> = tool.effects_or_worst().into_iter().map(Effect::as_str).collect();
    format!("{} {} {}", groups.join(","), record(&tool.args), origins(tool))
}

/// Where each steering argument came from, if the call has it.
fn origins(tool: &Tool) -> String {
    let arguments = tool.steering.steers.iter().chain(&tool.steering.carries).collect::<BTreeSet<_>>();
    let members: Vec<String> = arguments.into_iter().map(|arg| format!("{}?: String", quoted(arg))).collect();
    format!("{{{}}}", members.join(", "))
}

/// Why a tool's arguments cannot be declared, if they cannot.
pub(crate) fn undeclarable(tool: &Tool) -> Option<String> {
    let mut nodes = 0;
    too_deep(&tool.args, 1, &mut nodes).then(|| {
        format!("its arguments nest deeper than {ARG_DEPTH_MAX} or are more than {ARG_NODES_MAX} altogether")
    })
}

fn too_deep(members: &BTreeMap<String, ArgType>, depth: usize, nodes: &mut usize) -> bool {
    *nodes += members.len();
    depth > ARG_DEPTH_MAX
        || *nodes > ARG_NODES_MAX
        || members.values().any(|arg| {
            let (mut shape, mut depth) = (&arg.shape, depth);
            while let ArgShape::Set { of } = shape {
                (shape, depth) = (of, depth + 1);
                if depth > ARG_DEPTH_MAX {
                    return true;
                }
            }
            match shape {
                ArgShape::Record { members } => too_deep(members, depth + 1, nodes),
                _ => false,
            }
        })
}

fn record(members: &BTreeMap<String, ArgType>) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, arg)| {
            format!("{}{}: {}", quoted(name), if arg.required { "" } else { "?" }, type_of(&arg.shape))
        })
        .collect();
    format!("{{{}}}", members.join(", "))
}

fn type_of(shape: &ArgShape) -> String {
    match shape {
        ArgShape::String | ArgShape::Json => "String".to_owned(),
        ArgShape::Long => "Long".to_owned(),
        ArgShape::Decimal => "decimal".to_owned(),
        ArgShape::Bool => "Bool".to_owned(),
        ArgShape::Set { of } => format!("Set<{}>", type_of(of)),
        ArgShape::Record { members } => record(members),
    }
}

/// A Cedar string literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const ARG_DEPTH_MAX: usize = 12;
const ARG_NODES_MAX: usize = 2_048;

const CONTEXT: &str = "{ now: Long, weekday: String, minute: Long, task: Task, tool: Tool, \
approvals: Set<String>, exhausted: Set<String>, steered: Set<String>, carries: Set<String>, past: Set<String>, drift: Long, \
args: {}, args_from: {} }";

const HEAD: &str = r#"// A person: owners, and those who ask for tasks.
entity Person;
// Who acts.
entity Agent = {
  owner: Person,
  environment: String, // sandbox, staging, production
  autonomy: String,    // probation, supervised, bounded
  status: String,      // active, or one of the states in which it may do nothing
  level: String,       // what containment leaves this call: normal, approvals-only, read-only, off
  asks: Bool,          // an order says that every call waits for the owner
  without: Set<String>, // effects that an order withholds
  revision: Long,      // of the charter in force
  data: Set<String>,   // labels of data it may read
};
// What is acted on.
entity System = { environment: String };
// The run in which the agent acts.
type Task = {
  id: String,
  purpose: String,
  requester: Person,
  labels: Set<String>, // what it has read so far
  untrusted: Bool,     // it has read content that a stranger could have written
  confidential: Bool,  // it has read data with any other label
  in_scope: Bool,      // it was started with this tool in its scope
  live: Bool,          // it runs and has not expired
};
// What is known about the operation.
type Tool = {
  pinned: Bool,         // the server defines it as it was reviewed
  classified: Bool,     // somebody said what it can do
  only_reads: Bool,     // its one effect is to read
  effects: Set<String>, // its effects; all of them when nobody classified it
  sends_out: Bool,      // it hands data to somebody outside
  plain: Bool,          // it reads or writes and does nothing else
  steers: Bool,         // somebody said which of its arguments steer it; see `steered`
  returns: Set<String>, // labels of the data it returns, `untrusted` left out
};
// The effects. An operation nobody classified has all of them.
"#;
