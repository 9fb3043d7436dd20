fn twice(recorded: provost_store::Recorded) {
    let _first = recorded.permit();
    let _second = recorded.permit();
}

fn main() {
    let _ = twice;
}
