//! Checks that the plane plants: they look like any held call, and nothing ever comes of them, whatever their rows say.

use crate::plane::{Plane, charter, person, text};
use provost_connect::{Marks, SealingKey};
use provost_domain::{
    Action, Approval, Clock as _, Digest, DurationMs, Envelope, Object, ObjectKey, TaskId,
    approval::{ApprovalStatus, EnvelopeStatus},
    check::{CheckOutcome, Flaw, check_mark},
};
use provost_gateway::Planting;
use provost_store::{DecisionFilter, SystemClock};
use serde_json::{Value, json};

fn pay(payee: &str, amount: u32) -> Value {
    json!({"from_account": "operations", "payee": payee, "amount": amount, "reference": "x"})
}

async fn plane() -> Plane {
    let plane = Plane::start(charter(json!({"deputies": ["ben"]}))).await;
    plane.change(Object::Person(person("ben")), 0).await;
    plane
}

fn marks() -> Marks {
    Marks::of(&SealingKey::from_bytes(&[9; 32]).unwrap()).unwrap()
}

fn planting(task: TaskId, args: Value) -> (Planting, Digest) {
    let args = args.as_object().unwrap().clone();
    let action = Action {
        agent: "invoice-clerk".parse().unwrap(),
        task,
        system: "bank".parse().unwrap(),
        tool: "transfer".parse().unwrap(),
        args: args.clone(),
    };
    let digest = action.digest().unwrap();
    let Action { system, tool, .. } = action;
    let mark = marks().mark(&digest, Flaw::Payment);
    (Planting { task, system, tool, args, face: "mcp".to_owned(), mark }, digest)
}

async fn row(plane: &Plane, id: &str) -> (u64, Approval) {
    provost_store::approval(plane.store.as_ref(), id).await.unwrap().unwrap()
}

async fn plant(plane: &Plane, task: TaskId, args: Value) -> String {
    let (planting, digest) = planting(task, args);
    assert!(plane.pipeline.plant(planting).await.unwrap());
    plane.replica.catch_up().await.unwrap();
    provost_domain::approval::approval_id(&digest, 0)
}

fn done(answer: &Value) -> bool {
    answer["result"].is_object() && answer["result"]["isError"] != json!(true)
}

