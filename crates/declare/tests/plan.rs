#![expect(clippy::unwrap_used, reason = "tests")]
//! What a plan says and does when files change, against a plane they were applied to before.

use provost_declare::{
    Plan, PlannedWrite, Planning, Reach, SourceFile, StepKind, plan, read, render, render_all,
};
use provost_domain::{AgentStatus, Directory, Name, Object, ObjectKey, Timestamp, ids::AgentId};
use std::collections::BTreeMap;

#[test]
fn a_changed_charter_says_in_words_who_gains_and_who_loses_what() {
    let rows: &[(&str, &str, &str, Reach)] = &[
        (
            "max = 300.00",
            "max = 500.00",
            "limit on amount of bank/transfer rises from 300.0 to 500.0 (wider)",
            Reach::Widens,
        ),
        (
            "max = 300.00",
            "max = 200.5",
            "limit on amount of bank/transfer falls from 300.0 to 200.5 (narrower)",
            Reach::Narrows,
        ),
        ("min = 1,", "", "least on amount of bank/transfer (1.0) goes away (wider)", Reach::Widens),
        (
            "min = 1,",
            "min = 2,",
            "least on amount of bank/transfer rises from 1.0 to 2.0 (narrower)",
            Reach::Narrows,
        ),
        (
            "[\"operations\"]",
            "[\"operations\", \"payroll\"]",
            "from_account of bank/transfer may also be payroll (wider)",
            Reach::Widens,
        ),
        (
            "args.from_account",
            "args.note",
            "from_account of bank/transfer is no longer limited (wider)",
            Reach::Widens,
        ),
        ("like = \"A*\"", "like = \"B*\"", "note of bank/refund: like A* → like B* (wider)", Reach::Widens),
        ("count_max = 3", "count_max = 5", "budget daily: 3 → 5 calls in 24h (wider)", Reach::Widens),
        ("window = \"24h\"", "window = \"12h\"", "budget daily: window 24h → 12h (wider)", Reach::Widens),
        (
            "sum_max = 100",
            "sum_max = 90",
            "budget daily: 100.0 → 90.0 of amount in 24h (narrower)",
            Reach::Narrows,
        ),
        (
            "name = \"daily\"",
            "name = \"weekly\"",
            "budget daily goes away: at most 3 calls and 100.0 of amount in 24h, of bank/transfer (wider)",
            Reach::Widens,
        ),
        ("\"supervised\"", "\"bounded\"", "autonomy: supervised → bounded (wider)", Reach::Widens),
        ("\"supervised\"", "\"probation\"", "autonomy: supervised → probation (narrower)", Reach::Narrows),
        ("owner = \"maria\"", "owner = \"otto\"", "owner: maria → otto", Reach::Neutral),
        ("\"60m\"", "\"2h\"", "longest task: 1h → 2h (wider)", Reach::Widens),
        ("expires = 2027-06-30", "", "expires: 2027-06-30 → never (wider)", Reach::Widens),
        (
            "expires = 2027-06-30",
            "expires = 2027-07-31T12:00:00Z",
            "expires: 2027-06-30 → 2027-07-31T12:00:00Z (wider)",
            Reach::Widens,
        ),
        (
            "idle_days_max = 30",
            "idle_days_max = 10",
            "idle days before it retires: 30 → 10 (narrower)",
            Reach::Narrows,
        ),
        ("[\"confidential\"]", "[\"confidential\", \"payroll\"]", "may read payroll data", Reach::Widens),
        ("depth_max = 1", "depth_max = 2", "may delegate 2 levels down, to 3 at once (wider)", Reach::Widens),
        (
            "to = \"18:00\"",
            "to = \"17:00\"",
            "hours: mon, fri 08:00-18:00 UTC → mon, fri 08:00-17:00 UTC (narrower)",
            Reach::Narrows,
        ),
        (
            "to = \"18:00\"",
            "to = \"24:00\"",
            "hours: mon, fri 08:00-18:00 UTC → mon, fri 08:00-24:00 UTC (wider)",
            Reach::Widens,
        ),
        ("tools = [\"list\"]", "tools = [\"list\", \"close\"]", "gains bank/close", Reach::Widens),
        ("tools = [\"list\"]", "tools = [\"close\"]", "loses bank/list", Reach::Widens),
        ("model = \"m1\"", "model = \"m2\"", "made of model: m1 → m2", Reach::Narrows),
    ];
    for (from, to, words, reach) in rows {
        let mut plane = Plane::with(&organisation(CLERK));
        let step = plane.one_change(&organisation(&replaced(CLERK, from, to)));
        assert_eq!(step.key.to_string(), "agent clerk");
        assert!(step.words.iter().any(|said| said.text == *words), "{words}\nis not in\n{:#?}", step.words);
        assert_eq!(step.reach, *reach, "{words}");
        let Some(PlannedWrite::Put { object, expected: 1 }) = step.write else { panic!("{words}") };
        let Object::Agent(agent) = *object else { panic!("{words}") };
        assert_eq!(agent.revision, 2, "{words}");
    }
}

