//! Lists come in pages: a fleet has more devices than an answer should.

use serde::{Deserialize, Serialize};

use super::{DeviceList, FirmwareList, JobList, Problem, State, UpgradeJobs, UpgradeList};

/// The most entries of a page, and as many where nobody says how many.
pub const PAGE: u64 = 1000;

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// What the answer before had in `next`; nothing: the first page.
    pub after: Option<String>,
    /// Only entries that begin so: the client id or the device name of a device and of a job of an order; the version of a
    /// device's job; the product or the version of a firmware and of an order; a tag.
    #[serde(default)]
    pub search: String,
    /// Entries of the page.
    #[serde(default = "most")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: u64,
}

fn most() -> u64 {
    PAGE
}

impl Page {
    /// The first page.
    pub fn first() -> Self {
        Page { limit: PAGE, ..Page::default() }
    }

    /// The same with one entry more, which tells whether another page follows.
    pub(crate) fn and_one(&self) -> Result<Self, Problem> {
        match self.limit {
            1..=PAGE => Ok(Page { limit: self.limit + 1, ..self.clone() }),
            _ => Err(Problem::invalid(format!("`limit` is 1 to {PAGE}."))),
        }
    }

    /// Takes what is beyond this page off a list; returns what the next page comes after, where there is one.
    pub(crate) fn cut<T>(&self, list: &mut Vec<T>, key: impl Fn(&T) -> String) -> Option<String> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = list.len() > limit;
        list.truncate(limit);
        list.last().filter(|_| more).map(key)
    }

    /// An id that a page comes after.
    pub fn after_id(&self) -> Result<Option<i64>, Problem> {
        let id = |text: &String| text.parse().map_err(|_| Problem::invalid(format!("`after`: no id: {text:?}.")));
        self.after.as_ref().map(id).transpose()
    }
}

/// Which devices a list is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeviceFilter {
    /// Only devices of this product.
    pub product: Option<String>,
    /// Only devices with this tag.
    pub tag: Option<String>,
    /// Only devices that run this version; an empty text: that have never reported one.
    pub version: Option<String>,
}

impl DeviceFilter {
    /// Whether it leaves any out.
    pub fn is_any(&self) -> bool {
        *self != DeviceFilter::default()
    }
}

/// Which of these devices a list is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeenFilter {
    /// Only devices seen in the last so many minutes: by a message, or since they came or went. It is written once a minute.
    pub seen: Option<u32>,
}

/// Which firmware a list is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FirmwareFilter {
    /// Only firmware of this product.
    pub product: Option<String>,
    /// Only firmware of this version.
    pub version: Option<String>,
}

/// Which orders a list is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UpgradeFilter {
    /// Only those that may still do something: that have unfinished jobs, or stand; or only the others.
    pub active: Option<bool>,
}

/// Which jobs of an order are to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobFilter {
    /// Only those in one of these states, with commas between them.
    #[serde(default)]
    pub state: String,
}

impl JobFilter {
    /// The states; none: all.
    pub fn states(&self) -> Result<Vec<State>, Problem> {
        let read = |name: &str| {
            let state = serde_json::from_value(name.into());
            state.map_err(|_| Problem::invalid(format!("`state`: jobs are never {name:?}.")))
        };
        self.state.split(',').filter(|name| !name.is_empty()).map(read).collect()
    }
}

/// An answer that is a page.
pub trait Paged {
    /// What the next page comes after.
    fn next(&self) -> Option<&str>;

    /// Puts the page that follows behind this one.
    fn join(&mut self, following: Self);
}

macro_rules! paged {
    ($($kind:ty: $list:ident),+) => {
        $(impl $crate::model::Paged for $kind {
            fn next(&self) -> Option<&str> {
                self.next.as_deref()
            }

            fn join(&mut self, following: Self) {
                self.$list.extend(following.$list);
                self.next = following.next;
            }
        })+
    };
}

pub(crate) use paged;

paged!(DeviceList: devices, FirmwareList: firmware, JobList: jobs, UpgradeList: upgrades, UpgradeJobs: jobs);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_it_is_full() {
        let page = Page { limit: 2, ..Page::first() };
        assert_eq!(page.and_one().map(|page| page.limit), Ok(3));
        let cut = |list: &[i32]| {
            let mut list = list.to_vec();
            let next = page.cut(&mut list, |entry| entry.to_string());
            (list, next)
        };
        assert_eq!(cut(&[1, 2, 3]), (vec![1, 2], Some("2".to_owned())));
        assert_eq!(cut(&[1, 2]), (vec![1, 2], None));
        assert_eq!(cut(&[]), (vec![], None));
        for limit in [0, PAGE + 1] {
            assert!(Page { limit, ..Page::first() }.and_one().is_err(), "{limit}");
        }
        assert!(Page { after: Some("x".to_owned()), ..Page::first() }.after_id().is_err());
    }
}
