//! The organisations that are asked about, put into a store as the plane itself would have committed them.

use anyhow::Context as _;
use provost_domain::{Clock as _, Digest, Object, limits::Limits};
use provost_store::{Attribution, ChangeSet, Store, SystemClock, Write};
use provost_store_sqlite::SqliteStore;
use serde_json::{Value, json};
use std::path::Path;

/// The system, the operation and the agent of every organisation here.
pub(crate) const SYSTEM: &str = "bank";
pub(crate) const TOOL: &str = "pay";

/// Opens the store of a data folder.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn open(data: &Path) -> anyhow::Result<SqliteStore> {
    Ok(SqliteStore::open(&data.join("provost.db"), &Limits::default())?)
}

/// Commits rows, in sets that fit into memory.
///
/// # Errors
/// When the store refuses them.
pub(crate) async fn commit(
    store: &dyn Store,
    objects: impl IntoIterator<Item = Object>,
) -> anyhow::Result<()> {
    let mut writes = Vec::new();
    for object in objects {
        writes.push(Write::Put { object, expected: 0 });
        if writes.len() == SET_WRITES_MAX {
            store.commit(set(std::mem::take(&mut writes))).await?;
        }
    }
    if !writes.is_empty() {
        store.commit(set(writes)).await?;
    }
    Ok(())
}

/// Writes that happen together.
pub(crate) fn set(writes: Vec<Write>) -> ChangeSet {
    let by = Attribution { actor: "provost-load".to_owned(), why: "to be measured".to_owned() };
    ChangeSet { by, at: SystemClock.now(), writes }
}

/// The owner, the bank behind this URL, and its tool as reviewed.
///
/// # Errors
/// Never, unless the shapes of rows changed.
pub(crate) fn bank(url: &str, pin: Digest) -> anyhow::Result<Vec<Object>> {
    let arg = |kind: &str, required: bool| json!({"type": kind, "required": required});
    [
        json!({"kind": "person", "body": {"name": "maria", "display": "Maria", "active": true}}),
        json!({"kind": "system", "body": {
            "name": SYSTEM, "description": "a bank that answers at once", "environment": "sandbox",
            "connection": {"kind": "mcp-http", "url": url}, "revocation_max": 0,
        }}),
        json!({"kind": "tool", "body": {
            "system": SYSTEM, "name": TOOL, "pin": pin, "effects": ["financial"],
            "args": {
                "account": arg("string", true), "payee": arg("string", true), "amount": arg("decimal", true),
                "memo": arg("string", false), "urgent": arg("bool", false),
            },
        }}),
    ]
    .into_iter()
    .map(object)
    .collect()
}

/// An agent that may pay up to an amount, from two accounts, to three payees, with a memo of one form.
///
/// # Errors
/// Never, unless the shapes of rows changed.
pub(crate) fn agent(index: usize, amount_max: &str) -> anyhow::Result<Object> {
    let created = provost_domain::Timestamp::from_millis(i64::try_from(index)?);
    let id = provost_domain::ids::AgentId::new(created, [0; 10]);
    object(json!({"kind": "agent", "body": {
        "id": id, "name": agent_name(index), "status": "active",
        "revision": 1,
        "charter": {
            "purpose": "pays the invoices of one supplier", "owner": "maria", "environment": "sandbox",
            "autonomy": "bounded", "task_duration_max": 86_400_000,
            "grants": [{"system": SYSTEM, "tools": [TOOL], "args": {
                "account": {"one_of": ["main", "petty-cash"]},
                "payee": {"one_of": ["acme", "globex", "initech"]},
                "amount": {"max": amount_max},
                "memo": {"like": "invoice *", "optional": true},
            }}],
        },
        "provenance": {"created_by": "provost-load", "created_at": 0, "source": "provost-load"},
    }}))
}

pub(crate) fn agent_name(index: usize) -> String {
    format!("agent-{index:07}")
}

/// The arguments of a payment.
pub(crate) fn payment(amount: f64) -> Value {
    json!({"account": "main", "payee": "acme", "amount": amount, "memo": "invoice 7", "urgent": false})
}

/// The documents of `examples/acme`, with as many policies in force as the targets are stated for.
///
/// # Errors
/// Never, unless the example changed its form.
pub(crate) fn documents(buffered: bool) -> anyhow::Result<Object> {
    let mut policies = include_str!("../../../examples/acme/applications/documents.cedar").to_owned();
    let own = policies.matches("@id(").count();
    for rule in own..DOCUMENT_POLICIES {
        policies.push_str(&match rule % 2 {
            0 => format!(
                "@id(\"documents/seal-{rule}\")\n@reason(\"the document is under seal {rule}\")\n\
                 forbid (principal, action == Action::\"read\", resource)\n\
                 when {{ resource has status && resource.status == \"sealed-{rule}\" }};\n"
            ),
            _ => format!(
                "@id(\"documents/auditors-{rule}\")\n@reason(\"auditors of group {rule} read everything\")\n\
                 permit (principal in team::\"auditors-{rule}\", action == Action::\"read\", resource);\n"
            ),
        });
    }
    let entities: Value =
        serde_json::from_str(include_str!("../../../examples/acme/applications/documents.entities.json"))?;
    object(json!({"kind": "application", "body": {
        "name": "documents",
        "schema": include_str!("../../../examples/acme/applications/documents.cedarschema"),
        "policies": policies, "entities": entities,
        "request_properties": {"accepted": ["document.status"]},
        "buffered": buffered,
    }}))
}

fn object(value: Value) -> anyhow::Result<Object> {
    serde_json::from_value(value).context("a row is not what the domain takes for one")
}

const DOCUMENT_POLICIES: usize = 20;
const SET_WRITES_MAX: usize = 5_000;
