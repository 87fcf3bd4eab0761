//! The store's methods, each one transaction.

use std::collections::BTreeMap;
use std::path::Path;

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::reach::{Lists, Reached};
use super::roll_outs::{self, Turn};
use super::{devices, firmware, gateway, shadow, tags, upgrades, Records};
use hub_core::devices::{self as device_list, Devices};
use hub_core::firmware::{file_name, Measured};
use hub_core::model::{
    AddFirmware, Change, Device, DeviceFilter, Firmware, FirmwareFilter, Job, Page, Problem, ProblemKind, Proof, Scope,
    Shadow, State, Upgrade, UpgradeFilter,
};
use hub_core::ota::message::Progress;
use hub_core::ota::roll_out::late_stage;
use hub_core::ota::rules;
use hub_core::ports::store::{Credential, Due, NewOrder, Outcome, Reachable, Store, Stored, Told, Touched, Waiting};
use hub_core::problems;
use upgrades::NewUpgrade;

impl<E: Engine> Store for Records<E> {
    fn import(&self, list: &Devices) -> Outcome<()> {
        self.engine.write(Writer::People, |db| {
            let all: Vec<_> = list.iter().collect();
            for some in all.chunks(devices::SOME) {
                if let Some(client_id) = devices::import(db, some)? {
                    let text = format!("--devices: another device of the data folder has the client id {client_id}");
                    return Err(Problem::new(ProblemKind::Conflict, text).into());
                }
            }
            tags::set_all(db, list.tags())
        })
    }

    fn find_device(&self, client_id: &str) -> Outcome<Option<device_list::Device>> {
        self.engine.read(|db| devices::find(db, client_id))
    }

    fn device(&self, client_id: &str) -> Outcome<Option<Device>> {
        self.engine.read(|db| devices::get(db, client_id))
    }

    fn find_devices(&self, client_ids: &[&str]) -> Outcome<BTreeMap<String, device_list::Device>> {
        self.engine.read(|db| devices::find_all(db, client_ids))
    }

    fn devices(&self, filter: &DeviceFilter, since: Option<u64>, page: &Page) -> Outcome<Vec<Device>> {
        self.engine.read(|db| devices::list(db, filter, since, page))
    }

    fn product_devices(&self, product_id: &str, after: &str, limit: u64) -> Outcome<Vec<(String, String)>> {
        self.engine.read(|db| devices::of_product(db, product_id, after, limit))
    }

    fn device_count(&self, product_id: &str) -> Outcome<u64> {
        self.engine.read(|db| devices::count(db, product_id))
    }

    fn unknown_devices(&self, product_id: &str, client_ids: &[String]) -> Outcome<Vec<String>> {
        self.engine.read(|db| devices::unknown(db, product_id, client_ids))
    }

    fn client_ids(&self) -> Outcome<Vec<String>> {
        self.engine.read(devices::client_ids)
    }

    fn device_products(&self) -> Outcome<Vec<String>> {
        self.engine.read(devices::products)
    }

    fn told(&self, after: &str, limit: u64) -> Outcome<Vec<Told>> {
        self.engine.read(|db| devices::told(db, after, limit))
    }

    fn add_device(
        &self,
        client_id: &str,
        product_id: &str,
        device_name: &str,
        make: &mut dyn FnMut() -> Outcome<Credential>,
    ) -> Outcome<Device> {
        self.engine.write(Writer::People, |db| {
            if let Some(there) = devices::find(db, client_id)? {
                return Err(problems::client_id_taken(client_id, &there).into());
            }
            devices::add(db, client_id, product_id, device_name, &make()?)?;
            known_device(db, client_id)
        })
    }

    fn renew_device(&self, client_id: &str, make: &mut dyn FnMut(Proof) -> Outcome<Credential>) -> Outcome<Device> {
        self.engine.write(Writer::People, |db| {
            let device = known_device(db, client_id)?;
            devices::set_credential(db, client_id, &make(device.proof)?)?;
            known_device(db, client_id)
        })
    }

    fn remove_device(&self, client_id: &str, now: u64) -> Outcome<Touched> {
        self.engine.write(Writer::People, |db| {
            tags::set(db, client_id, &[])?;
            devices::remove(db, client_id)?;
            let mut touched = Touched::default();
            upgrades::cancel_device(db, client_id, now)?.iter().for_each(|job| touched.job(job));
            Ok(touched)
        })
    }

    fn firmware_list(&self, filter: &FirmwareFilter, page: &Page) -> Outcome<Vec<Firmware>> {
        self.engine.read(|db| firmware::list(db, filter, page))
    }

