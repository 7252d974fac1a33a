//! A source that can be read once, with enough of what was read kept to go on after a lost connection.

use std::collections::VecDeque;
use std::io::ErrorKind;

use super::super::hash::{Hasher, Sha256};
use super::super::reason::{Reason, Refusal};
use super::super::sender::{Opened, Read};

/// Bytes that are kept: more than a receiver of ours lets be on the way.
const KEPT: usize = 32 << 20;

const _: () = assert!(KEPT as u64 >= super::super::WINDOW);

pub(super) struct Stream<R> {
    source: R,
    /// The newest bytes that were read ..
    kept: VecDeque<u8>,
    /// .. which begin here ..
    base: u64,
    /// .. behind bytes with this digest.
    before: Hasher,
    /// Where it stands, among the kept bytes or at their end ..
    at: u64,
    /// .. behind bytes with this digest.
    hasher: Hasher,
}

impl<R: std::io::Read> Stream<R> {
    pub(super) fn new(source: R) -> Self {
        let (before, hasher) = (Hasher::new(), Hasher::new());
        Self { source, kept: VecDeque::new(), base: 0, before, at: 0, hasher }
    }

    /// Goes back to `offset`, if what is before it has this digest; else to the beginning.
    pub(super) fn rewind(
        &mut self,
        offset: u64,
        sha256: Option<Sha256>,
    ) -> Result<Opened, Refusal> {
        let kept = offset.checked_sub(self.base).and_then(|it| usize::try_from(it).ok());
        if let Some(kept) = kept.filter(|kept| *kept <= self.kept.len()) {
            let mut hasher = self.before.clone();
            for half in self.stretch(0, kept) {
                hasher.update(half);
            }
            if offset == 0 || sha256 == Some(hasher.digest()) {
                (self.at, self.hasher) = (offset, hasher);
                return Ok(Opened::There);
            }
        }
        if self.base > 0 {
            let text = "the standard input cannot be read again from its beginning";
            return Err(Refusal::new(Reason::Missing, text));
        }
        (self.at, self.hasher) = (0, Hasher::new());
        Ok(Opened::Different)
    }

    pub(super) fn read(&mut self, most: usize) -> Result<Read, Refusal> {
        let start = usize::try_from(self.at - self.base).unwrap_or(usize::MAX);
        let count = self.kept.len().saturating_sub(start).min(most);
        let data = if count > 0 {
            self.stretch(start, start + count).concat()
        } else {
            let data = self.read_more(most)?;
            self.kept.extend(&data);
            data
        };
        if data.is_empty() {
            return Ok(Read::End { size: self.at, sha256: self.hasher.digest() });
        }
        self.hasher.update(&data);
        self.at += data.len() as u64;
        self.forget();
        Ok(Read::Data(data.into()))
    }

    fn read_more(&mut self, most: usize) -> Result<Vec<u8>, Refusal> {
        let mut data = vec![0; most];
        loop {
            match self.source.read(&mut data) {
                Ok(count) => {
                    data.truncate(count);
                    return Ok(data);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Refusal::io("read the standard input", &error)),
            }
        }
    }

    fn forget(&mut self) {
        let excess = self.kept.len().saturating_sub(KEPT);
        if excess > 0 {
            let old: Vec<u8> = self.kept.drain(..excess).collect();
            self.before.update(&old);
            self.base += excess as u64;
        }
    }

    /// Kept bytes, in two halves.
    fn stretch(&self, from: usize, to: usize) -> [&[u8]; 2] {
        let (first, second) = self.kept.as_slices();
        let middle = first.len();
        [
            &first[from.min(middle)..to.min(middle)],
            &second[from.saturating_sub(middle)..to.saturating_sub(middle)],
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(data: &[u8]) -> Sha256 {
        let mut hasher = Hasher::new();
        hasher.update(data);
        hasher.digest()
    }

    fn rest(stream: &mut Stream<&[u8]>) -> (Vec<u8>, u64, Sha256) {
        let mut data = Vec::new();
        loop {
            match stream.read(1000).unwrap() {
                Read::Data(more) => data.extend_from_slice(&more),
                Read::End { size, sha256 } => return (data, size, sha256),
                Read::Failed(refusal) => panic!("{refusal}"),
            }
        }
    }

    #[test]
    fn it_goes_on_where_the_receiver_is() {
        let source: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let mut stream = Stream::new(&source[..]);
        for _chunk in 0..3 {
            stream.read(1000).unwrap();
        }
        let opened = stream.rewind(1500, Some(digest(&source[..1500])));
        assert_eq!(opened, Ok(Opened::There));
        let (data, size, sha256) = rest(&mut stream);
        assert!(data == source[1500..]);
        assert_eq!((size, sha256), (5000, digest(&source)));
    }

    #[test]
    fn a_receiver_with_something_else_begins_anew_while_that_is_possible() {
        let source = vec![7; KEPT + 5000];
        let mut stream = Stream::new(&source[..]);
        stream.read(1000).unwrap();
        assert_eq!(stream.rewind(1000, Some(digest(b"else"))), Ok(Opened::Different));
        assert_eq!(rest(&mut stream).1, source.len() as u64);
        assert!(stream.kept.len() <= KEPT);

        let missing = stream.rewind(1000, Some(digest(&source[..1000]))).unwrap_err();
        assert_eq!(missing.reason, Reason::Missing);
        assert!(stream.rewind(0, None).is_err());
        let late = source.len() - 10;
        assert_eq!(stream.rewind(late as u64, Some(digest(&source[..late]))), Ok(Opened::There));
        assert_eq!(rest(&mut stream).0, [7; 10]);
    }
}
