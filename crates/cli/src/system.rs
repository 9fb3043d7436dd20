//! Systems and their tools.

use crate::{
    Client, Exit, Failure, Out, Style,
    agent::{history, more, text_of, word},
    client::part,
    out::{clean, facts, table, wrapped},
};
use clap::{Args, Subcommand};
use provost_api::{
    Because, Changed, Page, PageQuery,
    system::{
        ConnectionWrite, CredentialUseWrite, RepinPlan, SystemDraft, SystemImport, SystemSummary, SystemView,
        ToolQuery, ToolView,
    },
};
use provost_domain::{Effect, Name, ToolName};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// `provost system`.
#[derive(Debug, Clone, Subcommand)]
pub enum SystemCommand {
    /// List systems
    List,
    /// Show a system: its tools, who may use it, its credential
    Show {
        /// Its name
        name: Name,
    },
    /// Look at an MCP server, or read an OpenAPI document, and write the file of a system, to review and apply; changes
    /// nothing in the plane
    Import(ImportArgs),
    /// Look at a system's server again and write its file with new pins, to review and apply
    Repin {
        /// Its name
        name: Name,
        /// The organisation's folder to write into
        #[arg(long, default_value = ".", value_name = "DIR")]
        dir: PathBuf,
    },
    /// Remove a system nobody has a grant on
    Remove {
        /// Its name
        name: Name,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// `provost system import`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("server").required(true))]
pub struct ImportArgs {
    /// The name it is to have
    pub name: Name,
    /// An MCP server over streamable HTTP
    #[arg(long, value_name = "URL", group = "server")]
    pub mcp: Option<String>,
    /// An MCP server to start, with its arguments; run by the plane, without a shell
    #[arg(long, value_name = "COMMAND", group = "server")]
    pub stdio: Option<String>,
    /// An HTTP API by its OpenAPI document (3.0 to 3.2, JSON or YAML)
    #[arg(long, value_name = "FILE", group = "server")]
    pub openapi: Option<PathBuf>,
    /// Where that API is, if its document does not say it in full
    #[arg(long, value_name = "URL", requires = "openapi")]
    pub api_url: Option<String>,
    /// A variable for that server's environment; may be given several times
    #[arg(long, value_name = "NAME=VALUE", requires = "stdio")]
    pub env: Vec<String>,
    /// Where it belongs: sandbox, staging or production [default: sandbox]
    #[arg(long)]
    pub environment: Option<String>,
    /// The sealed credential it wants
    #[arg(long, value_name = "NAME")]
    pub credential: Option<Name>,
    /// The header (or, with --stdio, the variable) the credential goes into
    #[arg(long, value_name = "HEADER", requires = "credential", default_value = "Authorization")]
    pub credential_in: String,
    /// Text before the credential
    #[arg(long, value_name = "TEXT", requires = "credential", default_value = "Bearer ")]
    pub credential_prefix: String,
    /// The organisation's folder to write into; with `-` the file is printed
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}

/// `provost tool`.
#[derive(Debug, Clone, Subcommand)]
pub enum ToolCommand {
    /// List tools: what each can do, what it reads, whether it sends things out
    List {
        /// Only of this system
        #[arg(long)]
        system: Option<Name>,
        /// Only with this effect, such as `financial`
        #[arg(long)]
        effect: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 500)]
        limit: usize,
    },
    /// Show a tool
    Show {
        /// Its system
        system: Name,
        /// Its name there
        tool: ToolName,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: SystemCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        SystemCommand::List => {
            let page: Page<SystemSummary> = client.list("systems", &PageQuery::default(), LIST_MAX).await?;
            out.show(&page, |page, style| more(systems(&page.items, style), page.next.is_some(), style));
        }
        SystemCommand::Show { name } => {
            let system: SystemView = client.get(&format!("systems/{}", part(name.as_str()))).await?;
            out.show(&system, render);
        }
        SystemCommand::Import(args) => import(args, client, out).await?,
        SystemCommand::Repin { name, dir } => {
            let path = format!("systems/{}/repin", part(name.as_str()));
            let plan: RepinPlan = client.post(&path, &serde_json::json!({})).await?;
            let written = write_file(&dir, &plan.path, &plan.text, true)?;
            out.show(&plan, |plan, style| render_repin(plan, written.as_deref(), style));
        }
        SystemCommand::Remove { name, reason } => {
            let path = format!("systems/{}", part(name.as_str()));
            let changed: Changed = client.delete(&path, &Because { reason }).await?;
            out.show(&changed, |_, style| format!("{} {name}", style.yellow("removed:")));
        }
    }
    Ok(Exit::Ok)
}

