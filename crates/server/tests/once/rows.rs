//! The small world in which it happens: Maria owns the agent, Ben and Kim are deputies.

use provost_connect::SealingKey;
use provost_domain::{DurationMs, Object, Passkey, TaskId, Timestamp, policy_file::PolicyFile};
use provost_passkey::{Party, encode, soft::Authenticator};
use serde_json::{Map, Value, json};

pub const PEOPLE: [&str; 3] = ["maria", "ben", "kim"];
pub const AMOUNTS: [u32; 3] = [10, 20, 30];
pub const MINUTE: u64 = 60_000;
pub const START: i64 = 1_700_000_000_000;
pub const ISSUER: &str = "https://plane.example";

pub fn sealing() -> SealingKey {
    SealingKey::from_bytes(&[9; 32]).unwrap()
}

/// The arguments of a payment.
pub fn args(amount: u32) -> Map<String, Value> {
    let args = json!({"from_account": "operations", "payee": "x", "amount": amount, "reference": "x"});
    args.as_object().unwrap().clone()
}

/// A person's device.
pub fn device(who: usize) -> Authenticator {
    Authenticator::from_seed(&[u8::try_from(who).unwrap() + 1; 32]).unwrap()
}

/// Everything that is there at the start. `two`: two of finance must agree, all three are in it. `signed`: a yes takes a passkey.
pub fn first_rows(task: TaskId, (two, signed): (bool, bool)) -> Vec<Object> {
    let now = Timestamp::from_millis(START);
    let mut rows: Vec<Object> = PEOPLE
        .iter()
        .map(|name| row("person", json!({"name": name, "display": name, "active": true})))
        .collect();
    rows.extend((0..PEOPLE.len()).map(passkey));
    rows.push(row(
        "organisation",
        json!({
            "display": "Acme", "groups": {"finance": {"members": PEOPLE, "needs": 2}},
            "approvals": {"signed": if signed { "production" } else { "never" }},
        }),
    ));
    if two {
        let text = "@id(\"acme/two\") @gate(\"finance\") @reason(\"two of finance\")\n\
                    forbid (principal, action in Action::\"financial\", resource)\n\
                    unless { context.approvals.contains(\"finance\") };";
        rows.push(Object::Policy(PolicyFile { name: "two".parse().unwrap(), text: text.into() }));
    }
    rows.push(row(
        "system",
        json!({
            "name": "bank", "description": "accounts", "environment": "production", "revocation_max": 0,
            "connection": {"kind": "mcp-http", "url": "http://127.0.0.1:9/mcp"},
        }),
    ));
    let text = || json!({"type": "string"});
    let schema = json!({"type": "object", "properties": {
        "from_account": text(), "payee": text(), "reference": text(), "amount": {"type": "number"},
    }});
    rows.push(Object::Tool(provost_domain::Tool {
        system: "bank".parse().unwrap(),
        name: "transfer".parse().unwrap(),
        description: String::new(),
        pin: provost_domain::Digest::of(b"first"),
        effects: ["financial".parse().unwrap()].into(),
        args: provost_policy::args_from_json_schema(&schema).unwrap(),
        returns: Vec::new(),
        sends_out: false,
        steering: Default::default(),
        request: None,
    }));
    rows.push(row("agent", json!({
        "id": provost_domain::ids::AgentId::new(now, [1; 10]), "name": "invoice-clerk", "status": "active", "revision": 1,
        "charter": {
            "purpose": "pays supplier invoices", "owner": "maria", "deputies": ["ben", "kim"], "environment": "production",
            "autonomy": "supervised", "data": ["confidential"], "task_duration_max": 3_600_000,
            "grants": [{"system": "bank", "tools": ["transfer"]}],
        },
        "provenance": {"created_by": "t", "created_at": 1, "source": "t"},
    })));
    rows.push(row(
        "task",
        json!({
            "id": task, "agent": "invoice-clerk", "purpose": "pay", "requester": "maria", "started": now,
            "expires": now.plus(DurationMs(240 * MINUTE)), "status": "running",
        }),
    ));
    rows
}

fn row(kind: &str, body: Value) -> Object {
    serde_json::from_value(json!({"kind": kind, "body": body})).unwrap()
}

fn passkey(who: usize) -> Object {
    let device = device(who);
    Object::Passkey(Box::new(Passkey {
        id: encode(&device.id),
        person: PEOPLE[who].parse().unwrap(),
        name: "laptop".to_owned(),
        key: encode(&device.cose_key()),
        party: Party::of(ISSUER).unwrap().id,
        counter: 0,
        synced: true,
        added: Timestamp::from_millis(START).minus(DurationMs(MINUTE)),
        used: None,
        doubt: None,
        removed: None,
    }))
}
