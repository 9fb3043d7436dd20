//! The configuration in force, for a person or a program; secrets as `***`.

use super::{Config, PASSWORD_ENV, StoreAt};
use serde_json::{Value, json};

/// Everything in force.
pub(crate) fn show(config: &Config) -> Value {
    let mut limits = serde_json::to_value(&config.limits).unwrap_or_default();
    for name in ["upstream_idle_max", "call_duration_max", "stream_quiet_max", "staleness_max"] {
        if let Some(value) = limits.get_mut(name) {
            let span = provost_domain::DurationMs(value.as_u64().unwrap_or_default());
            *value = span.to_string().into();
        }
    }
    let (store, password) = match &config.store {
        StoreAt::Sqlite(path) => (path.display().to_string(), None),
        StoreAt::Postgres { url, password } => (url.to_string(), password.as_ref().map(|_| "***")),
    };
    json!({
        "file": config.file,
        "listen": config.listen,
        "public_url": config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen)),
        "public_names": config.public_names,
        "data": config.data,
        "store": store,
        "store_password": password,
        "sealing_key": match std::env::var_os(crate::data::SEALING_KEY_ENV) {
            Some(_) => "***".to_owned(),
            None => config.data.join(crate::data::SEALING_KEY_FILE).display().to_string(),
        },
        "token_lifetime_max": config.token_lifetime_max.to_string(),
        "bound_tokens": config.bound_tokens,
        "token_algorithm": config.token_algorithm.as_str(),
        "signal_algorithm": config.signal_algorithm.as_str(),
        "drain_max": config.drain_max.to_string(),
        "journal": { "sequence_every": config.sequence_every.to_string() },
        "systems": {
            "hosts": config.system_hosts,
            "proxy": config.system_proxy,
            "private_hosts": config.system_private_hosts,
            "loopback": config.system_loopback,
        },
        "limits": limits,
        "environment": ["PROVOST_CONFIG", "PROVOST_LISTEN", "PROVOST_PUBLIC_URL", "PROVOST_DATA", "PROVOST_STORE",
            PASSWORD_ENV, crate::data::SEALING_KEY_ENV, "PROVOST_LOG"],
    })
}

/// The same as lines `name = value`.
pub(crate) fn lines(value: &Value) -> String {
    let mut text = String::new();
    let mut tables = String::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(members) => {
                tables.push_str(&format!("\n[{name}]\n"));
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    tables.push_str(&format!("{name} = {value}\n"));
                }
            }
            Value::Null => {}
            value if name == "file" || name == "environment" => {
                text.push_str(&format!("# {name}: {value}\n"))
            }
            value => text.push_str(&format!("{name} = {value}\n")),
        }
    }
    text + &tables
}
