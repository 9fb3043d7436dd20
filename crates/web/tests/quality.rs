#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! How approvals are answered: measured from the record, shown, and who goes too fast is asked whether it is meant; several that
//! are alike in one table, answered together.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::asked;
use console::{Browser, Stage, put};
use provost_domain::{Approval, DurationMs, Object, person::Role};
use reqwest::header;
use serde_json::{Value, json};

/// A form, as a browser sends it from a page of this origin.
async fn post(stage: &Stage, browser: &Browser, path: &str, site: &str, form: &str) -> (u16, String) {
    let request = stage.served.client.post(format!("{}{path}", stage.served.plane.issuer));
    let request = request
        .header(header::COOKIE, format!("provost={}", browser.secret))
        .header("sec-fetch-site", site)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// An approval that has waited for so long already: its reader had time.
async fn waited(stage: &Stage, amount: &str, minutes: u64) -> Approval {
    let row = asked(&stage.served, &stage.task, amount).await;
    let row = Approval { asked: row.asked.minus(DurationMs::from_mins(minutes)), ..row };
    put(&stage.served, Object::Approval(Box::new(row.clone()))).await;
    row
}

/// An approval that nobody can have read yet, however slow this machine is.
async fn fresh(stage: &Stage, amount: &str) {
    let row = asked(&stage.served, &stage.task, amount).await;
    let row = Approval { asked: row.asked.plus(DurationMs::from_mins(1)), ..row };
    put(&stage.served, Object::Approval(Box::new(row))).await;
}

async fn approve(stage: &Stage, amount: &str, more: Value) -> (u16, Value) {
    let mut body = json!({ "person": "maria" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let said = stage.served.post(&format!("/approvals/approval_{amount}/approve"), body).await;
    (said.status, said.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_answered_is_measured_and_shown_as_numbers_tables_and_pictures() {
    let stage = Stage::set().await;
    for (amount, minutes) in [("1.5", 1), ("2.5", 2), ("3.5", 30)] {
        waited(&stage, amount, minutes).await;
    }
    approve(&stage, "1.5", json!({})).await;
    let no = json!({ "person": "maria", "reason": "no" });
    stage.served.post("/approvals/approval_2.5/refuse", no).await.ok();
    let edit = json!({ "person": "maria", "args": { "payee": "ACME", "amount": 9.5 } });
    stage.served.post("/approvals/approval_3.5/edit", edit).await.ok();
    asked(&stage.served, &stage.task, "4.5").await;
    let measured = stage.served.get("/approvals/quality").await.ok();
    let all = &measured["all"];
    assert_eq!(
        (&all["asked"], &all["granted"], &all["refused"], &all["edited"], &all["rate"]),
        (&json!(4), &json!(1), &json!(1), &json!(1), &json!(33))
    );
    let maria = &measured["people"][0];
    assert_eq!(
        (&maria["person"], &maria["yes"], &maria["no"], &maria["edited"], &maria["waiting"]),
        (&json!("maria"), &json!(1), &json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        (&measured["complete"], &measured["tools"][0]["name"]),
        (&json!(true), &json!("bank/transfer"))
    );
    assert_eq!(measured["agents"][0]["name"], "clerk");
    let none = stage.served.get("/approvals/quality?person=jonas").await.ok();
    assert_eq!((&none["all"]["asked"], none["people"].as_array().unwrap().len()), (&json!(0), 0));
    let future = stage.served.get("/approvals/quality?since=2999-01-01T00:00:00Z").await.ok();
    assert_eq!(future["all"]["asked"], 0);

    let operator = stage.signed_in("jonas", &[Role::Operator]).await;
    let page = operator.get("/approvals/quality").await.body;
    assert!(page.contains("role=\"img\"") && page.contains("<rect class=\"good\""), "{page}");
    assert!(page.contains(">maria<") && page.contains("33 %"), "{page}");
    // Others see how they do themselves.
    let viewer = stage.signed_in("jonas", &[Role::Viewer]).await;
    let page = viewer.get("/approvals/quality").await.body;
    assert!(page.contains("bank/transfer") && !page.contains(">maria<"), "{page}");
    assert_eq!(viewer.get("/approvals/quality?person=maria").await.status, 403);
    let herself = stage.signed_in("maria", &[]).await;
    assert!(herself.get("/approvals/quality").await.body.contains(">maria<"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_yes_faster_than_reading_is_asked_whether_it_is_meant_and_a_no_is_never_too_fast() {
    let stage = Stage::set().await;
    for n in 1..=4 {
        fresh(&stage, &format!("{n}.5")).await;
        assert_eq!(approve(&stage, &format!("{n}.5"), json!({})).await.0, 200);
    }
    let shown = stage.served.get("/approvals/approval_4.5").await.ok();
    assert_eq!(shown["votes"][0]["hurried"], json!(true));
    fresh(&stage, "5.5").await;
    let (status, refused) = approve(&stage, "5.5", json!({})).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["because"].as_str().unwrap().contains("4 of them faster"), "{refused}");
    let maria = stage.signed_in("maria", &[]).await;
    let page = maria.get("/approvals/approval_5.5").await.body;
    assert!(
        page.contains("You answer faster than this can be read") && page.contains("name=\"sure\""),
        "{page}"
    );
    // On the page as over the interface: without the tick nothing happens.
    let action =
        stage.served.get("/approvals/approval_5.5").await.ok()["action"].as_str().unwrap().to_owned();
    let path = "/approvals/approval_5.5/answer";
    let form = format!("answer=yes&action={action}");
    assert_eq!(post(&stage, &maria, path, "same-origin", &form).await.0, 409);
    let ticked = format!("{form}&sure=yes");
    let (status, page) = post(&stage, &maria, path, "same-origin", &ticked).await;
    assert!(status == 200 && page.contains("granted"), "{page}");
    let shown = stage.served.get("/approvals/approval_5.5").await.ok();
    assert_eq!(shown["votes"][0]["warned"], json!(true));
    // It starts anew; and whoever says no has read.
    fresh(&stage, "6.5").await;
    assert_eq!(approve(&stage, "6.5", json!({})).await.0, 200);
    let measured = stage.served.get("/approvals/quality").await.ok();
    assert_eq!((&measured["people"][0]["hurried"], &measured["people"][0]["warned"]), (&json!(6), &json!(1)));
    for n in 7..=9 {
        fresh(&stage, &format!("{n}.5")).await;
        approve(&stage, &format!("{n}.5"), json!({})).await;
    }
    fresh(&stage, "10.5").await;
    assert_eq!(approve(&stage, "10.5", json!({})).await.0, 409);
    let no = json!({ "person": "maria", "reason": "no" });
    stage.served.post("/approvals/approval_10.5/refuse", no).await.ok();
    fresh(&stage, "11.5").await;
    assert_eq!(approve(&stage, "11.5", json!({})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn like_requests_are_one_table_and_one_confirmation_answers_each_for_itself() {
    let stage = Stage::set().await;
    for amount in ["1.5", "2.5", "3.5"] {
        waited(&stage, amount, 10).await;
    }
    let groups = stage.served.get("/approvals/alike?person=maria").await.ok();
    let group = &groups["items"][0];
    assert_eq!((groups["items"].as_array().unwrap().len(), group["rows"].as_array().unwrap().len()), (1, 3));
    assert_eq!((&group["differing"], &group["common"]), (&json!(["amount"]), &json!({ "payee": "ACME" })));
    assert_eq!(group["rows"][1]["args"], json!({ "amount": 2.5 }));
    let these = |rows: &[usize]| -> Value {
        rows.iter()
            .map(|n| json!({ "id": group["rows"][*n]["id"], "action": group["rows"][*n]["action"] }))
            .collect()
    };
    for (body, why) in [
        (json!({ "person": "maria", "yes": true, "these": [] }), "none"),
        (json!({ "person": "maria", "yes": true, "these": these(&[0, 0]) }), "one twice"),
        (
            json!({ "person": "maria", "yes": true, "these": vec![json!({ "id": "x", "action": "y" }); 51] }),
            "too many",
        ),
        (json!({ "yes": true, "these": these(&[0]) }), "nobody"),
    ] {
        assert_eq!(stage.served.post("/approvals/answers", body).await.status, 422, "{why}");
    }
    // One that was not what was seen stands in no other's way.
    let mut mixed = these(&[0, 1]);
    mixed[1]["action"] = json!("sha256:0000");
    let told =
        stage.served.post("/approvals/answers", json!({ "person": "maria", "yes": true, "these": mixed }));
    let told = told.await.ok();
    assert_eq!(told["items"][0]["approval"]["status"], "granted");
    assert!(told["items"][1]["fault"].as_str().unwrap().contains("another action"), "{told}");
    assert_eq!(told["items"][0]["approval"]["votes"].as_array().unwrap().len(), 1);
    let left = stage.served.get("/approvals/approval_2.5").await.ok();
    assert_eq!((&left["status"], &left["votes"]), (&json!("waiting"), &json!([])));

    let maria = stage.signed_in("maria", &[]).await;
    let inbox = maria.get("/approvals").await.body;
    assert!(inbox.contains("2 of these are alike") && inbox.contains("they differ in amount"), "{inbox}");
    let path = "/approvals/together/approval_2.5";
    let page = maria.get(path).await.body;
    for text in ["2.5", "3.5", "ACME", "look at the accounts", "Yes to each of these, once"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(
        !page.contains("name=\"sure\" checked") && !page.contains("name=\"this\" checked"),
        "nobody ticks for the person"
    );
    let jonas = stage.signed_in("jonas", &[Role::Approver]).await;
    assert_eq!(jonas.get(path).await.status, 404, "not theirs to answer");
    let ticked: Vec<String> = [1, 2]
        .iter()
        .map(|n| {
            let row = &group["rows"][*n];
            format!("this={}%20{}", row["id"].as_str().unwrap(), row["action"].as_str().unwrap())
        })
        .collect();
    let form = format!("answer=no&reason=not%20now&{}", ticked.join("&"));
    assert_eq!(post(&stage, &maria, path, "cross-site", &form).await.0, 403);
    assert_eq!(post(&stage, &maria, path, "same-origin", "answer=yes").await.0, 400, "nothing was ticked");
    let (status, page) = post(&stage, &maria, path, "same-origin", &form).await;
    assert!(status == 200 && page.matches("refused").count() >= 2, "{page}");
    for amount in ["2.5", "3.5"] {
        let row = stage.served.get(&format!("/approvals/approval_{amount}")).await.ok();
        assert_eq!((&row["status"], &row["votes"][0]["person"]), (&json!("refused"), &json!("maria")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_is_text_in_the_table_of_differences() {
    let stage = Stage::set().await;
    let hostile = "<img src=x onerror=alert(1)>";
    for amount in ["1.5", "2.5"] {
        let mut row = waited(&stage, amount, 10).await;
        row.args.insert("payee".to_owned(), json!(format!("{hostile} {amount}")));
        row.purpose = hostile.to_owned();
        put(&stage.served, Object::Approval(Box::new(row))).await;
    }
    let maria = stage.signed_in("maria", &[]).await;
    for page in ["/approvals", "/approvals/together/approval_1.5"] {
        let body = maria.get(page).await.body;
        assert!(!body.contains("<img") && body.contains("&#60;img"), "{page}");
    }
}
