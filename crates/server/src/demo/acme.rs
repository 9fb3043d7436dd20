//! The files of `examples/acme`, as they are in the repository; only the bank's address is another one each time.

use provost_api::plan::FileText;
use provost_cli::Failure;

/// The files, with the bank where it really is.
///
/// # Errors
/// When the files do not name the address that is to be replaced.
pub(crate) fn files(bank_url: &str) -> Result<Vec<FileText>, Failure> {
    let mut replaced = false;
    let files = FILES.iter().map(|(path, text)| {
        let here = text.replace(BANK_URL, bank_url);
        replaced = replaced || here != *text;
        FileText { path: (*path).to_owned(), text: here }
    });
    let beside = FileText { path: "receivers.toml".to_owned(), text: RECEIVERS.to_owned() };
    let files = files.chain(std::iter::once(beside)).collect();
    match replaced {
        true => Ok(files),
        false => {
            Err(Failure::new("the embedded organisation does not name its bank's address").because(BANK_URL))
        }
    }
}

macro_rules! acme {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../examples/acme/", $path)))),*]
    };
}

/// Every declaration of the folder; a test compares the list with what is there.
const FILES: &[(&str, &str)] = acme![
    "agents/bookkeeper.toml",
    "agents/invoice-clerk.toml",
    "applications/documents.cedar",
    "applications/documents.cedarschema",
    "applications/documents.entities.json",
    "applications/documents.toml",
    "organisation.toml",
    "people.toml",
    "policies/data.cedar",
    "policies/drift.cedar",
    "policies/payments.cedar",
    "systems/bank.toml",
    "workloads.toml",
];
/// Who is told outside when something is stopped; in the demo, the demo itself.
const RECEIVERS: &str = r#"
[workload.siem]
purpose = "Ends sessions elsewhere when an agent is stopped"
owner = "maria"
signals = "https://siem.acme.example"
"#;
/// Where the files say the bank is.
const BANK_URL: &str = "http://127.0.0.1:7080/mcp";

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_example_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/acme");
        let found = provost_cli::folder::read(&folder).unwrap();
        // Cases are for `provost policy test`, not for the plane.
        let found: Vec<_> =
            found.iter().map(|file| file.path.as_str()).filter(|path| !path.starts_with("cases/")).collect();
        let embedded: Vec<_> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(embedded, found);
        assert!(files("http://127.0.0.1:1/mcp").is_ok());
    }
}
