//! A middling organisation as people meet it: a dozen agents in three environments, tasks that run and that ended, what was
//! let through, held and refused, credentials set and missing. Everything comes about as it would: files are applied, tasks
//! started, agents stopped over the API, and every decision is made by the policies and recorded.

#[path = "waits.rs"]
mod waits;

use crate::{
    common::{
        Served, asked,
        decided::{self, Call},
        put, serve,
    },
    console::Stage,
};
use provost_domain::{Completion, DecisionId, Digest, Name, Object, Outcome};
use serde_json::{Value, json};

pub struct Town {
    pub stage: Stage,
    /// One task of each agent that acts.
    pub tasks: Vec<(String, String)>,
    /// Decisions of each verdict: allowed, held, refused.
    pub decided: [String; 3],
    pub approval: String,
    /// An open envelope of the invoice clerk.
    pub envelope: String,
    pub finding: String,
    /// A wider charter of the invoice clerk.
    pub proposal: String,
    /// An order about the data janitor.
    pub order: String,
    /// Something owed that was given up.
    pub delivery: String,
    /// Where an application asks to act for maria.
    pub consent: String,
    /// An access review that waits.
    pub review: String,
}

impl Town {
    pub async fn built() -> Self {
        Self::with(files(), "the organisation as of May", json!("Rheinwerk GmbH")).await
    }

    /// The same, where everybody who could wrote something that should harm whoever reads it: markup, characters that turn
    /// text around, lines that break, words that do not.
    pub async fn hostile() -> Self {
        let quoted = HOSTILE.replace('\\', "").replace('"', "\\\"");
        let mut files = files();
        for file in files.as_array_mut().unwrap() {
            let mut text = file["text"].as_str().unwrap().to_owned();
            for label in ["purpose = \"", "description = \"", "display = \""] {
                text = text.replace(label, &format!("{label}{quoted} "));
            }
            if file["path"] == "policies/payments.cedar" {
                text = format!("// {}\n{text}", HOSTILE).replace(
                    "payments above",
                    &format!("{} payments above", HOSTILE.replace(['"', '\\'], "")),
                );
            }
            file["text"] = json!(text);
        }
        Self::with(files, HOSTILE, json!(HOSTILE)).await
    }

    async fn with(files: Value, why: &str, payee: Value) -> Self {
        let served = serve().await;
        served.post("/apply", json!({ "files": files, "reason": why })).await.ok();
        let maria: Name = "maria".parse().unwrap();
        let mut row = served.plane.replica.latest().directory.people[&maria].as_ref().clone();
        row.logins =
            serde_json::from_value(json!([{ "issuer": "okta", "subject": "00u1", "added": 0 }])).unwrap();
        put(&served, Object::Person(row)).await;
        for (name, secret) in [("bank", "s3cret-bank"), ("crm", "s3cret-crm")] {
            let body = json!({ "secret": secret, "reason": "from the vault" });
            served.put(&format!("/credentials/{name}"), body).await.ok();
        }
        let mut tasks = Vec::new();
        for (agent, _, _, _, purpose, _) in AGENTS {
            let purpose = if payee == json!(HOSTILE) {
                HOSTILE.to_owned()
            } else {
                format!("{purpose}: the week of 23 November")
            };
            let body = json!({ "agent": agent, "purpose": purpose, "requester": "jonas" });
            let task = served.post("/tasks", body).await.ok();
            tasks.push(((*agent).to_owned(), task["task"]["id"].as_str().unwrap().to_owned()));
        }
        let mut decided = [String::new(), String::new(), String::new()];
        for round in 0..6_u32 {
            for ((agent, task), (_, _, _, system, ..)) in tasks.iter().zip(AGENTS) {
                for (tool, args) in calls(system, round, &payee) {
                    let (id, verdict) = decide(&served, [agent, system, tool], task, args).await;
                    let place = ["allow", "hold", "deny"].iter().position(|word| *word == verdict).unwrap();
                    decided[place] = id.to_string();
                }
            }
        }
        let ended = &tasks[9].1;
        served.post(&format!("/tasks/{ended}/end"), json!({ "reason": why })).await.ok();
        served.post("/agents/web-scraper/suspend", json!({ "reason": why })).await.ok();
        let frozen = json!({ "level": "read-only", "reason": "while the release is frozen" });
        served.post("/agents/deploy-helper/level", frozen).await.ok();
        let clerk = tasks[0].1.clone();
        let mut waits = asked(&served, &clerk, "412.5").await;
        waits.args.insert("payee".to_owned(), payee);
        let mut alike = asked(&served, &clerk, "88").await;
        for row in [&mut waits, &mut alike] {
            row.reasons = waits::reasons();
            put(&served, Object::Approval(Box::new(row.clone()))).await;
        }
        let (approval, delivery) = (waits.id.clone(), "delivery_given_up".to_owned());
        let envelope = waits::envelope(&served, waits, why).await;
        let finding = waits::finding(&served, why).await;
        let proposal = waits::proposal(&served, why).await;
        let order = waits::order(&served, why).await;
        waits::drills(&served).await;
        crate::common::given_up(&served, &delivery).await;
        let consent = waits::consent(&served, why).await;
        let review = review(&served, &clerk, why).await;
        provost_control::sequencer::sequence_all(&served.plane).await.unwrap();
        let stage = Stage { served, task: clerk, decisions: [decided[0].clone(), decided[2].clone()] };
        Self {
            stage,
            tasks,
            decided,
            approval,
            envelope,
            finding,
            proposal,
            order,
            delivery,
            consent,
            review,
        }
    }

