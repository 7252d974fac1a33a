use std::os::unix::fs::symlink;

use super::*;
use crate::transfer::testing::Scratch;

fn entry(name: &str, size: u64) -> Entry {
    Entry { name: name.to_owned(), size: Some(size), modified: None, folder: false }
}

fn plan(folder: &mut Folder, index: Index, name: &str, size: u64) -> Planned {
    folder.plan(index, &SafeName::new(name).unwrap(), &entry(name, size))
}

fn refused(planned: Planned) -> Reason {
    match planned {
        Planned::Refused(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

fn digest(data: &[u8]) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(data);
    hasher.digest()
}

#[test]
fn a_file_has_its_name_only_when_it_is_complete() {
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    let mut entry = entry("a/b.txt", 5);
    entry.modified = Some(1_700_000_000_000);
    let name = SafeName::new("a/b.txt").unwrap();
    assert_eq!(folder.plan(0, &name, &entry), Planned::Fresh);
    folder.open(0, 0).unwrap();
    assert_eq!(folder.write(0, b"hel"), Ok(3));
    assert!(!scratch.has("a/b.txt"));
    assert_eq!(scratch.read("a/b.txt.peerway-part"), b"hel");
    assert_eq!(folder.write(0, b"lo"), Ok(5));
    assert_eq!(folder.commit(0, Some(digest(b"hello"))), Ok(digest(b"hello")));
    assert_eq!(scratch.read("a/b.txt"), b"hello");
    assert!(!scratch.has("a/b.txt.peerway-part"));
    let modified = fs::metadata(scratch.path().join("a/b.txt")).unwrap().modified().unwrap();
    assert_eq!(Some(modified), time(1_700_000_000_000));
}

#[test]
fn what_an_earlier_process_wrote_is_found() {
    let scratch = Scratch::new();
    scratch.write("a.peerway-part", b"abc");
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    let part = Planned::Partial { length: 3, sha256: digest(b"abc") };
    assert_eq!(plan(&mut folder, 0, "a", 5), part);
    folder.open(0, 3).unwrap();
    folder.write(0, b"de").unwrap();
    assert_eq!(folder.commit(0, None), Ok(digest(b"abcde")));
    assert_eq!(scratch.read("a"), b"abcde");
}

#[test]
fn after_a_loss_it_goes_on_without_reading_again() {
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    plan(&mut folder, 0, "a", 5);
    folder.open(0, 0).unwrap();
    folder.write(0, b"abc").unwrap();
    folder.suspend(0);
    let part = Planned::Partial { length: 3, sha256: digest(b"abc") };
    assert_eq!(plan(&mut folder, 0, "a", 5), part);
    folder.open(0, 0).unwrap();
    assert_eq!(folder.write(0, b"x"), Ok(1), "the sender began anew");
    assert_eq!(scratch.read("a.peerway-part"), b"x");
}

#[test]
fn a_part_that_is_too_long_is_no_beginning() {
    let scratch = Scratch::new();
    scratch.write("a.peerway-part", b"abcdef");
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    assert_eq!(plan(&mut folder, 0, "a", 5), Planned::Fresh);
    folder.open(0, 0).unwrap();
    assert_eq!(folder.write(0, b"12345"), Ok(5));
    folder.commit(0, None).unwrap();
    assert_eq!(scratch.read("a"), b"12345");
}

#[test]
fn nothing_is_left_of_a_file_that_never_began() {
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    plan(&mut folder, 0, "a", 5);
    folder.open(0, 0).unwrap();
    folder.suspend(0);
    assert!(!scratch.has("a.peerway-part"));
}

#[test]
fn what_is_there_is_not_replaced_unless_told() {
    let scratch = Scratch::new();
    scratch.write("a", b"mine");
    fs::create_dir(scratch.path().join("folder")).unwrap();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    assert_eq!(refused(plan(&mut folder, 0, "a", 5)), Reason::Exists);
    assert_eq!(refused(plan(&mut folder, 1, "folder", 5)), Reason::Exists);
    assert_eq!(refused(plan(&mut folder, 2, "a/b", 5)), Reason::Exists);
    let whole = Planned::Whole { length: 4, sha256: digest(b"mine"), overwrite: false };
    assert_eq!(plan(&mut folder, 0, "a", 4), whole);

    let mut folder = Folder::new(scratch.path().to_owned(), true);
    let whole = Planned::Whole { length: 4, sha256: digest(b"mine"), overwrite: true };
    assert_eq!(plan(&mut folder, 0, "a", 4), whole);
    folder.open(0, 0).unwrap();
    folder.write(0, b"your").unwrap();
    folder.commit(0, None).unwrap();
    assert_eq!(scratch.read("a"), b"your");
    assert_eq!(plan(&mut folder, 0, "a", 6), Planned::Fresh);
    folder.open(0, 0).unwrap();
    folder.write(0, b"theirs").unwrap();
    folder.commit(0, None).unwrap();
    assert_eq!(scratch.read("a"), b"theirs");
    assert_eq!(refused(plan(&mut folder, 1, "folder", 5)), Reason::Exists);
}

#[test]
fn a_file_that_came_meanwhile_is_not_replaced() {
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    plan(&mut folder, 0, "a", 3);
    folder.open(0, 0).unwrap();
    folder.write(0, b"abc").unwrap();
    scratch.write("a", b"mine");
    assert_eq!(folder.commit(0, None).unwrap_err().reason, Reason::Exists);
    assert_eq!(scratch.read("a"), b"mine");
}

#[test]
fn two_files_that_would_have_one_name_do_not_mix() {
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), true);
    assert_eq!(plan(&mut folder, 0, "a:b", 3), Planned::Fresh);
    assert_eq!(refused(plan(&mut folder, 1, "a_b", 3)), Reason::Exists);
}

