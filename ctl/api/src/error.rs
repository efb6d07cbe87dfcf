//! Refusals: JSON-RPC's own and the kernel's errno meanings.

use serde::{Deserialize, Serialize};

/// Why a request was refused. Application codes are the Linux errno numbers IPVS would give; `data.errno` of the
/// error object says the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// -32700: the line is no JSON.
    Parse,
    /// -32600: JSON, but no JSON-RPC 2.0 request.
    InvalidRequest,
    /// -32601: no such verb.
    MethodNotFound,
    /// -32602: the verb's parameters are not understood.
    InvalidParams,
    /// -32603: a fault of the daemon.
    Internal,
    /// EPERM (1): who asks may not.
    NotPermitted,
    /// ENOENT (2): no such real server in the service; no such mark rule; or no such scheduler, persistence engine or switch.
    NoSuchEntry,
    /// ESRCH (3): no such service; or no such sync daemon runs.
    NoSuchService,
    /// ENOMEM (12): no room.
    NoMemory,
    /// EEXIST (17): the service, real server or mark rule is there already.
    Exists,
    /// ENODEV (19): no such interface or port.
    NoDevice,
    /// EINVAL (22): understood, but makes no sense.
    Invalid,
    /// ERANGE (34): a number out of range.
    Range,
    /// EMSGSIZE (90): too big.
    TooBig,
    /// EOPNOTSUPP (95): Sluice does not do this.
    NotSupported,
    /// EAFNOSUPPORT (97): not with this address family.
    FamilyNotSupported,
}

impl ErrorCode {
    const ALL: [(Self, i32, Option<&'static str>); 16] = [
        (Self::Parse, -32700, None),
        (Self::InvalidRequest, -32600, None),
        (Self::MethodNotFound, -32601, None),
        (Self::InvalidParams, -32602, None),
        (Self::Internal, -32603, None),
        (Self::NotPermitted, 1, Some("EPERM")),
        (Self::NoSuchEntry, 2, Some("ENOENT")),
        (Self::NoSuchService, 3, Some("ESRCH")),
        (Self::NoMemory, 12, Some("ENOMEM")),
        (Self::Exists, 17, Some("EEXIST")),
        (Self::NoDevice, 19, Some("ENODEV")),
        (Self::Invalid, 22, Some("EINVAL")),
        (Self::Range, 34, Some("ERANGE")),
        (Self::TooBig, 90, Some("EMSGSIZE")),
        (Self::NotSupported, 95, Some("EOPNOTSUPP")),
        (Self::FamilyNotSupported, 97, Some("EAFNOSUPPORT")),
    ];

    /// The number on the wire.
    pub const fn code(self) -> i32 {
        Self::ALL[self as usize].1
    }

    /// The errno's name; `None` for JSON-RPC's own codes.
    pub const fn errno_name(self) -> Option<&'static str> {
        Self::ALL[self as usize].2
    }

    /// The meaning of a number on the wire, if it is one of these.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == code).map(|row| row.0)
    }
}

/// The error object of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// The number; see [`RpcError::kind`].
    pub code: i32,
    /// One line for the operator: what is wrong and, where it helps, what to do.
    pub message: String,
    /// The errno's name, for application codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<ErrorData>,
}

/// The `data` of an error object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// The errno's name: `"EEXIST"`.
    pub errno: String,
}

impl RpcError {
    /// An error of this kind.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let data = code.errno_name().map(|name| ErrorData { errno: name.to_owned() });
        Self { code: code.code(), message: message.into(), data }
    }

    /// What kind it is; `None` for a number this version does not know.
    pub fn kind(&self) -> Option<ErrorCode> {
        ErrorCode::from_code(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, (code, number, _)) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
            assert_eq!(ErrorCode::from_code(*number), Some(*code));
            assert_eq!(code.code(), *number);
        }
        assert_eq!(ErrorCode::from_code(7), None);
    }

    #[test]
    fn errno_goes_into_data() {
        let e = RpcError::new(ErrorCode::Exists, "x");
        assert_eq!(
            serde_json::to_string(&e).unwrap(),
            r#"{"code":17,"message":"x","data":{"errno":"EEXIST"}}"#
        );
        let e = RpcError::new(ErrorCode::Parse, "x");
        assert_eq!(serde_json::to_string(&e).unwrap(), r#"{"code":-32700,"message":"x"}"#);
    }
}