/// Does it.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run_tool(command: ToolCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        ToolCommand::List { system, effect, limit } => {
            let effect = effect.as_deref().map(|text| word::<Effect>(text, "effect")).transpose()?;
            let query = ToolQuery { system, effect, ..ToolQuery::default() };
            let page = client.list::<ToolView>("tools", &query, limit).await?;
            out.show(&page, |page, style| more(tools(&page.items, style), page.next.is_some(), style));
        }
        ToolCommand::Show { system, tool } => {
            let query =
                ToolQuery { system: Some(system.clone()), tool: Some(tool.clone()), ..ToolQuery::default() };
            let page = client.list::<ToolView>("tools", &query, 1).await?;
            let Some(found) = page.items.first() else {
                return Err(Failure::new(format!("there is no tool `{system}/{tool}`"))
                    .because("nobody has reviewed a tool of that name")
                    .cure(format!("see `provost tool list --system {system}`")));
            };
            out.show(found, render_tool);
        }
    }
    Ok(Exit::Ok)
}

async fn import(args: ImportArgs, client: &Client, out: Out) -> Result<(), Failure> {
    let dir = args.dir.clone();
    let draft: SystemDraft = client.post("imports", &request(args)?).await?;
    let written = write_file(&dir, &draft.path, &draft.text, false)?;
    out.show(&draft, |draft, style| render_draft(draft, written.as_deref(), style));
    Ok(())
}

fn request(args: ImportArgs) -> Result<SystemImport, Failure> {
    let connection = match (args.mcp, args.stdio, args.openapi) {
        (Some(url), None, None) => ConnectionWrite::McpHttp { url },
        (None, Some(command), None) => {
            ConnectionWrite::McpStdio { command: words(&command)?, env: env(&args.env)? }
        }
        (None, None, Some(file)) => {
            ConnectionWrite::Http { url: args.api_url, openapi: crate::openapi::json_of(&file)? }
        }
        _ => return Err(Failure::usage("name one server, with --mcp, --stdio or --openapi")),
    };
    let environment = args.environment.as_deref().map(|text| word(text, "environment")).transpose()?;
    let credential = args.credential.map(|name| CredentialUseWrite {
        name,
        target: args.credential_in,
        prefix: args.credential_prefix,
    });
    Ok(SystemImport { name: args.name, connection, environment, credential })
}

/// Splits a command at spaces; quotes hold words together, and nothing else means anything.
fn words(command: &str) -> Result<Vec<String>, Failure> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match (quote, words.is_empty()) {
        (Some(open), _) => Err(Failure::usage(format!("the command has an open {open}"))),
        (None, true) => Err(Failure::usage("the command is empty")),
        (None, false) => Ok(words),
    }
}

fn env(pairs: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let split = |pair: &String| {
        let pair = pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        pair.ok_or_else(|| Failure::usage("--env wants NAME=VALUE"))
    };
    pairs.iter().map(split).collect()
}

/// Writes a file below the organisation's folder; `-` writes none. Never over a file a person may have edited, unless
/// that is the point.
fn write_file(dir: &Path, path: &str, text: &str, over: bool) -> Result<Option<PathBuf>, Failure> {
    if dir == Path::new("-") {
        return Ok(None);
    }
    let plain =
        path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\\'));
    if !plain || path.starts_with('/') {
        return Err(Failure::new("the plane named a file outside of the folder").because(clean(path)));
    }
    let file = dir.join(path);
    let failed =
        |error: std::io::Error| Failure::new(format!("{} cannot be written", file.display())).because(error);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    if !over && file.exists() {
        return Err(Failure::new(format!("{} is there already", file.display()))
            .means("nothing was written")
            .cure("move it away, write elsewhere with --dir, or use `provost system repin` for new pins"));
    }
    std::fs::write(&file, text).map_err(failed)?;
    Ok(Some(file))
}

fn render_draft(draft: &SystemDraft, written: Option<&Path>, style: Style) -> String {
    let Some(file) = written else { return draft.text.clone() };
    let rows = draft.tools.iter().map(|tool| {
        let effects = match tool.effects.as_slice() {
            [] => style.red("unclassified: counts as everything"),
            effects => effects.iter().map(text_of).collect::<Vec<_>>().join(", "),
        };
        vec![clean(tool.name.as_ref()), effects, clean(&tool.because)]
    });
    let mut text = table(&["tool", "proposed effects", "because"], rows, style);
    for tool in &draft.unusable {
        let _written =
            write!(text, "\n{} {}: {}", style.red("cannot be used:"), clean(&tool.name), clean(&tool.why));
    }
    for note in &draft.notes {
        let _written = write!(text, "\n{} {}", style.yellow("note:"), wrapped(&clean(note), 100, "      "));
    }
    let _written = write!(
        text,
        "\n\n{} {}\nWhat a server says about its tools is a hint, not a promise: review the effects in that file,\n\
         grant tools to agents, then `provost plan` and `provost apply` the folder.",
        style.green("written:"),
        file.display()
    );
    text
}

