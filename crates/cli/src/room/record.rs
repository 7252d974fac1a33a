//! One recording for each publisher, all written by one thread.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use peerway::RemoteTrack;
use peerway::media::{EncodedFrame, RecordError, Recorded, Recorder, Recording, TrackKind};
use peerway_server::clock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::peering::Worker;

/// More publishers than any room should have; each has an open file.
const MOST: usize = 256;

/// The longest name that a publisher gives a file, in characters.
const LONGEST_NAME: usize = 100;

/// What is to be written.
enum Job {
    Frame { peer: String, track: u32, frame: EncodedFrame, arrival: Instant },
    Finish,
}

enum Answer {
    NeedsKeyFrame { peer: String },
    Told(Told),
    Finished,
}

/// What the user hears.
pub(super) enum Told {
    /// A file is complete.
    Recorded { peer: String, file: PathBuf, seconds: f64, bytes: u64 },
    /// A file cannot be written.
    Failed(String),
}

/// See the module documentation.
pub(super) struct Recordings {
    worker: Worker<Job, Answer>,
    /// The pictures of each publisher, for key frames.
    pictures: BTreeMap<String, RemoteTrack>,
    pulling: JoinSet<()>,
    /// Files are being completed, one after the other.
    finishing: bool,
    finished: bool,
}

impl Recordings {
    pub(super) fn start(folder: PathBuf, replace: bool) -> Self {
        let mut files = Files { folder, replace, recorders: BTreeMap::new() };
        let worker = Worker::start(move |job| files.work(job));
        let (pictures, pulling) = (BTreeMap::new(), JoinSet::new());
        Self { worker, pictures, pulling, finishing: false, finished: false }
    }

    /// Records a track until it ends. A publisher whose track comes again goes on in its file.
    pub(super) fn take(&mut self, peer: &str, track: RemoteTrack) {
        let number = match track.kind() {
            TrackKind::Video => 0,
            TrackKind::Audio => 1,
        };
        if track.kind() == TrackKind::Video {
            self.pictures.insert(peer.to_owned(), track.clone());
        }
        self.pulling.spawn(pull(peer.to_owned(), number, track, self.worker.jobs().clone()));
    }

    /// What the user should hear; `None` when all is told. Cancel-safe.
    pub(super) async fn told(&mut self) -> Option<Told> {
        if self.finished {
            return None;
        }
        loop {
            match self.worker.answer().await? {
                Answer::NeedsKeyFrame { peer } => {
                    if let Some(track) = self.pictures.get(&peer) {
                        track.request_key_frame();
                    }
                }
                Answer::Told(told) => {
                    if self.finishing {
                        self.finish_one();
                    }
                    return Some(told);
                }
                Answer::Finished => {
                    self.finished = true;
                    return None;
                }
            }
        }
    }

    /// Completes the files; [`Recordings::told`] tells of each.
    pub(super) async fn finish(&mut self) {
        self.pulling.shutdown().await;
        self.finishing = true;
        self.finish_one();
    }

    fn finish_one(&self) {
        // The thread may wait for somebody to take its answers.
        let jobs = self.worker.jobs().clone();
        tokio::spawn(async move {
            let _ = jobs.send(Job::Finish).await;
        });
    }
}

async fn pull(peer: String, track: u32, frames: RemoteTrack, jobs: mpsc::Sender<Job>) {
    while let Some(frame) = frames.next_frame().await {
        let arrival = clock::now();
        let job = Job::Frame { peer: peer.clone(), track, frame, arrival };
        if jobs.send(job).await.is_err() {
            break;
        }
    }
}

/// The thread's side.
struct Files {
    folder: PathBuf,
    replace: bool,
    /// `None`: it failed.
    recorders: BTreeMap<String, Option<(PathBuf, Recorder)>>,
}

impl Files {
    fn work(&mut self, job: Job) -> Option<Answer> {
        match job {
            Job::Frame { peer, track, frame, arrival } => self.write(&peer, track, &frame, arrival),
            Job::Finish => Some(self.finish()),
        }
    }

    fn write(
        &mut self,
        peer: &str,
        track: u32,
        frame: &EncodedFrame,
        arrival: Instant,
    ) -> Option<Answer> {
        if !self.recorders.contains_key(peer) {
            if self.recorders.len() == MOST {
                return None;
            }
            let file = self.file(peer);
            let recorder =
                if self.replace { Recorder::replace(&file) } else { Recorder::create(&file) };
            match recorder {
                Ok(recorder) => self.recorders.insert(peer.to_owned(), Some((file, recorder))),
                Err(error) => return Some(self.failed(peer, &error)),
            };
        }
        let (_, recorder) = self.recorders.get_mut(peer)?.as_mut()?;
        match recorder.write_at(track, frame, arrival) {
            Ok(Recorded::NeedsKeyFrame) => Some(Answer::NeedsKeyFrame { peer: peer.to_owned() }),
            Ok(_) => None,
            Err(error) => Some(self.failed(peer, &error)),
        }
    }

    fn failed(&mut self, peer: &str, error: &RecordError) -> Answer {
        self.recorders.insert(peer.to_owned(), None);
        Answer::Told(Told::Failed(error.to_string()))
    }

    /// Where a publisher is recorded; no two in one file.
    fn file(&self, peer: &str) -> PathBuf {
        let name = file_name(peer);
        let is_taken =
            |file: &Path| self.recorders.values().flatten().any(|(taken, _)| taken == file);
        let mut file = self.folder.join(format!("{name}.webm"));
        let mut number = 2;
        while is_taken(&file) {
            file = self.folder.join(format!("{name}-{number}.webm"));
            number += 1;
        }
        file
    }

    /// Completes a file that holds something.
    fn finish(&mut self) -> Answer {
        while let Some((peer, recorder)) = self.recorders.pop_first() {
            let Some((file, recorder)) = recorder else { continue };
            return Answer::Told(match recorder.finish() {
                Ok(Recording { bytes: 0, .. }) => continue,
                Ok(Recording { duration, bytes, .. }) => {
                    Told::Recorded { peer, file, seconds: duration.as_secs_f64(), bytes }
                }
                Err(error) => Told::Failed(error.to_string()),
            });
        }
        Answer::Finished
    }
}

/// The id as the name of a file: letters, digits, dashes and underscores of it.
fn file_name(peer: &str) -> String {
    let safe = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
        _ => '_',
    };
    peer.chars().take(LONGEST_NAME).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_lead_out_of_the_folder() {
        assert_eq!(file_name("ann-2"), "ann-2");
        assert_eq!(file_name("../../etc/passwd"), "______etc_passwd");
        assert_eq!(file_name("жук/\0").len(), 5);
        assert_eq!(file_name(&"x".repeat(1000)).len(), LONGEST_NAME);
    }
}
