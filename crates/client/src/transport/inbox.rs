//! Where received datagrams lie until the connection has read them. The memory belongs to the
//! thread: a connection borrows it while something comes.

use std::cell::RefCell;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::ops::Range;

use quinn_udp::RecvMeta;

use super::Datagram;

/// Messages of one system call, each of which may hold many datagrams.
const SLOTS: usize = 16;
/// The longest message, and some bytes so that the beginnings of slots do not share cache lines.
const STRIDE: usize = 65_536 + 576;
/// What one read of a stream may bring.
const STREAM: usize = 256 * 1024;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    metas: [RecvMeta; SLOTS],
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    end: usize,
    source: SocketAddr,
    destination: SocketAddr,
}

impl Inbox {
    fn new() -> Self {
        // Zeroed by the system page by page, when it is touched.
        let bytes = vec![0; SLOTS * STRIDE];
        Self { bytes, metas: [RecvMeta::default(); SLOTS], entries: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn push(
        &mut self,
        range: Range<usize>,
        source: SocketAddr,
        destination: SocketAddr,
    ) {
        let Range { start, end } = range;
        self.entries.push(Entry { start, end, source, destination });
    }

    pub(super) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.entries.iter().map(|entry| Datagram {
            source: entry.source,
            destination: entry.destination,
            data: &self.bytes[entry.start..entry.end],
        })
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Room for what a stream brings.
    pub(super) fn stream(&mut self) -> &mut [u8] {
        &mut self.bytes[..STREAM]
    }

    /// Room for what a socket brings.
    pub(super) fn slots(&mut self) -> ([IoSliceMut<'_>; SLOTS], &mut [RecvMeta]) {
        let mut slots = self.bytes.chunks_exact_mut(STRIDE);
        let slots = std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
        (slots, &mut self.metas)
    }

    /// Where the datagrams of the first `messages` slots are, and who sent them.
    pub(super) fn received(
        &self,
        messages: usize,
    ) -> impl Iterator<Item = (SocketAddr, Range<usize>)> + use<> {
        let metas = self.metas;
        metas.into_iter().take(messages).enumerate().flat_map(|(slot, meta)| {
            let (first, stride) = (slot * STRIDE, meta.stride.max(1));
            let starts = (0..meta.len).step_by(stride);
            let end = move |start: usize| (start + stride).min(meta.len);
            starts.map(move |start| (meta.addr, first + start..first + end(start)))
        })
    }
}

/// Inboxes of a thread that nobody uses.
const SPARE: usize = 2;

thread_local! {
    #[expect(clippy::vec_box, reason = "it is moved between connections")]
    static INBOXES: RefCell<Vec<Box<Inbox>>> = const { RefCell::new(Vec::new()) };
}

/// An empty inbox.
pub(super) fn spare() -> Box<Inbox> {
    INBOXES.with_borrow_mut(Vec::pop).unwrap_or_else(|| Box::new(Inbox::new()))
}

/// Takes an inbox back.
pub(super) fn keep(mut inbox: Box<Inbox>) {
    inbox.clear();
    // A thread that ends keeps nothing.
    let _ = INBOXES.try_with(|inboxes| {
        let mut inboxes = inboxes.borrow_mut();
        if inboxes.len() < SPARE {
            inboxes.push(inbox);
        }
    });
}
