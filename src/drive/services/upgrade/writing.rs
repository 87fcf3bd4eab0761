//! An image on its way into its slot: header, digest, writes and what is synced.

use std::ops::Range;

use iot_engine::upgrade::{Cause, Header, ImageDigest, Order, PublicKey, Refusal, Terms, HEADER_LEN};

use super::store::{Store, StoreError};

/// What is written at once, but for the end.
const WRITE: usize = 4096;
/// What is read back in one step.
const CHECK: u32 = 64 * 1024;

/// How often flash was touched for an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Writes {
    /// Bytes of the image written.
    pub bytes: u64,
    /// Blocks erased.
    pub erases: u32,
    /// Syncs of the slot.
    pub syncs: u32,
    /// Records written.
    pub records: u32,
}

/// How a file is judged by its first bytes: the engine's `judge` or, where signatures can't be checked, `judge_unsigned`.
pub type Judge = fn(&[u8], &Terms) -> Result<Option<Header>, Refusal>;

/// Whose images are taken.
pub struct Trust {
    /// Who says so.
    pub judge: Judge,
    /// The keys; empty where signatures are not looked at.
    pub keys: Vec<PublicKey>,
    /// The device's product.
    pub product_id: String,
    /// Nothing older than these.
    pub not_older_than: [Option<String>; 2],
}

impl Trust {
    fn judge(&self, head: &[u8], order: &Order) -> Result<Option<Header>, Cause> {
        let terms = Terms {
            keys: &self.keys,
            product_id: &self.product_id,
            version: &order.version,
            not_older_than: self.not_older_than.each_ref().map(Option::as_deref),
            file_size: order.size,
        };
        (self.judge)(head, &terms).map_err(Cause::from)
    }
}

/// A slot that is being written.
pub struct Writing {
    slot: u8,
    order: Order,
    /// The file's first bytes, until they were judged.
    head: Vec<u8>,
    is_judged: bool,
    header: Option<Header>,
    digest: ImageDigest,
    /// Bytes that are not written yet.
    pending: Vec<u8>,
    written: u32,
    erased: u32,
    /// All was written and synced, and has this digest.
    whole: Option<[u8; 64]>,
    /// What the slot says that it holds, as far as it was read back.
    check: ImageDigest,
    checked: u32,
}

impl Writing {
    /// The beginning of a file, of which nothing is there.
    pub fn new(slot: u8, order: Order) -> Self {
        Writing {
            slot,
            order,
            head: Vec::new(),
            is_judged: false,
            header: None,
            digest: ImageDigest::default(),
            pending: Vec::new(),
            written: 0,
            erased: 0,
            whole: None,
            check: ImageDigest::default(),
            checked: 0,
        }
    }

    /// Goes on where `synced` bytes of the image are in the slot, behind this header. `each` sees all bytes of the file
    /// that are there.
    ///
    /// # Errors
    /// Why the image is not taken, `None` where what is there can't be read.
    pub fn resume(
        &mut self,
        header: &[u8],
        synced: u32,
        (trust, store): (&Trust, &dyn Store),
        each: &dyn Fn(&[u8]),
    ) -> Result<(), Option<Cause>> {
        self.header = trust.judge(header, &self.order).map_err(Some)?;
        self.is_judged = true;
        each(header);
        let digest = &mut self.digest;
        let mut both = |piece: &[u8]| {
            digest.update(piece);
            each(piece);
        };
        read(store, self.slot, 0..synced, &mut both).map_err(|_| None)?;
        (self.written, self.erased) = (synced, synced);
        store.open(self.slot, self.image_size()).map_err(|_| Some(Cause::TooLarge))
    }

    /// The next byte of the file that is wanted.
    pub fn offset(&self) -> u32 {
        let header = if self.header.is_some() { HEADER_LEN as u32 } else { 0 };
        header + self.written
    }

    /// Bytes of the image.
    pub fn image_size(&self) -> u32 {
        self.header.as_ref().map_or(self.order.size, |header| header.image_size)
    }

    /// Bytes in the slot, synced or not.
    pub fn written(&self) -> u32 {
        self.written
    }

