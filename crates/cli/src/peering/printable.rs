//! Texts from other peers, made safe for a terminal.

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
    fn a_long_text_is_cut() {
        assert_eq!(printable("äöü", 2), "äö…");
        assert_eq!(printable("äöü", 3), "äöü");
    }
}
