//! What is sent: files, folders, the standard input. Blocking: reading runs on a thread of its own.

mod gather;
mod stream;

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::SystemTime;

use peerway_protocol::value::Bytes;

use super::hash::{Hasher, Sha256};
use super::message::{Entry, Index};
use super::reason::{Reason, Refusal};
use super::sender::{Opened, Read};
use super::store;

pub(crate) use gather::{STDIN, gather};
use stream::Stream;

/// Bytes of a chunk. Its message fits into one of the channel (16300 bytes with BinaryPack): a bigger
/// one is put together by `PeerJS` up to 1.4 in the background, where the next one overtakes it.
const CHUNK: usize = 16_000;
/// Bytes read at once.
const BLOCK: usize = 16 * CHUNK;

/// Where the bytes of an entry are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    File(PathBuf),
    Folder,
    Stdin,
}

/// Does what a [`Sender`](super::sender::Sender) commands.
pub(crate) struct Sources {
    list: Vec<(Origin, Entry)>,
    stdin: Stream<io::Stdin>,
    open: Current,
    /// What was read and is not given out yet.
    block: Bytes,
}

/// What is open.
enum Current {
    Nothing,
    File { file: File, hasher: Hasher, at: u64, entry: Entry },
    Stdin,
}

impl Sources {
    pub(crate) fn new(list: Vec<(Origin, Entry)>) -> Self {
        Self { list, stdin: Stream::new(io::stdin()), open: Current::Nothing, block: Bytes::new() }
    }

    pub(crate) fn open(&mut self, index: Index, offset: u64, sha256: Option<Sha256>) -> Opened {
        let Some((origin, entry)) = self.list.get(index as usize) else {
            return Opened::Failed(Refusal::new(Reason::Missing, "there is no such file"));
        };
        self.block = Bytes::new();
        let opened = match origin {
            Origin::Folder => {
                // A receiver that knows no folders gets an empty file.
                self.open = Current::Nothing;
                Ok(if offset == 0 { Opened::There } else { Opened::Different })
            }
            Origin::Stdin => {
                self.open = Current::Stdin;
                self.stdin.rewind(offset, sha256)
            }
            Origin::File(path) => {
                open_file(path, entry, offset, sha256).map(|(opened, current)| {
                    self.open = current;
                    opened
                })
            }
        };
        opened.unwrap_or_else(|refusal| {
            self.open = Current::Nothing;
            Opened::Failed(refusal)
        })
    }

    pub(crate) fn read(&mut self) -> Read {
        if self.block.is_empty() {
            let read = match &mut self.open {
                Current::Nothing => Ok(Read::End { size: 0, sha256: Hasher::new().digest() }),
                Current::Stdin => self.stdin.read(CHUNK),
                Current::File { file, hasher, at, entry } => read_file(file, hasher, at, entry),
            };
            match read {
                Ok(Read::Data(data)) => self.block = data,
                Ok(end) => return end,
                Err(refusal) => return Read::Failed(refusal),
            }
        }
        Read::Data(self.block.split_to(self.block.len().min(CHUNK)))
    }
}

