//! Any text as a record line: no panic, and what is read keeps its commitment when written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_ledger::{parse_line, write_line};

fuzz_target!(|text: &str| {
    if let Ok((index, entry)) = parse_line(text) {
        let (again, same) = parse_line(&write_line(index, &entry)).unwrap();
        assert_eq!((again, same.commitment()), (index, entry.commitment()));
        assert_eq!(entry.clone().erase().commitment(), entry.commitment());
    }
});
