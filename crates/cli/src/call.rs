//! `peerway call`: a call without camera, microphone and screen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Args;
use peerway::media::{
    EncodedFrame, Recorded, Recorder, Recording, TestVideoSize, feed_test_source,
};
use peerway::{CallOptions, MediaConnection, MediaEvent, MediaSelection, Peer, RemoteTrack};
use peerway_server::clock;
use peerway_server::config::Millis;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::peering::{
    self, Console, Exit, Failure, Interrupt, PeerArgs, Target, Worker, printable, told_stats,
};

/// The other side may take so long to notice our end.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Whom to call: an id, or a link
    #[arg(value_name = "ID")]
    to: Target,
    /// Send a moving picture with a frame number, and a tone
    #[arg(long)]
    test_source: bool,
    /// Size and pace of the test picture
    #[arg(
        long,
        default_value = "640x360@30",
        value_name = "WIDTHxHEIGHT@FPS",
        requires = "test_source"
    )]
    size: Size,
    /// Record what comes: a file .webm, .mkv, .ivf, .ogg or .opus
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Replace the recording that is there
    #[arg(long, visible_alias = "overwrite", requires = "record")]
    force: bool,
    /// Hang up after this time; without it when the other side does, or at Ctrl-C
    #[arg(long, value_name = "DURATION")]
    duration: Option<Millis>,
    #[command(flatten)]
    peer: PeerArgs,
}

/// "640x360@30".
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) TestVideoSize);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let parse = || {
            let (size, fps) = text.split_once('@').unwrap_or((text, "30"));
            let (width, height) = size.split_once('x')?;
            let (width, height) = (width.parse().ok()?, height.parse().ok()?);
            Some(TestVideoSize { width, height, fps: fps.parse().ok()? })
        };
        parse().map(Self).ok_or("a size is given like 640x360@30")
    }
}

pub(crate) fn run(args: CallArgs) -> ExitCode {
    let log = args.peer.log().map(str::to_owned);
    peering::run(log.as_deref(), run_call(args))
}

async fn run_call(args: CallArgs) -> Result<Exit, Failure> {
    let console = args.peer.console(false);
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error.to_string());
    // Before anybody's telephone rings.
    let recorder = match &args.record {
        Some(path) if args.force => Some(Recorder::replace(path).map_err(|it| failed(&it))?),
        Some(path) => Some(Recorder::create(path).map_err(|it| failed(&it))?),
        None => None,
    };
    let mut interrupt = Interrupt::listen()?;
    let peer = tokio::select! {
        peer = args.peer.open(Some(&args.to)) => peer?,
        () = interrupt.wanted() => return Err(Failure::new(Exit::Interrupted, "stopped")),
    };
    let send = if args.test_source { MediaSelection::BOTH } else { MediaSelection::NONE };
    let call = peer.call(args.to.id(), CallOptions::new().send(send))?;
    let mut speaking = Speaking {
        console,
        call: call.clone(),
        size: args.size.0,
        recording: recorder.map(record),
        tracks: 0,
        tasks: JoinSet::new(),
        answered: None,
        why: None,
    };
    let patience = args.peer.patience(Duration::from_mins(1));
    let ended = speaking.run(&peer, patience, args.duration, &mut interrupt).await;
    call.close();
    let told = speaking.end(ended).await;
    peer.destroy();
    peer.destroyed().await;
    told
}

/// Frames to the thread, and what it wants of the other side.
type Tape = Worker<Job, Answer>;

enum Job {
    Frame(u32, EncodedFrame, Instant),
    Finish,
}

enum Answer {
    NeedsKeyFrame(u32),
    Failed(String),
    Finished(Recording),
}

fn record(recorder: Recorder) -> Recordings {
    let mut recorder = Some(recorder);
    let tape = Tape::start(move |job| match job {
        Job::Frame(track, frame, arrival) => {
            match recorder.as_mut()?.write_at(track, &frame, arrival) {
                Ok(Recorded::NeedsKeyFrame) => Some(Answer::NeedsKeyFrame(track)),
                Ok(_) => None,
                Err(error) => {
                    recorder = None;
                    Some(Answer::Failed(error.to_string()))
                }
            }
        }
        Job::Finish => Some(match recorder.take()?.finish() {
            Ok(recording) => Answer::Finished(recording),
            Err(error) => Answer::Failed(error.to_string()),
        }),
    });
    Recordings { tape, tracks: BTreeMap::new(), failed: None }
}

struct Recordings {
    tape: Tape,
    tracks: BTreeMap<u32, RemoteTrack>,
    failed: Option<String>,
}

struct Speaking {
    console: Console,
    call: MediaConnection,
    size: TestVideoSize,
    recording: Option<Recordings>,
    tracks: u32,
    tasks: JoinSet<()>,
    answered: Option<Instant>,
    why: Option<Failure>,
}

