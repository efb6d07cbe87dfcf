//! One client of the control socket: lines in, replies out, in order.
//!
//! A client has one request under way at a time, so what it may make the daemon hold is one request line and one reply.

use std::rc::Rc;
use std::time::Duration;

use sluice_api::framing::{LineBuffer, MAX_REQUEST};
use sluice_api::{ErrorCode, Id, Message, Rejected, Reply, RpcError, rpc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::time::timeout;

use super::plane::Shared;
use super::verbs;

/// How long a client may go on sending after its stream has become useless, so that it can read why.
const LINGER: Duration = Duration::from_secs(2);
/// Requests of a batch between two chances for the other clients.
const BATCH_TURN: usize = 64;
/// Bytes of replies to a batch beyond which nothing more is read for it: many listings in one batch multiply.
const BATCH_BYTES: usize = 64 << 20;

/// Serves a client until it leaves, stalls, or sends a line over the limit.
pub(super) async fn run(stream: UnixStream, shared: &Rc<Shared>, stall: Duration) {
    let (mut reader, mut writer) = stream.into_split();
    let mut lines = LineBuffer::new(MAX_REQUEST);
    let mut chunk = vec![0; 64 << 10];
    loop {
        match lines.next_line() {
            Ok(Some(line)) => {
                if let Some(reply) = answer(shared, &line).await
                    && !write_line(&mut writer, reply, stall).await
                {
                    return;
                }
            }
            Ok(None) => match reader.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(read) => lines.extend(chunk.get(..read).unwrap_or_default()),
            },
            Err(too_long) => {
                let message = format!("{too_long}: send it in parts");
                let error = RpcError::new(ErrorCode::TooBig, message);
                if write_line(&mut writer, rpc::reply::<()>(&Id::Null, &Err(error)), stall).await {
                    let rest = async { while reader.read(&mut chunk).await.is_ok_and(|read| read > 0) {} };
                    let _ = timeout(LINGER, rest).await;
                }
                return;
            }
        }
    }
}

/// Tells a client why it is not served.
pub(super) async fn refuse(stream: UnixStream, error: RpcError, stall: Duration) {
    let (_reader, mut writer) = stream.into_split();
    write_line(&mut writer, rpc::reply::<()>(&Id::Null, &Err(error)), stall).await;
}

/// The reply to a line; `None` for notifications. Whatever the line has changed is applied on all lcores, and kept.
async fn answer(shared: &Rc<Shared>, line: &[u8]) -> Option<Vec<u8>> {
    match rpc::decode(line) {
        Message::One(call) => {
            let answer = Answer::to(shared, call, true).await;
            let settled = settle(shared, answer.iter()).await;
            answer.and_then(|answer| answer.encoded(&settled))
        }
        Message::Batch(calls) => {
            let mut answers = Vec::with_capacity(calls.len());
            let mut bytes = 0;
            for (turn, call) in calls.into_iter().enumerate() {
                let answer = Answer::to(shared, call, bytes < BATCH_BYTES).await;
                bytes += answer.as_ref().map_or(0, Answer::len);
                answers.extend(answer);
                if turn % BATCH_TURN == BATCH_TURN - 1 {
                    tokio::task::yield_now().await;
                }
            }
            let settled = settle(shared, answers.iter()).await;
            rpc::batch(answers.into_iter().filter_map(|answer| answer.encoded(&settled)))
        }
    }
}

/// An answer that may have to wait until it is known whether the lcores have taken the change over.
enum Answer {
    Changed(Option<Id>, Reply),
    Ready(Option<Vec<u8>>),
}

impl Answer {
    /// Carries out a request. Without `room` for its answer, one that only reads is refused.
    async fn to(shared: &Rc<Shared>, call: Result<rpc::Call, Rejected>, room: bool) -> Option<Self> {
        let (id, result) = match call {
            Ok(call) if call.request.is_read() && !room => (call.id, Err(too_much())),
            Ok(call) => (call.id, verbs::carry_out(shared, call.request).await),
            Err(Rejected { id, error }) => (id, Err(verbs::explain(error))),
        };
        Some(match result {
            Ok(reply @ Reply::Applied(_)) => Self::Changed(id, reply),
            result => Self::Ready(Some(rpc::reply(&id?, &result))),
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Changed(..) => 0,
            Self::Ready(line) => line.as_ref().map_or(0, Vec::len),
        }
    }

    /// The reply as it is sent, once it is known what became of the change.
    fn encoded(self, settled: &Settled) -> Option<Vec<u8>> {
        match self {
            Self::Changed(id, reply) => {
                Some(rpc::reply(&id?, &settled.clone().map(|trouble| warned(reply, trouble))))
            }
            Self::Ready(line) => line,
        }
    }
}

/// What became of changes: an lcore did not take them over, or they could not be written to the state file, or neither.
type Settled = Result<Option<String>, RpcError>;

/// Waits until whatever `answers` have changed works on all lcores and will survive a restart.
async fn settle(shared: &Shared, mut answers: impl Iterator<Item = &Answer>) -> Settled {
    shared.applied().await?;
    if answers.any(|answer| matches!(answer, Answer::Changed(..))) {
        Ok(shared.kept().await)
    } else {
        Ok(None)
    }
}

fn warned(reply: Reply, trouble: Option<String>) -> Reply {
    match (reply, trouble) {
        (Reply::Applied(mut applied), Some(trouble)) => {
            applied.warnings.push(format!("in force, but a restart would lose it: {trouble}"));
            Reply::Applied(applied)
        }
        (reply, _) => reply,
    }
}

fn too_much() -> RpcError {
    let message = format!("the replies to this batch are over {} MiB: ask in parts", BATCH_BYTES >> 20);
    RpcError::new(ErrorCode::TooBig, message)
}

/// Writes a reply; `false` where the client is gone or takes nothing.
async fn write_line(writer: &mut OwnedWriteHalf, mut line: Vec<u8>, stall: Duration) -> bool {
    line.push(b'\n');
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        match timeout(stall, writer.write(rest)).await {
            Ok(Ok(written)) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}
