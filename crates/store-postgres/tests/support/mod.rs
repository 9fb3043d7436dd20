//! A throw-away PostgreSQL for tests: started by the first test process that needs it, shared by those that run beside
//! it, and stopped and removed by a watcher a few seconds after the last of them is gone, however it went.
//!
//! It listens on 127.0.0.1 and on a socket in its own folder, syncs as a real one does, and runs as the user `postgres`
//! when the tests run as root, since PostgreSQL refuses to be root.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};
use tokio_postgres::NoTls;

/// A database of its own in the shared cluster.
pub(crate) struct Database {
    /// How to connect.
    pub(crate) url: String,
    _user: File,
}

impl Database {
    /// A new and empty one.
    pub(crate) async fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (port, user) = tokio::task::spawn_blocking(cluster).await.unwrap();
        let name = format!("t_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let url = |database: &str| format!("postgres://postgres@127.0.0.1:{port}/{database}");
        run(&url("postgres"), &format!("CREATE DATABASE {name}")).await;
        Self { url: url(&name), _user: user }
    }

    /// Runs this inside the database, beside the store; says how many rows it touched.
    pub(crate) async fn plant(&self, sql: &str) -> u64 {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let touched = client.execute(sql, &[]).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        touched
    }
}

async fn run(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

/// The port of the running cluster, and a lock that keeps it running.
fn cluster() -> (u16, File) {
    let base = std::env::temp_dir().join(format!("provost-test-postgres-{}", whoami()));
    std::fs::create_dir_all(&base).unwrap();
    std::fs::set_permissions(&base, PermissionsExt::from_mode(0o755)).unwrap();
    let lock =
        |name: &str| File::options().create(true).truncate(false).write(true).open(base.join(name)).unwrap();
    let starting = lock("starting.lock");
    starting.lock().unwrap();
    let users = lock("users.lock");
    users.lock_shared().unwrap();
    let port = running(&base).unwrap_or_else(|| start(&base));
    (port, users)
}

fn running(base: &Path) -> Option<u16> {
    let port = std::fs::read_to_string(base.join("port")).ok()?.trim().parse().ok()?;
    std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(|_up| port)
}

fn start(base: &Path) -> u16 {
    let data = base.join("data");
    if data.exists() {
        std::fs::remove_dir_all(&data).unwrap();
    }
    initialise(&data);
    let port = free_port();
    serve(&data, port, "on");
    std::fs::write(base.join("port"), port.to_string()).unwrap();
    watch(base, &programs(), &data);
    port
}

pub(crate) fn initialise(data: &Path) {
    std::fs::create_dir(data).unwrap();
    std::fs::set_permissions(data, PermissionsExt::from_mode(0o700)).unwrap();
    if whoami() == 0 {
        let (user, group) = (id("-u"), id("-g"));
        chown(data, Some(user), Some(group)).unwrap();
    }
    let initdb = programs().join("initdb");
    let words = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D"];
    finish(as_postgres(&initdb).args(words).arg(data));
}

pub(crate) fn serve(data: &Path, port: u16, fsync: &str) {
    let options = format!(
        "-p {port} -h 127.0.0.1 -k {} -c fsync={fsync} -c synchronous_commit=on -c max_connections=400 \
         -c shared_buffers=64MB -c log_min_messages=warning",
        data.display()
    );
    let mut start = as_postgres(&programs().join("pg_ctl"));
    start.args(["-w", "-t", "60", "-o", &options, "start", "-D"]).arg(data).arg("-l").arg(data.join("log"));
    finish(&mut start);
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Stops and removes the cluster once nobody has held `users.lock` for a moment.
fn watch(base: &Path, programs: &Path, data: &Path) {
    let stop = as_postgres(&programs.join("pg_ctl"));
    let words: Vec<String> = std::iter::once(stop.get_program())
        .chain(stop.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let script = format!(
        "while sleep 5; do flock -x starting.lock flock -n -x users.lock sh -c \
         \"{} -D '{data}' -m immediate stop; rm -rf '{data}' port\" && exit; done",
        words.join(" "),
        data = data.display(),
    );
    let mut watcher = Command::new("setsid");
    let started = watcher
        .args(["--fork", "sh", "-c", &script])
        .current_dir(base)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("`setsid` and `flock` are needed for these tests: install util-linux");
    assert!(started.success(), "the watcher did not start: {started}");
}

/// The folder of PostgreSQL's programs: the newest version that is installed.
pub(crate) fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    found.sort();
    let in_path = || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).find(|folder| folder.join("initdb").exists())
    };
    found.pop().map(|(_, folder)| folder).or_else(in_path).expect(
        "these tests need PostgreSQL's server programs (initdb, pg_ctl, postgres): \
         install them, on Debian with `apt-get install postgresql`",
    )
}

/// This program as a user that PostgreSQL accepts.
pub(crate) fn as_postgres(program: &Path) -> Command {
    if whoami() != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", id("-u")))
        .arg(format!("--regid={}", id("-g")))
        .arg("--clear-groups")
        .arg(program)
        .current_dir("/");
    command
}

pub(crate) fn finish(command: &mut Command) {
    // PostgreSQL's server inherits these, so they are no pipes: whoever waited for them to close would wait for it.
    let output = tempfile::tempfile().unwrap();
    let status = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output.try_clone().unwrap())
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}: {}", text(output));
}

fn text(mut output: File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    text
}

fn whoami() -> u32 {
    number(Command::new("id").arg("-u"))
}

fn id(what: &str) -> u32 {
    number(Command::new("id").args([what, "postgres"]))
}

fn number(command: &mut Command) -> u32 {
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().expect(
        "PostgreSQL refuses to run as root, and there is no user `postgres` to run it as: \
         install it as a package, or run the tests as somebody else",
    )
}
