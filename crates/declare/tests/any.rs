//! Whatever the files say: reading them never panics, and what could be applied is then no longer to do.

use proptest::prelude::*;
use provost_declare::{
    PlannedWrite, Planning, SourceFile, any_error, plan, read, read_cases, render, render_all,
};
use provost_domain::{Directory, Timestamp, ids::AgentId};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn reading_any_text_never_panics(toml in any::<String>(), path in a_path()) {
        let _ = read_all(&[SourceFile::new(path, toml)]);
    }

    #[test]
    fn reading_a_damaged_organisation_never_panics_and_what_is_whole_is_applied_once(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), a_piece()), 0..4),
    ) {
        let mut files = organisation();
        for (file, place, piece) in damage {
            let file = file.index(files.len());
            let file = files.get_mut(file).expect("an index into the files");
            let chars: Vec<char> = file.text.chars().collect();
            let at = place.index(chars.len().max(1));
            let (cut, insert) = piece;
            file.text = chars.iter().take(at).chain(insert.chars().collect::<Vec<_>>().iter())
                .chain(chars.iter().skip(at + cut)).collect();
        }
        applied_once(&files)?;
    }

    #[test]
    fn an_organisation_of_shuffled_lines_never_panics(
        files in proptest::collection::vec((a_path(), proptest::collection::vec(a_line(), 0..30)), 1..4),
    ) {
        let files: Vec<SourceFile> =
            files.into_iter().map(|(path, lines)| SourceFile::new(path, lines.join("\n"))).collect();
        applied_once(&files)?;
    }
}

fn read_all(files: &[SourceFile]) -> provost_declare::Declared {
    let _ = read_cases(files);
    let (declared, faults) = read(files);
    let _ = render_all(&faults);
    declared
}

fn applied_once(files: &[SourceFile]) -> Result<(), TestCaseError> {
    let _ = read_all(files);
    let (declared, faults) = read(files);
    let mut directory = Directory::default();
    let plan_now = |directory: &Directory| {
        let planning = Planning {
            current: directory,
            versions: &|_| 0,
            now: Timestamp::from_millis(1_795_000_000_000),
            actor: "person:maria",
            prune: true,
        };
        plan(&declared, &planning, &mut || AgentId::from_bytes([7; 16]))
    };
    let first = plan_now(&directory);
    let _ = render(&first);
    if any_error(&faults) || any_error(&first.faults) {
        return Ok(());
    }
    for write in first.into_writes() {
        match write {
            PlannedWrite::Put { object, .. } => directory.put(*object),
            PlannedWrite::Remove { key, .. } => directory.remove(&key),
        }
    }
    let second = plan_now(&directory);
    prop_assert!(second.steps.is_empty(), "{}", render(&second));
    Ok(())
}

fn a_path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("all.toml".to_owned()),
        Just("systems/bank.toml".to_owned()),
        Just("agents/clerk.toml".to_owned()),
        Just("applications/docs.toml".to_owned()),
        Just("policies/rules.cedar".to_owned()),
        "[a-z./]{0,12}\\.(toml|cedar|json)",
    ]
}

/// How many characters go, and what comes instead.
fn a_piece() -> impl Strategy<Value = (usize, String)> {
    (0..12_usize, prop_oneof!["[ -~\\n]{0,6}", any::<String>(), a_line()])
}

fn a_line() -> impl Strategy<Value = String> {
    let lines: Vec<String> = organisation()
        .iter()
        .flat_map(|file| file.text.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>())
        .chain(MORE_LINES.iter().map(|line| (*line).to_owned()))
        .collect();
    prop::sample::select(lines)
}

fn organisation() -> Vec<SourceFile> {
    vec![
        SourceFile::new("all.toml", ALL),
        SourceFile::new("policies/rules.cedar", "forbid (principal, action, resource);"),
    ]
}

const MORE_LINES: [&str; 24] = [
    "[[grant]]",
    "[system]",
    "[agent]",
    "[tool.list]",
    "[tool]",
    "[application]",
    "[hours]",
    "[delegation]",
    "args = { a = { b = { c = \"json?\" } } }",
    "args.a.b = { max = 1e3 }",
    "manager = \"jonas\"",
    "expires = 00:00:00",
    "[issuer.ci]",
    "issuer = \"https://ci.example\"",
    "keys = \"discovery\"",
    "keys = { jwks = '{}' }",
    "[issuer.ci.workloads]",
    "audiences = [\"a\"]",
    "[[issuer.ci.rule]]",
    "claims = { \"/sub\" = \"x\", \"/n\" = [1, true] }",
    "[issuer.ci.people]",
    "client_id = \"x\"",
    "logins = { ci = \"1\" }",
    "roles = [\"viewer\"]",
];

const ALL: &str = r#"
[organisation]
display = "Acme"

[person.maria]
display = "Maria"
email = "maria@acme.example"

[person.jonas]
display = "Jonas"
manager = "maria"
active = true

[workload.archive]
purpose = "asks"
owner = "maria"

[issuer.ci]
description = "The CI"
issuer = "https://ci.example"
keys = "discovery"
owner = "maria"
[issuer.ci.workloads]
audiences = ["https://plane.example"]
[[issuer.ci.rule]]
agent = "clerk"
claims = { "/sub" = "x", "/ref" = { like = "v*" }, "/n" = [1, true] }
[issuer.ci.people]
client_id = "provost"
sign_in = true

[system.bank]
description = "A bank"
environment = "production"
url = "https://bank.example/mcp"
credential = { name = "bank" }
revocation_max = "5m"
resource_labels = ["payroll"]

[system.bank.tool.transfer]
pin = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
effects = ["financial"]
args = { amount = "decimal", to = { iban = "string", "?" = true }, tags = "set<string>?" }
returns = ["confidential", { label = "untrusted", field = "lines.memo" }]
sends_out = true

[agent.clerk]
purpose = "pays"
owner = "maria"
deputies = ["jonas"]
environment = "production"
autonomy = "supervised"
task_duration_max = "60m"
expires = 2027-06-30
data = ["confidential", "payroll"]
manifest = { model = "m1" }

[[agent.clerk.grant]]
system = "bank"
tools = ["transfer"]
args.amount = { min = 1, max = 300.00 }
args.to.iban = { like = "NL*", none_of = ["NL1"] }

[[agent.clerk.grant]]
system = "bank"
tools = ["@prompts"]

[[agent.clerk.budget]]
name = "daily"
system = "bank"
tools = ["transfer"]
window = "24h"
count_max = 3
sum = "amount"
sum_max = 100

[agent.clerk.hours]
days = ["mon", "fri"]
from = "08:00"
to = "18:00"
timezone = "Europe/Berlin"
"#;

#[test]
fn everything_may_stand_in_one_file() {
    let (declared, faults) = read(&[SourceFile::new("all.toml", ALL)]);
    assert!(faults.is_empty(), "{}", render_all(&faults));
    assert_eq!((declared.agents.len(), declared.tools.len(), declared.systems.len()), (1, 1, 1));
}