fn render_repin(plan: &RepinPlan, written: Option<&Path>, style: Style) -> String {
    let mut text = String::new();
    let lists = [("changed", &plan.changed), ("new", &plan.added), ("gone", &plan.gone)];
    for (what, tools) in lists.into_iter().filter(|(_, tools)| !tools.is_empty()) {
        let names: Vec<_> = tools.iter().map(|tool| clean(tool.as_ref())).collect();
        let _written = writeln!(text, "{} {}", style.yellow(what), names.join(", "));
    }
    if text.is_empty() {
        text.push_str("every tool is defined as it was reviewed\n");
    }
    text.push_str(&crate::plan::render(&plan.plan, style));
    if let Some(file) = written {
        let _written = write!(text, "{} {}; review it, then apply", style.green("written:"), file.display());
    }
    text
}

fn systems(systems: &[SystemSummary], style: Style) -> String {
    let row = |system: &SystemSummary| {
        vec![
            system.name.to_string(),
            text_of(&system.environment),
            system.tools.to_string(),
            clean(&system.connection),
            system.credential.as_ref().map(ToString::to_string).unwrap_or_default(),
            clean(&system.description),
        ]
    };
    table(
        &["name", "environment", "tools", "reached", "credential", "description"],
        systems.iter().map(row),
        style,
    )
}

fn render(system: &SystemView, style: Style) -> String {
    let summary = &system.summary;
    let credential = match &summary.credential {
        Some(name) => format!("{name}, {}", style.state(&system.credential_state)),
        None => "none wanted".to_owned(),
    };
    let agents: Vec<_> = system.agents.iter().map(ToString::to_string).collect();
    let mut text = facts(
        &[
            ("system", style.bold(summary.name.as_str())),
            ("is", wrapped(&clean(&summary.description), 90, "")),
            ("environment", text_of(&summary.environment)),
            ("reached", clean(&summary.connection)),
            ("credential", credential),
            ("honours a revoked credential for", summary.revocation_max.to_string()),
            ("agents", if agents.is_empty() { "none".to_owned() } else { agents.join(", ") }),
        ],
        style,
    );
    let _written = writeln!(text, "\n{}", tools(&system.tool_list, style));
    text.push_str(&history(&system.history, style));
    text
}

fn tools(tools: &[ToolView], style: Style) -> String {
    let row = |tool: &ToolView| {
        vec![
            format!("{}/{}", tool.system, clean(tool.name.as_ref())),
            effects(tool, style),
            tool.returns.join(", "),
            if tool.sends_out { style.yellow("yes") } else { "no".to_owned() },
            clean(&tool.description).chars().take(80).collect(),
        ]
    };
    table(&["tool", "effects", "returns", "sends out", "description"], tools.iter().map(row), style)
}

fn render_tool(tool: &ToolView, style: Style) -> String {
    facts(
        &[
            ("tool", style.bold(&format!("{}/{}", tool.system, clean(tool.name.as_ref())))),
            ("is", clean(&tool.description)),
            ("effects", effects(tool, style)),
            ("arguments", tool.args.iter().map(|arg| clean(arg)).collect::<Vec<_>>().join("\n")),
            ("returns", tool.returns.join(", ")),
            ("sends out", if tool.sends_out { "yes" } else { "no" }.to_owned()),
            ("request", tool.request.as_deref().map_or_else(|| "none of its own".to_owned(), clean)),
            ("pin", tool.pin.to_string()),
        ],
        style,
    )
}

fn effects(tool: &ToolView, style: Style) -> String {
    match tool.classified {
        true => tool.effects.iter().map(text_of).collect::<Vec<_>>().join(", "),
        false => style.red("unclassified: counts as everything"),
    }
}

const LIST_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_splits_at_spaces_and_quotes_hold() {
        assert_eq!(words("npx  -y 'a b' --x=\"c d\"").unwrap(), ["npx", "-y", "a b", "--x=c d"]);
        assert_eq!(words("a ''").unwrap(), ["a", ""]);
        assert!(words("a 'b").is_err());
        assert!(words("  ").is_err());
    }

    #[test]
    fn a_plane_cannot_name_a_file_outside_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["../x.toml", "/etc/x", "a//b", "systems/./x", "a\\b"] {
            assert!(write_file(dir.path(), path, "", false).is_err(), "{path}");
        }
        assert!(write_file(dir.path(), "systems/bank.toml", "x", false).unwrap().unwrap().is_file());
        assert!(
            write_file(dir.path(), "systems/bank.toml", "x", false).is_err(),
            "never over an edited file"
        );
    }
}
