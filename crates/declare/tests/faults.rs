#![expect(clippy::unwrap_used, reason = "tests")]
//! Files with faults, and exactly what is said about them, all at once.

use provost_declare::{SourceFile, read, render_all};

/// Files, separated by lines that begin with `=== `, and what `read` says: a line per fault.
fn said(files: &str) -> Vec<String> {
    let (_, faults) = read(&sources(files));
    let line = |fault: &provost_declare::Fault| {
        let word = if fault.is_error() { "error" } else { "warning" };
        format!("{}:{}:{} {word}: {} | {}", fault.file, fault.line, fault.column, fault.message, fault.cure)
    };
    faults.iter().map(line).collect()
}

fn sources(files: &str) -> Vec<SourceFile> {
    let files = files.split("=== ").skip(1).map(|file| file.split_once('\n').unwrap());
    files.map(|(path, text)| SourceFile::new(path.trim(), text)).collect()
}

#[test]
fn every_fault_of_an_organisation_is_named_at_once() {
    as_expected(include_str!("faults/all.txt"));
}

#[test]
fn every_fault_of_an_issuer_and_of_who_comes_through_it_is_named_at_once() {
    as_expected(include_str!("faults/issuers.txt"));
}

#[test]
fn every_fault_of_a_group_and_of_how_approvals_go_is_named_at_once() {
    as_expected(include_str!("faults/groups.txt"));
}

#[test]
fn every_fault_of_a_channel_is_named_at_once() {
    as_expected(include_str!("faults/channels.txt"));
}

#[test]
fn every_fault_of_where_a_workload_is_told_things_is_named() {
    let of = |callbacks: &str| {
        said(&format!(
            "=== pep.toml\n[person.maria]\ndisplay = \"Maria\"\n\n[workload.pep]\npurpose = \"asks\"\nowner = \"maria\"\n\
             applications = [\"agent\"]\n\
             callbacks = {callbacks}\n"
        ))
    };
    let there = "endpoints = [\"https://pep.example/callbacks\", \"http://127.0.0.1:9/callbacks\"]";
    let good = of(&format!("{{ {there}, secret = \"pep\" }}"));
    assert!(good.is_empty(), "{good:?}");
    for (callbacks, part) in [
        ("{}".to_owned(), "endpoints"),
        (format!("{{ {there} }}"), "secret"),
        ("{ endpoints = [], secret = \"pep\" }".to_owned(), "1 to 8 addresses"),
        ("{ endpoints = [\"http://pep.example/x\"], secret = \"pep\" }".to_owned(), "in the clear"),
        ("{ endpoints = [\"https://me@pep.example/x\"], secret = \"pep\" }".to_owned(), "user name"),
        (format!("{{ {there}, secret = \"whsec_abc\" }}"), "not the name of a sealed secret"),
        (format!("{{ {there}, secret = \"pep\", state = 1 }}"), "state"),
    ] {
        let faults = of(&callbacks);
        assert!(faults.iter().any(|fault| fault.contains(part)), "{callbacks}: {faults:?}");
        assert!(!faults.iter().any(|fault| fault.contains("whsec_abc")), "{faults:?}");
    }
}

#[test]
fn groups_without_an_organisation_are_a_fault_and_with_one_they_are_in_its_row() {
    let group =
        "=== people.toml\n[person.maria]\ndisplay = \"Maria\"\n\n[group.finance]\nmembers = [\"maria\"]\n";
    assert!(said(group)[0].contains("group finance belongs to an organisation"), "{:?}", said(group));
    let whole = format!("{group}=== organisation.toml\n[organisation]\ndisplay = \"Acme\"\n");
    let (declared, faults) = read(&sources(&whole));
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(declared.groups["finance"].needs, 1);
}

fn as_expected(text: &str) {
    let (files, expected) = text.split_once("=== expected\n").unwrap();
    let expected: Vec<&str> = expected.lines().collect();
    let said = said(files);
    let missing: Vec<_> = expected.iter().filter(|line| !said.iter().any(|said| said == *line)).collect();
    let unexpected: Vec<_> = said.iter().filter(|said| !expected.contains(&said.as_str())).collect();
    assert!(
        missing.is_empty() && unexpected.is_empty(),
        "missing: {missing:#?}\nunexpected: {unexpected:#?}"
    );
    assert!(said == expected, "in another order");
}

#[test]
fn a_line_that_is_not_toml_is_named_once_and_nothing_is_guessed_from_it() {
    let said = said(
        "=== people.toml\n[person.maria]\ndisplay = Maria\nmanager = \"nobody\"\n\n[person.otto\ndisplay = \"Otto\"\nemial = \"x\"\n\
         === agents/clerk.toml\n[agent]\nowner = \"otto\"\nautonomy = 3\npurpose = \"p\"\nenvironment = \"sandbox\"\ntask_duration_max = \"1h\"\n",
    );
    let expected = [
        "agents/clerk.toml:3:12 error: `autonomy` must be text, not a whole number | write it in quotes: autonomy = \"…\"",
        "people.toml:2:11 error: not valid TOML: string values must be quoted, expected literal string | see https://toml.io for how TOML is written",
        "people.toml:5:13 error: not valid TOML: unclosed table, expected `]` | see https://toml.io for how TOML is written",
    ];
    assert_eq!(said, expected, "\n{}\n", said.join("\n"));
}

