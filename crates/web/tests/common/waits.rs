//! What waits for people in the town, or went wrong there, in words that others chose.

use crate::common::{Served, put};
use provost_control::{Op, Operator};
use provost_domain::{
    Drill, DurationMs, Name, Object, Proof, Reason, Role, Timestamp,
    containment::Who,
    drill::{DrillState, Measured},
};
use provost_token::Challenge;
use serde_json::json;

/// Something that a person should know, in words that others chose.
pub async fn finding(served: &Served, words: &str) -> String {
    let sighting = provost_domain::finding::Sighting {
        kind: "much-read".to_owned(),
        key: "web-scraper".to_owned(),
        severity: provost_domain::Severity::High,
        about: serde_json::from_value(json!({ "agent": "web-scraper", "system": "warehouse" })).unwrap(),
        what: format!("web-scraper read more in an hour than in the week before: {words}"),
        evidence: vec![words.to_owned(), "412 calls between 09:00 and 10:00".to_owned()],
        response: Default::default(),
        by_another: false,
    };
    let raised = provost_control::finding::raise(&served.op(), &sighting).await.unwrap();
    raised.unwrap().id
}

/// An envelope as it stands when it was granted on an approval.
pub async fn envelope(served: &Served, asked: provost_domain::Approval, why: &str) -> String {
    let now = served.plane.now();
    let row = provost_domain::Envelope {
        id: "envelope_00112233445566778899aabb".to_owned(),
        agent: asked.agent,
        task: None,
        mark: None,
        system: asked.system,
        tool: asked.tool,
        args: Default::default(),
        count_max: 5,
        sum: None,
        gates: asked.gates,
        bound: asked.bound,
        by: "olga".parse().unwrap(),
        shown_by: "a test".to_owned(),
        why: why.to_owned(),
        approval: asked.id,
        granted: now,
        until: now.plus(provost_domain::DurationMs::from_mins(60)),
        on_behalf_of: None,
        signature: None,
        status: provost_domain::approval::EnvelopeStatus::Open,
    };
    let id = row.id.clone();
    put(served, Object::Envelope(Box::new(row))).await;
    id
}

/// Why a payment waits.
pub fn reasons() -> Vec<Reason> {
    let reason = |policy: &str, reason: &str| Reason { policy: policy.to_owned(), reason: reason.to_owned() };
    vec![reason(
        "guardrail/effects-production",
        "high-impact effects in production need the owner's approval",
    )]
}

/// A change to a charter in production that its owner has to agree to.
pub async fn proposal(served: &Served, why: &str) -> String {
    let subject = Operator::Person("olga".parse().unwrap(), [Role::Administrator].into());
    let op = Op { subject, ..served.op() };
    let files = [super::charter(super::AGENTS[0], 900)];
    let wanted = json!({ "files": files, "reason": why });
    let applied = provost_control::plan::apply(&op, serde_json::from_value(wanted).unwrap()).await.unwrap();
    applied.proposal.unwrap().summary.id
}

/// An order that stops an agent; what the agent had has ended.
pub async fn order(served: &Served, why: &str) -> String {
    let wanted = json!({ "agent": "data-janitor", "reason": why, "person": "olga" });
    let order = served.post("/containments", wanted).await.ok();
    provost_control::containment::clean::once(&served.plane).await.unwrap();
    order["id"].as_str().unwrap().to_owned()
}

/// Three drills: one that passed, one that was too slow, one that broke down.
pub async fn drills(served: &Served) {
    let now = served.plane.now();
    let measured = |ended: u64| {
        DrillState::Done(Measured {
            at: now,
            order: "containment_00".to_owned(),
            acknowledged: DurationMs(4),
            first_refused: DurationMs(9),
            last_ended: DurationMs(ended),
            calls: 212,
            late: 0,
            systems: Default::default(),
        })
    };
    let failed = DrillState::Failed { at: now, why: "it has nothing harmless to ask".to_owned() };
    for (n, state) in [measured(31), measured(940), failed].into_iter().enumerate() {
        let drill = Drill {
            id: format!("drill_{n:024}"),
            agent: "invoice-clerk".parse().unwrap(),
            plan: None,
            by: Who { person: Some("olga".parse().unwrap()), shown_by: "olga".to_owned() },
            at: now.minus(DurationMs::from_mins(60 * (n as u64 + 1))),
            target: DurationMs(500),
            state,
        };
        put(served, Object::Drill(Box::new(drill))).await;
    }
}

/// Where an application asks maria whether it may act for her; it says of itself what it likes.
pub async fn consent(served: &Served, name: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client_id = format!("http://{}/client.json", listener.local_addr().unwrap());
    let back = "https://app.example/callback";
    let document = json!({ "client_id": client_id, "client_name": name, "redirect_uris": [back] });
    let router =
        axum::Router::new().route("/client.json", axum::routing::get(async move || axum::Json(document)));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let clerk: Name = "invoice-clerk".parse().unwrap();
    let mut clerk = served.plane.replica.latest().directory.agents[&clerk].as_ref().clone();
    clerk.proofs = vec![Proof::Client { client_id: client_id.clone(), added: Timestamp::from_millis(0) }];
    put(served, Object::Agent(clerk)).await;
    let challenge = Challenge::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").to_stored().to_string();
    let mut query = url::form_urlencoded::Serializer::new("/oauth/authorize?".to_owned());
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", &*client_id),
        ("redirect_uri", back),
        ("state", "s-1"),
        ("code_challenge", &*challenge),
        ("code_challenge_method", "S256"),
    ] {
        query.append_pair(name, value);
    }
    query.finish()
}
