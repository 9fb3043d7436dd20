//! An issuer that the plane trusts: `[issuer.NAME]`, and inside it `workloads` with a `rule` for each agent that its
//! subjects may be, and `people`.

use crate::{
    Declared,
    desk::Desk,
    limits::TEXT_CHARS_MAX,
    organisation::{Named, owner, roles},
    table::{Item, clip},
};
use provost_domain::{
    ClaimRule, DurationMs, Issuer, Kind, Name, ObjectKey,
    charter::Scalar,
    claim_rule::ClaimTest,
    issuer::{KeySource, LinkBy, Provider, SubjectRule, Workloads},
    person::Role,
};
use provost_token::{KeyPurpose, KeySet, KeySetFault, SpiffeId};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::DeValue;

/// `[issuer.NAME]`.
pub(crate) fn named((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let header = format!("issuer.{name}");
    let Some(mut table) = item.table(desk, format!("[{header}]")) else { return };
    let fresh = desk.declare(ObjectKey::new(Kind::Issuer, name.as_str()), &at);
    let description = table.sentence(desk, "description", "say in a sentence who it is");
    let issuer =
        table.need(desk, "issuer", "write issuer = \"https://…\", exactly as in `iss` of its tokens");
    let issuer = issuer.and_then(|item| identifier(&item, desk));
    let spiffe = issuer.as_deref().is_some_and(|issuer| issuer.starts_with(SPIFFE));
    let keys = table.need(desk, "keys", KEYS_CURE).and_then(|item| keys(&item, spiffe, desk));
    let owner_cure = "name the person who answers for what is found through it";
    let owner = owner(table.need(desk, "owner", owner_cure), desk);

    let signals_item = table.get("signals");
    let signals = signals_item.as_ref().map(|item| {
        desk.mark("signals", &item.at);
        let read = |item: &Item<'_>, desk: &mut Desk<'_>| item.text(desk).map(str::to_owned);
        let audiences: BTreeSet<String> =
            item.distinct(desk, read).into_iter().map(|(text, _)| text).collect();
        if matches!(item.value, DeValue::Array(items) if items.is_empty()) {
            let message = "`signals` is empty: events for anybody, or for nobody, are not taken";
            desk.error(&item.at, message, SIGNALS_CURE);
        }
        audiences
    });
    let (workloads_item, people_item) = (table.get("workloads"), table.get("people"));
    let rules_item = table.get("rule");
    let rules = rules_item.as_ref().map_or_else(Vec::new, |item| rules(item, &header, desk));
    let workloads = workloads_item.as_ref().map(|item| workloads(item, &header, rules, desk));
    let people = people_item.as_ref().map(|item| people(item, &header, desk));
    if let (Some(item), None) = (&rules_item, &workloads_item) {
        let cure = format!("write [{header}.workloads] with audiences, or take the rules out");
        desk.missing(&item.at, "rules say which workloads are which agent, and no workloads are taken", cure);
    }
    if let (Some(item), true) = (&people_item, spiffe) {
        desk.error(&item.at, "a SPIFFE trust domain has workloads, and no people", "take `people` out");
    }
    if let (Some(item), Some(Some(taken)), true) = (&workloads_item, &workloads, spiffe)
        && taken.single_use
    {
        let message = "an SVID has no `jti`, so that none of a SPIFFE trust domain would be taken";
        desk.error(&item.at, message, "take `single_use` out");
    }
    if workloads_item.is_none() && people_item.is_none() && signals_item.is_none() {
        let message = format!("[{header}] is trusted with nothing: it has neither workloads nor people");
        desk.missing(&at, message, format!("write [{header}.workloads], [{header}.people], or both"));
    }
    table.finish(desk);
    // What could not be read left a fault behind, and nothing is applied while there is one.
    if let (Some(description), Some(issuer), Some(keys), Some(owner), true) =
        (description, issuer, keys, owner, fresh)
    {
        let (workloads, people) = (workloads.flatten(), people.flatten());
        let row = Issuer { name: name.clone(), description, issuer, keys, owner, workloads, people, signals };
        declared.issuers.insert(name, row);
    }
}

/// What its tokens call it: an address, or a SPIFFE trust domain.
fn identifier(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<String> {
    desk.mark("issuer", &item.at);
    let text = item.text(desk)?;
    if text.starts_with(SPIFFE) {
        let domain = text.parse::<SpiffeId>().ok().filter(|id| id.path().is_empty());
        if domain.is_none() {
            let message = format!("`{}` is not a SPIFFE trust domain", clip(text));
            desk.error(
                &item.at,
                message,
                "write issuer = \"spiffe://example.org\": the domain in lower case, no path",
            );
        }
        return domain.map(|_| text.to_owned());
    }
    address(item, text, "issuer = \"https://issuer.example\", exactly as in `iss` of its tokens", desk)
}

/// An `https` address, or one of this machine, without anything that could be read in two ways.
pub(crate) fn address(item: &Item<'_>, text: &str, example: &str, desk: &mut Desk<'_>) -> Option<String> {
    let secure = text.strip_prefix("https://");
    let clear = text.strip_prefix("http://");
    let authority = secure.or(clear).and_then(|rest| rest.split(['/', '?', '#']).next());
    let fault = match authority {
        None => "begins with neither https:// nor spiffe://",
        Some("") => "names no host",
        Some(authority) if authority.contains('@') => {
            let message = format!("`{}` carries a user name or password", item.what);
            desk.quiet_error(&item.at, &message, "take it out: keys and metadata are public");
            return None;
        }
        Some(authority) if clear.is_some() && !is_loopback(authority) => {
            "is reached in the clear: anybody on the way could be it"
        }
        Some(_) if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') => {
            "has white space or a backslash"
        }
        Some(_) if text.contains('#') => "has a fragment",
        Some(_) if text.contains('?') && item.what == "issuer" => "has a query",
        Some(_) => return Some(text.to_owned()),
    };
    desk.error(&item.at, format!("`{}` {fault}", item.what), format!("write {example}"));
    None
}

pub(crate) fn is_loopback(authority: &str) -> bool {
    let port = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let host = port.map_or(authority, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn keys(item: &Item<'_>, spiffe: bool, desk: &mut Desk<'_>) -> Option<KeySource> {
    desk.mark("keys", &item.at);
    if let DeValue::String(_) = item.value {
        item.word(desk, &[("discovery", ())])?;
        if spiffe {
            let message = "a SPIFFE trust domain has no discovery";
            desk.error(
                &item.at,
                message,
                "write keys = { url = \"https://…\" }, the domain's bundle endpoint",
            );
            return None;
        }
        return Some(KeySource::Discovery);
    }
    if !matches!(item.value, DeValue::Table(_)) {
        desk.quiet_error(&item.at, "`keys` is neither \"discovery\" nor a table", KEYS_CURE);
        return None;
    }
    let mut table = item.table(desk, "keys")?;
    let (url, jwks) = (table.get("url"), table.get("jwks"));
    table.finish(desk);
    match (url, jwks) {
        (Some(url), None) => {
            let text = url.text(desk)?;
            let url = address(&url, text, "keys = { url = \"https://…/jwks\" }", desk)?;
            Some(KeySource::Url { url })
        }
        (None, Some(jwks)) => inline(&jwks, spiffe, desk),
        (None, None) => {
            desk.missing(&item.at, "`keys` does not say where they come from", KEYS_CURE);
            None
        }
        (Some(_), Some(jwks)) => {
            desk.quiet_error(&jwks.at, "`keys` says two ways to get them", "keep one of url and jwks");
            None
        }
    }
}

/// A JWK set as text. Its line is never shown: somebody may have put the private half there.
fn inline(item: &Item<'_>, spiffe: bool, desk: &mut Desk<'_>) -> Option<KeySource> {
    let DeValue::String(text) = item.value else {
        desk.quiet_error(&item.at, "`jwks` is not text", JWKS_CURE);
        return None;
    };
    let purpose = if spiffe { KeyPurpose::JwtSvids } else { KeyPurpose::Signatures };
    let read = KeySet::parse(text.as_bytes(), purpose);
    match (read, serde_json::from_str(text)) {
        (Ok(_), Ok(jwks)) => Some(KeySource::Inline { jwks }),
        (Err(fault), _) => {
            let cure = match fault {
                KeySetFault::Key(_) => "take it out, and make a new key: this one is no longer a secret",
                KeySetFault::Empty if spiffe => "give it a key with use = \"jwt-svid\"",
                _ => JWKS_CURE,
            };
            desk.quiet_error(&item.at, &format!("`jwks`: {fault}"), cure);
            None
        }
        (Ok(_), Err(_)) => {
            desk.quiet_error(&item.at, "`jwks` is not a JSON object", JWKS_CURE);
            None
        }
    }
}

fn workloads(
    item: &Item<'_>,
    header: &str,
    rules: Vec<SubjectRule>,
    desk: &mut Desk<'_>,
) -> Option<Workloads> {
    desk.mark("workloads", &item.at);
    let mut table = item.table(desk, format!("[{header}.workloads]"))?;
    let audiences_cure = "write audiences = [\"https://plane.example\"]: whom its tokens must be for";
    let audiences = table.need(desk, "audiences", audiences_cure).map(|item| {
        desk.mark("workloads.audiences", &item.at);
        let read = |item: &Item<'_>, desk: &mut Desk<'_>| item.text(desk).map(str::to_owned);
        let audiences: BTreeSet<String> =
            item.distinct(desk, read).into_iter().map(|(text, _)| text).collect();
        if matches!(item.value, DeValue::Array(items) if items.is_empty()) {
            let message = "`audiences` is empty: tokens for anybody, or for nobody, are not taken";
            desk.error(&item.at, message, audiences_cure);
        }
        audiences
    });
    let ahead_max = table.duration(desk, "ahead_max").unwrap_or(AHEAD_MAX);
    let single_use = table.boolean(desk, "single_use").unwrap_or(false);
    let unmanaged = table.get("unmanaged_max").and_then(|item| item.whole(desk, 0..=UNMANAGED_MAX_MAX));
    let unmanaged_max = unmanaged.and_then(|max| u32::try_from(max).ok()).unwrap_or(UNMANAGED_MAX);
    table.finish(desk);
    Some(Workloads { audiences: audiences?, ahead_max, single_use, rules, unmanaged_max })
}

fn rules(item: &Item<'_>, header: &str, desk: &mut Desk<'_>) -> Vec<SubjectRule> {
    let mut out: Vec<SubjectRule> = Vec::new();
    for (index, item) in item.list(desk).unwrap_or_default().iter().enumerate() {
        desk.mark(format!("workloads.rules.{index}"), &item.at);
        let Some(mut table) = item.table(desk, format!("[[{header}.rule]]")) else { continue };
        let agent = table.need(desk, "agent", "name the agent that these subjects are").and_then(|item| {
            let agent = item.name(desk)?;
            desk.mention(Kind::Agent, &agent, "agent", &item.at);
            Some(agent)
        });
        let claims = table.need(desk, "claims", CLAIMS_CURE).map(|item| claims(&item, desk));
        table.finish(desk);
        let (Some(agent), Some(claims)) = (agent, claims) else { continue };
        if let Some(other) = out.iter().find(|other| !claims.is_empty() && other.claims == claims) {
            let message = format!("this rule has the claims of another, for agent {}", other.agent);
            desk.error(&item.at, message, "keep one: a subject is one agent");
        }
        out.push(SubjectRule { agent, claims });
    }
    out
}

fn claims(item: &Item<'_>, desk: &mut Desk<'_>) -> Vec<ClaimRule> {
    let Some(table) = item.table(desk, "claims") else { return Vec::new() };
    let mut out = Vec::new();
    let mut any = false;
    for (pointer, at, item) in table.entries() {
        any = true;
        let Some(test) = claim_test(&item, desk) else { continue };
        match ClaimRule::new(pointer, test) {
            Ok(rule) => out.push(rule),
            Err(fault) => {
                desk.error(&at, format!("`{}`: {fault}", clip(pointer)), CLAIMS_CURE);
            }
        }
    }
    if !any {
        desk.error(&item.at, "a rule without claims would fit every subject", CLAIMS_CURE);
    }
    out
}

fn claim_test(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<ClaimTest> {
    match item.value {
        DeValue::Array(_) => {
            let mut values = Vec::new();
            for item in item.list(desk)? {
                values.push(scalar(&item, desk)?);
            }
            Some(ClaimTest::OneOf(values))
        }
        DeValue::Table(_) => {
            let mut table = item.table(desk, format!("`{}`", clip(&item.what)))?;
            let like =
                table.need(desk, "like", CLAIM_CURE).and_then(|item| item.raw_text(desk, TEXT_CHARS_MAX));
            table.finish(desk);
            Some(ClaimTest::Like(like?.to_owned()))
        }
        _ => scalar(item, desk).map(ClaimTest::Equals),
    }
}

fn scalar(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<Scalar> {
    match item.value {
        DeValue::Boolean(value) => Some(Scalar::Bool(*value)),
        DeValue::Integer(_) => item.whole(desk, i64::MIN..=i64::MAX).map(Scalar::Long),
        DeValue::String(_) => item.raw_text(desk, TEXT_CHARS_MAX).map(|text| Scalar::Text(text.to_owned())),
        _ => {
            let message = format!("`{}` is compared with what no claim can be", clip(&item.what));
            desk.error(&item.at, message, CLAIM_CURE);
            None
        }
    }
}

fn people(item: &Item<'_>, header: &str, desk: &mut Desk<'_>) -> Option<Provider> {
    desk.mark("people", &item.at);
    let mut table = item.table(desk, format!("[{header}.people]"))?;
    for key in ["client_secret", "password"] {
        if let Some(item) = table.get(key) {
            let cure = "seal it with `provost credential set NAME` and write secret = \"NAME\"";
            desk.quiet_error(&item.at, "a secret has no place in files: they are read by many", cure);
        }
    }
    let client_id = table.need(desk, "client_id", "write client_id = \"…\": what the plane is called there");
    let client_id = client_id.and_then(|item| item.text(desk)).map(str::to_owned);
    let secret_item = table.get("secret");
    let secret = secret_item.as_ref().and_then(|item| secret(item, desk));
    let sign_in = table.boolean(desk, "sign_in").unwrap_or(false);
    let assertions = table.boolean(desk, "assertions").unwrap_or(false);
    let words = [("subject", LinkBy::Subject), ("email", LinkBy::Email)];
    let link = table.get("link").and_then(|item| item.word(desk, &words)).unwrap_or_default();
    let groups_item = table.get("groups_claim");
    let groups_claim = groups_item.as_ref().and_then(|item| item.text(desk)).map(str::to_owned);
    let roles_item = table.get("roles");
    let roles = roles_item.as_ref().map_or_else(BTreeMap::new, |item| group_roles(item, desk));
    if let (Some(item), None) = (&roles_item, &groups_item) {
        let cure = "write groups_claim = \"groups\", the claim that lists them";
        desk.missing(&item.at, "groups get roles, and nothing says where groups are found", cure);
    }
    if !sign_in && !assertions {
        let message =
            format!("{} lets nobody do anything: neither sign_in nor assertions is true", table.what);
        desk.missing(&item.at, message, "write sign_in = true, assertions = true, or both");
    }
    table.finish(desk);
    Some(Provider { client_id: client_id?, secret, sign_in, assertions, link, groups_claim, roles })
}

/// The name of a sealed secret. What is no name may be the secret itself.
fn secret(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<Name> {
    let name = match item.value {
        DeValue::String(text) => text.parse().ok(),
        _ => None,
    };
    if name.is_none() {
        let cure = "seal the secret with `provost credential set NAME` and write secret = \"NAME\"";
        desk.quiet_error(&item.at, "`secret` is not the name of a sealed secret", cure);
    }
    name
}

fn group_roles(item: &Item<'_>, desk: &mut Desk<'_>) -> BTreeMap<String, BTreeSet<Role>> {
    let Some(table) = item.table(desk, "roles") else { return BTreeMap::new() };
    let mut out = BTreeMap::new();
    for (group, at, item) in table.entries() {
        if group.trim().is_empty() {
            desk.error(&at, "a group without a name gets roles", "write the group as the provider names it");
        }
        let roles = roles(&item, desk);
        if !roles.is_empty() {
            out.insert(group.to_owned(), roles);
        }
    }
    out
}

const SPIFFE: &str = "spiffe://";
const KEYS_CURE: &str =
    "write keys = \"discovery\", keys = { url = \"https://…/jwks\" } or keys = { jwks = '{\"keys\": […]}' }";
const JWKS_CURE: &str = "write the public keys as a JWK set: jwks = '{\"keys\": […]}'";
const SIGNALS_CURE: &str =
    "write signals = [\"https://plane.example\"]: whom its security events must be for";
const CLAIMS_CURE: &str =
    "write claims = { \"/sub\" = \"…\" }: a claim by its JSON Pointer, and what it must be";
const CLAIM_CURE: &str = "write a value, a list of values, or { like = \"refs/tags/v*\" }; values are text, whole numbers, true and false";
/// How far ahead the end of a token may lie, unless said.
const AHEAD_MAX: DurationMs = DurationMs::from_mins(24 * 60);
/// Subjects of nobody that are put on record, unless said.
const UNMANAGED_MAX: u32 = 100;
const UNMANAGED_MAX_MAX: i64 = 100_000;