/// The names of everything in it, and of what each value is.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), shape(value))).collect())
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(text) => json!(format!("text of {} characters", text.len())),
        Value::Number(_) => json!("number"),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_decided_recorded_counted_and_asked_for_like_any_held_call() {
    let plane = plane().await;
    let (task, token) = plane.task().await;
    let (_, answer) = plane.call(&token, "transfer", pay("Kantoor Zuid BV", 120)).await;
    let real = answer["result"]["_meta"]["dev.provost/decision"]["requestable"]["approval_id"].clone();
    let real = row(&plane, real.as_str().unwrap()).await.1;
    let before = plane.pipeline.metrics().render();
    let id = plant(&plane, task, pay("Nordwind & Co BV", 490)).await;
    let planted = row(&plane, &id).await.1;
    assert!(marks().known(&planted).is_some() && marks().known(&real).is_none());

    // The rows, and the records of their changes.
    let json = |row: &Approval| serde_json::to_value(row).unwrap();
    let (mut a, mut b) = (shape(&json(&real)), shape(&json(&planted)));
    for value in [&mut a, &mut b] {
        value["args"]["payee"] = json!("differs");
    }
    assert_eq!(a, b);
    let record = async |id: &str| plane.store.history(&ObjectKey::approval(id), 5).await.unwrap();
    let (a, b) = (record(&real.id).await, record(&planted.id).await);
    assert_eq!((a.len(), b.len(), &a[0].by), (1, 1, &b[0].by));
    assert_eq!((&real.gates, &real.reasons, real.bound), (&planted.gates, &planted.reasons, planted.bound));

    // The decisions, found by the same search, and when.
    let filter = DecisionFilter { task: Some(task), max: 10, ..DecisionFilter::default() };
    let found = plane.store.decisions(&filter).await.unwrap().decisions;
    let decision = |row: &Approval| found.iter().find(|stored| stored.decision.id == row.decision).unwrap();
    let (of_real, of_planted) = (decision(&real), decision(&planted));
    assert_eq!(of_real.completion, of_planted.completion);
    assert_eq!(of_planted.decision.action, planted.action);
    let json = |stored: &provost_store::StoredDecision| {
        let mut value = shape(&serde_json::to_value(&stored.decision).unwrap());
        value["input"] = json!("told of below");
        value
    };
    assert_eq!(json(of_real), json(of_planted));
    let members = |stored: &provost_store::StoredDecision| -> Vec<String> {
        stored.decision.input.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(members(of_real), members(of_planted));
    for (row, stored) in [(&real, of_real), (&planted, of_planted)] {
        assert!(row.asked.since(stored.decision.at) < DurationMs::from_secs(5));
    }

    // The counters move as they do for a call.
    plane.call(&token, "transfer", pay("Kantoor Zuid BV", 121)).await;
    let count = |text: &str, name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    };
    let after = plane.pipeline.metrics().render();
    let held = "provost_decisions_total{verdict=\"hold\"}";
    assert_eq!(count(&after, held), count(&before, held) + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_of_a_check_even_if_its_row_says_that_it_is_granted() {
    let plane = plane().await;
    let (task, token) = plane.task().await;
    let args = pay("Kantoor Zuid BV", 110);
    let id = plant(&plane, task, args.clone()).await;
    let now = SystemClock.now();
    let until = now.plus(DurationMs::from_mins(5));
    // As if every rule of the administration had failed.
    let (version, waiting) = row(&plane, &id).await;
    let granted = Approval { status: ApprovalStatus::Granted { at: now, until }, ..waiting.clone() };
    plane.change(Object::Approval(Box::new(granted.clone())), version).await;
    let (_, answer) = plane.call(&token, "transfer", args.clone()).await;
    assert!(!done(&answer), "{answer}");
    let envelope = Envelope {
        id: "envelope_1".into(),
        agent: waiting.agent.clone(),
        task: None,
        system: waiting.system.clone(),
        tool: waiting.tool.clone(),
        args: Default::default(),
        count_max: 9,
        sum: None,
        gates: waiting.gates.clone(),
        bound: waiting.bound,
        by: "ben".parse().unwrap(),
        on_behalf_of: None,
        shown_by: "test".into(),
        why: "test".into(),
        approval: id.clone(),
        mark: waiting.mark,
        signature: crate::approvals::signature(),
        granted: now,
        until,
        status: EnvelopeStatus::Open,
    };
    plane.change(Object::Envelope(Box::new(envelope.clone())), 0).await;
    for args in [args.clone(), pay("Kantoor Zuid BV", 120)] {
        let (_, answer) = plane.call(&token, "transfer", args).await;
        assert!(!done(&answer), "{answer}");
    }
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
    // The same two, with a mark that is none: they would have run. So it is the mark that stops them.
    let (version, _row) = row(&plane, &id).await;
    let real = Approval { mark: Some(Digest::of(b"random")), ..granted };
    plane.change(Object::Approval(Box::new(real)), version).await;
    assert!(done(&plane.call(&token, "transfer", args).await.1));
    let real = Envelope { id: "envelope_2".into(), mark: Some(Digest::of(b"random")), ..envelope };
    plane.change(Object::Envelope(Box::new(real)), 0).await;
    assert!(done(&plane.call(&token, "transfer", pay("Kantoor Zuid BV", 130)).await.1));
    assert_eq!(plane.bank.bank().calls("transfer"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_be_held_is_not_planted_and_leaves_nothing() {
    let plane = plane().await;
    let (task, _token) = plane.task().await;
    let before = plane.store.head().await.unwrap();
    let (good, _digest) = planting(task, pay("Nordwind & Co BV", 490));
    let no_task = TaskId::new(SystemClock.now(), [9; 10]);
    for wanted in [
        Planting { face: "authzen".to_owned(), ..good.clone() },
        Planting { task: no_task, ..good.clone() },
        Planting { tool: "no_such_tool".parse().unwrap(), ..good.clone() },
        // It only reads: nobody is asked.
        Planting { tool: "list_accounts".parse().unwrap(), args: Default::default(), ..good.clone() },
    ] {
        assert!(!plane.pipeline.plant(wanted.clone()).await.unwrap(), "{wanted:?}");
    }
    assert_eq!(plane.store.head().await.unwrap(), before);
    let filter = DecisionFilter { task: Some(task), max: 10, ..DecisionFilter::default() };
    assert!(plane.store.decisions(&filter).await.unwrap().decisions.is_empty());
    assert!(plane.pipeline.plant(good).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_makes_the_very_call_of_a_check_waits_and_is_asked_about_anew_and_the_check_is_told() {
    let plane = plane().await;
    let (task, token) = plane.task().await;
    let args = pay("Nordwind & Co BV", 490);
    let id = plant(&plane, task, args.clone()).await;
    let (_, answer) = plane.call(&token, "transfer", args.clone()).await;
    assert!(!done(&answer) && text(&answer).contains(&id), "it waits like anything else: {answer}");
    // Nobody answered in time: the gateway itself writes down that it is over, and what it was.
    let (version, waiting) = row(&plane, &id).await;
    let past = SystemClock.now().minus(DurationMs(1));
    plane.change(Object::Approval(Box::new(Approval { expires: past, ..waiting })), version).await;
    let (_, answer) = plane.call(&token, "transfer", args).await;
    assert!(text(&answer).contains(&format!("{id}_2")), "{answer}");
    let over = row(&plane, &id).await.1;
    let check = over.check.as_ref().unwrap();
    assert_eq!((over.status.as_str(), check.outcome), ("expired", CheckOutcome::Unanswered));
    assert_eq!(check_mark(&check.secret, check.flaw), over.mark.unwrap());
    let fresh = row(&plane, &format!("{id}_2")).await.1;
    assert!(marks().known(&fresh).is_none(), "what the agent asks for itself is no check");
    assert_eq!(plane.bank.bank().calls("transfer"), 0);
}
