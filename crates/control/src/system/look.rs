//! Looking at a system's server: which tools it has, and what a reviewer should read.

use crate::{ControlError, Op};
use provost_api::system::{SystemDraft, ToolDraft, UnusableTool};
use provost_broker::OauthClient;
use provost_connect::{CallerKey, ClientProfile, ImportError, Secret, list_tools};
use provost_declare::{Hints, ImportedSystem, ImportedTool, write_system_file};
use provost_domain::{
    CredentialSource, Directory, Name, System, Tool, ToolName,
    system::{Connection, CredentialUse},
    tool::{ArgShape, ArgType},
};
use provost_mcp::tools::{ToolDefinition, Unusable};
use provost_policy::args_from_json_schema;
use std::collections::BTreeSet;

/// What a server has.
pub(super) struct Found {
    tools: Vec<ToolDefinition>,
    unusable: Vec<Unusable>,
}

/// How a server's tools differ from the reviewed ones.
pub(super) struct Differs {
    pub(super) changed: Vec<ToolName>,
    pub(super) added: Vec<ToolName>,
    pub(super) gone: Vec<ToolName>,
}

/// Connects, lists, and disconnects.
pub(super) async fn at(op: &Op, system: &System) -> Result<Found, ControlError> {
    let plane = &op.plane;
    if system.connection == Connection::McpLocal {
        return Err(ControlError::refused(format!(
            "{} runs beside the agent, where the plane cannot look",
            system.name
        ))
        .cure("run its server under `provost system import NAME --stdio COMMAND` once"));
    }
    if matches!(system.connection, Connection::HttpApi { .. }) {
        return Err(ControlError::refused(format!(
            "{} is an HTTP API: no server says what its operations are",
            system.name
        ))
        .cure("import its OpenAPI document again: provost system import NAME --openapi FILE --dir -"));
    }
    let (system, secret) = (&looked_at(system), secret(op, system).await?);
    let task = plane.new_task_id();
    let caller = CallerKey { agent: importer()?, task };
    let profile = ClientProfile {
        capabilities: serde_json::json!({}),
        client_info: serde_json::json!({ "name": "provost", "version": env!("CARGO_PKG_VERSION") }),
    };
    let upstream = plane.upstreams.get(system, &caller, &profile, secret.as_ref()).await?;
    let listed = list_tools(&upstream).await;
    plane.upstreams.end_task(task).await;
    let (tools, unusable) = listed?;
    let most = plane.limits.tools_per_system_max;
    if tools.len() > most {
        return Err(ControlError::refused(format!("{} has {} tools", system.name, tools.len()))
            .because(format!("the limit `tools_per_system_max` is {most}"))
            .cure("raise the limit in the configuration, or put fewer tools behind one server"));
    }
    Ok(Found { tools, unusable })
}

/// The file for what was found. What a person had decided about a tool stays; the rest is proposed.
pub(super) fn draft(system: &System, found: Found, reviewed: &Directory) -> SystemDraft {
    let mut notes = vec![
        "the server's own words are claims of an untrusted party; effects without a class count as every effect"
            .to_owned(),
    ];
    let mut imported = Vec::new();
    let mut unusable: Vec<UnusableTool> =
        found.unusable.into_iter().map(|tool| UnusableTool { name: tool.name, why: tool.why }).collect();
    for definition in &found.tools {
        match tool(system, definition, reviewed, &mut notes) {
            Ok(tool) => imported.push(tool),
            Err(why) => unusable.push(UnusableTool { name: clip(&definition.name), why }),
        }
    }
    imported.sort_by(|a, b| a.tool.name.cmp(&b.tool.name));
    written(system, imported, unusable, notes)
}

/// The draft of these tools.
pub(super) fn written(
    system: &System,
    imported: Vec<ImportedTool>,
    unusable: Vec<UnusableTool>,
    notes: Vec<String>,
) -> SystemDraft {
    let tools = imported
        .iter()
        .map(|imported| ToolDraft {
            name: imported.tool.name.clone(),
            effects: imported.tool.effects.iter().copied().collect(),
            because: imported.why.clone(),
        })
        .collect();
    let text = write_system_file(&ImportedSystem { system: system.clone(), tools: imported });
    SystemDraft { path: format!("systems/{}.toml", system.name), text, tools, unusable, notes }
}

/// Compares pins.
pub(super) fn compare(found: &Found, reviewed: &Directory, system: &Name) -> Differs {
    let mut differs = Differs { changed: Vec::new(), added: Vec::new(), gone: Vec::new() };
    let mut seen = BTreeSet::new();
    for definition in &found.tools {
        let Ok(name) = definition.name.parse::<ToolName>() else { continue };
        match reviewed.tools.get(&(system.clone(), name.clone())) {
            None => differs.added.push(name.clone()),
            Some(known) if known.pin != definition.pin() => differs.changed.push(name.clone()),
            Some(_same) => {}
        }
        seen.insert(name);
    }
    let known = reviewed.tools_of(system).filter(|known| !seen.contains(&known.name));
    differs.gone = known.map(|known| known.name.clone()).collect();
    differs
}

