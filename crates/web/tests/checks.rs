#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

//! Checks that the plane puts up, through the real gateway: nobody can tell one before it is over, whoever they are and wherever
//! they look; nothing comes of one, however it is answered; and afterwards everybody can see that it was one.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::Served;
use console::{Browser, Stage, event, put};
use provost_broker::{Broker, BrokerParts, Signer};
use provost_connect::Marks;
use provost_control::{Op, Operator, Plane, check, housekeeping};
use provost_domain::{
    Action, Approval, Digest, DurationMs, Name, Object, TaskId,
    approval::{ApprovalStatus, approval_id},
    check::{CheckOutcome, Flaw},
    person::Role,
};
use provost_gateway::{Identifier, Parts, Pipeline, Verifiers};
use reqwest::header;
use serde_json::{Value, json};
use std::sync::Arc;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The gateway of this plane, by its own clock.
fn pipeline(plane: &Arc<Plane>) -> Arc<Pipeline> {
    let keys = Arc::clone(&plane.token_keys);
    let verifiers: Verifiers = Arc::new(move || keys.verifier());
    let sealing = provost_connect::SealingKey::from_bytes(&[3; 32]).unwrap();
    let broker = Broker::new(BrokerParts {
        store: Arc::clone(&plane.store),
        replica: Arc::clone(&plane.replica),
        clock: Arc::clone(&plane.clock),
        sealing: Arc::new(sealing),
        upstreams: plane.upstreams.clone(),
        node: plane.node,
        issuer: plane.issuer.clone(),
        signer: Arc::clone(&plane.token_keys) as Arc<dyn Signer>,
    });
    Arc::new(Pipeline::from(Parts {
        store: Arc::clone(&plane.store),
        replica: Arc::clone(&plane.replica),
        clock: Arc::clone(&plane.clock),
        limits: plane.limits.clone(),
        node: plane.node,
        identifier: Identifier::new(verifiers, format!("{}/mcp", plane.issuer), plane.now()),
        upstreams: plane.upstreams.clone(),
        broker,
        marks: marks(plane),
    }))
}

fn marks(plane: &Plane) -> Marks {
    Marks::of(&plane.sealing_key).unwrap()
}

struct Through(Arc<Plane>, Arc<Pipeline>);

#[async_trait::async_trait]
impl check::Planter for Through {
    async fn plant(&self, wanted: check::Planting) -> Result<bool, String> {
        let check::Planting { task, system, tool, args, face, mark } = wanted;
        let wanted = provost_gateway::Planting { task, system, tool, args, face, mark };
        self.0.replica.catch_up().await.unwrap();
        self.1.plant(wanted).await.map_err(|refusal| refusal.to_string())
    }
}

/// What the gateway asks for a payment of the clerk; a check, if it has a flaw, and like a call of the agent, if it has none.
async fn held(served: &Served, task: &str, args: Value, flaw: Option<Flaw>) -> String {
    let plane = &served.plane;
    let (task, args): (TaskId, _) = (task.parse().unwrap(), args.as_object().unwrap().clone());
    let action = Action {
        agent: name("clerk"),
        task,
        system: name("bank"),
        tool: "transfer".parse().unwrap(),
        args: args.clone(),
    };
    let digest = action.digest().unwrap();
    let mark = match flaw {
        Some(flaw) => marks(plane).mark(&digest, flaw),
        None => Digest::from_bytes(plane.random()),
    };
    let (system, tool, face) = (action.system, action.tool, "mcp".to_owned());
    let wanted = provost_gateway::Planting { task, system, tool, args, face, mark };
    plane.replica.catch_up().await.unwrap();
    assert!(pipeline(plane).plant(wanted).await.unwrap());
    plane.replica.catch_up().await.unwrap();
    approval_id(&digest, 0)
}

fn pay(payee: &str, amount: f64) -> Value {
    json!({ "payee": payee, "amount": amount })
}

async fn row(served: &Served, id: &str) -> Approval {
    provost_store::approval(served.plane.store.as_ref(), id).await.unwrap().unwrap().1
}

