//! What the story says and reads: a bank to be imported, the pins in a file, and what came of a call, in a line.

use crate::demo::{
    agent::{Answer, Said, Told},
    stage::Stage,
};
use provost_api::{
    plan::FileText,
    system::{ConnectionWrite, CredentialUseWrite, SystemImport},
};
use provost_cli::Failure;
use provost_domain::{Digest, Environment};
use serde_json::Value;
use std::{collections::BTreeMap, str::FromStr};

pub(super) fn import(stage: &Stage) -> Result<SystemImport, Failure> {
    Ok(SystemImport {
        name: parse("bank")?,
        connection: ConnectionWrite::McpHttp { url: stage.bank.url() },
        environment: Some(Environment::Production),
        credential: Some(CredentialUseWrite {
            name: parse("bank")?,
            target: "Authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }),
    })
}

/// The pin of each tool in a system's file.
pub(super) fn pins(text: &str) -> BTreeMap<String, Digest> {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let tools = table.get("tool").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let pin =
        |tool: &toml::Value| tool.get("pin").and_then(toml::Value::as_str).and_then(|pin| pin.parse().ok());
    tools.iter().filter_map(|(name, tool)| Some((name.clone(), pin(tool)?))).collect()
}

pub(super) fn bank_pins(files: &[FileText]) -> BTreeMap<String, Digest> {
    files
        .iter()
        .find(|file| file.path == "systems/bank.toml")
        .map(|file| pins(&file.text))
        .unwrap_or_default()
}

pub(super) fn accounts(value: &Value) -> String {
    let list = value.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let account = |account: &Value| {
        let id = account.get("id").and_then(Value::as_str).unwrap_or("?");
        let balance = account.get("balance").map(ToString::to_string).unwrap_or_default();
        format!("{id} EUR {balance}")
    };
    list.iter().map(account).collect::<Vec<_>>().join(", ")
}

pub(super) fn lines(value: &Value) -> usize {
    value.get("lines").and_then(Value::as_array).map_or(0, Vec::len)
}

pub(super) fn told(answer: &Answer) -> Told {
    match &answer.said {
        Said::Verdict(told) => told.clone(),
        _ => Told::default(),
    }
}

pub(super) fn has(told: &Told, policy: &str) -> bool {
    told.reasons.iter().any(|(id, _)| id == policy)
}

/// What was observed, in a line.
pub(super) fn describe(answer: &Answer) -> String {
    match &answer.said {
        Said::Done(_) => "it was done".to_owned(),
        Said::ToolError(text) => format!("the bank refused it: {text}"),
        Said::TurnedAway(text) => format!("turned away: {text}"),
        Said::Verdict(told) => {
            let word = if told.verdict == "hold" { "held" } else { "denied" };
            format!(
                "{word} by {}",
                told.reasons.iter().map(|(policy, _)| policy.as_str()).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: T::Err| Failure::new(format!("`{text}` is no name")).because(error))
}
