//! What the agent is told.

use std::path::PathBuf;

use peerway::media::Codec;
use peerway::{
    CallOptions, ConnectOptions, IceServer, IceTransportPolicy, MediaSelection, PeerOptions,
    Reconnect,
};
use serde::Deserialize;
use serde_json::Value as Json;

/// One line.
#[derive(Debug, Deserialize)]
pub struct Line {
    /// What the reply will carry.
    pub seq: u64,
    #[serde(flatten)]
    pub command: Command,
}

/// What to do. `link` counts connections and calls in order of their appearance.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Makes the peer and waits until it is open.
    Open(Open),
    Connect(Connect),
    Call {
        peer: String,
        metadata: Option<Json>,
        #[serde(flatten)]
        media: Media,
    },
    Answer {
        link: usize,
        #[serde(flatten)]
        media: Media,
    },
    /// Replies when the value is on its way.
    Send {
        link: usize,
        value: Json,
    },
    Close {
        link: usize,
    },
    /// Replies with the numbers of a connection, with the frames that a call received.
    Stats {
        link: usize,
    },
    /// Replies with the ids of all peers.
    Peers,
    Disconnect,
    Reconnect,
    Destroy,
}

#[derive(Debug, Deserialize)]
pub struct Open {
    server: String,
    key: Option<String>,
    id: Option<String>,
    token: Option<String>,
    ice_servers: Option<Vec<IceServer>>,
    #[serde(default)]
    relay: bool,
    #[serde(default)]
    loopback: bool,
    ca_file: Option<PathBuf>,
    reconnect: Option<bool>,
    /// Answers calls at once, like this.
    pub answer: Option<Media>,
}

impl Open {
    pub fn options(&self) -> Result<PeerOptions, peerway::PeerError> {
        let mut options = PeerOptions::at(&self.server)?.loopback(self.loopback);
        options.id.clone_from(&self.id);
        options.token.clone_from(&self.token);
        options.ice_servers.clone_from(&self.ice_servers);
        options.ca_file.clone_from(&self.ca_file);
        if let Some(key) = &self.key {
            options.key.clone_from(key);
        }
        if self.relay {
            options = options.ice_transport_policy(IceTransportPolicy::Relay);
        }
        if self.reconnect == Some(false) {
            options = options.reconnect(Reconnect::never());
        }
        Ok(options)
    }
}

#[derive(Debug, Deserialize)]
pub struct Connect {
    pub peer: String,
    label: Option<String>,
    metadata: Option<Json>,
    serialization: Option<String>,
    reliable: Option<bool>,
}

impl Connect {
    pub fn options(self) -> Result<ConnectOptions, String> {
        let mut options = ConnectOptions::new().reliable(self.reliable.unwrap_or(false));
        options.label = self.label;
        options.metadata = self.metadata;
        if let Some(name) = self.serialization {
            options.serialization = name.parse().map_err(|error| format!("{error}"))?;
        }
        Ok(options)
    }
}

/// What a call carries from here to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The numbered test picture and a tone.
    Test,
    /// What comes from there.
    Echo,
    /// Nothing.
    Nothing,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Media {
    pub send: Source,
    #[serde(default)]
    codecs: Vec<String>,
}

impl Media {
    pub fn options(&self, metadata: Option<Json>) -> Result<CallOptions, String> {
        let mut options = CallOptions::new();
        options.metadata = metadata;
        if self.send == Source::Nothing {
            options.send = MediaSelection::NONE;
        }
        let codec = |name: &String| {
            let known = [
                Codec::Vp8,
                Codec::Vp9,
                Codec::H264,
                Codec::Av1,
                Codec::Opus,
                Codec::Pcmu,
                Codec::Pcma,
            ];
            let found = known.into_iter().find(|codec| name_of(*codec) == *name);
            found.ok_or_else(|| format!("no such codec: {name}"))
        };
        options.codecs = self.codecs.iter().map(codec).collect::<Result<_, _>>()?;
        Ok(options)
    }
}

/// Small letters, as in `vp8`.
pub fn name_of(codec: Codec) -> String {
    format!("{codec:?}").to_lowercase()
}
