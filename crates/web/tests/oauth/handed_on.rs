//! Authority that is handed on, introspected, taken back; keys that rotate.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn targets_scopes_and_details_beyond_the_charter_are_refused() {
    let served = ready().await;
    let base = &served.plane.issuer;
    let (elsewhere, unknown) = ("https://elsewhere/mcp".to_owned(), format!("{base}/mcp/vault"));
    let details = |text: &str| ("authorization_details", text.to_owned(), "invalid_authorization_details");
    let table = [
        ("resource", elsewhere, "invalid_target"),
        ("resource", unknown, "invalid_target"),
        ("scope", "vault".to_owned(), "invalid_scope"),
        details(r#"[{"type":"other","system":"bank"}]"#),
        details(r#"[{"type":"provost_task","system":"bank","colour":"red"}]"#),
        ("authorization_details", r#"[{"type":"provost_task","system":"bank","tools":["rob"]}]"#.to_owned(), "invalid_grant"),
        ("authorization_details", r#"[{"type":"provost_task","system":"bank","tools":["transfer"],"args":{"nonsense":{"max":"1"}}}]"#.to_owned(), "invalid_request"),
        (
            "authorization_details",
            r#"[{"type":"provost_task","system":"bank","locations":["https://elsewhere/mcp"]}]"#.to_owned(),
            "invalid_authorization_details",
        ),
        ("requester", "jonas".to_owned(), "invalid_request"),
    ];
    for (name, value, error) in table {
        let (status, body) =
            CLERK.bound(&served, &[("grant_type", "client_credentials"), (name, &value)]).await;
        assert_eq!((status, body["error"].as_str()), (400, Some(error)), "{name}={value}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_is_handed_on_within_depth_and_breadth_and_dies_with_its_source() {
    let served = ready().await;
    let named = [("grant_type", "client_credentials"), ("may_act", "helper")];
    let (status, parent) = CLERK.bound(&served, &named).await;
    assert_eq!(status, 200, "{parent}");
    let token = parent["access_token"].as_str().unwrap();
    let more = |token: &'static str| {
        [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ]
    };
    let token: &'static str = Box::leak(token.to_owned().into_boxed_str());
    let (status, child) = HELPER.bound(&served, &more(token)).await;
    assert_eq!(status, 200, "{child}");
    assert_eq!(child["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    let held = child["access_token"].as_str().unwrap();
    let claims = served.plane.token_keys.verifier().issued(held, served.plane.now()).unwrap();
    assert_eq!(claims.chain().iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["helper", "clerk"]);
    assert_eq!(claims.actor().as_str(), "helper");
    let own = served.plane.token_keys.verifier().issued(token, served.plane.now()).unwrap();
    assert!(claims.exp <= own.exp);

    // A bound token that names nobody is worth nothing to whoever found it.
    let unnamed = CLERK.own(&served).await["access_token"].as_str().unwrap().to_owned();
    let unnamed: &'static str = Box::leak(unnamed.into_boxed_str());
    let (status, body) = HELPER.bound(&served, &more(unnamed)).await;
    assert_eq!(status, 400, "{body}");
    assert!(body["error_description"].as_str().unwrap().contains("may_act"), "{body}");
    // Depth: the clerk allows one level. Around: nobody exchanges a token of a chain they are in.
    let held: &'static str = Box::leak(held.to_owned().into_boxed_str());
    assert_eq!(CLERK.bound(&served, &more(held)).await.0, 400);
    assert_eq!(CLERK.bound(&served, &more(token)).await.0, 400);
    // Breadth: two children, and no third.
    assert_eq!(HELPER.bound(&served, &more(token)).await.0, 200);
    let (status, body) = HELPER.bound(&served, &more(token)).await;
    assert_eq!(status, 400, "{body}");
    assert!(body["error_description"].as_str().unwrap().contains("children"), "{body}");

    // The end of the parent is the end of the child, seen or not.
    let child_task = child["task"].as_str().unwrap();
    served
        .post(&format!("/tasks/{}/end", parent["task"].as_str().unwrap()), json!({"reason": "done"}))
        .await
        .ok();
    let task = served.get(&format!("/tasks/{child_task}")).await.ok();
    assert_eq!(task["status"], "ended");
    assert_eq!(HELPER.bound(&served, &more(token)).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_known_to_those_it_names_until_it_is_taken_back() {
    let served = ready().await;
    let granted = CLERK.own(&served).await;
    let token = granted["access_token"].as_str().unwrap();
    let ask = async |runtime: &Runtime| {
        send(&served, "introspect", &runtime.form(&served, &[("token", token)]), None).await.1
    };
    let seen = ask(&CLERK).await;
    assert_eq!((seen["active"].as_bool(), seen["token_type"].as_str()), (Some(true), Some("DPoP")), "{seen}");
    assert!(seen["cnf"]["jkt"].is_string());
    assert_eq!(ask(&HELPER).await, json!({"active": false}), "it is not the helper's");
    let (status, body) = send(&served, "revoke", &HELPER.form(&served, &[("token", token)]), None).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(send(&served, "revoke", &CLERK.form(&served, &[("token", "rubbish")]), None).await.0, 200);
    assert_eq!(send(&served, "revoke", &CLERK.form(&served, &[("token", token)]), None).await.0, 200);
    assert_eq!(ask(&CLERK).await, json!({"active": false}));
    let task = served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(task["status"], "running", "the task goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_handed_on_is_not_asked_for_again_for_more_than_its_token() {
    let served = ready().await;
    let bank = format!("{}/mcp/bank", served.plane.issuer);
    let more = [("grant_type", "client_credentials"), ("resource", bank.as_str()), ("may_act", "helper")];
    let (_status, granted) = CLERK.bound(&served, &more).await;
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", granted["access_token"].as_str().unwrap()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    let (status, handed) = HELPER.bound(&served, &exchange).await;
    assert_eq!(status, 200, "{handed}");
    let child = handed["task"].as_str().unwrap();
    let shown = served.get(&format!("/tasks/{child}")).await.ok();
    assert_eq!(shown["scope"][0]["system"], "bank", "its task reaches no further than its token");
    for resource in [bank.clone(), format!("{}/mcp", served.plane.issuer)] {
        let more = [("grant_type", "client_credentials"), ("task", child), ("resource", resource.as_str())];
        let (status, refusal) = HELPER.bound(&served, &more).await;
        assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_oauth_client_gets_hands_on_and_takes_back_a_bound_token() {
    let served = ready().await;
    let interop = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop");
    let ready = std::process::Command::new(format!("{interop}/setup.sh")).status().unwrap();
    assert!(ready.success(), "tests/interop/setup.sh");
    let ran = tokio::process::Command::new("node")
        .arg(format!("{interop}/clients/oauth.mjs"))
        .env("ISSUER", &served.plane.issuer)
        .env("ADMIN_TOKEN", &served.token)
        .env("AGENT", "clerk")
        .env("SUB_AGENT", "helper")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["token_type"], "dpop");
    assert_eq!(said["handed"], "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!((&said["bound"], &said["active_before"]), (&json!(true), &json!(true)));
    assert_eq!(said["active_after"], json!(false));
}