fn tool(
    system: &System,
    definition: &ToolDefinition,
    reviewed: &Directory,
    notes: &mut Vec<String>,
) -> Result<ImportedTool, String> {
    let name: ToolName =
        definition.name.parse().map_err(|error: provost_domain::NameError| error.to_string())?;
    let args = args_from_json_schema(&definition.input_schema).unwrap_or_else(|fault| {
        notes.push(format!("{name}: its arguments reach policies as JSON text only: {fault}"));
        all_json(&definition.input_schema)
    });
    let fresh = Tool {
        system: system.name.clone(),
        name: name.clone(),
        description: definition.description.clone().unwrap_or_default(),
        pin: definition.pin(),
        effects: BTreeSet::new(),
        args,
        returns: Vec::new(),
        sends_out: false,
        steering: Default::default(),
        request: None,
    };
    let mut imported = ImportedTool::proposed(fresh, hints(definition));
    if let Some(known) = reviewed.tools.get(&(system.name.clone(), name)) {
        imported.tool.effects.clone_from(&known.effects);
        imported.tool.returns.clone_from(&known.returns);
        imported.tool.sends_out = known.sends_out;
        imported.tool.steering.clone_from(&known.steering);
        imported.why = "as reviewed before".to_owned();
    }
    Ok(imported)
}

/// What the server claims, absent where it claims nothing.
fn hints(definition: &ToolDefinition) -> Hints {
    let read = serde_json::from_str::<serde_json::Value>(&definition.raw).ok();
    let annotations = read.and_then(|mut raw| raw.get_mut("annotations").map(serde_json::Value::take));
    annotations.and_then(|annotations| serde_json::from_value(annotations).ok()).unwrap_or_default()
}

/// Every top-level property as JSON.
fn all_json(schema: &serde_json::Value) -> std::collections::BTreeMap<String, ArgType> {
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    let names = properties.into_iter().flat_map(|members| members.keys());
    names.map(|name| (name.clone(), ArgType { shape: ArgShape::Json, required: false })).collect()
}

/// A program that would get a role for its task is looked at without one: what its tools are depends on none.
fn looked_at(system: &System) -> System {
    let role = |used: &CredentialUse| {
        matches!(used.source, CredentialSource::PostgresRole { .. } | CredentialSource::AwsRole { .. })
    };
    System { credential: system.credential.clone().filter(|used| !role(used)), ..system.clone() }
}

async fn secret(op: &Op, system: &System) -> Result<Option<Secret>, ControlError> {
    match system.credential.as_ref().map(|used| (used, &used.source)) {
        None | Some((_, CredentialSource::PostgresRole { .. } | CredentialSource::AwsRole { .. })) => Ok(None),
        Some((used, CredentialSource::Sealed)) => sealed(op, used).await,
        Some((used, CredentialSource::ClientCredentials(token))) => {
            let secret = match token.server.authentication.needs_secret() {
                true => sealed(op, used).await?,
                false => None,
            };
            let client = OauthClient {
                upstreams: &op.plane.upstreams,
                signer: op.plane.token_keys.as_ref(),
                now: op.plane.now(),
                system: &system.name,
                server: &token.server,
                secret,
            };
            let mut form = vec![("grant_type", "client_credentials")];
            form.extend(token.scope.as_deref().map(|scope| ("scope", scope)));
            form.extend(token.resource.as_deref().map(|resource| ("resource", resource)));
            Ok(Some(client.ask(&form).await?.access))
        }
        Some((_, source)) => Err(ControlError::refused(format!(
            "{} is shown a credential of the kind `{}`, which exists only within a task",
            system.name,
            source.as_str()
        ))
        .cure("seal a token to look with, and import the system with it: provost system import NAME --credential TOKEN")),
    }
}

async fn sealed(op: &Op, used: &CredentialUse) -> Result<Option<Secret>, ControlError> {
    let sealed = op.plane.store.sealed(&used.name).await?.filter(|sealed| !sealed.is_empty());
    let Some(sealed) = sealed else {
        return Err(ControlError::refused(format!("credential `{}` is not set", used.name))
            .cure(format!("run `provost credential set {}`", used.name)));
    };
    let opened = op.plane.sealing_key.open(used.name.as_str(), &sealed);
    opened.map(Some).map_err(|error| ControlError::us("the credential cannot be opened", error))
}

fn importer() -> Result<Name, ControlError> {
    "provost-import".parse().map_err(|error| ControlError::us("the importer has no name", error))
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

impl From<ImportError> for ControlError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Upstream(error) => error.into(),
            other => Self::Upstream { text: other.to_string().into(), source: None },
        }
    }
}
