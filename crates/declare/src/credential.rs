//! What a system is shown: `credential = { … }` of a system, one kind of [`CredentialSource`] each.

use crate::{
    desk::Desk,
    limits::TEXT_CHARS_MAX,
    system::{http, in_the_clear, is_header, is_variable},
    table::{Item, Table, clip, join},
};
use provost_domain::{
    DurationMs, Name,
    credential::{
        AWS_LIFETIME, AuthorizationServer, ClientAuthentication, CredentialSource, CredentialSubject,
        SIGNED_LIFETIME_MAX, TokenSource,
    },
    system::{Connection, CredentialUse},
};
use std::collections::BTreeSet;

/// `credential = { … }`; `system` is whose.
pub(crate) fn credential(
    item: &Item<'_>,
    system: &Name,
    connection: Option<&Connection>,
    desk: &mut Desk<'_>,
) -> Option<CredentialUse> {
    let mut table = item.table(desk, "credential")?;
    let kind_item = table.get("kind");
    let kind = match &kind_item {
        None => Some("sealed"),
        Some(item) => item.word(desk, &KINDS),
    };
    let source = kind.and_then(|kind| source(kind, &mut table, desk));
    let name = name(&source, system, &mut table, desk);
    let (target_item, prefix_item) = match source {
        Some(CredentialSource::AwsRole { .. }) => (None, None),
        Some(CredentialSource::PostgresRole { .. }) => (table.get("target"), None),
        _ => (table.get("target"), table.get("prefix")),
    };
    let prefix = prefix_item.as_ref().and_then(|item| item.raw_text(desk, TEXT_CHARS_MAX));
    if kind.is_some() {
        table.finish(desk);
    }
    if matches!(connection, Some(Connection::McpLocal)) {
        let cure = "take it out: the plane is not on the way to a local system";
        desk.error(&item.at, "a local system gets no credential from the plane", cure);
        return None;
    }
    let source = fitting(source?, kind_item.as_ref().unwrap_or(item), connection, desk)?;
    let target = target(&source, item, target_item.as_ref(), connection, desk)?;
    if prefix.is_some_and(|prefix| prefix.contains(char::is_control)) {
        let at = prefix_item.map_or(item.at.clone(), |item| item.at);
        desk.error(&at, "`prefix` has control characters", "write prefix = \"Bearer \"");
        return None;
    }
    let stdio = matches!(connection, Some(Connection::McpStdio { .. }));
    let usual = if target_item.is_none() && !stdio { "Bearer " } else { "" };
    Some(CredentialUse { name: name?, target, prefix: prefix.unwrap_or(usual).to_owned(), source })
}

/// A credential that has nothing sealed needs no name of its own.
fn name(
    source: &Option<CredentialSource>,
    system: &Name,
    table: &mut Table<'_>,
    desk: &mut Desk<'_>,
) -> Option<Name> {
    match source {
        Some(source) if !source.needs_secret() => {
            table.get("name").map_or_else(|| Some(system.clone()), |item| item.name(desk))
        }
        Some(_) => {
            let item =
                table.need(desk, "name", "name a credential sealed with `provost credential set NAME`")?;
            item.name(desk)
        }
        None => table.get("name").and_then(|item| item.name(desk)),
    }
}

fn target(
    source: &CredentialSource,
    item: &Item<'_>,
    target: Option<&Item<'_>>,
    connection: Option<&Connection>,
    desk: &mut Desk<'_>,
) -> Option<String> {
    let stdio = matches!(connection, Some(Connection::McpStdio { .. }));
    match target {
        None if matches!(source, CredentialSource::AwsRole { .. }) => Some(String::new()),
        None if stdio => {
            let cure = "write target = \"VARIABLE\", the environment variable the program reads";
            desk.missing(&item.at, "`credential` has no `target`", cure);
            None
        }
        None => Some("Authorization".to_owned()),
        Some(target) => {
            let text = target.text(desk)?;
            let (good, what) = match stdio {
                true => (is_variable(text), "an environment variable"),
                false => (is_header(text), "a header"),
            };
            if !good {
                let message = format!("`{}` is not the name of {what}", clip(text));
                desk.error(&target.at, message, format!("name {what}"));
                return None;
            }
            Some(text.to_owned())
        }
    }
}

/// Whether this kind of credential can be given to this kind of system.
fn fitting(
    source: CredentialSource,
    at: &Item<'_>,
    connection: Option<&Connection>,
    desk: &mut Desk<'_>,
) -> Option<CredentialSource> {
    let word = source.as_str();
    match (&source, connection) {
        (
            CredentialSource::PostgresRole { .. } | CredentialSource::AwsRole { .. },
            Some(Connection::McpHttp { .. } | Connection::HttpApi { .. }),
        ) => {
            let message = format!(
                "`{word}` is for a program that the plane starts, and this system is reached over http"
            );
            desk.error(&at.at, message, "start the program with `command`, or use another kind");
            None
        }
        (CredentialSource::Signed { .. }, Some(Connection::McpStdio { .. })) => {
            let message = "`signed` tokens live for minutes, and a program would keep the first one";
            desk.error(&at.at, message, "use it for a system with `url` or `api`, or use another kind");
            None
        }
        _ => Some(source),
    }
}

