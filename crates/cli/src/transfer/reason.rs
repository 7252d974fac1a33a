//! Why a file, or a whole transfer, did not go through: a word for programs, a text for people.

use std::fmt;
use std::io;

/// The word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A person said no.
    Declined,
    /// Another transfer is on.
    Busy,
    /// More bytes or files than the receiver takes.
    TooBig,
    /// There is a file with this name already.
    Exists,
    /// The name is not one that may be written.
    Name,
    /// The operating system does not let us.
    Permission,
    /// The disk, or the user's part of it, is full.
    DiskFull,
    /// The file is not there, or is not a file.
    Missing,
    /// The file changed while it was sent.
    Changed,
    /// What arrived is not what was sent.
    Corrupt,
    /// Any other failure to read or write.
    Io,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// Nothing came for too long.
    Timeout,
    /// A message that makes no sense here.
    Protocol,
    /// A word that we do not know.
    Other,
}

/// Every word that is written.
const WORDS: [(Reason, &str); 15] = [
    (Reason::Declined, "declined"),
    (Reason::Busy, "busy"),
    (Reason::TooBig, "too-big"),
    (Reason::Exists, "exists"),
    (Reason::Name, "name"),
    (Reason::Permission, "permission"),
    (Reason::DiskFull, "disk-full"),
    (Reason::Missing, "missing"),
    (Reason::Changed, "changed"),
    (Reason::Corrupt, "corrupt"),
    (Reason::Io, "io"),
    (Reason::Interrupted, "interrupted"),
    (Reason::Timeout, "timeout"),
    (Reason::Protocol, "protocol"),
    (Reason::Other, "other"),
];

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        WORDS.iter().find(|(reason, _)| *reason == self).map_or("other", |(_, word)| word)
    }

    /// A word that we do not know is a reason too.
    pub(crate) fn parse(word: &str) -> Self {
        WORDS.iter().find(|(_, it)| *it == word).map_or(Self::Other, |(reason, _)| *reason)
    }
}

/// The word and the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// Lower case, no full stop; from the other side it has been made safe to print.
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(Reason::Protocol, message)
    }

    /// What the operating system said while we tried `what`: "write a.txt".
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        let (reason, why) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (Reason::DiskFull, "the disk is full".to_owned())
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (Reason::Permission, error.to_string())
            }
            io::ErrorKind::AlreadyExists => (Reason::Exists, error.to_string()),
            io::ErrorKind::NotFound => (Reason::Missing, error.to_string()),
            io::ErrorKind::InvalidFilename => (Reason::Name, error.to_string()),
            io::ErrorKind::FileTooLarge => (Reason::TooBig, error.to_string()),
            _ => (Reason::Io, error.to_string()),
        };
        Self::new(reason, format!("cannot {what}: {why}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.message.is_empty() { self.reason.as_str() } else { &self.message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for (reason, word) in WORDS {
            assert_eq!(reason.as_str(), word);
            assert_eq!(Reason::parse(word), reason);
        }
        assert_eq!(Reason::parse("rain"), Reason::Other);
    }

    #[test]
    fn a_full_disk_and_a_forbidden_folder_are_told_apart() {
        let told = |code| Refusal::io("write a", &io::Error::from_raw_os_error(code));
        let (no_space, quota, access, read_only) = (28, 122, 13, 30);
        assert_eq!(told(no_space).reason, Reason::DiskFull);
        assert_eq!(told(no_space).to_string(), "cannot write a: the disk is full");
        assert_eq!(told(quota).reason, Reason::DiskFull);
        assert_eq!(told(access).reason, Reason::Permission);
        assert_eq!(told(read_only).reason, Reason::Permission);
    }
}