    fn firmware_products(&self) -> Outcome<Vec<String>> {
        self.engine.read(firmware::products)
    }

    fn firmware_of_version(&self, product_id: &str, version: &str) -> Outcome<Option<Stored>> {
        self.engine.read(|db| firmware::by_version(db, product_id, version))
    }

    fn newest_firmware(&self, product_id: &str) -> Outcome<Option<Stored>> {
        self.engine.read(|db| firmware::newest(db, product_id))
    }

    fn firmware_of_file(&self, file_name: &str) -> Outcome<Option<Stored>> {
        self.engine.read(|db| firmware::by_file_name(db, file_name))
    }

    fn firmware_in_place(&self, version: &str) -> Outcome<Option<Stored>> {
        self.engine.read(|db| firmware::in_place(db, version))
    }

    fn firmware_of_upgrade(&self, upgrade_id: i64) -> Outcome<Option<Stored>> {
        self.engine.read(|db| firmware::of_upgrade(db, upgrade_id))
    }

    fn check_firmware(&self, what: &AddFirmware, file_name: &str) -> Outcome<()> {
        self.engine.read(|db| check_free(db, &what.product_id, &what.version, file_name))
    }

    fn add_firmware(
        &self,
        firmware: &Firmware,
        file_name: &str,
        place: &mut dyn FnMut() -> Outcome<()>,
    ) -> Outcome<i64> {
        let mut placed = false;
        self.engine.write(Writer::People, |db| {
            check_free(db, &firmware.product_id, &firmware.version, file_name)?;
            let id = firmware::add(db, firmware, file_name, None)?;
            // The file stays in its place where this has to be done again.
            if !placed {
                place()?;
                placed = true;
            }
            Ok(id)
        })
    }

    fn remove_firmware(&self, id: i64, now: u64) -> Outcome<Stored> {
        self.engine.write(Writer::People, |db| {
            let stored = known_firmware(db, id)?;
            if let Some(upgrade) = upgrades::needing(db, id)? {
                return Err(problems::firmware_needed(upgrade, &stored.firmware).into());
            }
            firmware::remove(db, id, now)?;
            Ok(stored)
        })
    }

    fn offer(&self, products: &[String], file: &Measured, on_report: bool, now: u64) -> Outcome<Vec<Stored>> {
        self.engine.write(Writer::People, |db| {
            let offers = products.iter().map(|product_id| {
                let stored = put(db, product_id, file, now)?;
                if on_report {
                    stand(db, &stored, now)?;
                }
                Ok(stored)
            });
            offers.collect()
        })
    }

    fn firmware(&self, id: i64) -> Outcome<Stored> {
        self.engine.read(|db| known_firmware(db, id))
    }

    fn upgrades(&self, filter: &UpgradeFilter, page: &Page) -> Outcome<Vec<Upgrade>> {
        self.engine.read(|db| upgrades::list(db, filter, page))
    }

    fn upgrade(&self, id: i64) -> Outcome<Upgrade> {
        self.engine.read(|db| upgrades::known(db, id))
    }

    fn upgrade_jobs(&self, id: i64, states: &[State], page: &Page) -> Outcome<(Upgrade, Vec<Job>)> {
        self.engine.read(|db| {
            let upgrade = upgrades::known(db, id)?;
            let jobs = upgrades::upgrade_jobs(db, &upgrade, states, page)?;
            Ok((upgrade, jobs))
        })
    }

    fn device_jobs(&self, client_id: &str, page: &Page) -> Outcome<Vec<Job>> {
        self.engine.read(|db| {
            devices::find(db, client_id)?.ok_or_else(|| problems::no_device(client_id))?;
            upgrades::device_jobs(db, client_id, page)
        })
    }

    fn jobs(&self, ids: &[i64]) -> Outcome<Vec<Job>> {
        self.engine.read(|db| upgrades::jobs_of(db, ids))
    }

    fn add_order(&self, order: &NewOrder<'_>, now: u64) -> Outcome<(i64, Touched)> {
        let &NewOrder { firmware_id, scope, from_versions, tag, plan, .. } = order;
        let lists = Lists::of(order);
        self.engine.write(Writer::People, |db| {
            // It may have been removed a moment ago.
            let firmware = known_firmware(db, firmware_id)?.firmware;
            let mut touched = Touched::default();
            let id = upgrades::add(db, &NewUpgrade { firmware_id, scope, from_versions, tag, again: false }, now)?;
            touched.upgrades.insert(id);
            plan.map_or(Ok(()), |plan| roll_outs::add(db, id, plan))?;
            let reached = Reached::by_order(db.dialect(), &firmware, order, &lists);
            let jobs = upgrades::add_jobs(db, id, &reached, plan, now, &mut touched)?;
            if jobs == 0 && !scope.stands() {
                return Err(problems::nobody_reached(&firmware.version, from_versions).into());
            }
            Ok((id, touched))
        })
    }

