fn keep(permit: provost_store::Permit) -> (provost_store::Permit, provost_store::Permit) {
    (permit.clone(), permit)
}

fn main() {
    let _ = keep;
}
