use super::*;
use crate::{
    resource,
    schema::{GROUPS, USERS},
};
use proptest::prelude::*;
use serde_json::json;

fn user() -> Attributes {
    let user = json!({
        "userName": "maria", "displayName": "Maria", "active": true, "name": {"familyName": "Lindt", "givenName": "Maria"},
        "emails": [{"type": "work", "value": "a@x", "primary": true}, {"type": "home", "value": "b@x"}],
        ENTERPRISE: {"department": "Finance"},
    });
    user.as_object().unwrap().clone()
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn patched(operations: Value) -> Result<Value, Fault> {
    apply(&USERS, &user(), &json!({ "Operations": operations })).map(Value::Object)
}

/// The user with these members instead.
fn user_with(changes: Value) -> Value {
    let mut user = Value::Object(user());
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(user.as_object_mut().unwrap().remove(name)),
            value => user[name] = value.clone(),
        }
    }
    user
}

#[test]
fn every_form_that_providers_send_does_what_it_means() {
    let manager = format!("{ENTERPRISE}:manager");
    let table = [
        // Entra without its flag.
        (json!([{"op": "Replace", "path": "active", "value": "False"}]), json!({"active": false})),
        (json!([{"op": "Add", "path": "displayName", "value": "M"}]), json!({"displayName": "M"})),
        (json!([{"op": "Remove", "path": "displayName"}]), json!({"displayName": null})),
        (
            json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "c@x"}]),
            json!({"emails": [{"type": "work", "value": "c@x", "primary": true}, {"type": "home", "value": "b@x"}]}),
        ),
        (
            json!([{"op": "Replace", "path": "emails[type eq \"other\"].value", "value": "c@x"}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": true}, {"type": "home", "value": "b@x"},
                {"type": "other", "value": "c@x"}]}),
        ),
        (
            json!([{"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "IT"}]),
            json!({ENTERPRISE: {"department": "IT"}}),
        ),
        (
            json!([{"op": "Add", "path": manager, "value": "ben"}]),
            json!({ENTERPRISE: {"department": "Finance", "manager": {"value": "ben"}}}),
        ),
        (
            json!([{"op": "replace", "path": manager, "value": {"value": "ben"}}, {"op": "remove", "path": manager}]),
            json!({}),
        ),
        // Entra with its flag.
        (
            json!([{"op": "replace", "value": {"name.givenName": "Mia", "active": true, "displayName": "Mia",
                "emails[type eq \"work\"].value": "c@x", (format!("{ENTERPRISE}:department")): "IT", "nothing.there": 1}}]),
            json!({"name": {"familyName": "Lindt", "givenName": "Mia"}, "displayName": "Mia", ENTERPRISE: {"department": "IT"},
                "emails": [{"type": "work", "value": "c@x", "primary": true}, {"type": "home", "value": "b@x"}]}),
        ),
        // Okta.
        (json!([{"op": "replace", "value": {"active": false}}]), json!({"active": false})),
        (
            json!([{"op": "replace", "value": {"id": "maria", "displayName": "Mia"}}]),
            json!({"displayName": "Mia"}),
        ),
        // The standard.
        (
            json!([{"op": "add", "path": "name", "value": {"middleName": "J"}}]),
            json!({"name": {"familyName": "Lindt", "givenName": "Maria", "middleName": "J"}}),
        ),
        (json!([{"op": "remove", "path": "name.givenName"}]), json!({"name": {"familyName": "Lindt"}})),
        (
            json!([{"op": "add", "path": "emails", "value": [{"type": "other", "value": "c@x", "primary": true}]}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": false}, {"type": "home", "value": "b@x"},
                {"type": "other", "value": "c@x", "primary": true}]}),
        ),
        (json!([{"op": "add", "path": "emails", "value": {"value": "b@x"}}]), json!({})),
        (
            json!([{"op": "replace", "path": "emails", "value": [{"value": "c@x"}]}]),
            json!({"emails": [{"value": "c@x"}]}),
        ),
        (json!([{"op": "replace", "path": "emails", "value": []}]), json!({"emails": null})),
        (
            json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
            json!({"emails": [{"type": "home", "value": "b@x"}]}),
        ),
        (
            json!([{"op": "remove", "path": "emails[type eq \"home\"].type"}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": true}, {"value": "b@x"}]}),
        ),
        (
            json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": false},
                {"type": "home", "value": "b@x", "primary": true}]}),
        ),
        (json!([{"op": "remove", "path": ENTERPRISE}]), json!({ENTERPRISE: null})),
        (
            json!([{"op": "replace", "path": ENTERPRISE, "value": {"costCenter": "7"}}]),
            json!({ENTERPRISE: {"department": "Finance", "costCenter": "7"}}),
        ),
        (
            json!([{"op": "add", "value": {ENTERPRISE: {"costCenter": "7"}}}]),
            json!({ENTERPRISE: {"department": "Finance", "costCenter": "7"}}),
        ),
        (json!([{"op": "replace", "path": "DISPLAYNAME", "value": "M"}]), json!({"displayName": "M"})),
        (json!([{"op": "replace", "path": "displayName", "value": null}]), json!({"displayName": null})),
        (
            json!([{"op": "add", "path": "urn:other:thing:attribute", "value": 1}, {"op": "remove", "path": "nothing"}]),
            json!({}),
        ),
        (json!([{"Op": "add", "Path": "title", "Value": "CFO"}]), json!({"title": "CFO"})),
        (json!([{"op": "remove", "path": "emails[type eq \"nothing\"]"}]), json!({})),
    ];
    for (operations, wanted) in table {
        assert_eq!(patched(operations.clone()), Ok(user_with(wanted)), "{operations}");
    }
}

