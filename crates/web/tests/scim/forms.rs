//! What the large identity providers send, in order, and what they get.

use crate::{Stage, refused};
use serde_json::{Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test(flavor = "multi_thread")]
async fn entra_tests_the_connection_makes_somebody_changes_them_and_lets_them_go() {
    let stage = Stage::built().await;
    let nobody = stage.get("/Users?filter=userName+eq+%227b39475d-0000-4000-8000-000000000000%22").await.ok();
    let empty = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [],
    });
    assert_eq!(nobody, empty, "never 404");
    let sent = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": "0a21f0f2", "userName": "Ada@test.example", "active": true, "displayName": "Ada L",
        "emails": [{"primary": true, "type": "work", "value": "ada@test.example"}],
        "name": {"formatted": "Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada"},
        ENTERPRISE: {"department": "Engines", "employeeNumber": "7"}, "password": "hunter2-hunter2",
    });
    let made = stage.send("POST", "/Users", Some(sent.clone())).await;
    assert_eq!((made.status, made.headers["content-type"].to_str().unwrap()), (201, "application/scim+json"));
    assert_eq!(made.headers["location"], made.body["meta"]["location"].as_str().unwrap());
    assert_eq!(made.headers["etag"], made.body["meta"]["version"].as_str().unwrap());
    assert_eq!((&made.body["id"], &made.body["active"]), (&json!("ada"), &json!(true)));
    assert_eq!(made.body["schemas"], sent["schemas"]);
    assert_eq!(made.body[ENTERPRISE], sent[ENTERPRISE]);
    assert!(!made.body.to_string().contains("hunter2"), "{:#}", made.body);
    let records = stage.served.plane.store.tail(provost_domain::Seq(0), 1_000).await.unwrap();
    assert!(!serde_json::to_string(&records).unwrap().contains("hunter2"), "a password is kept nowhere");
    let again = stage.send("POST", "/Users", Some(json!({"userName": "ADA@test.example"}))).await;
    refused(&again, 409, Some("uniqueness"));
    let again =
        stage.send("POST", "/Users", Some(json!({"userName": "other", "externalId": "0a21f0f2"}))).await;
    refused(&again, 409, Some("uniqueness"));
    for (filter, wanted) in [
        (r#"userName eq "ada@TEST.example""#, 1),
        (r#"externalId eq "0a21f0f2""#, 1),
        (r#"externalId eq "0A21F0F2""#, 0),
        (r#"id eq "ada""#, 1),
        (r#"id eq "maria""#, 0),
        (r#"emails[type eq "work"].value eq "ada@test.example""#, 1),
        (r#"emails.value eq "ada@test.example" and active eq true"#, 1),
        (r#"active eq false"#, 0),
        (r#"meta.lastModified gt "2020-01-01T00:00:00Z""#, 1),
        (r#"meta.lastModified gt "2120-01-01T00:00:00Z""#, 0),
        (r#"displayName eq "ada l""#, 1),
        (&format!(r#"{ENTERPRISE}:department eq "engines""#), 1),
    ] {
        assert_eq!(stage.found("/Users", filter).await.len(), wanted, "{filter}");
    }
    let boss = stage.user("boss@test.example").await;
    let path = "/Users/ada";
    let table = [
        (json!({"op": "Replace", "path": "displayName", "value": "Ada K"}), "/displayName", json!("Ada K")),
        (json!({"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": boss}), "", Value::Null),
        (
            json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "king@test.example"}),
            "/emails/0/value",
            json!("king@test.example"),
        ),
        (
            json!({"op": "replace", "value": {"name.givenName": "Augusta", (format!("{ENTERPRISE}:department")): "Looms"}}),
            "/name/givenName",
            json!("Augusta"),
        ),
        (json!({"op": "Remove", "path": "name.formatted"}), "/name/formatted", Value::Null),
        (json!({"op": "Replace", "path": "active", "value": "False"}), "/active", json!(false)),
    ];
    for (operation, pointer, wanted) in table {
        let patched = stage.patch(path, json!([operation])).await.ok();
        if !pointer.is_empty() {
            assert_eq!(patched.pointer(pointer).cloned().unwrap_or_default(), wanted, "{operation}");
        }
    }
    let person = stage.person("ada").await;
    assert_eq!(
        (&person["display"], &person["email"], &person["manager"], &person["active"], &person["connector"]),
        (&json!("Ada K"), &json!("king@test.example"), &json!("boss"), &json!(false), &json!("entra"))
    );
    let gone = stage.send("DELETE", path, None).await;
    assert_eq!(gone.status, 204);
    refused(&stage.get(path).await, 404, None);
    refused(&stage.send("DELETE", path, None).await, 404, None);
    assert!(stage.found("/Users", r#"userName eq "ada@test.example""#).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn okta_puts_whole_people_deactivates_without_a_path_and_pushes_groups() {
    let stage = Stage::built().await;
    let ada = stage.user("ada@test.example").await;
    let bob = stage.user("bob@test.example").await;
    let whole = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": ada, "userName": "ada@test.example", "active": true,
        "name": {"givenName": "Ada", "familyName": "L"}, "emails": [{"value": "ada@test.example", "primary": true}],
        "groups": [{"value": "theirs"}], "meta": {"resourceType": "User"}, "locale": "en-GB",
    });
    let put = stage.send("PUT", &format!("/Users/{ada}"), Some(whole)).await.ok();
    assert_eq!((&put["locale"], &put["name"]["givenName"]), (&json!("en-GB"), &json!("Ada")));
    assert!(put.get("groups").is_none(), "groups are said by groups: {put:#}");
    let less = json!({"userName": "ada@test.example", "active": true});
    let put = stage.send("PUT", &format!("/Users/{ada}"), Some(less)).await.ok();
    assert!(put.get("locale").is_none() && put.get("name").is_none(), "what is not said is gone: {put:#}");
    let off = stage
        .patch(&format!("/Users/{ada}"), json!([{"op": "replace", "value": {"active": false}}]))
        .await
        .ok();
    assert_eq!(off["active"], json!(false));
    let without =
        stage.send("PUT", &format!("/Users/{ada}"), Some(json!({"userName": "ada@test.example"}))).await.ok();
    assert_eq!(without["active"], json!(false), "leaving it out brings nobody back");

    let team = stage.group("Team", &[&ada]).await;
    let path = format!("/Groups/{team}");
    let members = async |wanted: &[&String]| {
        let mut found: Vec<String> = stage.get(&path).await.ok()["members"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|member| member["value"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
    };
    let table = [
        (json!({"op": "replace", "value": {"id": team, "displayName": "The team"}}), vec![&ada]),
        (
            json!({"op": "add", "path": "members", "value": [{"value": bob, "display": "bob"}]}),
            vec![&ada, &bob],
        ),
        (json!({"op": "remove", "path": format!("members[value eq \"{ada}\"]")}), vec![&bob]),
        (json!({"op": "replace", "path": "members", "value": [{"value": ada}]}), vec![&ada]),
        (json!({"op": "Add", "path": "members", "value": [{"value": bob}]}), vec![&ada, &bob]),
        (json!({"op": "Remove", "path": "members", "value": [{"value": ada}]}), vec![&bob]),
        (json!({"op": "remove", "path": "members"}), vec![]),
    ];
    for (operation, wanted) in table {
        assert_eq!(stage.patch(&path, json!([operation])).await.status, 200, "{operation}");
        members(&wanted).await;
    }
    assert_eq!(stage.get(&path).await.ok()["displayName"], json!("The team"));
    let put = json!({"displayName": "The team", "members": [{"value": bob}]});
    assert_eq!(stage.send("PUT", &path, Some(put)).await.status, 200);
    members(&[&bob]).await;
    let groups = stage.get(&format!("/Users/{bob}")).await.ok()["groups"].clone();
    assert_eq!((&groups[0]["value"], &groups[0]["display"]), (&json!(team), &json!("The team")));
    for (filter, wanted) in [
        (format!(r#"id eq "{team}" and members eq "{bob}""#), 1),
        (format!(r#"id eq "{team}" and members eq "{ada}""#), 0),
        (format!(r#"members.value eq "{bob}""#), 1),
        (r#"displayName eq "the TEAM""#.to_owned(), 1),
    ] {
        assert_eq!(stage.found("/Groups", &filter).await.len(), wanted, "{filter}");
    }
    let listed = stage.get("/Groups?startIndex=1&count=100&excludedAttributes=members").await.ok();
    assert!(listed["Resources"][0].get("members").is_none(), "{listed:#}");
    refused(
        &stage.send("POST", "/Groups", Some(json!({"displayName": "THE team"}))).await,
        409,
        Some("uniqueness"),
    );
    let stranger =
        stage.patch(&path, json!([{"op": "add", "path": "members", "value": [{"value": "maria"}]}])).await;
    refused(&stranger, 400, Some("invalidValue"));
    assert_eq!(stage.send("DELETE", &path, None).await.status, 204);
    refused(&stage.get(&path).await, 404, None);
    assert!(stage.get(&format!("/Users/{bob}")).await.ok().get("groups").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages_and_only_what_is_asked_for() {
    let stage = Stage::built().await;
    for number in 0..7 {
        stage.user(&format!("person{number}@test.example")).await;
    }
    let table = [
        ("", 7, 1, 7),
        ("?startIndex=1&count=3", 7, 1, 3),
        ("?startIndex=7&count=3", 7, 7, 1),
        ("?startIndex=8", 7, 8, 0),
        ("?startIndex=0&count=2", 7, 1, 2),
        ("?startIndex=-4&count=2", 7, 1, 2),
        ("?count=0", 7, 1, 0),
        ("?count=-1", 7, 1, 0),
        ("?count=100000&sortBy=userName", 7, 1, 7),
        ("?filter=userName+sw+%22person%22&count=2&startIndex=3", 7, 3, 2),
    ];
    for (query, total, start, items) in table {
        let page = stage.get(&format!("/Users{query}")).await.ok();
        let said = (&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]);
        assert_eq!(said, (&json!(total), &json!(start), &json!(items)), "{query}");
        assert_eq!(page["Resources"].as_array().unwrap().len(), items, "{query}");
    }
    let first = stage.get("/Users?count=4").await.ok();
    let rest = stage.get("/Users?startIndex=5").await.ok();
    let ids = |page: &Value| -> Vec<Value> {
        page["Resources"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    let both = [ids(&first), ids(&rest)].concat();
    assert_eq!(both, ids(&stage.get("/Users").await.ok()), "pages follow each other");
    let only = stage.get("/Users/person1?attributes=userName,name.familyName").await.ok();
    assert_eq!(
        only,
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "person1",
        "userName": "person1@test.example"})
    );
    let without = stage.get("/Users/person1?excludedAttributes=userName,meta,id").await.ok();
    assert_eq!(
        (without.get("userName"), without.get("meta"), &without["id"]),
        (None, None, &json!("person1"))
    );
    let searched = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName eq \"person2@test.example\"", "attributes": ["userName"], "startIndex": 1, "count": 5});
    let searched = stage.send("POST", "/Users/.search", Some(searched)).await.ok();
    assert_eq!((&searched["totalResults"], &searched["Resources"][0]["id"]), (&json!(1), &json!("person2")));
    let (mut seen, mut cursor) = (Vec::new(), Some(String::new()));
    while let Some(at) = cursor {
        let page = stage.get(&format!("/Users?count=3&cursor={at}")).await.ok();
        assert_eq!((&page["totalResults"], page.get("startIndex")), (&json!(7), None));
        seen.extend(ids(&page));
        // Whoever comes meanwhile before the place moves nobody across it.
        if seen.len() == 3 {
            stage.user("aaa@test.example").await;
            assert_eq!(stage.send("DELETE", "/Users/aaa", None).await.status, 204);
        }
        cursor = page["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, both, "by cursors, too");
    refused(&stage.get("/Users?cursor=theirs").await, 400, Some("invalidCursor"));
    for query in ["?startIndex=one", "?count=1.5"] {
        refused(&stage.get(&format!("/Users{query}")).await, 400, Some("invalidValue"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_says_whether_something_changed_and_holds_back_who_saw_another() {
    let stage = Stage::built().await;
    let ada = stage.user("ada@test.example").await;
    let team = stage.group("Team", &[]).await;
    for path in [format!("/Users/{ada}"), format!("/Groups/{team}")] {
        let seen = stage.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
        let ask = async |method: &str, name: &'static str, tag: &str, body: Option<Value>| {
            let url = format!("http://{}/scim/v2{path}", stage.served.address);
            let mut request =
                stage.served.client.request(method.parse().unwrap(), url).bearer_auth(&stage.entra);
            request = request.header(name, tag);
            if let Some(body) = body {
                request = request.json(&body);
            }
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!(ask("GET", "if-none-match", &seen, None).await, 304);
        assert_eq!(ask("GET", "if-none-match", "W/\"other\"", None).await, 200);
        let patch = |display: &str| {
            Some(json!({"Operations": [{"op": "replace", "path": "displayName", "value": display}]}))
        };
        assert_eq!(ask("PATCH", "if-match", "W/\"other\"", patch("A")).await, 412);
        assert_eq!(ask("PATCH", "if-match", &seen, patch("A")).await, 200);
        let now = stage.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
        assert_ne!(now, seen);
        assert_eq!(ask("PATCH", "if-match", &seen, patch("B")).await, 412, "it changed since");
        assert_eq!(ask("DELETE", "if-match", &seen, None).await, 412);
        let head = stage.served.plane.store.head().await.unwrap();
        assert_eq!(ask("PATCH", "if-match", &now, patch("A")).await, 200);
        assert_eq!(
            stage.get(&path).await.headers["etag"].to_str().unwrap(),
            now,
            "nothing new: the same version"
        );
        assert_eq!(stage.served.plane.store.head().await.unwrap(), head, "and no record");
        assert_eq!(ask("DELETE", "if-match", "*", None).await, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_can_is_said_to_anybody_and_what_it_cannot_is_501() {
    let stage = Stage::built().await;
    let open = async |path: &str| stage.served.send("GET", &format!("/scim/v2{path}"), None, None).await;
    let can = open("/ServiceProviderConfig").await.ok();
    for (what, supported) in [
        ("patch", true),
        ("bulk", false),
        ("filter", true),
        ("changePassword", false),
        ("sort", false),
        ("etag", true),
    ] {
        assert_eq!(can[what]["supported"], json!(supported), "{what}");
    }
    assert_eq!(open("/ResourceTypes").await.ok()["totalResults"], 2);
    assert_eq!(open("/ResourceTypes/User").await.ok()["endpoint"], "/Users");
    assert_eq!(open("/Schemas").await.ok()["totalResults"], 3);
    assert_eq!(open(&format!("/Schemas/{ENTERPRISE}")).await.ok()["id"], ENTERPRISE);
    for path in ["/Schemas/urn:none", "/ResourceTypes/Agent", "/Agents", "/nothing"] {
        refused(&open(path).await, 404, None);
    }
    for path in ["/Schemas?filter=id+pr", "/ResourceTypes?filter=id+pr"] {
        refused(&open(path).await, 403, None);
    }
    for (method, path) in [("GET", "/Me"), ("PATCH", "/Me"), ("POST", "/Bulk"), ("POST", "/.search")] {
        refused(&stage.send(method, path, Some(json!({}))).await, 501, None);
    }
    refused(&stage.send("POST", "/ServiceProviderConfig", Some(json!({}))).await, 405, None);
}
