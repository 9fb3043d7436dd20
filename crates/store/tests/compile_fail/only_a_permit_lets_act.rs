fn act(_permit: provost_store::Permit) {}

fn with_a_decision(decision: provost_domain::Decision) {
    act(decision)
}

fn with_a_record_of_it(recorded: provost_store::Recorded) {
    act(recorded)
}

fn main() {
    let _ = (with_a_decision, with_a_record_of_it);
}
