//! What can go wrong with a resource, with the numbers the C surface and the cloud know it by.

use crate::services::ota::{FailureCode, OtaError};

/// The last error of a download or an upload (`QCLOUD_RESOURCE_ERR_CODE_E`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResourceError {
    /// No error.
    #[default]
    None,
    /// The cloud refused.
    Fail,
    /// A parameter is missing or out of range.
    InvalidParam,
    /// The call does not fit the present state.
    InvalidState,
    /// The transfer failed.
    FetchFailed,
    /// The server has no such file.
    FetchNotExist,
    /// The server refused the URL's signature.
    FetchAuthFail,
    /// The server stayed silent.
    FetchTimeout,
    /// Out of memory.
    NoMemory,
    /// What was asked for could not be published.
    NotPublished,
}

impl ResourceError {
    /// The value of `QCLOUD_RESOURCE_ERR_CODE_E`.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            ResourceError::None => 0,
            ResourceError::Fail => -1,
            ResourceError::InvalidParam => -2,
            ResourceError::InvalidState => -3,
            ResourceError::FetchFailed => -5,
            ResourceError::FetchNotExist => -6,
            ResourceError::FetchAuthFail => -7,
            ResourceError::FetchTimeout => -8,
            ResourceError::NoMemory => -9,
            ResourceError::NotPublished => -10,
        }
    }
}

/// A transfer fails as one of firmware does.
impl From<OtaError> for ResourceError {
    fn from(error: OtaError) -> Self {
        match error {
            OtaError::FetchNotExist => ResourceError::FetchNotExist,
            OtaError::FetchAuthFail => ResourceError::FetchAuthFail,
            OtaError::FetchTimeout => ResourceError::FetchTimeout,
            _ => ResourceError::FetchFailed,
        }
    }
}

/// The `result_code` of a failure report. Each has a fixed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultCode {
    /// The transfer took too long, or failed without a closer reason.
    Timeout,
    /// The server has no such file.
    NotExist,
    /// The server refused the URL's signature.
    SignInvalid,
    /// The MD5 does not match.
    Md5Mismatch,
}

impl ResultCode {
    /// What the library reports itself of a transfer that failed so; `None`: nothing, the program does.
    #[must_use]
    pub fn of(code: FailureCode) -> Option<Self> {
        match code {
            FailureCode::Timeout => Some(ResultCode::Timeout),
            FailureCode::NotExist => Some(ResultCode::NotExist),
            FailureCode::Auth => Some(ResultCode::SignInvalid),
            FailureCode::Md5Mismatch => Some(ResultCode::Md5Mismatch),
            FailureCode::Upgrade => None,
        }
    }

    /// The number in the report.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            ResultCode::Timeout => -1,
            ResultCode::NotExist => -2,
            ResultCode::SignInvalid => -3,
            ResultCode::Md5Mismatch => -4,
        }
    }

    /// The text in the report.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            ResultCode::Timeout => "time_out",
            ResultCode::NotExist => "file_not_exist",
            ResultCode::SignInvalid => "sign invalid",
            ResultCode::Md5Mismatch => "md5sum not matched",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_the_contracts() {
        let all = [
            (ResourceError::None, 0),
            (ResourceError::Fail, -1),
            (ResourceError::InvalidParam, -2),
            (ResourceError::InvalidState, -3),
            (ResourceError::FetchFailed, -5),
            (ResourceError::FetchNotExist, -6),
            (ResourceError::FetchAuthFail, -7),
            (ResourceError::FetchTimeout, -8),
            (ResourceError::NoMemory, -9),
            (ResourceError::NotPublished, -10),
        ];
        for (error, code) in all {
            assert_eq!(error.code(), code, "{error:?}");
        }
    }

    #[test]
    fn a_failed_transfer_has_its_error_and_its_report() {
        let rows = [
            (OtaError::FetchFailed, FailureCode::Upgrade, -5, None),
            (OtaError::FetchNotExist, FailureCode::NotExist, -6, Some((-2, "file_not_exist"))),
            (OtaError::FetchAuthFail, FailureCode::Auth, -7, Some((-3, "sign invalid"))),
            (OtaError::FetchTimeout, FailureCode::Timeout, -8, Some((-1, "time_out"))),
            (OtaError::FetchFailed, FailureCode::Md5Mismatch, -5, Some((-4, "md5sum not matched"))),
        ];
        for (error, code, number, report) in rows {
            assert_eq!(ResourceError::from(error).code(), number);
            assert_eq!(ResultCode::of(code).map(|code| (code.code(), code.text())), report);
        }
    }
}
