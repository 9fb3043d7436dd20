//! A held call of a client that listens: it stays open, and what people say decides what comes of it. Every test counts at the
//! bank: what happened there is what happened.

use crate::listener::{Client, REVISIONS, calls, waits};
use crate::{
    approvals::{another_node, answer_it, ballot, done, hold, pay, plane, requested, row, settled},
    plane::{Plane, Setup, charter, person, text},
};
use provost_domain::{
    Approval, Clock as _, DurationMs, Object, Timestamp,
    organisation::{ApprovalRules, Group, Organisation},
    policy_file::PolicyFile,
    task::TaskStatus,
};
use provost_lifecycle::approval as life;
use provost_store::SystemClock;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_stays_open_says_for_whom_it_waits_and_brings_its_result_on_the_same_stream() {
    for revision in REVISIONS {
        let plane = plane().await;
        let (_, token) = plane.task().await;
        let client = Client::new(&plane, &token, revision).await;
        let mut said = client.pay(7, 120).await;
        let (words, id) = waits(&plane, &mut said).await;
        assert!(words.starts_with("waiting for ben or maria, until 20") && words.ends_with('Z'), "{words}");
        assert_eq!(calls(&plane), 0);
        answer_it(&plane, &id, "ben", true).await;
        let answer = said.answer().await;
        assert!(done(&answer) && answer["id"] == 7, "{revision}: {answer}");
        assert!(said.next().await.is_none(), "nothing after the answer");
        settled(&plane, &id, "used").await;
        assert_eq!((calls(&plane), plane.outcomes().await), (1, vec!["bank/transfer success".to_owned()]));
        assert_ne!(hold(&plane, &token, pay(120)).await, id, "once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_yes_of_several_is_heard_of_and_the_last_one_makes_the_call() {
    let plane = Plane::start(charter(json!({}))).await;
    for name in ["ben", "kim", "lea"] {
        plane.change(Object::Person(person(name)), 0).await;
    }
    let members = ["ben", "kim", "lea"].map(|name| name.parse().unwrap()).into();
    let organisation = Organisation {
        display: "Acme".into(),
        production_revocation_max: None,
        groups: [("finance".parse().unwrap(), Group { members, needs: 2 })].into(),
        approvals: ApprovalRules::default(),
        changes: Default::default(),
        drills: Default::default(),
        rules: Default::default(),
        autonomy: Default::default(),
        lifecycle: Default::default(),
    };
    plane.change(Object::Organisation(organisation), 0).await;
    let policy = "@id(\"acme/two\") @gate(\"finance\") @reason(\"two of finance\")\n\
                  forbid (principal, action in Action::\"financial\", resource)\n\
                  unless { context.approvals.contains(\"finance\") };";
    plane.change(Object::Policy(PolicyFile { name: "two".parse().unwrap(), text: policy.into() }), 0).await;
    let (_, token) = plane.task().await;
    let client = Client::new(&plane, &token, "2026-07-28").await;
    let mut said = client.pay(1, 120).await;
    let (words, id) = waits(&plane, &mut said).await;
    assert!(words.contains("2 of ben, kim, lea"), "{words}");
    answer_it(&plane, &id, "kim", true).await;
    let next = said.next().await.unwrap();
    let words = next["params"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("ben or lea"), "{next}");
    assert!(next["params"]["progress"].as_f64() > Some(0.001), "progress goes forwards: {next}");
    assert_eq!(calls(&plane), 0);
    // The guardrail asks the owner too; maria is the owner, and the requester only in name.
    answer_it(&plane, &id, "lea", true).await;
    if row(&plane, &id).await.1.status.as_str() == "waiting" {
        answer_it(&plane, &id, "maria", true).await;
    }
    assert!(done(&said.answer().await));
    assert_eq!(calls(&plane), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_instead_of_a_yes_ends_it_with_a_refusal_and_nothing_ran() {
    for revision in REVISIONS {
        for what in ["no", "silence", "taken back", "edited", "suspended", "task ended", "charter", "policy"]
        {
            let plane = plane().await;
            let (task, token) = plane.task().await;
            let client = Client::new(&plane, &token, revision).await;
            let mut said = client.pay(1, 120).await;
            let (_, id) = waits(&plane, &mut said).await;
            let (version, waiting) = row(&plane, &id).await;
            let now = SystemClock.now();
            let put = |row: Approval| Object::Approval(Box::new(row));
            let expected = match what {
                "no" => {
                    answer_it(&plane, &id, "ben", false).await;
                    "ben said no"
                }
                "silence" => {
                    let expires = Timestamp::from_millis(now.as_millis() - 1);
                    plane.change(put(Approval { expires, ..waiting }), version).await;
                    "silence is a no"
                }
                "taken back" => {
                    plane.change(put(life::withdraw(&waiting, "not now", now).unwrap()), version).await;
                    "not now"
                }
                "edited" => {
                    let directory = plane.replica.latest().directory.clone();
                    let change = (pay(100).as_object().unwrap().clone(), waiting.gates.clone());
                    let (original, edited) =
                        life::edit(&waiting, &directory, change, (ballot("ben", true), 0), now).unwrap();
                    plane.change(put(edited), 0).await;
                    plane.change(put(original), version).await;
                    "amount: 120 → 100"
                }
                "suspended" => {
                    let mut agent = plane.agent();
                    agent.status = provost_domain::AgentStatus::Suspended;
                    plane.change(Object::Agent(agent), 1).await;
                    "suspended"
                }
                "task ended" => {
                    let mut ended = plane.replica.latest().directory.tasks[&task].as_ref().clone();
                    ended.status = TaskStatus::Ended;
                    plane.change(Object::Task(ended), 1).await;
                    "has ended"
                }
                "charter" => {
                    // The tool is withdrawn from the agent while it waits.
                    let mut agent = plane.agent();
                    agent.revision += 1;
                    let grants = json!([{"system": "bank", "tools": ["list_accounts"]}]);
                    agent.charter = serde_json::from_value(charter(json!({"grants": grants}))).unwrap();
                    plane.change(Object::Agent(agent), 1).await;
                    "Refused by Provost"
                }
                _ => {
                    let text = "@id(\"acme/never\") @reason(\"payments are closed\")\n\
                                forbid (principal, action in Action::\"financial\", resource);";
                    let name = "never".parse().unwrap();
                    plane.change(Object::Policy(PolicyFile { name, text: text.into() }), 0).await;
                    answer_it(&plane, &id, "ben", true).await;
                    "payments are closed"
                }
            };
            let answer = said.answer().await;
            assert!(!done(&answer) && answer.to_string().contains(expected), "{revision} {what}: {answer}");
            assert_eq!(calls(&plane), 0, "{revision} {what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_makes_nothing_run_and_may_come_again() {
    for revision in REVISIONS {
        let plane = plane().await;
        let (_, token) = plane.task().await;
        let client = Client::new(&plane, &token, revision).await;
        let mut said = client.pay(1, 120).await;
        let (_, id) = waits(&plane, &mut said).await;
        let last = said.last_id.clone();
        drop(said);
        tokio::time::sleep(Duration::from_millis(300)).await; // the hanging up travels
        answer_it(&plane, &id, "ben", true).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!((calls(&plane), row(&plane, &id).await.1.status.as_str()), (0, "granted"), "{revision}");
        let answer = match revision {
            "2025-11-25" => client.comes_back(&last).await.answer().await,
            _ => client.pay(2, 120).await.answer().await,
        };
        assert!(done(&answer), "{revision}: {answer}");
        assert_eq!(calls(&plane), 1, "{revision}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_cancels_makes_nothing_run() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let client = Client::new(&plane, &token, "2025-11-25").await;
    let mut said = client.pay(1, 120).await;
    let (_, id) = waits(&plane, &mut said).await;
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    let request = client.headers(plane.client().post(format!("{}/mcp/bank", plane.url)));
    assert_eq!(request.body(cancelled.to_string()).send().await.unwrap().status(), 202);
    assert!(said.next().await.is_none());
    answer_it(&plane, &id, "ben", true).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(calls(&plane), 0);
}

async fn with_rules(rules: ApprovalRules, change: impl FnOnce(&mut Setup)) -> Plane {
    let mut setup = Setup::charter(charter(json!({"deputies": ["ben"]})));
    change(&mut setup);
    let plane = Plane::start_with(setup).await;
    plane.change(Object::Person(person("ben")), 0).await;
    let organisation = Organisation {
        display: "Acme".into(),
        production_revocation_max: None,
        groups: Default::default(),
        approvals: rules,
        changes: Default::default(),
        drills: Default::default(),
        rules: Default::default(),
        autonomy: Default::default(),
        lifecycle: Default::default(),
    };
    plane.change(Object::Organisation(organisation), 0).await;
    plane
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_bound_it_ends_with_what_everybody_else_is_told() {
    for (open, limit) in [(300, 60_000), (60_000, 300)] {
        let rules = ApprovalRules { hold_open: DurationMs(open), ..ApprovalRules::default() };
        let plane = with_rules(rules, |setup| setup.limits.held_open_max = DurationMs(limit)).await;
        let (_, token) = plane.task().await;
        for revision in REVISIONS {
            let client = Client::new(&plane, &token, revision).await;
            let mut said = client.pay(1, 120).await;
            let answer = said.answer().await;
            let told = requested(&answer);
            assert_eq!((&told["status"], &told["retry"]), (&json!("waiting"), &json!(true)), "{answer}");
            assert!(text(&answer).contains("Make the same call again after the answer"), "{answer}");
        }
    }
    let closed = ApprovalRules { hold_open: DurationMs(0), ..ApprovalRules::default() };
    let plane = with_rules(closed, |_| {}).await;
    let (_, token) = plane.task().await;
    let mut said = Client::new(&plane, &token, "2026-07-28").await.pay(1, 120).await;
    assert!(!said.streams, "an organisation that does not want it");
    requested(&said.answer().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_may_stay_open_are_told_to_come_back() {
    type Change = fn(&mut Setup);
    let bounds: [Change; 2] = [
        |setup| setup.limits.held_open_calls_per_agent_max = 1,
        |setup| setup.limits.held_open_calls_max = 1,
    ];
    for bound in bounds {
        let plane = with_rules(ApprovalRules::default(), bound).await;
        let (_, token) = plane.task().await;
        let client = Client::new(&plane, &token, "2026-07-28").await;
        let mut first = client.pay(1, 120).await;
        waits(&plane, &mut first).await;
        let mut second = client.pay(2, 121).await;
        assert!(!second.streams);
        requested(&second.answer().await);
        drop(first);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(client.pay(3, 121).await.streams, "room again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_wait_for_the_same_call_on_two_nodes_one_makes_it() {
    let plane = plane().await;
    let other = another_node(&plane).await;
    let (_, token) = plane.task().await;
    let mut open = Vec::new();
    for n in 0..6_u32 {
        let client = Client::new(&plane, &token, "2026-07-28").await;
        let client = if n % 2 == 0 { client } else { client.at(&other) };
        let mut said = client.pay(n, 120).await;
        let (_, id) = waits(&plane, &mut said).await;
        open.push((said, id));
    }
    let id = open[0].1.clone();
    assert!(open.iter().all(|(_, other)| *other == id), "one approval for all");
    answer_it(&plane, &id, "ben", true).await;
    let mut made = 0;
    for (mut said, _) in open {
        // Those who came too late are told so, or wait for an approval of their own.
        let next = said.next().await.unwrap();
        made += usize::from(done(&next));
    }
    assert_eq!((made, calls(&plane)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_of_somebody_who_has_left_or_lost_the_role_since_is_worth_nothing() {
    for what in ["left", "no deputy any more"] {
        let plane = plane().await;
        let (_, token) = plane.task().await;
        let id = hold(&plane, &token, pay(120)).await;
        answer_it(&plane, &id, "ben", true).await;
        match what {
            "left" => {
                let gone = provost_domain::Person { active: false, ..person("ben") };
                plane.change(Object::Person(gone), 1).await;
            }
            _ => {
                // Without another revision, as if the charter had been the same: the person alone decides it.
                let mut agent = plane.agent();
                agent.charter.deputies = Vec::new().into();
                plane.change(Object::Agent(agent), 1).await;
            }
        }
        let again = hold(&plane, &token, pay(120)).await;
        assert_eq!(again, format!("{id}_2"), "{what}: somebody else is asked");
        let withdrawn = row(&plane, &id).await.1;
        assert!(format!("{:?}", withdrawn.status).contains("ben, who said yes"), "{withdrawn:?}");
        assert_eq!(calls(&plane), 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_that_was_sent_to_a_page_hears_when_it_was_answered() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let opens = json!({"elicitation": {"url": {}}});
    let client = Client::with(&plane, &token, "2025-11-25", opens).await;
    let mut events = client.listens().await;
    let mut first = client.pay(1, 120).await;
    let sent = first.answer().await;
    assert_eq!(sent["error"]["code"], -32042, "{sent}");
    let id = sent["error"]["data"]["elicitations"][0]["elicitationId"].as_str().unwrap().to_owned();
    let mut second = client.pay(2, 120).await;
    let (_, same) = waits(&plane, &mut second).await;
    assert_eq!(same, id, "it comes back, and its call stays open");
    answer_it(&plane, &id, "ben", true).await;
    let told = events.next().await.unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["elicitationId"]),
        (&json!("notifications/elicitation/complete"), &json!(id))
    );
    assert!(done(&second.answer().await));
    assert_eq!(calls(&plane), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_asks_where_its_own_held_call_stands_and_nobody_elses() {
    let plane = plane().await;
    let (_, token) = plane.task().await;
    let (_, other) = plane.task().await;
    let id = hold(&plane, &token, pay(120)).await;
    let ask = async |token: &str, id: &str, wait: &str| {
        let request = plane.client().get(format!("{}/held/{id}{wait}", plane.url)).bearer_auth(token);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, stands) = ask(&token, &id, "").await;
    assert_eq!(
        (status, &stands["status"], &stands["retry"]),
        (200, &json!("waiting"), &json!(true)),
        "{stands}"
    );
    assert!(stands["message"].as_str().unwrap().starts_with("waiting for ben"), "{stands}");
    for (token, id) in [(&other, id.as_str()), (&token, "approval_0")] {
        let (status, problem) = ask(token, id, "").await;
        assert!(status == 404, "{id}: {problem}");
    }
    assert_eq!(ask("no token", &id, "").await.0, 401);
    let (waited, ()) = tokio::join!(ask(&token, &id, "?wait_ms=8000"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer_it(&plane, &id, "ben", true).await;
    });
    assert_eq!(waited.1["status"], "granted", "it heard at once");
    assert_eq!(calls(&plane), 0, "asking runs nothing");
}