#[test]
fn a_changed_system_tool_or_policy_says_what_it_means() {
    let rows: &[(&str, &str, &str, &str, Reach)] = &[
        (
            "pin = \"sha256:11",
            "pin = \"sha256:22",
            "tool bank/transfer",
            "is re-pinned (definition changed)",
            Reach::Widens,
        ),
        (
            "effects = [\"financial\"]",
            "effects = [\"read\"]",
            "tool bank/transfer",
            "effects: financial → read (wider)",
            Reach::Widens,
        ),
        (
            "effects = [\"financial\"]",
            "",
            "tool bank/transfer",
            "effects: financial → unclassified: counts as every effect (narrower)",
            Reach::Narrows,
        ),
        (
            "returns = [\"confidential\"]",
            "",
            "tool bank/list",
            "results no longer carry confidential (wider)",
            Reach::Widens,
        ),
        (
            "sends_out = true",
            "",
            "tool bank/transfer",
            "no longer counts as handing data outside (wider)",
            Reach::Widens,
        ),
        (
            "https://bank.example/mcp",
            "https://bank2.example/mcp",
            "system bank",
            "is reached at https://bank2.example/mcp instead of at https://bank.example/mcp",
            Reach::Widens,
        ),
        (
            "revocation_max = \"5m\"",
            "revocation_max = \"2d\"",
            "system bank",
            "revocation time: 5m → 2d (wider)",
            Reach::Widens,
        ),
        ("@id(\"a\")", "@id(\"b\")", "policy rules", "loses policy a", Reach::Widens),
        (
            "forbid (",
            "permit (",
            "policy rules",
            "its text changes: nobody but a reader can tell which way (wider)",
            Reach::Widens,
        ),
        (
            "display = \"Jonas\"",
            "display = \"Jonas B\"",
            "person jonas",
            "name: Jonas → Jonas B",
            Reach::Neutral,
        ),
        (
            "production_revocation_max = \"1h\"",
            "",
            "organisation organisation",
            "revocation time allowed in production: 1h → no bound (wider)",
            Reach::Widens,
        ),
    ];
    let files = organisation(CLERK);
    for (from, to, key, words, reach) in rows {
        let mut plane = Plane::with(&files);
        let changed: Vec<SourceFile> = files
            .iter()
            .map(|file| SourceFile::new(file.path.clone(), file.text.replace(from, to)))
            .collect();
        let step = plane.one_change(&changed);
        assert_eq!((step.key.to_string().as_str(), step.reach), (*key, *reach), "{words}");
        assert!(step.words.iter().any(|said| said.text == *words), "{words}\nis not in\n{:#?}", step.words);
    }
}

#[test]
fn what_is_not_in_the_files_stays_unless_pruned_and_an_agent_is_only_ever_decommissioned() {
    let mut plane = Plane::with(&organisation(CLERK));
    let fewer: Vec<SourceFile> =
        organisation(CLERK).into_iter().filter(|file| !file.path.starts_with("agents")).collect();
    let kept = plane.plan(&fewer, false);
    assert!(kept.is_empty() && kept.left_alone == 1);
    assert_eq!(
        render(&kept),
        "Not in the files, left as they are (apply with --prune to remove them):\n· agent clerk\n\n\
         Nothing to do: the plane is what the files declare.\n"
    );
    let only_people: Vec<SourceFile> =
        organisation(CLERK).into_iter().filter(|file| file.path == "people.toml").collect();
    let pruned = plane.plan(&only_people, true);
    let keys: Vec<String> = pruned.changes().map(|step| step.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "agent clerk",
            "policy rules",
            "tool bank/close",
            "tool bank/list",
            "tool bank/refund",
            "tool bank/transfer",
            "system bank"
        ]
    );
    plane.apply(pruned);
    let clerk = plane.directory.agents.get(&"clerk".parse::<Name>().unwrap()).unwrap();
    assert_eq!((clerk.status, clerk.revision), (AgentStatus::Decommissioned, 1));
    assert!(plane.plan(&only_people, true).steps.is_empty(), "a decommissioned agent is no news");

    let back = plane.plan(&organisation(CLERK), false);
    let said = render_all(&back.faults);
    assert!(
        said.contains("error: agent clerk was decommissioned, and a name is never given again"),
        "{said}"
    );
    assert!(said.contains("--> agents/clerk.toml:1:1"), "{said}");
    assert!(back.changes().all(|step| step.key.to_string() != "agent clerk"));
}

