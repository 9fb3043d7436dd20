//! `[connector.NAME]`: a client that says who comes, who leaves and who is in which group (SCIM 2.0), and what its groups give.
//! Its tokens are made at the plane; files hold none.

use crate::{
    Declared,
    desk::Desk,
    organisation::{Named, owner, roles},
    table::Item,
};
use provost_domain::{
    Connector, Kind, Name, ObjectKey,
    connector::{Gives, LoginsFrom, SubjectIs},
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn named((name, at): Named, item: &Item<'_>, desk: &mut Desk<'_>, declared: &mut Declared) {
    let Some(mut table) = item.table(desk, format!("[connector.{name}]")) else { return };
    let key = ObjectKey::new(Kind::Connector, name.as_str());
    let fresh = desk.declare(key.clone(), &at);
    let description = table.sentence(desk, "description", "say in a sentence who it is");
    let owner = owner(table.need(desk, "owner", "name the person who answers for it"), desk);
    for key in ["token", "secret", "password"] {
        if let Some(item) = table.get(key) {
            let cure = format!("take it out, and make one with `provost connector token {name}`");
            desk.quiet_error(&item.at, "a secret has no place in files: they are read by many", &cure);
        }
    }
    let active = table.boolean(desk, "active");
    let logins = table.get("logins").and_then(|item| logins(&item, desk));
    let groups = table.get("groups").map_or_else(BTreeMap::new, |item| groups(&item, desk));
    table.finish(desk);
    if let (Some(description), Some(owner), true) = (description, owner, fresh) {
        if active.is_none() {
            declared.silent_on_active.insert(key);
        }
        let active = active.unwrap_or(true);
        let row =
            Connector { name: name.clone(), description, owner, active, logins, groups, tokens: Vec::new() };
        declared.connectors.insert(name, row);
    }
}

fn logins(item: &Item<'_>, desk: &mut Desk<'_>) -> Option<LoginsFrom> {
    let mut table = item.table(desk, "logins")?;
    let issuer = table.need(desk, "issuer", LOGINS_CURE).and_then(|item| {
        desk.mark("logins.issuer", &item.at);
        let issuer = item.name(desk)?;
        desk.mention(Kind::Issuer, &issuer, "issuer", &item.at);
        Some(issuer)
    });
    let words = [("external-id", SubjectIs::ExternalId), ("user-name", SubjectIs::UserName)];
    let subject = table.need(desk, "subject", LOGINS_CURE).and_then(|item| item.word(desk, &words));
    table.finish(desk);
    Some(LoginsFrom { issuer: issuer?, subject: subject? })
}

fn groups(item: &Item<'_>, desk: &mut Desk<'_>) -> BTreeMap<String, Gives> {
    let Some(table) = item.table(desk, "groups") else { return BTreeMap::new() };
    let mut out = BTreeMap::new();
    for (display, at, item) in table.entries() {
        if display.trim().is_empty() {
            desk.error(&at, "a group without a name gives something", "write it as the provider shows it");
        }
        let Some(mut table) = item.table(desk, "what a group gives") else { continue };
        let roles = table.get("roles").map_or_else(BTreeSet::new, |item| roles(&item, desk));
        let group: Option<Name> = table.get("group").and_then(|item| {
            let group = item.name(desk)?;
            desk.mark(format!("groups.{group}"), &item.at);
            Some(group)
        });
        table.finish(desk);
        if roles.is_empty() && group.is_none() {
            desk.error(&at, "this group gives nothing, as every group does that is not named", GIVES_CURE);
        }
        out.insert(display.trim().to_owned(), Gives { roles, group });
    }
    out
}

const LOGINS_CURE: &str = "write logins = { issuer = \"acme\", subject = \"external-id\" }: where its people sign in, and which attribute is `sub` there";
const GIVES_CURE: &str = "write \"Finance Approvers\" = { roles = [\"approver\"], group = \"finance\" }";
