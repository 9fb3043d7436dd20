//! A system: `systems/NAME.toml` with `[system]` and one `[tool.NAME]` per tool, or `[system.NAME]` with
//! `[system.NAME.tool.NAME]` in any other file.

use crate::{
    Declared,
    credential::credential,
    desk::Desk,
    limits::TEXT_CHARS_MAX,
    organisation::Named,
    table::{Item, Table, clip},
    tool,
};
use provost_domain::{
    DurationMs, Environment, Kind, Label, Name, ObjectKey, System,
    system::{Connection, ScimUse},
};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::DeValue;

/// `systems/NAME.toml`.
pub(crate) fn own_file(name: Name, root: &mut Table<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let item = root.need(
        desk,
        "system",
        "write [system], and under it description, environment and url, api or command",
    );
    if let Some(item) = item
        && let Some(mut table) = item.table(desk, "[system]")
    {
        system((name.clone(), item.at.clone()), &mut table, desk, declared);
        table.finish(desk);
    }
    tool::all(&name, root.get("tool"), "tool", desk, declared);
}

/// `[system.NAME]`.
pub(crate) fn named(named: Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let name = named.0.clone();
    let Some(mut table) = item.table(desk, format!("[system.{name}]")) else { return };
    system(named, &mut table, desk, declared);
    let tools = table.get("tool");
    table.finish(desk);
    tool::all(&name, tools, &format!("system.{name}.tool"), desk, declared);
}

fn system((name, at): Named, table: &mut Table<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let fresh = desk.declare(ObjectKey::new(Kind::System, name.as_str()), &at);
    let description = table.sentence(desk, "description", "say in a sentence what it is");
    let environment = environment(table, desk);
    let connection = connection(table, desk);
    let credential_item = table.get("credential");
    let credential =
        credential_item.as_ref().and_then(|item| credential(item, &name, connection.as_ref(), desk));
    let revocation_max = revocation(table, credential_item.is_some(), desk);
    let only_item = table.get("only_through_plane");
    let only_through_plane = only_item.as_ref().and_then(|item| item.boolean(desk)).unwrap_or_default();
    if let (Some(item), true, Some(Connection::McpLocal)) = (&only_item, only_through_plane, &connection) {
        desk.error(
            &item.at,
            "`only_through_plane` cannot be said of a local system",
            "take it out: whoever can start the program beside the agent gets around the wrapper",
        );
    }
    let resource_labels = table.get("resource_labels").map_or_else(BTreeSet::new, |item| labels(&item, desk));
    let scim = table.get("scim").and_then(|item| scim(&item, desk));
    if let (Some(item), Some(Connection::McpHttp { url } | Connection::HttpApi { url })) =
        (&credential_item, &connection)
        && in_the_clear(url)
    {
        let message = format!("the credential travels to {} in the clear", clip(url));
        desk.warning(&item.at, message, "use https:// for anything that is not on this machine");
    }
    if let (Some(description), Some(environment), Some(connection), Some(revocation_max), true) =
        (description, environment, connection, revocation_max, fresh)
    {
        declared.systems.insert(
            name.clone(),
            System {
                name,
                description,
                environment,
                connection,
                credential,
                revocation_max,
                resource_labels,
                only_through_plane,
                scim,
            },
        );
    }
}

