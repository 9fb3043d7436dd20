#![expect(clippy::unwrap_used, reason = "tests")]
//! The example organisation: read whole, planned into an empty plane, and then nothing is left to do.

use provost_declare::{Plan, PlannedWrite, Planning, SourceFile, is_declaration, plan, read, render};
use provost_domain::{Directory, ObjectKey, Timestamp, ids::AgentId};
use std::{collections::BTreeMap, path::Path};

#[test]
fn the_example_organisation_has_no_fault_and_is_applied_once() {
    let (declared, faults) = read(&acme());
    assert!(faults.is_empty(), "{}", provost_declare::render_all(&faults));
    assert_eq!(
        (declared.people.len(), declared.agents.len(), declared.tools.len(), declared.policies.len()),
        (4, 2, 9, 3)
    );
    let mut plane = Plane::default();
    let first = plane.plan(&declared, false);
    assert!(first.faults.is_empty() && first.widens());
    plane.apply(first);
    let second = plane.plan(&declared, true);
    assert!(second.is_empty() && second.steps.is_empty(), "{}", render(&second));
    assert_eq!(render(&second), "Nothing to do: the plane is what the files declare.\n");
}

#[test]
fn the_plan_for_an_empty_plane_reads_like_this() {
    let (declared, _) = read(&acme());
    let text = render(&Plane::default().plan(&declared, false));
    for line in [
        "+ person maria\n    joins: Maria Lindt, head of finance, reports to helen\n",
        "    is reached at http://127.0.0.1:7080/mcp\n",
        "+ agent invoice-clerk\n    is added: Checks incoming invoices",
        "    is owned by maria, then by jonas; production, supervised\n",
        "  ! gains bank/list_accounts, bank/get_statement, bank/list_payees\n",
        "  ! gains bank/transfer with amount at most 500.0, from_account one of operations, payee one of Brauer",
        "    budget transfers-a-day: at most 3 calls and 1000.0 of amount in 24h, of bank/transfer\n",
        "    expires 2027-12-31\n",
        "+ tool bank/close_account\n    is added and pinned: delete, financial\n",
        "+ policy payments\n    comes into force with policies acme/large-payments, ",
        "22 to add, 0 to change, 0 to remove.\n",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn the_decision_point_accepts_the_example_and_says_what_its_cases_say() {
    let files = acme();
    let (declared, _) = read(&files);
    let mut plane = Plane::default();
    plane.apply(plane.plan(&declared, false));
    let faults = provost_policy::check(&plane.directory);
    assert!(faults.is_empty(), "{faults:#?}");

    let (cases, faults) = provost_declare::read_cases(&files);
    assert!(faults.is_empty(), "{faults:?}");
    let cases: Vec<provost_policy::Case> =
        cases.into_iter().map(|case| serde_json::from_value(case.value).unwrap()).collect();
    assert!(cases.len() >= 14);
    for result in provost_policy::run_cases(&plane.directory, &cases) {
        assert!(result.passed, "{}: {:?}", result.name, result.differences);
    }
}

#[derive(Default)]
struct Plane {
    directory: Directory,
    versions: BTreeMap<ObjectKey, u64>,
}

impl Plane {
    fn plan(&self, declared: &provost_declare::Declared, prune: bool) -> Plan {
        let versions = |key: &ObjectKey| self.versions.get(key).copied().unwrap_or(0);
        let now = Timestamp::from_millis(1_795_000_000_000);
        let planning =
            Planning { current: &self.directory, versions: &versions, now, actor: "person:maria", prune };
        plan(declared, &planning, &mut || AgentId::from_bytes([7; 16]))
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
}

fn acme() -> Vec<SourceFile> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/acme");
    collect(&root, &root, &mut files);
    assert!(files.len() > 8);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(root, &path, files);
        } else if is_declaration(&relative) {
            files.push(SourceFile::new(relative, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
