//! Keys: with which agents prove themselves, and with which the plane signs tokens. A private key is made here, written
//! to a file of its owner's, and goes nowhere else.

use crate::{
    Client, Exit, Failure, Out, client::part, out::table, plan::AuthorArgs, proposal::Outcome, when,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand};
use provost_api::{
    Because,
    oauth::KeySet,
    proof::{KeyAdd, ProofView},
};
use provost_domain::Name;
use provost_token::{OutwardClientAssertion, SigningKey};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// `provost agent key`.
#[derive(Debug, Clone, Subcommand)]
pub enum AgentKeyCommand {
    /// Make a key on this machine, and register its public half for an agent
    New {
        /// The agent
        name: Name,
        /// Where the private key is written, readable by you only
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Why, for the record
        #[arg(long)]
        reason: String,
        /// Whose change it is.
        #[command(flatten)]
        author: AuthorArgs,
    },
    /// Register a public key that the agent's runtime made
    Add {
        /// The agent
        name: Name,
        /// The public key as a JSON Web Key
        #[arg(long, value_name = "FILE")]
        jwk: PathBuf,
        /// Why, for the record
        #[arg(long)]
        reason: String,
        /// Whose change it is.
        #[command(flatten)]
        author: AuthorArgs,
    },
    /// Take a key from an agent
    Remove {
        /// The agent
        name: Name,
        /// The key's thumbprint, as `agent show` tells it
        thumbprint: String,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// `provost agent token`.
#[derive(Debug, Clone, Args)]
pub struct AgentTokenArgs {
    /// The agent
    pub name: Name,
    /// The private key of `agent key new`
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// What the task is for
    #[arg(long)]
    pub purpose: Option<String>,
    /// The one system the token is for; all that the charter reaches, if absent
    #[arg(long)]
    pub system: Option<Name>,
    /// What the agent is made of, a part at a time: model=NAME, prompt=DIGEST, tools=DIGEST, image=DIGEST
    #[arg(long = "part", value_name = "PART=TEXT", value_parser = crate::task::made_of)]
    pub parts: Vec<(String, String)>,
}

/// `provost keys`.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Show the keys that verify task tokens now
    Show,
    /// Make a new key sign task tokens; tokens of the one before live out their minutes
    Rotate {
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// What the plane refused, or why a file could not be read or written.
pub async fn run(command: AgentKeyCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    let path = |name: &Name| format!("agents/{}/keys", part(name.as_str()));
    match command {
        AgentKeyCommand::New { name, out: file, reason, author } => {
            let (private, public) = draw()?;
            // Written first: a registered key whose private half is lost is good for nothing.
            write_private(&file, &private)?;
            let outcome: Outcome<ProofView> = client.post(&path(&name), &key(public, reason, author)).await?;
            return Ok(outcome.show(out, |added, style| {
                format!(
                    "{} proves itself with key {}\nits private half is in {}: keep it where the agent runs",
                    style.bold(name.as_str()),
                    style.cyan(&added.id),
                    file.display()
                )
            }));
        }
        AgentKeyCommand::Add { name, jwk, reason, author } => {
            let wanted = key(read_jwk(&jwk)?, reason, author);
            let outcome: Outcome<ProofView> = client.post(&path(&name), &wanted).await?;
            return Ok(outcome.show(out, |added, style| {
                format!("{} proves itself with key {}", style.bold(name.as_str()), style.cyan(&added.id))
            }));
        }
        AgentKeyCommand::Remove { name, thumbprint, reason } => {
            let path = format!("{}/{}", path(&name), part(&thumbprint));
            let gone: ProofView = client.delete(&path, &Because { reason }).await?;
            out.show(&gone, |gone, style| {
                format!("key {} is no longer accepted for {}", gone.id, style.bold(name.as_str()))
            });
        }
    }
    Ok(Exit::Ok)
}

fn key(jwk: Map<String, Value>, reason: String, author: AuthorArgs) -> KeyAdd {
    let AuthorArgs { person, break_glass } = author;
    KeyAdd { jwk, reason, person, break_glass }
}

/// Shows or rotates the plane's own keys.
///
/// # Errors
/// What the plane refused.
pub async fn run_keys(command: KeysCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    let keys: KeySet = match command {
        KeysCommand::Show => client.get("/oauth/jwks").await?,
        KeysCommand::Rotate { reason } => client.post("keys/rotate", &Because { reason }).await?,
    };
    out.show(&keys, |keys, style| {
        let text = |key: &Value, member: &str| {
            key.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let rows = keys.keys.iter().enumerate().map(|(index, key)| {
            let use_of = if index == 0 { "signs" } else { "verifies" };
            vec![text(key, "kid"), text(key, "alg"), use_of.to_owned()]
        });
        table(&["key", "algorithm", "now"], rows, style)
    });
    Ok(Exit::Ok)
}

/// What the token endpoint grants.
#[derive(Serialize, Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    expires_in: u64,
    task: String,
}

/// Gets a token as an agent does: by its signature, without any shared secret.
///
/// # Errors
/// When the key cannot be read, or the plane grants nothing.
pub async fn token(args: &AgentTokenArgs, client: &Client, out: Out) -> Result<Exit, Failure> {
    let key = read_private(&args.key)?;
    let issuer: Value = client.get("/.well-known/oauth-authorization-server").await?;
    let text = |member: &str| issuer.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (issuer_name, endpoint) = (text("issuer"), text("token_endpoint"));
    let now = when::now_seconds();
    let mut jti = [0; 16];
    rand::rng().fill_bytes(&mut jti);
    let assertion = OutwardClientAssertion {
        iss: args.name.to_string(),
        sub: args.name.to_string(),
        aud: issuer_name.clone(),
        iat: now,
        exp: now.saturating_add(60),
        jti: URL_SAFE_NO_PAD.encode(jti),
    };
    let assertion =
        assertion.issue(&key).map_err(|error| Failure::new("the key does not sign").because(error))?;
    let mut form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
        ("client_assertion", assertion),
    ];
    form.extend(args.purpose.clone().map(|purpose| ("purpose", purpose)));
    form.extend(crate::task::bill(args.parts.clone()).map(|bill| ("bill", json!(bill).to_string())));
    form.extend(args.system.as_ref().map(|system| ("resource", format!("{issuer_name}/mcp/{system}"))));
    let granted: Granted = client.post_form(&endpoint, &form).await?;
    out.show(&granted, |granted, style| {
        let about = format!("task {}, {} s", granted.task, granted.expires_in);
        format!("{}\n{}", granted.access_token, style.dim(&about))
    });
    Ok(Exit::Ok)
}

/// A new Ed25519 key (RFC 8037): the whole of it, and its public half.
fn draw() -> Result<(Value, Map<String, Value>), Failure> {
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    let key =
        SigningKey::from_seed(&seed).map_err(|error| Failure::new("no key could be made").because(error))?;
    let public = json!(key.verifying().jwk());
    let Value::Object(public) = public else { return Err(Failure::new("no key could be made")) };
    let mut private = public.clone();
    private.insert("d".to_owned(), json!(URL_SAFE_NO_PAD.encode(seed)));
    Ok((Value::Object(private), public))
}

fn write_private(file: &Path, key: &Value) -> Result<(), Failure> {
    let failed = |error| {
        Failure::usage(format!("the private key cannot be written to {}", file.display()))
            .because(error)
            .cure("name a file that is not there yet, in a folder you may write to")
    };
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    writeln!(open, "{key}").and_then(|()| open.sync_all()).map_err(failed)
}

fn read_jwk(file: &Path) -> Result<Map<String, Value>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("the file {} cannot be read", file.display())).because(error)
    })?;
    serde_json::from_str(&text).map_err(|_not_json| {
        Failure::usage(format!("{} does not hold a JSON Web Key", file.display())).cure(
            "write one key as a JSON object, such as {\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": …}",
        )
    })
}

fn read_private(file: &Path) -> Result<SigningKey, Failure> {
    let jwk = read_jwk(file)?;
    let seed = jwk.get("d").and_then(Value::as_str).and_then(|d| URL_SAFE_NO_PAD.decode(d).ok());
    let seed: Option<[u8; 32]> = seed.and_then(|seed| seed.try_into().ok());
    let is_ed25519 = jwk.get("crv").and_then(Value::as_str) == Some("Ed25519");
    let key = seed.filter(|_| is_ed25519).and_then(|seed| SigningKey::from_seed(&seed).ok());
    key.ok_or_else(|| {
        Failure::usage(format!("{} does not hold a private Ed25519 key", file.display()))
            .cure("make one with `provost agent key new`")
    })
}
