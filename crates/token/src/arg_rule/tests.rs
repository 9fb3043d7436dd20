use super::*;
use proptest::prelude::*;
use provost_domain::Decimal;
use serde_json::json;

/// What a rule allows, as the policy room compiles it: a text, a number, or nothing at all.
pub(crate) fn allows(rule: &ArgRule, value: Option<&Scalar>) -> bool {
    let Some(value) = value else { return rule.optional || rule.absent };
    let text_fits = |pattern: &str| matches!(value, Scalar::Text(text) if pattern::matches(pattern, text));
    let number = match value {
        Scalar::Long(long) => Some(Decimal::from_units(long * 10_000)),
        Scalar::Text(_) | Scalar::Bool(_) => None,
    };
    !rule.absent
        && (rule.one_of.is_empty() || rule.one_of.contains(value))
        && !rule.none_of.contains(value)
        && rule.like.as_deref().is_none_or(text_fits)
        && !rule.not_like.as_deref().is_some_and(text_fits)
        && rule.min.is_none_or(|min| number.is_some_and(|n| n >= min))
        && rule.max.is_none_or(|max| number.is_some_and(|n| n <= max))
}

pub(crate) fn rules() -> impl Strategy<Value = ArgRule> {
    let scalar = || prop_oneof![(0..6_i64).prop_map(Scalar::Long), "[ab]{0,2}".prop_map(Scalar::Text)];
    let list = move || prop::collection::vec(scalar(), 0..4);
    let pattern = || prop::option::of("[ab*]{0,3}");
    let bound = || prop::option::of((0..6_i64).prop_map(|n| Decimal::from_units(n * 10_000)));
    let plain = (list(), list(), pattern(), pattern(), bound(), bound(), any::<bool>()).prop_map(
        |(one_of, none_of, like, not_like, min, max, optional)| ArgRule {
            one_of: one_of.into(),
            none_of: none_of.into(),
            like: like.map(Into::into),
            not_like: not_like.map(Into::into),
            min,
            max,
            optional,
            absent: false,
        },
    );
    prop_oneof![9 => plain, 1 => Just(ArgRule { absent: true, ..ArgRule::default() })]
}

/// A call's argument, or none.
pub(crate) fn values() -> impl Strategy<Value = Option<Scalar>> {
    prop::option::of(prop_oneof![(0..6_i64).prop_map(Scalar::Long), "[ab]{0,3}".prop_map(Scalar::Text)])
}

proptest! {
    #[test]
    fn both_rules_together_allow_what_each_allows_and_nothing_else(a in rules(), b in rules(), value in values()) {
        let value = value.as_ref();
        if let Some(merged) = both(&a, &b) {
            prop_assert_eq!(allows(&merged, value), allows(&a, value) && allows(&b, value));
        }
    }
}

#[test]
fn rules_merge_to_the_tighter_one_or_not_at_all() {
    let rule = |value: Value| serde_json::from_value::<ArgRule>(value).unwrap();
    for (a, b, wanted) in [
        (json!({"max": "100"}), json!({"max": "50"}), Some(json!({"max": "50.0"}))),
        (json!({"max": "50"}), json!({"max": "100"}), Some(json!({"max": "50.0"}))),
        (json!({"max": "50"}), json!({"min": "10"}), Some(json!({"min": "10.0", "max": "50.0"}))),
        (json!({"max": "50"}), json!({"min": "60"}), None),
        (json!({"one_of": ["a", "b"]}), json!({"one_of": ["b", "c"]}), Some(json!({"one_of": ["b"]}))),
        (json!({"one_of": ["a"]}), json!({"one_of": ["b"]}), None),
        (json!({"none_of": ["b"]}), json!({"none_of": ["a"]}), Some(json!({"none_of": ["a", "b"]}))),
        (json!({"like": "DE*"}), json!({"like": "DE02*"}), Some(json!({"like": "DE02*"}))),
        (json!({"like": "a*"}), json!({"like": "*b"}), None),
        (json!({"not_like": "a*"}), json!({"not_like": "ab*"}), Some(json!({"not_like": "a*"}))),
        (json!({"not_like": "a*"}), json!({"not_like": "*b"}), None),
        (json!({"max": "5", "optional": true}), json!({"max": "9"}), Some(json!({"max": "5.0"}))),
        (json!({"absent": true}), json!({"max": "9", "optional": true}), Some(json!({"absent": true}))),
        (json!({"absent": true}), json!({"max": "9"}), None),
    ] {
        let merged = both(&rule(a.clone()), &rule(b.clone()));
        assert_eq!(merged.map(|rule| serde_json::to_value(rule).unwrap()), wanted, "{a} {b}");
    }
}

#[test]
fn a_limit_that_is_misspelt_or_says_nothing_is_refused() {
    for bad in [
        json!({"maximum": "100"}),
        json!({"max": "100", "Max": "1"}),
        json!({"max": 100}),
        json!({"max": "1e3"}),
        json!({"max": "0.00001"}),
        json!({"min": "2", "max": "1"}),
        json!({"one_of": []}),
        json!({"one_of": [{}]}),
        json!({"one_of": ["a", null]}),
        json!({"one_of": "a"}),
        json!({"like": "a".repeat(513)}),
        json!({"absent": true, "max": "1"}),
        json!({"absent": false}),
        json!({"optional": "yes"}),
        json!({}),
        json!([]),
        json!(null),
    ] {
        assert_eq!(read(&bad), None, "{bad}");
    }
    for good in [
        json!({"max": "100"}),
        json!({"absent": true}),
        json!({"optional": true}),
        json!({"one_of": [1, "a", true]}),
    ] {
        assert!(read(&good).is_some(), "{good}");
    }
}
