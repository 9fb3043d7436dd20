//! The text of `systems/NAME.toml`.

use crate::{
    import::{Hints, ImportedSystem, ImportedTool},
    table::join,
    tool::{OPTIONAL_RECORD, header_key},
};
use provost_domain::{
    CredentialSource, System,
    request::{BODY_DIGEST, BODY_SIZE, BodyForm},
    system::Connection,
    tool::{ArgShape, ArgType, Returns},
};
use std::{collections::BTreeMap, fmt::Write as _};

/// Writes the file of a system, to be put under `systems/NAME.toml` and reviewed. Reading it gives the same system
/// and tools. An argument that is a list of anything but scalars is written as `json`.
#[must_use]
pub fn write_system_file(imported: &ImportedSystem) -> String {
    let mut out = String::new();
    system(&mut out, &imported.system, imported.tools.len());
    for tool in &imported.tools {
        out.push('\n');
        write_tool(&mut out, tool);
    }
    out
}

fn system(out: &mut String, system: &System, tools: usize) {
    line(
        out,
        format_args!(
            "# System {}, {tools} tools, as it described itself. Read it before you apply it:",
            system.name
        ),
    );
    for words in HEAD {
        line(out, format_args!("# {words}"));
    }
    line(out, format_args!("\n[system]"));
    line(out, format_args!("description = {}", quoted(&system.description)));
    line(out, format_args!("environment = \"{}\"", system.environment));
    match &system.connection {
        Connection::McpHttp { url } => line(out, format_args!("url = {}", quoted(url))),
        Connection::McpStdio { command, env } => {
            line(out, format_args!("command = [{}]", join(command.iter().map(|word| quoted(word)))));
            if !env.is_empty() {
                let pairs = env.iter().map(|(key, value)| format!("{} = {}", header_key(key), quoted(value)));
                line(out, format_args!("env = {{ {} }}", join(pairs)));
            }
        }
        Connection::McpLocal => line(out, format_args!("local = true")),
        Connection::HttpApi { url } => line(out, format_args!("api = {}", quoted(url))),
    }
    if let Some(credential) = &system.credential {
        let mut members = vec![("name", quoted(credential.name.as_str()))];
        let source = &credential.source;
        if !matches!(source, CredentialSource::AwsRole { .. }) {
            members.push(("target", quoted(&credential.target)));
        }
        if !matches!(source, CredentialSource::AwsRole { .. } | CredentialSource::PostgresRole { .. }) {
            members.push(("prefix", quoted(&credential.prefix)));
        }
        if !source.is_sealed() {
            members.extend(crate::credential::members(source));
        }
        let members = members.iter().map(|(key, value)| format!("{key} = {value}"));
        line(out, format_args!("credential = {{ {} }}", join(members)));
    }
    if system.credential.is_some() || system.revocation_max.0 > 0 {
        line(
            out,
            format_args!("# How long, at worst, the system honours a credential after it was revoked."),
        );
        line(out, format_args!("revocation_max = \"{}\"", seconds_at_least(system.revocation_max)));
    }
    if !system.resource_labels.is_empty() {
        let labels = join(system.resource_labels.iter().map(|label| quoted(label.as_str())));
        line(out, format_args!("resource_labels = [{labels}]"));
    }
}

fn write_tool(out: &mut String, imported: &ImportedTool) {
    let tool = &imported.tool;
    line(out, format_args!("[tool.{}]", header_key(tool.name.as_str())));
    if let Some(rule) = &tool.request {
        line(out, format_args!("request = {}", quoted(&rule.line.to_string())));
        if rule.body != BodyForm::Members {
            line(out, format_args!("body = \"{}\"", rule.body.as_str()));
        }
    }
    line(out, format_args!("pin = \"{}\"", tool.pin));
    if !tool.description.is_empty() {
        line(out, format_args!("description = {}", quoted(&tool.description)));
    }
    line(out, format_args!("# {}", on_one_line(&imported.why)));
    if let Some(claims) = claims(imported.hints) {
        line(out, format_args!("# the server's own claim: {claims}"));
    }
    if tool.effects.is_empty() {
        line(out, format_args!("effects = [] # unclassified: counts as every effect"));
    } else {
        let effects = join(tool.effects.iter().map(|effect| format!("\"{effect}\"")));
        line(out, format_args!("effects = [{effects}]"));
    }
    // The two arguments of an opaque body go without saying.
    let opaque = tool.request.as_ref().is_some_and(|rule| rule.body == BodyForm::Opaque);
    let said =
        |(name, _): &(&String, &ArgType)| !(opaque && [BODY_DIGEST, BODY_SIZE].contains(&name.as_str()));
    let args: BTreeMap<String, ArgType> =
        tool.args.iter().filter(said).map(|(name, arg)| (name.clone(), arg.clone())).collect();
    if !args.is_empty() {
        line(out, format_args!("args = {}", record(&args, true)));
    }
    if !tool.returns.is_empty() {
        line(out, format_args!("returns = [{}]", join(tool.returns.iter().map(returned))));
    }
    if tool.sends_out {
        line(out, format_args!("sends_out = true"));
    }
    for (key, paths) in [("steers", &tool.steering.steers), ("carries", &tool.steering.carries)] {
        if !paths.is_empty() {
            line(out, format_args!("{key} = [{}]", join(paths.iter().map(|path| quoted(path)))));
        }
    }
}

