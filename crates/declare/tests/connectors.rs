#![expect(clippy::unwrap_used, reason = "tests")]
//! What a connector's file says, what of it is refused, and what a plan makes of it.

use provost_declare::{PlannedWrite, Planning, Reach, SourceFile, plan, read, render, render_all};
use provost_domain::{
    Connector, Digest, Directory, Object, Person, Role, Timestamp,
    connector::{ConnectorToken, SubjectIs},
    ids::AgentId,
};

const PEOPLE: &str = "[organisation]\ndisplay = \"Acme\"\n[person.maria]\ndisplay = \"Maria\"\n[group.finance]\nmembers = [\"maria\"]\n\
    [issuer.acme]\ndescription = \"d\"\nissuer = \"https://idp.example\"\nkeys = \"discovery\"\nowner = \"maria\"\n\
    [issuer.acme.people]\nclient_id = \"c\"\nsign_in = true\n";
const HEAD: &str = "[connector.entra]\ndescription = \"The directory\"\nowner = \"maria\"\n";
const REST: &str = "logins = { issuer = \"acme\", subject = \"user-name\" }\n[connector.entra.groups]\n\
    \"Finance Approvers\" = { roles = [\"approver\"], group = \"finance\" }\n";

fn files(connector: &str) -> Vec<SourceFile> {
    vec![SourceFile::new("organisation.toml", PEOPLE), SourceFile::new("connectors.toml", connector)]
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// What the plane is after these files, and what the plan said.
fn applied(current: &Directory, files: &[SourceFile]) -> (Directory, String, bool) {
    let (declared, faults) = read(files);
    assert!(faults.is_empty(), "{}", render_all(&faults));
    let planning = Planning { current, versions: &|_| 1, now: now(), actor: "test", prune: true };
    let plan = plan(&declared, &planning, &mut || AgentId::from_bytes([7; 16]));
    let (said, widens) = (render(&plan), plan.changes().any(|step| step.reach == Reach::Widens));
    let mut next = current.clone();
    for write in plan.into_writes() {
        match write {
            PlannedWrite::Put { object, .. } => next.put(*object),
            PlannedWrite::Remove { key, .. } => next.remove(&key),
        }
    }
    (next, said, widens)
}

fn connector(directory: &Directory) -> Connector {
    directory.connectors.get("entra").unwrap().as_ref().clone()
}

#[test]
fn a_connector_is_read_as_it_is_written_and_says_in_words_what_its_groups_give() {
    let (plane, said, _widens) = applied(&Directory::default(), &files(&format!("{HEAD}{REST}")));
    let row = connector(&plane);
    assert!(row.active && row.tokens.is_empty());
    assert_eq!(row.logins.unwrap().subject, SubjectIs::UserName);
    let gives = row.groups.get("Finance Approvers").unwrap();
    assert_eq!(gives.roles, [Role::Approver].into());
    for line in [
        "says who comes, who leaves",
        "its people sign in at acme as what their userName says",
        "group Finance Approvers gives the role approver",
        "group Finance Approvers gives membership of finance",
    ] {
        assert!(said.contains(line), "{line}\nis not in\n{said}");
    }
    let (plane, said, widens) = applied(&plane, &files(&format!("{HEAD}active = false\n")));
    assert!(!widens && said.contains("gives no longer") && said.contains("is no longer heard"), "{said}");
    let (_plane, said, widens) = applied(&plane, &files(&format!("{HEAD}active = true\n{REST}")));
    assert!(widens && said.contains("gives the role approver"), "{said}");
}

#[test]
fn what_a_connectors_file_may_not_say_is_named() {
    for (more, fault) in [
        ("token = \"provost_connector_entra.x\"\n", "a secret has no place in files"),
        ("logins = { issuer = \"nobody\", subject = \"user-name\" }\n", "`nobody`"),
        ("logins = { issuer = \"acme\", subject = \"mail\" }\n", "mail"),
        ("groups = { Team = {} }\n", "gives nothing"),
        ("groups = { Team = { group = \"nobody\" } }\n", "there is no group `nobody`"),
        ("groups = { Team = { roles = [\"god\"] } }\n", "god"),
        ("nothing = 1\n", "nothing"),
    ] {
        let (_declared, faults) = read(&files(&format!("{HEAD}{more}")));
        let said = render_all(&faults);
        assert!(said.contains(fault), "{more}: {said}");
        assert!(!said.contains("provost_connector_entra.x"), "{said}");
    }
}

#[test]
fn files_keep_what_is_the_planes_its_tokens_and_who_came_by_it() {
    let all = files(&format!("{HEAD}{REST}"));
    let (mut plane, ..) = applied(&Directory::default(), &all);
    let token = ConnectorToken { digest: Digest::of(b"t"), issued: now(), expires: now() };
    plane.put(Object::Connector(Connector { tokens: vec![token], ..connector(&plane) }));
    let ada: Person = serde_json::from_value(serde_json::json!({
        "name": "ada", "display": "Ada", "active": false,
        "provisioned": {"connector": "entra", "user_name": "ada", "active": false, "stopped": true, "made": true, "created": 1,
            "changed": 1},
    }))
    .unwrap();
    plane.put(Object::Person(ada));
    let (plane, said, _) = applied(&plane, &all);
    assert_eq!(connector(&plane).tokens.len(), 1);
    assert!(
        plane.people.contains_key("ada") && !said.contains("ada"),
        "not even when all else is pruned: {said}"
    );
    let mut named = all;
    named.push(SourceFile::new("ada.toml", "[person.ada]\ndisplay = \"Countess\"\nactive = true\n"));
    let (plane, said, _) = applied(&plane, &named);
    let ada = plane.people.get("ada").unwrap();
    assert_eq!(
        (ada.display.as_str(), ada.active),
        ("Countess", false),
        "files bring back nobody whom it let go"
    );
    assert!(!ada.provisioned().unwrap().made && said.contains("described by files from now on"), "{said}");
}
