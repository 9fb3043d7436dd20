//! What is done to a plane that does not run: putting a backup in place, and accepting a database that contradicts
//! the checkpoint file.

use crate::{
    assemble,
    config::{Config, StoreAt},
    data::Data,
};
use provost_cli::{Exit, Failure, Out};
use provost_domain::Clock as _;
use provost_store::SystemClock;
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Puts a backup in the place of the database; what stood there is kept under another name.
///
/// # Errors
/// When the plane runs, the backup is none, or the disk is not in order. Nothing was changed then.
pub(crate) fn restore(config: &Config, backup: &Path, out: Out) -> Result<Exit, Failure> {
    let StoreAt::Sqlite(database) = &config.store else {
        return Err(Failure::usage(
            "a backup file is of a SQLite database, and this plane keeps its state in PostgreSQL",
        )
        .cure("restore it with the tools of PostgreSQL"));
    };
    check_backup(backup)?;
    let _data = Data::take(&config.data)?;
    let aside = with_suffix(database, &format!("replaced-{}", SystemClock.now().as_millis()));
    let new = with_suffix(database, "new");
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| {
            Failure::new(format!("{path} cannot be written")).because(error).means("nothing was replaced")
        }
    };
    fs::copy(backup, &new).and_then(|_bytes| File::open(&new)?.sync_all()).map_err(failed(&new))?;
    // What is in the write-ahead log belongs to the old database, and moves with it.
    let mut moved = false;
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (joined(database, suffix), joined(&aside, suffix));
        match fs::rename(&from, &to) {
            Ok(()) => moved = moved || suffix.is_empty(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&to)(error)),
        }
    }
    fs::rename(&new, database).map_err(failed(database))?;
    let done =
        serde_json::json!({"database": database, "backup": backup, "replaced": moved.then_some(&aside)});
    out.show(&done, |_, style| {
        let kept = if moved { format!("\nthe database before it is kept as {}", aside.display()) } else { String::new() };
        format!(
            "{} {} is now {}{kept}\nIf the backup is older than the last signed checkpoint, the plane refuses to start \
             and says what to do.",
            style.green("restored:"),
            backup.display(),
            database.display()
        )
    });
    Ok(Exit::Ok)
}

/// Opens the plane, accepts its database, and closes it again.
///
/// # Errors
/// When the plane runs, or the size is not the one in the database.
pub(crate) async fn adopt(config: Config, size: u64, reason: &str, out: Out) -> Result<Exit, Failure> {
    let data = Data::take(&config.data)?;
    let plane = assemble::open(&config, &data, config.listen).await?;
    let adopted = assemble::adopt(&plane, size, reason).await;
    plane.store.close().await;
    adopted?;
    let done = serde_json::json!({"size": size});
    out.show(&done, |_, style| {
        format!(
            "{} the ledger as it is, {size} leaves; the record of it stays for ever",
            style.yellow("adopted:")
        )
    });
    Ok(Exit::Ok)
}

fn check_backup(backup: &Path) -> Result<(), Failure> {
    let mut head = [0; SQLITE_MAGIC.len()];
    let read = File::open(backup).and_then(|mut file| file.read_exact(&mut head));
    match read {
        Ok(()) if head == *SQLITE_MAGIC => Ok(()),
        Ok(()) => Err(Failure::usage(format!("{} is not a backup of a plane", backup.display()))
            .because("it is not a SQLite database")
            .means("nothing was replaced")),
        Err(error) => {
            Err(Failure::usage(format!("the backup {} cannot be read", backup.display())).because(error))
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    joined(path, &format!(".{suffix}"))
}

fn joined(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(tail);
    name.into()
}

const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";
