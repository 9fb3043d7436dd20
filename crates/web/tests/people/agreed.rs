//! What a person agrees to that an agent does for them: codes, refreshes, and the page.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_lets_an_agent_act_for_them_with_the_tools_they_leave_in() {
    let ready = Ready::start().await;
    let mut browser = Browser::new();
    ready.says(json!({"sub": "00u7", "email": "maria@acme.example", "email_verified": true}));
    // Who comes from the client is sent to sign in first, and comes back to the question.
    let (place, page) = browser.follow(&ready.request(&[])).await;
    assert!(place.contains("/signin?to="), "{place}");
    assert!(
        page.body.contains("Continue with Acme&#39;s identity provider")
            || page.body.contains("Continue with Acme"),
        "{}",
        page.body
    );
    let to = parameters(&place)["to"].clone();
    let (place, page) = browser.follow(&ready.url(&format!("/signin/okta?{}", query(&[("to", &to)])))).await;
    assert!(place.contains("/oauth/authorize?"), "{place}");
    for text in [
        "Maria",
        "clerk",
        "bank/list_accounts",
        "bank/transfer",
        "financial",
        "127.0.0.1",
        "https://app.example",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    // What the software calls itself is text.
    assert!(page.body.contains("Ledger &#60;b&#62;App") && !page.body.contains("<b>App"), "{}", page.body);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("form-action 'self' https://app.example"),
        "{policy}"
    );

    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (status, granted) = ready.redeem(&code, &[("resource", &ready.url("/mcp/bank"))]).await;
    assert_eq!(status, 200, "{granted}");
    let token = granted["access_token"].as_str().unwrap();
    let claims = ready.served.plane.token_keys.verifier().issued(token, ready.served.plane.now()).unwrap();
    assert_eq!((claims.sub.as_str(), claims.act.unwrap().sub.as_str()), ("maria", "clerk"));
    assert_eq!(claims.aud, ready.url("/mcp/bank"));
    let task = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(
        (task["requester"].as_str(), task["purpose"].as_str()),
        (Some("maria"), Some("the invoices of May"))
    );
    assert_eq!(task["scope"][0]["tools"], json!(["list_accounts"]));
    assert_eq!(task["history"].as_array().unwrap().last().unwrap()["actor"], "person maria");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_for_one_client_one_verifier_and_one_use_and_a_second_use_ends_the_task() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let other = Software::start("Other").await;
    let table: Vec<(&str, Vec<(&str, &str)>, &str)> = vec![
        ("another client", vec![("client_id", &other.client_id)], "invalid_grant"),
        (
            "another verifier",
            vec![("code_verifier", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
            "invalid_grant",
        ),
        ("a verifier that is none", vec![("code_verifier", "short")], "invalid_request"),
        ("another address", vec![("redirect_uri", "https://evil.example/")], "invalid_grant"),
        ("another resource", vec![("resource", "https://other.example")], "invalid_target"),
        ("a code that is none", vec![("code", "AAAA")], "invalid_grant"),
    ];
    for (what, more, error) in table {
        let (status, refusal) = ready.redeem(&code, &more).await;
        assert_eq!((status, refusal["error"].as_str()), (400, Some(error)), "{what}: {refusal}");
    }
    let (status, granted) = ready.redeem(&code, &[]).await;
    assert_eq!(status, 200, "{granted}");
    let (status, refusal) = ready.redeem(&code, &[]).await;
    assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");
    let task = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(task["status"], "ended", "one of the two is a thief");
    let (status, refusal) = ready.refresh(granted["refresh_token"].as_str().unwrap()).await;
    assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once_and_one_that_comes_again_ends_the_task() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (_status, granted) = ready.redeem(&code, &[]).await;
    let first = granted["refresh_token"].as_str().unwrap().to_owned();
    let (status, second) = ready.refresh(&first).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["refresh_token"], granted["refresh_token"]);
    assert_eq!(second["task"], granted["task"]);
    let other = Software::start("Other").await;
    let stolen = [
        ("grant_type", "refresh_token"),
        ("refresh_token", second["refresh_token"].as_str().unwrap()),
        ("client_id", &other.client_id),
    ];
    assert_eq!(ready.token(&stolen).await.1["error"], "invalid_grant");
    let guessed = format!("{}x", second["refresh_token"].as_str().unwrap());
    assert_eq!(ready.refresh(&guessed).await.1["error"], "invalid_grant");
    let (status, third) = ready.refresh(second["refresh_token"].as_str().unwrap()).await;
    assert_eq!(status, 200, "what others tried changed nothing: {third}");
    let (_status, refusal) = ready.refresh(&first).await;
    assert_eq!(refusal["error"], "invalid_grant");
    let (_status, refusal) = ready.refresh(third["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refusal["error"], "invalid_grant", "the whole family is gone");
    let task = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(task["status"], "ended");
    // A client gives back what it needs no more, and another cannot.
    let code = ready.agree(&mut browser, &["bank/list_accounts"], &[]).await;
    let (_status, granted) = ready.redeem(&code, &[]).await;
    let token = granted["refresh_token"].as_str().unwrap();
    let revoke = async |client_id: &str, token: &str| {
        let request = ready.served.client.post(ready.url("/oauth/revoke"));
        let body = query(&[("token", token), ("client_id", client_id)]);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(revoke(&other.client_id, token).await, 400);
    assert_eq!(revoke(&ready.app.client_id, &format!("{token}x")).await, 200, "nobody has that one");
    let shown = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(shown["status"], "running");
    assert_eq!(revoke(&ready.app.client_id, token).await, 200);
    let shown = ready.served.get(&format!("/tasks/{}", granted["task"].as_str().unwrap())).await.ok();
    assert_eq!(shown["status"], "ended");
    // What the store holds of a token is not the token.
    let rows = serde_json::to_string(&task).unwrap();
    assert!(!rows.contains("provost_refresh_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_a_fresh_sign_in_gets_one_and_a_request_too_long_to_carry_is_told_so() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    assert_eq!(browser.get(&ready.request(&[("max_age", "0")])).await.status, 200, "it is a moment old");
    let view = ready.served.plane.replica.latest();
    let mut session = view.directory.sessions.values().next().unwrap().as_ref().clone();
    session.started = Timestamp::from_millis(session.started.as_millis() - 600_000);
    put(&ready.served, Object::Session(session)).await;
    assert_eq!(browser.get(&ready.request(&[("max_age", "3600")])).await.status, 200);
    let again = browser.get(&ready.request(&[("max_age", "300")])).await.location.unwrap();
    let asked = parameters(&ready.url(&again));
    assert!(asked["again"] == "true" && asked["to"].contains("max_age=300"), "{asked:?}");
    let leaving =
        browser.get(&ready.url(&format!("/signin/okta?again=true&{}", query(&[("to", &asked["to"])])))).await;
    assert_eq!(parameters(&leaving.location.unwrap())["prompt"], "login");

    let long = "x".repeat(3_900);
    let seen = Browser::new().get(&ready.url(&format!("/signin/okta?to=/{long}"))).await;
    assert_eq!(seen.status, 400, "{}", seen.body);
    assert!(seen.body.contains("too long to come back to"), "{}", seen.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_address_that_is_not_the_clients_own() {
    let ready = Ready::start().await;
    let mut browser = ready.browser_of("00u7", "maria@acme.example").await;
    for redirect in [
        "https://evil.example/callback",
        "https://app.example/callback/../other",
        "https://app.example/callback?x=1",
        "https://app.example.evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://localhost:9/callback",
    ] {
        let seen = browser.get(&ready.request(&[("redirect_uri", redirect)])).await;
        assert_eq!((seen.status, seen.location), (400, None), "{redirect}");
    }
    // A program on this machine gets its port when it starts.
    let seen = browser.get(&ready.request(&[("redirect_uri", "http://127.0.0.1:51004/callback")])).await;
    assert_eq!(seen.status, 200);
    // What else is wrong the client learns, at its own address.
    for (more, error) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("resource", "https://other.example/mcp")], "invalid_target"),
        (vec![("prompt", "none")], "invalid_request"),
        (vec![("request", "x.y.z")], "request_not_supported"),
    ] {
        let seen = browser.get(&ready.request(&more)).await;
        let location = seen.location.unwrap();
        assert!(location.starts_with(REDIRECT), "{location}");
        let answer = parameters(&location);
        assert_eq!((answer["error"].as_str(), answer["state"].as_str()), (error, "s-1"), "{answer:?}");
        assert_eq!(answer["iss"], ready.served.plane.issuer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_given_on_our_page_by_the_person_it_was_asked_of_and_for_no_more_than_asked() {
    let ready = Ready::start().await;
    let mut maria = ready.browser_of("00u7", "maria@acme.example").await;
    let page = maria.get(&ready.request(&[])).await;
    let asked = hidden(&page.body, "asked");
    let form = [("asked", asked.as_str()), ("agent", "clerk"), ("purpose", "x"), ("tool", "bank/transfer")];
    let url = ready.url("/oauth/authorize");
    // From another site, by whatever the browser says of it.
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("x-nothing", "x")]
    {
        let request = maria.client.post(&url).header(name, value);
        let request =
            request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(query(&form));
        assert_eq!(maria.send(request).await.status, 403, "{name}: {value}");
    }
    let foreign = maria.client.post(&url).header(header::ORIGIN, "https://evil.example").body(query(&form));
    assert_eq!(maria.send(foreign).await.status, 403);
    // Another person's question, and somebody whose agent it is not.
    let mut jonas = ready.browser_of("00u8", "jonas@acme.example").await;
    assert_eq!(jonas.post(&url, &form).await.status, 400);
    let page = jonas.get(&ready.request(&[])).await;
    assert!(page.body.contains("No agent that you may use"), "{}", page.body);
    let asked = hidden(&page.body, "asked");
    let own = [("asked", asked.as_str()), ("agent", "clerk"), ("purpose", "x"), ("tool", "bank/transfer")];
    let answer = jonas.post(&url, &own).await;
    assert_eq!(parameters(&answer.location.unwrap())["error"], "access_denied");
    // No, nothing, and more than was asked.
    for (form, why) in [
        (vec![("asked", hidden(&maria.get(&ready.request(&[])).await.body, "asked"))], "no"),
        (
            vec![
                ("asked", hidden(&maria.get(&ready.request(&[])).await.body, "asked")),
                ("agent", "clerk".to_owned()),
                ("purpose", "x".to_owned()),
            ],
            "no tool",
        ),
        (
            vec![
                ("asked", hidden(&maria.get(&ready.request(&[])).await.body, "asked")),
                ("agent", "clerk".to_owned()),
                ("purpose", "x".to_owned()),
                ("tool", "bank/close_account".to_owned()),
            ],
            "a tool outside",
        ),
    ] {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = maria.post(&url, &form).await;
        assert_eq!(parameters(&answer.location.unwrap())["error"], "access_denied", "{why}");
    }
    assert!(ready.served.plane.replica.latest().directory.tasks.is_empty(), "none of these started anything");
    // Tampered with.
    let answer = maria.post(&url, &[("asked", "AAAA"), ("agent", "clerk")]).await;
    assert_eq!((answer.status, answer.location), (400, None));
}
