//! Tokens: asked for as the standards say, once for a task, and taken back.

use crate::{
    desk::{Desk, ISSUER, key, keys, shown, sweep, system, text, verified},
    server::Server,
};
use provost_broker::BrokerError;
use provost_domain::{DurationMs, Object, Person};
use provost_token::{CLIENT_ALGORITHMS, ClientAssertionRules, IdJagRules, verify_client, verify_id_jag};
use serde_json::{Value, json};

fn source(kind: &str, server: Value) -> Value {
    let mut source = json!({"kind": kind, "server": server, "lifetime_max": 3_600_000});
    if kind == "token-exchange" {
        source["subject"] = json!("agent");
    }
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_is_asked_for_however_many_ask_at_once_and_another_when_it_is_due() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    desk.seal("crm-key", "client secret: hunter2/+").await;
    let mut source = source("client-credentials", server.row("client_secret_basic", false));
    (source["scope"], source["resource"]) = (json!("read write"), json!("https://crm.example"));
    let (system, whom) = (system(source), desk.task(1, "clerk", None, false).await);
    let all = futures::future::join_all((0..20).map(|_| desk.shown(&system, &whom))).await;
    assert!(all.iter().all(|one| text(one.as_ref().unwrap()) == "hunter2-token-0"));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    // RFC 6749 section 2.3.1: encoded as in a form, then as in HTTP.
    assert_eq!(
        asked[0].authorization.as_deref(),
        Some("Basic cHJvdm9zdDpjbGllbnQrc2VjcmV0JTNBK2h1bnRlcjIlMkYlMkI=")
    );
    let form: Vec<(&str, &str)> =
        asked[0].form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let wanted =
        [("grant_type", "client_credentials"), ("resource", "https://crm.example"), ("scope", "read write")];
    assert_eq!(form, wanted);

    let other = desk.task(2, "clerk", None, false).await;
    assert_eq!(
        text(&desk.shown(&system, &other).await.unwrap()),
        "hunter2-token-1",
        "another task, another token"
    );
    desk.pass(DurationMs::from_secs(530));
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-0");
    desk.pass(DurationMs::from_secs(20));
    server.will_answer(503, &json!({}));
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-0", "it is good for a while");
    desk.pass(DurationMs::from_secs(10));
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-2");
    desk.pass(DurationMs::from_secs(700));
    server.will_answer(503, &json!({}));
    assert!(desk.shown(&system, &whom).await.is_err(), "what has expired is not shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_system_refused_is_not_shown_again() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let system = system(source("client-credentials", server.row("private_key_jwt", false)));
    let whom = desk.task(1, "clerk", None, false).await;
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-0");
    desk.broker.refused(&system, || whom.clone());
    assert_eq!(server.asked().len(), 1, "nothing is asked for before it is needed");
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-1");
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-token-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plane_proves_who_it_is_with_its_own_key() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let system = system(source("client-credentials", server.row("private_key_jwt", false)));
    desk.shown(&system, &desk.task(1, "clerk", None, false).await).await.unwrap();
    let asked = server.last();
    let rules = ClientAssertionRules {
        issuer: &server.url,
        token_endpoint: None,
        algorithms: CLIENT_ALGORITHMS,
        ahead_seconds_max: 60,
    };
    verify_client(&asked.form["client_assertion"], "provost", &keys(), &rules, desk.now()).unwrap();
    assert_eq!(asked.form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!((asked.form["client_id"].as_str(), asked.authorization), ("provost", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_says_for_whom_it_is_and_who_acts() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let mut source = source("token-exchange", server.row("private_key_jwt", false));
    (source["audience"], source["resource"]) = (json!("crm"), json!("https://crm.example"));
    let clerk = desk.task(1, "clerk", None, true).await;
    let helper = desk.task(2, "helper", Some(&clerk), true).await;
    let actor = |name: &str| json!({"sub": name, "iss": ISSUER});
    let mut nested = actor("helper");
    nested["act"] = actor("clerk");
    let table = [
        ("agent", &clerk, "clerk", Value::Null),
        ("agent", &helper, "clerk", actor("helper")),
        ("person", &clerk, "maria", actor("clerk")),
        ("person", &helper, "maria", nested),
    ];
    for (subject, whom, sub, act) in table {
        source["subject"] = json!(subject);
        let system = system(source.clone());
        desk.shown(&system, whom).await.unwrap();
        let asked = server.last();
        let says = |name: &str| asked.form[name].clone();
        assert_eq!(says("grant_type"), "urn:ietf:params:oauth:grant-type:token-exchange");
        assert_eq!(says("subject_token_type"), "urn:ietf:params:oauth:token-type:jwt");
        assert_eq!(says("requested_token_type"), "urn:ietf:params:oauth:token-type:access_token");
        assert_eq!((says("audience").as_str(), says("resource").as_str()), ("crm", "https://crm.example"));
        let claims = verified(&says("subject_token"), &server.url);
        assert_eq!((&claims["sub"], &claims["act"]), (&json!(sub), &act), "{subject} {}", whom.agent);
        assert_eq!(claims["task"], json!(whom.task.id.to_string()));
        let lives = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((1..=60).contains(&lives) && claims["jti"].as_str().unwrap().len() == 32);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_assertion_is_one_that_a_strict_server_takes_and_only_for_a_task_of_a_person() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let mut source = source("id-jag", server.row("private_key_jwt", false));
    (source["resource"], source["scope"]) = (json!("https://crm.example"), json!("read"));
    let system = system(source);
    let whom = desk.task(1, "clerk", None, true).await;
    desk.shown(&system, &whom).await.unwrap();
    let asked = server.last();
    assert_eq!(asked.form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let rules =
        IdJagRules { provider: ISSUER, issuer: &server.url, client_id: "provost", ahead_seconds_max: 300 };
    let jag = verify_id_jag(&asked.form["assertion"], &keys(), &rules, desk.now()).unwrap();
    assert_eq!((jag.subject.as_str(), jag.email.as_deref()), ("maria", Some("maria@example.org")));
    assert_eq!(jag.resources, ["https://crm.example"]);
    assert_eq!(jag.act.unwrap().sub, "clerk");

    let alone = desk.task(2, "clerk", None, false).await;
    let below = desk.task(3, "helper", Some(&alone), true).await;
    for whom in [alone, below] {
        let refused = desk.shown(&system, &whom).await.unwrap_err();
        assert!(matches!(refused, BrokerError::Nobody { .. }), "{refused}");
    }
    assert_eq!(server.asked().len(), 1, "nobody was asked in their name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_token_is_for_one_system_and_for_minutes_and_never_outlives_its_task() {
    let desk = Desk::new().await;
    let system =
        system(json!({"kind": "signed", "audience": "crm", "lifetime": 120_000, "subject": "agent"}));
    let whom = desk.task(1, "clerk", None, false).await;
    let first = text(&desk.shown(&system, &whom).await.unwrap());
    let claims = verified(&first, "crm");
    assert_eq!(
        (&claims["sub"], claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()),
        (&json!("clerk"), 120)
    );
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), first);
    desk.pass(DurationMs::from_secs(100));
    assert_ne!(text(&desk.shown(&system, &whom).await.unwrap()), first);
    desk.pass(DurationMs::from_mins(58));
    let last = text(&desk.shown(&system, &whom).await.unwrap());
    let payload = jsonwebtoken::dangerous::insecure_decode::<Value>(&last).unwrap().claims;
    assert!(payload["exp"].as_i64().unwrap() <= whom.task.expires.as_seconds());
    desk.pass(DurationMs::from_mins(2));
    assert!(desk.shown(&system, &whom).await.is_err());
    assert_eq!(key().algorithm(), provost_token::Algorithm::Es256);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_would_make_the_bound_a_lie_or_is_none_is_refused_and_not_quoted() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let system = system(source("client-credentials", server.row("private_key_jwt", false)));
    let whom = desk.task(1, "clerk", None, false).await;
    let token = |changes: Value| {
        let mut token = json!({"access_token": "hunter2-hunter2", "token_type": "Bearer", "expires_in": 600});
        for (name, value) in changes.as_object().unwrap() {
            token[name] = value.clone();
        }
        token.to_string()
    };
    let table = [
        (200, token(json!({"expires_in": 3601})), "`lifetime_max` is 1h"),
        (200, token(json!({"expires_in": null})), "without `expires_in`"),
        (200, token(json!({"expires_in": "soon hunter2"})), "no number"),
        (200, token(json!({"token_type": "DPoP"})), "no bearer token"),
        (200, token(json!({"access_token": "hunter2 hunter2"})), "characters no token has"),
        (200, token(json!({"access_token": ""})), "empty"),
        (200, token(json!({"access_token": "x".repeat(9_000)})), "too long"),
        (200, "hunter2".to_owned(), "not a token response"),
        (200, format!("\"{}\"", "hunter2".repeat(20_000)), "longer than 65536"),
        (
            400,
            json!({"error": "invalid_client", "error_description": "hunter2"}).to_string(),
            "`invalid_client`",
        ),
        (400, json!({"error": "hunter2 is bad"}).to_string(), "http status 400"),
        (302, "hunter2".to_owned(), "http status 302"),
        (500, "hunter2".to_owned(), "http status 500"),
    ];
    for (status, body, wanted) in table {
        server.will_say(status, &body);
        let error = desk.shown(&system, &whom).await.unwrap_err().to_string();
        assert!(error.contains(wanted) && !error.contains("hunter2"), "{wanted}: {error}");
    }
    server.will_say(200, &token(json!({"expires_in": "300", "token_type": "bearer"})));
    assert_eq!(text(&desk.shown(&system, &whom).await.unwrap()), "hunter2-hunter2", "text is a number, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_can_be_revoked_is_on_record_before_it_is_asked_for_and_is_revoked_with_its_task() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    desk.seal("crm-key", "s3cret-of-the-client").await;
    let system = system(source("client-credentials", server.row("client_secret_post", true)));
    let whom = desk.task(1, "clerk", None, false).await;
    let replica = std::sync::Arc::clone(&desk.replica);
    server.look(move |asked| {
        let owed = replica.latest().directory.minted.len();
        assert!(asked.path != "/token" || owed == 1, "the row comes first");
    });
    desk.shown(&system, &whom).await.unwrap();
    desk.sweep().await;
    let row = desk.owed().remove(0);
    assert_eq!((row.what.as_str(), row.task, &row.agent), ("oauth-token", whom.task.id, &whom.agent));

    desk.end(&whom).await;
    server.will_answer(503, &json!({}));
    desk.sweep().await;
    assert_eq!(desk.owed().len(), 1, "a revocation that nobody confirmed is owed");
    desk.sweep().await;
    let asked = server.last();
    assert_eq!((asked.path.as_str(), asked.form["token"].as_str()), ("/revoke", "hunter2-token-0"));
    assert_eq!(asked.form["client_secret"], "s3cret-of-the-client");
    assert!(desk.owed().is_empty());
    assert_eq!(desk.ended_as(&row.id).await, "gone");
    assert_eq!(
        desk.store.sealed(&row.id.parse().unwrap()).await.unwrap().unwrap(),
        b"",
        "what was kept is forgotten"
    );
    let times = server.asked().len();
    desk.sweep().await;
    assert_eq!(server.asked().len(), times, "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_revoked_by_another_node_when_the_one_that_asked_for_it_died() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let system = system(source("token-exchange", server.row("private_key_jwt", true)));
    let whom = desk.task(1, "clerk", None, false).await;
    let died = desk.another(2).await;
    shown(&died, &system, &whom).await.unwrap();
    drop(died);
    desk.replica.catch_up().await.unwrap();
    let mut patience = Default::default();
    desk.broker.sweep(&mut patience).await;
    assert_eq!(desk.owed().len(), 1, "the task runs");
    desk.end(&whom).await;
    desk.broker.sweep(&mut patience).await;
    assert_eq!(desk.owed().len(), 1, "the node that made it goes first");
    desk.pass(DurationMs::from_secs(20));
    desk.broker.sweep(&mut patience).await;
    assert!(desk.owed().is_empty());
    assert_eq!(server.last().path, "/revoke");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_got_is_waited_for_until_it_has_expired() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let system = system(source("client-credentials", server.row("private_key_jwt", true)));
    let whom = desk.task(1, "clerk", None, false).await;
    server.will_answer(500, &json!({}));
    desk.shown(&system, &whom).await.unwrap_err();
    desk.end(&whom).await;
    desk.sweep().await;
    let row = desk.owed().remove(0);
    desk.pass(DurationMs::from_mins(63));
    desk.sweep().await;
    assert!(desk.owed().is_empty());
    assert_eq!(
        desk.ended_as(&row.id).await,
        "expired",
        "and the record does not say that anybody saw it gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_obtained_for_a_task_that_is_over() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let whom = desk.task(1, "clerk", None, false).await;
    desk.end(&whom).await;
    for revocation in [true, false] {
        let system = system(source("client-credentials", server.row("private_key_jwt", revocation)));
        assert!(matches!(desk.shown(&system, &whom).await.unwrap_err(), BrokerError::Over));
    }
    desk.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_at_aws_is_asked_for_with_a_token_of_the_plane_and_becomes_three_variables() {
    let (desk, server) = (Desk::new().await, Server::start().await);
    let system = system(
        json!({"kind": "aws-role", "role": "arn:aws:iam::1:role/reader", "audience": "sts.amazonaws.com",
        "endpoint": server.url, "lifetime": 900_000}),
    );
    let whom = desk.task(1, "clerk", None, false).await;
    let answer = |minutes: u64| {
        let ends = desk.now().plus(DurationMs::from_mins(minutes)).as_millis();
        let ends = jiff::Timestamp::from_millisecond(ends).unwrap();
        format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><SessionToken>hunter2-session</SessionToken>\
             <SecretAccessKey>hunter2-secret</SecretAccessKey><Expiration>{ends}</Expiration>\
             <AccessKeyId>hunter2-id</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        )
    };
    server.will_say(200, &answer(60));
    let error = desk.shown(&system, &whom).await.unwrap_err().to_string();
    assert!(error.contains("longer than was asked for"), "{error}");
    server.will_say(200, &answer(15));
    let shown = desk.shown(&system, &whom).await.unwrap();
    assert_eq!((shown.secret(), format!("{shown:?}").contains("hunter2")), (None, false));
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert!(format!("{shown:?}").contains(variable));
    }
    let asked = server.last();
    let says = |name: &str| asked.form[name].as_str();
    assert_eq!((says("Action"), says("Version")), ("AssumeRoleWithWebIdentity", "2011-06-15"));
    assert_eq!((says("RoleArn"), says("DurationSeconds")), ("arn:aws:iam::1:role/reader", "900"));
    assert!(says("RoleSessionName").starts_with("clerk-"));
    assert_eq!(verified(says("WebIdentityToken"), "sts.amazonaws.com")["sub"], "clerk");
    assert_eq!(desk.shown(&system, &whom).await.unwrap(), shown, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_left_is_nobody_to_act_for() {
    let desk = Desk::new().await;
    let whom = desk.task(1, "clerk", None, true).await;
    let maria = desk.directory().people.get("maria").unwrap().as_ref().clone();
    desk.put(Object::Person(Person { active: false, ..maria })).await;
    let system =
        system(json!({"kind": "signed", "audience": "crm", "lifetime": 120_000, "subject": "person"}));
    assert!(desk.shown(&system, &whom).await.is_err());
    sweep(&desk.broker).await;
}
