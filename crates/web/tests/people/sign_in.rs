//! Signing in with somebody else's provider, and out again.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_their_provider_and_out_again_and_it_is_on_record() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    // The plane proved itself to the provider with its own key; there is no secret.
    let redeemed = ready.okta.redeemed.lock().unwrap().clone();
    assert!(redeemed["client_assertion"].len() > 100 && !redeemed.contains_key("client_secret"));
    let directory = ready.served.plane.replica.latest().directory.clone();
    let session = directory.sessions.values().next().unwrap();
    assert_eq!((session.person.as_str(), session.by.as_str()), ("maria", "issuer okta"));
    assert_eq!(serde_json::to_value(&session.roles).unwrap(), json!(["operator"]));
    let maria = ready
        .served
        .plane
        .replica
        .latest()
        .directory
        .people
        .values()
        .find(|p| p.name.as_str() == "maria")
        .unwrap()
        .clone();
    assert_eq!(maria.logins[0].subject, "00u7", "the next time the mail address no longer matters");
    // The cookie is the only place of the secret.
    let cookie = browser.cookies["provost"].clone();
    assert!(!serde_json::to_string(session.as_ref()).unwrap().contains(&cookie));
    let out = browser.post(&ready.url("/signout"), &[]).await;
    assert_eq!(out.status, 200, "{}", out.body);
    assert!(ready.served.plane.replica.latest().directory.sessions.is_empty());
    browser.cookies.insert("provost".to_owned(), cookie);
    let after = browser.get(&ready.request(&[])).await;
    assert!(
        after.location.unwrap().starts_with("/signin?to=%2Foauth%2Fauthorize"),
        "an ended session is nobody's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_whom_the_provider_or_the_organisation_does_not_vouch_for() {
    let ready = Ready::start().await;
    let table = [
        ("a stranger", json!({"sub": "00u9", "email": "mallory@evil.example", "email_verified": true})),
        (
            "an address nobody verified",
            json!({"sub": "00u9", "email": "maria@acme.example", "email_verified": false}),
        ),
        ("no address", json!({"sub": "00u9"})),
        (
            "for another client",
            json!({"sub": "00u1", "aud": "another", "email": "maria@acme.example", "email_verified": true}),
        ),
        (
            "of another sign-in",
            json!({"sub": "00u1", "nonce": "another", "email": "maria@acme.example", "email_verified": true}),
        ),
        (
            "of another issuer",
            json!({"sub": "00u1", "iss": "https://evil.example", "email": "maria@acme.example", "email_verified": true}),
        ),
        (
            "an old token",
            json!({"sub": "00u1", "exp": 1, "email": "maria@acme.example", "email_verified": true}),
        ),
    ];
    for (what, claims) in table {
        ready.says(claims);
        let mut browser = Browser::new();
        let (_place, page) = browser.follow(&ready.url("/signin/okta")).await;
        assert_eq!(page.status, 403, "{what}: {}", page.body);
        assert!(!browser.cookies.contains_key("provost"), "{what}");
    }
    // Somebody who has the mail address now is not who had it before.
    ready.browser_of("00u1", "maria@acme.example").await;
    ready.says(json!({"sub": "00u2", "email": "maria@acme.example", "email_verified": true}));
    let mut browser = Browser::new();
    let (_place, page) = browser.follow(&ready.url("/signin/okta")).await;
    assert_eq!(page.status, 403);
    assert!(ready.served.plane.replica.latest().directory.sessions.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_another_browser_began_signs_nobody_in() {
    let ready = Ready::start().await;
    ready.says(json!({"sub": "00u7", "email": "maria@acme.example", "email_verified": true}));
    let mut attacker = Browser::new();
    let leaving = attacker.get(&ready.url("/signin/okta")).await.location.unwrap();
    let back = attacker.get(&leaving).await.location.unwrap();
    let mut victim = Browser::new();
    let page = victim.get(&back).await;
    assert_eq!(page.status, 403, "the victim would be signed in as the attacker");
    assert!(!victim.cookies.contains_key("provost"));
    // Mixed up, forged, or without who answers.
    for change in [("state", "forged"), ("iss", "https://evil.example"), ("iss", "")] {
        let mut browser = Browser::new();
        let leaving = browser.get(&ready.url("/signin/okta")).await.location.unwrap();
        let back = Url::parse(&browser.get(&leaving).await.location.unwrap()).unwrap();
        let mut spoiled = back.clone();
        spoiled.query_pairs_mut().clear();
        for (name, value) in back.query_pairs() {
            let value = if name == change.0 { change.1 } else { &value };
            if !value.is_empty() {
                spoiled.query_pairs_mut().append_pair(&name, value);
            }
        }
        assert_eq!(browser.get(spoiled.as_str()).await.status, 403, "{change:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_left_is_signed_out_and_their_agents_tokens_end() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u8", "jonas@acme.example").await;
    let clerk = ready.served.plane.replica.latest().directory.agents.values().next().unwrap().clone();
    let mut row = clerk.as_ref().clone();
    row.charter.users = vec!["jonas".parse().unwrap()].into();
    put(&ready.served, Object::Agent(row)).await;
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (status, granted) = ready.redeem(&code, &[]).await;
    assert_eq!(status, 200, "{granted}");
    let jonas = ready
        .served
        .plane
        .replica
        .latest()
        .directory
        .people
        .values()
        .find(|p| p.name.as_str() == "jonas")
        .unwrap()
        .clone();
    let mut gone = jonas.as_ref().clone();
    gone.active = false;
    put(&ready.served, Object::Person(gone)).await;
    let (_status, refusal) = ready.refresh(granted["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refusal["error"], "invalid_grant");
    assert!(refusal["error_description"].as_str().unwrap().contains("left"), "{refusal}");
    let seen = browser.get(&ready.request(&[])).await;
    assert!(seen.location.unwrap().starts_with("/signin"), "their session is nobody's");
    let (_place, page) = browser.follow(&ready.url("/signin/okta")).await;
    assert_eq!(page.status, 403, "and there is no new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_connects_an_account_once_and_takes_it_back_and_nobody_sees_what_opens_it() {
    let ready = Ready::start().await;
    let crm = TestIssuer::start().await;
    let text = format!(
        "[system]\ndescription = \"Customers\"\nenvironment = \"sandbox\"\napi = \"http://127.0.0.1:9/\"\nrevocation_max = \"1m\"\n\
         [system.credential]\nkind = \"account\"\nissuer = \"{0}\"\ntoken_endpoint = \"{0}/token\"\n\
         authorization_endpoint = \"{0}/authorize\"\nrevocation_endpoint = \"{0}/revoke\"\nclient_id = \"provost\"\n\
         scope = \"calendar offline_access\"\n",
        crm.url
    );
    let files = json!([{"path": "systems/crm.toml", "text": text}]);
    ready.served.post("/apply", json!({"files": files, "reason": "a system with accounts"})).await.ok();
    let mut maria = ready.browser_of("00u7", "maria@acme.example").await;
    let page = maria.get(&ready.url("/accounts")).await;
    assert!(
        page.body.contains("Customers") && page.body.contains("calendar offline_access"),
        "{}",
        page.body
    );

    // Somebody else's answer connects nothing: the account would be theirs, and the data too.
    let mut jonas = ready.browser_of("00u8", "jonas@acme.example").await;
    let leaving = jonas.get(&ready.url("/accounts/crm/connect")).await.location.unwrap();
    let back = jonas.get(&leaving).await.location.unwrap();
    assert_eq!(maria.get(&back).await.status, 403);
    assert!(ready.served.plane.replica.latest().directory.accounts.is_empty());

    let (place, page) = maria.follow(&ready.url("/accounts/crm/connect")).await;
    assert!(place.ends_with("/accounts") && page.body.contains("Connected since"), "{place}: {}", page.body);
    let view = ready.served.plane.replica.latest();
    let account = view.directory.accounts.values().next().unwrap();
    assert_eq!((account.person.as_str(), account.system.as_str()), ("maria", "crm"));
    let sealed = ready.served.plane.store.sealed(&account.sealed).await.unwrap().unwrap();
    let opened =
        ready.served.plane.sealing_key.open(&format!("account:{}", account.sealed), &sealed).unwrap();
    assert!(String::from_utf8_lossy(opened.dangerous_expose()).contains("refresh-of-maria"));
    // Sealed where it rests, and nowhere else.
    assert!(!String::from_utf8_lossy(&sealed).contains("refresh-of-maria"));
    for row in ready.served.plane.store.unsequenced(1_000).await.unwrap() {
        assert!(!row.record.contains("refresh-of-maria"), "{}", row.record);
    }
    assert_eq!(jonas.post(&ready.url("/accounts/crm/disconnect"), &[]).await.status, 404, "not his");
    let request =
        maria.client.post(ready.url("/accounts/crm/disconnect")).header("sec-fetch-site", "cross-site");
    assert_eq!(maria.send(request).await.status, 403);
    let gone = maria.post(&ready.url("/accounts/crm/disconnect"), &[]).await;
    assert_eq!(gone.location.as_deref(), Some("/accounts"), "{}", gone.body);
    assert!(crm.revoked.lock().unwrap().iter().any(|form| form.contains("refresh-of-maria")));
    let view = ready.served.plane.replica.latest();
    assert!(view.directory.accounts.is_empty());
    assert!(ready.served.plane.store.sealed(&account.sealed).await.unwrap().unwrap_or_default().is_empty());
}
