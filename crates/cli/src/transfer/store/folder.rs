//! Files below a folder. A file grows as `NAME.peerway-part` beside the place where it will be; what is there when
//! a transfer breaks, by whatever reason, is offered to the next one as a beginning.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::hash::{Hasher, Sha256};
use super::super::message::{Entry, Index};
use super::super::name::SafeName;
use super::super::reason::{Reason, Refusal};
use super::super::receiver::Planned;
use super::{PARTIAL, Store};

/// Files that stay open while they wait.
const MOST_OPEN: usize = 16;

/// A folder that files are received into.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    overwrite: bool,
    files: BTreeMap<Index, Planning>,
    /// Which file of the offer has a path.
    claims: BTreeMap<PathBuf, Index>,
}

/// A file that is wanted.
#[derive(Debug)]
struct Planning {
    name: SafeName,
    target: PathBuf,
    partial: PathBuf,
    modified: Option<SystemTime>,
    /// Of what is in the partial file.
    hasher: Hasher,
    length: u64,
    /// While it is written.
    file: Option<File>,
}

impl Folder {
    /// `overwrite`: files that are there may be replaced.
    pub(crate) fn new(root: PathBuf, overwrite: bool) -> Self {
        Self { root, overwrite, files: BTreeMap::new(), claims: BTreeMap::new() }
    }

    fn look(&mut self, index: Index, name: &SafeName, entry: &Entry) -> Result<Planned, Refusal> {
        self.check_folders(name)?;
        let target = name.below(&self.root);
        if entry.folder {
            self.make_folders(name)?;
            return match fs::create_dir(&target) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists || !is_folder(&target) => {
                    Err(Refusal::io(format!("make the folder {name}"), &error))
                }
                _ => Ok(Planned::Folder),
            };
        }
        if *self.claims.entry(target.clone()).or_insert(index) != index {
            let text = format!("another file of this transfer is {name} too");
            return Err(Refusal::new(Reason::Exists, text));
        }
        if let Some(known) = self.files.get(&index) {
            // From before the connection was lost; nobody else may write to it.
            let (length, sha256) = (known.length, known.hasher.digest());
            if known.file.is_some() && length > 0 {
                return Ok(Planned::Partial { length, sha256 });
            }
        }
        let whole = self.look_at_target(name, &target, entry)?;
        let mut partial = target.clone().into_os_string();
        partial.push(PARTIAL);
        let partial = PathBuf::from(partial);
        let (hasher, length) = match whole {
            Some(_) => (Hasher::new(), 0),
            None => beginning(name, &partial, entry.size)?,
        };
        let sha256 = hasher.digest();
        let modified = entry.modified.and_then(time);
        let name = name.clone();
        let planning = Planning { name, target, partial, modified, hasher, length, file: None };
        self.files.insert(index, planning);
        let part = if length > 0 { Planned::Partial { length, sha256 } } else { Planned::Fresh };
        Ok(whole.unwrap_or(part))
    }

    /// Whether what has the name already is in the way, or perhaps the same.
    fn look_at_target(
        &self,
        name: &SafeName,
        target: &Path,
        entry: &Entry,
    ) -> Result<Option<Planned>, Refusal> {
        let there = match fs::symlink_metadata(target) {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Refusal::io(format!("look at {name}"), &error)),
        };
        if there.is_file() && Some(there.len()) == entry.size {
            let look = |error| Refusal::io(format!("read {name}"), &error);
            let mut file = File::open(target).map_err(look)?;
            let (hasher, length) = hash(&mut file, u64::MAX).map_err(look)?;
            let (sha256, overwrite) = (hasher.digest(), self.overwrite);
            return Ok(Some(Planned::Whole { length, sha256, overwrite }));
        }
        if self.overwrite && (there.is_file() || there.is_symlink()) {
            return Ok(None);
        }
        let what = if there.is_dir() { "a folder" } else { "another file" };
        Err(Refusal::new(Reason::Exists, format!("{what} named {name} is there")))
    }

    /// A folder on the way to the file must be one: not a link that leads elsewhere.
    fn check_folders(&self, name: &SafeName) -> Result<(), Refusal> {
        for folder in name.folders(&self.root) {
            match fs::symlink_metadata(&folder) {
                Ok(there) if there.is_dir() => {}
                Ok(there) => {
                    let what = if there.is_symlink() { "a symbolic link" } else { "a file" };
                    let text = format!("{} is {what}", self.told(&folder));
                    return Err(Refusal::new(Reason::Exists, text));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => {
                    return Err(Refusal::io(format!("look at {}", self.told(&folder)), &error));
                }
            }
        }
        Ok(())
    }

    fn make_folders(&self, name: &SafeName) -> Result<(), Refusal> {
        for folder in name.folders(&self.root) {
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    let what = format!("make the folder {}", self.told(&folder));
                    return Err(Refusal::io(what, &error));
                }
                _ => {}
            }
        }
        self.check_folders(name)
    }

    /// The other side is told no paths of ours.
    fn told(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    fn file(&mut self, index: Index) -> Result<&mut Planning, Refusal> {
        self.files.get_mut(&index).ok_or_else(|| Refusal::new(Reason::Io, "the file is not open"))
    }
}

