//! How a verdict that is not allow is told to the client, so that both its model and its program understand.
//!
//! A refused tool call is answered with an `isError: true` result in every revision: clients hand those to
//! the model, which can then do what would make the call possible, while a JSON-RPC error often ends the
//! session. A held call looks the same and names its approval, an id that stays the same however often the
//! call is tried. Other methods have no such form and get a JSON-RPC error with the same structured detail.

use provost_domain::{DecisionId, Reason, Verdict};
use serde_json::{Map, Value, json};

use crate::era::{Era, Revision};
use crate::error::{REFUSED_LEGACY, REFUSED_MODERN, RpcError};
use crate::message::{RequestId, write_result};

/// The `_meta` key of the structured form.
pub const META_DECISION: &str = "dev.provost/decision";

/// A verdict to be told. Never an allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<'v> {
    decision: DecisionId,
    approval: Option<&'v str>,
    told: Told<'v>,
    standing: Option<(String, Value)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Told<'v> {
    Hold { approvers: &'v [String], reasons: &'v [Reason] },
    Deny { reasons: &'v [Reason], possible_if: &'v [String] },
}

impl<'v> Refusal<'v> {
    /// The refusal for a recorded decision; `None` for an allow. `approval` is the stable id under which a
    /// held call can be asked for; it is ignored for a denial.
    pub fn of(decision: DecisionId, verdict: &'v Verdict, approval: Option<&'v str>) -> Option<Refusal<'v>> {
        let told = match verdict {
            Verdict::Allow { .. } => return None,
            Verdict::Hold { approvers, reasons } => Told::Hold { approvers, reasons },
            Verdict::Deny { reasons, possible_if } => Told::Deny { reasons, possible_if },
        };
        let approval = approval.filter(|_| matches!(told, Told::Hold { .. }));
        Some(Refusal { decision, approval, told, standing: None })
    }

    /// The same, with where its approval stands: in words, and as members beside the approval's id.
    #[must_use]
    pub fn standing(self, words: String, detail: Value) -> Self {
        Self { standing: Some((words, detail)), ..self }
    }

    /// The whole answer to a request: its HTTP status and its body.
    pub fn answer(&self, id: &RequestId, method: &str, revision: Revision) -> (u16, String) {
        if method == "tools/call" {
            return (200, write_result(id, &self.to_result(revision)));
        }
        let error = self.to_error(revision);
        (error.http_status, error.write(Some(id)))
    }

    /// The result of a refused `tools/call`.
    pub fn to_result(&self, revision: Revision) -> Value {
        let mut result = json!({
            "content": [{ "type": "text", "text": self.text() }],
            "isError": true,
            "_meta": { META_DECISION: self.structured() },
        });
        if let (Era::Modern, Value::Object(members)) = (revision.era(), &mut result) {
            members.insert("resultType".to_owned(), Value::from("complete"));
        }
        result
    }

    /// The error for every other method: -31001 towards modern clients, -32001 towards legacy ones
    /// ([`crate::error`] says why).
    pub fn to_error(&self, revision: Revision) -> RpcError {
        let code = match revision.era() {
            Era::Legacy => REFUSED_LEGACY,
            Era::Modern => REFUSED_MODERN,
        };
        RpcError::new(code, revision.era(), self.text())
            .with_data(json!({ META_DECISION: self.structured() }))
    }

    /// The structured form: `{decision_id, verdict, reasons: [{policy, reason}], possible_if: [...],
    /// requestable?}`.
    pub fn structured(&self) -> Value {
        let (verdict, reasons, possible_if) = match &self.told {
            Told::Hold { reasons, .. } => ("hold", reasons, vec![self.approval_wanted()]),
            Told::Deny { reasons, possible_if } => ("deny", reasons, possible_if.to_vec()),
        };
        let mut members = Map::new();
        members.insert("decision_id".into(), Value::from(self.decision.to_string()));
        members.insert("verdict".into(), Value::from(verdict));
        members.insert(
            "reasons".into(),
            reasons.iter().map(|r| json!({ "policy": r.policy, "reason": r.reason })).collect(),
        );
        members.insert("possible_if".into(), Value::from(possible_if));
        if let (Told::Hold { approvers, .. }, Some(approval)) = (&self.told, self.approval) {
            let mut requestable = json!({ "approval_id": approval, "approvers": approvers });
            if let (Some((_words, Value::Object(detail))), Some(own)) =
                (&self.standing, requestable.as_object_mut())
            {
                own.extend(detail.clone());
            }
            members.insert("requestable".into(), requestable);
        }
        Value::Object(members)
    }

    /// What a model reads.
    fn text(&self) -> String {
        let (opening, reasons, possible_if): (&str, &[Reason], Vec<String>) = match &self.told {
            Told::Hold { reasons, .. } => (
                "Held by Provost: this call was not made, it needs an approval.",
                reasons,
                vec![self.approval_wanted()],
            ),
            Told::Deny { reasons, possible_if } => {
                ("Refused by Provost: this call was not made.", reasons, possible_if.to_vec())
            }
        };
        let mut lines = vec![opening.to_owned()];
        lines.extend(reasons.iter().map(|r| format!("Why: {} ({})", r.reason, r.policy)));
        lines.extend(possible_if.iter().map(|way| format!("Possible if: {way}")));
        lines.extend(self.standing.iter().map(|(words, _detail)| format!("Now: {words}")));
        lines.push(format!("Decision: {}", self.decision));
        lines.join("\n")
    }

    fn approval_wanted(&self) -> String {
        let Told::Hold { approvers, .. } = &self.told else { return String::new() };
        let who =
            if approvers.is_empty() { "a person entitled to".to_owned() } else { approvers.join(" and ") };
        match self.approval {
            Some(approval) => {
                format!("approved by {who} under {approval}; the same call can then be made again")
            }
            None => format!("approved by {who}; the same call can then be made again"),
        }
    }
}