#[test]
fn two_processes_do_not_write_to_one_file() {
    let scratch = Scratch::new();
    let mut first = Folder::new(scratch.path().to_owned(), false);
    let mut second = Folder::new(scratch.path().to_owned(), false);
    plan(&mut first, 0, "a", 3);
    plan(&mut second, 0, "a", 3);
    first.open(0, 0).unwrap();
    assert_eq!(second.open(0, 0).unwrap_err().reason, Reason::Busy);
}

#[test]
fn links_lead_nowhere() {
    let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
    symlink(elsewhere.path(), scratch.path().join("folder")).unwrap();
    symlink(elsewhere.path().join("x"), scratch.path().join("a")).unwrap();
    symlink(elsewhere.path().join("y"), scratch.path().join("b.peerway-part")).unwrap();
    for overwrite in [false, true] {
        let mut folder = Folder::new(scratch.path().to_owned(), overwrite);
        assert_eq!(refused(plan(&mut folder, 0, "folder/a", 3)), Reason::Exists);
        assert_eq!(refused(plan(&mut folder, 1, "b", 3)), Reason::Exists);
    }
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    assert_eq!(refused(plan(&mut folder, 0, "a", 3)), Reason::Exists);
    let mut folder = Folder::new(scratch.path().to_owned(), true);
    plan(&mut folder, 0, "a", 3);
    folder.open(0, 0).unwrap();
    folder.write(0, b"abc").unwrap();
    folder.commit(0, None).unwrap();
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(scratch.read("a"), b"abc", "the link was replaced");
}

#[test]
fn what_is_damaged_is_thrown_away() {
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    plan(&mut folder, 0, "a", 3);
    folder.open(0, 0).unwrap();
    folder.write(0, b"abc").unwrap();
    assert_eq!(folder.commit(0, Some(digest(b"abd"))).unwrap_err().reason, Reason::Corrupt);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_folder_is_made() {
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    let entry = Entry { folder: true, ..entry("a/b", 0) };
    let name = SafeName::new("a/b").unwrap();
    for _time in 0..2 {
        assert_eq!(folder.plan(0, &name, &entry), Planned::Folder);
    }
    assert!(scratch.path().join("a/b").is_dir());
}

#[test]
fn a_forbidden_folder_is_told_without_our_paths() {
    // Nobody may make files there, not even root.
    let mut folder = Folder::new("/sys".into(), false);
    plan(&mut folder, 0, "a", 3);
    let refusal = folder.open(0, 0).unwrap_err();
    assert_eq!(refusal.reason, Reason::Permission);
    let told = refusal.to_string();
    assert!(!told.contains("/sys"), "{told}");
}

#[test]
fn a_full_disk_keeps_what_was_written_before() {
    // The device that is always full stands for the disk.
    let scratch = Scratch::new();
    let mut folder = Folder::new(scratch.path().to_owned(), false);
    plan(&mut folder, 0, "a", 30);
    folder.open(0, 0).unwrap();
    folder.write(0, b"abc").unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    folder.files.get_mut(&0).unwrap().file = Some(full);
    let refusal = folder.write(0, b"def").unwrap_err();
    assert_eq!(refusal.reason, Reason::DiskFull);
    assert_eq!(refusal.to_string(), "cannot write a: the disk is full");
    folder.suspend(0);
    assert_eq!(scratch.read("a.peerway-part"), b"abc");
}