/// A form, as a browser sends it from a page of this origin; the body is that of the page it leads to.
async fn post(stage: &Stage, browser: &Browser, path: &str, form: &str) -> (u16, String) {
    let request = stage.served.client.post(format!("{}{path}", stage.served.plane.issuer));
    let request = request
        .header(header::COOKIE, format!("provost={}", browser.secret))
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Names and kinds of everything, and nothing that two calls differ in.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), shape(value))).collect())
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_over_nobody_can_tell_a_check_wherever_they_look() {
    let stage = Stage::set().await;
    let real = held(&stage.served, &stage.task, pay("ACME", 12.5), None).await;
    let planted = held(&stage.served, &stage.task, pay("Harwick Media BV", 99.5), Some(Flaw::Payment)).await;

    // Over the interface, as the local administrator: as much of the one as of the other, in the same words.
    for path in ["/approvals/ID", "/approvals/ID/eligible/maria", "/approvals/ID/eligible/jonas"] {
        let of = async |id: &str| stage.served.get(&path.replace("ID", id)).await.ok();
        assert_eq!(shape(&of(&real).await), shape(&of(&planted).await), "{path}");
    }
    let of = async |id: &str| {
        let approval = stage.served.get(&format!("/approvals/{id}")).await.ok();
        let decision = approval["decision"].as_str().unwrap().to_owned();
        let shown = stage.served.get(&format!("/decisions/{decision}")).await.ok();
        let why = stage.served.get(&format!("/decisions/{decision}/why")).await.ok();
        assert!(why.to_string().contains("\"same\":true") || why["same"] == json!(true), "{why:#}");
        (shape(&shown), shape(&why))
    };
    assert_eq!(of(&real).await, of(&planted).await);
    for list in
        ["/approvals", "/approvals/alike?person=maria", "/decisions?verdict=hold", "/approvals/quality"]
    {
        let listed = stage.served.get(list).await.ok().to_string();
        for word in ["flaw", "secret", "seeded", "planted", "\"check\""] {
            assert!(!listed.contains(word), "{list}: {word}: {listed}");
        }
    }
    assert_eq!(stage.served.get("/approvals").await.ok()["items"].as_array().unwrap().len(), 2);

    // In the console, whoever looks.
    let people = [
        ("maria", None),
        ("jonas", Some(Role::Viewer)),
        ("jonas", Some(Role::Approver)),
        ("jonas", Some(Role::Operator)),
        ("jonas", Some(Role::Administrator)),
    ];
    for (person, role) in people {
        let browser = stage.signed_in(person, role.as_slice()).await;
        let plain = async |path: &str, id: &str| {
            let body = browser.get(path).await.body;
            // What two calls differ in anyway.
            let row = row(&stage.served, id).await;
            let decision = row.decision.to_string();
            let mut body = body.replace(id, "ID").replace(&decision, "DECISION");
            body = body
                .replace(&decision[decision.len() - 6..], "END")
                .replace(&row.action.to_string(), "ACTION");
            for own in ["ACME", "Harwick Media BV", "12.5", "99.5"] {
                body = body.replace(own, "OWN");
            }
            let lines = body.lines().map(|line| match line.split_once("<time") {
                Some((head, tail)) => format!("{head}{}", tail.rsplit("</time>").next().unwrap()),
                None => line.to_owned(),
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        let (a, b) = (format!("/approvals/{real}"), format!("/approvals/{planted}"));
        assert_eq!(plain(&a, &real).await, plain(&b, &planted).await, "{person} {role:?}");
        let mut pages = vec!["/approvals".to_owned(), format!("/approvals/together/{planted}")];
        if role.is_some() {
            pages.extend(
                ["/console", "/console/decisions", "/console/findings", "/approvals/quality"]
                    .map(str::to_owned),
            );
            pages.push(format!("/console/tasks/{}", stage.task));
            pages.push(format!("/console/decisions/{}", row(&stage.served, &planted).await.decision));
        }
        for page in pages {
            let body = browser.get(&page).await.body.to_lowercase();
            for word in ["this was a check", "had to be refused", "seeded", "planted"] {
                assert!(!body.contains(word), "{person} {role:?} {page}: {word}");
            }
        }
    }

    // What moves is told alike.
    let browser = stage.signed_in("jonas", &[Role::Viewer]).await;
    let mut stream = browser.open("/events").await;
    let _first = event(&mut stream).await;
    let mut told = Vec::new();
    for (payee, flaw) in [("Oakfield Media BV", None), ("Norfolk Media BV", Some(Flaw::Payment))] {
        held(&stage.served, &stage.task, pay(payee, 33.5), flaw).await;
        let moved = event(&mut stream).await;
        let data = moved.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
        told.push(shape(&serde_json::from_str(&data).unwrap()));
    }
    assert_eq!(told[0], told[1]);

    // In the record that everybody may export: rows of one shape, and marks that tell nothing.
    provost_control::sequencer::sequence_all(&stage.served.plane).await.unwrap();
    let (a, b) = (row(&stage.served, &real).await, row(&stage.served, &planted).await);
    assert_eq!(shape(&serde_json::to_value(&a).unwrap()), shape(&serde_json::to_value(&b).unwrap()));
    assert!(a.mark.is_some() && b.mark.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_said_to_a_check_nothing_is_granted_and_it_is_told_at_once() {
    let paths: [(&str, &str, Value, CheckOutcome); 8] = [
        ("yes", "/approvals/ID/approve", json!({ "person": "maria" }), CheckOutcome::Approved),
        (
            "no",
            "/approvals/ID/refuse",
            json!({ "person": "maria", "reason": "who is that" }),
            CheckOutcome::Refused,
        ),
        (
            "breaking the glass",
            "/approvals/ID/approve",
            json!({ "person": "jonas", "reason": "now", "break_glass": true }),
            CheckOutcome::Approved,
        ),
        (
            "an edit that leaves what is wrong",
            "/approvals/ID/edit",
            json!({ "person": "maria", "args": pay("Harwick Media BV", 9.5) }),
            CheckOutcome::Approved,
        ),
        (
            "an edit that mends it",
            "/approvals/ID/edit",
            json!({ "person": "maria", "args": pay("ACME", 9.5) }),
            CheckOutcome::Refused,
        ),
        (
            "an envelope",
            "/approvals/ID/envelope",
            json!({ "person": "maria", "reason": "the same every day", "count": 9, "lasts": "1h" }),
            CheckOutcome::Approved,
        ),
        (
            "all at once",
            "/approvals/answers",
            json!({ "person": "maria", "yes": true }),
            CheckOutcome::Approved,
        ),
        (
            "taking it back",
            "/approvals/ID/withdraw",
            json!({ "reason": "never mind" }),
            CheckOutcome::Unanswered,
        ),
    ];
    for (why, path, body, outcome) in paths {
        let stage = Stage::set().await;
        let mut jonas = stage.served.plane.replica.latest().directory.people["jonas"].as_ref().clone();
        jonas.roles = [Role::Administrator].into();
        put(&stage.served, Object::Person(jonas)).await;
        let id = held(&stage.served, &stage.task, pay("Harwick Media BV", 99.5), Some(Flaw::Payment)).await;
        let asked = row(&stage.served, &id).await;
        let mut body = body;
        if path.ends_with("/answers") {
            body["these"] = json!([{ "id": id, "action": asked.action.to_string() }]);
        }
        let said = stage.served.post(&path.replace("ID", &id), body).await;
        assert_eq!(said.status, if why == "an envelope" { 403 } else { 200 }, "{why}: {}", said.body);
        if outcome != CheckOutcome::Unanswered {
            assert!(
                said.body.to_string().contains("never asked to pay before"),
                "{why}: told at once: {}",
                said.body
            );
        }

        let over = row(&stage.served, &id).await;
        let check = over.check.as_ref().unwrap_or_else(|| panic!("{why}: not revealed"));
        assert_eq!(check.outcome, outcome, "{why}");
        assert!(
            over.is_over() && !matches!(over.status, ApprovalStatus::Used { .. }),
            "{why}: {:?}",
            over.status
        );
        assert!(check.opens(&asked.mark.unwrap()), "{why}: what was on record when it was asked opens");
        nothing_can_run(&stage, why).await;
        // Once more, and in every other way: it is over.
        for again in ["approve", "refuse"] {
            let body = json!({ "person": "maria", "reason": "again" });
            assert_eq!(
                stage.served.post(&format!("/approvals/{id}/{again}"), body).await.status,
                409,
                "{why}"
            );
        }
        let findings = stage.served.get("/findings?kind=check-approved").await.ok();
        let found = findings["items"].as_array().unwrap();
        assert_eq!(found.len(), usize::from(outcome == CheckOutcome::Approved), "{why}: {findings:#}");
        let quality = stage.served.get("/approvals/quality").await.ok();
        assert_eq!(quality["checks"][outcome.as_str()], 1, "{why}: {quality:#}");
        assert_eq!(quality["all"]["asked"], 0, "{why}: a check is no real one");
    }
}

/// No approval and no envelope from which a call could run.
async fn nothing_can_run(stage: &Stage, why: &str) {
    stage.served.plane.replica.catch_up().await.unwrap();
    let view = stage.served.plane.replica.latest();
    assert!(view.directory.envelopes.is_empty(), "{why}");
    let granted = |row: &&Arc<Approval>| matches!(row.status, ApprovalStatus::Granted { .. });
    assert_eq!(view.directory.approvals.values().filter(granted).count(), 0, "{why}");
    let records = stage.served.plane.store.tail(provost_domain::Seq(0), 10_000).await.unwrap();
    for record in records {
        if let Some(Object::Approval(row)) = record.after {
            let ever = matches!(row.status, ApprovalStatus::Granted { .. } | ApprovalStatus::Used { .. });
            assert!(!ever, "{why}: it was granted for a moment: {row:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_yes_of_two_ends_it_too_and_a_hundred_answers_at_once_grant_nothing() {
    let stage = Stage::set().await;
    let id = held(&stage.served, &stage.task, pay("Harwick Media BV", 99.5), Some(Flaw::Payment)).await;
    let mut answers = tokio::task::JoinSet::new();
    for n in 0..24 {
        let (client, at, token) =
            (stage.served.client.clone(), stage.served.address, stage.served.token.clone());
        let (id, action) = (id.clone(), row(&stage.served, &id).await.action.to_string());
        answers.spawn(async move {
            let (path, body) = match n % 4 {
                0 => (format!("{id}/approve"), json!({ "person": "maria" })),
                1 => (format!("{id}/edit"), json!({ "person": "maria", "args": pay("ACME", f64::from(n)) })),
                2 => (
                    format!("{id}/envelope"),
                    json!({ "person": "maria", "reason": "x", "count": 3, "lasts": "1h" }),
                ),
                _ => (
                    "answers".to_owned(),
                    json!({ "person": "maria", "yes": true, "these": [{ "id": id, "action": action }] }),
                ),
            };
            let url = format!("http://{at}/api/v1/approvals/{path}");
            client.post(url).bearer_auth(token).json(&body).send().await.unwrap().status().as_u16()
        });
    }
    let settled = housekeeping::once(&stage.served.plane).await;
    let statuses = answers.join_all().await;
    assert!(settled.is_ok() && statuses.iter().all(|status| *status < 500), "{statuses:?}");
    let over = row(&stage.served, &id).await;
    assert!(over.is_over() && over.check.is_some() && over.votes.len() <= 1, "{over:?}");
    nothing_can_run(&stage, "many at once").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_nobody_answers_ends_by_itself_and_is_told() {
    let stage = Stage::set().await;
    let expired = held(&stage.served, &stage.task, pay("Harwick Media BV", 99.5), Some(Flaw::Payment)).await;
    let later = common::later(&stage.served, DurationMs::from_mins(61)).await;
    housekeeping::once(&later).await.unwrap();
    let over = row(&stage.served, &expired).await;
    assert_eq!(over.check.as_ref().unwrap().outcome, CheckOutcome::Unanswered);
    assert!(matches!(over.status, ApprovalStatus::Expired { .. } | ApprovalStatus::Withdrawn { .. }));
    nothing_can_run(&stage, "nobody answered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_is_told_on_the_page_and_whoever_looks_at_the_decision_learns_that_no_agent_asked() {
    let stage = Stage::set().await;
    let maria = stage.signed_in("maria", &[Role::Viewer]).await;
    for (payee, answer, told) in [
        ("Harwick Media BV", "no", "refused, as it should be"),
        ("Oakfield Media BV", "yes", "somebody said yes"),
    ] {
        let id = held(&stage.served, &stage.task, pay(payee, 99.5), Some(Flaw::Payment)).await;
        let asked = row(&stage.served, &id).await;
        let form = format!("answer={answer}&action={}&reason=x", asked.action);
        let (status, page) = post(&stage, &maria, &format!("/approvals/{id}/answer"), &form).await;
        assert_eq!(status, 200, "{page}");
        assert!(page.contains(told) && page.contains("never asked to pay before"), "{page}");
        let decision = maria.get(&format!("/console/decisions/{}", asked.decision)).await.body;
        assert!(decision.contains("no agent made this call"), "{decision}");
        let shown = stage.served.get(&format!("/decisions/{}", asked.decision)).await.ok();
        assert_eq!(shown["check"], json!(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_real_answer_draws_one_check_some_time_later_and_nobody_is_shown_a_second_one_that_day() {
    let stage = Stage::set().await;
    let mut organisation =
        stage.served.plane.replica.latest().directory.organisation.as_deref().unwrap().clone();
    organisation.approvals.checks = Some(1);
    organisation.approvals.wait = DurationMs::from_mins(24 * 60);
    put(&stage.served, Object::Organisation(organisation)).await;
    let mut task =
        stage.served.plane.replica.latest().directory.tasks.values().next().unwrap().as_ref().clone();
    task.expires = task.started.plus(DurationMs::from_mins(24 * 60));
    put(&stage.served, Object::Task(task)).await;
    for amount in [12.5, 14.5] {
        let id = held(&stage.served, &stage.task, pay("ACME", amount), None).await;
        let yes = json!({ "person": "maria", "sure": true });
        stage.served.post(&format!("/approvals/{id}/approve"), yes).await.ok();
    }
    let put_up = async |minutes: u64| {
        let later = common::later(&stage.served, DurationMs::from_mins(minutes)).await;
        later.checks.ask_through(Arc::new(Through(Arc::clone(&later), pipeline(&later))));
        check::once(&later).await.unwrap()
    };
    assert_eq!(put_up(2).await, 0, "not at once");
    assert_eq!(put_up(100).await, 1, "one for the day, whoever drew it");
    assert_eq!(put_up(101).await, 0);
    stage.served.plane.replica.catch_up().await.unwrap();
    let view = stage.served.plane.replica.latest();
    let waiting: Vec<_> =
        view.directory.approvals.values().filter(|row| row.status == ApprovalStatus::Waiting).collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(marks(&stage.served.plane).known(waiting[0]).unwrap().0, Flaw::Payment);
    assert_ne!(waiting[0].args["payee"], "ACME");
    assert!(waiting[0].args["amount"].as_f64().unwrap() >= 29.0, "{:?}", waiting[0].args);

    // Where the organisation did not ask for them, there are none.
    let mut organisation = view.directory.organisation.as_deref().unwrap().clone();
    organisation.approvals.checks = None;
    put(&stage.served, Object::Organisation(organisation)).await;
    let id = held(&stage.served, &stage.task, pay("ACME", 16.5), None).await;
    stage
        .served
        .post(&format!("/approvals/{id}/approve"), json!({ "person": "maria", "sure": true }))
        .await
        .ok();
    assert_eq!(put_up(100).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_answer_learns_nothing_from_trying() {
    let stage = Stage::set().await;
    let real = held(&stage.served, &stage.task, pay("ACME", 12.5), None).await;
    let planted = held(&stage.served, &stage.task, pay("Harwick Media BV", 99.5), Some(Flaw::Payment)).await;
    for (path, body) in [
        ("/approvals/ID/approve", json!({ "person": "jonas" })),
        ("/approvals/ID/refuse", json!({ "person": "jonas", "reason": "x" })),
        ("/approvals/ID/approve", json!({ "person": "maria", "action": "sha256:00" })),
        ("/approvals/ID/approve", json!({})),
        ("/approvals/ID/edit", json!({ "person": "jonas", "args": pay("ACME", 1.5) })),
        ("/approvals/ID/edit", json!({ "person": "maria", "args": pay("ACME", 999.5) })),
        ("/approvals/ID/envelope", json!({ "person": "jonas", "reason": "x", "count": 1, "lasts": "1h" })),
        ("/approvals/ID/envelope", json!({ "person": "maria", "reason": "x", "count": 0, "lasts": "1h" })),
    ] {
        let of = async |id: &str| {
            let said = stage.served.post(&path.replace("ID", id), body.clone()).await;
            let text = said.body.to_string().replace(id, "ID");
            (said.status, text.split("\"request").next().unwrap().to_owned())
        };
        let (a, b) = (of(&real).await, of(&planted).await);
        assert!(a.0 >= 400, "{path} {body}: {a:?}");
        assert_eq!(a, b, "{path} {body}");
    }
    assert!(row(&stage.served, &planted).await.check.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn housekeeping_as_the_plane_may_raise_findings_and_a_person_sees_no_more_of_others_than_they_may() {
    let stage = Stage::set().await;
    let id = held(&stage.served, &stage.task, pay("Harwick Media BV", 99.5), Some(Flaw::Payment)).await;
    stage.served.post(&format!("/approvals/{id}/approve"), json!({ "person": "maria" })).await.ok();
    let see = async |person: &str, roles: &[Role]| {
        let op = Op {
            subject: Operator::Person(name(person), roles.iter().copied().collect()),
            request_id: "test".to_owned(),
            plane: Arc::clone(&stage.served.plane),
        };
        provost_control::quality::show(&op, Default::default()).await.unwrap()
    };
    let operator = see("jonas", &[Role::Operator]).await;
    assert_eq!((operator.people[0].checks_approved, operator.checks.unwrap().approved), (1, 1));
    let herself = see("maria", &[]).await;
    assert_eq!((herself.people.len(), herself.people[0].checks_approved, herself.checks), (1, 1, None));
    let viewer = see("jonas", &[Role::Viewer]).await;
    assert!(viewer.people.is_empty() && viewer.checks.is_none());
}
