//! The kill switch over HTTP: order, what it ends, what it tells, and the two persons' way back.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;

use common::{Served, serve};
use provost_control::{Op, Operator, access::Action, containment::clean};
use provost_domain::{Name, Role};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

async fn kill(served: &Served, scope: Value) -> Value {
    let mut order = json!({"reason": "a key leaked", "person": "maria"});
    order.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
    served.post("/containments", order).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_what_it_hits_and_binds_when_it_answers() {
    let served = serve().await;
    served.apply().await;
    let _task = served.task().await;
    let dry = served.post("/containments/dry-run", json!({"agent": "clerk"})).await.ok();
    assert_eq!((dry["agents"].as_u64(), dry["tasks"].as_u64()), (Some(1), Some(1)), "{dry}");
    assert_eq!(dry["names"], json!(["clerk"]));
    assert!(served.plane.replica.latest().directory.containments.is_empty(), "a look stops nothing");
    let order = kill(&served, json!({"agent": "clerk"})).await;
    assert_eq!(
        (&order["status"], &order["level"], &order["by"]),
        (&json!("in-force"), &json!("off"), &json!("maria"))
    );
    let view = served.plane.replica.latest();
    let clerk = view.directory.agents.get("clerk".parse::<Name>().as_ref().unwrap()).unwrap();
    assert!(view.directory.order_off(clerk).is_some());
    let again = kill(&served, json!({"agent": "clerk"})).await;
    assert_eq!(again["id"], order["id"], "the same order is not given twice");
    let listed = served.get("/containments").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_a_contained_agent_has_ends_in_the_background_and_it_gets_nothing_new() {
    let served = serve().await;
    served.apply().await;
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    let order = kill(&served, json!({"owner": "maria"})).await;
    let id = order["id"].as_str().unwrap();
    // Refused from the first moment, before anything was ended.
    let start = served.post("/tasks", json!({"agent": "clerk", "purpose": "more"})).await;
    assert!(start.status == 403 && start.body.to_string().contains(id), "{}", start.body);
    let token = served.post(&format!("/tasks/{task}/token"), json!({})).await;
    assert!(token.status == 403 && token.body.to_string().contains(id), "{}", token.body);
    let shown = served.get(&format!("/containments/{id}")).await.ok();
    assert_eq!((&shown["hits"]["tasks"], &shown["ended"]["tasks"]), (&json!(1), &json!(0)));
    assert_eq!(shown["proof"], "unknown", "nothing is claimed before it is known");
    assert_eq!(clean::once(&served.plane).await.unwrap(), 1);
    assert_eq!(clean::once(&served.plane).await.unwrap(), 0, "once is enough");
    let shown = served.get(&format!("/containments/{id}")).await.ok();
    assert_eq!((&shown["hits"]["tasks"], &shown["ended"]["tasks"]), (&json!(0), &json!(1)));
    assert!(shown["ended"]["done"].is_string(), "{shown}");
    assert_eq!(served.get(&format!("/tasks/{task}")).await.ok()["status"], "ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_node_left_of_the_work_another_does() {
    let served = serve().await;
    served.apply().await;
    for _ in 0..3 {
        served.task().await;
    }
    let order = kill(&served, json!({"agent": "clerk"})).await;
    // Nobody on this node did anything: a node that comes up later finds what is owed in the rows alone.
    let store = Arc::clone(&served.plane.store);
    let other = common::plane_over(store, served.data.path(), served.plane.issuer.clone()).await;
    assert_eq!(clean::once(&other).await.unwrap(), 3);
    served.plane.replica.catch_up().await.unwrap();
    assert_eq!(clean::once(&served.plane).await.unwrap(), 0);
    let shown = served.get(&format!("/containments/{}", order["id"].as_str().unwrap())).await.ok();
    assert_eq!(shown["ended"]["tasks"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_off_it_takes_two_and_from_less_it_takes_one() {
    let served = serve().await;
    served.apply().await;
    let order = kill(&served, json!({"agent": "clerk"})).await;
    let id = order["id"].as_str().unwrap();
    let lift = |person: Value| {
        let mut said = json!({"reason": "it was a false alarm"});
        said.as_object_mut().unwrap().extend(person.as_object().unwrap().clone());
        let path = format!("/containments/{id}/lift");
        let served = &served;
        async move { served.post(&path, said).await }
    };
    assert_eq!(lift(json!({})).await.status, 422, "two persons, and this is none");
    assert_eq!(lift(json!({"person": "nobody"})).await.status, 404);
    let asked = lift(json!({"person": "maria"})).await.ok();
    assert_eq!(asked["status"], "lift-asked");
    let again = lift(json!({"person": "maria"})).await;
    assert_eq!(again.status, 403, "{}", again.body);
    // Whoever holds the token of the machine could give both names, so it is never the second person.
    let token = lift(json!({"person": "jonas"})).await;
    let says = (token.body["detail"].as_str().unwrap(), token.body["do"].as_str().unwrap());
    assert!(token.status == 403 && says.0.contains("nobody's own"), "{}", token.body);
    assert!(says.1.contains(&format!("/console/containments/{id}")), "{}", token.body);
    let own = serde_json::from_value(json!({"reason": "it was a false alarm"})).unwrap();
    let jonas = common::signed_in(&served, "jonas");
    let lifted = provost_control::containment::lift(&jonas, id, own).await.unwrap();
    let lifted = serde_json::to_value(lifted).unwrap();
    assert_eq!(
        (&lifted["status"], &lifted["lift"]["asked"]),
        (&json!("lifted"), &json!("maria")),
        "{lifted}"
    );
    assert!(served.plane.replica.latest().directory.containments.is_empty());
    assert_eq!(
        served.get(&format!("/containments/{id}")).await.ok()["status"],
        "lifted",
        "it is found for ever"
    );
    assert_eq!(lift(json!({"person": "jonas"})).await.status, 409);
    let order = kill(&served, json!({"agent": "clerk", "level": "read-only"})).await;
    let path = format!("/containments/{}/lift", order["id"].as_str().unwrap());
    assert_eq!(served.post(&path, json!({"reason": "fine"})).await.ok()["status"], "lifted");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production_the_second_person_signs_what_they_start_again() {
    let served = serve().await;
    let mut files = common::files();
    let text = files[0]["text"].as_str().unwrap().replace("signed = \"never\"", "signed = \"production\"");
    files[0]["text"] = json!(text);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    let order = kill(&served, json!({"agent": "clerk"})).await;
    let id = order["id"].as_str().unwrap();
    let path = |deed: &str| format!("/containments/{id}/{deed}");
    let by = |person: &str| json!({ "person": person, "reason": "it was a false alarm" });
    let early = served.post(&path("statement"), by("jonas")).await;
    assert_eq!(early.status, 409, "nobody has asked for it yet: {}", early.body);
    // Asking takes nothing away from what is stopped, and no signature.
    let asked = served.post(&path("lift"), by("maria")).await.ok();
    let digest = asked["lift"]["digest"].as_str().unwrap().to_owned();
    let word = served.post(&path("lift"), by("jonas")).await;
    assert_eq!(word.status, 403, "{}", word.body);
    assert!(
        word.body["do"].as_str().unwrap().contains(&format!("/console/containments/{id}")),
        "{}",
        word.body
    );
    let without = served.post(&path("statement"), by("jonas")).await;
    assert!(without.status == 403 && without.body["detail"].as_str().unwrap().contains("no passkey"));
    common::device(&served, "jonas").await;
    common::device(&served, "maria").await;
    for (who, why) in [("maria", "than the one who asked")] {
        let own = served.post(&path("statement"), by(who)).await;
        assert!(own.status == 403 && own.body["detail"].as_str().unwrap().contains(why), "{}", own.body);
    }
    let ask = async |said: &Value| -> provost_api::passkey::StatementView {
        serde_json::from_value(served.post(&path("statement"), said.clone()).await.ok()).unwrap()
    };
    let with = |said: &Value, signed: provost_api::passkey::Signed| {
        let mut said = said.clone();
        said["signed"] = serde_json::to_value(signed).unwrap();
        said
    };
    // To other words, by another person, and once more than once: none of these counts.
    let statement = ask(&by("jonas")).await;
    assert_eq!(statement.statement["digest"], json!(digest), "what is signed is what was shown");
    assert_eq!(statement.statement["bound"]["asked_by"]["person"], "maria");
    let other = with(
        &json!({ "person": "jonas", "reason": "other words" }),
        common::signed(&served, "jonas", &statement).await,
    );
    assert_eq!(served.post(&path("lift"), other.clone()).await.status, 403);
    assert_eq!(served.post(&path("lift"), other).await.status, 403, "nor again");
    let statement = ask(&by("jonas")).await;
    let hers = with(&by("jonas"), common::signed(&served, "maria", &statement).await);
    assert_eq!(served.post(&path("lift"), hers).await.status, 404, "a passkey that is not his");
    assert_eq!(served.get(&format!("/containments/{id}")).await.ok()["status"], "lift-asked");

    let statement = ask(&by("jonas")).await;
    let his = with(&by("jonas"), common::signed(&served, "jonas", &statement).await);
    let lifted = served.post(&path("lift"), his).await.ok();
    assert_eq!((&lifted["status"], &lifted["lift"]["asked"]), (&json!("lifted"), &json!("maria")));
    let found = common::audit(&served).await;
    assert_eq!((found.signed, found.answers[0].kind.as_str(), found.answers[0].id.as_str()), (1, "lift", id));
    assert_eq!(found.answers[0].digest.to_string(), digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_names_nobody_or_nothing_is_refused_before_anything_happens() {
    let served = serve().await;
    served.apply().await;
    for (order, status) in [
        (json!({"reason": "r"}), 422),
        (json!({"agent": "clerk", "everything": true, "reason": "r"}), 422),
        (json!({"agent": "clerk"}), 422),
        (json!({"agent": "clrek", "reason": "r"}), 404),
        (json!({"owner": "nobody", "reason": "r"}), 404),
        (json!({"group": "nobody", "reason": "r"}), 404),
        (json!({"system": "banc", "reason": "r"}), 404),
        (json!({"system": "bank", "tool": "nothing", "reason": "r"}), 404),
        (json!({"tool": "transfer", "reason": "r"}), 422),
        (json!({"like": "", "reason": "r"}), 422),
        (json!({"agent": "clerk", "level": "half", "reason": "r"}), 422),
        (json!({"agent": "clerk", "level": "without", "reason": "r"}), 422),
        (json!({"agent": "clerk", "level": "off", "effects": ["read"], "reason": "r"}), 422),
        (json!({"agent": "clerk", "reason": "r", "unknown": 1}), 422),
    ] {
        let answer = served.post("/containments", order.clone()).await;
        assert_eq!(answer.status, status, "{order}: {}", answer.body);
    }
    assert!(served.plane.replica.latest().directory.containments.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_stops_their_own_agents_an_operator_anything_a_stranger_nothing() {
    let served = serve().await;
    served.apply().await;
    let op = |name: &str, role: Option<Role>| Op {
        subject: Operator::Person(name.parse().unwrap(), role.into_iter().collect::<BTreeSet<_>>()),
        request_id: "test".to_owned(),
        plane: Arc::clone(&served.plane),
    };
    let order = |scope: Value| -> provost_api::containment::ContainmentOrder {
        let mut order = json!({"reason": "r"});
        order.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
        serde_json::from_value(order).unwrap()
    };
    let owner =
        served.plane.replica.latest().directory.agents.values().next().unwrap().charter.owner.to_string();
    for (who, role, scope, may) in [
        (owner.as_str(), None, json!({"agent": "clerk"}), true),
        (owner.as_str(), None, json!({"owner": owner}), true),
        (owner.as_str(), None, json!({"everything": true}), false),
        (owner.as_str(), None, json!({"system": "bank"}), false),
        ("jonas", None, json!({"agent": "clerk"}), false),
        ("jonas", Some(Role::Viewer), json!({"agent": "clerk"}), false),
        ("jonas", Some(Role::Approver), json!({"agent": "clerk"}), false),
        ("jonas", Some(Role::Operator), json!({"everything": true}), true),
        ("jonas", Some(Role::Administrator), json!({"system": "bank"}), true),
    ] {
        let told = provost_control::containment::order(&op(who, role), order(scope.clone())).await;
        assert_eq!(told.is_ok(), may, "{who} {role:?} {scope}: {told:?}");
    }
    let agent = Op { subject: Operator::Agent("clerk".parse().unwrap()), ..op("jonas", None) };
    assert!(agent.authorize(Action::ContainmentOrder).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_left_nothing_is_left_more_by_two_persons_only() {
    let served = serve().await;
    served.apply().await;
    let level = async |level: &str, person: Option<&str>| {
        let said = json!({"level": level, "reason": "a test", "person": person});
        served.post("/agents/clerk/level", said).await
    };
    assert_eq!(level("off", None).await.ok()["level"], "off", "one can always stop");
    assert_eq!(level("normal", None).await.status, 422);
    let asked = level("normal", Some("maria")).await.ok();
    assert_eq!((&asked["level"], &asked["loosening"]["by"]), (&json!("off"), &json!("maria")), "{asked:#}");
    assert_eq!(level("normal", Some("maria")).await.status, 403);
    let token = level("normal", Some("jonas")).await;
    assert!(token.status == 403 && token.body.to_string().contains("nobody's own"), "{}", token.body);
    let own = serde_json::from_value(json!({"level": "normal", "reason": "a test"})).unwrap();
    let (jonas, clerk) = (common::signed_in(&served, "jonas"), "clerk".parse().unwrap());
    let left = provost_control::agent::restrict(&jonas, &clerk, &own).await.unwrap();
    assert!(left.summary.level == provost_domain::Level::Normal && left.loosening.is_none());
    assert_eq!(level("read-only", None).await.ok()["level"], "read-only");
    assert_eq!(level("normal", None).await.ok()["level"], "normal", "from less than off it takes one");
    // Stopping again takes the word back.
    level("off", None).await.ok();
    level("normal", Some("maria")).await.ok();
    assert_eq!(level("off", None).await.ok()["loosening"], Value::Null);
    assert_eq!(level("normal", Some("jonas")).await.ok()["level"], "off");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production_what_is_left_an_agent_after_nothing_is_an_order_whose_end_the_second_person_signs() {
    let served = serve().await;
    let mut files = common::files();
    let text = files[0]["text"].as_str().unwrap().replace("signed = \"never\"", "signed = \"production\"");
    files[0]["text"] = json!(text);
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    let level = async |level: &str, person: Option<&str>| {
        let said = json!({"level": level, "reason": "a test", "person": person});
        served.post("/agents/clerk/level", said).await.ok()
    };
    let acts = || {
        let directory = served.plane.replica.latest().directory.clone();
        directory.acts(&directory.agents[&"clerk".parse::<Name>().unwrap()])
    };
    level("off", None).await;
    let asked = level("read-only", Some("maria")).await;
    let order = asked["loosening"]["order"].as_str().unwrap().to_owned();
    assert_eq!((&asked["loosening"]["by"], acts()), (&json!("maria"), false), "{asked:#}");
    // Nobody's name is enough now, by whatever way, not even that of somebody who signed in.
    let own = || serde_json::from_value(json!({"level": "normal", "reason": "a test"})).unwrap();
    let (jonas, clerk) = (common::signed_in(&served, "jonas"), "clerk".parse().unwrap());
    provost_control::agent::restrict(&jonas, &clerk, &own()).await.unwrap();
    let lift = format!("/containments/{order}/lift");
    let by = json!({"person": "jonas", "reason": "it was a false alarm"});
    assert_eq!(served.post(&lift, by.clone()).await.status, 403);
    assert!(!acts(), "the order stands");
    common::device(&served, "jonas").await;
    let asked = served.post(&format!("/containments/{order}/statement"), by.clone()).await.ok();
    let asked = serde_json::from_value(asked).unwrap();
    let mut signed = by;
    signed["signed"] = json!(common::signed(&served, "jonas", &asked).await);
    assert_eq!(served.post(&lift, signed).await.ok()["status"], "lifted");
    assert!(acts());
    assert_eq!(common::audit(&served).await.signed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_were_lifted_are_listed_when_they_are_asked_for() {
    let served = serve().await;
    served.apply().await;
    let lifted = kill(&served, json!({"agent": "clerk", "level": "read-only"})).await;
    let lifted = lifted["id"].as_str().unwrap();
    served.post(&format!("/containments/{lifted}/lift"), json!({"reason": "over"})).await.ok();
    let stands = kill(&served, json!({"agent": "clerk", "level": "observe"})).await;
    let stands = stands["id"].as_str().unwrap();
    for (state, wanted) in [
        ("", vec![stands]),
        ("?state=in-force", vec![stands]),
        ("?state=lifted", vec![lifted]),
        ("?state=all", vec![stands, lifted]),
        ("?state=all&agent=clerk", vec![stands, lifted]),
    ] {
        let listed = served.get(&format!("/containments{state}")).await.ok();
        let ids: Vec<&str> =
            listed["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, wanted, "{state}");
    }
    assert_eq!(served.get("/containments?state=gone").await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_ended_more_than_is_tried_for_it_is_partial_and_says_how_much_more() {
    let served = serve().await;
    served.apply().await;
    let bank = common::BANK.replace("revocation_max", "only_through_plane = true\nrevocation_max");
    let files = json!([{"path": "systems/bank.toml", "text": bank}]);
    let apply = json!({"files": files, "reason": "the test begins", "break_glass": true, "person": "maria"});
    served.post("/apply", apply).await.ok();
    for _ in 0..103 {
        served.task().await;
    }
    let order = kill(&served, json!({"agent": "clerk"})).await;
    assert_eq!(clean::once(&served.plane).await.unwrap(), 103);
    // Whoever tries ended tasks says that every face refused each: here nobody listens, so it is written down.
    let rows = served.plane.store.tail(provost_domain::Seq(0), 10_000).await.unwrap();
    let ended = rows.into_iter().filter_map(|record| match record.after {
        Some(provost_domain::Object::Task(task)) if record.version == 2 => Some(task),
        _ => None,
    });
    let now = served.plane.now();
    let writes = ended.map(|task| {
        let probe = provost_domain::task::Probe {
            face: "/mcp".to_owned(),
            at: now,
            answer: provost_domain::task::ProbeAnswer::Refused,
            status: Some(401),
        };
        let trial = provost_domain::task::Trial { round: 1, probes: vec![probe] };
        provost_store::Write::Put {
            object: provost_domain::Object::Task(provost_domain::Task {
                trial: Some(Box::new(trial)),
                ..task
            }),
            expected: 2,
        }
    });
    let by = provost_store::Attribution { actor: "plane".to_owned(), why: "test".to_owned() };
    let set = provost_store::ChangeSet { by, at: now, writes: writes.collect() };
    served.plane.store.commit(set).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    provost_control::containment::prove::once(&served.plane).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    let shown = served.get(&format!("/containments/{}", order["id"].as_str().unwrap())).await.ok();
    let system = &shown["systems"][0];
    assert_eq!(system["proof"], "partial", "{system:#}");
    let because = system["because"].as_str().unwrap();
    assert!(because.contains("100 ended tasks; 3 more tasks were ended than are tried for it"), "{because}");
}