#[test]
fn members_come_and_go_in_every_form() {
    let group =
        json!({"displayName": "Money", "members": [{"value": "u1"}, {"value": "u2"}, {"value": "u3"}]});
    let table = [
        (
            json!({"op": "Remove", "path": "members", "value": [{"value": "u1"}, {"value": "u9"}]}),
            vec!["u2", "u3"],
        ),
        (json!({"op": "remove", "path": "members[value eq \"u2\"]"}), vec!["u1", "u3"]),
        (json!({"op": "remove", "path": "members"}), vec![]),
        (
            json!({"op": "add", "path": "members", "value": [{"value": "u4", "display": "U"}, {"value": "u1"}]}),
            vec!["u1", "u2", "u3", "u4"],
        ),
        (json!({"op": "Add", "path": "members", "value": {"value": "u4"}}), vec!["u1", "u2", "u3", "u4"]),
        (json!({"op": "add", "path": "members", "value": ["u4"]}), vec!["u1", "u2", "u3", "u4"]),
        (json!({"op": "replace", "path": "members", "value": [{"value": "u7"}]}), vec!["u7"]),
        (json!({"op": "replace", "value": {"members": [{"value": "u7"}]}}), vec!["u7"]),
        (json!({"op": "add", "value": {"members": [{"value": "u7"}]}}), vec!["u1", "u2", "u3", "u7"]),
    ];
    for (operation, wanted) in table {
        let after = apply(&GROUPS, group.as_object().unwrap(), &json!({"Operations": [operation]})).unwrap();
        let members = after.get("members").map_or(&[][..], |members| members.as_array().unwrap());
        let members: Vec<&str> = members.iter().map(|member| member["value"].as_str().unwrap()).collect();
        assert_eq!(members, wanted, "{operation}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_in_the_protocols_words_and_nothing_of_it_is_done() {
    let many = Value::Array(vec![json!({"op": "add", "path": "title", "value": "x"}); 1_001]);
    let table = [
        (json!([]), "invalidSyntax"),
        (json!("x"), "invalidSyntax"),
        (json!([1]), "invalidSyntax"),
        (json!([{"path": "title", "value": "x"}]), "invalidSyntax"),
        (json!([{"op": "move", "path": "title", "value": "x"}]), "invalidSyntax"),
        (many, "invalidSyntax"),
        (json!([{"op": "remove"}]), "noTarget"),
        (json!([{"op": "add", "path": "title"}]), "invalidValue"),
        (json!([{"op": "add", "value": "x"}]), "invalidValue"),
        (json!([{"op": "add", "path": 7, "value": "x"}]), "invalidPath"),
        (json!([{"op": "add", "path": "emails[type eq \"work\"", "value": "x"}]), "invalidFilter"),
        (json!([{"op": "add", "path": "emails.value extra", "value": "x"}]), "invalidPath"),
        (json!([{"op": "add", "path": "userName[value eq \"x\"]", "value": "x"}]), "invalidPath"),
        (json!([{"op": "replace", "path": "emails[value sw \"z\"].type", "value": "x"}]), "noTarget"),
        (json!([{"op": "replace", "path": "active", "value": "perhaps"}]), "invalidValue"),
        (json!([{"op": "replace", "path": "userName", "value": ""}]), "invalidValue"),
        (json!([{"op": "replace", "path": "userName", "value": null}]), "invalidValue"),
        (json!([{"op": "replace", "path": "title", "value": "a\u{0}b"}]), "invalidValue"),
        (json!([{"op": "replace", "path": "title", "value": {"a": 1}}]), "invalidValue"),
        (json!([{"op": "remove", "path": "userName"}]), "mutability"),
        (json!([{"op": "remove", "path": "active"}]), "mutability"),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), "mutability"),
        (json!([{"op": "replace", "path": "meta.version", "value": "x"}]), "mutability"),
        (json!([{"op": "add", "path": "groups", "value": [{"value": "g"}]}]), "mutability"),
        (json!([{"op": "remove", "path": "groups"}]), "mutability"),
        (json!([{"op": "add", "path": "title", "value": "x"}, {"op": "remove"}]), "noTarget"),
    ];
    for (operations, wanted) in table {
        let fault = patched(operations.clone()).expect_err(&operations.to_string());
        assert_eq!((fault.status, fault.kind), (400, Some(wanted)), "{operations}");
    }
}

