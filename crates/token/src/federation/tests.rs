use super::*;
use crate::testing::{NOW, NOW_S, Signer, keys, with};
use serde_json::{Value, json};

const PLANE: &str = "https://plane.example";
const ENDPOINT: &str = "https://plane.example/oauth/token";

fn issuer(name: &str, rules: Value) -> TrustedIssuer {
    let text = json!({ "issuer": name, "audiences": [PLANE, ENDPOINT], "rules": rules });
    let issuer: TrustedIssuer = serde_json::from_value(text).unwrap();
    issuer.check().unwrap();
    issuer
}

fn agent(found: FederatedMatch<'_>) -> String {
    match found {
        FederatedMatch::Agent(agent) => agent.to_string(),
        FederatedMatch::Nobody => "nobody".into(),
        FederatedMatch::Several(agents) => format!("{} agents", agents.len()),
    }
}

/// A projected service account token.
fn kubernetes() -> (TrustedIssuer, Value) {
    let rules = json!([
        {"agent": "clerk", "claims": [
            {"claim": "/kubernetes.io/namespace", "equals": "payments"},
            {"claim": "/kubernetes.io/serviceaccount/name", "one_of": ["clerk", "clerk-batch"]},
        ]},
        {"agent": "auditor", "claims": [{"claim": "/sub", "equals": "system:serviceaccount:audit:auditor"}]},
    ]);
    let claims = json!({
        "iss": "https://kubernetes.default.svc.cluster.local", "aud": [PLANE],
        "sub": "system:serviceaccount:payments:clerk",
        "iat": NOW_S - 10, "nbf": NOW_S - 10, "exp": NOW_S + 3_590, "jti": "b1d0",
        "kubernetes.io": {"namespace": "payments", "node": {"name": "n1"}, "pod": {"name": "clerk-0", "uid": "1"},
            "serviceaccount": {"name": "clerk", "uid": "2"}},
    });
    (issuer("https://kubernetes.default.svc.cluster.local", rules), claims)
}

/// A GitHub Actions token.
fn github() -> (TrustedIssuer, Value) {
    let rules = json!([{"agent": "releaser", "claims": [
        {"claim": "/repository_id", "equals": "42"},
        {"claim": "/repository_owner_id", "equals": "7"},
        {"claim": "/environment", "equals": "production"},
        {"claim": "/job_workflow_ref", "like": "acme/ci/.github/workflows/release.yml@refs/tags/v*"},
    ]}]);
    let claims = json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": PLANE, "sub": "repo:acme/app:environment:production",
        "repository": "acme/app", "repository_id": "42", "repository_owner": "acme", "repository_owner_id": "7",
        "job_workflow_ref": "acme/ci/.github/workflows/release.yml@refs/tags/v3", "ref": "refs/heads/main",
        "environment": "production", "event_name": "push", "run_id": "1", "actor": "maria",
        "iat": NOW_S, "nbf": NOW_S - 600, "exp": NOW_S + 300, "jti": "x",
    });
    (issuer("https://token.actions.githubusercontent.com", rules), claims)
}

/// A GitLab job token.
fn gitlab() -> (TrustedIssuer, Value) {
    let rules = json!([{"agent": "deployer", "claims": [
        {"claim": "/project_id", "equals": "22"},
        {"claim": "/ref_protected", "equals": "true"},
        {"claim": "/sub", "like": "project_path:acme/app:ref_type:branch:ref:*"},
    ]}]);
    let claims = json!({
        "iss": "https://gitlab.com", "aud": ENDPOINT, "sub": "project_path:acme/app:ref_type:branch:ref:main",
        "project_id": "22", "namespace_id": "72", "project_path": "acme/app", "ref": "main", "ref_type": "branch",
        "ref_protected": "true", "pipeline_source": "push", "user_login": "maria",
        "iat": NOW_S, "nbf": NOW_S - 5, "exp": NOW_S + 3_600, "jti": "y",
    });
    (issuer("https://gitlab.com", rules), claims)
}