fn claims(hints: Hints) -> Option<String> {
    let word =
        |value: Option<bool>, yes: &'static str, no: &'static str| value.map(|is| if is { yes } else { no });
    let said = [
        word(hints.read_only, "only reads", "does not only read"),
        word(hints.destructive, "may destroy", "destroys nothing"),
        word(hints.idempotent, "twice is once", "twice is twice"),
        word(hints.open_world, "reaches outside", "stays inside"),
    ];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn record(members: &BTreeMap<String, ArgType>, required: bool) -> String {
    let optional = (!required).then(|| format!("{} = true", quoted(OPTIONAL_RECORD)));
    let members = members.iter().map(|(name, arg)| format!("{} = {}", header_key(name), arg_type(arg)));
    format!("{{ {} }}", join(members.chain(optional)))
}

fn arg_type(arg: &ArgType) -> String {
    let mark = if arg.required { "" } else { "?" };
    match &arg.shape {
        ArgShape::Record { members } => record(members, arg.required),
        ArgShape::Set { of } => match scalar(of) {
            Some(word) => format!("\"set<{word}>{mark}\""),
            None => format!("\"json{mark}\""),
        },
        shape => format!("\"{}{mark}\"", scalar(shape).unwrap_or("json")),
    }
}

fn scalar(shape: &ArgShape) -> Option<&'static str> {
    Some(match shape {
        ArgShape::String => "string",
        ArgShape::Long => "long",
        ArgShape::Decimal => "decimal",
        ArgShape::Bool => "bool",
        ArgShape::Set { .. } | ArgShape::Record { .. } | ArgShape::Json => return None,
    })
}

fn returned(returns: &Returns) -> String {
    let label = quoted(returns.label.as_str());
    match &returns.field {
        Some(field) => format!("{{ label = {label}, field = {} }}", quoted(field)),
        None => label,
    }
}

/// A TOML basic string (TOML 1.0, "String"). Whatever a reviewer could not see is an escape: control characters,
/// invisible ones, and those that turn the direction of text.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hidden(c) => {
                // Writing to a String cannot fail.
                let _ = if u32::from(c) > 0xFFFF {
                    write!(out, "\\U{:08X}", u32::from(c))
                } else {
                    write!(out, "\\u{:04X}", u32::from(c))
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Control, format, and blank characters other than the space, as ranges of Unicode 16 that hide text or its order.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c),
            0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

/// `0s` is how a person writes that a system asks each time; the shared format would say `0ms`.
fn seconds_at_least(duration: provost_domain::DurationMs) -> String {
    if duration.0 == 0 { "0s".to_owned() } else { duration.to_string() }
}

fn line(out: &mut String, words: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{words}");
}

