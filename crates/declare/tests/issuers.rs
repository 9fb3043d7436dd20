#![expect(clippy::unwrap_used, reason = "tests")]
//! What a plan says and does when issuers, and who people are to them, change.

use provost_declare::{
    Plan, PlannedWrite, Planning, Reach, SourceFile, StepKind, plan, read, render, render_all,
};
use provost_domain::{
    Directory, Name, Object, ObjectKey, Person, Timestamp,
    ids::AgentId,
    issuer::{KeySource, LinkBy},
    person::Login,
};

#[test]
fn an_issuer_is_read_as_it_is_written_with_what_it_does_not_say() {
    let plane = Plane::with(&files(ISSUERS, PEOPLE));
    let issuer = |name: &str| plane.directory.issuers.get(&name.parse::<Name>().unwrap()).unwrap().clone();
    let ci = issuer("ci");
    let taken = ci.workloads.as_ref().unwrap();
    assert_eq!((ci.issuer.as_str(), &ci.keys), ("https://ci.example", &KeySource::Discovery));
    assert_eq!((taken.ahead_max.0, taken.single_use, taken.unmanaged_max), (86_400_000, false, 100));
    let rules = serde_json::to_value(&taken.rules).unwrap();
    let expected = serde_json::json!([{"agent": "deployer", "claims": [
        {"claim": "/environment", "one_of": ["prod", "staging"]},
        {"claim": "/protected", "equals": true},
        {"claim": "/ref", "like": "refs/tags/v*"},
        {"claim": "/repository_id", "equals": "123"},
    ]}]);
    assert_eq!(rules, expected);
    let okta = issuer("okta").people.clone().unwrap();
    assert!(okta.sign_in && !okta.assertions && okta.link == LinkBy::Subject && okta.secret.is_none());
    assert_eq!(okta.roles.len(), 1);
    let mesh = issuer("mesh");
    assert_eq!(mesh.trust_domain(), Some("acme.example"));
    let KeySource::Inline { jwks } = &mesh.keys else { panic!("{:?}", mesh.keys) };
    assert!(jwks.contains_key("keys"));
}

#[test]
fn a_new_issuer_says_in_words_whom_it_is_believed_about() {
    let plane = Plane::default();
    let plan = plane.plan(&files(ISSUERS, PEOPLE), false);
    let said = render(&plan);
    for line in [
        "+ issuer ci\n    is added, answered for by maria: The CI\n  ! is trusted as https://ci.example, by the keys that its metadata names\n\
         \x20 ! vouches for workloads, to https://plane.example; at most 24h ahead\n    100 subjects that are nobody's are put on record\n\
         \x20 ! subjects of ci with /environment prod or staging and /protected true and /ref like refs/tags/v* and /repository_id 123 may act as deployer\n",
        "! is trusted as spiffe://acme.example, by the key in the file\n",
        "! its people sign in with it\n    the plane is its client provost, by signature\n  ! its group admins becomes administrator\n",
        "+ person jonas\n    joins: Jonas\n  ! becomes operator\n  ! is `00u1` of okta, and comes in as that\n",
    ] {
        assert!(said.contains(line), "{line}\nis not in\n{said}");
    }
    let order: Vec<String> = plan.changes().map(|step| step.key.to_string()).collect();
    let at = |key: &str| order.iter().position(|step| step == key).unwrap();
    assert!(at("issuer ci") < at("agent deployer") && at("person maria") < at("issuer ci"));
}

