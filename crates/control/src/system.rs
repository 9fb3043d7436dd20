//! Systems and their tools: to look at, to import, to look at again, to remove.

mod look;
mod openapi;

use crate::{
    Action, ControlError, Op,
    change::{Change, Draft},
    credential, diff,
    inventory::Sought,
    page::page,
    plan::{Wanted, checked},
};
use provost_api::{
    Changed, Page, PageQuery,
    system::{
        ConnectionWrite, RepinPlan, SystemDraft, SystemImport, SystemSummary, SystemView, ToolQuery, ToolView,
    },
};
use provost_declare::SourceFile;
use provost_domain::{
    AgentStatus, Directory, DurationMs, Environment, Kind, Name, ObjectKey, RequestRule, System, Tool,
    request::BodyForm,
    system::{Connection, CredentialUse},
    tool::{ArgShape, ArgType, Returns, Steering},
};
use provost_policy::check_changed;

/// Systems, in order of their names.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn list(op: &Op, query: PageQuery) -> Result<Page<SystemSummary>, ControlError> {
    op.authorize(Action::SystemRead)?;
    let view = op.plane.replica.latest();
    let rows = view.directory.systems.iter().map(|(name, system)| (name.to_string(), system)).collect();
    let most = op.plane.limits.page_size_max;
    page(rows, query.cursor.as_deref(), query.limit, most, |system| summary(system, &view.directory))
}

/// One system, with its tools.
///
/// # Errors
/// When the operator may not, nobody has that name, or the store fails.
pub async fn show(op: &Op, name: &Name) -> Result<SystemView, ControlError> {
    op.authorize(Action::SystemRead)?;
    let key = key(name);
    let version = op.plane.store.version(&key).await?;
    let history = op.plane.store.history(&key, HISTORY_MAX).await?;
    let view = op.plane.replica.latest();
    let system = find(&view.directory, name)?;
    let credential_state = match system.sealed_name() {
        None => "none wanted",
        Some(name) if credential::is_set(op, name).await? => "set",
        Some(_missing) => "missing",
    };
    let look = op.plane.inventory.look(&op.plane).await?;
    let sought = Sought { system: Some(name.clone()), ..Sought::default() };
    // Some of them may be over.
    let agents = look.agents(&sought, None, AGENTS_MAX.saturating_mul(2)).into_iter();
    let agents = agents.filter(|agent| agent.status != AgentStatus::Decommissioned);
    let agents = agents.take(AGENTS_MAX).map(|agent| agent.name.clone()).collect();
    Ok(SystemView {
        summary: summary(system, &view.directory),
        version,
        tool_list: view.directory.tools_of(name).map(|row| tool(row)).collect(),
        agents,
        credential_state: credential_state.to_owned(),
        history: diff::history(history),
    })
}

/// Tools, in order of system and name.
///
/// # Errors
/// When the operator may not, or the cursor is not one of ours.
pub async fn tools(op: &Op, query: ToolQuery) -> Result<Page<ToolView>, ControlError> {
    op.authorize(Action::SystemRead)?;
    let view = op.plane.replica.latest();
    let fits = |row: &Tool| {
        query.system.as_ref().is_none_or(|system| row.system == *system)
            && query.tool.as_ref().is_none_or(|name| row.name == *name)
            && query.effect.is_none_or(|effect| row.effects_or_worst().contains(&effect))
    };
    let rows = view.directory.tools.iter().filter(|(_key, row)| fits(row));
    let rows = rows.map(|((system, name), row)| (format!("{system}/{name}"), row)).collect();
    page(rows, query.cursor.as_deref(), query.limit, op.plane.limits.page_size_max, |row| tool(row))
}

/// Looks at an MCP server and writes the file a person reviews and applies. Nothing else is written.
///
/// # Errors
/// When the operator may not, a credential is missing, or the server does not answer as it should.
pub async fn import(op: &Op, wanted: SystemImport) -> Result<SystemDraft, ControlError> {
    op.authorize(Action::SystemImport)?;
    let document = match &wanted.connection {
        ConnectionWrite::Http { openapi, .. } => Some(openapi.clone()),
        _ => None,
    };
    let credential = wanted.credential.map(|used| CredentialUse {
        name: used.name,
        target: used.target,
        prefix: used.prefix,
        source: Default::default(),
    });
    let system = System {
        description: format!("{}, as imported; say in a sentence what it is", wanted.name),
        name: wanted.name,
        environment: wanted.environment.unwrap_or(Environment::Sandbox),
        connection: wanted.connection.into(),
        // Nobody said how long; the reviewer does. Until then, long.
        revocation_max: if credential.is_some() { REVOCATION_UNSTATED } else { DurationMs(0) },
        credential,
        resource_labels: Default::default(),
        only_through_plane: false,
        scim: None,
    };
    if let Some(document) = document {
        return described(op, system, document).await;
    }
    check_connection(&system)?;
    let found = look::at(op, &system).await?;
    Ok(look::draft(&system, found, &Directory::default()))
}