    /// Takes the next bytes of the file. Returns the header's bytes, or that there is none, once it was judged.
    ///
    /// # Errors
    /// Why the image is not taken or could not be stored.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        (trust, store): (&Trust, &dyn Store),
        writes: &mut Writes,
    ) -> Result<Option<Option<Box<[u8; HEADER_LEN]>>>, Cause> {
        let mut judged = None;
        if !self.is_judged {
            let wanted = HEADER_LEN.min(self.order.size as usize) - self.head.len();
            let (head, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.head.extend_from_slice(head);
            if head.len() < wanted {
                return Ok(None);
            }
            bytes = rest;
            self.header = trust.judge(&self.head, &self.order)?;
            self.is_judged = true;
            let head = std::mem::take(&mut self.head);
            store.open(self.slot, self.image_size()).map_err(|_| Cause::TooLarge)?;
            if self.header.is_some() {
                judged = Some(<Box<[u8; HEADER_LEN]>>::try_from(head.into_boxed_slice()).ok());
            } else {
                judged = Some(None);
                self.take(&head, store, writes)?;
            }
        }
        self.take(bytes, store, writes)?;
        Ok(judged)
    }

    fn take(&mut self, bytes: &[u8], store: &dyn Store, writes: &mut Writes) -> Result<(), Cause> {
        self.digest.update(bytes);
        self.pending.extend_from_slice(bytes);
        while self.pending.len() >= WRITE {
            let rest = self.pending.split_off(WRITE);
            let piece = std::mem::replace(&mut self.pending, rest);
            self.write(&piece, store, writes)?;
        }
        Ok(())
    }

    fn write(&mut self, piece: &[u8], store: &dyn Store, writes: &mut Writes) -> Result<(), Cause> {
        let end = self.written.saturating_add(piece.len() as u32);
        let block = store.erase_size();
        while block > 0 && self.erased < end {
            store.erase(self.slot, self.erased).map_err(stored_not)?;
            self.erased += block;
            writes.erases += 1;
        }
        store.write(self.slot, self.written, piece).map_err(stored_not)?;
        self.written = end;
        writes.bytes += piece.len() as u64;
        Ok(())
    }

    /// Syncs where at least `every` more bytes than `synced` fill whole blocks. Returns how many are safe then.
    ///
    /// # Errors
    /// They could not be synced.
    pub fn sync(&self, synced: u32, every: u32, store: &dyn Store, writes: &mut Writes) -> Result<Option<u32>, Cause> {
        let whole = self.written - self.written % store.erase_size().max(1);
        if whole.saturating_sub(synced) < every {
            return Ok(None);
        }
        store.sync(self.slot).map_err(stored_not)?;
        writes.syncs += 1;
        Ok(Some(whole))
    }

    /// All has come: writes the rest, syncs, and compares with what was signed. [`check`](Self::check) is next.
    ///
    /// # Errors
    /// Why the image is not taken or could not be stored.
    pub fn finish(&mut self, store: &dyn Store, writes: &mut Writes) -> Result<(), Cause> {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.write(&rest, store, writes)?;
        }
        store.sync(self.slot).map_err(stored_not)?;
        writes.syncs += 1;
        if !self.is_judged || self.written != self.image_size() {
            return Err(Refusal::WrongSize.into());
        }
        let digest = self.digest.finish();
        self.whole = Some(digest);
        match &self.header {
            Some(header) if header.digest != digest => Err(Refusal::WrongImage.into()),
            _ => Ok(()),
        }
    }

    /// Whether all has come, and is to be read back.
    pub fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Reads a part of the slot back: flash that was not erased takes anything and holds something else. True: all of
    /// it is what was written.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&mut self, store: &dyn Store) -> Result<bool, Cause> {
        let end = self.written.min(self.checked.saturating_add(CHECK));
        read(store, self.slot, self.checked..end, &mut |piece| self.check.update(piece)).map_err(stored_not)?;
        self.checked = end;
        if self.checked < self.written {
            return Ok(false);
        }
        if Some(self.check.finish()) == self.whole {
            return Ok(true);
        }
        log::error!(target: "IOT_Upgrade_Yield", "the slot does not hold what was written to it");
        Err(Cause::Store)
    }
}

/// Reads bytes of an area, piece by piece.
fn read(store: &dyn Store, area: u8, range: Range<u32>, each: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
    let mut piece = [0; WRITE];
    let mut at = range.start;
    while at < range.end {
        let left = (range.end - at) as usize;
        let piece = piece.get_mut(..left.min(WRITE)).unwrap_or_default();
        store.read(area, at, piece)?;
        each(piece);
        at += piece.len() as u32;
    }
    Ok(())
}

#[cold]
fn stored_not(why: StoreError) -> Cause {
    log::error!(target: "IOT_Upgrade_Yield", "the firmware could not be stored: {why}");
    Cause::Store
}
