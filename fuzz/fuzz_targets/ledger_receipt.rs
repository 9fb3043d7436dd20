//! Any bytes as a `.tlog-proof` file: no panic, and what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_ledger::Receipt;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(receipt) = Receipt::parse(bytes) {
        assert_eq!(receipt.to_string().as_bytes(), bytes);
        let _ = receipt.entry();
    }
});
