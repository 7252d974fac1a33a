//! Values in and out of a link's data channel.

use peerway_protocol::Value;
use peerway_protocol::data::{DataCodec, EncodeError, Incoming, Limits, Message, Outgoing};

use super::{Event, Link, Purpose};
use crate::connection::{ConnectionError, ConnectionErrorKind};
use crate::engine::{ChannelId, Engine};

/// What a receiver takes that does not say: RFC 8841, 6.1.
pub(super) const UNSAID_LARGEST_MESSAGE: usize = 64 * 1024;

/// The most that is sent as one message, whatever the other side takes: Chromium's own limit.
const LARGEST_MESSAGE: usize = 256 * 1024;

/// An open data channel, or a call's auxiliary one, on which nothing is sent.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    /// None on an auxiliary channel.
    codec: Option<DataCodec>,
    sending: Option<Outgoing>,
    /// The message that the engine had no room for.
    stalled: Option<Message>,
}

impl Channel {
    /// Whether something is under way or unacknowledged.
    pub(super) fn busy(&self, engine: &mut Engine) -> bool {
        self.sending.is_some() || self.stalled.is_some() || engine.buffered(self.id) > 0
    }
}

/// Reads `a=max-message-size` of a description; 0 there means any size.
pub(super) fn largest_message(sdp: &str) -> usize {
    let stated = sdp.lines().find_map(|line| line.trim().strip_prefix("a=max-message-size:"));
    match stated.and_then(|size| size.trim().parse::<usize>().ok()) {
        Some(0) => LARGEST_MESSAGE,
        Some(size) => size.min(LARGEST_MESSAGE),
        None => UNSAID_LARGEST_MESSAGE,
    }
}

impl Link {
    pub(super) fn channel_open(&mut self, id: ChannelId) {
        // One connection has one channel; more is strange to every PeerJS.
        if self.channel.is_some() || self.offered.is_some_and(|offered| offered != id) {
            return;
        }
        let codec = match &self.purpose {
            Purpose::Data { serialization, .. } => {
                let limits = Limits { lossy: self.engine.is_lossy(id), ..Limits::default() };
                Some(DataCodec::new(*serialization, self.remote, limits))
            }
            Purpose::Media(_) => None,
        };
        self.channel = Some(Channel { id, codec, sending: None, stalled: None });
        self.events.push_back(match self.purpose {
            Purpose::Data { .. } => Event::Open,
            Purpose::Media(_) => Event::WillCloseOnRemote,
        });
    }

    pub(super) fn channel_data(
        &mut self,
        now: std::time::Instant,
        id: ChannelId,
        binary: bool,
        data: Vec<u8>,
    ) {
        let Some(channel) = self.channel.as_mut().filter(|channel| channel.id == id) else {
            return;
        };
        let Some(codec) = &mut channel.codec else { return };
        match codec.decode(binary, data) {
            Ok(incoming) => {
                for incoming in incoming {
                    match incoming {
                        Incoming::Value(value) => self.events.push_back(Event::Value(value)),
                        // `close({flush: true})` of 1.5: it waits for us to close.
                        Incoming::Close => {
                            self.over();
                            self.close(now);
                            return;
                        }
                    }
                }
            }
            Err(error) => self.events.push_back(Event::Garbled(ConnectionError::new(
                ConnectionErrorKind::Serialization,
                error.to_string(),
            ))),
        }
    }

    /// Whether a value can be sent now: the channel is open and the last one is in the engine.
    pub(crate) fn can_send(&self) -> bool {
        !self.closed
            && self
                .channel
                .as_ref()
                .is_some_and(|channel| channel.sending.is_none() && channel.stalled.is_none())
    }

    /// Begins to send a value. It is in the engine when [`Link::can_send`] is true again.
    pub(crate) fn send(&mut self, value: &Value) -> Result<(), ConnectionError> {
        let Some(channel) = self.channel.as_mut() else {
            return Err(ConnectionError::new(
                ConnectionErrorKind::NotOpenYet,
                "the connection is not open; wait for its open event before sending",
            ));
        };
        let Some(codec) = &mut channel.codec else {
            return Err(ConnectionError::new(
                ConnectionErrorKind::Serialization,
                "a call carries no data",
            ));
        };
        let mut outgoing = codec.encode(value).map_err(|error| encode_error(&error))?;
        if let Some(first) = outgoing.next() {
            if first.data.len() > self.largest_message {
                return Err(ConnectionError::new(
                    ConnectionErrorKind::MessageTooBig,
                    format!(
                        "the message has {} bytes, the other side takes {}; use serialization binary for more",
                        first.data.len(),
                        self.largest_message
                    ),
                ));
            }
            channel.stalled = Some(first);
        }
        channel.sending = Some(outgoing);
        Ok(())
    }

    /// Bytes that wait in the engine or are unacknowledged.
    pub(crate) fn buffered(&mut self) -> usize {
        let Some(channel) = &self.channel else { return 0 };
        let stalled = channel.stalled.as_ref().map_or(0, |message| message.data.len());
        stalled + self.engine.buffered(channel.id)
    }

    /// Moves what is being sent into the engine, as far as there is room.
    pub(super) fn pump(&mut self) {
        self.fill();
        if self.timers.is_flushing()
            && !self.channel.as_ref().is_some_and(|channel| channel.busy(&mut self.engine))
            && self.engine.try_close()
        {
            self.timers.flushed();
        }
    }

    fn fill(&mut self) {
        let Some(channel) = &mut self.channel else { return };
        if self.closed {
            channel.sending = None;
            channel.stalled = None;
            return;
        }
        loop {
            let next = channel.stalled.take().or_else(|| channel.sending.as_mut()?.next());
            let Some(message) = next else {
                channel.sending = None;
                break;
            };
            match self.engine.write(channel.id, message.binary, &message.data) {
                Ok(true) => {}
                Ok(false) => {
                    channel.stalled = Some(message);
                    break;
                }
                Err(error) => {
                    channel.sending = None;
                    return self.unless_failed(Err(error));
                }
            }
        }
    }
}

fn encode_error(error: &EncodeError) -> ConnectionError {
    let kind = match error {
        EncodeError::MessageTooBig { .. } => ConnectionErrorKind::MessageTooBig,
        _ => ConnectionErrorKind::Serialization,
    };
    ConnectionError::new(kind, error.to_string())
}
