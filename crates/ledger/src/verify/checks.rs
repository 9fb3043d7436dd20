//! Checks that the plane asked for: that one is called a check was decided when it was asked, and nothing ever came of it.

use super::meaning::{RecordCheck, SeenRecord, short};
use crate::entry::EntryKind;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// Every approval keeps the mark it was asked for with. One that is called a check opens it, and was never granted; so no real
/// request can be called a check afterwards.
#[derive(Debug, Default)]
pub struct ChecksWereMarked {
    /// By a short hash of the approval's id.
    approvals: HashMap<[u8; 16], Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    mark: Option<Box<str>>,
    granted: bool,
}

impl RecordCheck for ChecksWereMarked {
    fn check(&mut self, record: &SeenRecord<'_>) -> Result<(), String> {
        match (record.entry.kind(), record.body) {
            (EntryKind::Change, Some(change)) => self.change(change),
            _ => Ok(()),
        }
    }
}

impl ChecksWereMarked {
    fn change(&mut self, change: &Value) -> Result<(), String> {
        let text = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let (Some(APPROVAL), Some(id)) = (text(change, "/kind").as_deref(), text(change, "/key")) else {
            return Ok(());
        };
        let Some(row) = change.pointer("/after/body") else { return Ok(()) };
        let mark = text(row, "/mark").map(String::into_boxed_str);
        let seen =
            self.approvals.entry(short(&id)).or_insert_with(|| Seen { mark: mark.clone(), granted: false });
        if seen.mark != mark {
            return Err(format!("{id} has another mark than when it was asked for"));
        }
        seen.granted |= matches!(text(row, "/status/is").as_deref(), Some("granted" | "used"));
        let Some(check) = row.get("check") else { return Ok(()) };
        let (Some(secret), Some(flaw)) = (text(check, "/secret"), text(check, "/flaw")) else {
            return Err(format!("{id} is called a check, and does not say what opens its mark"));
        };
        let opened = format!("{DOMAIN}\n{secret}\n{flaw}");
        let opened = format!("sha256:{}", hex::encode(Sha256::digest(opened.as_bytes())));
        if mark.as_deref() != Some(opened.as_str()) {
            return Err(format!(
                "{id} is called a check, and was not asked for as one: its mark does not open"
            ));
        }
        if seen.granted {
            return Err(format!("{id} is called a check, and was granted"));
        }
        Ok(())
    }
}

const APPROVAL: &str = "approval";
const DOMAIN: &str = "provost-check";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mark(secret: &str) -> String {
        let text = format!("provost-check\n{secret}\npayment");
        format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
    }

    fn change(id: &str, mark: &str, status: &str, secret: Option<&str>) -> Value {
        let mut row = json!({"mark": mark, "status": {"is": status}});
        if let Some(secret) = secret {
            row["check"] = json!({"flaw": "payment", "secret": secret, "outcome": "approved"});
        }
        json!({"kind": "approval", "key": id, "after": {"kind": "approval", "body": row}})
    }

    #[test]
    fn what_is_called_a_check_was_asked_for_as_one_and_never_granted() {
        let (good, random) = (mark("aa"), mark("nobody knows"));
        type Change<'a> = (&'a str, &'a str, Option<&'a str>);
        let table: [(&str, &[Change<'_>], &str); 6] = [
            ("a check", &[(&good, "waiting", None), (&good, "withdrawn", Some("aa"))], ""),
            (
                "a real one",
                &[(&random, "waiting", None), (&random, "granted", None), (&random, "used", None)],
                "",
            ),
            (
                "a real one, called a check",
                &[(&random, "waiting", None), (&random, "withdrawn", Some("aa"))],
                "was not asked for as one",
            ),
            ("another mark", &[(&random, "waiting", None), (&good, "withdrawn", Some("aa"))], "another mark"),
            (
                "granted",
                &[(&good, "waiting", None), (&good, "granted", None), (&good, "withdrawn", Some("aa"))],
                "was granted",
            ),
            ("of another plane", &[(&good, "refused", Some("bb"))], "was not asked for as one"),
        ];
        for (why, changes, wanted) in table {
            let mut rule = ChecksWereMarked::default();
            let said: Vec<String> = changes
                .iter()
                .filter_map(|(mark, status, secret)| {
                    rule.change(&change("approval_1", mark, status, *secret)).err()
                })
                .collect();
            assert_eq!(said.len(), usize::from(!wanted.is_empty()), "{why}: {said:?}");
            assert!(said.iter().all(|fault| fault.contains(wanted)), "{why}: {said:?}");
        }
    }

    #[test]
    fn other_records_and_rows_without_marks_are_no_fault() {
        let mut rule = ChecksWereMarked::default();
        for other in [
            json!({}),
            json!({"kind": "agent", "key": "x", "after": {"body": {"check": {}}}}),
            json!({"kind": "approval", "key": "approval_1", "after": null}),
            json!({"kind": "approval", "key": "approval_1", "after": {"body": {"status": {"is": "waiting"}}}}),
        ] {
            assert_eq!(rule.change(&other), Ok(()), "{other}");
        }
    }
}
