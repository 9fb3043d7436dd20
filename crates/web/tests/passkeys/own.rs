//! Links, sign-in, and a person's own passkeys and sessions.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_registers_one_passkey_of_one_person_once_and_signs_them_in() {
    let (served, maria, _task) = stage().await;
    let me = maria.send("GET", "/api/v1/people/maria/passkeys", "same-origin", None).await;
    assert_eq!((me.status, &me.body[0]["name"]), (200, &json!("laptop")), "{}", me.body);

    let link = served.post("/people/jonas/invite", json!({ "reason": "he starts" })).await.ok();
    let url = link["url"].as_str().unwrap().to_owned();
    let secret = url.split_once('#').unwrap().1;
    assert!(
        url.starts_with("http://localhost:") && secret.len() == 43,
        "the secret is where no server sees it"
    );
    let mut jonas = Browser::new(&served, 2);
    // What was asked for one link is no answer to another, and a passkey of somebody else is not taken again.
    let other = served.post("/people/jonas/invite", json!({ "reason": "another" })).await.ok();
    let asked = jonas.post("/invite/begin", &json!({ "secret": secret })).await;
    let wrong = json!({ "secret": other["url"].as_str().unwrap().split_once('#').unwrap().1,
        "passkey": jonas.made(&asked.body, "phone") });
    assert_eq!(jonas.post("/invite/finish", &wrong).await.status, 403);
    let mut thief = Browser::new(&served, 1);
    let taken = thief.accept(other["url"].as_str().unwrap(), json!({})).await;
    assert!(taken.status == 403 || taken.status == 409, "{}", taken.body);

    assert_eq!(jonas.accept(&url, json!({})).await.status, 200);
    assert_eq!(jonas.accept(&url, json!({})).await.status, 403, "once");
    let seen = jonas.post("/invite/open", &json!({ "secret": secret })).await;
    assert_eq!(seen.status, 403);
    // No row, record or listing has the secret.
    let records = served.plane.store.tail(provost_domain::Seq(0), 1_000).await.unwrap();
    assert!(!serde_json::to_string(&records).unwrap().contains(secret));
    // From another site's page nothing of it works.
    let secret = other["url"].as_str().unwrap().split_once('#').unwrap().1;
    let foreign = jonas.send("POST", "/invite/open", "cross-site", Some(&json!({ "secret": secret }))).await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_runs_out_and_is_for_people_who_are_here() {
    let (served, _maria, _task) = stage().await;
    let link = served.post("/people/jonas/invite", json!({ "reason": "r", "lasts": "1ms" })).await.ok();
    let secret = link["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let later = common::later(&served, DurationMs::from_mins(1)).await;
    assert!(provost_control::passkey::invite::seen(&later, &secret).is_err());
    assert_eq!(served.post("/people/nobody/invite", json!({ "reason": "r" })).await.status, 404);
    assert_eq!(
        served.post("/people/jonas/invite", json!({ "reason": "r", "lasts": "8d" })).await.status,
        422
    );
    assert_eq!(served.post("/people/jonas/invite", json!({ "reason": " " })).await.status, 422);
    // One that ran out is swept, with a record, and one that has not stays.
    served.post("/people/jonas/invite", json!({ "lasts": "5d", "reason": "he starts" })).await.ok();
    let before = served.plane.replica.latest().directory.invites.len();
    assert!(before >= 2);
    let later = common::later(&served, DurationMs::from_mins(2 * 24 * 60)).await;
    provost_control::housekeeping::once(&later).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    let left: Vec<_> = served.plane.replica.latest().directory.invites.values().cloned().collect();
    assert_eq!(left.iter().map(|row| row.person.clone().unwrap().to_string()).collect::<Vec<_>>(), ["jonas"]);
    let records = served.plane.store.tail(provost_domain::Seq(0), 1_000).await.unwrap();
    assert!(records.iter().any(|record| record.by.why.contains("nobody opened it in time")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_says_their_name_and_nobody_becomes_one_afterwards() {
    let served = serve().await;
    let first = provost_control::passkey::invite::first(&served.plane).await.unwrap().unwrap();
    assert!(provost_control::passkey::invite::first(&served.plane).await.unwrap().is_none(), "one is open");
    // Another node, or this one after a restart, takes it up.
    let again = common::later(&served, DurationMs::from_mins(5)).await;
    let secret = first.url.split_once('#').unwrap().1;
    assert!(provost_control::passkey::invite::seen(&again, secret).unwrap().person.is_none());
    let mut ada = Browser::new(&served, 1);
    assert_eq!(ada.accept(&first.url, json!({})).await.status, 422, "a name is wanted");
    let welcomed = ada.accept(&first.url, json!({ "person": "ada", "display": "Ada L." })).await;
    assert_eq!(welcomed.status, 200, "{}", welcomed.body);
    let row = served.get("/people/ada").await.ok();
    assert_eq!((&row["display"], &row["roles"]), (&json!("Ada L."), &json!(["administrator"])));
    assert_eq!(
        ada.send("GET", "/api/v1/credentials", "same-origin", None).await.status,
        200,
        "by their role"
    );
    let late = common::later(&served, DurationMs::from_mins(25 * 60)).await;
    assert!(provost_control::passkey::invite::first(&late).await.unwrap().is_none(), "somebody can sign in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_its_person_in_once_for_each_challenge() {
    let (served, mut maria, _task) = stage().await;
    maria.cookie.clear();
    assert_eq!(maria.sign_in().await.body["to"], "/approvals");
    let asked = maria.post("/signin/passkey/begin", &json!({})).await.body;
    let signed = maria.signed(&asked);
    assert_eq!(maria.post("/signin/passkey/finish", &signed).await.status, 200);
    assert_eq!(maria.post("/signin/passkey/finish", &signed).await.status, 403, "a challenge counts once");
    let foreign = maria.send("POST", "/signin/passkey/begin", "cross-site", Some(&json!({}))).await;
    assert_eq!(foreign.status, 403);
    let mut stranger = Browser::new(&served, 9);
    assert_eq!(stranger.sign_in().await.status, 403, "nobody's passkey");
    // A statement's challenge is none for a sign-in: the tickets are of different kinds.
    common::asked(&served, served.task().await["task"]["id"].as_str().unwrap(), "12.5").await;
    let asked = maria.post("/api/v1/approvals/approval_12.5/statement", &json!({ "answer": {} })).await.body;
    let signed = maria.signed(&asked);
    assert_eq!(maria.post("/signin/passkey/finish", &signed).await.status, 403);
    // Who left does not come in.
    let link = served.post("/people/jonas/invite", json!({ "reason": "r" })).await.ok();
    let mut jonas = Browser::new(&served, 2);
    assert_eq!(jonas.accept(link["url"].as_str().unwrap(), json!({})).await.status, 200);
    change(&served, "jonas", |person| person.active = false).await;
    assert_eq!(jonas.sign_in().await.status, 403);
    assert_eq!(jonas.send("GET", "/api/v1/approvals", "same-origin", None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_that_counts_backwards_is_refused_on_the_record_and_from_then_on() {
    let (served, mut maria, _task) = stage().await;
    assert_eq!(maria.sign_in().await.status, 200);
    let before = served.plane.store.head().await.unwrap();
    maria.device.counter = 0;
    let refused = maria.sign_in().await;
    assert_eq!(refused.status, 403);
    assert!(refused.body["because"].as_str().unwrap().contains("counted backwards"), "{}", refused.body);
    let records = served.plane.store.tail(before, 10).await.unwrap();
    assert!(records[0].by.why.contains("counted backwards, from 1 to 1"), "{}", records[0].by.why);
    maria.device.counter = 50;
    assert_eq!(maria.sign_in().await.status, 403, "neither of the two is taken any more");
    assert_eq!(served.get("/people/maria/passkeys").await.ok()[0]["doubted"], true);
    let findings = served.get("/findings").await.ok();
    assert_eq!(
        (&findings["items"][0]["kind"], &findings["items"][0]["severity"]),
        (&json!("passkey-copied"), &json!("high"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_adds_renames_and_removes_passkeys_and_never_the_last_way_in() {
    let (served, mut maria, _task) = stage().await;
    let first = encode(&maria.device.id);
    let path = "/api/v1/people/maria/passkeys";
    let last = maria.post(&format!("{path}/{first}/remove"), &json!({ "reason": "lost" })).await;
    assert_eq!(last.status, 403);
    assert!(last.body["detail"].as_str().unwrap().contains("the only way"), "{}", last.body);
    // A second device, added by the first's session.
    let mut phone = Browser::new(&served, 3);
    phone.cookie = maria.cookie.clone();
    let asked = maria.post(&format!("{path}/begin"), &json!({})).await.body;
    assert_eq!(asked["exclude"], json!([first]));
    let added = phone.post(path, &phone.made(&asked, "phone")).await;
    assert_eq!(added.status, 200, "{}", added.body);
    let record = served
        .plane
        .store
        .history(&ObjectKey::passkey(&"maria".parse().unwrap(), &encode(&phone.device.id)), 1)
        .await
        .unwrap();
    assert_eq!(record[0].by.actor, "person maria");
    let renamed =
        maria.post(&format!("{path}/{first}/rename"), &json!({ "name": "old laptop", "reason": "r" })).await;
    assert_eq!(renamed.body["name"], "old laptop");
    assert_eq!(
        maria.post(&format!("{path}/{first}/rename"), &json!({ "name": " ", "reason": "r" })).await.status,
        422
    );
    // Removing it ends the sessions it started, this one too.
    let gone = maria.post(&format!("{path}/{first}/remove"), &json!({ "reason": "lost" })).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(maria.send("GET", path, "same-origin", None).await.status, 401);
    assert_eq!(maria.sign_in().await.status, 403);
    assert_eq!(phone.sign_in().await.status, 200);
    // Others do none of this for her, and the local administrator adds none at all.
    let link = served.post("/people/jonas/invite", json!({ "reason": "r" })).await.ok();
    let mut jonas = Browser::new(&served, 2);
    jonas.accept(link["url"].as_str().unwrap(), json!({})).await;
    let hers = encode(&phone.device.id);
    for (deed, body) in
        [("rename", json!({ "name": "x", "reason": "r" })), ("remove", json!({ "reason": "r" }))]
    {
        assert_eq!(jonas.post(&format!("{path}/{hers}/{deed}"), &body).await.status, 403, "{deed}");
    }
    assert_eq!(jonas.send("GET", path, "same-origin", None).await.status, 403);
    assert_eq!(jonas.post(&format!("{path}/begin"), &json!({})).await.status, 403);
    assert_eq!(served.post("/people/maria/passkeys/begin", json!({})).await.status, 403);
    // A device that was stolen is taken by an administrator, although it is the last.
    let stolen = json!({ "reason": "stolen", "even_if_last": true });
    assert_eq!(phone.post(&format!("{path}/{hers}/remove"), &stolen).await.status, 403, "not by the person");
    // The token of the machine could make somebody new of her then; it leaves everybody a way in.
    let token = served.post(&format!("/people/maria/passkeys/{hers}/remove"), stolen.clone()).await;
    assert!(
        token.status == 403 && token.body["detail"].as_str().unwrap().contains("the only way"),
        "{}",
        token.body
    );
    let administrator = provost_control::Op {
        subject: provost_control::Operator::Person(
            "jonas".parse().unwrap(),
            [provost_domain::Role::Administrator].into(),
        ),
        ..served.op()
    };
    let wanted = serde_json::from_value(stolen).unwrap();
    let taken =
        provost_control::passkey::remove(&administrator, &"maria".parse().unwrap(), &hers, &wanted).await;
    assert_eq!(taken.unwrap().name, "phone");
    assert_eq!(phone.sign_in().await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn adding_a_passkey_takes_a_session_that_began_a_moment_ago() {
    let (served, maria, _task) = stage().await;
    let session = served.plane.replica.latest().directory.sessions.values().next().unwrap().as_ref().clone();
    let old = provost_domain::Session {
        started: served.plane.now().minus(DurationMs::from_mins(16)),
        seen: Some(served.plane.now()),
        ..session
    };
    let by = provost_store::Attribution { actor: "test".into(), why: "test".into() };
    let writes = vec![provost_store::Write::Put { expected: 1, object: Object::Session(old) }];
    served.plane.store.commit(provost_store::ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    let stale = maria.post("/api/v1/people/maria/passkeys/begin", &json!({})).await;
    assert_eq!(stale.status, 403);
    assert!(stale.body["do"].as_str().unwrap().contains("/signin?again=true"), "{}", stale.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_for_the_planes_own_pages_is_listed_and_ended() {
    let (served, mut maria, _task) = stage().await;
    let list = async |browser: &Browser, query: &str| {
        browser.send("GET", &format!("/api/v1/sessions{query}"), "same-origin", None).await
    };
    maria.sign_in().await;
    let sessions = list(&maria, "").await.body["items"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 2, "{sessions}");
    assert_eq!(sessions[0]["by"], "passkey laptop");
    for (method, site, status) in [
        ("GET", "same-origin", 200),
        ("GET", "none", 200),
        ("GET", "cross-site", 403),
        ("GET", "same-site", 403),
        ("POST", "cross-site", 403),
        ("POST", "same-site", 403),
        ("POST", "none", 403),
    ] {
        let (path, body) = match method {
            "GET" => ("/api/v1/approvals", None),
            _ => ("/api/v1/people/maria/away", Some(json!({ "reason": "r" }))),
        };
        let heard = maria.send(method, path, site, body.as_ref()).await;
        assert_eq!(heard.status, status, "{method} {site}: {}", heard.body);
    }
    // Without a role she sees what is hers, and nothing else.
    for path in ["/api/v1/agents", "/api/v1/people", "/api/v1/credentials", "/api/v1/sessions?person=jonas"] {
        assert_eq!(maria.send("GET", path, "same-origin", None).await.status, 403, "{path}");
    }
    let other = sessions[1]["id"].as_str().unwrap();
    let ended = maria.post(&format!("/api/v1/sessions/{other}/end"), &json!({ "reason": "not me" })).await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    assert_eq!(list(&maria, "").await.body["items"].as_array().unwrap().len(), 1);
    let link = served.post("/people/jonas/invite", json!({ "reason": "r" })).await.ok();
    let mut jonas = Browser::new(&served, 2);
    jonas.accept(link["url"].as_str().unwrap(), json!({})).await;
    let hers = sessions[0]["id"].as_str().unwrap();
    assert_eq!(
        jonas.post(&format!("/api/v1/sessions/{hers}/end"), &json!({ "reason": "r" })).await.status,
        404,
        "nor knows of it"
    );
    served.post(&format!("/sessions/{hers}/end"), json!({ "reason": "left the laptop" })).await.ok();
    assert_eq!(list(&maria, "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_in_four_parts_where_passkeys_do_not_work_and_where_they_do() {
    let served = serve().await;
    let page = async |host: &str, path: &str| {
        let request = served.client.get(format!("http://{}{path}", served.address)).header("host", host);
        request.send().await.unwrap().text().await.unwrap()
    };
    let port = served.address.port();
    for path in ["/signin", "/invite"] {
        let wrong = page(&format!("127.0.0.1:{port}"), path).await;
        for part in [
            "Passkeys do not work at 127.0.0.1",
            "Because ",
            "This means: ",
            "Do: ",
            &format!("http://localhost:{port}{path}"),
        ] {
            assert!(wrong.contains(part), "{path} {part}: {wrong}");
        }
        let right = page(&format!("localhost:{port}"), path).await;
        assert!(!right.contains("Passkeys do not work") && right.contains("data-passkey"), "{right}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_a_link_from_another_site_is_led_in_with_a_strict_cookie() {
    let (_served, maria, _task) = stage().await;
    let request =
        maria.client.get(format!("{}/approvals", maria.plane)).header("sec-fetch-site", "cross-site");
    let answer = request.send().await.unwrap();
    let refresh = answer.headers()["refresh"].to_str().unwrap().to_owned();
    assert_eq!((answer.status().as_u16(), refresh.as_str()), (200, "0; url=/here?to=%2Fapprovals"));
    let here = maria.client.get(format!("{}/here?to=%2Fapprovals", maria.plane)).send().await.unwrap();
    assert_eq!((here.status().as_u16(), here.headers()["location"].to_str().unwrap()), (303, "/approvals"));
    let away =
        maria.client.get(format!("{}/here?to=https%3A%2F%2Fevil.example", maria.plane)).send().await.unwrap();
    assert_eq!(away.headers()["location"].to_str().unwrap(), "/");
}
