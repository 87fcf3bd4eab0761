//! What can go wrong in an upgrade, with the numbers the C surface and the cloud know it by.

use std::fmt;

/// The last error of an OTA handle (`IOT_OTA_Error_Code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtaError {
    /// No error.
    #[default]
    None,
    /// Failed without a closer reason.
    Fail,
    /// A parameter is missing or out of range.
    InvalidParam,
    /// The call does not fit the present state.
    InvalidState,
    /// Out of memory.
    NoMemory,
    /// The download failed.
    FetchFailed,
    /// The firmware does not exist on the server.
    FetchNotExist,
    /// The server refused the URL's signature.
    FetchAuthFail,
    /// The server stayed silent.
    FetchTimeout,
    /// A report could not be published.
    SignalChannel,
    /// The cloud refused the version report.
    ReportVersion,
}

impl OtaError {
    /// The value of `IOT_OTA_Error_Code`.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            OtaError::None => 0,
            OtaError::Fail => -1,
            OtaError::InvalidParam => -2,
            OtaError::InvalidState => -3,
            OtaError::NoMemory => -4,
            OtaError::FetchFailed => -5,
            OtaError::FetchNotExist => -6,
            OtaError::FetchAuthFail => -7,
            OtaError::FetchTimeout => -8,
            OtaError::SignalChannel => -10,
            OtaError::ReportVersion => -11,
        }
    }
}

/// The `result_code` of a failure report (wire.md section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCode {
    /// The download timed out.
    Timeout,
    /// The file does not exist.
    NotExist,
    /// The authorisation failed, for instance because the URL's signature expired.
    Auth,
    /// The MD5 does not match.
    Md5Mismatch,
    /// The upgrade failed.
    Upgrade,
}

impl FailureCode {
    /// The number in the report.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            FailureCode::Timeout => -1,
            FailureCode::NotExist => -2,
            FailureCode::Auth => -3,
            FailureCode::Md5Mismatch => -4,
            FailureCode::Upgrade => -5,
        }
    }
}

/// Why a download failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the caller sees.
    pub error: OtaError,
    /// What the cloud sees.
    pub code: FailureCode,
    /// What happened, for the log and the report. Never holds a URL's query.
    pub text: String,
}

impl Failure {
    /// `IOT_OTA_ERR_FETCH_FAILED`: everything that has no code of its own.
    #[must_use]
    pub fn failed(text: impl Into<String>) -> Self {
        Failure { error: OtaError::FetchFailed, code: FailureCode::Upgrade, text: text.into() }
    }

    /// `IOT_OTA_ERR_FETCH_NOT_EXIST`.
    #[must_use]
    pub fn not_exist(text: impl Into<String>) -> Self {
        Failure { error: OtaError::FetchNotExist, code: FailureCode::NotExist, text: text.into() }
    }

    /// `IOT_OTA_ERR_FETCH_AUTH_FAIL`.
    #[must_use]
    pub fn auth(text: impl Into<String>) -> Self {
        Failure { error: OtaError::FetchAuthFail, code: FailureCode::Auth, text: text.into() }
    }

    /// `IOT_OTA_ERR_FETCH_TIMEOUT`.
    #[must_use]
    pub fn timeout(text: impl Into<String>) -> Self {
        Failure { error: OtaError::FetchTimeout, code: FailureCode::Timeout, text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own() {
        let all = [
            (OtaError::None, 0),
            (OtaError::Fail, -1),
            (OtaError::InvalidParam, -2),
            (OtaError::InvalidState, -3),
            (OtaError::NoMemory, -4),
            (OtaError::FetchFailed, -5),
            (OtaError::FetchNotExist, -6),
            (OtaError::FetchAuthFail, -7),
            (OtaError::FetchTimeout, -8),
            (OtaError::SignalChannel, -10),
            (OtaError::ReportVersion, -11),
        ];
        for (error, code) in all {
            assert_eq!(error.code(), code, "{error:?}");
        }
    }

    #[test]
    fn a_failure_says_what_happened() {
        assert_eq!(Failure::auth("the server answered 403").to_string(), "the server answered 403");
    }

    #[test]
    fn each_failure_reports_the_matching_pair() {
        let pairs = [
            (Failure::failed("x"), -5, -5),
            (Failure::not_exist("x"), -6, -2),
            (Failure::auth("x"), -7, -3),
            (Failure::timeout("x"), -8, -1),
        ];
        for (failure, error, code) in pairs {
            assert_eq!((failure.error.code(), failure.code.code()), (error, code));
        }
    }
}
