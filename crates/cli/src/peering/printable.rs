//! Texts from other peers, made safe for a terminal.

use peerway::Value;

/// The text without control characters and turns of direction, cut to so many characters.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut safe = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count == most {
            safe.push('…');
            break;
        }
        safe.push(if is_dangerous(letter) { '\u{fffd}' } else { letter });
    }
    safe
}

/// A value in one line: JSON where that is possible, and bytes by their number.
pub(crate) fn described(value: &Value, most: usize) -> String {
    let json = match value {
        Value::Bytes(bytes) => format!("<{} bytes>", bytes.len()),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().take(most).map(|it| described(it, most)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(members) => {
            let member =
                |(name, value): &(String, Value)| format!("{name:?}: {}", described(value, most));
            let members: Vec<_> = members.iter().take(most).map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        plain => serde_json::to_string(plain).unwrap_or_else(|_| format!("{plain:?}")),
    };
    printable(&json, most)
}

fn is_dangerous(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_color_clear_or_turn_our_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}", 99), "a�[2Jb��c�d�");
        assert_eq!(printable("grüße 👍", 99), "grüße 👍");
    }

    #[test]
    fn values_are_described_in_a_line() {
        let value = Value::map([
            ("a\u{1b}", Value::Array(vec![Value::Null, 1.5.into(), "x\ny".into()])),
            ("b", Value::Bytes(vec![0; 5].into())),
        ]);
        let line = r#"{"a\u{1b}": [null, 1.5, "x\ny"], "b": <5 bytes>}"#;
        assert_eq!(described(&value, 99), line);
        assert_eq!(described(&value, 9), r#"{"a\u{1b}…"#);
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(printable("äöü", 2), "äö…");
        assert_eq!(printable("äöü", 3), "äöü");
    }
}