    /// As if its agents had been at work for hours, more at some times than at others.
    pub async fn with_a_past(self) -> Self {
        let served = &self.stage.served;
        for step in 1..60_u32 {
            for ((agent, task), (_, _, _, system, ..)) in
                self.tasks.iter().zip(AGENTS).skip(step as usize % 5)
            {
                if (step * 7 + agent.len() as u32).is_multiple_of(4) || self.tasks[9].1 == *task {
                    continue;
                }
                let ago = provost_domain::DurationMs::from_mins(u64::from(step) * 6);
                let (tool, args) =
                    calls(system, step % 6, &json!("Rheinwerk GmbH")).swap_remove(step as usize % 2);
                let call = [agent.as_str(), system, tool];
                decided::decide_as_of(served, call, task, args, (ago, |_verdict| Vec::new())).await;
            }
        }
        provost_control::sequencer::sequence_all(&served.plane).await.unwrap();
        self
    }

    /// The secrets of the sessions of those who meet pages.
    pub async fn sessions(&self) -> Value {
        let mut sessions = json!({ "nobody": "" });
        for name in ["olga", "maria", "aisha"] {
            sessions[name] = json!(self.stage.signed_in(name, &[]).await.secret);
        }
        sessions
    }

    /// Takes every role of a person's row, so that only their session's count.
    pub async fn without_roles(&self, person: &str) {
        let name: Name = person.parse().unwrap();
        let mut row = self.stage.served.plane.replica.latest().directory.people[&name].as_ref().clone();
        row.roles.clear();
        put(&self.stage.served, Object::Person(row)).await;
    }
}

/// Decides and records a call; what was allowed succeeds.
pub async fn decide(served: &Served, call: Call<'_>, task: &str, args: Value) -> (DecisionId, &'static str) {
    let (id, verdict) = decided::decide(served, call, task, args).await;
    if verdict == "allow" {
        let done = Completion {
            v: 1,
            decision: id,
            at: served.plane.now(),
            outcome: Outcome::Success,
            took_ms: 12,
            labels: Default::default(),
            result: None,
        };
        served.plane.store.complete(done, Some(task.parse().unwrap())).await.unwrap();
    }
    (id, verdict)
}

/// What nobody may be harmed by who reads it.
pub const HOSTILE: &str = "<img src=x onerror=alert(1)>\\\"'<script>alert(2)</script>\u{202e}drawkcab unbrokenunbrokenunbrokenunbrokenunbrokenunbrokenunbrokenunbroken";

fn calls(system: &str, round: u32, payee: &Value) -> Vec<(&'static str, Value)> {
    let amount = f64::from(round) * 95.5 + 20.0;
    match system {
        "bank" => {
            vec![("list_accounts", json!({})), ("transfer", json!({ "payee": payee, "amount": amount }))]
        }
        "crm" => vec![
            ("find_customer", json!({ "name": "Lindt" })),
            ("send_mail", json!({ "to": "kundin@example.com", "text": "Ihre Rechnung" })),
        ],
        "deploy" => {
            vec![("status", json!({})), ("roll_out", json!({ "service": "checkout", "version": "4.2.1" }))]
        }
        _ => vec![
            ("query", json!({ "sql": "select count(*) from orders" })),
            ("drop_table", json!({ "name": "orders" })),
        ],
    }
}