#[test]
fn a_changed_issuer_or_login_says_who_gains_and_who_loses_what() {
    let rows: &[(&str, &str, &str, &str, Reach)] = &[
        (
            "\"123\"",
            "\"124\"",
            "issuer ci",
            "subjects of ci with /environment prod or staging and /protected true and /ref like refs/tags/v* and /repository_id 124 may act as deployer",
            Reach::Widens,
        ),
        (
            "\"https://plane.example\"]",
            "\"https://plane.example\", \"b\"]",
            "issuer ci",
            "tokens are for: https://plane.example → b, https://plane.example (wider)",
            Reach::Widens,
        ),
        (
            "ahead_max = \"24h\"",
            "ahead_max = \"1h\"",
            "issuer ci",
            "tokens end at most: 24h → 1h (narrower)",
            Reach::Narrows,
        ),
        (
            "ahead_max = \"24h\"",
            "ahead_max = \"24h\"\nsingle_use = true",
            "issuer ci",
            "each token counts once",
            Reach::Narrows,
        ),
        (
            "keys = \"discovery\" # ci",
            "keys = { url = \"https://ci.example/jwks\" }",
            "issuer ci",
            "is believed by the keys at https://ci.example/jwks instead of by the keys that its metadata names",
            Reach::Widens,
        ),
        (
            "https://ci.example\"",
            "https://ci2.example\"",
            "issuer ci",
            "trusted as: https://ci.example → https://ci2.example (wider)",
            Reach::Widens,
        ),
        ("The CI", "Our CI", "issuer ci", "description: The CI → Our CI", Reach::Neutral),
        (
            "client_id = \"provost\"",
            "client_id = \"other\"",
            "issuer okta",
            "the plane is its client: provost, by signature → other, by signature (wider)",
            Reach::Widens,
        ),
        (
            "sign_in = true",
            "sign_in = true\nassertions = true",
            "issuer okta",
            "its assertions say which person an agent acts for",
            Reach::Widens,
        ),
        (
            "sign_in = true",
            "assertions = true",
            "issuer okta",
            "no longer: its people sign in with it",
            Reach::Widens,
        ),
        (
            "sign_in = true",
            "sign_in = true\nlink = \"email\"",
            "issuer okta",
            "whoever has the verified mail address of a person comes in as that person",
            Reach::Widens,
        ),
        (
            "[\"administrator\"]",
            "[\"viewer\"]",
            "issuer okta",
            "its group admins is no longer administrator",
            Reach::Widens,
        ),
        ("roles = [\"operator\"]", "", "person jonas", "is no longer operator", Reach::Narrows),
        (
            "roles = [\"operator\"]",
            "roles = [\"operator\", \"administrator\"]",
            "person jonas",
            "becomes administrator",
            Reach::Widens,
        ),
        ("\"00u1\"", "\"00u2\"", "person jonas", "is `00u2` of okta, and comes in as that", Reach::Widens),
        ("okta = \"00u1\"", "", "person jonas", "is no longer `00u1` of okta", Reach::Narrows),
    ];
    for (from, to, key, words, reach) in rows {
        let mut plane = Plane::with(&files(ISSUERS, PEOPLE));
        let (issuers, people) = (ISSUERS.replacen(from, to, 1), PEOPLE.replacen(from, to, 1));
        assert!(issuers != ISSUERS || people != PEOPLE, "{from}");
        let plan = plane.plan(&files(&issuers, &people), false);
        let steps: Vec<_> = plan.changes().cloned().collect();
        let [step] = steps.as_slice() else { panic!("{}", render(&plan)) };
        assert_eq!((step.key.to_string().as_str(), step.reach), (*key, *reach), "{words}");
        assert!(step.words.iter().any(|said| said.text == *words), "{words}\nis not in\n{:#?}", step.words);
        plane.apply(plan);
        assert!(plane.plan(&files(&issuers, &people), false).is_empty());
    }
}

#[test]
fn logins_keep_their_age_and_those_that_signing_in_made_stay_while_files_are_silent() {
    let mut plane = Plane::with(&files(ISSUERS, PEOPLE));
    assert_eq!(plane.logins("jonas"), [("00u1".to_owned(), NOW)]);
    // Linked by signing in, in the plane only.
    let mut maria = plane.person("maria");
    let added = Timestamp::from_millis(7);
    maria.logins.push(Login { issuer: "okta".parse().unwrap(), subject: "00u9".to_owned(), added });
    plane.directory.put(Object::Person(maria));
    assert!(plane.plan(&files(ISSUERS, PEOPLE), true).is_empty(), "the file says nothing about logins");
    let renamed = PEOPLE.replace("display = \"Maria\"", "display = \"Maria L\"");
    plane.apply(plane.plan(&files(ISSUERS, &renamed), false));
    assert_eq!(plane.logins("maria"), [("00u9".to_owned(), 7)]);

    // Said in the file, it is no news; a later one is as old as the plan.
    let said = PEOPLE.replace("display = \"Maria\"", "display = \"Maria L\"\nlogins = { okta = \"00u9\" }");
    assert!(plane.plan(&files(ISSUERS, &said), true).is_empty());
    let none = PEOPLE.replace("display = \"Maria\"", "display = \"Maria L\"\nlogins = {}");
    plane.apply(plane.plan(&files(ISSUERS, &none), false));
    assert!(plane.logins("maria").is_empty());
}

#[test]
fn a_subject_that_is_somebody_is_not_given_to_another_by_a_file() {
    let mut plane = Plane::with(&files(ISSUERS, PEOPLE));
    let mut maria = plane.person("maria");
    let login = Login {
        issuer: "okta".parse().unwrap(),
        subject: "00u2".to_owned(),
        added: Timestamp::from_millis(7),
    };
    maria.logins.push(login);
    plane.directory.put(Object::Person(maria));
    let taken = PEOPLE.replace("00u1", "00u2");
    let said = render_all(&plane.plan(&files(ISSUERS, &taken), false).faults);
    assert!(said.contains("error: this subject of okta is maria in the plane"), "{said}");
    let given = taken.replace("display = \"Maria\"", "display = \"Maria\"\nlogins = {}");
    assert!(!plane.plan(&files(ISSUERS, &given), false).faults.is_empty(), "nor when she loses it");
}

