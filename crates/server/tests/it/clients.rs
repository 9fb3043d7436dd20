//! Other people's software against the real program over real sockets: OAuth libraries, the official MCP clients' own auth
//! flows, and the MCP conformance suite, in front of the example bank. `tests/interop/clients` is the software's side.

mod world;

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use world::World;

#[test]
fn openid_client_finds_the_plane_gets_bound_tokens_for_itself_and_for_a_person_and_notices_a_mix_up() {
    let world = World::start("");
    let seen = world.node(&["clients/openid.mjs"], &[("AGENT", "clerk"), ("SYSTEM", "bank")]);
    let itself = &seen["itself"];
    assert_eq!((&itself["token_type"], &itself["bound"]), (&json!("dpop"), &json!(true)), "{seen:#}");
    assert!(itself["proofs"].as_array().unwrap().contains(&json!("ES256")), "RFC 9728 section 2: {seen:#}");
    assert_eq!(itself["aud"], format!("{}/mcp/bank", world.plane.url));
    assert_eq!((&itself["called"], &itself["accounts"]), (&json!(200), &json!(true)), "{seen:#}");
    assert_eq!(itself["active"], json!([true, false]), "taken back, it is not active");
    assert_eq!((&itself["late"], &itself["challenge"]), (&json!(401), &json!("invalid_token")), "{seen:#}");
    let person = &seen["for_a_person"];
    assert_eq!((&person["token_type"], &person["called"]), (&json!("dpop"), &json!([200, 200])), "{seen:#}");
    assert_eq!(person["said_no"], "access_denied", "{seen:#}");
    assert_eq!(person["mixed_up_noticed"], true, "an answer of another issuer: the plane says who it is");
    assert_eq!(person["rotated"], true);
    assert_eq!(person["task"][0], person["task"][1], "a refreshed token is of the same task");
    assert_eq!((&person["used_again"], &person["after"]), (&json!("invalid_grant"), &json!(401)), "{seen:#}");
    let workload = json!({
        "announced": true, "itself": "pod", "another": "invalid_client", "of_another_domain": "invalid_client",
        "for_another": "invalid_client",
    });
    assert_eq!(seen["a_workload"], workload);
    let task = world.plane.json(&["task", "show", person["task"][0].as_str().unwrap()]);
    assert_eq!((&task["requester"], &task["status"]), (&json!("maria"), &json!("ended")), "{task:#}");
    assert_eq!(world.bank_calls("list_accounts"), 3, "one for itself, two for the person, none after");
}

#[test]
fn authlib_gets_tokens_with_a_key_and_with_a_pods_token_and_judges_them_as_rfc_9068_says_with_eddsa() {
    authlib("", "EdDSA");
}

#[test]
fn authlib_judges_the_tokens_of_a_plane_that_signs_with_es256_by_the_same_rules() {
    authlib("token_algorithm = \"ES256\"\n", "ES256");
}

fn authlib(settings: &str, algorithm: &str) {
    let world = World::start(settings);
    let more = [
        ("AGENT", "tester"),
        ("SYSTEM", "lab"),
        ("NAMESPACE", "payments"),
        ("ACCOUNT", "clerk"),
        ("ALGORITHM", algorithm),
    ];
    let seen = world.python("clients/authlib_client.py", &more);
    assert_eq!((&seen["own"], &seen["pod"]), (&json!("Bearer"), &json!("Bearer")), "{seen:#}");
    assert_eq!((&seen["header"]["typ"], &seen["header"]["alg"]), (&json!("at+jwt"), &json!(algorithm)));
    assert_eq!((&seen["claims"]["sub"], &seen["claims"]["client_id"]), (&json!("tester"), &json!("tester")));
    assert_eq!(seen["pod_client"], "pod", "{seen:#}");
    let taken = seen["taken"].as_object().unwrap();
    assert_eq!(taken.len(), 3);
    assert!(taken.values().all(|taken| *taken == false), "{seen:#}");
}