/// The file of an HTTP API, from the document that describes it. Nobody is asked: what a person had decided about an
/// operation stays.
async fn described(op: &Op, mut system: System, document: String) -> Result<SystemDraft, ControlError> {
    let (reviewed, most) =
        (op.plane.replica.latest().directory.clone(), op.plane.limits.tools_per_system_max);
    let name = system.name.clone();
    let reading = tokio::task::spawn_blocking(move || openapi::read(&document, &name, &reviewed, most));
    let api =
        reading.await.map_err(|stopped| ControlError::us("reading stopped in the middle", stopped))??;
    if let (Connection::HttpApi { url }, Some(said)) = (&mut system.connection, &api.url)
        && url.is_empty()
    {
        url.clone_from(said);
    }
    let address = match &system.connection {
        Connection::HttpApi { url } => url.as_str(),
        _ => "",
    };
    if !address.starts_with("https://") && !address.starts_with("http://") {
        return Err(ControlError::caller("the document does not say in full where the API is")
            .cure("say it: provost system import NAME --openapi FILE --api-url https://host/v1"));
    }
    let mut notes = vec![
        "the document's words are claims of whoever wrote it; effects without a class count as every effect"
            .to_owned(),
    ];
    if let Some(title) = &api.title {
        notes.push(format!("the document calls itself: {title}"));
    }
    notes.extend(api.notes);
    Ok(look::written(&system, api.tools, api.unusable, notes))
}

/// Looks at a system's server again, and shows as a plan what its definitions of today would change. Writes nothing.
///
/// # Errors
/// When the operator may not, nobody has that name, or the server does not answer as it should.
pub async fn repin(op: &Op, name: &Name) -> Result<RepinPlan, ControlError> {
    op.authorize(Action::SystemImport)?;
    let directory = op.plane.replica.latest().directory.clone();
    let system = find(&directory, name)?.clone();
    let found = look::at(op, &system).await?;
    let differs = look::compare(&found, &directory, name);
    let draft = look::draft(&system, found, &directory);
    let file = SourceFile::new(draft.path.clone(), draft.text.clone());
    let plan = checked(Wanted::new(op, vec![file], false, "files"), directory).await?.view;
    Ok(RepinPlan {
        changed: differs.changed,
        added: differs.added,
        gone: differs.gone,
        plan,
        path: draft.path,
        text: draft.text,
    })
}

/// Takes a system and its tools away. Refused while a charter or policy speaks of it.
///
/// # Errors
/// When the operator may not, nobody has that name, or somebody still needs it.
pub async fn remove(op: &Op, name: &Name, why: &str) -> Result<Changed, ControlError> {
    let authorised = op.authorize(Action::SystemRemove)?;
    let keys = rows(&op.plane.replica.latest().directory, name);
    let (seq, ()) = authorised
        .change(&keys, why, |seen| {
            find(seen.directory, name)?;
            let gone = rows(seen.directory, name);
            if gone.iter().any(|key| !seen.versions.contains_key(key)) {
                return Err(ControlError::conflict(format!("the tools of {name} changed meanwhile"))
                    .cure("try again"));
            }
            refuse_if_needed(seen.directory, name, &gone)?;
            let drafts = gone.into_iter().map(Draft::Remove).collect();
            Ok(Change { drafts, what: format!("system {name} removed"), answer: () })
        })
        .await?;
    Ok(Changed { seq: seq.0 })
}

/// The tools, then the system.
fn rows(directory: &Directory, name: &Name) -> Vec<ObjectKey> {
    let tools = directory.tools_of(name).map(|row| ObjectKey::tool(&row.system, &row.name));
    tools.chain([key(name)]).collect()
}

fn refuse_if_needed(directory: &Directory, name: &Name, gone: &[ObjectKey]) -> Result<(), ControlError> {
    let users = users(directory, name);
    if !users.is_empty() {
        let names: Vec<&str> = users.iter().take(NAMES_SHOWN_MAX).map(Name::as_str).collect();
        return Err(ControlError::refused(format!("{} agents have grants on {name}", users.len()))
            .because(format!("first of all {}", names.join(", ")))
            .cure("take the grants out of their charters first"));
    }
    let mut after = directory.clone();
    gone.iter().for_each(|key| after.remove(key));
    let faults: Vec<_> = check_changed(&after, gone).iter().map(crate::policy::shown).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(ControlError::refused(format!("a policy speaks of {name}"))
        .cure("change the policy first")
        .with_faults(faults))
}