fn source(kind: &'static str, table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<CredentialSource> {
    match kind {
        "client-credentials" => {
            let authenticates = |auth| auth != ClientAuthentication::None;
            token(table, desk, authenticates).map(CredentialSource::ClientCredentials)
        }
        "token-exchange" => {
            let audience = table.get("audience").and_then(|item| item.text(desk)).map(str::to_owned);
            let subject = subject(table, desk);
            let token = token(table, desk, |_any| true)?;
            Some(CredentialSource::TokenExchange {
                token: TokenSource { audience, ..token },
                subject: subject?,
            })
        }
        "id-jag" => {
            let authenticates = |auth| auth != ClientAuthentication::None;
            token(table, desk, authenticates).map(CredentialSource::IdJag)
        }
        "account" => {
            let at = table.at.clone();
            let token = token(table, desk, |_any| true)?;
            if token.server.authorization_endpoint.is_none() {
                let cure = "write authorization_endpoint = \"https://…\": where people agree";
                desk.missing(&at, "credential has no `authorization_endpoint`", cure);
                return None;
            }
            Some(CredentialSource::Account(token))
        }
        "signed" => signed(table, desk),
        "postgres-role" => postgres_role(table, desk),
        "aws-role" => aws_role(table, desk),
        _ => Some(CredentialSource::Sealed),
    }
}

fn token(
    table: &mut Table<'_>,
    desk: &mut Desk<'_>,
    may_authenticate: impl Fn(ClientAuthentication) -> bool,
) -> Option<TokenSource> {
    let issuer = needed_url(table, "issuer", "the authorization server's own name for itself", desk);
    let token_endpoint = needed_url(table, "token_endpoint", "where it gives tokens", desk);
    let authorization_endpoint = endpoint(table, "authorization_endpoint", desk);
    let revocation_endpoint = endpoint(table, "revocation_endpoint", desk);
    let client_id = table
        .need(desk, "client_id", "write client_id = \"…\": what the plane is called there")
        .and_then(|item| item.text(desk));
    let authentication_item = table.get("client_authentication");
    let mut authentication = match &authentication_item {
        None => Some(ClientAuthentication::default()),
        Some(item) => item.word(desk, &AUTHENTICATIONS),
    };
    if let (Some(item), Some(by)) = (&authentication_item, authentication)
        && !may_authenticate(by)
    {
        let message = "a client that does not authenticate could be anybody, and gets nothing of this kind";
        desk.error(&item.at, message, "use private_key_jwt, client_secret_basic or client_secret_post");
        authentication = None;
    }
    let scope = table.get("scope").and_then(|item| scope(&item, desk));
    let resource = table.get("resource").and_then(|item| item.text(desk)).map(str::to_owned);
    let lifetime_max =
        duration(table, "lifetime_max", TOKEN_LIFETIME, (DurationMs(0), TOKEN_LIFETIME_MAX), desk);
    Some(TokenSource {
        server: AuthorizationServer {
            issuer: issuer?,
            token_endpoint: token_endpoint?,
            authorization_endpoint: authorization_endpoint.ok()?,
            revocation_endpoint: revocation_endpoint.ok()?,
            client_id: client_id?.to_owned(),
            authentication: authentication?,
        },
        scope,
        resource,
        audience: None,
        lifetime_max: lifetime_max?,
    })
}

