//! Orders to upgrade.

use std::collections::BTreeSet;

use crate::firmware::check_version;
use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::ota::rules;
use crate::ports::store::{NewOrder, Outcome, Stored};

impl Hub {
    /// Gives an order. Devices that are there are told at once, the others when they come.
    pub fn order_upgrade(&self, what: OrderUpgrade) -> Outcome<Upgrade> {
        check(&what)?;
        let (stored, devices) = self.store.firmware_and_devices(what.firmware_id)?;
        let wanted = select(&what, &stored.firmware, devices)?;
        self.place(&stored, what.scope, &what.from_versions, wanted)
    }

    /// Gives an order for these devices.
    pub(crate) fn place(
        &self,
        stored: &Stored,
        scope: Scope,
        from_versions: &[String],
        devices: Vec<Device>,
    ) -> Outcome<Upgrade> {
        let now = now_ms();
        if self.site.url(stored, now / 1000).is_none() {
            return Err(Problem::conflict(
                "The hub's firmware server is switched off: devices could not fetch anything.",
            )
            .coded(ProblemCode::FirmwareServerOff, &[]));
        }
        let order = NewOrder { firmware_id: stored.firmware.id, scope, from_versions, devices: &devices };
        let (id, jobs, touched) = self.store.add_order(&order, now)?;
        self.send_commands(&jobs)?;
        self.notify(&touched);
        self.store.upgrade(id)
    }

    /// Calls off what has not begun: jobs that wait end, jobs that run go on.
    ///
    /// A device that was told and has reported nothing has not begun as far as anybody knows. Where it upgrades all the
    /// same, its job comes to life again.
    pub fn cancel_upgrade(&self, id: i64) -> Outcome<Upgrade> {
        let (upgrade, touched) = self.store.cancel_upgrade(id, now_ms())?;
        self.notify(&touched);
        Ok(upgrade)
    }
}

/// Whether an order's fields go together.
fn check(what: &OrderUpgrade) -> Outcome<()> {
    if what.scope != Scope::Chosen && !what.devices.is_empty() {
        return Err(Problem::invalid("`devices` goes with scope `chosen` only."));
    }
    if what.scope != Scope::Listed && !what.list.is_empty() {
        return Err(Problem::invalid("`list` goes with scope `listed` only."));
    }
    if what.scope == Scope::Listed && !what.from_versions.is_empty() {
        return Err(Problem::invalid(
            "`from_versions` does not go with scope `listed`: a list takes devices whatever they run.",
        ));
    }
    if what.scope == Scope::Chosen && what.devices.is_empty() {
        return Err(Problem::invalid("No device is chosen."));
    }
    for version in &what.from_versions {
        check_version(version).map_err(|what| Problem::invalid(format!("`from_versions`: {what}: {version:?}.")))?;
    }
    Ok(())
}

/// The devices an order reaches now. `devices` are those of the product, in order of client id.
fn select(what: &OrderUpgrade, firmware: &Firmware, devices: Vec<Device>) -> Outcome<Vec<Device>> {
    let Firmware { product_id, version, .. } = firmware;
    let named: Option<BTreeSet<String>> = match what.scope {
        Scope::All => None,
        Scope::Chosen => Some(what.devices.iter().cloned().collect()),
        Scope::Listed => {
            Some(rules::read_list(&what.list, product_id, &devices).map_err(Problem::invalid)?.into_iter().collect())
        }
    };
    if let Some(named) = &named {
        let known: BTreeSet<&String> = devices.iter().map(|device| &device.client_id).collect();
        let unknown: Vec<String> = named.iter().filter(|id| !known.contains(id)).map(|id| format!("{id:?}")).collect();
        if !unknown.is_empty() {
            let unknown = rules::join(&unknown);
            return Err(Problem::invalid(format!("There is no such device of product {product_id}: {unknown}.")));
        }
    }
    let wanted: Vec<Device> = devices
        .into_iter()
        .filter(|device| named.as_ref().is_none_or(|named| named.contains(&device.client_id)))
        .filter(|device| rules::reaches(what.scope, &what.from_versions, version, device.version.as_deref()))
        .collect();
    if wanted.is_empty() && what.scope != Scope::All {
        return Err(Problem::conflict(if what.from_versions.is_empty() {
            format!("Every one of these devices runs {version} already.")
        } else {
            let versions: Vec<String> = what.from_versions.iter().map(|version| format!("{version:?}")).collect();
            format!("None of these devices runs one of the versions {}.", rules::join(&versions))
        }));
    }
    Ok(wanted)
}
