//! The C SDK's figures where `--peer` does not measure one. Of its speeds only shares are here: what a machine does in a
//! second says nothing of another machine.

/// A FetchYield loop over HTTP with buffers of 64 kB, as a share of the limit of the same run.
pub const HTTP_SHARE: f64 = 0.50;
/// The same over HTTPS with TLS 1.2.
pub const HTTPS_SHARE: f64 = 0.27;
/// Peak heap of its sample, kB.
pub const HEAP: f64 = 180.0;
/// Peak resident memory of its sample, kB.
pub const RESIDENT: f64 = 2_700.0;
/// Its sample, static with mbedTLS, stripped, kB.
pub const SIZE: f64 = 675.0;
