fn main() {
    let made_up = provost_store::Permit { decision: unreachable!(), _spent_by_acting: () };
    drop(made_up);
}