/// Name, environment, autonomy, system, purpose, owner.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const AGENTS: &[Row] = &[
    ("invoice-clerk", "production", "bounded", "bank", "Pays invoices of known suppliers", "maria"),
    ("bookkeeper", "production", "supervised", "bank", "Reconciles payments with the ledger", "maria"),
    ("dunning", "production", "supervised", "crm", "Reminds customers of open invoices", "aisha"),
    (
        "support-triage",
        "production",
        "bounded",
        "crm",
        "Sorts what customers write and drafts answers",
        "aisha",
    ),
    (
        "customer-360",
        "production",
        "probation",
        "crm",
        "Gathers what is known of a customer for support",
        "aisha",
    ),
    (
        "deploy-helper",
        "staging",
        "supervised",
        "deploy",
        "Rolls out services after their tests passed",
        "chen",
    ),
    ("release-notes", "staging", "bounded", "deploy", "Writes what changed between two versions", "chen"),
    ("incident-scribe", "staging", "probation", "deploy", "Keeps the timeline of an incident", "chen"),
    (
        "report-builder",
        "sandbox",
        "bounded",
        "warehouse",
        "Answers questions of managers with figures",
        "olga",
    ),
    ("data-janitor", "sandbox", "probation", "warehouse", "Finds tables that nobody reads any more", "olga"),
    ("web-scraper", "sandbox", "probation", "warehouse", "Collects prices of competitors", "jonas"),
    ("forecast", "sandbox", "supervised", "warehouse", "Guesses next month’s orders", "olga"),
];

