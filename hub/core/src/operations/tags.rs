//! The devices' tags.

use crate::devices::{check_tag, MAX_TAG};
use crate::hub::Hub;
use crate::model::*;
use crate::ports::store::{Outcome, Touched, TOLD_ONE_BY_ONE};
use crate::ports::tags::Tagged;
use crate::problems;

impl Hub {
    /// Gives a device these tags and takes all others from it.
    pub fn set_tags(&self, client_id: &str, what: &SetTags) -> Outcome<Device> {
        check(&what.tags)?;
        self.store.set_tags(client_id, &what.tags)?;
        self.tell_of_devices(vec![client_id.to_owned()]);
        self.device_by_id(client_id)
    }

    /// Gives devices tags, and takes tags from them: from all of them or, where something is wrong, from none.
    pub fn change_tags(&self, what: &ChangeTags) -> Outcome<TagsChanged> {
        let filter = what.filter();
        let is_filtered = filter.is_any() || !what.search.is_empty();
        let devices = match (what.devices.as_slice(), &what.product) {
            ([], Some(_)) => Tagged::Found(&filter, &what.search),
            ([_, ..], None) if !is_filtered => Tagged::Named(&what.devices),
            ([], None) => {
                return Err(Problem::invalid("Say which devices: their client ids as `devices`, or a `product`."))
            }
            _ => return Err(Problem::invalid("`devices` goes without `product`, `tag`, `version` and `search`.")),
        };
        if what.add.is_empty() && what.remove.is_empty() {
            return Err(Problem::invalid("No tag is to be added or removed."));
        }
        check(&what.add)?;
        check(&what.remove)?;
        if let Some(tag) = what.add.iter().find(|tag| what.remove.contains(tag)) {
            return Err(Problem::invalid(format!("The tag {tag:?} is to be added and to be removed.")));
        }
        let named = TOLD_ONE_BY_ONE as u64 + 1;
        let (devices, some) = self.store.change_tags(devices, &what.add, &what.remove, named)?;
        self.tell_of_devices(some);
        Ok(TagsChanged { devices })
    }

    fn tell_of_devices(&self, client_ids: Vec<String>) {
        let many = client_ids.len() > TOLD_ONE_BY_ONE;
        self.notify(&Touched { many, devices: client_ids.into_iter().collect(), ..Touched::default() });
    }

    /// The tags of a product's devices.
    pub fn tag_list(&self, product_id: &str, page: &Page) -> Outcome<TagList> {
        let mut tags = self.store.tags(product_id, &page.and_one()?)?;
        let next = page.cut(&mut tags, |tag| tag.tag.clone());
        Ok(TagList { tags, next })
    }

    /// The versions that a product's devices run.
    pub fn running_versions(&self, product_id: &str, page: &Page) -> Outcome<RunningVersionList> {
        let mut versions = self.store.running_versions(product_id, &page.and_one()?)?;
        let next = page.cut(&mut versions, |version| version.version.clone());
        Ok(RunningVersionList { versions, next })
    }

    /// One device.
    pub fn device_by_id(&self, client_id: &str) -> Outcome<Device> {
        let mut found = self.store.device(client_id)?.ok_or_else(|| problems::no_device(client_id))?;
        self.complete(&mut found);
        Ok(found)
    }
}

/// Whether these can be tags.
pub(super) fn check(tags: &[String]) -> Outcome<()> {
    for tag in tags {
        check_tag(tag).map_err(|what| {
            Problem::invalid(format!("The tag {tag:?} {what}.")).coded(ProblemCode::TagBad, &[("max", &MAX_TAG)])
        })?;
    }
    Ok(())
}
