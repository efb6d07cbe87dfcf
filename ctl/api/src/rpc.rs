//! The JSON-RPC 2.0 envelope: one line of bytes to calls, results to one line of bytes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{ErrorCode, RpcError};
use crate::request::Request;

/// What ties a reply to its request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(i64),
    /// A string.
    Text(String),
    /// Of a reply to what could not be understood.
    #[default]
    Null,
}

/// A request that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Where the reply goes; `None` = a notification: carry it out, answer nothing.
    pub id: Option<Id>,
    /// What is asked.
    pub request: Request,
}

/// A request that was not: answer `error` to `id`, or nothing where there is none (a notification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The request's id; [`Id::Null`] when it could not be told.
    pub id: Option<Id>,
    /// What is wrong with it.
    pub error: RpcError,
}

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// One request.
    One(Result<Call, Rejected>),
    /// A batch of at least one. Carry it out in order; answer with one [`batch`].
    Batch(Vec<Result<Call, Rejected>>),
}

/// Understands a line. Anything a peer may send gives a message: what is wrong becomes the error to answer.
pub fn decode(line: &[u8]) -> Message {
    match serde_json::from_slice(line) {
        Ok(Value::Array(items)) if items.is_empty() => {
            Message::One(Err(reject(Id::Null, ErrorCode::InvalidRequest, "a batch must not be empty")))
        }
        Ok(Value::Array(items)) => Message::Batch(items.into_iter().map(call).collect()),
        Ok(value) => Message::One(call(value)),
        Err(e) => {
            let what = format!("not JSON: {e} (a request is one object on one line)");
            Message::One(Err(reject(Id::Null, ErrorCode::Parse, what)))
        }
    }
}

fn reject(id: Id, code: ErrorCode, message: impl Into<String>) -> Rejected {
    Rejected { id: Some(id), error: RpcError::new(code, message) }
}

fn call(value: Value) -> Result<Call, Rejected> {
    let Value::Object(mut object) = value else {
        return Err(reject(Id::Null, ErrorCode::InvalidRequest, "a request is an object"));
    };
    let invalid =
        |id: &Option<Id>, what: &str| reject(id.clone().unwrap_or_default(), ErrorCode::InvalidRequest, what);
    let id = take_id(&mut object)?;
    if object.remove("jsonrpc") != Some(Value::String("2.0".to_owned())) {
        return Err(invalid(&id, r#"a request says "jsonrpc":"2.0""#));
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return Err(invalid(&id, r#"a request names its "method", a string"#));
    };
    let params = object.remove("params");
    if let Some(other) = object.keys().next() {
        return Err(invalid(
            &id,
            &format!("unknown member `{other}`: jsonrpc, id, method and params are known"),
        ));
    }
    match Request::parse(&method, params) {
        Ok(request) => Ok(Call { id, request }),
        Err(error) => Err(Rejected { id, error }),
    }
}

/// An absent id marks a notification; null is an id.
fn take_id(object: &mut Map<String, Value>) -> Result<Option<Id>, Rejected> {
    object
        .remove("id")
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| reject(Id::Null, ErrorCode::InvalidRequest, "an id is a string, an integer or null"))
}

#[derive(Serialize)]
struct RequestEnvelope<'a> {
    jsonrpc: &'static str,
    id: &'a Id,
    #[serde(flatten)]
    request: &'a Request,
}

#[derive(Serialize)]
struct ResultEnvelope<'a, T> {
    jsonrpc: &'static str,
    result: &'a T,
    id: &'a Id,
}

#[derive(Serialize)]
struct ErrorEnvelope<'a> {
    jsonrpc: &'static str,
    error: &'a RpcError,
    id: &'a Id,
}

/// A request, without the newline.
pub fn request(id: &Id, request: &Request) -> Vec<u8> {
    to_bytes(&RequestEnvelope { jsonrpc: "2.0", id, request })
}

/// A reply, without the newline.
pub fn reply<T: Serialize>(id: &Id, outcome: &Result<T, RpcError>) -> Vec<u8> {
    match outcome {
        Ok(result) => to_bytes(&ResultEnvelope { jsonrpc: "2.0", result, id }),
        Err(error) => to_bytes(&ErrorEnvelope { jsonrpc: "2.0", error, id }),
    }
}

/// Requests or replies as one array, without the newline; `None` for none (a batch of notifications is not
/// answered).
pub fn batch<I: IntoIterator<Item = Vec<u8>>>(items: I) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for item in items {
        out.push(if out.is_empty() { b'[' } else { b',' });
        out.extend_from_slice(&item);
    }
    if out.is_empty() {
        return None;
    }
    out.push(b']');
    Some(out)
}

/// JSON of our own types: no map with keys that are not strings, no failing `Serialize`, so it cannot fail.
fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("types of this crate are JSON")
}

/// A reply as it arrives.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(crate) struct Incoming<T> {
    pub(crate) result: Option<T>,
    pub(crate) error: Option<RpcError>,
    #[serde(default)]
    pub(crate) id: Id,
}
