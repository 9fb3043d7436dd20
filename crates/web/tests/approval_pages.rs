#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! The inbox and the page where a person reads what would run, and answers.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::asked;
use console::{Browser, Stage};
use provost_domain::person::Role;
use reqwest::header;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_exactly_what_would_run_and_answers_once() {
    let stage = Stage::set().await;
    let approval = asked(&stage.served, &stage.task, "12.5").await;
    let (maria, jonas) =
        (stage.signed_in("maria", &[]).await, stage.signed_in("jonas", &[Role::Approver]).await);
    let inbox = maria.get("/approvals").await;
    assert!(inbox.status == 200 && inbox.body.contains("/approvals/approval_12.5"), "{}", inbox.body);
    let page = maria.get("/approvals/approval_12.5").await;
    for text in ["ACME", "12.5", "bank/transfer", "look at the accounts", "Yes, this once"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(page.body.contains(&approval.action.to_string()), "the form says which action was read");
    // Somebody whose answer does not count is told why, and has no button.
    let other = jonas.get("/approvals/approval_12.5").await;
    assert!(other.status == 200 && !other.body.contains("Yes, this once"), "{}", other.body);
    assert!(other.body.contains("Not yours to answer"));

    let path = "/approvals/approval_12.5/answer";
    let yes = format!("answer=yes&action={}", approval.action);
    for (browser, site, form, why) in [
        (&maria, "cross-site", yes.as_str(), "from another site"),
        (&jonas, "same-origin", yes.as_str(), "by somebody who may not"),
        (&maria, "same-origin", "answer=yes&action=sha256:0000", "to another action than was read"),
        (&maria, "same-origin", "answer=perhaps", "neither yes nor no"),
    ] {
        let (status, _page) = post(&stage, browser, path, site, form).await;
        assert!((400..500).contains(&status), "{why}: {status}");
    }
    let view = stage.served.plane.replica.latest();
    assert!(view.directory.approvals.values().all(|row| row.votes.is_empty()), "nothing was answered yet");
    let (status, body) = post(&stage, &maria, path, "same-origin", &yes).await;
    assert_eq!(status, 200, "it leads back to the page: {body}");
    let page = maria.get("/approvals/approval_12.5").await;
    assert!(page.body.contains("granted") && !page.body.contains("Yes, this once"), "{}", page.body);
    let shown = stage.served.get("/approvals/approval_12.5").await.ok();
    assert_eq!(shown["votes"][0]["person"], "maria");
    let (status, _page) = post(&stage, &maria, path, "same-origin", &yes).await;
    assert_eq!(status, 409, "answered already");
}
