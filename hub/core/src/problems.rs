//! Problems that more than one part of the hub finds, in one wording each.

use crate::devices::{Device, MAX_TAGS};
use crate::model::{Firmware, Problem, ProblemCode, ProblemKind, Role};
use crate::ota::rules;

/// There is no such firmware.
pub fn no_firmware(id: i64) -> Problem {
    Problem::unknown(format!("There is no firmware {id}.")).coded(ProblemCode::FirmwareUnknown, &[("id", &id)])
}

/// An order for certain devices that reaches none of them.
pub fn nobody_reached(version: &str, from_versions: &[String]) -> Problem {
    Problem::conflict(if from_versions.is_empty() {
        format!("Every one of these devices runs {version} already.")
    } else {
        let versions: Vec<String> = from_versions.iter().map(|version| format!("{version:?}")).collect();
        format!("None of these devices runs one of the versions {}.", rules::join(&versions))
    })
}

/// There is no such device.
pub fn no_device(client_id: &str) -> Problem {
    Problem::unknown(format!("There is no device {client_id:?}."))
        .coded(ProblemCode::DeviceUnknown, &[("client_id", &client_id)])
}

/// There is no device of such a product.
pub fn no_product(product_id: &str) -> Problem {
    Problem::unknown(format!("There is no device of product {product_id:?}."))
        .coded(ProblemCode::ProductUnknown, &[("product", &product_id)])
}

/// A device that cannot be asked.
pub fn does_not_listen(client_id: &str) -> Problem {
    Problem::conflict(format!("{client_id} is not connected, or has not subscribed to requests."))
        .coded(ProblemCode::DeviceDeaf, &[("client_id", &client_id)])
}

/// There is no such request.
pub fn no_rrpc(id: i64) -> Problem {
    Problem::unknown(format!("There is no request {id}.")).coded(ProblemCode::RrpcUnknown, &[("id", &id)])
}

/// A product without a configuration.
pub fn no_config(product_id: &str) -> Problem {
    Problem::unknown(format!("There is no configuration of product {product_id:?}."))
        .coded(ProblemCode::ConfigUnknown, &[("product", &product_id)])
}

/// A device has one gateway at most.
pub fn device_bound(client_id: &str, gateway: &str) -> Problem {
    Problem::conflict(format!("The device {client_id} is bound to {gateway} already: unbind it there first."))
        .coded(ProblemCode::DeviceBound, &[("client_id", &client_id), ("gateway", &gateway)])
}

/// Nothing to unbind.
pub fn device_not_bound(client_id: &str, gateway: &str) -> Problem {
    Problem::conflict(format!("The device {client_id} is not bound to {gateway}."))
        .coded(ProblemCode::DeviceNotBound, &[("client_id", &client_id), ("gateway", &gateway)])
}

/// A message would get lost.
pub fn gateway_deaf(client_id: &str) -> Problem {
    Problem::conflict(format!("The device {client_id} does not listen as a gateway now."))
        .coded(ProblemCode::GatewayDeaf, &[("client_id", &client_id)])
}

/// There is no such order.
pub fn no_upgrade(id: i64) -> Problem {
    Problem::unknown(format!("There is no upgrade {id}.")).coded(ProblemCode::UpgradeUnknown, &[("id", &id)])
}

/// An order without stages.
pub fn no_roll_out(id: i64) -> Problem {
    Problem::conflict(format!("Upgrade {id} was ordered without a roll-out: it has reached all its devices."))
        .coded(ProblemCode::RollOutMissing, &[("id", &id)])
}

/// All stages have begun.
pub fn no_next_stage(id: i64) -> Problem {
    Problem::conflict(format!("The last stage of upgrade {id} has begun already."))
        .coded(ProblemCode::LastStageBegun, &[("id", &id)])
}

/// Nothing goes on before it is resumed.
pub fn upgrade_stopped(id: i64) -> Problem {
    Problem::conflict(format!("Upgrade {id} has stopped: resume it first, or cancel it."))
        .coded(ProblemCode::UpgradeStopped, &[("id", &id)])
}

/// Nothing to resume.
pub fn upgrade_not_stopped(id: i64) -> Problem {
    Problem::conflict(format!("Upgrade {id} has not stopped.")).coded(ProblemCode::UpgradeNotStopped, &[("id", &id)])
}

/// Nothing to stop.
pub fn upgrade_over(id: i64) -> Problem {
    Problem::conflict(format!("Upgrade {id} has ended: there is nobody whom it would still tell."))
        .coded(ProblemCode::UpgradeOver, &[("id", &id)])
}

/// Nothing goes on any more.
pub fn upgrade_cancelled(id: i64) -> Problem {
    Problem::conflict(format!("Upgrade {id} was cancelled: give a new order."))
        .coded(ProblemCode::UpgradeCancelled, &[("id", &id)])
}

/// The name is taken.
pub fn user_exists(name: &str) -> Problem {
    Problem::conflict(format!("There is already a user {name:?}: remove it first."))
        .coded(ProblemCode::UserExists, &[("name", &name)])
}

/// There is no such user.
pub fn no_user(name: &str) -> Problem {
    Problem::unknown(format!("There is no user {name:?}.")).coded(ProblemCode::UserUnknown, &[("name", &name)])
}

/// Who may not do that.
pub fn role_lacking(name: &str, needed: Role) -> Problem {
    let role = needed.word();
    Problem::new(ProblemKind::Forbidden, format!("{name} may not do this: it needs the role {role:?}."))
        .coded(ProblemCode::RoleLacking, &[("role", &role)])
}

/// A device would have more tags than it may.
pub fn too_many_tags(client_id: &str) -> Problem {
    Problem::conflict(format!("The device {client_id} would have more than {MAX_TAGS} tags."))
        .coded(ProblemCode::TagsTooMany, &[("client_id", &client_id), ("max", &MAX_TAGS)])
}

/// Two devices of different products can make one client id.
pub fn client_id_taken(client_id: &str, there: &Device) -> Problem {
    Problem::conflict(format!(
        "There is already a device with the client id {client_id}: {} of product {}.",
        there.device_name, there.product_id
    ))
    .coded(
        ProblemCode::ClientIdTaken,
        &[("client_id", &client_id), ("product", &there.product_id), ("name", &there.device_name)],
    )
}

/// The version is taken.
pub fn firmware_exists(product_id: &str, version: &str) -> Problem {
    Problem::conflict(format!(
        "Product {product_id} already has firmware {version}. Remove it first, or give this one another version."
    ))
    .coded(ProblemCode::FirmwareExists, &[("product", &product_id), ("version", &version)])
}

/// The file name is taken.
pub fn file_name_taken(other: &Firmware) -> Problem {
    Problem::conflict(format!(
        "Firmware {} of product {} has the same file name: give this one another version.",
        other.version, other.product_id
    ))
    .coded(ProblemCode::FileNameTaken, &[("product", &other.product_id), ("version", &other.version)])
}

/// An order that stands, or one with an unfinished job.
pub fn firmware_needed(upgrade: i64, firmware: &Firmware) -> Problem {
    let Firmware { product_id, version, .. } = firmware;
    Problem::conflict(format!(
        "Upgrade {upgrade} still needs firmware {version} of product {product_id}: cancel it, or wait for its end."
    ))
    .coded(ProblemCode::FirmwareNeeded, &[("upgrade", &upgrade), ("product", product_id), ("version", version)])
}
