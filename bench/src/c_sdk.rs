//! The C SDK's figures by the project's design notes: C SDK 3.2.3 with mbedTLS 2.28 on the same kind of machine, mosquitto
//! with pre-shared keys and nginx on loopback. What `--peer` measures in the same run takes the place of the speeds.

/// MB/s of its sample, whatever the link.
pub const SAMPLE: f64 = 0.05;
/// MB/s of a FetchYield loop over HTTP, by buffer size.
pub const HTTP: [(usize, f64); 2] = [(5_000, 198.0), (65_536, 204.0)];
/// The same over HTTPS.
pub const HTTPS: [(usize, f64); 2] = [(5_000, 138.0), (65_536, 170.0)];
/// Peak heap of its sample, kB.
pub const HEAP: f64 = 180.0;
/// Peak resident memory of its sample, kB.
pub const RESIDENT: f64 = 2_700.0;
/// Its sample, static with mbedTLS, stripped, kB.
pub const SIZE: f64 = 675.0;
