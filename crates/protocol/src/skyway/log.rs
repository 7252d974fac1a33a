//! A room's log, as `ROOM_LOGS` has it (section 1.5, rule 12 of the dialect's page).

use crate::object::push_string;
use crate::{LogAction, LogEntry, RoomName};

/// Appends one entry: a JSON text whose content is JSON. Binary parts of data are not in it; where
/// they were stands Socket.IO's placeholder.
pub(super) fn push_entry(room: &RoomName, entry: &LogEntry, out: &mut String) {
    let mut text = format!(r#"{{"timestamp":{},"messageType":""#, entry.timestamp);
    let source = |text: &mut String| {
        text.push_str(r#""src":"#);
        push_string(entry.peer.as_str(), text);
    };
    let name = |text: &mut String| {
        text.push_str(r#""roomName":"#);
        push_string(room.as_str(), text);
        text.push(',');
    };
    match &entry.action {
        LogAction::Joined(mode) => {
            text.push_str(r#"ROOM_USER_JOIN","message":{"#);
            name(&mut text);
            text.push_str(r#""roomType":""#);
            text.push_str(mode.name());
            text.push_str(r#"","#);
            source(&mut text);
        }
        LogAction::Left => {
            text.push_str(r#"ROOM_USER_LEAVE","message":{"#);
            name(&mut text);
            source(&mut text);
        }
        LogAction::Data(data) => {
            text.push_str(r#"ROOM_DATA","message":{"#);
            source(&mut text);
            text.push_str(r#","data":"#);
            text.push_str(data.json.as_str());
        }
    }
    text.push_str("}}");
    push_string(&text, out);
}
