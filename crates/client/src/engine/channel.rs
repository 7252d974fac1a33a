//! Data channels.

use str0m::Rtc;
use str0m::channel::{ChannelConfig, Reliability};

use super::{Engine, EngineError};
use crate::connection::Lifetime;

/// Bytes that wait in the engine or are unacknowledged before no more are put in. Twice as much
/// costs its SCTP twice the time per byte, for it walks through all of them at each packet.
pub(super) const HIGH_WATER: usize = 128 * 1024;

/// When to ask for more.
const LOW_WATER: usize = 64 * 1024;

/// The biggest message that can be sent at once; what Chromium takes (`a=max-message-size`).
pub(super) const LARGEST_MESSAGE: usize = 256 * 1024;

/// One data channel of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelId(pub(super) str0m::channel::ChannelId);

/// How a channel is opened.
#[derive(Debug, Clone)]
pub(crate) struct ChannelOptions {
    pub(crate) label: String,
    pub(crate) ordered: bool,
    pub(crate) lifetime: Lifetime,
}

impl From<&ChannelOptions> for ChannelConfig {
    fn from(options: &ChannelOptions) -> Self {
        Self {
            label: options.label.clone(),
            ordered: options.ordered,
            reliability: match options.lifetime {
                Lifetime::Reliable => Reliability::Reliable,
                Lifetime::Time(time) => Reliability::MaxPacketLifetime {
                    lifetime: u16::try_from(time.as_millis()).unwrap_or(u16::MAX),
                },
                Lifetime::Retransmits(retransmits) => Reliability::MaxRetransmits { retransmits },
            },
            ..Self::default()
        }
    }
}

pub(super) fn configure(rtc: &mut Rtc, id: str0m::channel::ChannelId) {
    if let Some(mut channel) = rtc.channel(id) {
        channel.set_buffered_amount_low_threshold(LOW_WATER);
    }
}

impl Engine {
    /// Puts a message into the channel. `false`: there is no room now; try again after
    /// [`Event::ChannelDrained`](super::Event::ChannelDrained).
    pub(crate) fn write(
        &mut self,
        id: ChannelId,
        binary: bool,
        data: &[u8],
    ) -> Result<bool, EngineError> {
        let Some(mut channel) = self.rtc.channel(id.0) else {
            return Err(EngineError("the channel is closed".to_owned()));
        };
        let waiting = channel.buffered_amount();
        if waiting > 0 && waiting + data.len() > HIGH_WATER {
            return Ok(false);
        }
        Ok(channel.write(binary, data)?)
    }

    /// Bytes that wait in the engine or are unacknowledged.
    pub(crate) fn buffered(&mut self, id: ChannelId) -> usize {
        self.rtc.channel(id.0).map_or(0, |mut channel| channel.buffered_amount())
    }
}
