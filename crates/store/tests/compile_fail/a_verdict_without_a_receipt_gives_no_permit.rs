fn from_verdict(decision: provost_domain::Decision) -> provost_store::Permit {
    decision.verdict.permit()
}

fn main() {
    let _ = from_verdict;
}