pub fn files() -> Value {
    let mut files = vec![
        json!({ "path": "organisation.toml", "text": ORGANISATION }),
        json!({ "path": "systems/bank.toml", "text": crate::common::BANK }),
        json!({ "path": "policies/payments.cedar", "text": crate::common::POLICY }),
    ];
    let crm = system(
        "A customer register",
        "production",
        "crm",
        &[
            (
                "find_customer",
                "Find a customer by name",
                "read",
                r#"args = { name = "string" }"#,
                r#"returns = ["confidential"]"#,
            ),
            (
                "send_mail",
                "Send an e-mail to a customer",
                "communicate",
                r#"args = { to = "string", text = "string" }"#,
                "sends_out = true",
            ),
        ],
    );
    let deploy = system(
        "The deployment service",
        "staging",
        "deploy",
        &[
            ("status", "What runs where", "read", "", ""),
            (
                "roll_out",
                "Roll a version out",
                "infrastructure",
                r#"args = { service = "string", version = "string" }"#,
                "",
            ),
        ],
    );
    let warehouse = system(
        "The data warehouse, a copy",
        "sandbox",
        "warehouse",
        &[
            ("query", "Ask a question in SQL", "read", r#"args = { sql = "string" }"#, ""),
            ("drop_table", "Drop a table", "delete", r#"args = { name = "string" }"#, ""),
        ],
    );
    for (name, text) in [("crm", crm), ("deploy", deploy), ("warehouse", warehouse)] {
        files.push(json!({ "path": format!("systems/{name}.toml"), "text": text }));
    }
    files.extend(AGENTS.iter().map(|row| charter(*row, 500)));
    Value::Array(files)
}

/// One agent, as its file says it.
fn charter((name, environment, autonomy, system, purpose, owner): Row, count_max: u32) -> Value {
    let tools = match system {
        "bank" => r#"["list_accounts", "transfer"]"#,
        "crm" => r#"["find_customer", "send_mail"]"#,
        "deploy" => r#"["status", "roll_out"]"#,
        _ if name == "data-janitor" => r#"["query", "drop_table"]"#,
        _ => r#"["query"]"#,
    };
    let text = format!(
        "[agent]\npurpose = \"{purpose}\"\nowner = \"{owner}\"\nenvironment = \"{environment}\"\nautonomy = \"{autonomy}\"\n\
         task_duration_max = \"8h\"\ndata = [\"confidential\"]\n\n[[grant]]\nsystem = \"{system}\"\ntools = {tools}\n\n\
         [[budget]]\nname = \"calls-a-day\"\nsystem = \"{system}\"\ntools = {tools}\nwindow = \"24h\"\nper = \"agent\"\ncount_max = {count_max}\n"
    );
    json!({ "path": format!("agents/{name}.toml"), "text": text })
}

fn system(
    description: &str,
    environment: &str,
    name: &str,
    tools: &[(&str, &str, &str, &str, &str)],
) -> String {
    let mut text = format!(
        "[system]\ndescription = \"{description}\"\nenvironment = \"{environment}\"\nurl = \"http://127.0.0.1:9/{name}\"\n\
         credential = {{ name = \"{name}\", target = \"Authorization\", prefix = \"Bearer \" }}\nrevocation_max = \"5m\"\n"
    );
    for (tool, says, effect, args, more) in tools {
        let pin = Digest::of(format!("{name}/{tool}").as_bytes());
        text.push_str(&format!(
            "\n[tool.{tool}]\npin = \"{pin}\"\ndescription = \"{says}\"\neffects = [\"{effect}\"]\n{args}\n{more}\n"
        ));
    }
    text
}

const ORGANISATION: &str = r#"
[organisation]
display = "Acme GmbH"
production_revocation_max = "24h"

[person.maria]
display = "Maria Lindt"
email = "maria@acme.example"
roles = ["approver"]

[person.jonas]
display = "Jonas Weber"
email = "jonas@acme.example"
roles = ["operator"]

[person.aisha]
display = "Aisha Okafor"
manager = "maria"

[person.chen]
display = "Chen Wei"
roles = ["viewer"]

[person.olga]
display = "Olga Petrova"
roles = ["administrator"]

[workload.checkout]
purpose = "asks who may read what"
owner = "maria"

[connector.entra]
description = "The directory of Town"
owner = "maria"
[connector.entra.groups]
"Finance" = { roles = ["approver"] }

[issuer.okta]
description = "People of Acme"
issuer = "https://okta.example"
keys = "discovery"
owner = "olga"
[issuer.okta.people]
client_id = "provost"
sign_in = true
"#;

/// So many more agents, a few charters among them, put there as a plane would have committed them.
pub async fn crowd(served: &Served, count: u32) {
    let directory = served.plane.replica.latest().directory.clone();
    let models: Vec<_> = AGENTS
        .iter()
        .map(|(name, ..)| directory.agents[&name.parse::<Name>().unwrap()].as_ref().clone())
        .collect();
    let mut writes = Vec::new();
    for n in 0..count {
        let mut agent = models[n as usize % models.len()].clone();
        agent.name = format!("robot-{n:06}").parse().unwrap();
        let mut id = [7; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        agent.id = provost_domain::ids::AgentId::from_bytes(id);
        writes.push(provost_store::Write::Put { object: Object::Agent(agent), expected: 0 });
        if writes.len() == 2_000 || n + 1 == count {
            let by = provost_store::Attribution { actor: "test".into(), why: "a crowd".into() };
            let writes = std::mem::take(&mut writes);
            let set = provost_store::ChangeSet { by, at: served.plane.now(), writes };
            served.plane.store.commit(set).await.unwrap();
        }
    }
    served.plane.replica.catch_up().await.unwrap();
}

/// A review of what the invoice clerk may do, opened for a reason that others chose.
async fn review(served: &Served, task: &str, why: &str) -> String {
    let now = served.plane.now().as_millis();
    let row = json!({
        "id": "review_00112233445566778899aabb", "agent": "invoice-clerk", "because": why,
        "opened": now, "since": now - 1_000_000, "due": now + 1_000_000, "revision": 1, "decisions": 41, "whole": true,
        "lines": [
            {"system": "bank", "tool": "transfer", "effects": ["financial"], "risk": "high", "used": 12, "held": 1, "denied": 3,
             "first": now - 900_000, "last": now, "tasks": [task], "peers": {"with": 1, "of": 4},
             "limits": {"payee": {"one_of": [why.chars().take(40).collect::<String>()]}}, "proposed": "keep"},
            {"system": "bank", "tool": "list_accounts", "effects": ["read"], "risk": "low", "used": 0, "held": 0, "denied": 0,
             "peers": {"with": 0, "of": 4}, "proposed": "revoke"},
        ],
        "effect": {"calls": 4213, "changed": 0}, "status": {"is": "open"},
    });
    let row: provost_domain::AccessReview = serde_json::from_value(row).unwrap();
    let id = row.id.clone();
    put(served, Object::Review(Box::new(row))).await;
    id
}