#[test]
fn a_tool_that_left_the_file_of_its_system_goes_away() {
    let mut plane = Plane::with(&organisation(CLERK));
    let fewer: Vec<SourceFile> = organisation(CLERK)
        .into_iter()
        .map(|file| {
            let text = file.text.split("[tool.close]").next().unwrap_or_default().to_owned();
            SourceFile::new(file.path, text)
        })
        .collect();
    let step = plane.one_change(&fewer);
    assert_eq!((step.kind, step.key.to_string().as_str()), (StepKind::Remove, "tool bank/close"));
}

#[test]
fn files_stop_an_agent_and_never_start_one() {
    let stopped = replaced(CLERK, "owner = \"maria\"", "owner = \"maria\"\nsuspended = true");
    let mut plane = Plane::with(&organisation(CLERK));
    let step = plane.one_change(&organisation(&stopped));
    assert!(step.words.iter().any(|said| said.text == "is suspended"));
    assert_eq!(plane.status(), AgentStatus::Suspended);
    assert!(plane.plan(&organisation(&stopped), false).is_empty());

    let resumed = plane.plan(&organisation(CLERK), false);
    assert!(resumed.is_empty());
    let said = render_all(&resumed.faults);
    assert!(
        said.contains("warning: agent clerk is suspended in the plane, and files do not start it"),
        "{said}"
    );
    assert!(said.contains("do: run `provost agent resume clerk`"), "{said}");

    let step = plane.one_change(&organisation(&replaced(CLERK, "max = 300.00", "max = 250.00")));
    assert_eq!(step.reach, Reach::Narrows);
    assert_eq!(plane.status(), AgentStatus::Suspended, "a new charter does not start it either");
}

#[test]
fn an_agent_made_of_something_else_waits_for_a_person() {
    let mut plane = Plane::with(&organisation(CLERK));
    plane.one_change(&organisation(&replaced(CLERK, "model = \"m1\"", "model = \"m2\"")));
    assert_eq!(plane.status(), AgentStatus::PendingReapproval);
}

#[test]
fn an_expired_agent_is_a_warning_where_it_says_so() {
    let plane = Plane::default();
    let plan = plane.plan(&organisation(&replaced(CLERK, "2027-06-30", "2020-06-30")), false);
    let said = render_all(&plan.faults);
    assert!(said.starts_with("warning: agent clerk has expired"), "{said}");
    assert!(said.contains("expires = 2020-06-30"), "{said}");
}

#[test]
fn a_name_of_the_plane_is_not_given_to_another_class() {
    let mut plane = Plane::with(&organisation(CLERK));
    let person = [SourceFile::new("more.toml", "[person.clerk]\ndisplay = \"Clara\"\n")];
    let plan = plane.plan(&person, true);
    assert!(
        plan.faults
            .iter()
            .any(|fault| fault.message == "person clerk cannot be added: the plane has agent clerk")
    );
    // And what only the plane knows about a person stays: whether they left.
    let gone = SourceFile::new(
        "people.toml",
        PEOPLE.replace("display = \"Otto\"", "display = \"Otto\"\nactive = false"),
    );
    let mut files = organisation(CLERK);
    files.iter_mut().filter(|file| file.path == "people.toml").for_each(|file| *file = gone.clone());
    plane.one_change(&files);
    assert!(plane.plan(&organisation(CLERK), false).is_empty());
}

