//! Programs that a test starts, reads line by line, and ends.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a program may be silent before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Killed at the end of the test.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts a program of coturn.
    pub(crate) fn coturn(name: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(name);
        command.args(arguments);
        match Self::start(command) {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("there is no {name}: install the Debian package coturn")
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Starts a program and follows what it says on both outputs.
    pub(crate) fn start(mut command: Command) -> std::io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (sender, lines) = channel();
        let follow = |output: Box<dyn Read + Send>| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                // Reads on when nobody listens, or the program would stop at a full pipe.
                for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                    drop(sender.send(String::from_utf8_lossy(&line).into_owned()));
                }
            });
        };
        follow(Box::new(child.stdout.take().expect("it is a pipe")));
        follow(Box::new(child.stderr.take().expect("it is a pipe")));
        Ok(Self { child, lines })
    }

    /// The next line, `None` at the end, or an error when the program is silent for so long.
    pub(crate) fn line(&self, patience: Duration) -> Result<Option<String>, Silence> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(Silence),
        }
    }

    /// Waits for a line that has a part, and gives that line.
    pub(crate) fn until(&self, part: &str) -> String {
        let mut before = String::new();
        loop {
            match self.line(PATIENCE) {
                Ok(Some(line)) if line.contains(part) => return line,
                Ok(Some(line)) => before.extend([&line, "\n"]),
                Ok(None) => panic!("it ended without saying '{part}', but\n{before}"),
                Err(Silence) => panic!("it does not say '{part}', but\n{before}"),
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// The exit status of a program whose output has ended.
    pub(crate) fn status(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it and gives the lines that nobody has read.
    pub(crate) fn kill(&mut self) -> Vec<String> {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.lines.iter().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program has said nothing for longer than anybody wanted to wait.
#[derive(Debug)]
pub(crate) struct Silence;