impl Store for Folder {
    fn plan(&mut self, index: Index, name: &SafeName, entry: &Entry) -> Planned {
        self.look(index, name, entry).unwrap_or_else(Planned::Refused)
    }

    fn open(&mut self, index: Index, offset: u64) -> Result<(), Refusal> {
        let name = self.file(index)?.name.clone();
        self.make_folders(&name)?;
        let planning = self.file(index)?;
        let failed = |error: io::Error| Refusal::io(format!("write {name}"), &error);
        let mut file = match planning.file.take() {
            Some(file) => file,
            None => claim(&name, &planning.partial)?,
        };
        if offset == 0 {
            file.set_len(0).map_err(failed)?;
            planning.hasher = Hasher::new();
            planning.length = 0;
        }
        let length = file.metadata().map_err(failed)?.len();
        if offset != planning.length || length != offset {
            let text = format!("the beginning of {name} changed meanwhile");
            return Err(Refusal::new(Reason::Changed, text));
        }
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        planning.file = Some(file);
        Ok(())
    }

    fn write(&mut self, index: Index, data: &[u8]) -> Result<u64, Refusal> {
        let planning = self.file(index)?;
        let Planning { name, file: Some(file), length, hasher, .. } = planning else {
            return Err(Refusal::new(Reason::Io, "the file is not open"));
        };
        if let Err(error) = file.write_all(data) {
            // What was written of it is not counted.
            let _ = file.set_len(*length);
            let refusal = Refusal::io(format!("write {name}"), &error);
            planning.file = None;
            return Err(refusal);
        }
        hasher.update(data);
        *length += data.len() as u64;
        Ok(*length)
    }

    fn commit(&mut self, index: Index, sha256: Option<Sha256>) -> Result<Sha256, Refusal> {
        let planning = self.files.remove(&index);
        let Some(Planning { name, target, partial, modified, hasher, file: Some(file), .. }) =
            planning
        else {
            return Err(Refusal::new(Reason::Io, "the file is not open"));
        };
        let digest = hasher.digest();
        if sha256.is_some_and(|theirs| theirs != digest) {
            let _ = fs::remove_file(&partial);
            let text =
                format!("{name} arrived with the SHA-256 {digest}, which is not the sender's");
            return Err(Refusal::new(Reason::Corrupt, text));
        }
        if let Some(modified) = modified {
            // Not every file system can.
            let _ = file.set_modified(modified);
        }
        if !self.overwrite {
            // Claims the name, so that nothing that came there meanwhile is replaced.
            let claim = OpenOptions::new().write(true).create_new(true).open(&target);
            claim.map_err(|error| Refusal::io(format!("name {name}"), &error))?;
        }
        // Windows renames no file that is open; elsewhere the lock holds until it has its name.
        let file = (!cfg!(windows)).then_some(file);
        fs::rename(&partial, &target)
            .map_err(|error| Refusal::io(format!("name {name}"), &error))?;
        drop(file);
        Ok(digest)
    }

    fn suspend(&mut self, index: Index) {
        let open = self.files.values().filter(|it| it.file.is_some()).count();
        let Some(planning) = self.files.get_mut(&index) else { return };
        if planning.length == 0 && planning.file.is_some() {
            let _ = fs::remove_file(&planning.partial);
            self.files.remove(&index);
        } else if open > MOST_OPEN {
            // Its beginning is hashed again when it goes on.
            planning.file = None;
        }
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_dir())
}

/// What is in a partial file, if it can be the beginning of a file of this size.
fn beginning(name: &SafeName, partial: &Path, size: Option<u64>) -> Result<(Hasher, u64), Refusal> {
    let failed = |error: io::Error| Refusal::io(format!("read the beginning of {name}"), &error);
    match fs::symlink_metadata(partial) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((Hasher::new(), 0)),
        Err(error) => Err(failed(error)),
        Ok(there) if !there.is_file() => {
            let text = format!("{name}{PARTIAL} is in the way");
            Err(Refusal::new(Reason::Exists, text))
        }
        Ok(there) if size.is_some_and(|size| there.len() > size) => Ok((Hasher::new(), 0)),
        Ok(there) => {
            let mut file = File::open(partial).map_err(failed)?;
            hash(&mut file, there.len()).map_err(failed)
        }
    }
}

/// Opens a partial file for this process alone.
fn claim(name: &SafeName, partial: &Path) -> Result<File, Refusal> {
    let failed = |error: io::Error| Refusal::io(format!("write {name}"), &error);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(partial);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => {
            let text = format!("another program is receiving {name}");
            Err(Refusal::new(Reason::Busy, text))
        }
        // Ours, or a file system without locks.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

/// The digest of the next `length` bytes, and how many there were.
pub(crate) fn hash(file: &mut File, length: u64) -> io::Result<(Hasher, u64)> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut source = file.take(length);
    let mut sum = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok((hasher, sum)),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                sum += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn time(modified: i64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(modified.try_into().ok()?))
}

#[cfg(test)]
mod tests;
