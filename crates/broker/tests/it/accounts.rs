//! Accounts that people connected.

use crate::{
    desk::{Desk, ISSUER, name, shown, system, text},
    server::Server,
};
use provost_broker::{BrokerError, Whom, account};
use provost_connect::Secret;
use provost_domain::{Account, DurationMs, Object, System};
use serde_json::json;

async fn connected(desk: &Desk, sealed: &str, refresh: &str) -> Object {
    let account = Account {
        system: name("crm"),
        person: name("maria"),
        sealed: name(sealed),
        scope: None,
        connected: desk.now(),
    };
    let bytes = account::seal_refresh(&desk.sealing, &account.sealed, &Secret::new(refresh.into())).unwrap();
    desk.store.put_sealed(&account.sealed, &bytes).await.unwrap();
    desk.put(Object::Account(account.clone())).await;
    Object::Account(account)
}

async fn stage() -> (Desk, Server, System, Whom) {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let source =
        json!({"kind": "account", "server": server.row("private_key_jwt", false), "lifetime_max": 3_600_000});
    let whom = desk.task(1, "clerk", None, true).await;
    (desk, server, system(source), whom)
}

async fn kept(desk: &Desk, sealed: &str) -> String {
    let bytes = desk.store.sealed(&name(sealed)).await.unwrap().unwrap();
    let secret = account::open_refresh(&desk.sealing, &name(sealed), &bytes).unwrap();
    String::from_utf8(secret.dangerous_expose().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_has_not_connected_is_told_where() {
    let (desk, server, system, whom) = stage().await;
    let error = desk.shown(&system, &whom).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("maria has not connected an account at `crm`: maria can do so at {ISSUER}/accounts/crm")
    );
    connected(&desk, "account_1", "hunter2-refresh-0").await;
    let alone = desk.task(2, "clerk", None, false).await;
    let error = desk.shown(&system, &alone).await.unwrap_err();
    assert!(matches!(error, BrokerError::Nobody { .. }), "{error}");
    assert!(server.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tasks_for_a_person_share_a_token_and_a_refresh_token_that_is_replaced_is_kept() {
    let (desk, server, system, whom) = stage().await;
    connected(&desk, "account_1", "hunter2-refresh-0").await;
    let token = |number: u8| {
        json!({"access_token": format!("hunter2-access-{number}"), "token_type": "Bearer", "expires_in": 600,
            "refresh_token": format!("hunter2-refresh-{number}")})
    };
    server.will_answer(200, &token(1));
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-access-1");
    let asked = server.last();
    assert_eq!(
        (asked.form["grant_type"].as_str(), asked.form["refresh_token"].as_str()),
        ("refresh_token", "hunter2-refresh-0")
    );
    assert_eq!(kept(&desk, "account_1").await, "hunter2-refresh-1");
    let other = desk.task(2, "helper", None, true).await;
    assert_eq!(text(&desk.shown(&system, &other).await.unwrap()), "hunter2-access-1");

    let node = desk.another(2).await;
    server.will_answer(200, &token(2));
    assert_eq!(text(&shown(&node, &system, &whom).await.unwrap()), "hunter2-access-2");
    assert_eq!(
        server.last().form["refresh_token"],
        "hunter2-refresh-1",
        "a used one is never presented again"
    );
    // Without a new one, the old one stays, and it is the next one's turn at once.
    desk.pass(DurationMs::from_mins(20));
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-0");
    assert_eq!(text(&shown(&node, &system, &whom).await.unwrap()), "hunter2-token-1");
    assert_eq!(kept(&desk, "account_1").await, "hunter2-refresh-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_disconnected_is_not_used_once_more_although_it_is_in_hand() {
    let (desk, server, system, whom) = stage().await;
    let account = connected(&desk, "account_1", "hunter2-refresh-0").await;
    desk.shown(&system, &whom).await.unwrap();
    desk.remove(account).await;
    let error = desk.shown(&system, &whom).await.unwrap_err();
    assert!(matches!(error, BrokerError::NotConnected { .. }), "{error}");
    connected(&desk, "account_2", "hunter2-refresh-9").await;
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-1");
    assert_eq!(server.last().form["refresh_token"], "hunter2-refresh-9");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_person_took_back_there_is_to_be_connected_again() {
    let (desk, server, system, whom) = stage().await;
    connected(&desk, "account_1", "hunter2-refresh-0").await;
    server.will_answer(400, &json!({"error": "invalid_grant", "error_description": "hunter2"}));
    let error = desk.shown(&system, &whom).await.unwrap_err();
    assert!(matches!(error, BrokerError::NotConnected { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_refresh_token_opens_under_no_name_that_a_file_could_mention() {
    let (desk, _server, _system, whom) = stage().await;
    connected(&desk, "account_1", "hunter2-refresh-0").await;
    let mut stolen = system(json!({"kind": "sealed"}));
    stolen.credential.as_mut().unwrap().name = name("account_1");
    let error = desk.shown(&stolen, &whom).await.unwrap_err().to_string();
    assert!(error.contains("was moved") && !error.contains("hunter2"), "{error}");
}
