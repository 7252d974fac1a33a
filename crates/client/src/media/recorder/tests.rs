//! Calls to files, and what is in them. Needs Debian's ffmpeg.

use std::process::Command;
use std::sync::{Arc, Mutex};

use super::*;
use crate::media::{Codec, MediaTimestamp, TestTone, TestVideo};

const SOUND: u32 = 0;
const VIDEO: u32 = 1;

#[test]
fn a_call_is_recorded_with_both_tracks() {
    let path = scratch("call.webm");
    let mut recorder = Recorder::replace(&path).unwrap();
    let mut call = Call::new(start());
    for n in 0..150 {
        assert_eq!(call.sound(&mut recorder), Recorded::Kept);
        if n % 2 == 0 {
            assert_eq!(call.video(&mut recorder, n == 0), Recorded::Kept);
        }
    }
    let recording = recorder.finish().unwrap();
    assert_eq!(recording.duration.as_millis(), 2_980);
    assert_eq!(recording.bytes, std::fs::metadata(&path).unwrap().len());
    assert_eq!(ffprobe(&path, "stream=codec_name,nb_read_frames"), "opus,150\nvp8,75\n");
    assert_eq!(ffprobe(&path, "format=duration"), "2.981000\n");
}

#[test]
fn one_track_is_enough() {
    for (name, codec) in [("sound.webm", "opus"), ("sound.ogg", "opus"), ("sound.opus", "opus")] {
        let path = scratch(name);
        let mut recorder = Recorder::replace(&path).unwrap();
        let mut call = Call::new(start());
        (0..50).for_each(|_| assert_eq!(call.sound(&mut recorder), Recorded::Kept));
        drop(recorder);
        assert_eq!(ffprobe(&path, "stream=codec_name,nb_read_frames"), format!("{codec},50\n"));
    }
    for name in ["video.webm", "video.ivf", "video.mkv"] {
        let path = scratch(name);
        let mut recorder = Recorder::replace(&path).unwrap();
        let mut call = Call::new(start());
        (0..50).for_each(|n| assert_eq!(call.video(&mut recorder, n == 0), Recorded::Kept));
        drop(recorder);
        assert_eq!(ffprobe(&path, "stream=codec_name,nb_read_frames"), "vp8,50\n");
    }
}

#[test]
fn files_of_one_track_ignore_the_others() {
    let path = scratch("single.ivf");
    let mut recorder = Recorder::replace(&path).unwrap();
    let mut call = Call::new(start());
    assert_eq!(call.sound(&mut recorder), Recorded::Ignored);
    assert_eq!(call.video(&mut recorder, true), Recorded::Kept);
    let mut other = TestVideo::new(160, 120, 25).unwrap();
    let frame = other.next_frame(true);
    assert_eq!(recorder.write_at(7, &frame, call.start).unwrap(), Recorded::Ignored);
}

#[test]
fn a_picture_that_cannot_be_decoded_asks_for_a_key_frame() {
    let (mut recorder, _) = in_memory(usize::MAX);
    let mut call = Call::new(start());
    call.video.next_frame(true);
    assert_eq!(call.video(&mut recorder, false), Recorded::NeedsKeyFrame);
    assert_eq!(call.video(&mut recorder, false), Recorded::AwaitsKeyFrame);
    for _ in 0..25 {
        call.video.skip_frame();
    }
    assert_eq!(call.video(&mut recorder, false), Recorded::NeedsKeyFrame);
    assert_eq!(call.video(&mut recorder, true), Recorded::Kept);
    assert_eq!(call.video(&mut recorder, false), Recorded::Kept);
}

#[test]
fn a_picture_behind_a_gap_is_left_out() {
    let (mut recorder, _) = in_memory(usize::MAX);
    let mut call = Call::new(start());
    assert_eq!(call.video(&mut recorder, true), Recorded::Kept);
    call.contiguous = false;
    assert_eq!(call.video(&mut recorder, false), Recorded::NeedsKeyFrame);
    call.contiguous = true;
    assert_eq!(call.video(&mut recorder, false), Recorded::AwaitsKeyFrame);
    assert_eq!(call.video(&mut recorder, true), Recorded::Kept);
    assert_eq!(call.video(&mut recorder, false), Recorded::Kept);
}

#[test]
fn a_full_disk_leaves_what_plays() {
    let (mut recorder, disk) = in_memory(20_000);
    let mut call = Call::new(start());
    let error = loop {
        let (time, frame) = call.next_video(false);
        if let Err(error) = recorder.write_at(VIDEO, &frame, time) {
            break error;
        }
    };
    let said = error.to_string();
    assert!(said.starts_with("cannot write on to memory.webm after "), "{said}");
    assert!(said.ends_with("no storage space"), "{said}");
    let (time, frame) = call.next_video(true);
    assert!(matches!(recorder.write_at(VIDEO, &frame, time), Err(RecordError::Ended)));
    assert!(matches!(recorder.finish(), Err(RecordError::Ended)));

    let path = scratch("full.webm");
    std::fs::write(&path, &*disk.lock().unwrap()).unwrap();
    let number = call.video.number();
    assert_eq!(ffprobe(&path, "stream=codec_name,nb_read_frames"), format!("vp8,{}\n", number - 2));
}

#[test]
fn a_device_without_space_is_told_as_the_system_tells_it() {
    // Linux has one for tests.
    if !Path::new("/dev/full").exists() {
        return;
    }
    let target = target::replace(Path::new("/dev/full")).unwrap();
    let mut recorder = Recorder::new("full.webm".into(), target, webm_container());
    let (time, frame) = Call::new(start()).next_video(true);
    let error = recorder.write_at(VIDEO, &frame, time).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write on to full.webm after 0 s: No space left on device (os error 28)"
    );
}

