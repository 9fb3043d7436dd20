#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Reaching people over real sockets: who is told, what a receiver that fails sees, and what a decision elsewhere leads to.

mod common;
#[path = "common/receiver.rs"]
mod receiver;

use common::{Served, serve};
use provost_control::outbox;
use provost_domain::DurationMs;
use receiver::{Does, Receiver};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

async fn plane(channels: &str) -> (Served, String) {
    let served = serve().await;
    let mut files = common::files();
    let all = files.as_array_mut().unwrap();
    // People of its own stand in the place of the usual ones.
    all.retain(|file| file["path"] != "organisation.toml" || !channels.contains("[person.maria]"));
    all.push(json!({ "path": "channels.toml", "text": channels }));
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    // What was before the first look is nobody's news.
    outbox::once(&served.plane).await.unwrap();
    let task = served.task().await["task"]["id"].as_str().unwrap().to_owned();
    (served, task)
}

async fn seal(served: &Served, name: &str, secret: &str) {
    let body = json!({ "secret": secret, "reason": "the test begins" });
    served.put(&format!("/credentials/{name}"), body).await.ok();
}

fn webhook(url: &str, more: &str) -> String {
    format!(
        "[channel.ops]\ndescription = \"Operations\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecrets = [\"hook\"]\n{more}"
    )
}

async fn pay(served: &Served) -> usize {
    outbox::once(&served.plane).await.unwrap()
}

/// Pays as if so much time had passed.
async fn pay_later(served: &Served, by: DurationMs) -> usize {
    let later = common::later(served, by).await;
    let paid = outbox::once(&later).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
    paid
}

