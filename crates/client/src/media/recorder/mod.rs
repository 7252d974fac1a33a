//! Received frames to a file, without decoding them.

mod target;
mod timeline;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peerway_record::{Frame, Output, WriteError, ivf, ogg, webm};
use thiserror::Error;

use super::EncodedFrame;
use target::Target;
use timeline::Timeline;

/// How often a key frame is asked for while there is none.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Writes the tracks of a call to a file, as they come and without decoding.
///
/// | name of the file | what it holds |
/// |---|---|
/// | `.webm`, `.mkv` | all tracks; `WebM` if they are VP8, VP9, AV1 and Opus, else Matroska |
/// | `.ivf` | the first track of VP8, VP9, AV1 or H.264 that has a key frame |
/// | `.ogg`, `.opus` | the first track of Opus |
///
/// The file plays at any time, also when the program or the disk ends before
/// [`finish`](Self::finish), which adds an index for seeking. A track may begin at any time and
/// change its size; sound and pictures are aligned by when their frames arrive. Writing blocks as
/// long as the disk takes: where that may be long, use a thread that may wait.
///
/// ```no_run
/// use peerway::media::{Recorded, Recorder};
///
/// # async fn example(track: peerway::RemoteTrack) -> Result<(), peerway::media::RecordError> {
/// let mut recorder = Recorder::create("call.webm")?;
/// while let Some(frame) = track.next_frame().await {
///     if recorder.write(0, &frame)? == Recorded::NeedsKeyFrame {
///         track.request_key_frame();
///     }
/// }
/// println!("recorded {:?}", recorder.finish()?.duration);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    target: Box<dyn Target>,
    container: Container,
    tracks: BTreeMap<u32, Track>,
    /// When the first frame came, kept or not.
    origin: Option<Instant>,
    /// Where the file begins, from `origin`.
    start: Option<Duration>,
    end: Duration,
    state: State,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is in the file, or will be within 300 ms.
    Kept,
    /// It was left out because it cannot be decoded. Ask the other side for a key frame.
    NeedsKeyFrame,
    /// It was left out because it cannot be decoded, and a key frame has been asked for less than
    /// a second ago.
    AwaitsKeyFrame,
    /// The file has no place for it.
    Ignored,
}

/// What is in a finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// From the first frame to the last. Zero: nothing came, and there is no file.
    pub duration: Duration,
    /// Length of the file.
    pub bytes: u64,
}

/// Why there is no recording, or why it ends here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The end of the file's name says in which form to write.
    #[error("a recording ends with .webm, .mkv, .ivf, .ogg or .opus, not as {}", .0.display())]
    UnknownExtension(PathBuf),
    /// The file cannot be created.
    #[error("cannot create {}: {source}", .path.display())]
    Create {
        /// Of the file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk is full or gone. What was recorded so far plays.
    #[error("cannot write on to {} after {} s: {source}", .path.display(), .recorded.as_secs())]
    Write {
        /// Of the file.
        path: PathBuf,
        /// How long the recording is.
        recorded: Duration,
        /// What the system says.
        source: io::Error,
    },
    /// The disk was full or gone before.
    #[error("the recording has ended after an error")]
    Ended,
}

#[derive(Debug)]
enum Container {
    WebM(webm::Writer),
    Ivf(ivf::Writer),
    Ogg(ogg::Writer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Recording,
    Failed,
    Finished,
}

#[derive(Debug, Default)]
struct Track {
    timeline: Timeline,
    kept: bool,
    /// A frame is missing, so that pictures cannot be decoded.
    broken: bool,
    asked: Option<Instant>,
}

impl Recorder {
    /// Starts a new file.
    ///
    /// # Errors
    ///
    /// [`UnknownExtension`](RecordError::UnknownExtension), and
    /// [`Create`](RecordError::Create), also when there is a file already.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, RecordError> {
        Self::open(path.into(), target::create)
    }