const HEAD: [&str; 5] = [
    "- a pin holds a tool to the definition it had; when the system changes it, calls are refused until re-pinned",
    "- effects are proposed from names; what the system claims about itself is only quoted, never believed",
    "- a tool without effects counts as every effect: classify it when you know what it does",
    "- say what results carry (returns = [\"confidential\"]) and whether a call hands data out (sends_out = true)",
    "- `steers` are the arguments that decide whom or what a call reaches, `carries` text that goes along: from names",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SourceFile, read};
    use proptest::prelude::*;
    use provost_domain::{Digest, DurationMs, Effect, Environment, Tool, system::CredentialUse};
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(imported in a_system()) {
            let text = write_system_file(&imported);
            let (declared, faults) = read(&[SourceFile::new("systems/bank.toml", text.clone())]);
            prop_assert!(faults.is_empty(), "{}\n{text}", crate::render_all(&faults));
            prop_assert_eq!(declared.systems.values().next(), Some(&imported.system));
            let tools: BTreeMap<_, _> =
                imported.tools.iter().map(|t| ((t.tool.system.clone(), t.tool.name.clone()), t.tool.clone())).collect();
            prop_assert_eq!(declared.tools, tools, "{}", text);
        }

        #[test]
        fn nothing_hidden_is_written_raw(text in any::<String>()) {
            let quoted = quoted(&text);
            prop_assert!(!quoted.chars().any(is_hidden), "{quoted}");
            let value: toml::Table = format!("a = {quoted}").parse().unwrap();
            prop_assert_eq!(value.get("a").and_then(|a| a.as_str()), Some(text.as_str()));
        }
    }

    fn a_system() -> impl Strategy<Value = ImportedSystem> {
        (
            connection(),
            "[ -~]{0,20}x",
            proptest::option::of(text()),
            0..4_u64,
            proptest::collection::vec(tool(), 0..4),
        )
            .prop_map(|(connection, description, prefix, minutes, tools)| {
                let local = connection == Connection::McpLocal;
                let system = System {
                    name: "bank".parse().unwrap(),
                    description: description.trim().to_owned(),
                    environment: Environment::Staging,
                    connection,
                    credential: prefix.filter(|_| !local).map(|prefix| CredentialUse {
                        name: "key".parse().unwrap(),
                        target: "X_Key".to_owned(),
                        prefix: prefix.chars().filter(|c| !c.is_control()).collect(),
                        source: Default::default(),
                    }),
                    revocation_max: DurationMs::from_mins(minutes),
                    resource_labels: BTreeSet::from(["payroll".parse().unwrap()]),
                    only_through_plane: false,
                    scim: None,
                };
                let named = |(index, (tool, hints)): (usize, (Tool, Hints))| {
                    let tool = Tool { name: format!("{}{index}", tool.name).parse().unwrap(), ..tool };
                    ImportedTool { tool, hints, why: "a reason".to_owned() }
                };
                ImportedSystem { system, tools: tools.into_iter().enumerate().map(named).collect() }
            })
    }

    fn connection() -> impl Strategy<Value = Connection> {
        prop_oneof![
            Just(Connection::McpHttp { url: "https://bank.example/mcp?x=1".to_owned() }),
            Just(Connection::McpLocal),
            (
                proptest::collection::vec(text(), 0..3),
                proptest::collection::btree_map("[A-Z_]{1,8}x", text(), 0..3)
            )
                .prop_map(|(words, env)| Connection::McpStdio {
                    command: std::iter::once("npx".to_owned()).chain(words).collect(),
                    env: env.into_iter().map(|(key, value)| (key, value.replace('\0', ""))).collect(),
                }),
        ]
    }

    fn tool() -> impl Strategy<Value = (Tool, Hints)> {
        let args = proptest::collection::btree_map(arg_name(), arg(), 0..4);
        let field = proptest::option::of("[a-z]{1,4}(\\.[a-z]{1,4}){0,2}");
        ("[A-Za-z0-9_./-]{1,12}", text(), args, field, any::<(bool, Option<bool>, u16)>()).prop_map(
            |(name, description, args, field, (sends_out, hint, effects))| {
                let effects = Effect::ALL.into_iter().enumerate().filter(|(at, _)| effects >> at & 1 == 1);
                let steers: BTreeSet<String> = args.keys().take(1).cloned().collect();
                let tool = Tool {
                    system: "bank".parse().unwrap(),
                    name: name.parse().unwrap(),
                    description,
                    pin: Digest::of(name.as_bytes()),
                    effects: effects.map(|(_, effect)| effect).collect(),
                    args,
                    returns: vec![Returns { label: "untrusted".parse().unwrap(), field }],
                    sends_out,
                    steering: provost_domain::tool::Steering {
                        steers: steers.clone(),
                        carries: if sends_out { steers } else { Default::default() },
                    },
                    request: None,
                };
                (tool, Hints { read_only: hint, ..Hints::default() })
            },
        )
    }

    fn arg() -> impl Strategy<Value = ArgType> {
        let scalar = || {
            prop_oneof![
                Just(ArgShape::String),
                Just(ArgShape::Long),
                Just(ArgShape::Decimal),
                Just(ArgShape::Bool)
            ]
        };
        let leaf = prop_oneof![
            scalar(),
            Just(ArgShape::Json),
            scalar().prop_map(|of| ArgShape::Set { of: Box::new(of) })
        ];
        let typed = |shape| (shape, any::<bool>()).prop_map(|(shape, required)| ArgType { shape, required });
        typed(leaf.boxed()).prop_recursive(3, 12, 3, move |inner| {
            let members = proptest::collection::btree_map(arg_name(), inner, 0..3);
            typed(members.prop_map(|members| ArgShape::Record { members }).boxed())
        })
    }

    fn arg_name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z_]{1,8}", "[a-z .\"\\\\é]{1,6}"]
            .prop_filter("not the mark", |name| name != OPTIONAL_RECORD)
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[ -~]{0,20}", any::<String>()]
    }
}
