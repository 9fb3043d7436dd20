//! Several questions in one body (AuthZEN 1.0, Access Evaluations API). A member of an item replaces the whole default.

use super::{Answer, Authzen, evaluate::told, read};
use http::HeaderMap;
use serde_json::{Map, Value, json};

/// Where to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Authzen {
    pub(super) async fn evaluations(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let (asker, value) = match self.open(headers, body).await {
            Ok(opened) => opened,
            Err(answer) => return answer,
        };
        let Value::Object(whole) = value else {
            return Answer::bad_request("the body must be a JSON object".to_owned());
        };
        let items = match whole.get("evaluations") {
            None => Vec::new(),
            Some(Value::Array(items)) => items.clone(),
            Some(_) => return Answer::bad_request("`evaluations` must be an array".to_owned()),
        };
        if items.is_empty() {
            // "Behaves exactly as the Access Evaluation API."
            return match read::question(&whole) {
                Ok(question) => self.answer(&asker, &question).await,
                Err(why) => Answer::bad_request(why),
            };
        }
        let most = self.pipeline.limits.evaluations_per_batch_max;
        if items.len() > most {
            return Answer::bad_request(format!(
                "the limit `evaluations_per_batch_max` is {most}: split the batch"
            ));
        }
        let semantic = match semantic(&whole) {
            Ok(semantic) => semantic,
            Err(why) => return Answer::bad_request(why),
        };
        if let Err(why) = defaults_are_objects(&whole) {
            return Answer::bad_request(why);
        }
        let mut decided = Vec::with_capacity(items.len());
        for item in items {
            let one = match item {
                Value::Object(item) => read::question(&with_defaults(&whole, item)),
                _ => Err("an item of `evaluations` must be an object".to_owned()),
            };
            let told = match one {
                Err(why) => json!({"decision": false, "context": {"error": {"status": 400, "message": why}}}),
                Ok(question) => match self.decide(&asker, &question).await {
                    Ok((decision, presented)) => told(&decision, &presented),
                    Err(refusal) => {
                        let answer = self.refused(&refusal);
                        json!({"decision": false, "context": {"error": {"status": answer.status, "message": answer.body}}})
                    }
                },
            };
            let allowed = told.get("decision") == Some(&Value::Bool(true));
            decided.push(told);
            match (semantic, allowed) {
                (Semantic::DenyOnFirstDeny, false) | (Semantic::PermitOnFirstPermit, true) => break,
                _ => {}
            }
        }
        Answer::ok(json!({"evaluations": decided}))
    }
}

fn semantic(whole: &Map<String, Value>) -> Result<Semantic, String> {
    let options = read::object(whole, "options")?;
    match options.get("evaluations_semantic") {
        None => Ok(Semantic::ExecuteAll),
        Some(Value::String(word)) => match word.as_str() {
            "execute_all" => Ok(Semantic::ExecuteAll),
            "deny_on_first_deny" => Ok(Semantic::DenyOnFirstDeny),
            "permit_on_first_permit" => Ok(Semantic::PermitOnFirstPermit),
            _ => Err(
                "`evaluations_semantic` must be execute_all, deny_on_first_deny or permit_on_first_permit"
                    .to_owned(),
            ),
        },
        Some(_) => Err("`evaluations_semantic` must be a string".to_owned()),
    }
}

fn defaults_are_objects(whole: &Map<String, Value>) -> Result<(), String> {
    DEFAULTS.iter().try_for_each(|name| read::object(whole, name).map(drop))
}

fn with_defaults(whole: &Map<String, Value>, mut item: Map<String, Value>) -> Map<String, Value> {
    for name in DEFAULTS {
        if let (false, Some(default)) = (item.contains_key(name), whole.get(name)) {
            item.insert(name.to_owned(), default.clone());
        }
    }
    item
}

const DEFAULTS: [&str; 4] = ["subject", "action", "resource", "context"];
