//! Runs of `turnutils_uclient` and what they tell at their end.

use std::time::Duration;

use crate::peer::Peer;
use crate::process::{PATIENCE, Process, Silence};
use crate::server::Server;

/// The static user whom every server of the tests knows.
pub(crate) const ANN: [&str; 4] = ["-u", "ann", "-w", "ann-secret"];

/// Messages per client unless options say otherwise.
const MESSAGES: u32 = 10;

/// Milliseconds from one message to the next unless options say otherwise. The client leaves
/// Nagle's algorithm on, so messages that follow faster than 40 ms may travel together; and what
/// comes to it in one TLS record is one message to it, so then it would miss some.
const INTERVAL: &str = "100";

/// A command line.
pub(crate) struct Uclient {
    arguments: Vec<String>,
    /// Messages of all clients together.
    messages: u32,
}

impl Uclient {
    /// Clients that come to an address of the server as [`ANN`], with options as in a shell.
    pub(crate) fn to(server: &Server, address: &str, options: &str) -> Self {
        Self::by(&ANN, server, address, options)
    }

    /// The same as somebody else.
    pub(crate) fn by(user: &[&str], server: &Server, address: &str, options: &str) -> Self {
        let secure = options.split(' ').any(|it| it == "-S" || it == "-U");
        let port = if secure { server.tls_port } else { server.port };
        Self::to_port(port, user, address, options)
    }

    /// The same to a port that is not the server's.
    pub(crate) fn to_port(port: u16, user: &[&str], address: &str, options: &str) -> Self {
        let words: Vec<&str> = options.split_whitespace().collect();
        let number = |option: &str, default: u32| {
            let value = words.iter().skip_while(|it| **it != option).nth(1);
            value.map_or(default, |it| it.parse().unwrap())
        };
        // Those that talk to each other come in fours: two pairs, of RTP and of RTCP.
        let clients = number("-m", if words.contains(&"-y") { 4 } else { 2 });
        let messages = number("-n", MESSAGES);
        let (clients_text, messages_text) = (clients.to_string(), messages.to_string());
        let port = port.to_string();
        let always = ["-m", &clients_text, "-n", &messages_text, "-p", &port, address];
        let arguments = [user, &["-z", INTERVAL], &words, &always].concat();
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        Self { arguments, messages: clients * messages }
    }

    /// With an echo peer at this address, whose family is also that of the relay.
    pub(crate) fn echo(mut self, peer: &Peer, address: &str) -> Self {
        let options = ["-e", address, "-r", &peer.port.to_string()].map(str::to_owned);
        self.arguments.splice(0..0, options);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Outcome {
        self.run_until(|_| false)
    }

    /// Runs it to its end, or to a line after which it would wait in vain.
    pub(crate) fn run_until(&self, is_last: impl Fn(&str) -> bool) -> Outcome {
        let (outcome, result) = self.read(PATIENCE, is_last);
        assert!(result.is_ok(), "{}", outcome.wrong("it is silent"));
        outcome
    }

    /// Runs it to its end, or until it has said nothing for so long.
    pub(crate) fn run_until_silent_for(&self, patience: Duration) -> Outcome {
        self.read(patience, |_| false).0
    }

    fn read(
        &self,
        patience: Duration,
        is_last: impl Fn(&str) -> bool,
    ) -> (Outcome, Result<(), Silence>) {
        let mut process = Process::coturn("turnutils_uclient", &self.arguments);
        let mut outcome = Outcome {
            command: format!("turnutils_uclient {}", self.arguments.join(" ")),
            messages: self.messages,
            code: None,
            text: String::new(),
        };
        loop {
            match process.line(patience) {
                Ok(Some(line)) => {
                    outcome.text.extend([&line, "\n"]);
                    if is_last(&line) {
                        return (outcome, Ok(()));
                    }
                }
                Ok(None) => {
                    outcome.code = process.status().code();
                    return (outcome, Ok(()));
                }
                Err(silence) => return (outcome, Err(silence)),
            }
        }
    }
}

/// How a run ended.
pub(crate) struct Outcome {
    command: String,
    messages: u32,
    /// `None` when the test ended it.
    code: Option<i32>,
    pub(crate) text: String,
}

impl Outcome {
    /// Every message has arrived, once.
    pub(crate) fn delivered(&self) -> Result<(), String> {
        self.arrived(self.messages)
    }

    /// Everything was sent and so much has arrived.
    pub(crate) fn arrived(&self, messages: u32) -> Result<(), String> {
        if self.code != Some(0) {
            return Err(self.wrong("it failed"));
        }
        if self.count("tot_send_msgs=") != Some(self.messages) {
            return Err(self.wrong(&format!("it has not sent {} messages", self.messages)));
        }
        // Over TLS coturn 4.6.1's client takes what one read brings for one message, and reads once for
        // each event: where the machine is busy and two messages share a record, it counts one.
        let is_tls = self.command.contains(" -S");
        let least = if is_tls { messages - messages / 4 } else { messages };
        let received = self.count("tot_recv_msgs=").unwrap_or_default();
        if !(least..=messages).contains(&received) {
            return Err(self.wrong(&format!("it has not received {messages} messages")));
        }
        let lost = format!("Total lost packets {} ", self.messages - received);
        if !self.text.contains(&lost) || !self.text.contains("total send dropped 0 ") {
            return Err(self.wrong("it has lost messages"));
        }
        // What it tells of answers and messages that are not as they should be.
        for complaint in ["ERROR", "Wrong integrity", "unknown "] {
            if self.text.contains(complaint) {
                return Err(self.wrong("it complains"));
            }
        }
        Ok(())
    }

    /// Half of the messages have arrived, because the other half went to peers that do not count.
    pub(crate) fn half(&self) -> Result<(), String> {
        self.arrived(self.messages / 2)
    }

    /// It gave up because of an error answer with this code.
    pub(crate) fn refused(&self, code: u16) -> Result<(), String> {
        if !self.text.contains(&format!("error {code} (")) {
            return Err(self.wrong(&format!("it does not tell of {code}")));
        }
        self.gave_up()
    }

    /// It ended with an error, and no message has arrived.
    pub(crate) fn gave_up(&self) -> Result<(), String> {
        match (self.code, self.count("tot_recv_msgs=")) {
            (Some(255), None) => Ok(()),
            _ => Err(self.wrong("it has not given up")),
        }
    }

    /// It has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.code.is_some()
    }

    /// The result of a check with the command and all it said.
    pub(crate) fn wrong(&self, what: &str) -> String {
        let code = self.code.map_or("ended by the test".to_owned(), |it| format!("code {it}"));
        format!("{what}: {} ({code})\n{}", self.command, self.text)
    }

    /// A number in the counts at the end; those of every second have `msz` besides.
    fn count(&self, name: &str) -> Option<u32> {
        let line = self.text.lines().rfind(|it| it.contains(name) && !it.contains("msz="))?;
        line.split(name).nth(1)?.split(',').next()?.parse().ok()
    }
}

/// Runs all at the same time, because each of them waits for seconds, and tells of all that is
/// not as it should be.
pub(crate) fn all(
    runs: impl IntoIterator<Item = Uclient>,
    check: impl Fn(Outcome) -> Result<(), String> + Sync,
) {
    let check = &check;
    let failures: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> =
            runs.into_iter().map(|it| scope.spawn(move || check(it.run()))).collect();
        let results = running.into_iter().map(|it| it.join().expect("a check does not panic"));
        results.filter_map(Result::err).collect()
    });
    assert!(failures.is_empty(), "{} runs:\n{}", failures.len(), failures.join("\n"));
}