fn signed(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<CredentialSource> {
    let audience = table
        .need(desk, "audience", "write audience = \"…\": how the system calls itself in tokens")
        .and_then(|item| item.text(desk));
    let subject = subject(table, desk);
    let lifetime =
        duration(table, "lifetime", SIGNED_LIFETIME_MAX, (SIGNED_LIFETIME_MIN, SIGNED_LIFETIME_MAX), desk);
    Some(CredentialSource::Signed { audience: audience?.to_owned(), lifetime: lifetime?, subject: subject? })
}

fn postgres_role(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<CredentialSource> {
    let cure = "write member_of = [\"reader\"]: the roles whose rights it has";
    let item = table.need(desk, "member_of", cure);
    let lifetime = duration(table, "lifetime", TOKEN_LIFETIME, (ROLE_LIFETIME_MIN, TOKEN_LIFETIME_MAX), desk);
    let item = item?;
    let role = |item: &Item<'_>, desk: &mut Desk<'_>| {
        let text = item.text(desk)?;
        if text.len() > ROLE_BYTES_MAX {
            desk.error(&item.at, "a role of PostgreSQL has at most 63 bytes", "name a role that exists");
            return None;
        }
        Some(text.to_owned())
    };
    let member_of: BTreeSet<String> = item.distinct(desk, role).into_iter().map(|(role, _at)| role).collect();
    if member_of.is_empty() {
        desk.error(&item.at, "`member_of` names no role, so nobody could do anything with it", cure);
        return None;
    }
    Some(CredentialSource::PostgresRole { member_of, lifetime: lifetime? })
}

fn aws_role(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<CredentialSource> {
    let cure = "write role = \"arn:aws:iam::123456789012:role/NAME\"";
    let role_item = table.need(desk, "role", cure);
    let role = role_item.as_ref().and_then(|item| item.text(desk)).map(str::trim);
    let audience = match table.get("audience") {
        None => Some(AWS_AUDIENCE),
        Some(item) => item.text(desk),
    };
    let what = "AWS STS of your region, such as https://sts.eu-central-1.amazonaws.com";
    let endpoint = needed_url(table, "endpoint", what, desk);
    let lifetime = duration(table, "lifetime", TOKEN_LIFETIME, AWS_LIFETIME, desk);
    if let (Some(item), Some(role)) = (&role_item, role)
        && !(role.starts_with("arn:") && role.contains(":role/") && !role.contains(char::is_whitespace))
    {
        desk.error(&item.at, format!("`{}` is not the name of a role at AWS", clip(role)), cure);
        return None;
    }
    Some(CredentialSource::AwsRole {
        role: role?.to_owned(),
        audience: audience?.to_owned(),
        endpoint: endpoint?,
        lifetime: lifetime?,
    })
}

fn subject(table: &mut Table<'_>, desk: &mut Desk<'_>) -> Option<CredentialSubject> {
    let words = [("agent", CredentialSubject::Agent), ("person", CredentialSubject::Person)];
    table.get("subject").map_or(Some(CredentialSubject::Agent), |item| item.word(desk, &words))
}

fn scope(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let text = item.text(desk)?;
    // RFC 6749 section 3.3.
    let good = |word: &str| word.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if !text.split(' ').all(|word| !word.is_empty() && good(word)) {
        let cure = "write scope = \"read:orders write:orders\", with one space between";
        desk.error(&item.at, "`scope` has characters that a scope cannot have", cure);
        return None;
    }
    Some(text.to_owned())
}

fn needed_url(table: &mut Table<'_>, key: &'static str, what: &str, desk: &mut Desk<'_>) -> Option<String> {
    table.need(desk, key, &format!("write {key} = \"https://…\": {what}"))?;
    endpoint(table, key, desk).ok().flatten()
}

/// An address, if it is there; an error when it is no good.
fn endpoint(table: &mut Table<'_>, key: &'static str, desk: &mut Desk<'_>) -> Result<Option<String>, ()> {
    let Some(item) = table.get(key) else { return Ok(None) };
    let url = http(&item, desk).ok_or(())?;
    if in_the_clear(&url) {
        let message = format!("credentials travel to {} in the clear", clip(&url));
        desk.warning(&item.at, message, "use https:// for anything that is not on this machine");
    }
    Ok(Some(url))
}

fn duration(
    table: &mut Table<'_>,
    key: &'static str,
    usual: DurationMs,
    (least, most): (DurationMs, DurationMs),
    desk: &mut Desk<'_>,
) -> Option<DurationMs> {
    let Some(item) = table.get(key) else { return Some(usual) };
    let found = item.duration(desk)?;
    if found < least || found > most {
        let cure = match least.0 {
            0 => format!("write at most {most}"),
            _ => format!("write {least} to {most}"),
        };
        desk.error(&item.at, format!("`{key}` cannot be {found}"), cure);
        return None;
    }
    Some(found)
}

/// What a system is shown, for a plan.
pub(crate) fn gets(used: &CredentialUse) -> String {
    let from = |token: &TokenSource| clip(&token.server.issuer);
    let whose = |subject: &CredentialSubject| match subject {
        CredentialSubject::Agent => "the agent",
        CredentialSubject::Person => "the person behind the task",
    };
    match &used.source {
        CredentialSource::Sealed => format!("the sealed credential {}", used.name),
        CredentialSource::ClientCredentials(token) => {
            format!("tokens of the plane's own from {}", from(token))
        }
        CredentialSource::TokenExchange { token, subject } => {
            format!("tokens for {}, exchanged at {}", whose(subject), from(token))
        }
        CredentialSource::IdJag(token) => {
            format!("tokens for the person behind the task, vouched for at {}", from(token))
        }
        CredentialSource::Signed { audience, lifetime, subject } => {
            format!(
                "tokens for {}, signed by the plane for {}, each for {lifetime}",
                whose(subject),
                clip(audience)
            )
        }
        CredentialSource::Account(token) => {
            format!("tokens for accounts that people connect at {}", from(token))
        }
        CredentialSource::PostgresRole { member_of, lifetime } => format!(
            "a PostgreSQL role for each task, member of {}, made with the sealed credential {}, for {lifetime} at a time",
            clip(&join(member_of)),
            used.name
        ),
        CredentialSource::AwsRole { role, lifetime, .. } => {
            format!("credentials of the AWS role {}, each for {lifetime}", clip(role))
        }
    }
}

/// What a change of it means, in words; `None` for none.
pub(crate) fn change(from: &CredentialUse, to: &CredentialUse) -> Option<String> {
    if from == to {
        return None;
    }
    if from.source.is_sealed() && to.source.is_sealed() {
        return Some(format!(
            "gets the sealed credential {} in {} instead of {} in {}",
            to.name, to.target, from.name, from.target
        ));
    }
    let (was, is) = (gets(from), gets(to));
    Some(if was == is {
        format!("gets {is}, asked for or shown in another way")
    } else {
        format!("gets {is} instead of {was}")
    })
}

/// How it is written in a file: the members beside `name`, `target` and `prefix`.
pub(crate) fn members(source: &CredentialSource) -> Vec<(&'static str, String)> {
    use crate::import::quoted;
    let text = |text: &str| quoted(text);
    let lasting = |lasting: DurationMs| quoted(&lasting.to_string());
    let mut out = vec![("kind", text(source.as_str()))];
    if let Some(token) = source.token() {
        let server = &token.server;
        let authentication = AUTHENTICATIONS.iter().find(|(_word, known)| *known == server.authentication);
        out.extend([("issuer", text(&server.issuer)), ("token_endpoint", text(&server.token_endpoint))]);
        out.extend(server.authorization_endpoint.as_deref().map(|url| ("authorization_endpoint", text(url))));
        out.extend(server.revocation_endpoint.as_deref().map(|url| ("revocation_endpoint", text(url))));
        out.push(("client_id", text(&server.client_id)));
        out.extend(authentication.map(|(word, _)| ("client_authentication", text(word))));
        out.extend(token.scope.as_deref().map(|scope| ("scope", text(scope))));
        out.extend(token.resource.as_deref().map(|resource| ("resource", text(resource))));
        out.extend(token.audience.as_deref().map(|audience| ("audience", text(audience))));
        out.push(("lifetime_max", lasting(token.lifetime_max)));
    }
    if let CredentialSource::TokenExchange { subject, .. } | CredentialSource::Signed { subject, .. } = source
    {
        let word = if *subject == CredentialSubject::Person { "person" } else { "agent" };
        out.push(("subject", text(word)));
    }
    match source {
        CredentialSource::Signed { audience, lifetime, .. } => {
            out.extend([("audience", text(audience)), ("lifetime", lasting(*lifetime))]);
        }
        CredentialSource::PostgresRole { member_of, lifetime } => {
            let roles = join(member_of.iter().map(|role| quoted(role)));
            out.extend([("member_of", format!("[{roles}]")), ("lifetime", lasting(*lifetime))]);
        }
        CredentialSource::AwsRole { role, audience, endpoint, lifetime } => {
            out.extend([("role", text(role)), ("audience", text(audience)), ("endpoint", text(endpoint))]);
            out.push(("lifetime", lasting(*lifetime)));
        }
        _ => {}
    }
    out
}

const KINDS: [(&str, &str); 8] = [
    ("sealed", "sealed"),
    ("client-credentials", "client-credentials"),
    ("token-exchange", "token-exchange"),
    ("id-jag", "id-jag"),
    ("signed", "signed"),
    ("account", "account"),
    ("postgres-role", "postgres-role"),
    ("aws-role", "aws-role"),
];
const AUTHENTICATIONS: [(&str, ClientAuthentication); 4] = [
    ("private_key_jwt", ClientAuthentication::PrivateKeyJwt),
    ("client_secret_basic", ClientAuthentication::ClientSecretBasic),
    ("client_secret_post", ClientAuthentication::ClientSecretPost),
    ("none", ClientAuthentication::None),
];
const TOKEN_LIFETIME: DurationMs = DurationMs::from_mins(60);
const TOKEN_LIFETIME_MAX: DurationMs = DurationMs::from_mins(24 * 60);
const SIGNED_LIFETIME_MIN: DurationMs = DurationMs::from_secs(30);
const ROLE_LIFETIME_MIN: DurationMs = DurationMs::from_mins(5);
/// `NAMEDATALEN` of PostgreSQL, less one.
const ROLE_BYTES_MAX: usize = 63;
const AWS_AUDIENCE: &str = "sts.amazonaws.com";
