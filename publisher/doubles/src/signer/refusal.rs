//! JSON-RPC errors in Web3Signer's words, and the HTTP status that goes with each.

use axum::http::StatusCode;

/// Why a JSON-RPC call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Parse,
    InvalidRequest,
    InvalidParams,
    Internal,
    UnknownSender,
    NoDownstream,
}

impl Refusal {
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Parse => -32_700,
            Self::InvalidRequest => -32_600,
            Self::InvalidParams => -32_602,
            Self::Internal => -32_603,
            Self::UnknownSender | Self::NoDownstream => -32_000,
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Parse => "Parse error",
            Self::InvalidRequest => "Invalid Request",
            Self::InvalidParams => "Invalid params",
            Self::Internal => "Internal error",
            Self::UnknownSender => "No unlocked account matches the Sender",
            Self::NoDownstream => "Failed to connect to downstream node",
        }
    }

    /// Malformed requests are the client's fault in HTTP too; everything else is a JSON-RPC matter.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Parse | Self::InvalidRequest | Self::InvalidParams => StatusCode::BAD_REQUEST,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UnknownSender | Self::NoDownstream => StatusCode::OK,
        }
    }
}
