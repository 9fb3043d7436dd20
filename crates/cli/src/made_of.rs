//! What a local agent is made of, as far as the program that starts its task can know it by itself: the bytes of the program that
//! is started. Which model it asks, and with which prompt, only its operator knows, and says (`--part`).

use crate::{Client, Failure, client::part};
use clap::Args;
use provost_api::agent::AgentView;
use provost_domain::{Digest, Name};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// What the agent is made of, for the task that is started.
#[derive(Debug, Clone, Default, Args)]
pub struct MadeOf {
    /// What the agent is made of, a part at a time: model=NAME, prompt=@FILE (the digest of that file); may be given several times
    #[arg(long = "part", value_name = "PART=TEXT|@FILE", value_parser = crate::task::made_of)]
    pub parts: Vec<(String, String)>,
    /// Say what the program itself is, too (its digest), also of an agent that never did
    #[arg(long)]
    pub bill: bool,
}

impl MadeOf {
    /// The bill for a task of this agent: what was given, and the program under the name that it has there. An agent that presents
    /// parts must present all of them every time, and one that does not is asked for none: so what was not given is sent only
    /// where it is waited for, or wished.
    pub(crate) async fn bill(
        &self,
        starter: &Client,
        agent: &Name,
        (name, command): (&str, &[OsString]),
    ) -> Result<Option<BTreeMap<String, String>>, Failure> {
        let mut bill: BTreeMap<String, String> = self.parts.iter().cloned().collect();
        if !bill.contains_key(name) && (self.bill || waited_for(starter, agent).await.contains(name)) {
            bill.insert(name.to_owned(), digest_of(command)?.to_string());
        }
        Ok((!bill.is_empty()).then_some(bill))
    }
}

/// The parts that an agent is known by. Who may not look sends what they were told to: the plane says what is missing.
async fn waited_for(starter: &Client, agent: &Name) -> BTreeSet<String> {
    let seen = starter.get::<AgentView>(&format!("agents/{}", part(agent.as_str()))).await;
    seen.map(|seen| seen.made_of.into_iter().map(|part| part.part).collect()).unwrap_or_default()
}

/// The digest of the program that a command starts.
fn digest_of(command: &[OsString]) -> Result<Digest, Failure> {
    let program = command.first().map(OsString::as_os_str).unwrap_or_default();
    let failed = |error: std::io::Error| {
        Failure::new(format!(
            "what `{}` is made of cannot be read",
            crate::out::clean(&program.to_string_lossy())
        ))
        .because(error)
        .cure("name a program that can be read, or say what it is with --part")
    };
    let path = found(program).ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
    of_file(&path).map_err(failed)
}

/// The digest of a file.
pub(crate) fn of_file(path: &Path) -> std::io::Result<Digest> {
    Digest::of_read(&mut File::open(path)?)
}

/// Where a program is, as it is looked for when it is started: its path, or the first of that name in `PATH`.
fn found(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() != 1 {
        return Some(path.to_owned());
    }
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & ANY_MAY_RUN != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(path)).find(runs)
}

const ANY_MAY_RUN: u32 = 0o111;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_what_would_be_started_and_its_digest_is_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("agent");
        std::fs::write(&own, "#!/bin/sh\n").unwrap();
        let digest = digest_of(&[own.clone().into(), "--flag".into()]).unwrap();
        assert_eq!(digest, Digest::of(b"#!/bin/sh\n"));
        assert_eq!(found(OsStr::new("sh")).map(|path| path.ends_with("sh")), Some(true));
        assert_eq!(found(OsStr::new("surely-no-program")), None);
        assert!(digest_of(&["surely-no-program".into()]).is_err());
        assert_eq!(
            crate::task::made_of(&format!("prompt=@{}", own.display())).unwrap(),
            ("prompt".to_owned(), digest.to_string())
        );
        assert!(crate::task::made_of("prompt=@/surely/no/file").unwrap_err().contains("/surely/no/file"));
    }
}
