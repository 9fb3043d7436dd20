//! "No record, no permit; no permit, no act" as errors of the compiler.

#[test]
fn a_permit_cannot_be_made_up_copied_or_spent_twice() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
