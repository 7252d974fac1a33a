//! Which files and folders are sent, and under which names.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::super::message::{Entry, MOST_ENTRIES};
use super::super::store::PARTIAL;
use super::{Origin, modified};

/// The argument that means the standard input.
pub(crate) const STDIN: &str = "-";
/// Deepest folder, so that a loop of mounts ends.
const DEEPEST: usize = 60;

/// Everything that goes into an offer.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) list: Vec<(Origin, Entry)>,
    /// What is left out: links, devices, what cannot be read.
    pub(crate) left_out: Vec<String>,
    names: BTreeSet<String>,
}

/// Why there is no offer.
#[derive(Debug, Error)]
pub(crate) enum GatherError {
    #[error("cannot read {path}: {error}")]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{0} is neither a file nor a folder")]
    Special(PathBuf),
    #[error("two files would arrive as '{0}': send them one after the other, or their folder")]
    Twice(String),
    #[error("more than {MOST_ENTRIES} files: pack them, as in `tar c FOLDER | peerway send -`")]
    TooMany,
    #[error("there is nothing to send")]
    Nothing,
}

/// Looks at the arguments; `stdin_name` is what the standard input arrives as.
pub(crate) fn gather(paths: &[PathBuf], stdin_name: &str) -> Result<Gathered, GatherError> {
    let mut gathered = Gathered::default();
    for path in paths {
        if path.as_os_str() == STDIN {
            let entry = |name| Entry { name, size: None, modified: None, folder: false };
            gathered.add(Origin::Stdin, entry(stdin_name.to_owned()))?;
            continue;
        }
        let unreadable = |error| GatherError::Unreadable { path: path.clone(), error };
        // A link that the user names is followed; one inside a folder is not.
        let there = fs::metadata(path).map_err(unreadable)?;
        let name = name_of(path).map_err(unreadable)?;
        if there.is_dir() {
            gathered.walk(path, &name, 0)?;
        } else if there.is_file() {
            gathered.add(Origin::File(path.clone()), file_entry(name, &there))?;
        } else {
            return Err(GatherError::Special(path.clone()));
        }
    }
    if gathered.list.is_empty() {
        return Err(GatherError::Nothing);
    }
    Ok(gathered)
}

impl Gathered {
    fn add(&mut self, origin: Origin, entry: Entry) -> Result<(), GatherError> {
        if self.list.len() == MOST_ENTRIES {
            return Err(GatherError::TooMany);
        }
        if !self.names.insert(entry.name.clone()) {
            return Err(GatherError::Twice(entry.name));
        }
        self.list.push((origin, entry));
        Ok(())
    }

    fn walk(&mut self, folder: &Path, name: &str, depth: usize) -> Result<(), GatherError> {
        let children = match children(folder) {
            Ok(children) => children,
            Err(error) if depth == 0 => {
                return Err(GatherError::Unreadable { path: folder.to_owned(), error });
            }
            Err(error) => {
                self.left_out.push(format!("{}: {error}", folder.display()));
                return Ok(());
            }
        };
        if children.is_empty() {
            let entry =
                Entry { name: name.to_owned(), size: Some(0), modified: None, folder: true };
            return self.add(Origin::Folder, entry);
        }
        for path in children {
            let leave = |why: &str| format!("{}: {why}", path.display());
            let Some(own) = path.file_name() else { continue };
            let own = own.to_string_lossy();
            let name = format!("{name}/{own}");
            match fs::symlink_metadata(&path) {
                Ok(there) if there.is_dir() && depth < DEEPEST => {
                    self.walk(&path, &name, depth + 1)?;
                }
                Ok(there) if there.is_dir() => self.left_out.push(leave("too deep")),
                Ok(_) if own.ends_with(PARTIAL) => self.left_out.push(leave("not complete")),
                Ok(there) if there.is_file() => {
                    self.add(Origin::File(path), file_entry(name, &there))?;
                }
                Ok(there) if there.is_symlink() => self.left_out.push(leave("a symbolic link")),
                Ok(_) => self.left_out.push(leave("neither a file nor a folder")),
                Err(error) => self.left_out.push(leave(&error.to_string())),
            }
        }
        Ok(())
    }
}

fn file_entry(name: String, there: &fs::Metadata) -> Entry {
    Entry { name, size: Some(there.len()), modified: modified(there), folder: false }
}

/// Sorted, so that a transfer that is begun again has the same order.
fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths: io::Result<Vec<_>> = fs::read_dir(folder)?.map(|it| Ok(it?.path())).collect();
    let mut paths = paths?;
    paths.sort();
    Ok(paths)
}

/// The last part of the path, also where it is written as `.` or `..`.
fn name_of(path: &Path) -> io::Result<String> {
    let name = match path.file_name() {
        Some(name) => name.to_owned(),
        None => match fs::canonicalize(path)?.file_name() {
            Some(name) => name.to_owned(),
            None => "root".into(),
        },
    };
    Ok(name.to_string_lossy().into_owned())
}
