//! The end: what the bank says happened, and whether the record can be bent.

use super::settled;
use crate::demo::{stage::Stage, tell::Teller};
use provost_api::{
    decision::{DecisionQuery, DecisionSummary},
    plane::FsckReport,
};
use provost_cli::{Failure, Style, ledger};
use provost_ledger::VerifierKey;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The bank's books against the plane's record.
///
/// # Errors
/// When one of them cannot be read.
pub(crate) async fn the_banks_own_books(stage: &Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("What the bank itself says happened");
    teller.words("Not the plane's word, but the other side's: the bank's own books and counters.");
    let books = stage.books();
    let unread = |error| Failure::new("the bank's books cannot be read").because(error);
    let transfers = books.transfers().map_err(unread)?;
    let (messages, exports) = (books.messages().map_err(unread)?, books.exports().map_err(unread)?);
    teller.answers(&format!(
        "{} transfers, {} messages, {} exports",
        transfers.len(),
        messages.len(),
        exports.len()
    ));
    let signed = |transfer: &provost_bank::Transfer| {
        transfer.payee == "Kantoor Zuid BV" && transfer.reference == "order 55120"
    };
    let quiet =
        transfers.len() == 1 && transfers.iter().all(signed) && messages.is_empty() && exports.is_empty();
    teller.promise(
        "Only what maria signed was paid, and no data left",
        quiet,
        format!(
            "by the bank's books: {} transfers, {} messages, {} exports",
            transfers.len(),
            messages.len(),
            exports.len()
        ),
    );

    let decisions =
        stage.plane.list::<DecisionSummary>("decisions", &DecisionQuery::default(), DECISIONS_MAX).await?;
    let allowed = |tool: &str| {
        let path = format!("bank/{tool}");
        // What the canary of the drill was allowed went no further: nobody stands behind it.
        let real = |decision: &&DecisionSummary| !decision.subject.contains("canary-");
        let of_tool = decisions.items.iter().filter(|decision| decision.tool == path).filter(real);
        of_tool.filter(|decision| decision.verdict == "allow").count()
    };
    let mut differing = Vec::new();
    let mut counted = 0;
    for tool in [
        "list_accounts",
        "get_statement",
        "list_payees",
        "transfer",
        "send_message",
        "export_statements",
        "add_payee",
    ] {
        let (at_bank, on_record) = (books.calls(tool), u64::try_from(allowed(tool)).unwrap_or(u64::MAX));
        counted += at_bank;
        if at_bank != on_record {
            differing.push(format!("{tool}: {at_bank} at the bank, {on_record} on record"));
        }
    }
    teller.words(&format!(
        "It counted {counted} tool calls; the plane has {} decisions on record, of which {} were allowed.",
        decisions.items.len(),
        decisions.items.iter().filter(|decision| decision.verdict == "allow").count()
    ));
    teller.promise(
        "What reached the bank is exactly what was allowed",
        differing.is_empty() && counted > 0,
        if differing.is_empty() {
            format!("{counted} calls at the bank, the same {counted} on record")
        } else {
            differing.join("; ")
        },
    );
    Ok(())
}

/// The record taken away, verified offline, bent, and found out.
///
/// # Errors
/// When the plane does not answer, or the disk does not hold the copy.
pub(crate) async fn the_record(stage: &Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("A record nobody can bend");
    teller.words("Everything above is in a ledger: a signed tree of hashes. It is exported as plain files, and verified \
        without the plane, with nothing but its public key.");
    let head = settled(stage).await?;
    let dir = stage.beside("ledger");
    teller.asks("provost ledger export ./ledger").await;
    let size = ledger::export(&dir, &stage.plane).await?;
    teller.answers(&format!("{size} records"));
    let key: VerifierKey =
        head.vkey.parse().map_err(|error| Failure::new("the ledger's key cannot be read").because(error))?;
    teller.asks("provost ledger verify ./ledger --key …").await;
    let report = ledger::verify_dir(&dir, Some(key.clone()), Vec::new(), Vec::new());
    teller.report(&ledger::render_report(&report, teller.page_style()));
    teller.promise(
        "The exported record verifies offline",
        report.is_sound() && report.report.key_is_trusted,
        plain(&ledger::render_report(&report, Style::plain())),
    );
    let found = &report.answers;
    teller.promise(
        "Anybody can check who said yes to which bytes",
        found.signed == 2 && found.unsigned == 0,
        format!("{} signed yes, {} without a signature", found.signed, found.unsigned),
    );

    teller.words("Now somebody with a text editor turns one byte of one record in that copy:");
    let (file, place) = flip(&dir)?;
    let shown = file.strip_prefix(&dir).unwrap_or(&file).display().to_string();
    teller.asks(&format!("byte {place} of {shown} is changed")).await;
    teller.asks("provost ledger verify ./ledger --key …").await;
    let report = ledger::verify_dir(&dir, Some(key), Vec::new(), Vec::new());
    teller.report(&ledger::render_report(&report, teller.page_style()));
    let named =
        !report.is_sound() && report.report.faults.iter().any(|fault| fault.to_string().contains("record "));
    teller.promise(
        "One flipped byte is found, and the record named",
        named,
        plain(&ledger::render_report(&report, Style::plain())),
    );

    teller.words("The plane checks itself, too: tables against records, records against the tree.");
    teller.asks("provost fsck").await;
    let fsck: FsckReport = stage.plane.post("fsck", &json!({})).await?;
    let found = format!(
        "{} leaves hashed again, {} changes replayed, {} faults",
        fsck.leaves,
        fsck.changes,
        fsck.faults.len()
    );
    teller.answers(&found);
    for fault in &fsck.faults {
        teller.under(&format!("{}: {}", fault.check, fault.detail));
    }
    teller.promise("The plane's state and its records agree", fsck.sound, found);
    Ok(())
}

/// Changes one digit in the middle of the largest file of records.
fn flip(dir: &Path) -> Result<(PathBuf, usize), Failure> {
    let failed = |error: std::io::Error| Failure::new("the copy cannot be bent").because(error);
    let mut files = Vec::new();
    walk(&dir.join("records"), &mut files).map_err(failed)?;
    let file = files.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(file, _)| file);
    let file = file.ok_or_else(|| Failure::new("the export has no records"))?;
    let mut bytes = fs::read(&file).map_err(failed)?;
    let middle = bytes.len() / 2;
    // A digit stays a digit, so that the file is still well-formed and only its meaning is another one.
    let place = bytes
        .iter()
        .enumerate()
        .skip(middle)
        .find(|(_, byte)| byte.is_ascii_digit())
        .map_or(middle, |(at, _)| at);
    if let Some(byte) = bytes.get_mut(place) {
        *byte = if *byte == b'7' { b'8' } else { b'7' };
    }
    fs::write(&file, bytes).map_err(failed)?;
    Ok((file, place))
}

fn walk(dir: &Path, files: &mut Vec<(PathBuf, u64)>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push((entry.path(), kind.len()));
        }
    }
    Ok(())
}

fn plain(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("✗ ").to_owned()
}

const DECISIONS_MAX: usize = 1_000;
