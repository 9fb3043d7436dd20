//! The ledger: its head, proofs, exports; and the verifier, which works offline from files alone.

use crate::{
    Client, Exit, Failure, Out, Style,
    client::part,
    node::AdoptArgs,
    out::{clean, facts},
    plan::plural,
    when,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use provost_api::ledger::{ExportPage, ExportQuery, LedgerView, ProofView};
use provost_ledger::{Entry, Options, ReadError, Receipt, Report, Source, VerifierKey, verify_export};
use provost_passkey::audit::{Found, SignedAnswers};
use std::{
    fmt::Write as _,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

/// `provost ledger`.
#[derive(Debug, Clone, Subcommand)]
pub enum LedgerCommand {
    /// Print the signed head of the ledger
    Checkpoint,
    /// Prove that a record is in the ledger, to anybody, offline
    Prove {
        /// The record: a decision's id, or with --kind another one's
        id: String,
        /// What it is: decision, completion, change or refused
        #[arg(long, default_value = "decision")]
        kind: String,
        /// Write the receipt into this file instead of printing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Export the whole ledger as files that verify offline
    Export {
        /// The folder to write into; made if it is not there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Verify an export from files alone: no plane, no network
    Verify(VerifyArgs),
    /// Accept a database that contradicts the checkpoint file, of a plane that is not running
    Adopt(AdoptArgs),
}

/// `provost ledger verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The folder of an export, a receipt of `provost ledger prove`, or a folder of receipts
    #[arg(value_name = "DIR|FILE")]
    pub path: PathBuf,
    /// The log's key, from a place you trust: the key itself, or a file with it
    #[arg(long, value_name = "VKEY|FILE")]
    pub key: Option<String>,
    /// A checkpoint kept elsewhere that the ledger must extend; may be given several times
    #[arg(long, value_name = "FILE")]
    pub against: Vec<PathBuf>,
    /// The key of a witness whose signature is wanted; may be given several times
    #[arg(long, value_name = "VKEY|FILE")]
    pub witness: Vec<String>,
}

/// Does what asks the plane.
///
/// # Errors
/// What the plane refused, or that it does not answer.
pub async fn run(command: LedgerCommand, client: &Client, out: Out) -> Result<Exit, Failure> {
    match command {
        LedgerCommand::Checkpoint => {
            let view: LedgerView = client.get("ledger").await?;
            out.show(&view, render_head);
        }
        LedgerCommand::Prove { id, kind, out: file } => {
            prove(&kind, &id, file.as_deref(), client, out).await?
        }
        LedgerCommand::Export { dir } => {
            let size = export(&dir, client).await?;
            let done = serde_json::json!({"dir": dir, "size": size});
            out.show(&done, |_, style| {
                let verify = style.cyan(&format!("provost ledger verify {}", dir.display()));
                format!(
                    "{} {size} leaves in {}\nverify it anywhere: {verify}",
                    style.green("exported:"),
                    dir.display()
                )
            });
        }
        LedgerCommand::Verify(args) => return verify(&args, out),
        LedgerCommand::Adopt(_) => return Err(Failure::usage("adopting is not asked of a running plane")),
    }
    Ok(Exit::Ok)
}

fn render_head(view: &LedgerView, style: Style) -> String {
    let mut text = facts(
        &[
            ("leaves", style.bold(&view.size.to_string())),
            ("waiting", view.waiting.to_string()),
            ("root", view.root.clone()),
            ("key", view.vkey.clone()),
        ],
        style,
    );
    let _written = write!(text, "\n{}", view.checkpoint);
    text
}

async fn prove(kind: &str, id: &str, file: Option<&Path>, client: &Client, out: Out) -> Result<(), Failure> {
    let path = format!("ledger/proofs/{}/{}", part(kind), part(id));
    let proof: ProofView = client.get(&path).await?;
    if let Some(file) = file {
        std::fs::write(file, &proof.receipt)
            .map_err(|error| Failure::new(format!("{} cannot be written", file.display())).because(error))?;
        out.show(&proof, |proof, style| {
            let verify =
                style.cyan(&format!("provost ledger verify {} --key '{}'", file.display(), proof.vkey));
            format!(
                "{} {} is leaf {}, recorded {}\nverify it anywhere: {verify}",
                style.green("proven:"),
                proof.id,
                proof.index,
                when::long(proof.at)
            )
        });
    } else {
        out.show(&proof, |proof, _| proof.receipt.clone());
    }
    Ok(())
}

/// Writes an export below `dir`, page after page, and says how many leaves it has.
///
/// # Errors
/// What the plane refused, or what cannot be written.
pub async fn export(dir: &Path, client: &Client) -> Result<u64, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(format!("{} cannot be written", dir.display())).because(error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    if std::fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(Failure::new(format!("{} is not empty", dir.display()))
            .because("what is there already would be taken for a part of the export")
            .cure("name a new folder"));
    }
    let bar = bar("exporting");
    let mut query = ExportQuery::default();
    loop {
        let page: ExportPage = client.get_with("ledger/export", &query).await?;
        for piece in &page.pieces {
            write_piece(dir, &piece.path, &piece.base64)?;
        }
        bar.set_length(page.size);
        bar.set_position(page.done);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => {
                bar.finish_and_clear();
                return Ok(page.size);
            }
        }
    }
}

fn write_piece(dir: &Path, path: &str, base64: &str) -> Result<(), Failure> {
    let plain =
        path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\\'));
    if !plain {
        return Err(Failure::new("the plane named a file outside of the folder").because(clean(path)));
    }
    let bytes = STANDARD.decode(base64).map_err(|error| {
        Failure::new(format!("the plane sent `{}` in a broken form", clean(path))).because(error)
    })?;
    let file = dir.join(path);
    let failed =
        |error: std::io::Error| Failure::new(format!("{} cannot be written", file.display())).because(error);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(&file, bytes).map_err(failed)
}

/// Verifies an export or a receipt, offline.
///
/// # Errors
/// When the files or keys cannot be read. What does not hold is told, and the exit code says so.
pub fn verify(args: &VerifyArgs, out: Out) -> Result<Exit, Failure> {
    let key = args.key.as_deref().map(key).transpose()?;
    let witnesses = args.witness.iter().map(|text| self::key(text)).collect::<Result<Vec<_>, _>>()?;
    if args.path.is_file() {
        return verify_receipt(&args.path, key, &witnesses, out);
    }
    if !args.path.is_dir() {
        return Err(Failure::usage(format!("there is no {}", args.path.display())));
    }
    let receipts = receipts_in(&args.path)?;
    if !receipts.is_empty() {
        return verify_receipts(&receipts, key, &witnesses, out);
    }
    let earlier = args.against.iter().map(|file| read_text(file)).collect::<Result<Vec<_>, _>>()?;
    let report = verify_dir(&args.path, key, witnesses, earlier);
    out.show(&report, render_report);
    Ok(if report.is_sound() { Exit::Ok } else { Exit::Unverified })
}

/// What was verified: the records, and the signed answers of people among them.
#[derive(Debug, serde::Serialize)]
pub struct Verification {
    /// The records.
    #[serde(flatten)]
    pub report: Report,
    /// Who said yes to what, by a passkey that the ledger itself says was theirs.
    pub answers: Found,
}

impl Verification {
    /// Whether nothing at all is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.report.is_sound()
    }
}

