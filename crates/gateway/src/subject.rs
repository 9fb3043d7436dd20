//! What a request is about, as policies see it: which operation of the system, with which arguments.

use crate::{approval::Uses, decide::Attempt, identify::Caller, refusal::Refusal};
use provost_domain::{System, Tool, ToolName, tool::BuiltIn};
use provost_mcp::{
    Limits, Request, Revision, RpcError,
    methods::{Form, Sender, Subject, lookup},
    tools::ToolCall,
};
use provost_replica::View;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The operation a request names.
pub(crate) struct Named {
    /// Its name.
    pub name: ToolName,
    /// The operation as a person reviewed it; `None` when nobody has.
    pub tool: Option<Arc<Tool>>,
    /// The arguments.
    pub args: Map<String, Value>,
    /// Whether the system defines it, so that the definition must be the reviewed one; otherwise the protocol does.
    pub is_defined: bool,
}

/// Reads it from a request of a decided method.
///
/// # Errors
/// When the method is not decided, or its params do not say what it is about.
pub(crate) fn read(
    view: &View,
    system: &System,
    request: &Request<'_>,
    revision: Revision,
    limits: &Limits,
) -> Result<Named, Refusal> {
    let era = revision.era();
    let unknown = || RpcError::method_not_found(&request.method, era);
    let method = lookup(&request.method, Sender::Client, Form::Request, revision).ok_or_else(unknown)?;
    match method.subject(request.params.as_ref(), revision)? {
        Subject::Tool(_) => {
            let call = ToolCall::parse(request.params.as_ref(), revision, limits)?;
            let unusable = |_bad| RpcError::invalid_params(era, format!("there is no tool `{}`", call.name));
            let name: ToolName = call.name.parse().map_err(unusable)?;
            let tool = view.directory.tools.get(&(system.name.clone(), name.clone())).cloned();
            Ok(Named { name, tool, args: call.arguments, is_defined: true })
        }
        // What it completes is a template, which names no resource yet.
        Subject::Prompt(_) | Subject::Resource(_) if method.name == "completion/complete" => {
            built_in(BuiltIn::Completion, system, Map::new())
        }
        Subject::Prompt(name) => built_in(BuiltIn::Prompts, system, one("name", name)),
        Subject::Resource(uri) => built_in(BuiltIn::Resources, system, one("uri", uri)),
        Subject::Nothing | Subject::Task(_) | Subject::Several { .. } => Err(unknown().into()),
    }
}

/// A read of a resource that no request of its own asks for.
///
/// # Errors
/// Never for a system whose name could be read.
pub(crate) fn reading(
    face: &'static str,
    view: &Arc<View>,
    caller: &Caller,
    system: &Arc<System>,
    uri: &str,
) -> Result<Attempt, Refusal> {
    let Named { name, tool, args, .. } = built_in(BuiltIn::Resources, system, one("uri", uri.to_owned()))?;
    let (view, caller, system) = (Arc::clone(view), caller.clone(), Arc::clone(system));
    Ok(Attempt { face, view, caller, system, name, tool, pinned: true, args, uses: Uses::Any })
}

fn built_in(kind: BuiltIn, system: &System, args: Map<String, Value>) -> Result<Named, Refusal> {
    let tool = kind.tool(system).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(Named { name: tool.name.clone(), tool: Some(Arc::new(tool)), args, is_defined: false })
}

fn one(name: &str, value: String) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), Value::from(value))])
}
