use super::*;
use crate::schema::{GROUPS, USERS};
use proptest::prelude::*;
use serde_json::json;

fn user() -> Attributes {
    let user = json!({
        "id": "maria", "externalId": "Ext-1", "userName": "Maria@Acme.example", "displayName": "Maria Lindt", "active": true,
        "name": {"familyName": "Lindt"}, "title": "",
        "emails": [
            {"type": "work", "value": "maria@acme.example", "primary": true},
            {"type": "home", "value": "m@home.example"},
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Finance", "manager": {"value": "ben"}},
        "meta": {"lastModified": "2026-11-30T10:00:00.000Z", "resourceType": "User"},
    });
    user.as_object().unwrap().clone()
}

fn matches(text: &str) -> bool {
    Filter::parse(&USERS, text).unwrap_or_else(|fault| panic!("{text}: {fault:?}")).matches(&user())
}

#[test]
fn what_identity_providers_ask_is_answered_as_the_standard_says() {
    let table = [
        (r#"userName eq "maria@acme.EXAMPLE""#, true),
        (r#"USERNAME EQ "maria@acme.example""#, true),
        (r#"userName eq "ben@acme.example""#, false),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "MARIA""#, true),
        (r#"externalId eq "Ext-1""#, true),
        (r#"externalId eq "ext-1""#, false),
        (r#"id eq "maria""#, true),
        (r#"emails[type eq "work"].value eq "maria@acme.example""#, true),
        (r#"emails[type eq "home"].value eq "maria@acme.example""#, false),
        (r#"emails[type eq "work" and value co "acme"]"#, true),
        (r#"emails[type eq "home" and value co "acme"]"#, false),
        (r#"emails.value eq "m@home.example""#, true),
        (r#"emails eq "m@home.example""#, true),
        (r#"emails[primary eq true]"#, true),
        (r#"displayName eq "maria lindt""#, true),
        ("active eq true", true),
        (r#"active eq "True""#, true),
        ("active eq False", false),
        ("active ne false", true),
        (r#"meta.lastModified gt "2026-11-30T09:59:59Z""#, true),
        (r#"meta.lastModified gt "2026-11-30T12:00:00+01:00""#, false),
        (r#"meta.lastModified le "2026-11-30T11:00:00+01:00""#, true),
        (r#"meta.resourceType eq "User""#, true),
        ("title pr", false),
        ("name pr", true),
        ("name.familyName pr", true),
        ("name.givenName pr", false),
        ("nickName pr", false),
        ("emails pr", true),
        (r#"nickName eq "x""#, false),
        (r#"nickName ne "x""#, true),
        ("nickName eq null", true),
        ("displayName eq null", false),
        ("displayName ne null", true),
        (r#"displayName ew "LINDT""#, true),
        (r#"displayName co "a l""#, true),
        (r#"displayName ge "maria""#, true),
        (r#"displayName lt "n""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "finance""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "ben""#, true),
        (r#"URN:IETF:params:scim:schemas:extension:enterprise:2.0:user:manager eq "ben""#, true),
        // `not` before `and` before `or`.
        (r#"active eq false and active eq false or active eq true"#, true),
        (r#"active eq true or active eq true and active eq false"#, true),
        (r#"(active eq true or active eq true) and active eq false"#, false),
        (r#"not (active eq true) or active eq true"#, true),
        (r#"not (active eq true or active eq false)"#, false),
        (r#"not(active eq false)and(active eq true)"#, true),
        (r#"  ( ( active eq true ) )  "#, true),
        (r#"displayName eq "Maria \"Lindt\" and active eq false""#, false),
    ];
    for (text, wanted) in table {
        assert_eq!(matches(text), wanted, "{text}");
    }
}

#[test]
fn groups_are_found_by_who_is_in_them() {
    let group = json!({"id": "g", "displayName": "Money", "members": [{"value": "u1"}, {"value": "u2"}]});
    let table = [
        (r#"members.value eq "u2""#, true),
        (r#"id eq "g" and members eq "u1""#, true),
        (r#"members[value eq "u3"]"#, false),
        (r#"members eq "U1""#, false),
        (r#"displayName eq "money""#, true),
    ];
    for (text, wanted) in table {
        let filter = Filter::parse(&GROUPS, text).unwrap();
        assert_eq!(filter.matches(group.as_object().unwrap()), wanted, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused_as_one() {
    let deep = "(".repeat(5_000);
    let nested = format!("{}active eq true{}", "(".repeat(21), ")".repeat(21));
    let many = vec!["active eq true"; 101].join(" or ");
    let long = format!("userName eq \"{}\"", "x".repeat(5_000));
    let table = [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq x",
        r#"userName is "x""#,
        r#"nobody eq "x""#,
        r#"userName eq "x" and"#,
        r#"userName eq "x" userName eq "y""#,
        "(active eq true",
        "active eq true)",
        "not active eq true",
        "active gt true",
        r#"active eq "perhaps""#,
        "active eq 1",
        r#"name eq "x""#,
        r#"emails[type eq "work""#,
        r#"userName[value eq "x"]"#,
        r#"emails[nothing eq "x"]"#,
        r#"emails[type eq "work"].nothing eq "x""#,
        r#"meta.lastModified gt "soon""#,
        "userName eq {}",
        r#"userName eq ["x"]"#,
        "userName eq \"x",
        "eq",
        "and",
        "\0",
        "userName eq \"\u{0}\"",
        "userName eq true",
        &deep,
        &nested,
        &many,
        &long,
    ];
    for text in table {
        let fault = Filter::parse(&USERS, text).expect_err(text);
        assert_eq!((fault.status, fault.kind), (400, Some("invalidFilter")), "{text}");
    }
}

#[test]
fn what_a_resource_must_be_equal_to_is_known_without_looking_at_any() {
    let table = [
        (r#"userName eq "x""#, Some("x")),
        (r#"active eq true and userName eq "x""#, Some("x")),
        (r#"active eq true or userName eq "x""#, None),
        (r#"not (userName eq "x")"#, None),
        (r#"userName ne "x""#, None),
    ];
    for (text, wanted) in table {
        assert_eq!(Filter::parse(&USERS, text).unwrap().equal("userName"), wanted, "{text}");
    }
}

/// A filter as it is written, and what it says of [`user`], from the same choice.
fn said() -> impl Strategy<Value = (String, bool)> {
    let leaf = prop_oneof![
        Just(("active eq true".to_owned(), true)),
        Just((r#"userName sw "x""#.to_owned(), false)),
        Just((r#"emails[type eq "home"].value co "home""#.to_owned(), true)),
        Just(("title pr".to_owned(), false)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| (format!("({}) and ({})", a.0, b.0), a.1 && b.1)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("({}) or ({})", a.0, b.0), a.1 || b.1)),
            inner.prop_map(|a| (format!("not ({})", a.0), !a.1)),
        ]
    })
}

/// Terms without parentheses: `and` binds closer than `or`.
fn flat() -> impl Strategy<Value = (String, bool)> {
    prop::collection::vec(prop::collection::vec(any::<bool>(), 1..4), 1..4).prop_map(|any| {
        let term = |value: &bool| format!("active eq {value}");
        let all = |all: &Vec<bool>| all.iter().map(term).collect::<Vec<_>>().join(" and ");
        let text = any.iter().map(all).collect::<Vec<_>>().join(" or ");
        (text, any.iter().any(|all| all.iter().all(|value| *value)))
    })
}

proptest! {
    #[test]
    fn a_filter_says_what_logic_says((text, wanted) in said()) {
        prop_assert_eq!(matches(&text), wanted, "{}", text);
    }

    #[test]
    fn precedence_is_that_of_the_standard((text, wanted) in flat()) {
        prop_assert_eq!(matches(&text), wanted, "{}", text);
    }

    #[test]
    fn no_text_brings_the_reader_down(text in ".{0,80}") {
        let _either = Filter::parse(&USERS, &text);
        let _either = crate::path::Target::parse(&USERS, &text);
    }

    #[test]
    fn text_of_filters_brings_it_down_neither(
        words in prop::collection::vec(prop_oneof![
            Just("("), Just(")"), Just("["), Just("]"), Just("not "), Just(" and "), Just(" or "), Just("emails"), Just("."),
            Just("value"), Just(" eq "), Just("\"x\""), Just(" pr"), Just("urn:ietf:params:scim:schemas:core:2.0:User"), Just(":"),
        ], 0..24)
    ) {
        let _either = Filter::parse(&USERS, &words.concat());
        let _either = crate::path::Target::parse(&USERS, &words.concat());
    }
}