impl Speaking {
    async fn run(
        &mut self,
        peer: &Peer,
        patience: Duration,
        duration: Option<Millis>,
        interrupt: &mut Interrupt,
    ) -> Result<Exit, Failure> {
        let mut deadline = clock::now() + patience;
        let mut limited = true;
        loop {
            let answer = async {
                match &mut self.recording {
                    Some(recording) => recording.tape.answer().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.call.next_event() => match event {
                    Some(MediaEvent::Open) => {
                        let now = clock::now();
                        self.answered = Some(now);
                        limited = duration.is_some();
                        deadline = now + duration.map_or(Duration::ZERO, |it| it.0.min(DAY));
                        let peer = printable(self.call.peer(), 100);
                        let line = format!("{peer} is in the call");
                        self.console.tell("answered", json!({ "peer": peer }), line);
                    }
                    Some(MediaEvent::Close) | None => {
                        return match self.why.take() {
                            Some(why) => Err(why),
                            None if self.answered.is_some() => Ok(Exit::Success),
                            None => Err(Failure::new(Exit::Refused, "the call was not taken")),
                        };
                    }
                    Some(event) => self.handle(event),
                },
                Some(answer) = answer => self.handle_tape(answer)?,
                // Errors of the server do not touch the call.
                Some(_) = peer.next_event() => {}
                () = tokio::time::sleep_until(deadline.into()), if limited => {
                    if self.answered.is_some() {
                        return Ok(Exit::Success);
                    }
                    let text = format!("nobody answered within {patience:?}");
                    return Err(Failure::new(Exit::Unreachable, text));
                }
                () = interrupt.wanted() => {
                    // The usual way to hang up, but not to give up.
                    let exit = if self.answered.is_some() { Exit::Success } else { Exit::Interrupted };
                    return Ok(exit);
                }
            }
        }
    }

    fn handle(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::LocalTrack(track) => {
                let (size, console) = (self.size, self.console.clone());
                self.tasks.spawn(async move {
                    if let Err(error) = feed_test_source(&track, size).await {
                        console.line(format!("{}: {}", track.kind().name(), error.message));
                    }
                });
            }
            MediaEvent::RemoteTrack(track) => self.take(track),
            MediaEvent::Error(error) => self.why = Some(error.into()),
            _ => {}
        }
    }

    /// Pulls frames, to the recorder if there is one.
    fn take(&mut self, track: RemoteTrack) {
        let number = self.tracks;
        self.tracks += 1;
        let tape = self.recording.as_mut().map(|recording| {
            recording.tracks.insert(number, track.clone());
            recording.tape.jobs().clone()
        });
        self.tasks.spawn(pull(track, number, tape));
    }

    fn handle_tape(&mut self, answer: Answer) -> Result<(), Failure> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        match answer {
            Answer::NeedsKeyFrame(number) => {
                if let Some(track) = recording.tracks.get(&number) {
                    track.request_key_frame();
                }
                Ok(())
            }
            Answer::Failed(why) => {
                recording.failed = Some(why.clone());
                Err(Failure::new(Exit::Failed, why))
            }
            Answer::Finished(_) => Ok(()),
        }
    }

    /// Hangs up, completes the recording and tells the numbers.
    async fn end(mut self, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
        let farewell = async {
            while !matches!(self.call.next_event().await, Some(MediaEvent::Close) | None) {}
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        self.tasks.shutdown().await;
        if let Some(answered) = self.answered {
            let seconds = clock::now().duration_since(answered).as_secs_f64();
            let (members, lines) = told_stats(&self.call.stats(), seconds);
            self.console.tell("hangup", members, format!("The call is over.\n{lines}"));
        }
        let Some(mut recording) = self.recording else { return ended };
        if recording.failed.is_some() {
            return ended;
        }
        let _ = recording.tape.jobs().send(Job::Finish).await;
        while let Some(answer) = recording.tape.answer().await {
            match answer {
                Answer::NeedsKeyFrame(_) => {}
                Answer::Failed(why) => return Err(Failure::new(Exit::Failed, why)),
                Answer::Finished(finished) => {
                    let Recording { duration, bytes, .. } = finished;
                    let seconds = duration.as_secs_f64();
                    let line = match bytes {
                        0 => "Nothing was recorded.".to_owned(),
                        _ => format!("Recorded {seconds:.1} s, {bytes} bytes."),
                    };
                    let members = json!({ "seconds": seconds, "bytes": bytes });
                    self.console.tell("recorded", members, line);
                    break;
                }
            }
        }
        ended
    }
}

/// Nobody calls longer, and clocks can count so far.
const DAY: Duration = Duration::from_hours(24);

async fn pull(track: RemoteTrack, number: u32, tape: Option<mpsc::Sender<Job>>) {
    while let Some(frame) = track.next_frame().await {
        let arrival = clock::now();
        if let Some(tape) = &tape
            && tape.send(Job::Frame(number, frame, arrival)).await.is_err()
        {
            break;
        }
    }
}
