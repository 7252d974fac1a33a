//! Data channels.

use std::time::Duration;

use str0m::Rtc;
use str0m::channel::{ChannelConfig, Reliability};

use super::{Engine, EngineError};
use crate::connection::Lifetime;

/// Bytes that wait in the engine or are unacknowledged before no more are put in, on a short path.
/// Twice as much costs its SCTP twice the time per byte, for it walks through all of them at each
/// packet.
const HIGH_WATER: usize = 128 * 1024;

/// The same on the longest path. What is on its way is unacknowledged, so a long path needs more;
/// and there packets come seldom enough for the walk not to matter.
pub(super) const HIGHEST_WATER: usize = 1024 * 1024;

/// The longest round trip of a short path, in microseconds.
const SHORT_PATH: usize = 10_000;

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

/// How much may be under way on a path of this round trip: 13 MB/s worth of it, within bounds.
pub(super) fn high_water(round_trip: Option<Duration>) -> usize {
    let micros = round_trip.map_or(0, |time| usize::try_from(time.as_micros()).unwrap_or(0));
    (HIGH_WATER.saturating_mul(micros) / SHORT_PATH).clamp(HIGH_WATER, HIGHEST_WATER)
}

/// Asks to be told when half of `high_water` is gone.
pub(super) fn configure(rtc: &mut Rtc, id: str0m::channel::ChannelId, high_water: usize) {
    if let Some(mut channel) = rtc.channel(id) {
        channel.set_buffered_amount_low_threshold(high_water / 2);
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
        if waiting > 0 && waiting + data.len() > self.high_water {
            return Ok(false);
        }
        Ok(channel.write(binary, data)?)
    }

    /// Whether a channel may lose messages, as far as is known: of a channel of ours that is once it
    /// is open.
    pub(crate) fn is_lossy(&mut self, id: ChannelId) -> bool {
        let channel = self.rtc.channel(id.0);
        channel.is_some_and(|channel| {
            channel.config().is_some_and(|config| config.reliability != Reliability::Reliable)
        })
    }

    /// Bytes that wait in the engine or are unacknowledged.
    pub(crate) fn buffered(&mut self, id: ChannelId) -> usize {
        self.rtc.channel(id.0).map_or(0, |mut channel| channel.buffered_amount())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_holds_more() {
        let of = |millis| high_water(Some(Duration::from_millis(millis)));
        assert_eq!(high_water(None), HIGH_WATER);
        assert_eq!([of(1), of(10)], [HIGH_WATER; 2]);
        assert_eq!(of(40), 4 * HIGH_WATER);
        assert_eq!(of(10_000), HIGHEST_WATER);
    }
}
