//! The file of a recording.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use peerway_record::{Output, Patch};

/// Where a recording goes.
pub(super) trait Target: Debug + Send + Sync {
    /// Does all of it, or leaves the end of the file as it was.
    fn put(&mut self, output: Output) -> io::Result<()>;
    /// Bytes so far.
    fn length(&self) -> u64;
    /// Nothing came.
    fn remove(&mut self, path: &Path);
}

pub(super) fn create(path: &Path) -> io::Result<Box<dyn Target>> {
    open(path, OpenOptions::new().write(true).create_new(true))
}

pub(super) fn replace(path: &Path) -> io::Result<Box<dyn Target>> {
    open(path, OpenOptions::new().write(true).create(true).truncate(true))
}

fn open(path: &Path, options: &OpenOptions) -> io::Result<Box<dyn Target>> {
    Ok(Box::new(OnDisk { file: options.open(path)?, length: 0 }))
}

#[derive(Debug)]
struct OnDisk {
    file: File,
    length: u64,
}

impl Target for OnDisk {
    fn put(&mut self, Output { append, patches }: Output) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Err(error) = self.file.write_all(&append) {
            // Half a frame would be taken for a damaged one.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += append.len() as u64;
        for Patch { offset, bytes } in patches {
            self.file.seek(SeekFrom::Start(offset))?;
            self.file.write_all(&bytes)?;
        }
        Ok(())
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn remove(&mut self, path: &Path) {
        if let Err(error) = std::fs::remove_file(path) {
            tracing::debug!(%error, "an empty recording stays");
        }
    }
}