#[test]
fn a_large_group_grows_and_shrinks_without_every_member_being_compared_with_every_other() {
    let member = |n: usize| json!({"value": format!("u{n}")});
    let all: Vec<Value> = (0..20_000).map(member).collect();
    let group = json!({"displayName": "All", "members": all});
    let twice = json!({"Operations": [
        {"op": "add", "path": "members", "value": all}, {"op": "remove", "path": "members", "value": all},
    ]});
    let after = apply(&GROUPS, group.as_object().unwrap(), &twice).unwrap();
    assert_eq!(after.get("members"), None);
}

#[test]
fn a_body_is_read_as_the_schema_writes_it() {
    let sent = json!({
        "schemas": ["urn:other"], "id": "theirs", "USERNAME": "maria", "Active": "TRUE", "password": "hunter2", "meta": {"x": 1},
        "groups": [{"value": "g"}], "emails": {"VALUE": "a@x", "more": 1}, "roles": ["admin"], "name.givenName": "Maria",
        "phoneNumbers": [{"value": "1", "primary": true}, {"value": "2", "primary": true}, {"value": ""}], "nickName": null,
        (format!("{ENTERPRISE}:department")): "IT", (ENTERPRISE.to_uppercase()): {"manager": "ben", "costcenter": 7}, "addresses": [],
    });
    let wanted = json!({
        "userName": "maria", "active": true, "emails": [{"value": "a@x"}], "roles": [{"value": "admin"}],
        "name": {"givenName": "Maria"},
        "phoneNumbers": [{"value": "1", "primary": true}, {"value": "2", "primary": false}],
        ENTERPRISE: {"department": "IT", "manager": {"value": "ben"}, "costCenter": "7"},
    });
    assert_eq!(resource::read(&USERS, &sent).map(Value::Object), Ok(wanted));
    for (sent, kind) in [
        (json!([]), "invalidSyntax"),
        (json!({}), "invalidValue"),
        (json!({"userName": " "}), "invalidValue"),
        (json!({"userName": {"a": 1}}), "invalidValue"),
        (json!({"userName": "m", "name": "Maria"}), "invalidValue"),
        (json!({"userName": "m", "active": 1}), "invalidValue"),
        (json!({"userName": "m", "emails": [7]}), "invalidValue"),
        (json!({"userName": "m", "emails": vec!["x"; 101]}), "invalidValue"),
        (json!({"userName": "m", "title": "x".repeat(3_000)}), "invalidValue"),
    ] {
        assert_eq!(resource::read(&USERS, &sent).unwrap_err().kind, Some(kind), "{sent}");
    }
}

/// Operations on mail addresses, in and out of the forms above.
fn operation() -> impl Strategy<Value = Value> {
    let kind = || prop_oneof![Just("work"), Just("home"), Just("other")];
    let address = || prop_oneof![Just("a@x"), Just("b@x"), Just("c@x")];
    prop_oneof![
        (kind(), address(), any::<bool>()).prop_map(|(kind, value, primary)| {
            json!({"op": "add", "path": "emails", "value": [{"type": kind, "value": value, "primary": primary}]})
        }),
        (kind(), address()).prop_map(|(kind, value)| {
            json!({"op": "Replace", "path": format!("emails[type eq \"{kind}\"].value"), "value": value})
        }),
        (kind(), any::<bool>()).prop_map(|(kind, primary)| {
            json!({"op": "replace", "path": format!("emails[type eq \"{kind}\"].primary"), "value": primary})
        }),
        kind().prop_map(|kind| json!({"op": "remove", "path": format!("emails[type eq \"{kind}\"]")})),
        address().prop_map(|value| json!({"op": "Remove", "path": "emails", "value": [{"value": value}]})),
    ]
}

proptest! {
    #[test]
    fn after_any_patch_one_address_is_primary_at_most_and_the_same_patch_again_reads(
        operations in prop::collection::vec(operation(), 1..8)
    ) {
        let after = patched(Value::Array(operations)).unwrap();
        let emails = after.get("emails").map_or(&[][..], |emails| emails.as_array().unwrap());
        prop_assert!(emails.iter().filter(|email| is_primary(email)).count() <= 1, "{:?}", emails);
        // What a patch makes is what the same body would be read as.
        prop_assert_eq!(resource::read(&USERS, &after).map(Value::Object), Ok(after));
    }

    #[test]
    fn a_patch_that_says_what_is_so_already_changes_nothing(text in "[a-zA-Z ]{1,12}", active in any::<bool>()) {
        let body = json!({"Operations": [{"op": "replace", "value": {"displayName": text, "active": active}}]});
        let once = apply(&USERS, &user(), &body).unwrap();
        prop_assert_eq!(apply(&USERS, &once, &body).unwrap(), once);
    }
}
