#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

//! The console over a real socket: who sees what, what others wrote stays text, what is searched is found, and what moves is
//! told.

#[expect(dead_code, reason = "each test uses a part of it")]
mod common;
#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "common/console.rs"]
mod console;

use common::{BANK, files, serve};
use console::{Browser, Stage, call, put};
use provost_domain::{Object, Timestamp, person::Role};
use serde_json::json;
use std::time::Duration;

/// Every page there is, with something on it.
fn pages(stage: &Stage) -> Vec<String> {
    let mut pages: Vec<String> = [
        "/console",
        "/console/agents",
        "/console/agents/clerk",
        "/console/tasks",
        "/console/decisions",
        "/console/systems",
        "/console/systems/bank",
        "/console/policies",
        "/console/ledger",
        "/console/people",
        "/console/people/maria",
        "/console/workloads",
        "/console/issuers",
    ]
    .map(str::to_owned)
    .into();
    pages.push(format!("/console/tasks/{}", stage.task));
    pages.extend(stage.decisions.iter().map(|id| format!("/console/decisions/{id}")));
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_wants_somebody_who_is_signed_in_and_has_a_role_and_names_the_roles() {
    let stage = Stage::set().await;
    let (nobody, stranger) = (Browser::new(&stage.served, ""), stage.signed_in("jonas", &[]).await);
    for page in pages(&stage).into_iter().chain(["/events".to_owned()]) {
        let seen = nobody.get(&page).await;
        assert_eq!(seen.status, 303, "{page}");
        assert!(seen.location.starts_with("/signin?to="), "{page}: {}", seen.location);
        let seen = stranger.get(&page).await;
        if page == "/console" {
            assert!(
                seen.status == 200 && seen.body.contains("What is yours") && !seen.body.contains("clerk"),
                "{page}"
            );
            continue;
        }
        assert_eq!(seen.status, 403, "{page}");
        for role in ["viewer", "approver", "operator", "administrator"] {
            assert!(seen.body.contains(&format!("<strong>{role}</strong>")), "{page} names {role}");
        }
        assert!(seen.body.contains("[person.jonas]") && !seen.body.contains("Looks at accounts"), "{page}");
    }
    for role in Role::ALL {
        let browser = stage.signed_in("jonas", &[role]).await;
        for page in pages(&stage) {
            assert_eq!(browser.get(&page).await.status, 200, "{page} as {role:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_the_strict_policy_its_landmarks_and_no_script_of_its_own() {
    let stage = Stage::set().await;
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    let pages = pages(&stage)
        .into_iter()
        .chain(["/accounts", "/console/findings", "/console/agents/nobody"].map(str::to_owned));
    for page in pages {
        let seen = browser.get(&page).await;
        let policy = seen.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.contains(part), "{page}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{page}: {policy}");
        for part in ["<main id=\"main\"", "class=\"skip\"", "<nav class=\"pages\"", "lang=\"en\"", "<h1>"] {
            assert!(seen.body.contains(part), "{page}: {part}");
        }
        assert_eq!(seen.body.matches("<script").count(), 1, "{page}");
        assert!(seen.body.contains("<script type=\"module\" src=\"/assets/live.js\"></script>"), "{page}");
        for never in [" style=", "onclick=", "javascript:", "http-equiv"] {
            assert!(!seen.body.contains(never), "{page}: {never}");
        }
        assert_eq!(seen.headers["cache-control"], "no-store", "{page}");
    }
    // Pages without the module do not let one run.
    let seen = Browser::new(&stage.served, "").get("/signin/nobody").await;
    assert!(!seen.headers["content-security-policy"].to_str().unwrap().contains("script-src"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_is_text_wherever_it_is_shown() {
    let hostile = "<img src=x onerror=alert(1)>\\\"'<script>alert(2)</script>";
    let served = serve().await;
    let mut files = files();
    let clerk = files[2]["text"].as_str().unwrap().replace("Looks at accounts and pays a little", hostile);
    let bank =
        BANK.replace("\"Pay\"", &format!("\"{hostile}\"")).replace("\"A bank\"", &format!("\"{hostile}\""));
    let people = files[0]["text"].as_str().unwrap().replace("\"Maria\"", &format!("\"{hostile}\""));
    (files[0]["text"], files[1]["text"], files[2]["text"]) = (json!(people), json!(bank), json!(clerk));
    served.post("/apply", json!({"files": files, "reason": hostile.replace('\\', "")})).await.ok();
    let written = hostile.replace('\\', "");
    let stage = Stage::over(served, &written, json!({"payee": written, "amount": 900.5})).await;
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    let mut shown = 0;
    for page in pages(&stage).into_iter().chain([format!("/console/agents?q={}", url_of(&written))]) {
        let body = browser.get(&page).await.body;
        assert!(!body.contains("<img") && !body.contains("<script>"), "{page}");
        shown += usize::from(body.contains("&#60;img src=x onerror=alert(1)&#62;"));
    }
    assert!(shown >= 8, "it is shown, as text: {shown}");
}

fn url_of(text: &str) -> String {
    let mut url = reqwest::Url::parse("http://h/").unwrap();
    url.query_pairs_mut().append_pair("q", text);
    url.query().unwrap().trim_start_matches("q=").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_paged_and_searched_here_and_each_is_shown_once() {
    let stage = Stage::set().await;
    let clerk =
        stage.served.plane.replica.latest().directory.agents.values().next().unwrap().as_ref().clone();
    for n in 0..120_u8 {
        let mut agent = clerk.clone();
        agent.name = format!("robot-{n:03}").parse().unwrap();
        agent.id = provost_domain::ids::AgentId::from_bytes([n; 16]);
        put(&stage.served, Object::Agent(agent)).await;
    }
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    let rows = |body: &str| -> Vec<String> {
        let cells = body.split("<th scope=\"row\" data-label=\"Agent\"><a href=\"/console/agents/").skip(1);
        cells.map(|cell| cell.split('"').next().unwrap().to_owned()).collect()
    };
    let (mut found, mut page) = (Vec::new(), "/console/agents?q=ROBOT-&status=active".to_owned());
    for _page in 0..5 {
        let body = browser.get(&page).await.body;
        found.extend(rows(&body));
        let Some(next) = body.split("\" rel=\"next\"").next().filter(|head| head.len() < body.len()) else {
            break;
        };
        page = next.rsplit('"').next().unwrap().replace("&#38;", "&");
    }
    assert_eq!(found.len(), 120);
    assert!(found.is_sorted() && found.first().unwrap() == "robot-000");
    assert_eq!(rows(&browser.get("/console/agents?q=bot-07").await.body).len(), 10);
    assert_eq!(rows(&browser.get("/console/agents?owner=jonas").await.body).len(), 0);
    let strange = browser.get("/console/agents?status=asleep&q=clerk").await.body;
    assert!(strange.contains("asleep” is no state") && rows(&strange) == ["clerk"]);
    assert!(browser.get("/console/agents?q=zzz").await.body.contains("No agent is like this"));
    assert_eq!(browser.get("/console/agents?cursor=%25").await.status, 400);
    assert_eq!(stage.served.get("/agents?q=robot-11").await.ok()["items"].as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_says_why_and_what_would_make_it_possible_and_can_be_proved() {
    let stage = Stage::set().await;
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    let refused = browser.get(&format!("/console/decisions/{}", stage.decisions[1])).await.body;
    assert!(refused.contains("payments above 250 EUR are for people") && refused.contains("900.5"));
    assert!(refused.contains("the same bit by bit") && refused.contains("test/small-payments-only"));
    let list = browser.get("/console/decisions?verdict=deny&since=hour&system=bank").await.body;
    assert!(list.contains(&stage.decisions[1]) && !list.contains(&stage.decisions[0]));
    let by_task = browser.get(&format!("/console/decisions?task={}", stage.task)).await.body;
    assert!(stage.decisions.iter().all(|id| by_task.contains(id.as_str())));

    provost_control::sequencer::sequence_all(&stage.served.plane).await.unwrap();
    let ask = browser.get(&format!("/console/ledger?id={}&kind=change", stage.decisions[1])).await;
    assert_eq!(
        (ask.status, ask.location.as_str()),
        (303, &*format!("/console/ledger/decision/{}", stage.decisions[1]))
    );
    let proof = browser.get(&ask.location).await;
    assert!(proof.status == 200 && proof.body.contains("c2sp.org/tlog-proof"), "{}", proof.body);
    assert_eq!(browser.get("/console/ledger/decision/decision_none").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_told_as_it_went_and_the_overview_says_what_is_wrong() {
    let stage = Stage::set().await;
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    let path = format!("/console/tasks/{}", stage.task);
    let body = browser.get(&path).await.body;
    let place = |text: &str| body.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(place("<strong>Started</strong>") < place(&stage.decisions[0]));
    assert!(place(&stage.decisions[0]) < place(&stage.decisions[1]));
    assert!(place(&stage.decisions[1]) < place("Ends by itself</span>"));

    provost_control::sequencer::sequence_all(&stage.served.plane).await.unwrap();
    let calm = browser.get("/console").await.body;
    assert!(calm.contains("Nothing that the plane knows of") && calm.contains("payments above 250 EUR"));
    let mut task =
        stage.served.plane.replica.latest().directory.tasks.values().next().unwrap().as_ref().clone();
    task.status = provost_domain::task::TaskStatus::Ended;
    let probe = json!({"face": "/mcp/bank", "at": 5, "answer": "accepted", "status": 200});
    task.trial = Some(Box::new(serde_json::from_value(json!({"round": 1, "probes": [probe]})).unwrap()));
    put(&stage.served, Object::Task(task)).await;
    let alarmed = browser.get("/console").await.body;
    assert!(alarmed.contains("/mcp/bank still answered after the end of a task of clerk"));
    let ended = browser.get(&path).await.body;
    assert!(
        ended.contains("still answered") && ended.contains("<code>/mcp/bank</code> was tried after its end")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_told_without_saying_what_and_the_stream_ends_with_the_session() {
    let stage = Stage::set().await;
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    let mut stream = browser.open("/events").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = console::event(&mut stream).await;
    assert!(first.starts_with("event: moved") && first.contains(&stage.decisions[1]), "{first}");
    let id = call(&stage.served, &stage.task, "list_accounts", json!({})).await.to_string();
    let next = console::event(&mut stream).await;
    assert!(next.contains(&id) && !next.contains("clerk") && !next.contains("list_accounts"), "{next}");
    stage.sign_out(&browser).await;
    let mut last = console::event(&mut stream).await;
    if last.starts_with("event: moved") {
        last = console::event(&mut stream).await;
    }
    assert!(last.starts_with("event: over"), "{last}");
    let rest = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await.unwrap().unwrap();
    assert!(rest.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_role_is_taken_and_a_session_has_only_so_many() {
    let stage = Stage::set().await;
    let mut person = stage.served.plane.replica.latest().directory.people
        [&"jonas".parse::<provost_domain::Name>().unwrap()]
        .as_ref()
        .clone();
    person.roles = [Role::Viewer].into();
    put(&stage.served, Object::Person(person.clone())).await;
    let browser = stage.signed_in("jonas", &[]).await;
    let mut streams = Vec::new();
    for _place in 0..12 {
        let stream = browser.open("/events").await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    assert_eq!(browser.open("/events").await.status(), 503);
    person.roles.clear();
    put(&stage.served, Object::Person(person)).await;
    let mut stream = streams.pop().unwrap();
    let mut event = console::event(&mut stream).await;
    while event.starts_with("event: moved") {
        event = console::event(&mut stream).await;
    }
    assert!(event.starts_with("event: over"), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_goes_from_the_address_alone_to_the_console() {
    let stage = Stage::set().await;
    let browser = stage.signed_in("maria", &[Role::Viewer]).await;
    let seen = browser.get("/").await;
    assert_eq!((seen.status, seen.location.as_str()), (303, "/console"));
    let nobody = Browser::new(&stage.served, "").get("/").await;
    assert!(nobody.status == 200 && nobody.body.contains("/console"));
    let over = stage.signed_in_until("maria", &[Role::Viewer], Timestamp::from_millis(1)).await;
    assert_eq!(over.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_and_another_system_asked_for_together_are_said_to_contradict_and_find_nothing_silently_nowhere()
 {
    let stage = Stage::set().await;
    let both = stage.served.get("/decisions?tool=bank/list_accounts&system=bank").await.ok();
    assert_eq!(both["items"].as_array().unwrap().len(), 1);
    let said = stage.served.get("/decisions?tool=bank/list_accounts&system=crm").await;
    assert_eq!(said.status, 422, "{:#}", said.body);
    let said = said.body.to_string();
    assert!(said.contains("is an operation of bank") && said.contains("leave `system` out"), "{said}");
    let maria = stage.signed_in("maria", &[Role::Viewer]).await;
    for page in ["activity", "decisions"] {
        let seen = maria.get(&format!("/console/{page}?tool=bank/list_accounts&system=crm")).await;
        assert_eq!(seen.status, 200);
        assert!(seen.body.contains("so the system crm was left out"), "{}", seen.body);
        assert!(
            seen.body.contains(&stage.decisions[0]) && !seen.body.contains(&stage.decisions[1]),
            "{page}"
        );
    }
}
