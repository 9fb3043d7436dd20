fn main() {
    let made_up = provost_store::Receipt { decision: unreachable!(), _made_by_a_store: () };
    drop(made_up);
}
