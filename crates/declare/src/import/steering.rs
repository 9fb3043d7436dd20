//! Which arguments probably steer a tool, from their names: whom it reaches, where it goes, what it runs, how much.

use crate::import::effects::words;
use provost_domain::{Effect, Tool, tool::Steering};
use std::collections::BTreeSet;

/// Proposes `steers` and `carries` for the tool with the effects it has. Of a tool that only reads, an address steers; of
/// one that nobody classified everything that might. A proposal too many costs a question to a person, one too few costs a guard.
pub(super) fn propose(tool: &Tool) -> Steering {
    let named = |vocabulary: &'static [&'static str]| -> BTreeSet<String> {
        let args =
            tool.args.keys().filter(|arg| words(arg).iter().any(|word| vocabulary.contains(&word.as_str())));
        args.cloned().collect()
    };
    if tool.only_reads() {
        return Steering { steers: named(ADDRESSES), carries: BTreeSet::new() };
    }
    let speaks = [Effect::Communicate, Effect::MoveData, Effect::Financial];
    let speaks = tool.effects.is_empty() || speaks.iter().any(|effect| tool.effects.contains(effect));
    let steers: BTreeSet<String> = named(ADDRESSES).into_iter().chain(named(STEERING)).collect();
    let carries = if speaks { named(TEXTS).difference(&steers).cloned().collect() } else { BTreeSet::new() };
    Steering { steers, carries }
}

const ADDRESSES: &[&str] = &["url", "uri", "link", "endpoint", "host", "webhook", "domain"];
const STEERING: &[&str] = &[
    "account",
    "address",
    "amount",
    "attendee",
    "attendees",
    "bcc",
    "beneficiary",
    "bucket",
    "cc",
    "channel",
    "command",
    "destination",
    "email",
    "emails",
    "file",
    "group",
    "iban",
    "id",
    "member",
    "members",
    "participant",
    "participants",
    "password",
    "path",
    "payee",
    "phone",
    "query",
    "recipient",
    "recipients",
    "repo",
    "repository",
    "role",
    "script",
    "secret",
    "sql",
    "table",
    "target",
    "to",
    "user",
    "users",
];
const TEXTS: &[&str] = &[
    "body",
    "comment",
    "content",
    "description",
    "html",
    "memo",
    "message",
    "note",
    "reference",
    "subject",
    "text",
    "title",
];