#[test]
fn an_issuer_goes_only_when_pruned_and_is_trusted_under_one_name_at_a_time() {
    let mut plane = Plane::with(&files(ISSUERS, PEOPLE));
    let (_ci, others) = ISSUERS.split_once("[issuer.okta]").unwrap();
    let fewer = files(&format!("[issuer.okta]{others}"), PEOPLE);
    let kept = plane.plan(&fewer, false);
    assert!(kept.is_empty() && kept.left_alone == 1);
    let renamed = files(&ISSUERS.replace("issuer.ci", "issuer.builds"), PEOPLE);
    let said = render_all(&plane.plan(&renamed, false).faults);
    assert!(said.contains("error: the plane trusts this issuer already, as ci"), "{said}");
    assert!(plane.plan(&renamed, true).faults.is_empty());

    let pruned = plane.plan(&fewer, true);
    let [step] = pruned.changes().collect::<Vec<_>>()[..] else { panic!("{}", render(&pruned)) };
    assert_eq!(
        (step.kind, step.key.to_string().as_str(), step.reach),
        (StepKind::Remove, "issuer ci", Reach::Narrows)
    );
    assert!(
        step.words
            .iter()
            .any(|said| said.text == "is trusted no more: tokens of https://ci.example are refused")
    );
    plane.apply(pruned);
    assert!(plane.directory.issuers.len() == 2);
}

#[derive(Default)]
struct Plane {
    directory: Directory,
}

impl Plane {
    fn with(files: &[SourceFile]) -> Self {
        let mut plane = Self::default();
        plane.apply(plane.plan(files, false));
        assert!(plane.plan(files, true).steps.is_empty(), "what was applied is no longer to do");
        plane
    }

    fn plan(&self, files: &[SourceFile], prune: bool) -> Plan {
        let (declared, faults) = read(files);
        assert!(faults.is_empty(), "{}", render_all(&faults));
        let versions = |_: &ObjectKey| 0;
        let now = Timestamp::from_millis(NOW);
        let planning =
            Planning { current: &self.directory, versions: &versions, now, actor: "person:maria", prune };
        plan(&declared, &planning, &mut || AgentId::from_bytes([7; 16]))
    }

    fn apply(&mut self, plan: Plan) {
        assert!(plan.faults.is_empty(), "{}", render_all(&plan.faults));
        for write in plan.into_writes() {
            match write {
                PlannedWrite::Put { object, .. } => self.directory.put(*object),
                PlannedWrite::Remove { key, .. } => self.directory.remove(&key),
            }
        }
    }

    fn person(&self, name: &str) -> Person {
        self.directory.people.get(&name.parse::<Name>().unwrap()).unwrap().as_ref().clone()
    }

    fn logins(&self, name: &str) -> Vec<(String, i64)> {
        self.person(name).logins.into_iter().map(|login| (login.subject, login.added.as_millis())).collect()
    }
}

fn files(issuers: &str, people: &str) -> Vec<SourceFile> {
    vec![
        SourceFile::new("people.toml", people),
        SourceFile::new("agents/deployer.toml", DEPLOYER),
        SourceFile::new("issuers.toml", issuers),
    ]
}

const NOW: i64 = 1_795_000_000_000;

const PEOPLE: &str = r#"
[person.maria]
display = "Maria"

[person.jonas]
display = "Jonas"
roles = ["operator"]
logins = { okta = "00u1" }
"#;

const DEPLOYER: &str = r#"
[agent]
purpose = "deploys"
owner = "maria"
environment = "sandbox"
autonomy = "bounded"
task_duration_max = "1h"
"#;

const ISSUERS: &str = r#"
[issuer.ci]
description = "The CI"
issuer = "https://ci.example"
keys = "discovery" # ci
owner = "maria"
[issuer.ci.workloads]
audiences = ["https://plane.example"]
ahead_max = "24h"
[[issuer.ci.rule]]
agent = "deployer"
claims = { "/repository_id" = "123", "/ref" = { like = "refs/tags/v*" }, "/environment" = ["prod", "staging"], "/protected" = true }

[issuer.okta]
description = "People"
issuer = "https://okta.example"
keys = "discovery"
owner = "maria"
[issuer.okta.people]
client_id = "provost"
sign_in = true
groups_claim = "groups"
roles = { admins = ["administrator"] }

[issuer.mesh]
description = "The mesh"
issuer = "spiffe://acme.example"
keys = { jwks = '{"keys":[{"kty":"OKP","crv":"Ed25519","use":"jwt-svid","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}' }
owner = "maria"
[issuer.mesh.workloads]
audiences = ["https://plane.example"]
"#;