/// The accounts that agents have there themselves.
fn scim(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<ScimUse> {
    desk.mark("scim", &item.at);
    let mut table = item.table(desk, "scim")?;
    let url = table.need(desk, "url", SCIM_CURE).and_then(|item| {
        let text = item.text(desk)?;
        crate::issuer::address(&item, text, "url = \"https://directory.acme.example/scim/v2\"", desk)
    });
    let user_item = table.need(desk, "user", SCIM_CURE);
    let user = user_item.as_ref().and_then(|item| item.text(desk)).map(str::to_owned);
    if let (Some(item), Some(user)) = (&user_item, &user)
        && !user.contains("{agent}")
    {
        let message = "`user` is the same account for every agent: stopping one would stop all";
        desk.error(&item.at, message, "write user = \"agent-{agent}@acme.example\"");
    }
    let credential = table.get("credential").and_then(|item| crate::channel::sealed(&item, desk));
    table.finish(desk);
    Some(ScimUse { url: url?, user: user?, credential })
}

const SCIM_CURE: &str = "write scim = { url = \"https://directory.acme.example/scim/v2\", user = \"agent-{agent}@acme.example\", credential = \"NAME\" }";

/// The environment of a system or an agent.
pub(crate) fn environment(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<Environment> {
    let item =
        table.need(desk, "environment", "write environment = \"sandbox\", \"staging\" or \"production\"")?;
    desk.mark("environment", &item.at);
    let words: Vec<_> =
        Environment::ALL.iter().map(|environment| (environment.as_str(), *environment)).collect();
    item.word(desk, &words)
}

/// A list of labels.
pub(crate) fn labels(item: &Item<'_>, desk: &mut Desk<'_>) -> BTreeSet<Label> {
    let read = |item: &Item<'_>, desk: &mut Desk<'_>| item.parsed::<Label>(desk, LABEL_CURE);
    item.distinct(desk, read).into_iter().map(|(label, _)| label).collect()
}

fn connection(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<Connection> {
    let (url, api) = (table.get("url"), table.get("api"));
    let (command, local) = (table.get("command"), table.get("local"));
    let env_item = table.get("env");
    let env = env_item.as_ref().and_then(|item| env(item, desk));
    if let (Some(item), None) = (&env_item, &command) {
        desk.error(
            &item.at,
            "`env` has no meaning without `command`",
            "take it out: only a started program has one",
        );
    }
    let ways = [&url, &api, &command, &local].into_iter().flatten().collect::<Vec<_>>();
    match (ways.as_slice(), url.as_ref(), command.as_ref()) {
        ([], _, _) => {
            let message = format!("{} does not say how it is reached", table.what);
            desk.missing(&table.at, message, WAYS);
            None
        }
        ([_], Some(url), _) => http(url, desk).map(|url| Connection::McpHttp { url }),
        ([item], None, None) if api.is_some() => self::api(item, desk).map(|url| Connection::HttpApi { url }),
        ([_], _, Some(command)) => {
            let words: Vec<_> = command.list(desk)?;
            let command_words: Vec<String> = words
                .iter()
                .filter_map(|word| word.raw_text(desk, TEXT_CHARS_MAX))
                .map(str::to_owned)
                .collect();
            if command_words.first().is_none_or(|program| program.trim().is_empty()) {
                desk.error(&command.at, "`command` names no program", "write command = [\"npx\", \"…\"]");
                return None;
            }
            Some(Connection::McpStdio { command: command_words, env: env.unwrap_or_default() })
        }
        ([item], _, _) => match item.boolean(desk)? {
            true => Some(Connection::McpLocal),
            false => {
                desk.error(&item.at, "`local = false` says nothing about how the system is reached", WAYS);
                None
            }
        },
        ([_, second, ..], _, _) => {
            let message = format!("{} says more than one way it is reached", table.what);
            desk.error(&second.at, message, "keep one of url, api, command and local");
            None
        }
    }
}

/// An endpoint: http or https, with a host, without credentials, white space or fragment.
pub(crate) fn http(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let text = item.text(desk)?.trim();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(""));
    let fault = match authority {
        None => Some("begins with neither https:// nor http://"),
        Some("") => Some("names no host"),
        Some(authority) if authority.contains('@') => {
            desk.quiet_error(
                &item.at,
                &format!("`{}` carries a user name or password", item.what),
                "take it out, seal it with `provost credential set`, and name it in `credential`",
            );
            return None;
        }
        Some(_) if text.contains(|c: char| c.is_whitespace() || c.is_control()) => Some("has white space"),
        Some(_) if text.contains('#') => Some("has a fragment"),
        Some(_) => None,
    };
    if let Some(why) = fault {
        let cure = match item.what.as_str() {
            "api" => "write api = \"https://host/v1\"".to_owned(),
            "url" => "write url = \"https://host/mcp\"".to_owned(),
            other => format!("write {} = \"https://host/…\"", clip(other)),
        };
        desk.error(&item.at, format!("`{}` {why}", item.what), cure);
        return None;
    }
    Some(text.to_owned())
}

/// What the paths of an HTTP API are appended to: an endpoint without a query.
fn api(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let url = http(item, desk)?;
    let dotted = url.split('/').skip(3).any(|part| part == "." || part == "..");
    if url.contains(['?', '\\', ';']) || dotted {
        let message = "`api` has a query, a backslash, `;` or a part that is only dots";
        desk.error(&item.at, message, "write api = \"https://host/v1\": what every path is appended to");
        return None;
    }
    Some(url)
}

fn env(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<BTreeMap<String, String>> {
    let table = item.table(desk, "env")?;
    let mut out = BTreeMap::new();
    for (key, at, value) in table.entries() {
        let DeValue::String(text) = value.value else {
            desk.quiet_error(&value.at, "a variable in `env` must be text", "put its value in quotes");
            continue;
        };
        if text.contains('\0') {
            desk.quiet_error(&value.at, "a variable in `env` holds a zero byte", "take it out");
        } else if !is_variable(key) {
            desk.quiet_error(
                &at,
                "a key in `env` is not the name of a variable",
                "use letters, digits and `_`",
            );
        } else if SECRET_WORDS.iter().any(|word| key.to_ascii_uppercase().contains(word)) {
            desk.quiet_error(
                &at,
                "a variable in `env` looks like a secret, and files are read by many",
                "seal it with `provost credential set NAME` and write credential = { name = \"NAME\", target = \"VARIABLE\" }",
            );
        } else {
            out.insert(key.to_owned(), text.to_string());
        }
    }
    Some(out)
}

/// How long a revoked credential goes on working. Without a credential there is nothing to revoke.
fn revocation(table: &mut Table<'_>, has_credential: bool, desk: &mut Desk<'_>) -> Option<DurationMs> {
    let cure = "write revocation_max = \"24h\": how long, at worst, the system honours a credential after it was \
                revoked (\"0s\" if it asks each time)";
    let item = if has_credential {
        table.need(desk, "revocation_max", cure)
    } else {
        let Some(item) = table.get("revocation_max") else { return Some(DurationMs(0)) };
        Some(item)
    }?;
    desk.mark("revocation_max", &item.at);
    match item.value {
        DeValue::String(text) if text == "0s" => Some(DurationMs(0)),
        _ => item.duration(desk),
    }
}

/// Whether an endpoint is reached without TLS and is not this machine.
pub(crate) fn in_the_clear(url: &str) -> bool {
    url.strip_prefix("http://").is_some_and(|rest| {
        let host = rest.split(['/', '?']).next().unwrap_or("");
        let host =
            host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(host, _)| host);
        !matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    })
}

pub(crate) fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= VARIABLE_BYTES_MAX
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A header's name (RFC 9110 section 5.1).
pub(crate) fn is_header(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= VARIABLE_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

const WAYS: &str = "write url = \"https://host/mcp\", or api = \"https://host/v1\", or command = [\"program\", \"argument\"], or local = true";
const LABEL_CURE: &str = "write it like confidential, untrusted or payroll";
/// Bytes of the name of a header or variable.
const VARIABLE_BYTES_MAX: usize = 128;
/// Words in the name of a variable whose value is probably a secret.
const SECRET_WORDS: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "PRIVATE_KEY"];
