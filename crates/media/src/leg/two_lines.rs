//! Descriptions with the two lines that skyway-js 1.x understands outside Firefox (`skyway.md`,
//! section 4.5). Its sdp-interop leaves a description alone if the lines are named `audio` and
//! `video`; the engine chooses its own names. So the names differ between engine and wire, and packets carry
//! none at all (there is no MID among the leg's extensions): their sources are in the descriptions.

use super::Leg;
use crate::Kind;

impl Leg {
    /// An offer of the engine, as the member gets it.
    pub(super) fn to_wire(&self, sdp: &str) -> String {
        let names: Vec<_> = self.names().collect();
        rename(sdp, &names)
    }

    /// An answer of the member, as the engine gets it.
    pub(super) fn off_wire(&self, sdp: &str) -> String {
        let names: Vec<_> = self.names().map(|(own, wire)| (wire, own)).collect();
        rename(sdp, &names)
    }

    fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        Kind::ALL.into_iter().filter_map(|kind| {
            let own: &str = self.incoming[kind.index()].mid.as_ref()?;
            Some((own, kind.name()))
        })
    }
}

fn rename(sdp: &str, names: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(sdp.len());
    for line in sdp.split_inclusive('\n') {
        let mut heads = ["a=mid:", "a=group:BUNDLE "].into_iter();
        let found = heads.find_map(|head| Some((head, line.strip_prefix(head)?)));
        let Some((head, rest)) = found else {
            text.push_str(line);
            continue;
        };
        let (words, end) = rest.split_at(rest.trim_end().len());
        let renamed = words
            .split(' ')
            .map(|word| names.iter().find(|(old, _)| *old == word).map_or(word, |(_, new)| *new));
        text.push_str(head);
        text.push_str(&renamed.collect::<Vec<_>>().join(" "));
        text.push_str(end);
    }
    text
}
