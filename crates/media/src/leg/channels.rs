//! A member's data channels. What comes on one is for the other members' channels of the same
//! label, which are opened for it where they are not.

use std::collections::VecDeque;
use std::sync::Arc;

use str0m::channel::{ChannelConfig, ChannelData, ChannelId, Reliability};

use super::Leg;

/// Channels of one member.
const CHANNELS: usize = 16;
/// Bytes of a label.
const LABEL: usize = 128;
/// Bytes that wait for one member, on all its channels.
const WAITING: usize = 1024 * 1024;
/// More than the engine takes at once.
const LONGEST: usize = 128 * 1024;
/// Below this more is written.
const LOW: usize = 32 * 1024;
/// The line for channels comes with a channel. Nobody else knows this one, and nothing goes through it.
const UNUSED_STREAM: u16 = 254;

/// How a channel is, the same for all members.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) label: Arc<str>,
    ordered: bool,
    reliability: Reliability,
    protocol: Arc<str>,
}

/// What came on a channel.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) opening: Opening,
    binary: bool,
    data: Vec<u8>,
}

impl Message {
    /// Also nothing at all takes a place.
    fn weight(&self) -> usize {
        self.data.len() + 64
    }
}

#[derive(Debug, Default)]
pub(super) struct Channels {
    all: Vec<Channel>,
    waiting: usize,
    /// The one that comes with the line.
    unused: Option<ChannelId>,
}

#[derive(Debug)]
struct Channel {
    id: ChannelId,
    opening: Opening,
    open: bool,
    waiting: VecDeque<Arc<Message>>,
}

impl Leg {
    /// The description gets the line for channels, if it is to have one.
    pub(super) fn channel_config(&self) -> Option<ChannelConfig> {
        let wanted = self.options.data && self.channels.unused.is_none();
        wanted
            .then(|| ChannelConfig { negotiated: Some(UNUSED_STREAM), ..ChannelConfig::default() })
    }

    pub(super) fn channel_line(&mut self, unused: ChannelId) {
        self.channels.unused = Some(unused);
    }

    /// A channel is there. `Some`: the member opened it.
    pub(super) fn channel_opened(&mut self, id: ChannelId) -> Option<Opening> {
        if self.channels.unused == Some(id) {
            return None;
        }
        let mut channel = self.rtc.channel(id)?;
        channel.set_buffered_amount_low_threshold(LOW);
        if let Some(known) = self.channels.all.iter_mut().find(|channel| channel.id == id) {
            known.open = true;
            self.flush_channels();
            return None;
        }
        let config = channel.config()?;
        let opening = Opening {
            label: config.label.as_str().into(),
            ordered: config.ordered,
            reliability: config.reliability,
            protocol: config.protocol.as_str().into(),
        };
        let is_known = |channel: &Channel| channel.opening.label == opening.label;
        let too_long = opening.label.len() > LABEL || opening.protocol.len() > LABEL;
        if too_long
            || (self.channels.all.len() >= CHANNELS && !self.channels.all.iter().any(is_known))
        {
            self.rtc.direct_api().close_data_channel(id);
            return None;
        }
        // Ours of the same label gives way to the member's own.
        let waiting = match self.channels.all.iter().position(is_known) {
            Some(index) => {
                let before = self.channels.all.swap_remove(index);
                self.rtc.direct_api().close_data_channel(before.id);
                before.waiting
            }
            None => VecDeque::new(),
        };
        self.channels.all.push(Channel { id, opening: opening.clone(), open: true, waiting });
        self.flush_channels();
        Some(opening)
    }

    pub(super) fn channel_closed(&mut self, id: ChannelId) {
        let Some(index) = self.channels.all.iter().position(|channel| channel.id == id) else {
            return;
        };
        let channel = self.channels.all.swap_remove(index);
        let weight: usize = channel.waiting.iter().map(|message| message.weight()).sum();
        self.channels.waiting -= weight.min(self.channels.waiting);
    }

    pub(super) fn channel_message(&self, data: ChannelData) -> Option<Message> {
        let channel = self.channels.all.iter().find(|channel| channel.id == data.id)?;
        let opening = channel.opening.clone();
        Some(Message { opening, binary: data.binary, data: data.data })
    }

    /// Whether the member was offered a line for channels.
    pub(crate) fn has_channels(&self) -> bool {
        self.channels.unused.is_some()
    }

    /// The channels that the member has.
    pub(crate) fn openings(&self) -> impl Iterator<Item = Opening> + '_ {
        self.channels.all.iter().map(|channel| channel.opening.clone())
    }

    /// Opens a channel towards the member, unless it has one of that label.
    pub(crate) fn open_channel(&mut self, opening: &Opening) {
        let known = self.channels.all.iter().any(|it| it.opening.label == opening.label);
        if known || self.channels.unused.is_none() || self.channels.all.len() >= CHANNELS {
            return;
        }
        let id = self.rtc.direct_api().create_data_channel(ChannelConfig {
            label: opening.label.as_ref().to_owned(),
            ordered: opening.ordered,
            reliability: opening.reliability,
            negotiated: None,
            protocol: opening.protocol.as_ref().to_owned(),
        });
        let opening = opening.clone();
        self.channels.all.push(Channel { id, opening, open: false, waiting: VecDeque::new() });
    }

    /// Sends the member a message of another one. `false`: it is lost.
    pub(crate) fn send_message(&mut self, message: &Arc<Message>) -> bool {
        let label = &message.opening.label;
        let Some(index) = self.channels.all.iter().position(|it| it.opening.label == *label) else {
            // Its member has closed it.
            return true;
        };
        let channel = &mut self.channels.all[index];
        let id = channel.id;
        let fits = self.channels.waiting + message.weight() <= WAITING;
        if fits && message.data.len() <= LONGEST {
            channel.waiting.push_back(message.clone());
            self.channels.waiting += message.weight();
            self.flush_channels();
            return true;
        }
        if channel.opening.reliability == Reliability::Reliable {
            // A hole in a reliable channel would be a lie: rather its member sees it end.
            self.channel_closed(id);
            self.rtc.direct_api().close_data_channel(id);
        }
        false
    }

    /// Writes what the engine has room for.
    pub(super) fn flush_channels(&mut self) {
        for channel in self.channels.all.iter_mut().filter(|channel| channel.open) {
            while let Some(message) = channel.waiting.front() {
                let Some(mut engine) = self.rtc.channel(channel.id) else { break };
                if !matches!(engine.write(message.binary, &message.data), Ok(true)) {
                    break;
                }
                self.channels.waiting -= message.weight().min(self.channels.waiting);
                channel.waiting.pop_front();
            }
        }
    }
}