#[test]
fn files_are_not_overwritten_unless_asked() {
    let path = scratch("there.webm");
    std::fs::write(&path, "something").unwrap();
    let error = Recorder::create(&path).unwrap_err();
    assert!(error.to_string().ends_with("File exists (os error 17)"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"something");
    let error = Recorder::create("call.mp4").unwrap_err();
    assert!(matches!(error, RecordError::UnknownExtension(_)), "{error}");
}

#[test]
fn a_recording_of_nothing_leaves_no_file() {
    let path = scratch("nothing.webm");
    let recording = Recorder::replace(&path).unwrap().finish().unwrap();
    assert_eq!(recording, Recording { duration: Duration::ZERO, bytes: 0 });
    assert!(!path.exists());
}

#[test]
fn tracks_that_start_apart_are_aligned_by_arrival() {
    let path = scratch("apart.webm");
    let mut recorder = Recorder::replace(&path).unwrap();
    let mut call = Call::new(start());
    (0..100).for_each(|_| assert_eq!(call.sound(&mut recorder), Recorded::Kept));
    // Its timestamps begin at 0, two seconds after the sound.
    call.start += Duration::from_secs(2);
    call.video(&mut recorder, true);
    recorder.finish().unwrap();
    assert_eq!(ffprobe(&path, "packet=pts_time -select_streams v"), "2.000000\n");
}

#[test]
fn pictures_may_change_their_size() {
    let path = scratch("sizes.webm");
    let mut recorder = Recorder::replace(&path).unwrap();
    let mut call = Call::new(start());
    (0..25).for_each(|n| assert_eq!(call.video(&mut recorder, n == 0), Recorded::Kept));
    call.start += Duration::from_secs(1);
    call.video = TestVideo::new(640, 360, 25).unwrap();
    (0..25).for_each(|n| assert_eq!(call.video(&mut recorder, n == 0), Recorded::Kept));
    recorder.finish().unwrap();
    let expected = "160,120\n".repeat(25) + &"640,360\n".repeat(25);
    assert_eq!(ffprobe(&path, "frame=width,height -select_streams v"), expected);
}

#[test]
fn a_week_is_recorded_with_timestamps_that_wrap() {
    let (mut recorder, disk) = in_memory(usize::MAX);
    let start = start();
    let frame = |seconds: u64| {
        let timestamp = MediaTimestamp { ticks: seconds * 8_000 % (1 << 32), clock_rate: 8_000 };
        EncodedFrame::new(Codec::Pcmu, vec![0xFF], timestamp, true)
    };
    // They wrap in the seventh day.
    for second in (0..8 * 86_400).step_by(60) {
        let arrival = start + Duration::from_secs(second);
        assert_eq!(recorder.write_at(0, &frame(second), arrival).unwrap(), Recorded::Kept);
    }
    let recording = recorder.finish().unwrap();
    assert_eq!(recording.duration.as_secs(), 8 * 86_400 - 60);
    assert!(disk.lock().unwrap().len() < 1_000_000);
}

/// A test source whose frames arrive when they are due.
struct Call {
    start: Instant,
    tone: TestTone,
    video: TestVideo,
    contiguous: bool,
}

impl Call {
    fn new(start: Instant) -> Self {
        let tone = TestTone::new(Codec::Opus).unwrap();
        let video = TestVideo::new(160, 120, 25).unwrap();
        Self { start, tone, video, contiguous: true }
    }

    fn sound(&mut self, recorder: &mut Recorder) -> Recorded {
        let due = self.start + self.tone.due();
        recorder.write_at(SOUND, &self.tone.next_frame(), due).unwrap()
    }

    fn video(&mut self, recorder: &mut Recorder, keyframe: bool) -> Recorded {
        let (due, frame) = self.next_video(keyframe);
        recorder.write_at(VIDEO, &frame, due).unwrap()
    }

    fn next_video(&mut self, keyframe: bool) -> (Instant, EncodedFrame) {
        let due = self.start + self.video.due();
        let contiguous = self.contiguous;
        (due, EncodedFrame { contiguous, ..self.video.next_frame(keyframe) })
    }
}

fn start() -> Instant {
    crate::clock::now()
}

fn webm_container() -> Container {
    Container::WebM(webm::Writer::new())
}

/// A disk of so many bytes, and what is on it.
fn in_memory(capacity: usize) -> (Recorder, Arc<Mutex<Vec<u8>>>) {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let disk = InMemory { bytes: bytes.clone(), capacity };
    (Recorder::new("memory.webm".into(), Box::new(disk), webm_container()), bytes)
}

#[derive(Debug)]
struct InMemory {
    bytes: Arc<Mutex<Vec<u8>>>,
    capacity: usize,
}

impl Target for InMemory {
    fn put(&mut self, output: Output) -> io::Result<()> {
        let mut bytes = self.bytes.lock().unwrap();
        if bytes.len() + output.append.len() > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        output.apply(&mut bytes);
        Ok(())
    }

    fn length(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }

    fn remove(&mut self, _path: &Path) {}
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("peerway-recorder-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn ffprobe(path: &Path, entries: &str) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_frames", "-of", "csv=p=0", "-show_entries"]);
    command.args(entries.split_whitespace()).arg(path);
    let output = command.output().expect("ffprobe: install the Debian package ffmpeg");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap()
}