    fn reach(&self, order: &NewOrder<'_>, some: u64) -> Outcome<Reachable> {
        let lists = Lists::of(order);
        self.engine.read(|db| {
            let firmware = known_firmware(db, order.firmware_id)?.firmware;
            let reached = Reached::by_order(db.dialect(), &firmware, order, &lists);
            let devices = reached.count(db)?;
            Ok(Reachable { devices, replaced: upgrades::count_open(db, &reached)?, some: reached.some(db, some)? })
        })
    }

    fn claim_first(&self, upgrade_id: i64, limit: u64, now: u64) -> Outcome<Vec<Job>> {
        self.engine.write(Writer::Hub, |db| upgrades::claim_first(db, upgrade_id, limit, now))
    }

    fn cancel_upgrade(&self, id: i64, now: u64) -> Outcome<(Upgrade, Touched)> {
        self.engine.write(Writer::People, |db| {
            upgrades::known(db, id)?;
            let mut touched = Touched::default();
            upgrades::cancel(db, id, now, &mut touched)?;
            Ok((upgrades::known(db, id)?, touched))
        })
    }

    fn report_version(
        &self,
        client_id: &str,
        product_id: &str,
        version: &str,
        now: u64,
    ) -> Outcome<(Option<Job>, Touched)> {
        self.engine.write(Writer::Device(client_id), |db| {
            let mut touched = Touched::default();
            touched.devices.insert(client_id.to_owned());
            devices::set_version(db, client_id, version, now)?;
            let latest = upgrades::latest_job(db, client_id)?;
            let standing = upgrades::standing(db, product_id, client_id)?;
            let outcome = rules::on_version(version, latest.as_ref(), &standing);
            if let Some(job) = latest.filter(|_| outcome.done || outcome.tell) {
                let turn = if outcome.tell { roll_outs::turn(db, job.id, now)? } else { Turn::Now };
                let (state, percent) = match turn {
                    _ if outcome.done => (State::Done, Some(100)),
                    Turn::Never => (State::Cancelled, None),
                    Turn::Now | Turn::Later => (State::Waiting, None),
                };
                let held = turn == Turn::Later;
                let job = Job { state, percent, result_code: None, result_msg: None, updated_at: now, held, ..job };
                upgrades::save_job(db, &job)?;
                touched.job(&job);
                if outcome.tell {
                    return Ok((Some(job).filter(|_| turn == Turn::Now), touched));
                }
            }
            let Some(order) = standing.iter().find(|order| Some(order.upgrade_id) == outcome.begin) else {
                return Ok((None, touched));
            };
            let stage = order.plan.as_ref().map(|plan| late_stage(plan, order.upgrade_id, client_id));
            let (id, _) = upgrades::add_job(db, order.upgrade_id, client_id, Some(version), stage, now)?;
            if stage.is_some() && roll_outs::turn(db, id, now)? == Turn::Now {
                upgrades::release(db, &[id])?;
            }
            let job = upgrades::take(db, &[id], now)?.pop();
            job.iter().for_each(|job| touched.job(job));
            Ok((job.filter(|job| !job.held), touched))
        })
    }

    fn report_progress(&self, client_id: &str, report: &Progress, now: u64) -> Outcome<Touched> {
        self.engine.write(Writer::Device(client_id), |db| {
            let mut touched = Touched::default();
            devices::set_state(db, client_id, &report.state, report.percent, now)?;
            let Some(latest) = upgrades::latest_job(db, client_id)? else {
                return Ok(touched);
            };
            if let Some(job) = rules::on_progress(report, &latest, now) {
                upgrades::save_job(db, &job)?;
                touched.jobs.insert(job.id);
                if job.state != latest.state {
                    touched.upgrades.insert(job.upgrade_id);
                }
            }
            Ok(touched)
        })
    }

    fn set_sent(&self, jobs: &[i64], now: u64) -> Outcome<()> {
        self.engine.write(Writer::Hub, |db| upgrades::set_sent(db, jobs, now))
    }

    fn waiting(&self, before: u64, after: (u64, i64), limit: u64) -> Outcome<Vec<Waiting>> {
        self.engine.read(|db| upgrades::waiting(db, before, after, limit))
    }