    /// Starts a file in the place of one that may be there already.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn replace(path: impl Into<PathBuf>) -> Result<Self, RecordError> {
        Self::open(path.into(), target::replace)
    }

    fn open(
        path: PathBuf,
        open: impl FnOnce(&Path) -> io::Result<Box<dyn Target>>,
    ) -> Result<Self, RecordError> {
        let Some(container) = Container::of(&path) else {
            return Err(RecordError::UnknownExtension(path));
        };
        match open(&path) {
            Ok(target) => Ok(Self::new(path, target, container)),
            Err(source) => Err(RecordError::Create { path, source }),
        }
    }

    fn new(path: PathBuf, target: Box<dyn Target>, container: Container) -> Self {
        Self {
            path,
            target,
            container,
            tracks: BTreeMap::new(),
            origin: None,
            start: None,
            end: Duration::ZERO,
            state: State::Recording,
        }
    }

    /// A frame that has just arrived. Which number means which track is the caller's choice.
    ///
    /// # Errors
    ///
    /// [`Write`](RecordError::Write) once, then [`Ended`](RecordError::Ended).
    pub fn write(&mut self, track: u32, frame: &EncodedFrame) -> Result<Recorded, RecordError> {
        self.write_at(track, frame, crate::clock::now())
    }

    /// A frame that arrived at some time, which aligns the tracks. It is the same clock for all.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_at(
        &mut self,
        number: u32,
        frame: &EncodedFrame,
        arrival: Instant,
    ) -> Result<Recorded, RecordError> {
        if self.state != State::Recording {
            return Err(RecordError::Ended);
        }
        if !self.has_place_for(number) {
            return Ok(Recorded::Ignored);
        }
        let origin = *self.origin.get_or_insert(arrival);
        let arrived = arrival.saturating_duration_since(origin);
        let track = self.tracks.entry(number).or_default();
        let place = track.timeline.place(frame.timestamp, arrived, track.kept);
        let picture = !frame.codec.is_audio();
        track.broken = picture && !frame.keyframe && (track.broken || !frame.contiguous);
        if track.broken {
            return Ok(track.ask(arrival));
        }
        let start = self.start.unwrap_or(place);
        let timestamp = place.saturating_sub(start);
        let encoded =
            Frame { codec: frame.codec, data: &frame.data, timestamp, keyframe: frame.keyframe };
        match self.container.write(number, &encoded) {
            Ok(output) => {
                track.kept = true;
                self.start = Some(start);
                self.put(output)?;
                self.end = self.end.max(timestamp);
                Ok(Recorded::Kept)
            }
            Err(WriteError::NotAKeyFrame | WriteError::Malformed(_)) if picture => {
                Ok(track.ask(arrival))
            }
            Err(error) => {
                tracing::debug!(track = number, %error, "a frame is not recorded");
                Ok(Recorded::Ignored)
            }
        }
    }

    /// Completes the file: what waits, the index, the duration.
    ///
    /// # Errors
    ///
    /// [`Write`](RecordError::Write), and [`Ended`](RecordError::Ended) if there was such an error
    /// before. The file plays without what is missing.
    pub fn finish(mut self) -> Result<Recording, RecordError> {
        self.end()?;
        Ok(Recording { duration: self.end, bytes: self.target.length() })
    }

    /// IVF and Ogg have the first track that got in.
    fn has_place_for(&self, number: u32) -> bool {
        let single = !matches!(self.container, Container::WebM(_));
        !single || !self.tracks.iter().any(|(other, track)| track.kept && *other != number)
    }

    fn end(&mut self) -> Result<(), RecordError> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Recording => {}
            State::Failed => return Err(RecordError::Ended),
            State::Finished => return Ok(()),
        }
        if self.start.is_none() {
            self.target.remove(&self.path);
            return Ok(());
        }
        let output = self.container.finish();
        self.put(output)
    }

    fn put(&mut self, output: Output) -> Result<(), RecordError> {
        self.target.put(output).map_err(|source| {
            self.state = State::Failed;
            RecordError::Write { path: self.path.clone(), recorded: self.end, source }
        })
    }
}

/// Completes the file, as [`finish`](Recorder::finish) does.
impl Drop for Recorder {
    fn drop(&mut self) {
        if self.state == State::Recording
            && let Err(error) = self.end()
        {
            tracing::warn!(%error, "a recording is not complete");
        }
    }
}

impl Track {
    fn ask(&mut self, now: Instant) -> Recorded {
        let recent = |asked: Instant| now.saturating_duration_since(asked) < ASK_AGAIN;
        if self.asked.is_some_and(recent) {
            return Recorded::AwaitsKeyFrame;
        }
        self.asked = Some(now);
        Recorded::NeedsKeyFrame
    }
}

impl Container {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "webm" | "mkv" => Self::WebM(webm::Writer::new()),
            "ivf" => Self::Ivf(ivf::Writer::new()),
            "ogg" | "opus" => Self::Ogg(ogg::Writer::new()),
            _ => return None,
        })
    }

    fn write(&mut self, track: u32, frame: &Frame<'_>) -> Result<Output, WriteError> {
        match self {
            Self::WebM(writer) => writer.write(track, frame),
            Self::Ivf(writer) => writer.write(frame),
            Self::Ogg(writer) => writer.write(frame),
        }
    }

    fn finish(&mut self) -> Output {
        match self {
            Self::WebM(writer) => std::mem::take(writer).finish(),
            Self::Ivf(writer) => std::mem::take(writer).finish(),
            Self::Ogg(writer) => std::mem::take(writer).finish(),
        }
    }
}

#[cfg(test)]
mod tests;
