//! Orders to upgrade.

use std::collections::BTreeSet;

use super::tags::check as check_tags;
use crate::firmware::check_version;
use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::ota::{roll_out, rules};
use crate::ports::store::{NewOrder, Outcome, Reachable, Stored};

/// Devices that are told while whoever orders waits; the sweep tells the others.
const TOLD_AT_ONCE: u64 = 1000;
/// Unknown names that an answer has at most.
const NAMED: usize = 20;

impl Hub {
    /// Gives an order. Devices that are there are told at once, the others when they come; with a roll-out, when their turn comes.
    pub fn order_upgrade(&self, what: OrderUpgrade) -> Outcome<Upgrade> {
        check(&what)?;
        let stored = self.store.firmware(what.firmware_id)?;
        let named = self.named(&what, &stored.firmware.product_id)?;
        if stored.path.is_none() {
            self.site.home(&stored.file_name)?.check(&stored.file_name, stored.firmware.size)?;
        }
        self.place(&stored, &new_order(&what, named.as_deref()))
    }

    /// Whom an order would reach, if it were given now.
    pub fn reach(&self, what: &OrderUpgrade) -> Outcome<Reach> {
        check(what)?;
        let Firmware { product_id, .. } = self.store.firmware(what.firmware_id)?.firmware;
        let named = client_ids(what, &product_id)?;
        let unknown = named.as_deref().map(|named| self.store.unknown_devices(&product_id, named)).transpose()?;
        let unknown = unknown.unwrap_or_default();
        let order = new_order(what, named.as_deref());
        let Reachable { devices, replaced, some } = self.store.reach(&order, TOLD_AT_ONCE)?;
        let there = |online: u64, id: &String| Some(online + u64::from(self.is_online(id)?));
        let is_all = devices == some.len() as u64;
        let online = if is_all { some.iter().try_fold(0, there) } else { None };
        let known = named.map_or(devices, |named| (named.len() - unknown.len()) as u64);
        let name = |id: &String| id.strip_prefix(&product_id).unwrap_or(id).to_owned();
        Ok(Reach {
            devices,
            online,
            replaced,
            left_out: known.saturating_sub(devices),
            unknown: unknown.len() as u64,
            unknown_names: unknown.iter().take(NAMED).map(name).collect(),
        })
    }

    /// Gives an order for a firmware.
    pub(crate) fn place(&self, stored: &Stored, order: &NewOrder<'_>) -> Outcome<Upgrade> {
        let now = now_ms();
        if self.site.url(stored, now / 1000).is_none() {
            return Err(Problem::conflict(
                "The hub's firmware server is switched off: devices could not fetch anything.",
            )
            .coded(ProblemCode::FirmwareServerOff, &[]));
        }
        let (id, touched) = self.store.add_order(order, now)?;
        if order.plan.is_none() {
            let jobs = self.store.claim_first(id, TOLD_AT_ONCE, now_ms())?;
            self.send_commands(&jobs)?;
        }
        self.notify(&touched);
        self.store.upgrade(id)
    }

    /// The client ids that an order names, which must be known; `None` where it names none.
    fn named(&self, what: &OrderUpgrade, product_id: &str) -> Outcome<Option<Vec<String>>> {
        let Some(named) = client_ids(what, product_id)? else {
            return Ok(None);
        };
        let unknown = self.store.unknown_devices(product_id, &named)?;
        if unknown.is_empty() {
            return Ok(Some(named));
        }
        if what.scope == Scope::Listed {
            return Err(Problem::invalid(rules::unknown_in_list(&what.list, product_id, &unknown)));
        }
        let unknown: Vec<String> = unknown.iter().map(|id| format!("{id:?}")).collect();
        let unknown = rules::join(&unknown);
        Err(Problem::invalid(format!("There is no such device of product {product_id}: {unknown}.")))
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

    /// Begins an order's next stage. The sweep tells its devices.
    pub fn next_stage(&self, id: i64) -> Outcome<Upgrade> {
        let (upgrade, touched) = self.store.next_stage(id, now_ms())?;
        self.notify(&touched);
        Ok(upgrade)
    }

    /// Stops an order: nobody else is told until somebody resumes it. Whoever was told goes on.
    pub fn stop_upgrade(&self, id: i64, caller: &Caller) -> Outcome<Upgrade> {
        let (upgrade, touched) = self.store.stop_upgrade(id, &caller.name, now_ms())?;
        self.notify(&touched);
        Ok(upgrade)
    }

    /// Lets an order that has stopped go on. Where it had stopped by itself: as if nothing had failed so far.
    pub fn resume_upgrade(&self, id: i64) -> Outcome<Upgrade> {
        let (upgrade, touched) = self.store.resume_upgrade(id)?;
        self.notify(&touched);
        Ok(upgrade)
    }
}

/// What is asked for, as the store keeps it.
fn new_order<'a>(what: &'a OrderUpgrade, named: Option<&'a [String]>) -> NewOrder<'a> {
    NewOrder {
        from_versions: &what.from_versions,
        tag: what.tag.as_deref(),
        named,
        plan: what.roll_out.as_ref(),
        ..NewOrder::new(what.firmware_id, what.scope)
    }
}

/// The client ids that an order names, in order and each once; `None` where it names none.
fn client_ids(what: &OrderUpgrade, product_id: &str) -> Outcome<Option<Vec<String>>> {
    Ok(Some(match what.scope {
        Scope::All | Scope::Tagged => return Ok(None),
        Scope::Chosen => what.devices.iter().cloned().collect::<BTreeSet<String>>().into_iter().collect(),
        Scope::Listed => rules::read_list(&what.list, product_id).map_err(Problem::invalid)?,
    }))
}

/// Whether an order's fields go together.
fn check(what: &OrderUpgrade) -> Outcome<()> {
    if what.scope != Scope::Chosen && !what.devices.is_empty() {
        return Err(Problem::invalid("`devices` goes with scope `chosen` only."));
    }
    if what.scope != Scope::Listed && !what.list.is_empty() {
        return Err(Problem::invalid("`list` goes with scope `listed` only."));
    }
    match (&what.tag, what.scope) {
        (Some(tag), Scope::Tagged) => check_tags(std::slice::from_ref(tag))?,
        (None, Scope::Tagged) => return Err(Problem::invalid("Scope `tagged` needs a `tag`.")),
        (Some(_), _) => return Err(Problem::invalid("`tag` goes with scope `tagged` only.")),
        (None, _) => {}
    }
    if what.scope == Scope::Listed && !what.from_versions.is_empty() {
        return Err(Problem::invalid(
            "`from_versions` does not go with scope `listed`: a list takes devices whatever they run.",
        ));
    }
    if what.scope == Scope::Chosen && what.devices.is_empty() {
        return Err(Problem::invalid("No device is chosen."));
    }
    if let Some(plan) = &what.roll_out {
        roll_out::check(plan).map_err(Problem::invalid)?;
    }
    for version in &what.from_versions {
        check_version(version).map_err(|what| Problem::invalid(format!("`from_versions`: {what}: {version:?}.")))?;
    }
    Ok(())
}