/// A `WWW-Authenticate` value for 401 (no `error`) and 403 (`insufficient_scope`): RFC 6750 section 3, RFC
/// 9728 section 5.1; MCP 2026-07-28, Authorization: Scope Challenge Handling. Quotes, backslashes and
/// non-ASCII are dropped from the values.
pub fn challenge(resource_metadata: &str, scope: Option<&str>, error: Option<(&str, &str)>) -> String {
    challenge_of("Bearer", resource_metadata, scope, error, None)
}

/// The same where a proof of the token's key is missing or not good (RFC 9449 section 7.1); `algs` are those a proof may be
/// signed with.
pub fn proof_challenge(resource_metadata: &str, error: (&str, &str), algs: &str) -> String {
    challenge_of("DPoP", resource_metadata, None, Some(error), Some(algs))
}

fn challenge_of(
    scheme: &str,
    resource_metadata: &str,
    scope: Option<&str>,
    error: Option<(&str, &str)>,
    algs: Option<&str>,
) -> String {
    let quoted = |text: &str| {
        text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect::<String>()
    };
    let mut params = Vec::new();
    if let Some((code, description)) = error {
        params.push(format!("error=\"{}\"", quoted(code)));
        params.push(format!("error_description=\"{}\"", quoted(description)));
    }
    params.extend(algs.map(|algs| format!("algs=\"{}\"", quoted(algs))));
    params.extend(scope.map(|scope| format!("scope=\"{}\"", quoted(scope))));
    params.push(format!("resource_metadata=\"{}\"", quoted(resource_metadata)));
    format!("{scheme} {}", params.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_domain::Timestamp;

    fn decision() -> DecisionId {
        DecisionId::new(Timestamp::from_millis(1_000), [7; 10])
    }

    fn reasons() -> Vec<Reason> {
        vec![Reason {
            policy: "charter/clerk/1/bank.transfer/amount".into(),
            reason: "more than 500 EUR".into(),
        }]
    }

    #[test]
    fn an_allow_cannot_be_told_as_a_refusal() {
        assert_eq!(Refusal::of(decision(), &Verdict::Allow { reasons: vec![] }, None), None);
    }

    #[test]
    fn a_denied_tool_call_says_why_and_what_would_make_it_possible() {
        let verdict =
            Verdict::Deny { reasons: reasons(), possible_if: vec!["the amount is at most 500 EUR".into()] };
        let refusal = Refusal::of(decision(), &verdict, Some("ignored")).unwrap();
        let id = decision().to_string();
        let structured = json!({
            "decision_id": id,
            "verdict": "deny",
            "reasons": [{"policy": "charter/clerk/1/bank.transfer/amount", "reason": "more than 500 EUR"}],
            "possible_if": ["the amount is at most 500 EUR"],
        });
        let text = format!(
            "Refused by Provost: this call was not made.\nWhy: more than 500 EUR (charter/clerk/1/bank.transfer/amount)\nPossible if: the amount is at most 500 EUR\nDecision: {id}"
        );
        let legacy = json!({
            "content": [{"type": "text", "text": text}],
            "isError": true,
            "_meta": {"dev.provost/decision": structured},
        });
        assert_eq!(refusal.to_result(Revision::V2025_06_18), legacy);
        let mut modern = legacy;
        modern["resultType"] = json!("complete");
        assert_eq!(refusal.to_result(Revision::V2026_07_28), modern);
    }

    #[test]
    fn a_held_call_names_its_approval_and_its_approvers() {
        let verdict = Verdict::Hold { approvers: vec!["owner".into()], reasons: reasons() };
        let refusal = Refusal::of(decision(), &verdict, Some("approval_1")).unwrap();
        let structured = refusal.structured();
        assert_eq!(structured["verdict"], "hold");
        assert_eq!(structured["requestable"], json!({"approval_id": "approval_1", "approvers": ["owner"]}));
        let (status, body) = refusal.answer(&RequestId::Integer(4), "tools/call", Revision::V2025_11_25);
        assert_eq!(status, 200);
        assert!(
            body.contains("approved by owner under approval_1") && body.contains(r#""isError":true"#),
            "{body}"
        );
        let nameless = Refusal::of(decision(), &verdict, None).unwrap().structured();
        assert_eq!(nameless.get("requestable"), None);
    }

    #[test]
    fn other_methods_are_refused_with_an_error_of_our_own() {
        let verdict = Verdict::deny("guardrail/x", "no", None);
        let refusal = Refusal::of(decision(), &verdict, None).unwrap();
        for (revision, code) in [
            (Revision::V2026_07_28, -31001),
            (Revision::V2025_11_25, -32001),
            (Revision::V2025_06_18, -32001),
        ] {
            let (status, body) = refusal.answer(&"a".into(), "resources/read", revision);
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, &body["error"]["code"], &body["id"]), (200, &json!(code), &json!("a")));
            assert_eq!(body["error"]["data"]["dev.provost/decision"]["verdict"], "deny");
        }
    }

    /// RFC 6750 section 3, RFC 9728 section 5.1.
    #[test]
    fn a_challenge_cannot_be_broken_out_of() {
        assert_eq!(challenge("https://p/m", None, None), "Bearer resource_metadata=\"https://p/m\"");
        assert_eq!(
            challenge("https://p/m", Some("a b"), Some(("insufficient_scope", "needs \"a\"\r\nX: y"))),
            "Bearer error=\"insufficient_scope\", error_description=\"needs aX: y\", scope=\"a b\", resource_metadata=\"https://p/m\""
        );
    }
}
