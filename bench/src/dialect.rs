//! What differs between the clients whose servers are measured: how they connect, open and stay.

use std::time::Duration;

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// PeerJS 1.5.5 on a WebSocket
    Peerjs,
    /// skyway-js 4.4.5: Socket.IO 2 (Engine.IO 3) on a WebSocket
    Skyway,
}

/// What a frame that comes while a client opens means.
pub(crate) enum Opening {
    Open,
    /// Part of the handshake: the next one tells more.
    Underway,
    Refused,
}

impl Dialect {
    /// Path and query of the handshake.
    pub(crate) fn request_target(self, prefix: &str, key: &str, id: &str, token: &str) -> String {
        match self {
            Self::Peerjs => format!("{prefix}peerjs?key={key}&id={id}&token={token}&version=1.5.5"),
            Self::Skyway => format!(
                "/socket.io/?apiKey={key}&token={token}&platform=javascript&sdk_version=4.4.5&peerId={id}\
                 &EIO=3&transport=websocket"
            ),
        }
    }

    pub(crate) fn opening(self, frame: &[u8]) -> Opening {
        match self {
            Self::Peerjs if frame == br#"{"type":"OPEN"}"# => Opening::Open,
            Self::Skyway if frame.starts_with(br#"42["OPEN","#) => Opening::Open,
            // The Engine.IO handshake and Socket.IO's word that the namespace is open.
            Self::Skyway if frame.starts_with(b"0{") || frame == b"40" => Opening::Underway,
            Self::Peerjs | Self::Skyway => Opening::Refused,
        }
    }

    /// What an idle client sends, and how often.
    pub(crate) fn heartbeat(self) -> (&'static [u8], Duration) {
        match self {
            Self::Peerjs => (br#"{"type":"HEARTBEAT"}"#, Duration::from_secs(5)),
            Self::Skyway => (b"2", Duration::from_secs(25)),
        }
    }

    /// The members of an OFFER before its session description, between that and the stamp, and between
    /// the stamp and the receiver's id; and what closes the frame.
    pub(crate) fn offer(self) -> [&'static str; 4] {
        const LABEL: &str = r#""},"type":"data","connectionId":"dc_0","label":"dc_"#;
        match self {
            Self::Peerjs => [
                r#"{"type":"OFFER","payload":{"sdp":{"type":"offer","sdp":""#,
                LABEL,
                r#"","reliable":false,"serialization":"binary"},"dst":""#,
                r#""}"#,
            ],
            Self::Skyway => [
                r#"42["SEND_OFFER",{"offer":{"type":"offer","sdp":""#,
                r#""},"connectionType":"data","connectionId":"dc_0","serialization":"binary","label":"dc_"#,
                r#"","dst":""#,
                r#""}]"#,
            ],
        }
    }
}
