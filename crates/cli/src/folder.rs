//! The files of an organisation folder.

use crate::Failure;
use provost_api::plan::FileText;
use provost_declare::is_declaration;
use std::path::Path;

/// Every declaration below a folder (or the one file), in order of path, for a plan.
///
/// # Errors
/// When something cannot be read, there is nothing to read, or far too much.
pub fn read(dir: &Path) -> Result<Vec<FileText>, Failure> {
    let mut files = Vec::new();
    let mut bytes = 0;
    if dir.is_file() {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        take(dir, name, &mut files, &mut bytes)?;
        return Ok(files);
    }
    walk(dir, "", 0, &mut files, &mut bytes)?;
    if files.is_empty() {
        return Err(Failure::usage(format!("there is nothing to read in {}", dir.display()))
            .because("a folder of an organisation holds .toml and .cedar files")
            .cure("name the folder that holds them, such as examples/acme"));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(
    dir: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<FileText>,
    bytes: &mut usize,
) -> Result<(), Failure> {
    if depth > DEPTH_MAX {
        return Err(Failure::usage(format!(
            "{} lies deeper than folder_depth_max, {DEPTH_MAX}",
            dir.display()
        )));
    }
    let failed = |error: std::io::Error| {
        Failure::usage(format!("the folder {} cannot be read", dir.display())).because(error)
    };
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && !name.starts_with('.') {
            walk(&entry.path(), &path, depth + 1, files, bytes)?;
        } else if is_declaration(&path) && entry.path().is_file() {
            take(&entry.path(), path, files, bytes)?;
        }
    }
    Ok(())
}

fn take(file: &Path, path: String, files: &mut Vec<FileText>, bytes: &mut usize) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("the file {} cannot be read", file.display())).because(error)
    })?;
    *bytes += text.len();
    files.push(FileText { path, text });
    if *bytes > FOLDER_BYTES_MAX || files.len() > FOLDER_FILES_MAX {
        return Err(Failure::usage(format!(
            "there is more to read than folder_files_max, {FOLDER_FILES_MAX}, or folder_bytes_max, {FOLDER_BYTES_MAX}"
        ))
        .cure("apply a part of it at a time"));
    }
    Ok(())
}

const DEPTH_MAX: usize = 16;
const FOLDER_FILES_MAX: usize = 10_000;
const FOLDER_BYTES_MAX: usize = 64 << 20;
