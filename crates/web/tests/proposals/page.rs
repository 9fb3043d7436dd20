//! The page of one, and the answer given there.

use super::*;

/// A form, as a browser sends it from a page of this origin.
async fn form(served: &Served, browser: &Browser, path: &str, site: &str, form: &str) -> u16 {
    let request = served.client.post(format!("{}{path}", served.plane.issuer));
    let request = request
        .header(header::COOKIE, format!("provost={}", browser.secret))
        .header("sec-fetch-site", site)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned());
    request.send().await.unwrap().status().as_u16()
}

async fn browser(served: &Served, name: &str) -> Browser {
    let secret = format!("test-{name}");
    let row = Session {
        id: Digest::of(secret.as_bytes()),
        person: name.parse().unwrap(),
        roles: Default::default(),
        by: "a test".to_owned(),
        passkey: None,
        started: Timestamp::from_millis(0),
        seen: Some(served.plane.now()),
        expires: served.plane.now().plus(DurationMs::from_mins(60)),
        ended: false,
    };
    console::put(served, Object::Session(row)).await;
    Browser::new(served, &secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_what_would_change_side_by_side_and_agrees_to_exactly_that() {
    let served = plane().await;
    let hostile = "<img src=x onerror=alert(1)>";
    let reason = json!({ "person": "ada", "reason": hostile });
    let text = wider().replace("pays a little", &format!("pays {hostile}"));
    let answer = apply(&served, &text, reason).await;
    let id = answer.body["proposal"]["id"].as_str().unwrap();
    let digest = answer.body["proposal"]["digest"].as_str().unwrap();
    let (maria, sid, ada, sue) = (
        browser(&served, "maria").await,
        browser(&served, "sid").await,
        browser(&served, "ada").await,
        browser(&served, "sue").await,
    );
    let list = maria.get("/proposals").await;
    assert!(list.status == 200 && list.body.contains(&format!("/proposals/{id}")), "{}", list.body);
    let page = maria.get(&format!("/proposals/{id}")).await;
    let wanted =
        ["count_max = 3", "count_max = 5", "Yes, make this change", digest, "owner of clerk", "16 min 2 s"];
    for text in wanted.into_iter().chain(["data-signed", "data-answer=\"proposal\"", "/assets/passkey.js"]) {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("<img") && page.body.contains("&#60;img src=x"), "it is text: {}", page.body);
    // Whoever wrote it has no button but the one that takes it back.
    let own = ada.get(&format!("/proposals/{id}")).await;
    assert!(!own.body.contains("Yes, make this change") && own.body.contains("Take it back"), "{}", own.body);

    let path = format!("/proposals/{id}/answer");
    let agree = format!("answer=yes&digest={digest}");
    for (browser, site, said, why) in [
        (&maria, "cross-site", agree.as_str(), "from another site"),
        (&ada, "same-origin", agree.as_str(), "by who wrote it"),
        (&maria, "same-origin", "answer=yes&digest=sha256:0000", "to another change than was read"),
        (&maria, "same-origin", "answer=perhaps", "neither yes nor no"),
        (&maria, "same-origin", agree.as_str(), "without the signature"),
    ] {
        let status = form(&served, browser, &path, site, said).await;
        assert!((400..500).contains(&status), "{why}: {status}");
    }
    assert!(served.get(&format!("/proposals/{id}")).await.ok()["votes"].as_array().unwrap().is_empty());
    yes(&served, id, "maria").await.unwrap();
    let page = sue.get(&format!("/proposals/{id}")).await;
    assert!(page.body.contains("security: 1 more must say yes"), "{}", page.body);
    yes(&served, id, "sid").await.unwrap();
    assert_eq!(count_max(&served).await, 5);
    let page = sid.get(&format!("/proposals/{id}")).await;
    assert!(
        page.body.contains("applied")
            && page.body.contains(">signed<")
            && !page.body.contains("Yes, make this change"),
        "{}",
        page.body
    );
    let agent = ada.get("/console/agents/clerk").await;
    assert!(
        agent.body.contains(&format!("/proposals/{id}")) && agent.body.contains("agreed to by"),
        "{}",
        agent.body
    );
    // Somebody it does not concern does not know of it.
    let stranger = browser_of_nobody(&served).await;
    assert_eq!(stranger.get(&format!("/proposals/{id}")).await.status, 404);
}

async fn browser_of_nobody(served: &Served) -> Browser {
    let row: provost_domain::Person =
        serde_json::from_value(json!({ "name": "otto", "display": "Otto", "active": true })).unwrap();
    console::put(served, Object::Person(row)).await;
    browser(served, "otto").await
}
