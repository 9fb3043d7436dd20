//! The HTTP face: what reaches a system, what does not, and what the agent is told.

use crate::shop::{SHOP_KEY, Stage};
use provost_domain::{Digest, TaskId};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_request_reaches_the_system_written_anew_with_its_credential_and_is_on_record() {
    let stage = Stage::open().await;
    let request = stage
        .ask("GET", "/proxy/shop/orders/%37?tags=a+b&x=1%262&tags=c")
        .header("accept", "application/json");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let decision = response.headers().get("provost-decision").unwrap().to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["ok"], true);
    let came = stage.shop.came();
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].line, "GET /v1/orders/7?tags=a%20b&tags=c&x=1%262");
    assert_eq!(came[0].headers.get_all("authorization").iter().count(), 1);
    assert_eq!(came[0].headers.get("authorization").unwrap(), &format!("Bearer {SHOP_KEY}"));
    assert!(!format!("{:?}", came[0].headers).contains(&stage.token));
    let decisions = stage.decisions().await;
    assert_eq!(decisions.len(), 1);
    let known = &decisions[0].decision;
    assert_eq!(
        (known.id.to_string(), known.face.as_str(), known.tool.as_str()),
        (decision, "proxy", "shop/show")
    );
    assert_eq!(known.input["args"], json!({"id": 7, "x": "1&2", "tags": ["a b", "c"]}), "{}", known.input);
    assert_eq!(decisions[0].completion.as_ref().unwrap().outcome.as_str(), "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_could_be_read_in_two_ways_is_refused_and_reaches_nobody() {
    let stage = Stage::open().await;
    let paths = [
        "/orders/../admin",
        "/orders/./7",
        "/orders/%2e%2e/admin",
        "/orders/%2E%2E%2Fadmin",
        "/orders/..;/admin",
        "/orders//7",
        "//orders/7",
        "/orders%2F7",
        "/orders/7%2fcancel",
        "/orders%5C7",
        "/orders/7;v=1",
        "/orders/7%3Bv=1",
        "/orders/7%00",
        "/orders/%0d%0aX-A:b",
        "/orders/%FF",
        "/orders/%C0%AE",
        "/orders/%zz",
        "/orders/7%",
        "/orders/%2537",
        "/orders/%252e%252e",
        "/orders/7?x",
        "/orders/7?x=1&&x=2",
        "/orders/7?x=%FF",
        "/orders/7?x=1;y=2",
        "/orders/7?x=%2541",
    ];
    for path in paths {
        let (status, _, body) = stage.raw(&format!("GET /proxy/shop{path}"), &[], b"").await;
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body.contains("urn:provost:problem:"), "{path}: {body}");
    }
    assert!(stage.shop.came().is_empty(), "{:?}", stage.shop.lines());
    assert!(stage.decisions().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_on_and_what_is_sent_are_the_same_path() {
    let stage = Stage::open().await;
    for (asked, wanted) in [
        ("GET /proxy/shop/%6frders/7", "GET /v1/orders/7"),
        ("GET /proxy/shop/orders/", "GET /v1/orders/"),
        ("GET /proxy/shop/", "GET /v1/"),
        ("GET /proxy/shop/orders/search?q=a%2Fb%3F%23+c", "GET /v1/orders/search?q=a%2Fb%3F%23%20c"),
        ("GET /proxy/shop/orders/s%65arch?q=", "GET /v1/orders/search?q="),
    ] {
        let (status, _, body) = stage.raw(asked, &[], b"").await;
        assert_eq!((status, stage.shop.lines().pop().unwrap().as_str()), (200, wanted), "{body}");
    }
    // A fragment is no part of a request, and an address in full is for the host it names.
    let (status, ..) = stage.raw("GET /proxy/shop/orders/7#/../admin", &[], b"").await;
    assert!(status == 400 || stage.shop.lines().pop().unwrap() == "GET /v1/orders/7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_declared_operation_is_denied_on_record_before_any_policy() {
    let stage = Stage::open().await;
    let asked = [
        "GET /proxy/shop/admin",
        "DELETE /proxy/shop/orders/7",
        "POST /proxy/shop/orders/7",
        "GET /proxy/shop/orders/7/",
        "GET /proxy/shop/ORDERS/7",
        "GET /proxy/shop/orders",
        "OPTIONS /proxy/shop/orders/7",
        "TRACE /proxy/shop/orders/7",
        "get /proxy/shop/orders/7",
        "HEAD /proxy/shop/orders/",
    ];
    for line in asked {
        let (status, head, body) = stage.raw(line, &[], b"").await;
        assert_eq!(status, 403, "{line} {body}");
        assert!(
            head.contains("content-type: application/problem+json") && head.contains("provost-decision: "),
            "{head}"
        );
        if !line.starts_with("HEAD") {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["reasons"][0]["policy"], "guardrail/reviewed", "{line} {body}");
        }
    }
    assert!(stage.shop.came().is_empty());
    let decisions = stage.decisions().await;
    assert_eq!(decisions.len(), asked.len());
    assert_eq!(decisions.last().unwrap().decision.tool, "shop/GET/admin");
    assert_eq!(decisions[0].decision.input["args"], json!({"method": "HEAD", "path": "/orders"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_says_why_and_what_would_make_it_possible() {
    let stage = Stage::open().await;
    let (status, body) = stage.json(stage.ask("GET", "/proxy/shop/orders/101")).await;
    assert_eq!(
        (status, &body["type"], &body["verdict"]),
        (403, &json!("urn:provost:problem:deny"), &json!("deny")),
        "{body}"
    );
    assert!(body["reasons"].to_string().contains("at most 100"), "{body}");
    assert!(!body["possible_if"].as_array().unwrap().is_empty(), "{body}");
    let decisions = stage.decisions().await;
    assert_eq!(body["decision_id"], json!(decisions[0].decision.id.to_string()));
    for (path, told) in [
        ("/proxy/shop/orders/seven", "must be a whole number"),
        ("/proxy/shop/orders/07", "must be a whole number"),
        ("/proxy/shop/orders/7?unknown=1", "is not an argument"),
        ("/proxy/shop/orders/7?_method=DELETE", "is not an argument"),
    ] {
        let (status, body) = stage.json(stage.ask("GET", path)).await;
        assert!(status == 403 && body.to_string().contains(told), "{path} {body}");
    }
    assert!(stage.shop.came().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_can_be_asked_for_under_an_id_that_stays_the_same() {
    let stage = Stage::open().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (status, body) =
            stage.json(stage.ask("POST", "/proxy/shop/payments").json(&json!({"amount": 12.5}))).await;
        assert_eq!((status, &body["type"]), (403, &json!("urn:provost:problem:hold")), "{body}");
        ids.push(body["requestable"]["approval_id"].as_str().unwrap().to_owned());
        assert_eq!((&body["approval"], &body["status"]), (&json!(ids[0]), &json!(403)), "{body}");
        assert_eq!((&body["approval_status"], &body["retry"]), (&json!("waiting"), &json!(true)), "{body}");
        assert!(body["status_url"].as_str().unwrap().ends_with(&format!("/held/{}", ids[0])), "{body}");
    }
    assert_eq!(ids[0], ids[1]);
    let held = stage.ask("POST", "/proxy/shop/payments").json(&json!({"amount": 12.5})).send().await.unwrap();
    assert_eq!(held.headers()["retry-after"], "5");
    assert!(stage.shop.came().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_strict_json_and_is_sent_as_it_was_decided_on() {
    let stage = Stage::open().await;
    let json_type = ("content-type", "application/json");
    let line = "PATCH /proxy/shop/orders/7?dry_run=true";
    let (status, _, said) =
        stage.raw(line, &[json_type], br#" {"note" : "a\u0062", "lines": [1.50, {"a": null}]} "#).await;
    assert_eq!(status, 200, "{said}");
    let came = stage.shop.came().pop().unwrap();
    assert_eq!(came.line, "PATCH /v1/orders/7?dry_run=true");
    assert_eq!(
        serde_json::from_slice::<Value>(&came.body).unwrap(),
        json!({"note": "ab", "lines": [1.5, {"a": null}]})
    );
    let before = stage.shop.came().len();
    for (headers, body) in [
        (&[json_type][..], &br#"{"note":"a","note":"b"}"#[..]),
        (&[json_type], br#"{"note":"a"}{"note":"b"}"#),
        (&[json_type], br#"{"id":8}"#),
        (&[json_type], br#"{"dry_run":false}"#),
        (&[json_type], br#"["note"]"#),
        (&[json_type], b"{\"note\":\"\xff\"}"),
        (&[json_type], br#"{"note":"\ud800"}"#),
        (&[json_type, ("content-type", "text/plain")], b"{}"),
        (&[("content-type", "application/x-www-form-urlencoded")], b"note=a"),
        (&[], b"{}"),
        (&[json_type, ("content-encoding", "gzip")], b"{}"),
    ] {
        let (status, _, said) = stage.raw(line, headers, body).await;
        assert!([400, 415].contains(&status), "{status} {said}");
    }
    for line in [
        "GET /proxy/shop/orders/7",
        "GET /proxy/shop/orders/7?id=8",
        "GET /proxy/shop/orders/7?x=1&x=2",
        "PATCH /proxy/shop/orders/7?note=a",
    ] {
        let body: &[u8] = if line.ends_with("/7") { b"{}" } else { b"" };
        assert_eq!(stage.raw(line, &[json_type], body).await.0, 400, "{line}");
    }
    assert_eq!(stage.shop.came().len(), before);
    let (status, ..) = stage.raw("PUT /proxy/shop/orders/7", &[json_type], b"[1, 2]").await;
    assert_eq!((status, &stage.shop.came().pop().unwrap().body[..]), (200, &b"[1,2]"[..]));
    assert_eq!(stage.raw("POST /proxy/shop/orders/7/cancel", &[], b"").await.0, 200);
    assert!(stage.shop.came().pop().unwrap().body.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opaque_body_is_decided_on_by_its_digest_and_size_and_stays_out_of_the_record() {
    let stage = Stage::open().await;
    let bytes = b"\x00\xffsecret contents";
    let upload =
        stage.ask("PUT", "/proxy/shop/files/a%20b.bin").header("content-type", "image/png").body(&bytes[..]);
    let (status, body) = stage.json(upload).await;
    assert_eq!(status, 200, "{body}");
    let came = stage.shop.came().pop().unwrap();
    assert_eq!((came.line.as_str(), &came.body[..]), ("PUT /v1/files/a%20b.bin", &bytes[..]));
    assert_eq!(came.headers.get("content-type").unwrap(), "image/png");
    let decision = &stage.decisions().await[0].decision;
    let wanted =
        json!({"name": "a b.bin", "body_digest": Digest::of(bytes).to_string(), "body_size": bytes.len()});
    assert_eq!(decision.input["args"], wanted);
    assert!(!serde_json::to_string(decision).unwrap().contains("secret contents"));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_not_about_the_request_pass_in_neither_direction() {
    let stage = Stage::open().await;
    let sent = [
        ("cookie", "sid=mine"),
        ("proxy-authorization", "Basic x"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "evil"),
        ("forwarded", "for=1.2.3.4"),
        ("x-real-ip", "1.2.3.4"),
        ("connection", "if-match, x-mine"),
        ("if-match", "\"1\""),
        ("x-mine", "1"),
        ("te", "trailers"),
        ("upgrade", "websocket"),
        ("x-api-key", "mine"),
        ("dpop", "mine"),
        ("accept-encoding", "gzip"),
        ("accept-language", "de"),
        ("idempotency-key", "k1"),
    ];
    let (status, head, _) = stage.raw("GET /proxy/shop/orders/7", &sent, b"").await;
    assert_eq!(status, 200);
    let came = stage.shop.came().pop().unwrap();
    let mut names: Vec<&str> = came.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let wanted = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "host",
        "idempotency-key",
        "user-agent",
    ];
    assert_eq!(names, wanted);
    assert_eq!(came.headers.get("accept-encoding").unwrap(), "identity");
    for gone in ["set-cookie", "x-hop", "access-control", "forged", "max-age"] {
        assert!(!head.contains(gone), "{gone}: {head}");
    }
    assert!(
        head.contains("etag: \"7\"")
            && head.contains("cache-control: no-store")
            && head.contains("content-security-policy: sandbox"),
        "{head}"
    );
    for name in
        ["x-http-method-override", "X-HTTP-Method", "x-method-override", "x-original-url", "x-rewrite-url"]
    {
        let (status, _, body) = stage.raw("GET /proxy/shop/orders/7", &[(name, "DELETE")], b"").await;
        assert_eq!(status, 400, "{name} {body}");
    }
    assert_eq!(stage.shop.came().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_never_followed_and_never_leads_past_the_plane() {
    let stage = Stage::open().await;
    let to = |place: &str| {
        format!("GET /proxy/shop/go/{}", place.bytes().map(|b| format!("%{b:02X}")).collect::<String>())
    };
    let inside = format!("{}/orders?x=1", stage.shop.url);
    // What holds a slash is no single part of a path, so the shop is told where to lead by a name without one.
    let (status, ..) = stage.raw(&to(&inside), &[], b"").await;
    assert_eq!(status, 400);
    for (place, status, location) in [
        ("orders", 302, Some("location: /proxy/shop/go/orders")),
        ("?page=2", 302, Some("location: /proxy/shop/go/")),
        ("..", 400, None),
        ("http:evil.example", 302, Some("location: /proxy/shop/go/evil.example")),
        ("javascript:alert(1)", 502, None),
        ("https:evil.example", 502, None),
        ("data:text,x", 502, None),
    ] {
        let (got, head, body) = stage.raw(&to(place), &[], b"").await;
        assert_eq!(got, status, "{place} {head} {body}");
        match location {
            Some(location) => assert!(head.contains(location), "{place} {head}"),
            None => assert!(
                !head.contains("location:") && !body.contains("evil.example"),
                "{place} {head} {body}"
            ),
        }
        assert!(status == 400 || head.contains("provost-decision: "), "{head}");
    }
    assert_eq!(stage.shop.came().len(), 6, "none was followed: {:?}", stage.shop.lines());
    assert_eq!(stage.outcome().await, "failure");
    assert_eq!(stage.raw("POST /proxy/shop/go/x", &[], b"").await.0, 302);
    assert_eq!(stage.outcome().await, "unknown", "a redirect does not say whether something was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_a_system_echoes_is_masked_also_where_it_is_cut_in_two() {
    let stage = Stage::open().await;
    let (status, head, body) = stage.raw("GET /proxy/shop/echo", &[], b"").await;
    assert_eq!(status, 200);
    assert!(!head.contains(SHOP_KEY) && head.contains("x-echo: key ***"), "{head}");
    let text: String = body.lines().filter(|line| line.len() != 1 && line.len() != 2).collect();
    assert!(text.contains("***") && text.contains("more") && !text.contains(SHOP_KEY), "{body}");
    for part in ["the-shop", "nobody", "may-see"] {
        assert!(!body.contains(part), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_with_the_token_is_a_challenge_and_nothing_is_decided() {
    let stage = Stage::open().await;
    let client = stage.plane.client();
    let url = format!("{}/proxy/shop/orders/7", stage.plane.url);
    let expired = stage.plane.token(stage.task, |claims| claims.exp = claims.iat - 100);
    let elsewhere = stage.plane.token(stage.task, |claims| claims.aud = format!("{}/bank", claims.aud));
    let ended = stage.plane.token(TaskId::from_bytes([8; 16]), |_| {});
    let requests = [
        client.get(&url),
        client.get(&url).header("authorization", "Basic eDp5"),
        client.get(&url).header("authorization", "Bearer x").header("authorization", "Bearer y"),
        client.get(format!("{url}?access_token={}", stage.token)),
        client.get(&url).bearer_auth("nonsense"),
        client.get(&url).bearer_auth(expired),
        client.get(&url).bearer_auth(elsewhere),
        client.get(&url).bearer_auth(ended),
    ];
    for request in requests {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        let challenge = response.headers().get("www-authenticate").unwrap().to_str().unwrap().to_owned();
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains("resource_metadata=\"http"),
            "{challenge}"
        );
        assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    }
    let narrow = stage.plane.token(stage.task, |claims| claims.aud = format!("{}/shop", claims.aud));
    assert_eq!(client.get(&url).bearer_auth(narrow).send().await.unwrap().status(), 200);
    assert_eq!(stage.decisions().await.len(), 1);
    let hidden = stage.json(stage.ask("GET", "/proxy/payroll/x")).await;
    assert_eq!(hidden.0, 404, "{hidden:?}");
    let page = stage.ask("GET", "/proxy/shop/orders/7").header("origin", "https://evil.example");
    assert_eq!(stage.json(page).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_system_has_its_one_face() {
    let stage = Stage::open().await;
    let (status, body) = stage.json(stage.ask("GET", "/proxy/bank/list_accounts")).await;
    assert!(status == 404 && body["detail"].as_str().unwrap().contains("/mcp/bank"), "{body}");
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}});
    let mcp = |path: &str| {
        stage
            .ask("POST", path)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/list")
            .body(list.to_string())
    };
    let (_, body) = stage.json(mcp("/mcp/shop")).await;
    assert!(body["error"]["message"].as_str().unwrap().contains("/proxy/"), "{body}");
    let (status, body) = stage.json(mcp("/mcp")).await;
    let names = body["result"]["tools"].to_string();
    assert!(status == 200 && names.contains("bank.list_accounts") && !names.contains("shop"), "{body}");
    assert!(stage.shop.came().is_empty());
}
