#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! Findings: raised by the plane, seen by who may, answered by who answers for them; over the interface and in the console.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::Served;
use console::{Browser, Stage};
use provost_control::{Op, Operator, finding};
use provost_domain::{
    Finding, Name, Severity, Sighting,
    finding::{About, FindingState, Response},
    person::Role,
};
use reqwest::header;
use serde_json::json;
use std::sync::Arc;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

async fn raise(served: &Served, sighting: &Sighting) -> Option<Finding> {
    let op = Op { subject: Operator::Plane, request_id: "test".to_owned(), plane: Arc::clone(&served.plane) };
    finding::raise(&op, sighting).await.unwrap()
}

fn drift(key: &str, severity: Severity) -> Sighting {
    Sighting::new("drift", key, severity, format!("the clerk does {key}, which it never did"))
        .about(About::agent(&name("clerk")))
        .evidence(["decision_01m811nfv5ehxr4vemm5g0yzwv", "approval_12"])
}

/// A form, as a browser sends it from a page of this origin.
async fn post(stage: &Stage, browser: &Browser, path: &str, site: &str, form: &str) -> u16 {
    let request = stage.served.client.post(format!("{}{path}", stage.served.plane.issuer));
    let request = request
        .header(header::COOKIE, format!("provost={}", browser.secret))
        .header("sec-fetch-site", site)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_twice_is_one_finding_and_the_worst_come_first() {
    let stage = Stage::set().await;
    let low = raise(&stage.served, &drift("a", Severity::Low)).await.unwrap();
    assert_eq!(low.owner, Some(name("maria")), "who owns the agent answers for it");
    assert_eq!(
        raise(&stage.served, &drift("a", Severity::Low)).await,
        None,
        "within a minute it is the same"
    );
    let worse = raise(&stage.served, &drift("a", Severity::Medium)).await.unwrap();
    assert_eq!((worse.id.clone(), worse.count), (low.id, 2));
    raise(&stage.served, &drift("b", Severity::Critical)).await.unwrap();
    raise(&stage.served, &drift("c", Severity::Info).response(Response::Contain)).await.unwrap();
    let listed = stage.served.get("/findings?limit=2").await.ok();
    let severities = |listed: &serde_json::Value| -> Vec<String> {
        let items = listed["items"].as_array().unwrap().iter();
        items.map(|row| row["severity"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(severities(&listed), ["critical", "medium"]);
    let next = listed["next"].as_str().unwrap();
    let rest = stage.served.get(&format!("/findings?limit=2&cursor={next}")).await.ok();
    assert_eq!(severities(&rest), ["info"]);
    for (query, wanted) in [
        ("severity=high", 1),
        ("kind=drift", 3),
        ("kind=other", 0),
        ("agent=clerk", 3),
        ("agent=robot", 0),
        ("person=maria", 0),
        ("owner=maria", 3),
        ("state=open", 3),
        ("state=closed", 0),
        ("state=all", 3),
    ] {
        let found = stage.served.get(&format!("/findings?{query}")).await.ok();
        assert_eq!(found["items"].as_array().unwrap().len(), wanted, "{query}");
    }
    assert_eq!(stage.served.get("/findings?state=strange").await.status, 422);
    assert_eq!(stage.served.get("/findings/finding_none").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_that_see_the_same_at_once_make_one_finding() {
    let stage = Stage::set().await;
    let sighting = drift("a", Severity::High);
    let (one, two, three) = tokio::join!(
        raise(&stage.served, &sighting),
        raise(&stage.served, &sighting),
        raise(&stage.served, &sighting)
    );
    let made: Vec<Finding> = [one, two, three].into_iter().flatten().collect();
    assert!(made.len() == 1 && made[0].count == 1, "{made:?}");
    assert_eq!(stage.served.plane.replica.latest().directory.findings.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_on_record_and_what_comes_back_opens_again() {
    let stage = Stage::set().await;
    let id = raise(&stage.served, &drift("a", Severity::Low)).await.unwrap().id;
    let path = |word: &str| format!("/findings/{id}/{word}");
    let because = json!({ "person": "maria", "reason": "a new job since today" });
    let taken = stage.served.post(&path("acknowledge"), because.clone()).await.ok();
    assert_eq!((&taken["state"], &taken["owner"]), (&json!("acknowledged"), &json!("maria")));
    assert_eq!(taken["by"], "local administrator for maria");
    let nobody = json!({ "person": "nobody", "reason": "x" });
    assert_eq!(stage.served.post(&path("close"), nobody).await.status, 404);
    assert_eq!(stage.served.post(&path("close"), json!({ "reason": " " })).await.status, 422);
    let year = json!({ "reason": "noise", "lasts": "365d" });
    assert_eq!(stage.served.post(&path("suppress"), year).await.status, 422);
    let week = json!({ "reason": "noise", "lasts": "7d" });
    assert_eq!(stage.served.post(&path("suppress"), week).await.ok()["state"], "suppressed");
    assert_eq!(stage.served.get("/findings").await.ok()["items"], json!([]));
    let closed = stage.served.post(&path("close"), because.clone()).await.ok();
    assert_eq!(closed["state"], "closed");
    assert!(closed["history"][0]["why"].as_str().unwrap().contains("a new job since today"));
    assert_eq!(stage.served.post(&path("close"), because).await.status, 409);
    let back = raise(&stage.served, &drift("a", Severity::Low)).await.unwrap();
    assert_eq!((back.state, back.count), (FindingState::Open, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_sees_findings_and_who_answers_for_them_answers_but_never_about_themselves() {
    let stage = Stage::set().await;
    let about = About { person: Some(name("maria")), ..About::agent(&name("clerk")) };
    let glass = Sighting::new("break-glass", "approval_1", Severity::High, "maria broke the glass");
    let glass = raise(&stage.served, &glass.about(about).by_another()).await.unwrap().id;
    let plain = raise(&stage.served, &drift("a", Severity::Low)).await.unwrap().id;
    // Who, with which role; which they see; whether they may close the one about maria, and the plain one.
    let table: [(&str, Option<Role>, bool, u16, u16); 7] = [
        ("jonas", None, false, 404, 404),
        ("jonas", Some(Role::Viewer), true, 403, 403),
        ("jonas", Some(Role::Approver), true, 403, 403),
        ("maria", None, true, 403, 303),
        ("maria", Some(Role::Operator), true, 403, 303),
        ("jonas", Some(Role::Operator), true, 303, 303),
        ("jonas", Some(Role::Administrator), true, 303, 303),
    ];
    for (person, role, sees, of_glass, of_plain) in table {
        let browser = stage.signed_in(person, role.as_slice()).await;
        let list = browser.get("/console/findings?state=all").await;
        assert_eq!(list.status, 200, "{person} {role:?}");
        assert_eq!(list.body.contains("maria broke the glass"), sees, "{person} {role:?}");
        for (id, wanted) in [(&glass, of_glass), (&plain, of_plain)] {
            let page = browser.get(&format!("/console/findings/{id}")).await;
            assert_eq!(page.status, if sees { 200 } else { 404 }, "{person} {role:?}");
            assert_eq!(page.body.contains("Your answer"), wanted == 303, "{person} {role:?} {}", page.body);
            let path = format!("/console/findings/{id}/answer");
            let form = "answer=suppress&reason=known&lasts=1d";
            assert_eq!(post(&stage, &browser, &path, "cross-site", form).await, 403, "{person} {role:?}");
            let told = post(&stage, &browser, &path, "same-origin", form).await;
            // The client follows to the page of the finding.
            assert_eq!(told, if wanted == 303 { 200 } else { wanted }, "{person} {role:?} {id}");
        }
    }
    let local = stage.served.post(&format!("/findings/{glass}/close"), json!({ "reason": "fine" })).await;
    assert_eq!(local.status, 422, "somebody has to say who they are: {}", local.body);
    for (person, status) in [("maria", 403), ("jonas", 200)] {
        let answer = json!({ "person": person, "reason": "looked at it with her" });
        let said = stage.served.post(&format!("/findings/{glass}/close"), answer).await;
        assert_eq!(said.status, status, "{person}: {}", said.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_into_a_finding_is_text_and_the_overview_counts_it() {
    let stage = Stage::set().await;
    let hostile = "<img src=x onerror=alert(1)>\u{1b}[2J";
    let sighting = Sighting::new("drift", "a", Severity::High, hostile).evidence([hostile, "approval_12"]);
    let id = raise(&stage.served, &sighting).await.unwrap().id;
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    for page in ["/console/findings".to_owned(), format!("/console/findings/{id}")] {
        let body = browser.get(&page).await.body;
        assert!(!body.contains("<img") && !body.contains('\u{1b}'), "{page}");
        assert!(body.contains("&#60;img src=x onerror=alert(1)&#62;"), "{page}");
    }
    let page = browser.get(&format!("/console/findings/{id}")).await.body;
    assert!(page.contains("href=\"/approvals/approval_12\""), "{page}");
    let overview = browser.get("/console").await.body;
    assert!(overview.contains("1 high or critical"), "{overview}");
}