#[test]
fn typescript_sdk_1_begins_with_an_address_and_nothing_else_and_calls_a_tool() {
    let world = World::start("");
    let seen = sdk(&world, "1");
    all_called(&seen, &[("private_key_jwt", "Bearer", 2), ("person", "Bearer", 1)]);
    assert!(seen["person"]["after"].is_object(), "{seen:#}");
}

#[test]
fn typescript_sdk_2_does_so_too_with_bound_tokens_and_with_what_an_identity_provider_says_of_a_person() {
    let world = World::start("");
    let seen = sdk(&world, "2");
    let ways = [
        ("private_key_jwt", "Bearer", 2),
        ("person", "Bearer", 1),
        ("private_key_jwt_and_dpop", "DPoP", 1),
        ("person_and_dpop", "DPoP", 1),
        ("cross_app", "Bearer", 2),
    ];
    all_called(&seen, &ways);
    assert!(seen["person"]["after"].is_object(), "{seen:#}");
    let tasks = world.plane.json(&["task", "list"]);
    let of_maria = tasks["items"].as_array().unwrap().iter().filter(|task| task["requester"] == "maria");
    assert!(of_maria.count() >= 3, "two consents and one identity assertion are of a person: {tasks:#}");
}

#[test]
fn the_python_sdk_begins_with_an_address_and_nothing_else_and_calls_a_tool() {
    let world = World::start("");
    let seen = world.python("clients/mcp_auth.py", &[("AGENT", "tester"), ("SYSTEM", "lab")]);
    all_called(&seen, &[("private_key_jwt", "Bearer", 2), ("person", "Bearer", 1)]);
}

fn sdk(world: &World, version: &str) -> Value {
    let more = [("AGENT", "tester"), ("SYSTEM", "lab"), ("BOUND_AGENT", "clerk"), ("BOUND_SYSTEM", "bank")];
    world.node(&["clients/mcp-auth.mjs", "--sdk", version], &more)
}

