//! The answer to a poll.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use peerway_protocol::engineio::{self, Packet};

use super::Application;
use super::polling::{BodyForm, Polling};

/// Packets that answer a poll. Where they were not even begun to be written they go back, to be
/// the next answer.
pub(super) struct Answer<A: Application> {
    pub(super) packets: Vec<Packet<'static>>,
    pub(super) session: Arc<Polling<A>>,
}

impl<A: Application> Answer<A> {
    /// The form of the body and the body.
    pub(super) fn encode(mut self) -> (BodyForm, AnswerBody<A>) {
        let packets = std::mem::take(&mut self.packets);
        let (form, body) = match engineio::encode_body(&packets, self.session.takes_binary) {
            engineio::Body::Text(text) => (BodyForm::Text, text.into()),
            engineio::Body::Bytes(bytes) => (BodyForm::Bytes, bytes.into()),
        };
        (form, AnswerBody { body: Some(body), packets, session: self.session.clone() })
    }
}

/// See [`Answer`].
pub(super) struct AnswerBody<A: Application> {
    body: Option<Bytes>,
    packets: Vec<Packet<'static>>,
    session: Arc<Polling<A>>,
}

impl<A: Application> Body for AnswerBody<A> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.body.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

impl<A: Application> Drop for AnswerBody<A> {
    fn drop(&mut self) {
        if self.body.is_none() {
            return;
        }
        self.session.put_back(std::mem::take(&mut self.packets));
    }
}
