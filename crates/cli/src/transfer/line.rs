//! An open data connection with a task that sends, so that who says something need not wait until it is
//! said.

use std::time::Duration;

use peerway::{DataConnection, DataEvent};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use super::message::Message;
use super::reason::Refusal;

/// Messages that wait for the sending task.
const WAITING: usize = 4;
/// The other side may take so long to notice our end.
const FAREWELL: Duration = Duration::from_secs(6);
/// A connection may take so long to open only to be refused.
const LISTENING: Duration = Duration::from_secs(10);

/// When it is dropped, the connection closes at once and nothing that waits is said.
pub(crate) struct Line {
    connection: DataConnection,
    /// Gone when nothing more is to be said.
    messages: Option<mpsc::Sender<Message>>,
    sending: JoinHandle<()>,
}

impl Line {
    pub(crate) fn new(connection: DataConnection) -> Self {
        let (messages, mut waiting) = mpsc::channel::<Message>(WAITING);
        let own = connection.clone();
        let sending = tokio::spawn(async move {
            while let Some(message) = waiting.recv().await {
                if let Err(error) = own.send(message.into_value()).await {
                    tracing::debug!(%error, "a message was not sent");
                    break;
                }
            }
        });
        Self { connection, messages: Some(messages), sending }
    }

    pub(crate) fn connection(&self) -> &DataConnection {
        &self.connection
    }

    pub(crate) fn peer(&self) -> &str {
        self.connection.peer()
    }

    /// Where messages are put.
    pub(crate) fn messages(&self) -> Option<mpsc::Sender<Message>> {
        self.messages.clone()
    }

    /// Closes the connection when everything was said, and waits until the other side knows.
    pub(crate) async fn finish(mut self) {
        self.messages = None;
        let (connection, sending) = (&self.connection, &mut self.sending);
        let said = async {
            let _ = sending.await;
            connection.close();
            std::future::pending::<()>().await;
        };
        // Nothing that comes now is of interest, but the end is.
        let ended = async {
            while !matches!(connection.next_event().await, Some(DataEvent::Close) | None) {}
        };
        let farewell = async {
            tokio::select! {
                () = said => {}
                () = ended => {}
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.sending.abort();
        self.connection.close();
    }
}

/// Tells somebody why not, and closes.
pub(crate) fn turn_away(connection: DataConnection, refusal: Refusal, place: OwnedSemaphorePermit) {
    tokio::spawn(async move {
        let tell = async {
            connection.opened().await.ok()?;
            connection.send(Message::Cancel(refusal).into_value()).await.ok()
        };
        let _ = tokio::time::timeout(LISTENING, tell).await;
        connection.close();
        drop(place);
    });
}
