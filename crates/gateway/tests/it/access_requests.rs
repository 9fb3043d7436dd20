//! Access requests over a real socket (AuthZEN Access Request and Approval Profile, draft 1), rule by rule.

use crate::{
    approvals::row,
    authzen::CALLBACK,
    desk::{Desk, Told},
};
use provost_domain::{
    Approval, Clock as _, DecisionId, DurationMs, Object, Timestamp, approval::ApprovalStatus,
    policy_file::PolicyFile,
};
use provost_lifecycle::approval as life;
use provost_store::{Intent, SystemClock};
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_asked_about_answered_by_a_person_and_good_for_one_evaluation() {
    let desk = Desk::open().await;
    let asked = desk.submit("gateway", None, &desk.submission(100).await).await;
    let task = &asked.body["task"];
    assert_eq!((asked.status, &task["status"]), (202, &json!("pending")), "{}", asked.body);
    assert_eq!(asked.headers["location"].to_str().unwrap(), task["status_endpoint"].as_str().unwrap());
    let seconds = asked.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
    assert!(seconds > 0 && asked.body.get("result").is_none());
    let id = asked.id();
    assert!(id.starts_with("request_") && id.len() == "request_".len() + 32, "opaque and unguessable: {id}");
    let progress = json!({"current_step": 1, "total_steps": 1, "step_name": "owner", "awaiting": ["owner"]});
    assert_eq!(task["progress"], progress);
    assert!(
        task["links"]["cancel"].as_str().unwrap().ends_with("/cancel")
            && task["display"]["title"].is_string()
    );
    let approval = desk.vote(100, true).await;
    assert_eq!(task["links"]["review"], json!(format!("{}/approvals/{approval}", desk.pdp.plane.url)));

    let told = desk.get("gateway-again", &id).await;
    assert_eq!(
        (told.status, &told.body["task"]["status"]),
        (200, &json!("approved")),
        "another instance of it"
    );
    assert!(told.headers.get("retry-after").is_none() && told.body["task"]["links"].get("cancel").is_none());
    assert_eq!(told.body["result"]["mode"], "reevaluate");
    let good = told.body["result"]["approval"].clone();
    assert!(good["approved_at"].is_string() && good["approved_until"].is_string(), "{good}");
    assert_ne!(good["id"], json!(approval), "the plane's own name of it is nobody's grant");

    assert_eq!(
        desk.evaluate("gateway", &desk.question(100)).await["decision"],
        false,
        "a question uses nothing"
    );
    let used = desk.again("gateway", 100, &good).await;
    assert_eq!(
        (&used["decision"], &used["context"]["approval"]["id"]),
        (&json!(true), &good["id"]),
        "{used}"
    );
    assert_eq!(used["context"]["approval"]["approved_until"], good["approved_until"]);
    let over = desk.again("gateway", 100, &good).await;
    assert_eq!(
        (&over["decision"], &over["context"]["reason"], &over["context"]["next_action"]),
        (&json!(false), &json!("approval_expired"), &json!("request")),
        "once: {over}"
    );
    assert!(over["context"]["access_request"].is_object(), "a fresh one to ask about");
    assert_eq!(
        desk.get("gateway", &id).await.body["task"]["status"],
        "approved",
        "what was agreed stays agreed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_is_not_bound_to_a_fresh_denial_of_exactly_this_is_refused() {
    let desk = Desk::open().await;
    let good = desk.submission(100).await;
    let with = |path: &str, value: Value| {
        let mut body = good.clone();
        let (parent, key) = path.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key] = value;
        body
    };
    let without = |path: &str| {
        let mut body = good.clone();
        let (parent, key) = path.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
        body
    };
    let denied = desk.evaluate("gateway", &desk.question(9_400)).await["context"].clone();
    let mut of_denied = desk.question(9_400);
    of_denied["denial"] =
        json!({"evaluation_id": denied["evaluation_id"], "expires_at": good["denial"]["expires_at"]});
    // The same denial, made a quarter of an hour ago.
    let id: DecisionId = good["denial"]["evaluation_id"].as_str().unwrap().parse().unwrap();
    let store = &desk.pdp.plane.store;
    let mut old = store.decision(id).await.unwrap().unwrap().decision;
    old.at = SystemClock.now().minus(DurationMs::from_mins(16));
    old.id = DecisionId::new(old.at, [9; 10]);
    let (old_id, expires) = (old.id.to_string(), old.at.plus(DurationMs::from_mins(15)));
    store.record(Intent { decision: Arc::new(old), expects: None, charges: vec![] }).await.unwrap();
    let mut late = good.clone();
    let expires = jiff::Timestamp::from_millisecond(expires.as_millis()).unwrap().to_string();
    late["denial"] = json!({"evaluation_id": old_id, "expires_at": expires});
    let elsewhere = json!({"type": "system", "id": "bank", "properties": {}});

    let cases: Vec<(&str, Value, u16, &str)> = vec![
        ("no denial", without("/denial"), 400, "invalid_denial_binding"),
        ("nothing that names it", without("/denial/evaluation_id"), 400, "invalid_denial_binding"),
        (
            "a token of ours, which there are none of",
            with("/denial/evaluation_id", json!("eyJ")),
            400,
            "invalid_denial_binding",
        ),
        (
            "a denial nobody knows",
            with("/denial/evaluation_id", json!(DecisionId::new(Timestamp::from_millis(1), [1; 10]))),
            400,
            "invalid_denial_binding",
        ),
        ("no end", without("/denial/expires_at"), 400, "invalid_denial_binding"),
        (
            "another end",
            with("/denial/expires_at", json!("2099-01-01T00:00:00Z")),
            400,
            "invalid_denial_binding",
        ),
        (
            "another amount",
            with("/action/properties/arguments/amount", json!(101)),
            400,
            "invalid_denial_binding",
        ),
        ("another tool", with("/action/name", json!("send_message")), 400, "invalid_denial_binding"),
        ("too old", late, 410, "expired_denial"),
        ("a plain denial", of_denied, 400, "not_requestable"),
        ("an application's subject", with("/subject/type", json!("user")), 400, "not_requestable"),
        (
            "another definition of the tool",
            with("/context/definition", json!("sha256:00")),
            400,
            "not_requestable",
        ),
        (
            "a callback",
            with("/callback", json!({"endpoint": "https://127.0.0.1/x"})),
            400,
            "urn:provost:problem:callback-unregistered",
        ),
        (
            "an actor nothing shows",
            with("/client", json!({"actor": {"id": "mallory"}})),
            403,
            "urn:provost:problem:actor-unverified",
        ),
        (
            "an actor of elsewhere",
            with("/client", json!({"actor": {"id": "gateway", "issuer": "https://elsewhere"}})),
            403,
            "urn:provost:problem:actor-unverified",
        ),
        (
            "a chain that ends in nobody",
            with(
                "/client",
                json!({"actor": {"id": "gateway", "act": {"sub": "invoice-clerk", "act": {"sub": "eve"}}}}),
            ),
            403,
            "urn:provost:problem:actor-unverified",
        ),
    ];
    for (what, body, status, problem) in cases {
        let told = desk.submit("gateway", None, &body).await;
        assert_eq!((told.status, told.problem()), (status, problem), "{what}: {}", told.body);
    }
    let texts: Vec<(Value, &str)> = vec![
        (without("/subject"), "subject"),
        (without("/resource"), "resource"),
        (with("/requested_access", json!([])), "requested_access"),
        (with("/requested_access", json!({"requested_until": "tomorrow"})), "requested_until"),
        (with("/requested_access", json!({"requested_until": "2001-01-01T00:00:00Z"})), "has passed"),
        (with("/items", json!([])), "left out"),
    ];
    for (body, names) in texts {
        let told = desk.submit("gateway", None, &body).await;
        assert!(
            told.status == 400 && told.body.as_str().is_some_and(|text| text.contains(names)),
            "{names}: {}",
            told.body
        );
    }
    assert!(
        desk.pdp.plane.replica.latest().directory.approvals.is_empty(),
        "nobody was asked about any of it"
    );
    // Resource properties authorise nothing here, and say nothing.
    assert_eq!(desk.submit("gateway", None, &with("/resource", elsewhere)).await.status, 202);
    let chain = json!({"actor": {"id": "gateway", "type": "service", "act": {"sub": "invoice-clerk", "sub_profile": "ai_agent", "act": {"sub": "maria"}}}});
    assert_eq!(desk.submit("gateway", None, &with("/client", chain)).await.status, 202, "who does act");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_submission_is_the_same_task_and_another_one_under_its_key_is_refused() {
    let desk = Desk::open().await;
    let body = desk.submission(100).await;
    let sent = (0..8).map(|_| desk.submit("gateway", Some("k-1"), &body));
    let ids: Vec<String> = futures::future::join_all(sent).await.iter().map(Told::id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let shuffled: Value = serde_json::from_str(&body.to_string()).unwrap();
    assert_eq!(desk.submit("gateway-again", Some("k-1"), &shuffled).await.id(), ids[0]);
    let mut other = body.clone();
    other["requested_access"] = json!({"emergency": true});
    let refused = desk.submit("gateway", Some("k-1"), &other).await;
    assert_eq!((refused.status, refused.problem()), (409, "duplicate_request"));
    assert_ne!(desk.submit("gateway", Some("k-2"), &body).await.id(), ids[0], "another key");
    assert_ne!(desk.submit("other-gateway", Some("k-1"), &other).await.id(), ids[0], "another caller's key");
    let plain =
        [desk.submit("gateway", None, &body).await.id(), desk.submit("gateway", None, &body).await.id()];
    assert_eq!(plain[0], plain[1], "without a key, what it says is its key");
    for bad in ["", &"k".repeat(256)] {
        assert_eq!(desk.submit("gateway", Some(bad), &body).await.status, 400);
    }
    assert_eq!(desk.pdp.plane.replica.latest().directory.approvals.len(), 1, "people were asked once");
    // Long after the denial has expired, a late retry finds its task: the key is looked at before the denial.
    let mut late = body.clone();
    late["denial"]["expires_at"] = json!("2001-01-01T00:00:00Z");
    assert_eq!(desk.submit("gateway", Some("k-1"), &late).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_is_worth_nothing_to_anybody_else() {
    let desk = Desk::open().await;
    let id = desk.submit("gateway", None, &desk.submission(100).await).await.id();
    for (token, path, status) in [
        ("other-gateway", id.as_str(), 404),
        ("gateway", "request_00000000000000000000000000000000", 404),
        ("gateway", "approval_0", 404),
        ("records-app", id.as_str(), 401),
        ("nobody", id.as_str(), 401),
        ("administrator", id.as_str(), 200),
    ] {
        assert_eq!(desk.get(token, path).await.status, status, "{token} {path}");
        let cancel = format!("/access/v1/requests/{path}/cancel");
        if status != 200 {
            assert_eq!(desk.send(token, "POST", &cancel, None, None).await.status, status, "{token} {path}");
        }
    }
    assert_eq!(desk.get("gateway", "request_0").await.problem(), "unknown_task");
    desk.vote(100, true).await;
    let good = desk.get("gateway", &id).await.body["result"]["approval"].clone();
    let with = |key: &str, value: Value| {
        let mut approval = good.clone();
        approval[key] = value;
        approval
    };
    let flawed = [
        ("other-gateway", good.clone()),
        ("administrator", good.clone()),
        ("gateway", with("id", json!(desk.approval(100)))),
        ("gateway", with("id", json!("grant_00000000000000000000000000000000_0"))),
        ("gateway", with("id", json!(good["id"].as_str().unwrap().replace("_0", "_1")))),
        ("gateway", with("approved_until", json!("2099-01-01T00:00:00Z"))),
        ("gateway", with("state", json!("mine"))),
        ("gateway", json!("approved")),
        ("gateway", json!({})),
    ];
    for (token, approval) in flawed {
        let said = desk.again(token, 100, &approval).await;
        let context = &said["context"];
        assert_eq!(
            (&said["decision"], &context["reason"], &context["next_action"], context.get("access_request")),
            (&json!(false), &json!("approval_unverifiable"), &json!("none"), None),
            "{token} {approval}: {said}"
        );
    }
    assert_eq!(
        desk.again("gateway", 100, &good).await["decision"],
        true,
        "and it is still good for whose it is"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_evaluation_says_what_to_do_next() {
    type Then = (&'static str, &'static str);
    let cases: [(&str, Then); 9] = [
        ("still waiting", ("grant_pending", "retry")),
        ("another amount", ("out_of_scope", "request")),
        ("time is over", ("approval_expired", "request")),
        ("asked for until then", ("approval_expired", "request")),
        ("taken back", ("approval_expired", "request")),
        ("another charter", ("approval_expired", "request")),
        ("who agreed has left", ("approval_expired", "request")),
        ("refused", ("policy_denied", "none")),
        ("a policy closed it", ("policy_denied", "none")),
    ];
    for (what, (reason, next)) in cases {
        let desk = Desk::open().await;
        let plane = &desk.pdp.plane;
        if what == "who agreed has left" {
            desk.with_ben().await;
        }
        let mut body = desk.submission(100).await;
        let soon = SystemClock.now().plus(DurationMs(400));
        if what == "asked for until then" {
            let soon = jiff::Timestamp::from_millisecond(soon.as_millis()).unwrap().to_string();
            body["requested_access"] = json!({"requested_until": soon});
        }
        let id = desk.submit("gateway", None, &body).await.id();
        if what != "still waiting" {
            let who = if what == "who agreed has left" { "ben" } else { "maria" };
            desk.vote_by(who, 100, what != "refused").await;
        }
        let told = desk.get("gateway", &id).await.body;
        let fallback = json!({"id": id.replace("request_", "grant_") + "_0"});
        let good = told["result"].get("approval").cloned().unwrap_or(fallback);
        let approval = row(plane, &life_id(&desk).await).await.1.id;
        let past = SystemClock.now().minus(DurationMs(1));
        match what {
            "time is over" => {
                let status = ApprovalStatus::Granted { at: past, until: past };
                desk.put(&approval, |row| Approval { status, ..row }).await;
            }
            "asked for until then" => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
            "taken back" => desk.put(&approval, |row| life::withdraw(&row, "no", past).unwrap()).await,
            "another charter" => {
                let mut agent = plane.agent();
                agent.revision += 1;
                plane.change(Object::Agent(agent), 1).await;
            }
            "who agreed has left" => {
                let gone = provost_domain::Person { active: false, ..crate::plane::person("ben") };
                plane.change(Object::Person(gone), 1).await;
            }
            "a policy closed it" => {
                let text = "@id(\"acme/never\") @reason(\"payments are closed\")\n\
                            forbid (principal, action in Action::\"financial\", resource);";
                let name = "never".parse().unwrap();
                plane.change(Object::Policy(PolicyFile { name, text: text.into() }), 0).await;
            }
            _ => {}
        }
        let good = match what {
            // Its end was moved by hand; what the caller was told moves with it.
            "time is over" => json!({"id": good["id"]}),
            _ => good,
        };
        let said = desk.again("gateway", if what == "another amount" { 101 } else { 100 }, &good).await;
        let context = &said["context"];
        assert_eq!(
            (&said["decision"], &context["reason"], &context["next_action"]),
            (&json!(false), &json!(reason), &json!(next)),
            "{what}: {said}"
        );
        assert_eq!(context.get("access_request").is_some(), next == "request", "{what}: {said}");
        assert_eq!(context.get("retry_after").is_some(), next == "retry", "{what}: {said}");
    }
}

/// The one approval of the desk, waiting or over.
async fn life_id(desk: &Desk) -> String {
    let store = &desk.pdp.plane.store;
    let records = store.tail(provost_domain::Seq(0), 1_000).await.unwrap();
    let found = records.into_iter().rev().find_map(|record| match record.after {
        Some(Object::Approval(row)) => Some(row.id),
        _ => None,
    });
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_taken_back_while_it_waits_and_not_afterwards() {
    let desk = Desk::open().await;
    let id = desk.submit("gateway", None, &desk.submission(100).await).await.id();
    let get = format!("/access/v1/requests/{id}/cancel");
    assert_eq!(desk.send("gateway", "GET", &get, None, None).await.status, 405);
    assert_eq!(desk.cancel(&id, Some(&json!([]))).await.status, 400);
    let approval = desk.approval(100);
    let body = json!({"reason": "not_needed", "comment": "the invoice\u{7} was wrong"});
    let told = desk.cancel(&id, Some(&body)).await;
    assert_eq!((told.status, &told.body["task"]["status"]), (200, &json!("cancelled")), "{}", told.body);
    let why = format!("{:?}", row(&desk.pdp.plane, &approval).await.1.status);
    assert!(why.contains("not_needed; the invoice was wrong"), "{why}");
    let again = desk.cancel(&id, None).await;
    assert_eq!((again.status, again.problem()), (409, "invalid_task_state"));
    for yes in [true, false] {
        let amount = 200 + u32::from(yes);
        let id = desk.submit("gateway", None, &desk.submission(amount).await).await.id();
        desk.vote(amount, yes).await;
        let told = desk.cancel(&id, None).await;
        assert_eq!((told.status, told.problem()), (409, "invalid_task_state"), "answered already: {yes}");
        let status = if yes { "approved" } else { "denied" };
        assert_eq!(desk.get("gateway", &id).await.body["task"]["status"], json!(status));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_items_are_one_task_each_with_its_own_end() {
    let desk = Desk::open().await;
    let mut items = Vec::new();
    for amount in [100, 101, 102] {
        let (action, denial) = (desk.action(amount), desk.denial(amount).await);
        items.push(json!({"resource": {"type": "system", "id": "bank"}, "action": action, "denial": denial}));
    }
    let mut body = desk.question(100);
    for gone in ["resource", "action"] {
        body.as_object_mut().unwrap().remove(gone);
    }
    body["items"] = json!(items);
    let asked = desk.submit("gateway", Some("bundle"), &body).await;
    let task = &asked.body["task"];
    assert_eq!(
        (asked.status, &task["status"], &task["progress"]["total_steps"]),
        (202, &json!("pending"), &json!(3))
    );
    let echoed: Vec<&Value> = task["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
    assert_eq!(echoed, [&items[0]["action"], &items[1]["action"], &items[2]["action"]], "in order");
    let id = asked.id();
    desk.vote(100, true).await;
    desk.vote(101, false).await;
    assert_eq!(desk.get("gateway", &id).await.body["task"]["status"], "pending", "one still waits");
    let told = desk.cancel(&id, None).await;
    assert_eq!(told.body["task"]["status"], "partial", "{}", told.body);
    let statuses: Vec<&Value> =
        told.body["task"]["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, ["approved", "denied", "cancelled"]);
    assert!(told.body.get("result").is_none(), "no result for all of them");
    let good = told.body["task"]["items"][0]["result"]["approval"].clone();
    assert!(told.body["task"]["items"][1].get("result").is_none());
    assert_eq!(
        desk.again("gateway", 101, &good).await["context"]["reason"],
        "out_of_scope",
        "of another item"
    );
    assert_eq!(desk.again("gateway", 100, &good).await["decision"], true);

    // A bundle of which one item cannot be bound asks nobody about any.
    body["items"][0]["denial"] = items[1]["denial"].clone();
    body["items"][1]["action"] = desk.action(103);
    let told = desk.submit("gateway", Some("another"), &body).await;
    assert_eq!((told.status, told.problem()), (400, "invalid_denial_binding"));
    body["items"] = json!(vec![items[0].clone(); 17]);
    assert_eq!(desk.submit("gateway", None, &body).await.status, 400, "approvals_per_task_max");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_already_is_told_at_once_and_silence_is_an_end_too() {
    let desk = Desk::open().await;
    let first = desk.submit("gateway", None, &desk.submission(100).await).await.id();
    desk.vote(100, true).await;
    let mut body = desk.submission(100).await;
    let until = "2099-01-01T00:00:00Z";
    body["requested_access"] = json!({"requested_until": until, "emergency": true});
    body["context"]["business_justification"] = json!("audit tomorrow");
    body["client"] = json!({"name": "Payments gateway", "source": {"session_id": "s-1"}});
    let second = desk.submit("gateway", None, &body).await;
    assert_eq!((second.status, &second.body["task"]["status"]), (201, &json!("approved")), "{}", second.body);
    assert_ne!(second.id(), first);
    assert_ne!(
        second.body["result"]["approval"]["approved_until"], until,
        "as long as the plane gives, not as asked"
    );

    body = desk.submission(102).await;
    body["context"]["business_justification"] = json!("audit tomorrow");
    let third = desk.submit("gateway", None, &body).await.id();
    let approval = desk.approval(102);
    let history =
        desk.pdp.plane.store.history(&provost_domain::ObjectKey::approval(&approval), 9).await.unwrap();
    let why = &history[0].by.why;
    assert!(why.contains("workload gateway asks for it; business justification: audit tomorrow"), "{why}");
    desk.put(&approval, |row| Approval { expires: SystemClock.now(), ..row }).await;
    assert_eq!(desk.get("gateway", &third).await.body["task"]["status"], "expired");
    let told = desk.cancel(&third, None).await;
    assert_eq!((told.status, told.problem()), (409, "invalid_task_state"));
}

#[tokio::test(flavor = "multi_thread")]
async fn word_of_the_end_is_owed_where_the_callers_row_says_and_nowhere_else() {
    let desk = Desk::open().await;
    let mut body = desk.submission(100).await;
    let with = |callback: Value| {
        let mut body = body.clone();
        body["callback"] = callback;
        body
    };
    let refused = [
        (
            "somewhere else",
            json!({"endpoint": "https://evil.example/x"}),
            "urn:provost:problem:callback-unregistered",
        ),
        (
            "almost there",
            json!({"endpoint": format!("{CALLBACK}/")}),
            "urn:provost:problem:callback-unregistered",
        ),
        (
            "inside",
            json!({"endpoint": "http://169.254.169.254/"}),
            "urn:provost:problem:callback-unregistered",
        ),
    ];
    for (what, callback, problem) in refused {
        let told = desk.submit("gateway", None, &with(callback)).await;
        assert_eq!((told.status, told.problem()), (400, problem), "{what}");
    }
    let there = json!({"endpoint": CALLBACK});
    let told = desk.submit("administrator", None, &with(there)).await;
    assert_eq!(
        told.problem(),
        "urn:provost:problem:callback-unregistered",
        "nobody has a row for the administrator"
    );
    for (what, callback) in [
        ("no address", json!({"state": "x"})),
        ("no object", json!("https://pep.example.com/callbacks")),
        ("a state that is no text", json!({"endpoint": CALLBACK, "state": 1})),
        ("a long state", json!({"endpoint": CALLBACK, "state": "x".repeat(1_025)})),
        ("an event nobody knows", json!({"endpoint": CALLBACK, "events": ["approved", "paid"]})),
        ("no events", json!({"endpoint": CALLBACK, "events": "approved"})),
    ] {
        assert_eq!(desk.submit("gateway", None, &with(callback)).await.status, 400, "{what}");
    }
    desk.pdp.plane.replica.catch_up().await.unwrap();
    assert!(desk.pdp.plane.replica.latest().directory.deliveries.is_empty(), "nothing is owed");
    assert!(desk.pdp.plane.replica.latest().directory.approvals.is_empty(), "and nobody was asked");

    body["callback"] = json!({"endpoint": CALLBACK, "state": "session 7", "events": ["approved", "denied"]});
    let told = desk.submit("gateway", Some("one"), &body).await;
    assert_eq!(told.status, 202, "{}", told.body);
    assert_eq!(desk.submit("gateway", Some("one"), &body).await.id(), told.id());
    desk.pdp.plane.replica.catch_up().await.unwrap();
    let directory = desk.pdp.plane.replica.latest().directory.clone();
    let rows: Vec<_> = directory.deliveries.values().collect();
    assert_eq!(rows.len(), 1, "however often it is submitted");
    let owed = provost_domain::callback::Owed::of(rows[0]).unwrap();
    assert_eq!((&owed.task, owed.state.as_deref()), (&told.id(), Some("session 7")));
    assert_eq!((owed.endpoint.as_str(), &owed.approvals), (CALLBACK, &vec![desk.approval(100)]));
    assert_eq!(json!(owed.status_endpoint), told.body["task"]["status_endpoint"]);
    assert!(rows[0].next().unwrap() > directory.approvals[&desk.approval(100)].expires, "not before its end");
}
