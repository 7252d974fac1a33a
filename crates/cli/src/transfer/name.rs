//! Names of files as another peer gives them, made safe to be names of ours.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Longest name of one file or folder, in bytes: what common file systems take, less the ending
/// of a partial file.
const LONGEST_PART: usize = 255 - super::store::PARTIAL.len();
/// Longest name with its folders, in bytes.
pub(crate) const LONGEST_NAME: usize = 4096;
/// Deepest file: so many folders and the file itself.
const DEEPEST: usize = 64;

/// Words that name devices on Windows, with any ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// The same with a digit behind.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// Why a name is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum InvalidName {
    /// Nothing, or nothing between two slashes.
    #[error("the name or a part of it is empty")]
    Empty,
    /// More than [`LONGEST_NAME`], or a part of more than 255 bytes.
    #[error("the name is too long")]
    TooLong,
    /// More than 64 folders.
    #[error("the name has too many folders")]
    TooDeep,
    /// A leading `/`, `\` or a drive.
    #[error("the name is absolute")]
    Absolute,
    /// A part `.` or `..`.
    #[error("the name leads out of its folder")]
    Outside,
}

/// A relative name that stays inside the folder it is put into: no `..`, no root, no drive, no
/// device, no control characters. Unusual characters have become `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SafeName(Vec<String>);

impl SafeName {
    /// Reads a name whose folders are separated by `/`.
    pub(crate) fn new(remote: &str) -> Result<Self, InvalidName> {
        if remote.len() > LONGEST_NAME {
            return Err(InvalidName::TooLong);
        }
        if is_absolute(remote) {
            return Err(InvalidName::Absolute);
        }
        let mut parts = Vec::new();
        // Backslashes separate too: on Windows they would, whatever the sender meant.
        for part in remote.split(['/', '\\']) {
            if parts.len() == DEEPEST {
                return Err(InvalidName::TooDeep);
            }
            parts.push(safe_part(part, parts.is_empty())?);
        }
        Ok(Self(parts))
    }

    /// Where it is below `folder`.
    pub(crate) fn below(&self, folder: &Path) -> PathBuf {
        let mut path = folder.to_owned();
        path.extend(&self.0);
        path
    }

    /// The folders it is in, outermost first, below `folder`.
    pub(crate) fn folders(&self, folder: &Path) -> Vec<PathBuf> {
        let count = self.0.len() - 1;
        (1..=count).map(|count| folder.join(self.0[..count].iter().collect::<PathBuf>())).collect()
    }
}

impl fmt::Display for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

fn is_absolute(name: &str) -> bool {
    let drive = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && name.as_bytes().get(1) == Some(&b':');
    let behind = name.as_bytes().get(2);
    name.starts_with(['/', '\\']) || drive && matches!(behind, None | Some(b'/' | b'\\'))
}

fn safe_part(part: &str, first: bool) -> Result<String, InvalidName> {
    match part {
        "" => return Err(InvalidName::Empty),
        "." | ".." => return Err(InvalidName::Outside),
        _ => {}
    }
    let mut safe: String = part.chars().map(|it| if is_usual(it) { it } else { '_' }).collect();
    // Windows drops spaces and dots at the end: "..  " must not become "..".
    if let Some(last) = safe.pop() {
        safe.push(if matches!(last, '.' | ' ') { '_' } else { last });
    }
    if is_device(&safe) {
        safe.insert(0, '_');
    }
    // A stranger's `.bashrc` is not to be the user's, who may receive into the home folder.
    if first && safe.starts_with('.') {
        safe.replace_range(..1, "_");
    }
    // Ours, and not to be taken for a part of another file.
    if safe.ends_with(super::store::PARTIAL) {
        safe.push('_');
    }
    if safe.len() > LONGEST_PART {
        return Err(InvalidName::TooLong);
    }
    Ok(safe)
}

/// What may stand in a name on every system and does not play with the terminal.
fn is_usual(letter: char) -> bool {
    !letter.is_control()
        && !r#"<>:"|?*"#.contains(letter)
        // Invisible, or turning the direction of what follows.
        && !matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end().to_lowercase();
    let numbered = NUMBERED_DEVICES.iter().any(|device| {
        stem.strip_prefix(device).is_some_and(|number| {
            let mut letters = number.chars();
            // Windows counts superscripts as digits here.
            letters.next().is_some_and(|it| it.is_ascii_digit() || "¹²³".contains(it))
                && letters.next().is_none()
        })
    });
    numbered || DEVICES.contains(&stem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(remote: &str) -> String {
        SafeName::new(remote).unwrap().to_string()
    }

    #[test]
    fn usual_names_stay_as_they_are() {
        for name in
            ["a", "a.txt", "photos/2024/a b.jpg", "日本/ファイル.txt", "👍.md", "a/.git/x", "a..b"]
        {
            assert_eq!(safe(name), name);
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for (name, why) in [
            ("", InvalidName::Empty),
            ("a//b", InvalidName::Empty),
            ("a/", InvalidName::Empty),
            ("/etc/passwd", InvalidName::Absolute),
            ("\\\\server\\share", InvalidName::Absolute),
            ("C:\\windows", InvalidName::Absolute),
            ("c:/windows", InvalidName::Absolute),
            ("c:", InvalidName::Absolute),
            ("..", InvalidName::Outside),
            ("../a", InvalidName::Outside),
            ("a/../../b", InvalidName::Outside),
            ("a\\..\\b", InvalidName::Outside),
            (".", InvalidName::Outside),
            ("a/./b", InvalidName::Outside),
        ] {
            assert_eq!(SafeName::new(name), Err(why), "{name}");
        }
        assert_eq!(SafeName::new(&"a".repeat(256)), Err(InvalidName::TooLong));
        assert_eq!(SafeName::new(&"a/".repeat(3000)), Err(InvalidName::TooLong));
        assert_eq!(SafeName::new(&format!("{}a", "a/".repeat(64))), Err(InvalidName::TooDeep));
    }

    #[test]
    fn what_some_system_gives_a_meaning_is_replaced() {
        for (name, becomes) in [
            ("a:b", "a_b"),
            ("c:x", "c_x"),
            ("what?*.txt", "what__.txt"),
            ("a\u{1b}[31mb", "a_[31mb"),
            ("a\nb\0c", "a_b_c"),
            ("exe\u{202e}txt.pdf", "exe_txt.pdf"),
            ("a.", "a_"),
            ("a/... ", "a/..._"),
            (".. ", "_._"),
            ("CON", "_CON"),
            ("con.txt", "_con.txt"),
            ("nul .tar.gz", "_nul .tar.gz"),
            ("a/LPT1", "a/_LPT1"),
            ("com².log", "_com².log"),
            ("com10", "com10"),
            ("console", "console"),
            (".bashrc", "_bashrc"),
            (".ssh/authorized_keys", "_ssh/authorized_keys"),
            ("a.peerway-part", "a.peerway-part_"),
        ] {
            assert_eq!(safe(name), becomes, "{name:?}");
        }
    }

    #[test]
    fn the_folders_of_a_name_are_told_outermost_first() {
        let name = SafeName::new("a/b/c").unwrap();
        let root = Path::new("/root");
        assert_eq!(name.below(root), Path::new("/root/a/b/c"));
        assert_eq!(name.folders(root), [Path::new("/root/a"), Path::new("/root/a/b")]);
        assert!(SafeName::new("a").unwrap().folders(root).is_empty());
    }
}
