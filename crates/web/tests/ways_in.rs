#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests; and not every test uses all of `common`"
)]

//! Gains that come from no file: an agent that acts again as it is made now, another way for it to prove itself, somebody who
//! answers in another's place. They wait for the same people as a wider charter does.

mod common;

use common::{Served, serve};
use provost_control::{Op, Operator, approval, passkey, plan::Outcome, proposal};
use provost_domain::{Agent, AgentStatus, Object, person::Role};
use serde_json::{Value, json};

async fn plane(environment: &str) -> Served {
    let served = serve().await;
    let mut files = common::files();
    for file in files.as_array_mut().unwrap() {
        let text = file["text"]
            .as_str()
            .unwrap()
            .replace("environment = \"production\"", &format!("environment = \"{environment}\""));
        file["text"] = json!(text);
    }
    let ada = "\n[person.ada]\ndisplay = \"Ada\"\nroles = [\"administrator\"]\n";
    files[0]["text"] = json!(format!("{}{ada}", files[0]["text"].as_str().unwrap()));
    served.post("/apply", json!({ "files": files, "reason": "the test begins" })).await.ok();
    served
}

fn signed_in(served: &Served, person: &str, roles: &[Role]) -> Op {
    Op { subject: Operator::Person(person.parse().unwrap(), roles.iter().copied().collect()), ..served.op() }
}

async fn put(served: &Served, object: Object) {
    let expected = served.plane.store.version(&object.key()).await.unwrap();
    let by = provost_store::Attribution { actor: "test".to_owned(), why: "test".to_owned() };
    let writes = vec![provost_store::Write::Put { object, expected }];
    served.plane.store.commit(provost_store::ChangeSet { by, at: served.plane.now(), writes }).await.unwrap();
    served.plane.replica.catch_up().await.unwrap();
}

async fn becomes(served: &Served, status: AgentStatus) {
    let clerk = served.plane.replica.latest().directory.agents.get("clerk").unwrap().as_ref().clone();
    put(served, Object::Agent(Agent { status, ..clerk })).await;
}

/// The gains: path, what is sent, where it is seen in the agent or person that it is done, and what that says then.
fn gains() -> [(&'static str, Value, &'static str, &'static str, Value); 4] {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    [
        ("/agents/clerk/reapprove", json!({}), "/agents/clerk", "/status", json!("active")),
        ("/agents/clerk/keys", json!({ "jwk": key }), "/agents/clerk", "/proofs/0/kind", json!("key")),
        (
            "/agents/clerk/proofs",
            json!({ "client_id": "https://app.example/c.json" }),
            "/agents/clerk",
            "/proofs/1/kind",
            json!("client"),
        ),
        (
            "/people/maria/away",
            json!({ "to": "jonas", "lasts": "1d" }),
            "/people/maria",
            "/away/to",
            json!("jonas"),
        ),
    ]
}

