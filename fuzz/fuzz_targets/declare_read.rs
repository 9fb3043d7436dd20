//! Files of an organisation: text in, objects and faults out, never a panic; and a plan can be made and shown.
//! The input is files, each after a line `=== PATH`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_declare::{Planning, SourceFile, plan, read, read_cases, render, render_all};
use provost_domain::{Directory, Timestamp, ids::AgentId};

fuzz_target!(|text: &str| {
    let files: Vec<SourceFile> = text
        .split("=== ")
        .filter_map(|file| file.split_once('\n'))
        .map(|(path, text)| SourceFile::new(path, text))
        .collect();
    let _ = read_cases(&files);
    let (declared, faults) = read(&files);
    let _ = render_all(&faults);
    let current = Directory::default();
    let now = Timestamp::from_millis(1_795_000_000_000);
    let planning = Planning { current: &current, versions: &|_| 0, now, actor: "person:fuzz", prune: true };
    let _ = render(&plan(&declared, &planning, &mut || AgentId::from_bytes([7; 16])));
});