/// Verifies the export in a folder.
#[must_use]
pub fn verify_dir(
    dir: &Path,
    key: Option<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    earlier: Vec<String>,
) -> Verification {
    let bar = bar("verifying");
    let shown = bar.clone();
    let progress = Box::new(move |done, size| {
        shown.set_length(size);
        shown.set_position(done);
    });
    let mut signed = SignedAnswers::default();
    let mut options = Options { key, witnesses, earlier, progress, ..Options::default() };
    options.checks.push(Box::new(&mut signed));
    let report = verify_export(&Folder(dir), options);
    bar.finish_and_clear();
    Verification { report, answers: signed.found().clone() }
}

/// The receipts of a folder, by name; none, if it is something else.
fn receipts_in(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed =
        |error: std::io::Error| Failure::usage(format!("{} cannot be read", dir.display())).because(error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "tlog-proof") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Verifies each of them; the first that does not hold is the answer.
fn verify_receipts(
    files: &[PathBuf],
    key: Option<VerifierKey>,
    witnesses: &[VerifierKey],
    out: Out,
) -> Result<Exit, Failure> {
    let mut proven = Vec::with_capacity(files.len());
    for file in files {
        let entry = proven_by(file, key.clone(), witnesses)?;
        proven.push(serde_json::json!({"file": file, "kind": entry.kind(), "id": entry.id()}));
    }
    let told = serde_json::json!({"sound": true, "records": proven});
    out.show(&told, |_, style| {
        format!("{} all {} records are in that ledger", style.green("proven:"), files.len())
    });
    Ok(Exit::Ok)
}

fn verify_receipt(
    file: &Path,
    key: Option<VerifierKey>,
    witnesses: &[VerifierKey],
    out: Out,
) -> Result<Exit, Failure> {
    let entry = proven_by(file, key, witnesses)?;
    let record = entry.body().map(str::to_owned);
    let proven = serde_json::json!({"sound": true, "kind": entry.kind(), "id": entry.id(), "record": record});
    out.show(&proven, |_, style| {
        format!(
            "{} {} {} is in the ledger\n{}",
            style.green("proven:"),
            entry.kind(),
            entry.id(),
            record.unwrap_or_default()
        )
    });
    Ok(Exit::Ok)
}

/// The record that a receipt proves.
fn proven_by(file: &Path, key: Option<VerifierKey>, witnesses: &[VerifierKey]) -> Result<Entry, Failure> {
    let key = key.ok_or_else(|| {
        Failure::usage("a receipt is verified with the log's key")
            .because("a key found beside the receipt would prove nothing")
            .cure("give it with --key; `provost ledger checkpoint` prints it")
    })?;
    let failed = |why: String| {
        Failure::new(format!("{} does not hold", file.display()))
            .exit(Exit::Unverified)
            .because(why)
            .means("the record is not proven to be in that ledger")
    };
    let receipt = Receipt::parse(read_text(file)?.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let entry = receipt.entry().map_err(|error| failed(error.to_string()))?;
    let entry = entry.ok_or_else(|| failed("the receipt does not carry its record".to_owned()))?;
    receipt.verify(&entry.commitment(), &key, witnesses).map_err(|error| failed(error.to_string()))?;
    Ok(entry)
}

/// What was verified, and every fault by name.
#[must_use]
pub fn render_report(verified: &Verification, style: Style) -> String {
    let Verification { report, answers } = verified;
    let mut text = String::new();
    for fault in &report.faults {
        let _written = writeln!(text, "{} {fault}", style.red("✗"));
    }
    let shown = u64::try_from(report.faults.len()).unwrap_or(u64::MAX);
    if report.faults_total > shown {
        let _written = writeln!(text, "  and {} more", report.faults_total - shown);
    }
    let size = report.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    if report.is_sound() {
        let _written =
            write!(text, "{} all {size} records are the ones that were signed", style.green("verified:"));
        if report.earlier > 0 {
            let _written = write!(
                text,
                ", and extend {} earlier {}",
                report.earlier,
                plural(usize::try_from(report.earlier).unwrap_or(usize::MAX), "checkpoint")
            );
        }
        if !report.key_is_trusted {
            let note = "the key came with the export, so this proves only that the export agrees with itself; \
                give a key you trust with --key";
            let _written = write!(text, "\n{} {note}", style.yellow("note:"));
        }
        text.push_str(&render_answers(answers, style));
    } else {
        let n = usize::try_from(report.faults_total).unwrap_or(usize::MAX);
        let _written = write!(
            text,
            "{} {n} {} in {} records",
            style.red("NOT verified:"),
            plural(n, "fault"),
            report.records
        );
    }
    text
}

/// The signed answers by name: who, what, with which passkey.
fn render_answers(found: &Found, style: Style) -> String {
    let mut text = String::new();
    for answer in found.answers.iter().take(ANSWERS_SHOWN_MAX) {
        let _written = write!(
            text,
            "\n{} {} said yes to {} {} ({}) with passkey {}, {}; record {}",
            style.green("signed:"),
            answer.person,
            answer.kind.as_str(),
            clean(&answer.id),
            answer.digest,
            clean(&answer.passkey),
            when::long(answer.at.into()),
            answer.record
        );
    }
    let shown = u64::try_from(found.answers.len().min(ANSWERS_SHOWN_MAX)).unwrap_or(u64::MAX);
    if found.signed > shown {
        let _written = write!(text, "\n  and {} more signed answers that hold", found.signed - shown);
    }
    if found.unsigned > 0 {
        let _written = write!(
            text,
            "\n{} {} given without a signature, {} of them breaking the glass",
            style.yellow("note:"),
            counted(found.unsigned, "yes was", "yeses were"),
            found.break_glass
        );
    }
    text
}

fn counted(n: u64, one: &str, more: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {more}") }
}

/// Signed answers that are listed; all are counted, and `--json` has a thousand.
const ANSWERS_SHOWN_MAX: usize = 20;

/// Files of an export in a folder.
struct Folder<'a>(&'a Path);

impl Source for Folder<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, ReadError> {
        let file = match File::open(self.0.join(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Err(format!("the file is over {bytes_max} bytes").into());
        }
        Ok(Some(bytes))
    }
}

fn key(text: &str) -> Result<VerifierKey, Failure> {
    let text = if Path::new(text).is_file() { read_text(Path::new(text))? } else { text.to_owned() };
    text.trim().parse().map_err(|error| {
        Failure::usage("this is not the key of a log")
            .because(error)
            .cure("give what `provost ledger checkpoint` prints as key")
    })
}

fn read_text(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("the file {} cannot be read", file.display())).because(error))
}

/// A bar on a terminal; nothing elsewhere.
fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(what);
    match ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} leaves, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_default_will_do) => bar,
    }
}