fn open_file(
    path: &PathBuf,
    entry: &Entry,
    offset: u64,
    sha256: Option<Sha256>,
) -> Result<(Opened, Current), Refusal> {
    let failed = |error: io::Error| Refusal::io(format!("read {}", entry.name), &error);
    let mut file = File::open(path).map_err(failed)?;
    check(&file.metadata().map_err(failed)?, entry)?;
    let (hasher, at) = store::hash(&mut file, offset).map_err(failed)?;
    let same = at == offset && (offset == 0 || sha256 == Some(hasher.digest()));
    let entry = entry.clone();
    if same {
        return Ok((Opened::There, Current::File { file, hasher, at, entry }));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok((Opened::Different, Current::File { file, hasher: Hasher::new(), at: 0, entry }))
}

fn read_file(
    file: &mut File,
    hasher: &mut Hasher,
    at: &mut u64,
    entry: &Entry,
) -> Result<Read, Refusal> {
    let failed = |error: io::Error| Refusal::io(format!("read {}", entry.name), &error);
    let size = entry.size.unwrap_or(0);
    let rest = usize::try_from(size.saturating_sub(*at)).unwrap_or(usize::MAX);
    if rest == 0 {
        check(&file.metadata().map_err(failed)?, entry)?;
        return Ok(Read::End { size, sha256: hasher.digest() });
    }
    let mut data = vec![0; rest.min(BLOCK)];
    match fill(file, &mut data).map_err(failed)? {
        0 => Err(changed(entry)),
        count => {
            data.truncate(count);
            hasher.update(&data);
            *at += count as u64;
            Ok(Read::Data(data.into()))
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Whether it is still the file that was offered.
fn check(there: &Metadata, entry: &Entry) -> Result<(), Refusal> {
    if !there.is_file() {
        return Err(Refusal::new(Reason::Missing, format!("{} is no file any more", entry.name)));
    }
    if Some(there.len()) != entry.size || entry.modified != modified(there) {
        return Err(changed(entry));
    }
    Ok(())
}

fn changed(entry: &Entry) -> Refusal {
    Refusal::new(Reason::Changed, format!("{} changed while it was sent", entry.name))
}

/// Milliseconds since 1970.
fn modified(there: &Metadata) -> Option<i64> {
    let since = there.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::testing::Scratch;

    fn sources(scratch: &Scratch, name: &str) -> Sources {
        Sources::new(gather(&[scratch.path().join(name)], "stdin").unwrap().list)
    }

    fn rest(sources: &mut Sources) -> Result<(Vec<u8>, u64, Sha256), Reason> {
        let mut data = Vec::new();
        loop {
            match sources.read() {
                Read::Data(more) => data.extend_from_slice(&more),
                Read::End { size, sha256 } => return Ok((data, size, sha256)),
                Read::Failed(refusal) => return Err(refusal.reason),
            }
        }
    }

    fn digest(data: &[u8]) -> Sha256 {
        let mut hasher = Hasher::new();
        hasher.update(data);
        hasher.digest()
    }

    #[test]
    fn a_file_is_read_from_any_place_with_the_digest_of_the_whole() {
        let content: Vec<u8> = (0..=250).cycle().take(2 * BLOCK + CHUNK + 5).collect();
        let scratch = Scratch::new();
        scratch.write("a", &content);
        let mut sources = sources(&scratch, "a");
        for offset in [0, 1, CHUNK, BLOCK, content.len()] {
            let sha256 = digest(&content[..offset]);
            assert_eq!(sources.open(0, offset as u64, Some(sha256)), Opened::There);
            let (data, size, sha256) = rest(&mut sources).unwrap();
            assert!(data == content[offset..]);
            assert_eq!((size, sha256), (content.len() as u64, digest(&content)));
        }
    }

    #[test]
    fn another_beginning_is_noticed() {
        let scratch = Scratch::new();
        scratch.write("a", b"abcdef");
        let mut sources = sources(&scratch, "a");
        for (offset, sha256) in [(3, digest(b"abd")), (7, digest(b"abcdef"))] {
            assert_eq!(sources.open(0, offset, Some(sha256)), Opened::Different);
            assert_eq!(rest(&mut sources).unwrap().0, b"abcdef");
        }
    }

    #[test]
    fn a_file_that_changes_is_not_sent_to_its_end() {
        let scratch = Scratch::new();
        scratch.write("a", b"abcdef");
        let mut sources = sources(&scratch, "a");
        sources.open(0, 0, None);
        scratch.write("a", b"abcdefg");
        assert_eq!(rest(&mut sources), Err(Reason::Changed));
        let Opened::Failed(refusal) = sources.open(0, 0, None) else { panic!("it changed") };
        assert_eq!(refusal.reason, Reason::Changed);
        std::fs::remove_file(scratch.path().join("a")).unwrap();
        let Opened::Failed(refusal) = sources.open(0, 0, None) else { panic!("it is gone") };
        assert_eq!(refusal.reason, Reason::Missing);
    }

    #[test]
    fn a_folder_is_walked_in_order_and_links_are_left_out() {
        let scratch = Scratch::new();
        scratch.write("top/b/c", b"c");
        scratch.write("top/a", b"a");
        scratch.write("top/x.peerway-part", b"a");
        std::fs::create_dir(scratch.path().join("top/empty")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", scratch.path().join("top/link")).unwrap();
        let gathered = gather(&[scratch.path().join("top")], "stdin").unwrap();
        let names: Vec<_> = gathered.list.iter().map(|(_, it)| (&*it.name, it.folder)).collect();
        assert_eq!(names, [("top/a", false), ("top/b/c", false), ("top/empty", true)]);
        assert_eq!(gathered.left_out.len(), 2, "{:?}", gathered.left_out);
    }

    #[test]
    fn what_cannot_be_sent_is_told_before_anything_is() {
        let scratch = Scratch::new();
        scratch.write("a/x", b"a");
        scratch.write("b/x", b"a");
        let told = |names: &[&str]| {
            let paths: Vec<_> = names.iter().map(|name| scratch.path().join(name)).collect();
            gather(&paths, "stdin").unwrap_err().to_string()
        };
        assert!(told(&["a/x", "b/x"]).starts_with("two files would arrive as 'x'"));
        assert!(told(&["none"]).ends_with("No such file or directory (os error 2)"));
        assert_eq!(told(&["/dev/null"]), "/dev/null is neither a file nor a folder");
        let dot = gather(&[scratch.path().join("a/..").join(".")], "stdin").unwrap();
        assert!(dot.list[0].1.name.ends_with("/a/x"), "{}", dot.list[0].1.name);
        assert!(!dot.list[0].1.name.contains(".."), "{}", dot.list[0].1.name);
        let stdin = gather(&[PathBuf::from("-")], "name").unwrap();
        assert_eq!((stdin.list[0].0.clone(), stdin.list[0].1.size), (Origin::Stdin, None));
    }
}