#[test]
fn tokens_of_the_usual_platforms_are_the_agents_their_rules_name() {
    let signer = Signer::rsa("RS256");
    for ((issuer, claims), wanted) in
        [(kubernetes(), "clerk"), (github(), "releaser"), (gitlab(), "deployer")]
    {
        let token = signer.token("JWT", &claims);
        assert_eq!(claimed_issuer(&token).unwrap(), issuer.issuer);
        let identity = issuer.verify(&token, &keys(&[&signer]), NOW).unwrap();
        assert_eq!(agent(issuer.agent_of(&identity)), wanted);
        assert_eq!(identity.subject.issuer, issuer.issuer);
        assert_eq!(identity.subject.subject, claims["sub"].as_str().unwrap());
        assert_eq!(identity.replay, None, "used again until it expires");
    }
}

#[test]
fn a_claim_that_does_not_fit_makes_it_nobody() {
    let signer = Signer::es(1);
    let cases = [
        (
            kubernetes(),
            json!({"kubernetes.io": {"namespace": "payments", "serviceaccount": {"name": "other"}}}),
        ),
        (kubernetes(), json!({"kubernetes.io": {"namespace": "payments"}})),
        (kubernetes(), json!({"kubernetes.io": null, "kubernetes.io/namespace": "payments"})),
        (github(), json!({"environment": null})),
        (github(), json!({"repository_id": 42})),
        (github(), json!({"job_workflow_ref": "evil/ci/.github/workflows/release.yml@refs/tags/v3"})),
        (github(), json!({"job_workflow_ref": "x acme/ci/.github/workflows/release.yml@refs/tags/v3"})),
        (gitlab(), json!({"sub": "project_path:evil/app:ref_type:branch:ref:main"})),
        (gitlab(), json!({"ref_protected": "false"})),
    ];
    for ((issuer, claims), changes) in cases {
        let token = signer.token("JWT", &with(&claims, changes.clone()));
        let identity = issuer.verify(&token, &keys(&[&signer]), NOW).unwrap();
        assert_eq!(agent(issuer.agent_of(&identity)), "nobody", "{changes}");
    }
}

#[test]
fn rules_of_two_agents_that_both_fit_make_it_neither() {
    let rules = json!([
        {"agent": "a", "claims": [{"claim": "/sub", "like": "x*"}]},
        {"agent": "a", "claims": [{"claim": "/sub", "like": "*y"}]},
        {"agent": "b", "claims": [{"claim": "/sub", "equals": "xy"}]},
    ]);
    let issuer = issuer("https://idp.example", rules);
    let signer = Signer::ed(1);
    let found = |sub: &str| {
        let claims =
            json!({"iss": "https://idp.example", "aud": PLANE, "sub": sub, "iat": NOW_S, "exp": NOW_S + 60});
        let identity = issuer.verify(&signer.token("JWT", &claims), &keys(&[&signer]), NOW).unwrap();
        agent(issuer.agent_of(&identity))
    };
    assert_eq!((found("xzy"), found("xy")), ("a".into(), "2 agents".into()));
}

#[test]
fn an_identity_of_one_issuer_is_nobody_to_another() {
    let signer = Signer::ed(1);
    let (k8s, claims) = kubernetes();
    let identity = k8s.verify(&signer.token("JWT", &claims), &keys(&[&signer]), NOW).unwrap();
    let (mut other, _claims) = kubernetes();
    other.issuer = "https://other-cluster".into();
    assert_eq!(agent(other.agent_of(&identity)), "nobody");
    assert_eq!(
        other.verify(&signer.token("JWT", &claims), &keys(&[&signer]), NOW).unwrap_err(),
        Fault::Issuer,
        "the other issuer's token, even by a key we know"
    );
}

