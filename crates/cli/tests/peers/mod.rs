//! A server and peers as processes, for tests of the commands that are peers.
#![allow(dead_code, reason = "each test program takes what it needs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::Value as Json;

/// Nothing takes so long, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A process that ends with the test.
pub struct Process {
    child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

#[derive(Default)]
struct Output {
    state: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

impl Output {
    fn follow(mut pipe: impl Read + Send + 'static) -> Arc<Self> {
        let output = Arc::new(Self::default());
        let own = output.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            loop {
                let count = pipe.read(&mut buffer).unwrap_or(0);
                let mut state = own.state.lock().unwrap();
                state.0.extend_from_slice(&buffer[..count]);
                state.1 = count == 0;
                own.more.notify_all();
                if count == 0 {
                    break;
                }
            }
        });
        output
    }

    fn wait_for(&self, enough: impl Fn(&[u8], bool) -> bool) -> (bool, Vec<u8>) {
        let state = self.state.lock().unwrap();
        let wait = |state: &mut (Vec<u8>, bool)| !enough(&state.0, state.1) && !state.1;
        let (state, _) = self.more.wait_timeout_while(state, PATIENCE, wait).unwrap();
        (enough(&state.0, state.1), state.0.clone())
    }
}

impl Process {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, Stdio::null(), None)
    }

    /// `folder`: where it runs.
    pub fn start_with(arguments: &[&str], stdin: Stdio, folder: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerway"));
        command.args(arguments).env_clear().stdin(stdin);
        command.env("PEERWAY_TURN__ENABLED", "false");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        Self::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map_or_else(Default::default, Output::follow);
        let stderr = child.stderr.take().map_or_else(Default::default, Output::follow);
        Self { stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// Waits until stderr has this text.
    pub fn wait_for(&self, text: &str) -> String {
        let has = |output: &[u8], _| String::from_utf8_lossy(output).contains(text);
        let (found, output) = self.stderr.wait_for(has);
        let output = String::from_utf8_lossy(&output).into_owned();
        assert!(found, "no '{text}' in:\n{output}");
        output
    }

    /// Waits until stdout has this text.
    pub fn wait_for_output(&self, text: &str) -> String {
        let has = |output: &[u8], _| String::from_utf8_lossy(output).contains(text);
        let (found, output) = self.stdout.wait_for(has);
        let output = String::from_utf8_lossy(&output).into_owned();
        let (_, errors) = self.stderr.wait_for(|_, _| true);
        let errors = String::from_utf8_lossy(&errors).into_owned();
        assert!(found, "no '{text}' in:\n{output}\n{errors}");
        output
    }

    pub fn say(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let (ended, stdout) = self.stdout.wait_for(|_, ended| ended);
        let (_, stderr) = self.stderr.wait_for(|_, done| done || !ended);
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        if !ended {
            self.kill();
            panic!("it does not end:\n{stderr}");
        }
        Ended { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The last event of this name, of those that `--json` prints.
    pub fn event(&self, name: &str) -> Json {
        let text = String::from_utf8_lossy(&self.stdout);
        let mut lines = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let event = lines.rfind(|event| event["event"] == name);
        event.unwrap_or_else(|| panic!("no event '{name}' in:\n{text}\n{}", self.stderr))
    }

    pub fn success(self) -> Self {
        self.exit(0)
    }

    pub fn exit(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self
    }
}

/// A server in its own process.
pub struct Server {
    process: Process,
    pub url: String,
}

impl Server {
    pub fn start() -> Self {
        let process = Process::start(&["serve", "--port", "0", "--host", "127.0.0.1"]);
        Self::of(process)
    }

    /// As its configuration says, with TURN.
    pub fn with_turn(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerway"));
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::of(Process::spawn(command))
    }

    pub fn of(process: Process) -> Self {
        let listening = "peerway is listening";
        let line = |text: &str| Some(text.split_once(listening)?.1.split_once('\n')?.0.to_owned());
        let told = |output: &[u8], _| line(&String::from_utf8_lossy(output)).is_some();
        let (_, output) = process.stderr.wait_for(told);
        let output = String::from_utf8_lossy(&output).into_owned();
        let line = line(&output).unwrap_or_else(|| panic!("it does not listen:\n{output}"));
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        let url = format!("http://{address}/");
        Self { process, url }
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// A folder of one test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("peerway-peers-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, data: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, data).unwrap();
        self.at(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn length(&self, name: &str) -> u64 {
        std::fs::metadata(self.0.join(name)).map_or(0, |there| there.len())
    }

    /// Waits until a file has grown so long.
    pub fn wait_for_length(&self, name: &str, length: u64) {
        for _turn in 0..PATIENCE.as_millis() / 10 {
            if self.length(name) >= length {
                return;
            }
            // Files tell nobody that they grow.
            pause();
        }
        panic!("{name} has only {} bytes", self.length(name));
    }

    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let name = |it: std::io::Result<std::fs::DirEntry>| it.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|it| name(it).to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but time")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Bytes that no compression and no luck makes equal.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Lines of a reader, for tests that talk.
pub fn lines(pipe: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(pipe).lines().map_while(Result::ok)
}
