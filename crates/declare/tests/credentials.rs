#![expect(clippy::unwrap_used, reason = "tests")]
//! What systems are shown: how it is written, what is wrong with it, what a plan says of it.

use provost_declare::{
    Declared, Planning, SourceFile,
    import::{ImportedSystem, write_system_file},
    plan, read, render_all,
};
use provost_domain::{Directory, DurationMs, Object, System, Timestamp, ids::AgentId};

fn files(text: &str) -> Vec<SourceFile> {
    let split = |file: &str| {
        let (path, text) = file.split_once('\n').unwrap();
        SourceFile::new(path.trim(), text)
    };
    text.split("=== ").skip(1).map(split).collect()
}

fn faults(text: &str) -> Vec<String> {
    let (_, faults) = read(&files(text));
    let line = |fault: &provost_declare::Fault| {
        let word = if fault.is_error() { "error" } else { "warning" };
        format!("{}:{}:{} {word}: {} | {}", fault.file, fault.line, fault.column, fault.message, fault.cure)
    };
    faults.iter().map(line).collect()
}

fn declared(credential: &str, connection: &str) -> Declared {
    let text = format!(
        "[system]\ndescription = \"d\"\nenvironment = \"staging\"\n{connection}\nrevocation_max = \"1h\"\n\
         [system.credential]\n{credential}\n"
    );
    let (declared, faults) = read(&[SourceFile::new("systems/crm.toml", text)]);
    assert!(faults.is_empty(), "{}", render_all(&faults));
    declared
}

fn system(declared: &Declared) -> System {
    declared.systems.values().next().unwrap().clone()
}

#[test]
fn every_fault_of_a_credential_is_named_with_its_place_and_cure() {
    let text = include_str!("faults/credentials.txt");
    let (files, expected) = text.split_once("=== expected\n").unwrap();
    let said = faults(files);
    let expected: Vec<&str> = expected.lines().collect();
    assert!(said == expected, "{}", said.join("\n"));
    assert!(!said.join("\n").contains("hunter2"));
}

const SERVER: &str = "issuer = \"https://as.example\"\ntoken_endpoint = \"https://as.example/token\"\nclient_id = \"provost\"\n";
const HTTP: &str = "api = \"https://crm.example\"";
const CHILD: &str = "command = [\"crm\"]";

/// Each kind, how it is written, and what a plan says of it.
fn kinds() -> Vec<(String, &'static str, &'static str)> {
    let tokens = |head: &str| format!("{head}\n{SERVER}");
    vec![
        ("name = \"crm-key\"".to_owned(), HTTP, "the sealed credential crm-key"),
        (tokens("kind = \"client-credentials\"\nscope = \"a b\""), HTTP, "tokens of the plane's own from https://as.example"),
        (
            tokens("name = \"s\"\nkind = \"client-credentials\"\nclient_authentication = \"client_secret_post\""),
            HTTP,
            "tokens of the plane's own from https://as.example",
        ),
        (
            tokens("kind = \"token-exchange\"\naudience = \"crm\"\nrevocation_endpoint = \"https://as.example/revoke\""),
            HTTP,
            "tokens for the agent, exchanged at https://as.example",
        ),
        (
            tokens("kind = \"token-exchange\"\nsubject = \"person\"\nresource = \"https://crm.example\""),
            HTTP,
            "tokens for the person behind the task, exchanged at https://as.example",
        ),
        (
            tokens("kind = \"id-jag\"\nlifetime_max = \"10m\""),
            HTTP,
            "tokens for the person behind the task, vouched for at https://as.example",
        ),
        (
            tokens("kind = \"account\"\nauthorization_endpoint = \"https://as.example/authorize\"\nclient_authentication = \"none\""),
            HTTP,
            "tokens for accounts that people connect at https://as.example",
        ),
        (
            "kind = \"signed\"\naudience = \"crm\"\nlifetime = \"2m\"".to_owned(),
            HTTP,
            "tokens for the agent, signed by the plane for crm, each for 2m",
        ),
        (
            "name = \"db\"\nkind = \"postgres-role\"\nmember_of = [\"reader\", \"Writer's\"]\ntarget = \"DATABASE_URL\"".to_owned(),
            CHILD,
            "a PostgreSQL role for each task, member of Writer's, reader, made with the sealed credential db, for 1h at a time",
        ),
        (
            "kind = \"aws-role\"\nrole = \"arn:aws:iam::1:role/reader\"\nendpoint = \"https://sts.example\"\nlifetime = \"15m\"".to_owned(),
            CHILD,
            "credentials of the AWS role arn:aws:iam::1:role/reader, each for 15m",
        ),
    ]
}

fn said(current: &Directory, declared: &Declared) -> Vec<(String, &'static str)> {
    let planning = Planning {
        current,
        versions: &|_key| 0,
        now: Timestamp::from_millis(1),
        actor: "test",
        prune: false,
    };
    let plan = plan(declared, &planning, &mut || AgentId::from_bytes([1; 16]));
    let words = plan.steps.iter().flat_map(|step| step.words.iter());
    let reach = |reach: provost_declare::Reach| match reach {
        provost_declare::Reach::Widens => "widens",
        provost_declare::Reach::Narrows => "narrows",
        provost_declare::Reach::Neutral => "neutral",
    };
    words.map(|words| (words.text.clone(), reach(words.reach))).collect()
}

#[test]
fn a_plan_says_of_every_kind_what_the_system_gets_and_of_a_change_what_it_got_before() {
    let before = declared("name = \"old\"", HTTP);
    let mut current = Directory::default();
    current.put(Object::System(system(&before)));
    for (credential, connection, words) in kinds() {
        let declared = declared(&credential, connection);
        let new = said(&Directory::default(), &declared);
        assert!(new.contains(&(format!("gets {words}"), "widens")), "{credential}: {new:?}");
        if !words.contains("sealed credential crm-key") {
            let changed = said(&current, &declared);
            let wanted = format!("gets {words} instead of the sealed credential old");
            assert!(changed.contains(&(wanted, "widens")), "{credential}: {changed:?}");
        }
    }
    let (one, other) =
        (format!("kind = \"id-jag\"\n{SERVER}"), format!("kind = \"id-jag\"\nscope = \"all\"\n{SERVER}"));
    current.put(Object::System(system(&declared(&one, HTTP))));
    let changed = said(&current, &declared(&other, HTTP));
    assert!(changed.iter().any(|(text, _)| text.contains("in another way")), "{changed:?}");
}

#[test]
fn a_system_file_that_was_written_reads_as_it_was() {
    for (credential, connection, _words) in kinds() {
        let system = system(&declared(&credential, connection));
        let text = write_system_file(&ImportedSystem { system: system.clone(), tools: Vec::new() });
        let (again, faults) = read(&[SourceFile::new("systems/crm.toml", text.clone())]);
        assert!(faults.is_empty(), "{text}\n{}", render_all(&faults));
        assert_eq!(again.systems.values().next(), Some(&system), "{text}");
    }
}

#[test]
fn what_nobody_seals_needs_no_name_and_usual_lives_are_short() {
    let (credential, connection, _) = kinds().swap_remove(1);
    let system = system(&declared(&credential, connection));
    let used = system.credential.as_ref().unwrap();
    assert_eq!(
        (used.name.as_str(), used.target.as_str(), used.prefix.as_str()),
        ("crm", "Authorization", "Bearer ")
    );
    assert_eq!(used.source.token().unwrap().lifetime_max, DurationMs::from_mins(60));
    assert_eq!(system.sealed_name(), None);
}