#[test]
fn a_fault_is_shown_with_its_line_a_mark_and_a_cure() {
    let file = SourceFile::new("people.toml", "[person.maria]\n\tdisplay = 7 # ä\n");
    let (_, faults) = read(&[file]);
    assert_eq!(
        render_all(&faults),
        "error: `display` must be text, not a whole number\n --> people.toml:2:12\n  |\n2 | \tdisplay = 7 # ä\n  \
         | \t          ^\n  = do: write it in quotes: display = \"…\"\n\n1 error\n"
    );
}

#[test]
fn a_secret_in_a_file_is_not_repeated_by_its_fault() {
    let text = "[system]\ndescription = \"d\"\nenvironment = \"sandbox\"\ncommand = [\"x\"]\n\
                env = { X_PASSWORD = \"hunter2\" }\n";
    let url =
        "[system]\ndescription = \"d\"\nenvironment = \"sandbox\"\nurl = \"https://me:hunter2@x.example/\"\n";
    let (_, faults) =
        read(&[SourceFile::new("systems/a.toml", text), SourceFile::new("systems/b.toml", url)]);
    assert_eq!(faults.len(), 2);
    assert!(!format!("{faults:?}{}", render_all(&faults)).contains("hunter2"));
}

#[test]
fn no_fault_shows_a_line_of_an_issuer_that_may_hold_a_secret() {
    let text = include_str!("faults/issuers.txt");
    let (files, _expected) = text.split_once("=== expected\n").unwrap();
    let (_, faults) = read(&sources(files));
    let shown = format!("{faults:?}{}", render_all(&faults));
    // In the file: two secrets in the place of names, two private keys, and a text where a key set should be.
    let channels = include_str!("faults/channels.txt").split_once("=== expected\n").unwrap().0;
    let (_, of_channels) = read(&sources(channels));
    assert!(channels.contains("hunter2") && !format!("{of_channels:?}").contains("hunter2"));
    for secret in ["hunter2", "Hunter 2!", "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "aHVudGVyMg"] {
        assert!(files.contains(secret) && !shown.contains(secret), "{secret}");
    }
}

#[test]
fn bounds_are_named_when_they_are_passed() {
    use provost_declare::limits::{FAULTS_MAX, FILE_BYTES_MAX, LIST_MAX};
    let long = SourceFile::new("a.toml", " ".repeat(FILE_BYTES_MAX + 1));
    let same = [SourceFile::new("b.toml", ""), SourceFile::new("b.toml", "")];
    let many = SourceFile::new("c.toml", (0..1500).map(|n| format!("key{n} = 1\n")).collect::<String>());
    let list =
        SourceFile::new("d.toml", format!("[workload.w]\napplications = [{}]", "1,".repeat(LIST_MAX + 1)));
    let says = |files: &[SourceFile], words: &str| {
        let (_, faults) = read(files);
        assert!(faults.iter().any(|fault| fault.message.contains(words)), "{words}\n{}", render_all(&faults));
        assert!(faults.len() <= FAULTS_MAX + 1);
    };
    says(&[long], "file has 1048577 bytes, more than 1048576");
    says(&same, "file is given twice");
    says(&[many], "500 more faults are not shown");
    says(&[list], "`applications` has 1001 items, more than 1000");
}

#[test]
fn a_grant_that_gives_nothing_is_a_warning() {
    let agent = |name: &str, environment: &str, data: &str| {
        format!(
            "=== agents/{name}.toml\n[agent]\npurpose = \"p\"\nowner = \"maria\"\nenvironment = \"{environment}\"\n\
             autonomy = \"bounded\"\ntask_duration_max = \"1h\"\ndata = [{data}]\n[[grant]]\nsystem = \"bank\"\n\
             tools = [\"list\", \"@resources\"]\n"
        )
    };
    let said = said(&format!(
        "=== people.toml\n[person.maria]\ndisplay = \"M\"\n=== systems/bank.toml\n[system]\ndescription = \"d\"\n\
         environment = \"staging\"\nlocal = true\nresource_labels = [\"payroll\"]\n[tool.list]\n\
         pin = \"sha256:{}\"\nreturns = [\"untrusted\", \"secret\"]\n{}{}",
        "0".repeat(64),
        agent("a", "production", ""),
        agent("b", "staging", "\"payroll\""),
    ));
    let expected = [
        "agents/a.toml:9:10 warning: agent a is in production and system bank in staging: every call is refused | name a system in production",
        "agents/b.toml:10:10 warning: bank/list returns secret data, which agent b may not read: every call is refused | add secret to `data`, or take the tool out",
    ];
    assert_eq!(said, expected);
}

#[test]
fn what_only_the_plane_knows_may_be_mentioned_beside_it() {
    let mut plane = provost_domain::Directory::default();
    plane.put(provost_domain::Object::Person(provost_domain::Person {
        away: None,
        provisioned: None,
        name: "maria".parse().unwrap(),
        display: "M".to_owned(),
        email: None,
        manager: None,
        active: true,
        roles: Default::default(),
        logins: Vec::new(),
    }));
    let files = [SourceFile::new("people.toml", "[person.jonas]\ndisplay = \"J\"\nmanager = \"maria\"\n")];
    assert!(provost_declare::read_beside(&files, &plane).1.is_empty());
    assert_eq!(read(&files).1.len(), 1);
}
