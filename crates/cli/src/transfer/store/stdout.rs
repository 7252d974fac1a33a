//! The standard output as the place of one file.

use std::io::{self, Write};

use super::super::hash::{Hasher, Sha256};
use super::super::message::{Entry, Index};
use super::super::name::SafeName;
use super::super::reason::{Reason, Refusal};
use super::super::receiver::Planned;
use super::Store;

/// Writes one file to an output that cannot be rewound.
#[derive(Debug)]
pub(crate) struct Stdout<W = io::Stdout> {
    output: W,
    /// The file that was begun.
    index: Option<Index>,
    hasher: Hasher,
    length: u64,
}

impl Stdout {
    pub(crate) fn new() -> Self {
        Self::onto(io::stdout())
    }
}

impl<W: Write> Stdout<W> {
    fn onto(output: W) -> Self {
        Self { output, index: None, hasher: Hasher::new(), length: 0 }
    }
}

impl<W: Write + Send> Store for Stdout<W> {
    fn plan(&mut self, index: Index, name: &SafeName, entry: &Entry) -> Planned {
        if entry.folder || self.index.is_some_and(|it| it != index) {
            let text = format!("only one file goes to the standard output, and {name} is not it");
            return Planned::Refused(Refusal::new(Reason::Name, text));
        }
        self.index = Some(index);
        match self.length {
            0 => Planned::Fresh,
            length => Planned::Partial { length, sha256: self.hasher.digest() },
        }
    }

    fn open(&mut self, _index: Index, offset: u64) -> Result<(), Refusal> {
        if offset == self.length {
            return Ok(());
        }
        let text = "the file changed, and what is written to the standard output stays written";
        Err(Refusal::new(Reason::Io, text))
    }

    fn write(&mut self, _index: Index, data: &[u8]) -> Result<u64, Refusal> {
        let written = self.output.write_all(data);
        written.map_err(|error| Refusal::io("write to the standard output", &error))?;
        self.hasher.update(data);
        self.length += data.len() as u64;
        Ok(self.length)
    }

    fn commit(&mut self, _index: Index, sha256: Option<Sha256>) -> Result<Sha256, Refusal> {
        let flushed = self.output.flush();
        flushed.map_err(|error| Refusal::io("write to the standard output", &error))?;
        let digest = self.hasher.digest();
        if sha256.is_some_and(|theirs| theirs != digest) {
            let text = format!("what arrived has the SHA-256 {digest}, which is not the sender's");
            return Err(Refusal::new(Reason::Corrupt, text));
        }
        Ok(digest)
    }

    fn suspend(&mut self, _index: Index) {
        let _ = self.output.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(folder: bool) -> Entry {
        Entry { name: "a".to_owned(), size: None, modified: None, folder }
    }

    #[test]
    fn one_file_goes_out_and_goes_on_after_a_loss() {
        let mut store = Stdout::onto(Vec::new());
        let name = SafeName::new("a").unwrap();
        assert_eq!(store.plan(0, &name, &entry(false)), Planned::Fresh);
        store.open(0, 0).unwrap();
        assert_eq!(store.write(0, b"ab"), Ok(2));
        store.suspend(0);
        let Planned::Partial { length: 2, sha256 } = store.plan(0, &name, &entry(false)) else {
            panic!("two bytes are there");
        };
        store.open(0, 2).unwrap();
        assert_eq!(store.write(0, b"c"), Ok(3));
        assert_ne!(store.commit(0, None).unwrap(), sha256);
        assert_eq!(store.output, b"abc");
    }

    #[test]
    fn what_is_out_cannot_be_replaced_and_a_second_file_has_no_place() {
        let mut store = Stdout::onto(Vec::new());
        let name = SafeName::new("a").unwrap();
        assert!(matches!(store.plan(0, &name, &entry(true)), Planned::Refused(_)));
        store.plan(0, &name, &entry(false));
        store.open(0, 0).unwrap();
        store.write(0, b"ab").unwrap();
        assert_eq!(store.open(0, 0).unwrap_err().reason, Reason::Io);
        assert!(matches!(store.plan(1, &name, &entry(false)), Planned::Refused(_)));
    }
}