async fn state_of(served: &Served, id: &str) -> Value {
    served.get(&format!("/deliveries/{id}")).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_is_told_once_signed_and_what_was_decided_elsewhere_follows() {
    let receiver = Receiver::default();
    let (served, task) = plane(&webhook(&receiver.start().await, "")).await;
    seal(&served, "hook", SECRET).await;
    common::asked(&served, &task, "12.5").await;
    pay(&served).await;
    pay(&served).await;
    assert_eq!(receiver.kinds(), ["provost.asked"], "once");
    let got = receiver.got().remove(0);
    assert!(got.id.starts_with("delivery_") && got.signature.starts_with("v1,"), "{}", got.signature);
    let data = &got.body["data"];
    assert_eq!(data["title"], "clerk wants to call bank/transfer");
    assert_eq!(data["facts"]["may answer"], "maria");
    let link = data["link"].as_str().unwrap();
    assert_eq!(link, format!("http://{}/approvals/approval_12.5", served.address));
    assert_eq!(state_of(&served, &got.id).await["state"], "delivered");

    let yes = json!({ "person": "maria", "reason": "fine" });
    served.post("/approvals/approval_12.5/approve", yes).await.ok();
    pay(&served).await;
    pay(&served).await;
    assert_eq!(receiver.kinds(), ["provost.asked", "provost.decided"], "once");
    let after = receiver.got().remove(1);
    assert_eq!(after.body["data"]["title"], "Approved: clerk wanted to call bank/transfer");
    assert_ne!(after.id, got.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_a_message_shows_the_sign_in_and_decides_nothing() {
    let receiver = Receiver::default();
    let (served, task) = plane(&webhook(&receiver.start().await, "")).await;
    seal(&served, "hook", SECRET).await;
    common::asked(&served, &task, "12.5").await;
    pay(&served).await;
    let link = receiver.got()[0].body["data"]["link"].as_str().unwrap().to_owned();
    let before = served.plane.store.head().await.unwrap();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
        let answer = client.request(method, &link).send().await.unwrap();
        assert!(!answer.status().is_server_error(), "{}", answer.status());
    }
    assert_eq!(served.plane.store.head().await.unwrap(), before);
    assert_eq!(served.get("/approvals/approval_12.5").await.ok()["status"], "waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_not_gone_out_when_it_was_decided_is_withdrawn_and_followed_by_nothing() {
    let receiver = Receiver::default();
    // The secret is not set, so nothing can go out.
    let (served, task) = plane(&webhook(&receiver.start().await, "")).await;
    common::asked(&served, &task, "12.5").await;
    provost_control::outbox::once(&served.plane).await.unwrap();
    served.post("/approvals/approval_12.5/refuse", json!({ "person": "maria", "reason": "no" })).await.ok();
    pay_later(&served, DurationMs::from_mins(2)).await;
    let rows = served.get("/deliveries?about=approval_12.5").await.ok();
    let states: Vec<&str> =
        rows["items"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert!(receiver.got().is_empty() && !states.contains(&"delivered"), "{rows:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_tried_again_with_the_same_id_and_a_later_message_waits() {
    let receiver = Receiver::default();
    let (served, task) = plane(&webhook(&receiver.start().await, "")).await;
    seal(&served, "hook", SECRET).await;
    receiver.does(&[Does::Answers(503), Does::AsksForPatience(429, 120)]);
    common::asked(&served, &task, "1").await;
    common::asked(&served, &task, "2").await;
    pay(&served).await;
    assert_eq!(receiver.got().len(), 1, "the second waits for the first");
    pay_later(&served, DurationMs::from_secs(20)).await;
    assert_eq!(receiver.got().len(), 2);
    pay_later(&served, DurationMs::from_secs(60)).await;
    assert_eq!(receiver.got().len(), 2, "it asked for two minutes");
    let id = receiver.got()[0].id.clone();
    let row = state_of(&served, &id).await;
    assert_eq!((&row["state"], &row["attempts"]), (&json!("due"), &json!(2)));
    assert!(row["said"].as_str().unwrap().contains("429"), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_given_up_and_tried_again_only_because_a_person_says_so() {
    let receiver = Receiver::default();
    let (served, task) = plane(&webhook(&receiver.start().await, "events = [\"asked\"]\n")).await;
    seal(&served, "hook", SECRET).await;
    receiver.does(&[Does::Answers(410)]);
    common::asked(&served, &task, "1").await;
    pay(&served).await;
    pay_later(&served, DurationMs::from_mins(1)).await;
    assert_eq!(receiver.got().len(), 1);
    let id = receiver.got()[0].id.clone();
    assert_eq!(state_of(&served, &id).await["state"], "given-up");
    let found = served.get("/findings?kind=delivery-given-up").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let path = format!("/deliveries/{id}/retry");
    assert_eq!(served.post(&path, json!({ "reason": "" })).await.status, 422);
    served.post(&path, json!({ "reason": "it is back" })).await.ok();
    pay_later(&served, DurationMs::from_mins(2)).await;
    assert_eq!(state_of(&served, &id).await["state"], "delivered");
    assert_eq!(receiver.got()[1].id, id, "the same id");
    assert_eq!(served.post(&path, json!({ "reason": "again" })).await.status, 409);
}

/// The failure table of `outbox`: down between the request and the mark.
#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_goes_down_after_sending_sends_again_under_the_same_id() {
    let receiver = Receiver::default();
    let (served, task) = plane(&webhook(&receiver.start().await, "")).await;
    seal(&served, "hook", SECRET).await;
    receiver.does(&[Does::StaysSilent]);
    common::asked(&served, &task, "1").await;
    let plane = Arc::clone(&served.plane);
    let sending = tokio::spawn(async move { outbox::once(&plane).await });
    while receiver.got().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    pay(&served).await;
    assert_eq!(receiver.got().len(), 1, "the attempt is claimed: it may still be under way elsewhere");
    pay_later(&served, DurationMs::from_mins(2)).await;
    let got = receiver.got();
    assert_eq!((got.len(), &got[0].id), (2, &got[1].id));
    assert_eq!(state_of(&served, &got[0].id).await["state"], "delivered");
}

/// Down between the row and the position, and two nodes at once: what is owed once is owed once.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_read_twice_and_nodes_that_read_them_at_once_tell_once() {
    let receiver = Receiver::default();
    let (served, task) = plane(&webhook(&receiver.start().await, "")).await;
    seal(&served, "hook", SECRET).await;
    let position = served.plane.store.meta("outbox-position").await.unwrap().unwrap();
    for amount in ["1", "2", "3"] {
        common::asked(&served, &task, amount).await;
    }
    let other = common::later(&served, DurationMs(0)).await;
    let (one, two) = tokio::join!(outbox::once(&served.plane), outbox::once(&other));
    one.unwrap();
    two.unwrap();
    served.plane.store.put_meta("outbox-position", &position).await.unwrap();
    pay(&served).await;
    let mut ids: Vec<String> = receiver.got().into_iter().map(|got| got.id).collect();
    assert_eq!(ids.len(), 3);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answering_tells_who_may_now_and_a_broken_glass_tells_who_is_accountable() {
    let receiver = Receiver::default();
    let people = "[organisation]\ndisplay = \"Test Ltd\"\nproduction_revocation_max = \"24h\"\napprovals = { escalate_after = \"1m\" }\n\
        [person.boss]\ndisplay = \"Boss\"\nroles = [\"administrator\"]\n[person.maria]\ndisplay = \"Maria\"\nmanager = \"boss\"\n";
    let only = webhook(&receiver.start().await, "people = [\"boss\"]\n");
    let (served, task) = plane(&format!("{people}{only}")).await;
    seal(&served, "hook", SECRET).await;
    common::asked(&served, &task, "1").await;
    pay(&served).await;
    assert!(receiver.got().is_empty(), "it is none of the manager's business yet");
    pay_later(&served, DurationMs::from_mins(2)).await;
    pay_later(&served, DurationMs::from_mins(2)).await;
    assert_eq!(receiver.kinds(), ["provost.escalated"]);
    let glass = json!({ "person": "boss", "reason": "the house is on fire", "break_glass": true });
    served.post("/approvals/approval_1/approve", glass).await.ok();
    pay_later(&served, DurationMs::from_mins(2)).await;
    pay_later(&served, DurationMs::from_mins(2)).await;
    let mut kinds = receiver.kinds();
    kinds.sort();
    assert_eq!(kinds, ["provost.break-glass", "provost.decided", "provost.escalated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_and_teams_get_their_own_bodies_and_hostile_text_stays_text() {
    let (slack, teams) = (Receiver::default(), Receiver::default());
    let channels = "[channel.slack]\ndescription = \"S\"\nkind = \"slack\"\naddress = \"slack-url\"\n\
        [channel.teams]\ndescription = \"T\"\nkind = \"teams\"\naddress = \"teams-url\"\n";
    let (served, _task) = plane(channels).await;
    seal(&served, "slack-url", &slack.start().await).await;
    seal(&served, "teams-url", &teams.start().await).await;
    let hostile = "<!channel> [click](https://evil.example) {{DATE(x)}} *bold* <https://evil.example|ok>";
    let body = json!({ "agent": "clerk", "purpose": hostile });
    let task = served.post("/tasks", body).await.ok()["task"]["id"].as_str().unwrap().to_owned();
    common::asked(&served, &task, "1").await;
    pay(&served).await;
    let slack = slack.got().remove(0).body;
    let text = slack.to_string();
    assert!(text.contains("&lt;!channel&gt;") && !text.contains("<!channel>"), "{text}");
    for block in slack["blocks"].as_array().unwrap() {
        let marked = block["text"]["type"] == "mrkdwn";
        assert!(!(marked && block.to_string().contains("evil")), "{block}");
    }
    let teams = teams.got().remove(0).body;
    let card = &teams["attachments"][0]["content"];
    assert_eq!(
        (&card["type"], &card["actions"][0]["type"]),
        (&json!("AdaptiveCard"), &json!("Action.OpenUrl"))
    );
    for block in card["body"].as_array().unwrap().iter().filter(|block| block["type"] == "TextBlock") {
        assert!(!block.to_string().contains("evil"), "{block}");
    }
    assert!(!card.to_string().contains("{{"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_address_is_in_no_record_no_answer_and_no_error() {
    let (served, task) =
        plane("[channel.slack]\ndescription = \"S\"\nkind = \"slack\"\naddress = \"slack-url\"\n").await;
    // Nobody listens there.
    seal(&served, "slack-url", "http://127.0.0.1:9/services/T0/hunter2-hunter2").await;
    common::asked(&served, &task, "1").await;
    pay(&served).await;
    let rows = served.get("/deliveries").await.ok();
    assert_eq!(rows["items"][0]["attempts"], 1, "{rows}");
    let shown = served.get("/channels/slack").await.ok();
    assert_eq!(shown["secrets"][0]["set"], true);
    let records = served.plane.store.tail(provost_domain::Seq(0), 1_000).await.unwrap();
    let all = format!("{rows}{shown}{}", serde_json::to_string(&records).unwrap());
    assert!(!all.contains("hunter2"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_may_not_lead_inside_the_network() {
    let (served, task) =
        plane("[channel.slack]\ndescription = \"S\"\nkind = \"slack\"\naddress = \"slack-url\"\n").await;
    for inside in ["https://169.254.169.254/latest", "https://10.0.0.7/hook", "http://hooks.example/clear"] {
        seal(&served, "slack-url", inside).await;
        let test = json!({ "reason": "because of the test" });
        let sent = served.post("/channels/slack/test", test).await.ok();
        pay_later(&served, DurationMs::from_mins(60)).await;
        let id = sent["id"].as_str().unwrap();
        let row = state_of(&served, id).await;
        assert_eq!(row["state"], "due", "{inside}");
        let said = row["said"].as_str().unwrap_or_default().to_owned();
        if row["attempts"] == 1 {
            assert!(said.contains("may not be") || said.contains("must be https"), "{inside}: {said}");
        }
    }
    drop(task);
}

/// Receivers written by others, in a process of their own.
struct Others {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<Value>,
    ports: Value,
}

impl Drop for Others {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Others {
    fn start() -> Self {
        use std::{
            io::{BufRead as _, BufReader},
            process::{Command, Stdio},
        };
        let interop = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop");
        let ready = Command::new(format!("{interop}/setup.sh")).status().unwrap();
        assert!(ready.success(), "tests/interop/setup.sh");
        let mut child = Command::new(format!("{interop}/.venv/bin/python"))
            .arg(format!("{interop}/clients/receiver.py"))
            .env("SECRET", SECRET)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(serde_json::from_str(&line).unwrap()).is_err() {
                    break;
                }
            }
        });
        let ports = lines.recv_timeout(Duration::from_secs(60)).unwrap();
        Self { child, lines, ports }
    }

    fn next(&self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_receivers_take_the_signed_request_and_the_mail() {
    let others = Others::start();
    let (http, smtp) = (&others.ports["http"], &others.ports["smtp"]);
    let channels = format!(
        "[person.maria]\ndisplay = \"Maria\"\nemail = \"maria@acme.example\"\n{}\
         [channel.mail]\ndescription = \"Everybody's own mail\"\nkind = \"email\"\nhost = \"127.0.0.1\"\nport = {smtp}\n\
         tls = \"none\"\nfrom = \"Provost <provost@acme.example>\"\ndetails = false\n",
        webhook(&format!("http://127.0.0.1:{http}/hook"), "")
    );
    let (served, task) = plane(&channels).await;
    seal(&served, "hook", SECRET).await;
    common::asked(&served, &task, "12.5").await;
    pay(&served).await;
    let (mut hook, mut mail) = (Value::Null, Value::Null);
    for _ in 0..2 {
        let got = others.next();
        match got.get("hook") {
            Some(got) => hook = got.clone(),
            None => mail = got["mail"].clone(),
        }
    }
    assert_eq!(hook["body"]["data"]["facts"]["agent"], "clerk", "{hook}");
    assert_eq!(mail["to"], json!(["maria@acme.example"]), "{mail}");
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("Subject: [Provost] clerk wants to call bank/transfer"), "{text}");
    assert!(text.contains("/approvals/approval_12.5") && !text.contains("ACME"), "no arguments here: {text}");
    let rows = served.get("/deliveries?lane=channel/mail/maria").await.ok();
    assert_eq!(rows["items"][0]["state"], "delivered", "{rows}");
}