#[test]
fn every_standard_claim_has_to_fit() {
    let signer = Signer::es(1);
    let (issuer, claims) = kubernetes();
    for (changes, fault) in [
        (json!({"iss": "https://evil"}), Fault::Issuer),
        (json!({"iss": "https://kubernetes.default.svc.cluster.local/"}), Fault::Issuer),
        (json!({"aud": "https://evil"}), Fault::Audience),
        (json!({"aud": [PLANE, "https://evil"]}), Fault::Audience),
        (json!({"aud": []}), Fault::Claim("aud")),
        (json!({"aud": null}), Fault::Missing("aud")),
        (json!({"sub": null}), Fault::Missing("sub")),
        (json!({"sub": ""}), Fault::Claim("sub")),
        (json!({"exp": NOW_S}), Fault::Expired),
        (json!({"exp": NOW_S + 86_401}), Fault::LongLived { seconds_max: 86_400 }),
        (json!({"iat": null}), Fault::Missing("iat")),
        (json!({"iat": NOW_S + 31}), Fault::NotYet),
        (json!({"nbf": NOW_S + 31}), Fault::NotYet),
    ] {
        let token = signer.token("JWT", &with(&claims, changes.clone()));
        assert_eq!(issuer.verify(&token, &keys(&[&signer]), NOW).unwrap_err(), fault, "{changes}");
    }
    let both = signer.token("JWT", &with(&claims, json!({"aud": [PLANE, ENDPOINT]})));
    assert!(issuer.verify(&both, &keys(&[&signer]), NOW).is_ok(), "both are us");
    for typ in ["at+jwt", "oauth-id-jag+jwt", "dpop+jwt", "client-authentication+jwt"] {
        let token = signer.token(typ, &claims);
        assert_eq!(issuer.verify(&token, &keys(&[&signer]), NOW).unwrap_err(), Fault::Type, "{typ}");
    }
}

#[test]
fn single_use_tokens_are_remembered_and_need_a_jti() {
    let signer = Signer::es(1);
    let (mut issuer, claims) = kubernetes();
    issuer.single_use = true;
    let replay =
        issuer.verify(&signer.token("JWT", &claims), &keys(&[&signer]), NOW).unwrap().replay.unwrap();
    assert_eq!((replay.issuer.as_str(), replay.jti.as_str()), (issuer.issuer.as_str(), "b1d0"));
    let token = signer.token("JWT", &with(&claims, json!({"jti": null})));
    assert_eq!(issuer.verify(&token, &keys(&[&signer]), NOW).unwrap_err(), Fault::Missing("jti"));
}

#[test]
fn a_configuration_that_trusts_too_much_is_refused() {
    let (good, _claims) = kubernetes();
    let spoilt = |spoil: fn(&mut TrustedIssuer)| {
        let mut issuer = good.clone();
        spoil(&mut issuer);
        issuer.check().unwrap_err()
    };
    for issuer in
        ["http://idp.example", "idp.example", "https://idp.example?x", "https://idp.example#x", "file:///x"]
    {
        let mut spoilt = good.clone();
        spoilt.issuer = issuer.into();
        assert!(matches!(spoilt.check(), Err(IssuerFault::Issuer(_))), "{issuer}");
    }
    assert_eq!(spoilt(|i| i.audiences.clear()), IssuerFault::Audience);
    assert_eq!(spoilt(|i| i.audiences = BTreeSet::from([String::new()])), IssuerFault::Audience);
    assert_eq!(spoilt(|i| i.rules[0].claims.clear()), IssuerFault::Unconditional("clerk".parse().unwrap()));
    assert_eq!(spoilt(|i| i.ahead_seconds_max = 0), IssuerFault::Lifetime);
    let unknown = json!({"issuer": "https://x", "audiences": ["a"], "audience": "b"});
    assert!(serde_json::from_value::<TrustedIssuer>(unknown).is_err());
    // And a rule without claims, if it gets past that check, fits nobody.
    let mut open = good.clone();
    open.rules[0].claims.clear();
    open.rules.truncate(1);
    let signer = Signer::ed(1);
    let identity = open.verify(&signer.token("JWT", &kubernetes().1), &keys(&[&signer]), NOW).unwrap();
    assert_eq!(agent(open.agent_of(&identity)), "nobody");
}
