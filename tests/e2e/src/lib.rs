//! The harness of the whole-system tests: compiled C samples as processes, with real or scripted peers on loopback.
//!
//! Everything here panics on failure, as tests do. Whatever was started ends with the value that started it, and a
//! test that panics prints the output of each of its processes.
//!
//! No test waits by the clock: [`Log::wait`] blocks until what a test needs has been said, and [`LIMIT`] only bounds
//! how long a broken test hangs.

use std::time::Duration;

mod balancer;
mod broker;
mod build;
mod desk;
mod device;
mod field;
mod firmware;
mod hub;
mod late;
mod listener;
mod log;
mod mosquitto;
mod nginx;
mod object_store;
mod openssh;
mod pki;
mod ports;
mod process;
mod rabbitmq;
mod report;
mod rows;
mod sample;
mod secrets;
mod server;
mod street;

pub use balancer::Balancer;
pub use broker::{publish, Broker, Packet, Reaction, CONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, SUBSCRIBE};
pub use build::{missing, Build};
pub use desk::Desk;
pub use device::Device;
pub use field::{Field, FIRMWARE_PATH, FIRMWARE_SIZE};
pub use firmware::Firmware;
pub use hub::{Hub, HubSetup};
pub use late::Late;
pub use log::Log;
pub use mosquitto::Mosquitto;
pub use nginx::Nginx;
pub use object_store::ObjectStore;
pub use openssh::OpenSsh;
pub use pki::{openssl, Authority, Identity, Validity};
pub use ports::ReservedPort;
pub use process::{Finished, Process};
pub use rabbitmq::{RabbitMq, Sessions};
pub use report::{assert_good_run, ends, failures, reports, Report};
pub use rows::each_row;
pub use sample::Sample;
pub use secrets::Secrets;
pub use server::{Answer, Gate, Request, Server};
pub use street::{Site, Street};

/// How long anything may take before a test gives up. Far above what a loaded machine needs.
pub const LIMIT: Duration = Duration::from_secs(100);