#[test]
fn a_plan_on_a_terminal_marks_every_line_that_widens() {
    let plane = Plane::with(&organisation(CLERK));
    let files = organisation(&replaced(
        &replaced(CLERK, "max = 300.00", "max = 500.00"),
        "count_max = 3",
        "count_max = 2",
    ));
    assert_eq!(
        render(&plane.plan(&files, false)),
        "~ agent clerk (charter revision 2)\n\
         \x20 ! limit on amount of bank/transfer rises from 300.0 to 500.0 (wider)\n\
         \x20   budget daily: 3 → 2 calls in 24h (narrower)\n\n\
         0 to add, 1 to change, 0 to remove.\n\
         1 line marked ! lets more happen than before: read it.\n"
    );
}

#[derive(Default)]
struct Plane {
    directory: Directory,
    versions: BTreeMap<ObjectKey, u64>,
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
        let versions = |key: &ObjectKey| self.versions.get(key).copied().unwrap_or(0);
        let now = Timestamp::from_millis(1_795_000_000_000);
        let planning =
            Planning { current: &self.directory, versions: &versions, now, actor: "person:maria", prune };
        plan(&declared, &planning, &mut || AgentId::from_bytes([7; 16]))
    }

    /// Plans files that change one row, applies them, and finds nothing left to do.
    fn one_change(&mut self, files: &[SourceFile]) -> provost_declare::Step {
        let plan = self.plan(files, false);
        let mut steps: Vec<_> = plan.changes().cloned().collect();
        assert_eq!(steps.len(), 1, "{}", render(&plan));
        self.apply(plan);
        assert!(self.plan(files, false).is_empty());
        steps.remove(0)
    }

    fn apply(&mut self, plan: Plan) {
        for write in plan.into_writes() {
            let (key, expected) = match write {
                PlannedWrite::Put { object, expected } => {
                    let key = object.key();
                    self.directory.put(*object);
                    (key, expected)
                }
                PlannedWrite::Remove { key, expected } => {
                    self.directory.remove(&key);
                    (key, expected)
                }
            };
            let version = self.versions.entry(key).or_insert(0);
            assert_eq!(*version, expected);
            *version += 1;
        }
    }

    fn status(&self) -> AgentStatus {
        self.directory.agents.get(&"clerk".parse::<Name>().unwrap()).unwrap().status
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn organisation(clerk: &str) -> Vec<SourceFile> {
    vec![
        SourceFile::new("people.toml", PEOPLE),
        SourceFile::new("systems/bank.toml", BANK),
        SourceFile::new("policies/rules.cedar", RULES),
        SourceFile::new("agents/clerk.toml", clerk),
    ]
}

const PEOPLE: &str = r#"
[organisation]
display = "Acme"
production_revocation_max = "1h"

[person.maria]
display = "Maria"

[person.jonas]
display = "Jonas"

[person.otto]
display = "Otto"
"#;

const BANK: &str = r#"
[system]
description = "A bank"
environment = "production"
url = "https://bank.example/mcp"
revocation_max = "5m"

[tool.transfer]
pin = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
effects = ["financial"]
args = { amount = "decimal", from_account = "string", note = "string" }
sends_out = true

[tool.list]
pin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
returns = ["confidential"]

[tool.refund]
pin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
args = { note = "string" }

[tool.close]
pin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
"#;

const RULES: &str = "@id(\"a\") @reason(\"r\") forbid (principal, action, resource);\n";

const CLERK: &str = r#"[agent]
purpose = "pays"
owner = "maria"
deputies = ["jonas"]
environment = "production"
autonomy = "supervised"
task_duration_max = "60m"
expires = 2027-06-30
idle_days_max = 30
data = ["confidential"]
manifest = { model = "m1" }

[[grant]]
system = "bank"
tools = ["transfer"]
args.amount = { min = 1, max = 300.00 }
args.from_account = { one_of = ["operations"] }

[[grant]]
system = "bank"
tools = ["refund"]
args.note = { like = "A*" }

[[grant]]
system = "bank"
tools = ["list"]

[[budget]]
name = "daily"
system = "bank"
tools = ["transfer"]
window = "24h"
count_max = 3
sum = "amount"
sum_max = 100

[hours]
days = ["mon", "fri"]
from = "08:00"
to = "18:00"
timezone = "UTC"

[delegation]
depth_max = 1
children_max = 3
"#;
