//! What a tool can probably do, from its name, its arguments and its own claims.

use provost_domain::Effect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a system claims about a tool (MCP tool annotations). Hints by an untrusted party, absent when not given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hints {
    /// Claims to change nothing.
    #[serde(default, rename = "readOnlyHint")]
    pub read_only: Option<bool>,
    /// Claims that a change may destroy something.
    #[serde(default, rename = "destructiveHint")]
    pub destructive: Option<bool>,
    /// Claims that doing it twice is doing it once.
    #[serde(default, rename = "idempotentHint")]
    pub idempotent: Option<bool>,
    /// Claims to reach outside of the system.
    #[serde(default, rename = "openWorldHint")]
    pub open_world: Option<bool>,
}

/// Proposed effects and the reason. No effects means: unclassified, so it counts as every effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The classes.
    pub effects: BTreeSet<Effect>,
    /// Why, in a line.
    pub why: String,
}

/// Proposes effect classes. The names of tool and arguments say what is at least possible; a claim can add to that
/// and never take away. `read` alone is proposed only when a name says so and the system claims it too.
#[must_use]
pub fn propose_effects(name: &str, args: &[&str], description: &str, hints: Hints) -> Proposal {
    let mut evidence = Evidence::default();
    let name_words = words(name);
    for word in &name_words {
        for effect in effects_of(word, NAME_WORDS) {
            evidence.add(effect, format!("its name says `{word}`"));
        }
    }
    for arg in args {
        for word in words(arg) {
            for effect in effects_of(&word, ARG_WORDS) {
                evidence.add(effect, format!("it takes `{}`", word));
            }
        }
    }
    // A claim to destroy is at least as bad as its name only where the name says nothing worse than writing.
    let grave = evidence.effects.iter().any(|effect| GRAVE.contains(effect));
    if hints.destructive == Some(true) && hints.read_only != Some(true) && !grave {
        evidence.add(Effect::Delete, "the server says it may destroy".to_owned());
        evidence.add(Effect::Write, "the server says it changes things".to_owned());
    }
    let reads = name_words.iter().find(|word| READ_WORDS.contains(&word.as_str()));
    if let (Some(word), Some(true)) = (reads, hints.read_only) {
        evidence.add(Effect::Read, format!("its name says `{word}` and the server says it only reads"));
    }
    let unsettled = match (reads, hints.read_only) {
        _ if !evidence.effects.is_empty() => None,
        (Some(word), _) => {
            Some(format!("its name says `{word}`, but the server does not say that it only reads"))
        }
        (None, Some(true)) => Some("the server says it only reads, but its name does not".to_owned()),
        (None, _) => Some("neither its name nor its arguments say what it does".to_owned()),
    };
    let mut why = unsettled.unwrap_or_else(|| evidence.why.join("; "));
    if let Some(word) = more_in(description, &evidence.effects) {
        why.push_str(&format!("; its description also speaks of `{word}`"));
    }
    Proposal { effects: evidence.effects, why }
}

#[derive(Default)]
struct Evidence {
    effects: BTreeSet<Effect>,
    why: Vec<String>,
}

impl Evidence {
    fn add(&mut self, effect: Effect, why: String) {
        if self.effects.insert(effect) {
            self.why.push(format!("{effect}: {why}"));
        }
    }
}

/// A word of the description that stands for an effect nobody proposed.
fn more_in(description: &str, proposed: &BTreeSet<Effect>) -> Option<String> {
    let description: String = description.chars().take(DESCRIPTION_CHARS_READ_MAX).collect();
    words(&description).into_iter().find(|word| {
        effects_of(word, NAME_WORDS).any(|effect| effect != Effect::Write && !proposed.contains(&effect))
    })
}