fn users(directory: &Directory, name: &Name) -> Vec<Name> {
    let users = directory.agents.values().filter(|agent| {
        agent.status != AgentStatus::Decommissioned
            && agent.charter.grants.iter().any(|grant| grant.system == *name)
    });
    let mut names: Vec<Name> = users.map(|agent| agent.name.clone()).collect();
    names.sort();
    names.truncate(AGENTS_MAX);
    names
}

fn check_connection(system: &System) -> Result<(), ControlError> {
    let empty = match &system.connection {
        Connection::McpHttp { url } | Connection::HttpApi { url } => url.trim().is_empty(),
        Connection::McpStdio { command, .. } => command.first().is_none_or(|program| program.is_empty()),
        Connection::McpLocal => false,
    };
    match empty {
        true => {
            Err(ControlError::caller("`connection` is empty")
                .cure("give a url, or a command with its arguments"))
        }
        false => Ok(()),
    }
}

fn find<'d>(directory: &'d Directory, name: &Name) -> Result<&'d System, ControlError> {
    let system = directory.systems.get(name).map(AsRef::as_ref);
    system.ok_or_else(|| ControlError::unknown("system", name.as_str()))
}

fn key(name: &Name) -> ObjectKey {
    ObjectKey::new(Kind::System, name.as_str())
}

fn summary(system: &System, directory: &Directory) -> SystemSummary {
    SystemSummary {
        name: system.name.clone(),
        description: system.description.clone(),
        environment: system.environment,
        connection: match &system.connection {
            Connection::McpHttp { url } => format!("mcp-http {url}"),
            // The environment may hold what it should not; it is not shown.
            Connection::McpStdio { command, .. } => format!("mcp-stdio {}", command.join(" ")),
            Connection::McpLocal => "mcp-local".to_owned(),
            Connection::HttpApi { url } => format!("http {url}"),
        },
        revocation_max: system.revocation_max.into(),
        credential: system.credential.as_ref().map(|used| used.name.clone()),
        tools: directory.tools_of(&system.name).count(),
    }
}

fn tool(row: &Tool) -> ToolView {
    ToolView {
        system: row.system.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        pin: row.pin,
        effects: row.effects_or_worst().into_iter().collect(),
        classified: !row.effects.is_empty(),
        args: row
            .args
            .iter()
            .map(|(name, arg)| format!("{name}: {}{}", arg_words(arg), steering_words(&row.steering, name)))
            .collect(),
        returns: row.returns.iter().map(returns_words).collect(),
        sends_out: row.sends_out,
        request: row.request.as_ref().map(request_words),
    }
}

fn arg_words(arg: &ArgType) -> String {
    let shape = shape_words(&arg.shape);
    if arg.required { format!("{shape} (required)") } else { shape }
}

/// Whether where an argument, or something in it, comes from matters.
fn steering_words(steering: &Steering, arg: &str) -> &'static str {
    let names = |path: &String| path == arg || path.split('.').next() == Some(arg);
    match (steering.steers.iter().any(names), steering.carries.iter().any(names)) {
        (true, _) => ", steers the call",
        (false, true) => ", goes along as text",
        (false, false) => "",
    }
}

fn shape_words(shape: &ArgShape) -> String {
    match shape {
        ArgShape::String => "string".to_owned(),
        ArgShape::Long => "long".to_owned(),
        ArgShape::Decimal => "decimal".to_owned(),
        ArgShape::Bool => "bool".to_owned(),
        ArgShape::Json => "json".to_owned(),
        ArgShape::Set { of } => format!("set of {}", shape_words(of)),
        ArgShape::Record { members } => {
            let members: Vec<String> =
                members.iter().map(|(name, arg)| format!("{name}: {}", arg_words(arg))).collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

fn request_words(rule: &RequestRule) -> String {
    match rule.body {
        BodyForm::Members => rule.line.to_string(),
        form => format!("{} (body: {})", rule.line, form.as_str()),
    }
}

fn returns_words(returns: &Returns) -> String {
    match &returns.field {
        Some(field) => format!("{} in {field}", returns.label),
        None => returns.label.to_string(),
    }
}

const REVOCATION_UNSTATED: DurationMs = DurationMs::from_mins(24 * 60);
const HISTORY_MAX: usize = 100;
const AGENTS_MAX: usize = 1_000;
const NAMES_SHOWN_MAX: usize = 5;