/// Each of these ways, and no other, led from a bare refusal over both metadata documents to an answer of the bank, with a token
/// of this type and so many tools shown.
fn all_called(seen: &Value, ways: &[(&str, &str, usize)]) {
    assert_eq!(seen.as_object().unwrap().len(), ways.len(), "{seen:#}");
    for (way, token_type, tools) in ways {
        let seen = &seen[way];
        assert_eq!((&seen["accounts"], &seen["refused"]), (&json!(true), &json!(false)), "{way}: {seen:#}");
        assert_eq!(seen["token_type"], *token_type, "{way}");
        assert_eq!(seen["tools"].as_array().unwrap().len(), *tools, "{way}: {seen:#}");
        let asked: Vec<&str> =
            seen["asked"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert!(asked[0].starts_with("POST /mcp/") && asked[0].ends_with("with nothing: 401"), "{asked:?}");
        let after = |text: &str| asked.iter().position(|asked| asked.starts_with(text));
        let found = [
            after("GET /.well-known/oauth-protected-resource/mcp/"),
            after("GET /.well-known/oauth-authorization-server"),
            after("POST /oauth/token"),
        ];
        assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{way}: {asked:?}");
    }
}

#[test]
fn the_conformance_suites_checks_of_an_authorization_server_all_pass_in_both_revisions() {
    let world = World::start("");
    let more = [("AGENT", "tester"), ("SYSTEM", "lab")];
    for revision in ["2025-11-25", "2026-07-28"] {
        let mut more = more.to_vec();
        more.push(("REVISIONS", revision));
        let seen = world.node(&["clients/authorization.mjs"], &more);
        let passed = json!({
            "authorization-server-metadata": "SUCCESS",
            "authorization-server-metadata-cimd": "SUCCESS",
            "authorization-code-grant": "SUCCESS",
        });
        assert_eq!((&seen["checks"], &seen["code"]), (&passed, &json!(0)), "{seen:#}");
    }
}

#[test]
fn the_conformance_suite_finds_the_plane_a_good_client_of_protected_systems() {
    let world = World::start("");
    for scenario in [
        "auth/client-credentials-basic",
        "auth/iss-supported",
        "auth/iss-not-advertised",
        "auth/iss-wrong-issuer",
        "auth/iss-unexpected",
        "auth/iss-normalized",
    ] {
        let seen = world.node(&["clients/as-client.mjs", scenario], &[]);
        let checks = seen["checks"].as_object().unwrap();
        assert!(checks.len() >= 5 && checks.values().all(|status| status == "SUCCESS"), "{seen:#}");
        assert_eq!(seen["code"], 0, "{seen:#}");
    }
}

#[test]
fn an_answer_without_iss_of_a_server_that_announces_it_is_refused() {
    let world = World::start("");
    let seen = world.node(&["clients/as-client.mjs", "auth/iss-supported-missing"], &[]);
    assert_eq!(seen["checks"]["sep-2468-client-reject-missing-iss"], "SUCCESS", "{seen:#}");
}

#[test]
fn scim2_tester_finds_nothing_wrong_with_the_scim_server() {
    let world = World::start("");
    let issued = world.plane.json(&["connector", "token", "entra", "--reason", "interop"]);
    let (url, token) = (issued["url"].as_str().unwrap(), issued["token"].as_str().unwrap());
    let seen = world.python("clients/scim_tester.py", &[("SCIM_URL", url), ("TOKEN", token)]);
    let none: &[Value] = &[];
    assert_eq!(seen["wrong"].as_array().map(Vec::as_slice), Some(none), "{seen:#}");
    assert!(seen["success"].as_u64().unwrap() >= CHECKS_MIN, "{seen:#}");
    let shown = world.plane.json(&["connector", "show", "entra"]);
    assert_eq!((&shown["people"], &shown["groups"]), (&json!(0), &json!(0)), "it leaves nothing behind");
}

#[test]
fn codes_tokens_and_grants_are_of_no_use_where_they_do_not_belong() {
    let world = World::start("");
    let seen = world.node(&["clients/attacks.mjs"], &[]);
    let rows = seen["rows"].as_array().unwrap();
    let through: Vec<&Value> = rows.iter().filter(|row| row["wanted"] != row["got"]).collect();
    assert!(through.is_empty(), "{through:#?}");
    assert!(rows.len() >= ATTACKS_MIN, "{} of them", rows.len());
    assert_eq!(
        world.bank_calls("list_accounts"),
        seen["calls"].as_u64().unwrap() as usize,
        "the good calls alone"
    );
}

#[test]
fn a_task_that_was_handed_on_for_one_system_is_of_no_use_at_another() {
    let world = World::start("");
    let seen = world.node(&["clients/attacks.mjs"], &[]);
    let found = seen["found"].as_array().unwrap();
    assert!(found.iter().all(|row| row["got"] != "granted"), "{found:#?}");
}

#[test]
fn a_client_that_is_refused_before_its_body_came_goes_on_on_the_same_connection() {
    let world = World::start("");
    let address = world.plane.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    for _request in 0..2 {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
        let head = format!(
            "POST /mcp/lab HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // As clients send it: the body is a packet of its own, and the plane may have made up its mind before.
        connection.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        connection.write_all(body.as_bytes()).unwrap();
        let mut answer = BufReader::new(connection.try_clone().unwrap());
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), "HTTP/1.1 401 Unauthorized");
        let mut length = 0;
        while !line.trim_end().is_empty() {
            line.clear();
            answer.read_line(&mut line).unwrap();
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.trim_end().parse().unwrap();
            }
        }
        answer.read_exact(&mut vec![0; length]).unwrap();
    }
}

/// So that a driver that stops in the middle is no success.
/// Checks of scim2-tester that pass, fewer of which would mean that it stopped halfway.
const CHECKS_MIN: u64 = 100;
const ATTACKS_MIN: usize = 80;