fn effects_of(
    word: &str,
    table: &'static [(Effect, &'static [&'static str])],
) -> impl Iterator<Item = Effect> {
    table.iter().filter(move |(_, words)| words.contains(&word)).map(|(effect, _)| *effect)
}

/// `closeAccount`, `close_account`, `admin/close.account` → `close`, `account`.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut previous_lower = false;
    for c in text.chars() {
        let starts_word = c.is_uppercase() && previous_lower;
        if (!c.is_alphanumeric() || starts_word) && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        previous_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Effects that gate a call at least as strictly as `delete`.
const GRAVE: [Effect; 5] =
    [Effect::Delete, Effect::Execute, Effect::Financial, Effect::Infrastructure, Effect::Permission];

#[rustfmt::skip]
const NAME_WORDS: &[(Effect, &[&str])] = &[
    (Effect::Delete, &["delete", "remove", "drop", "destroy", "purge", "erase", "truncate", "wipe", "close", "cancel", "unlink", "rm"]),
    (Effect::Financial, &["pay", "payment", "payments", "payout", "transfer", "refund", "invoice", "charge", "buy", "purchase", "order", "checkout", "withdraw", "trade"]),
    (Effect::Communicate, &["send", "post", "mail", "email", "message", "publish", "notify", "reply", "comment", "tweet", "sms", "chat", "share", "invite"]),
    (Effect::Execute, &["exec", "execute", "run", "shell", "eval", "bash", "command", "script", "spawn", "invoke", "terminal"]),
    (Effect::Permission, &["grant", "role", "roles", "permission", "permissions", "user", "users", "member", "revoke", "acl", "policy", "password", "token", "secret", "key"]),
    (Effect::Infrastructure, &["deploy", "scale", "restart", "network", "reboot", "provision", "cluster", "dns", "firewall", "server", "instance", "migrate", "rollback"]),
    (Effect::MoveData, &["copy", "export", "upload", "move", "download", "sync", "backup", "import", "clone", "push"]),
    (Effect::Write, &["write", "create", "update", "set", "edit", "insert", "add", "put", "save", "append", "rename", "modify", "patch", "replace", "merge", "commit", "upsert", "store", "assign", "tag"]),
];

/// Names of arguments that steer an effect whatever the tool is called.
#[rustfmt::skip]
const ARG_WORDS: &[(Effect, &[&str])] = &[
    (Effect::Financial, &["iban", "payee", "bic"]),
    (Effect::Communicate, &["url", "uri", "recipient", "recipients", "webhook", "to", "cc", "bcc"]),
    (Effect::MoveData, &["destination", "bucket"]),
    (Effect::Execute, &["command", "cmd", "script", "code", "sql"]),
];

const READ_WORDS: &[&str] = &[
    "get", "list", "read", "search", "fetch", "describe", "find", "show", "view", "query", "count", "lookup",
];

/// Characters of a description that are looked at.
const DESCRIPTION_CHARS_READ_MAX: usize = 4_000;

#[cfg(test)]
mod tests {
    use super::*;
    use Effect::*;

    const READS: Hints =
        Hints { read_only: Some(true), destructive: None, idempotent: None, open_world: None };
    const NOTHING: Hints = Hints { read_only: None, destructive: None, idempotent: None, open_world: None };

    fn proposed(name: &str, args: &[&str], hints: Hints) -> Vec<Effect> {
        propose_effects(name, args, "", hints).effects.into_iter().collect()
    }

    #[test]
    fn a_name_says_what_is_at_least_possible() {
        for (name, args, hints, effects) in [
            ("list_accounts", &[][..], READS, vec![Read]),
            ("getStatement", &["account"], READS, vec![Read]),
            ("transfer", &["amount"], NOTHING, vec![Financial]),
            ("add_payee", &["name", "iban"], NOTHING, vec![Write, Financial]),
            ("send_message", &["to"], NOTHING, vec![Communicate]),
            ("export_statements", &["account", "destination"], NOTHING, vec![MoveData]),
            ("fs.deleteFile", &[], NOTHING, vec![Delete]),
            ("admin/users-list", &[], READS, vec![Read, Permission]),
            ("run_query", &["sql"], NOTHING, vec![Execute]),
            ("fetch", &["url"], READS, vec![Read, Communicate]),
        ] {
            assert_eq!(proposed(name, args, hints), effects, "{name}");
        }
    }

    #[test]
    fn a_claim_never_makes_a_dangerous_name_harmless() {
        for name in ["delete_all", "transfer", "send", "exec", "grant_role", "deploy", "copy", "write"] {
            let plain = proposed(name, &[], NOTHING);
            let claimed = proposed(name, &[], READS);
            assert!(!plain.is_empty() && plain.iter().all(|effect| claimed.contains(effect)), "{name}");
            assert!(claimed != [Read], "{name}");
        }
    }

    #[test]
    fn what_nobody_can_tell_is_left_unclassified_with_the_reason() {
        for (name, hints, why) in [
            ("reconcile", READS, "the server says it only reads, but its name does not"),
            ("frobnicate", NOTHING, "neither its name nor its arguments"),
            ("get_report", NOTHING, "the server does not say that it only reads"),
            ("", NOTHING, "neither its name"),
        ] {
            let proposal = propose_effects(name, &[], "", hints);
            assert!(proposal.effects.is_empty() && proposal.why.contains(why), "{name}: {proposal:?}");
        }
    }

    #[test]
    fn a_claim_to_destroy_adds_and_a_description_is_only_quoted() {
        let destructive = Hints { destructive: Some(true), ..NOTHING };
        assert_eq!(proposed("reset", &[], destructive), [Write, Delete]);
        assert_eq!(proposed("write_file", &[], destructive), [Write, Delete]);
        assert_eq!(proposed("transfer", &[], destructive), [Financial]);
        let proposal = propose_effects("list_things", &[], "Lists, then deletes: delete is fast", READS);
        assert_eq!(proposal.effects.into_iter().collect::<Vec<_>>(), [Read]);
        assert!(proposal.why.ends_with("also speaks of `delete`"), "{}", proposal.why);
    }
}