    fn claim(&self, due: &Due, now: u64, limit: u64) -> Outcome<Vec<Job>> {
        self.engine.write(Writer::Hub, |db| upgrades::claim(db, due, now, limit))
    }

    fn keep(&self, jobs: &[i64], now: u64) -> Outcome<()> {
        self.engine.write(Writer::Hub, |db| upgrades::keep(db, jobs, now))
    }

    fn changes(&self, touched: &Touched) -> Outcome<Vec<Change>> {
        self.engine.read(|db| {
            let mut changes = Vec::new();
            for id in &touched.upgrades {
                changes.extend(upgrades::get(db, *id)?.map(|upgrade| Change::Upgrade { upgrade }));
            }
            for client_id in &touched.devices {
                changes.extend(devices::get(db, client_id)?.map(|device| Change::Device { device }));
            }
            let jobs: Vec<i64> = touched.jobs.iter().copied().collect();
            changes.extend(upgrades::jobs_of(db, &jobs)?.into_iter().map(|job| Change::Job { job }));
            for client_id in &touched.gateways {
                changes.extend(gateway::get(db, client_id)?.map(|gateway| Change::Gateway { gateway }));
            }
            for client_id in &touched.shadows {
                let found = shadow::get(db, client_id)?;
                changes.extend(found.map(|document| Change::Shadow { shadow: Shadow::of(client_id, document) }));
            }
            Ok(changes)
        })
    }

    fn foreign_changes(&self) -> Outcome<i64> {
        self.engine.foreign_changes()
    }

    fn exclusively(&self, work: &mut dyn FnMut()) -> Outcome<()> {
        self.engine.exclusively(work)
    }
}

fn known_device(db: &dyn Session, client_id: &str) -> Work<Device> {
    Ok(devices::get(db, client_id)?.ok_or_else(|| problems::no_device(client_id))?)
}

fn known_firmware(db: &dyn Session, id: i64) -> Work<Stored> {
    Ok(firmware::get(db, id)?.ok_or_else(|| problems::no_firmware(id))?)
}

fn check_free(db: &dyn Session, product_id: &str, version: &str, file_name: &str) -> Work<()> {
    if firmware::by_version(db, product_id, version)?.is_some() {
        return Err(problems::firmware_exists(product_id, version).into());
    }
    match firmware::by_file_name(db, file_name)? {
        Some(other) => Err(problems::file_name_taken(&other.firmware).into()),
        None => Ok(()),
    }
}

fn put(db: &dyn Session, product_id: &str, file: &Measured, now: u64) -> Work<Stored> {
    let path: &Path = &file.path;
    let there = firmware::by_version(db, product_id, &file.version)?;
    let id = match there {
        Some(stored) if stored.path.is_some() => {
            firmware::replace(db, stored.firmware.id, file)?;
            stored.firmware.id
        }
        Some(stored) if stored.firmware.md5 == file.md5 => stored.firmware.id,
        Some(_) => {
            return Err(Problem::conflict(format!(
                "firmware {} of product {product_id} was uploaded earlier, and it is another file: remove it in the \
                 console, or give this one another version",
                file.version
            ))
            .into())
        }
        None => {
            let name = file_name(product_id, &file.version);
            if firmware::by_file_name(db, &name)?.is_some() {
                return Err(Problem::conflict(format!(
                    "another product's firmware has the same file name {name}: use another version"
                ))
                .into());
            }
            let firmware = Firmware {
                id: 0,
                product_id: product_id.to_owned(),
                version: file.version.clone(),
                name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                size: file.size,
                md5: file.md5.clone(),
                created_at: now,
                signature: file.signature.clone(),
            };
            firmware::add(db, &firmware, &name, Some(path))?
        }
    };
    known_firmware(db, id)
}

/// One such order stands for a product: an earlier run's for another version ends.
fn stand(db: &dyn Session, stored: &Stored, now: u64) -> Work<()> {
    let firmware_id = stored.firmware.id;
    let mut stands = false;
    for (upgrade_id, other) in upgrades::on_report(db, &stored.firmware.product_id)? {
        if other == firmware_id {
            stands = true;
        } else {
            upgrades::cancel(db, upgrade_id, now, &mut Touched::default())?;
        }
    }
    if !stands {
        let order = NewUpgrade { firmware_id, scope: Scope::All, from_versions: &[], tag: None, again: true };
        upgrades::add(db, &order, now)?;
    }
    Ok(())
}