fn said(body: &Value, more: Value) -> Value {
    let mut body = body.clone();
    let all = body.as_object_mut().unwrap();
    all.insert("reason".to_owned(), json!("wanted"));
    all.extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gains_something_and_is_in_no_file_waits_for_those_who_must_agree() {
    let served = plane("production").await;
    becomes(&served, AgentStatus::PendingReapproval).await;
    for (path, body, at, pointer, then) in gains() {
        // The token has to say whose change it is, and agrees to nothing itself.
        let anonymous = served.post(path, said(&body, json!({}))).await;
        assert_eq!(anonymous.status, 422, "{path}: {:#}", anonymous.body);
        let waits = served.post(path, said(&body, json!({ "person": "jonas" }))).await;
        assert_eq!(
            (waits.status, &waits.body["status"]),
            (202, &json!("waiting")),
            "{path}: {:#}",
            waits.body
        );
        assert_ne!(
            served.get(at).await.ok().pointer(pointer),
            Some(&then),
            "{path}: nothing has changed yet"
        );
        let id = waits.body["id"].as_str().unwrap();
        assert_eq!(waits.body["steps"][0]["words"][0]["reach"], "widens", "{path}");
        let relayed = served.post(&format!("/proposals/{id}/approve"), json!({ "person": "maria" })).await;
        assert_eq!(relayed.status, 403, "{path}: {:#}", relayed.body);
        let (who, roles): (&str, &[Role]) = match path {
            "/people/maria/away" => ("ada", &[Role::Administrator]),
            _ => ("maria", &[]),
        };
        let yes = proposal::approve(&signed_in(&served, who, roles), id, Default::default()).await.unwrap();
        assert_eq!(yes.summary.status, "applied", "{path}");
        assert_eq!(served.get(at).await.ok().pointer(pointer), Some(&then), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_must_agree_they_take_effect_and_the_glass_can_be_broken_with_a_finding() {
    for (environment, more) in
        [("sandbox", json!({})), ("production", json!({ "person": "jonas", "break_glass": true }))]
    {
        let served = plane(environment).await;
        becomes(&served, AgentStatus::PendingReapproval).await;
        for (path, body, at, pointer, then) in gains() {
            if environment == "sandbox" && path == "/people/maria/away" {
                continue; // An administrator is there, so who answers for whom matters everywhere.
            }
            served.post(path, said(&body, more.clone())).await.ok();
            assert_eq!(served.get(at).await.ok().pointer(pointer), Some(&then), "{environment} {path}");
        }
        let found = served.get("/findings?kind=break-glass").await.ok()["items"].as_array().unwrap().len();
        assert_eq!(found, if environment == "sandbox" { 0 } else { 4 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_says_who_stands_in_for_them_and_nobody_without_a_role_for_others() {
    let served = plane("production").await;
    let away = || serde_json::from_value(said(&json!({ "to": "jonas", "lasts": "1d" }), json!({}))).unwrap();
    let name = "maria".parse().unwrap();
    let other = approval::away(&signed_in(&served, "jonas", &[Role::Operator]), &name, away()).await;
    assert!(other.unwrap_err().to_string().contains("themselves only"));
    let own = approval::away(&signed_in(&served, "maria", &[]), &name, away()).await.unwrap();
    assert!(matches!(own, Outcome::Done(())));
    // That she is back gains nobody anything.
    served.post("/people/maria/away", json!({ "reason": "back" })).await.ok();
    let waits =
        approval::away(&signed_in(&served, "ada", &[Role::Administrator]), &name, away()).await.unwrap();
    assert!(matches!(waits, Outcome::Waits(_)), "an administrator is asked as anybody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_waited_to_be_reapproved_waits_again_after_it_was_stopped_and_resumed() {
    let served = plane("production").await;
    let move_to = async |word: &str| {
        served.post(&format!("/agents/clerk/{word}"), json!({ "reason": "r" })).await.ok()["status"].clone()
    };
    assert_eq!(move_to("suspend").await, "suspended");
    assert_eq!(move_to("resume").await, "active", "it acted before");
    becomes(&served, AgentStatus::PendingReapproval).await;
    assert_eq!(move_to("suspend").await, "suspended");
    served.post("/agents/clerk/level", json!({ "level": "read-only", "reason": "r" })).await.ok();
    assert_eq!(
        move_to("resume").await,
        "pending-reapproval",
        "stopping is no way around those who must agree"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_way_in_for_somebody_who_can_sign_in_waits_for_those_who_must_agree_and_is_worth_nothing_before()
 {
    let served = plane("production").await;
    let okta = "[issuer.okta]\ndescription = \"People\"\nissuer = \"https://okta.example\"\nkeys = \"discovery\"\n\
                owner = \"maria\"\n[issuer.okta.people]\nclient_id = \"provost\"\nsign_in = true\n";
    let files = json!([{ "path": "issuers.toml", "text": okta }]);
    let apply = json!({ "files": files, "reason": "r", "person": "maria", "break_glass": true });
    served.post("/apply", apply).await.ok();
    let secret = |link: &Value| link["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let good = |link: &Value| passkey::invite::seen(&served.plane, &secret(link)).is_ok();
    // Who never could gets the first at once: somebody has to begin.
    let first = served.post("/people/jonas/invite", json!({ "reason": "he starts" })).await.ok();
    assert!(good(&first) && first["proposal"].is_null(), "{first}");
    common::device(&served, "jonas").await;
    let link = json!({ "issuer": "okta", "subject": "00u1" });
    for (path, body) in [("/people/jonas/invite", json!({})), ("/people/jonas/logins", link)] {
        let anonymous = served.post(path, said(&body, json!({}))).await;
        assert_eq!(anonymous.status, 422, "{path}: {:#}", anonymous.body);
        let waits = served.post(path, said(&body, json!({ "person": "maria" }))).await;
        assert_eq!(waits.status, 202, "{path}: {:#}", waits.body);
        let invited = path.ends_with("invite");
        let proposal = if invited { &waits.body["proposal"] } else { &waits.body };
        let id = proposal["id"].as_str().unwrap();
        assert!(proposal["steps"].to_string().contains("jonas can sign in already"), "{proposal:#}");
        assert!(!proposal.to_string().contains(&secret(&first)), "no proposal shows a secret");
        let relayed = served.post(&format!("/proposals/{id}/approve"), json!({ "person": "ada" })).await;
        assert_eq!(relayed.status, 403, "{path}: {:#}", relayed.body);
        let logins = async || served.get("/people/jonas").await.ok()["logins"].as_array().map_or(0, Vec::len);
        assert!(if invited { !good(&waits.body) } else { logins().await == 0 }, "{path}: not before");
        let ada = signed_in(&served, "ada", &[Role::Administrator]);
        let yes = proposal::approve(&ada, id, Default::default()).await.unwrap();
        assert_eq!(yes.summary.status, "applied", "{path}");
        assert!(if invited { good(&waits.body) } else { logins().await == 1 }, "{path}: and then it is");
    }
    // An administrator alone makes no second somebody of another either.
    let jonas = "jonas".parse().unwrap();
    let ada = signed_in(&served, "ada", &[Role::Administrator]);
    let wanted = serde_json::from_value(json!({ "reason": "r" })).unwrap();
    let asked = passkey::invite::make(&ada, &jonas, &wanted).await.unwrap();
    assert!(asked.proposal.is_some());
    // What cannot wait is found, and reviewed.
    let broken = json!({ "reason": "his phone is gone", "person": "maria", "break_glass": true });
    let broken = served.post("/people/jonas/invite", broken).await.ok();
    assert!(good(&broken));
    let found = served.get("/findings?kind=break-glass").await.ok();
    assert!(found["items"].to_string().contains("his phone is gone"), "{found:#}");
    // The token takes nobody's last way in, after which it could invite them as somebody new.
    let passkeys = served.get("/people/jonas/passkeys").await.ok();
    let remove = format!("/people/jonas/passkeys/{}/remove", passkeys[0]["id"].as_str().unwrap());
    let last = json!({ "reason": "r", "even_if_last": true });
    assert_eq!(served.post(&remove, last.clone()).await.status, 200, "he has a login, too");
    let unlink = "/people/jonas/logins?issuer=okta&subject=00u1&reason=r";
    let refused = served.delete(unlink).await;
    assert_eq!(refused.status, 403, "{:#}", refused.body);
    let change = provost_api::identity::LoginChange {
        issuer: "okta".parse().unwrap(),
        subject: "00u1".to_owned(),
        reason: "r".to_owned(),
    };
    let ada = signed_in(&served, "ada", &[Role::Administrator]);
    assert!(provost_control::person::unlink(&ada, &jonas, &change).await.unwrap().logins.is_empty());
}
