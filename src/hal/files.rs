//! Files, block devices and links by the system's own calls. What the standard library has for them knows paths of any
//! kind and adds 12 kB to a program that has no other use for it.

use std::ffi::{c_char, c_int, CStr};
use std::io;
use std::mem::MaybeUninit;

// Files of more than 2 GB on machines of 32 bits. Elsewhere both are the same, and other code needs the first.
#[cfg(not(all(target_os = "linux", target_pointer_width = "32", not(target_env = "musl"))))]
use libc::{
    ftruncate, off_t as Offset, open as open_file, pread as read_file, pwrite as write_file, stat, stat as Status,
};
#[cfg(all(target_os = "linux", target_pointer_width = "32", not(target_env = "musl")))]
use libc::{
    ftruncate64 as ftruncate, off64_t as Offset, open64 as open_file, pread64 as read_file, pwrite64 as write_file,
    stat64 as stat, stat64 as Status,
};

/// The system's number for what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub c_int);

impl Errno {
    /// There is nothing of this name.
    pub const NOT_THERE: Self = Errno(libc::ENOENT);

    fn last() -> Self {
        Errno(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }
}

/// What a call has returned, where -1 is a failure.
fn checked(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::last())
}

/// As [`checked`], and called again where a signal has come in between.
fn repeated(mut call: impl FnMut() -> isize) -> Result<usize, Errno> {
    loop {
        match checked(call()) {
            Err(Errno(libc::EINTR)) => {}
            outcome => return outcome,
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes that can become more and fewer.
    File,
    /// A character device: raw flash, or a volume on it.
    CharacterDevice,
    /// Anything else.
    Other,
}

/// An open file, folder or device.
pub struct File(c_int);

impl File {
    /// Opens what is there, for reading.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &CStr) -> Result<Self, Errno> {
        Self::open_with(path, libc::O_RDONLY)
    }

    /// Opens it for reading and writing; `is_made` where it is not there.
    ///
    /// # Errors
    /// The system's.
    pub fn open_to_write(path: &CStr, is_made: bool) -> Result<Self, Errno> {
        Self::open_with(path, libc::O_RDWR | if is_made { libc::O_CREAT } else { 0 })
    }

    fn open_with(path: &CStr, flags: c_int) -> Result<Self, Errno> {
        const MODE: libc::c_uint = 0o666;
        let descriptor = repeated(|| {
            // SAFETY: `path` is a string, and a mode is there where one is asked for.
            unsafe { open_file(path.as_ptr(), flags | libc::O_CLOEXEC, MODE) as isize }
        })?;
        Ok(File(c_int::try_from(descriptor).map_err(|_| Errno(libc::EIO))?))
    }

    /// Reads all of `data`, from `offset` on.
    ///
    /// # Errors
    /// The system's; `EIO` where it ends before that.
    pub fn read_at(&self, mut data: &mut [u8], mut offset: u64) -> Result<(), Errno> {
        while !data.is_empty() {
            let count = repeated(|| {
                // SAFETY: `data` is writable for its length.
                unsafe { read_file(self.0, data.as_mut_ptr().cast(), data.len(), offset as Offset) }
            })?;
            data = data.get_mut(count..).filter(|_| count > 0).ok_or(Errno(libc::EIO))?;
            offset += count as u64;
        }
        Ok(())
    }

    /// Writes all of `data`, from `offset` on.
    ///
    /// # Errors
    /// The system's.
    pub fn write_at(&self, mut data: &[u8], mut offset: u64) -> Result<(), Errno> {
        while !data.is_empty() {
            let count = repeated(|| {
                // SAFETY: `data` is readable for its length.
                unsafe { write_file(self.0, data.as_ptr().cast(), data.len(), offset as Offset) }
            })?;
            data = data.get(count..).filter(|_| count > 0).ok_or(Errno(libc::EIO))?;
            offset += count as u64;
        }
        Ok(())
    }

    /// Cuts it to `size` bytes, or fills it up with zeros.
    ///
    /// # Errors
    /// The system's.
    pub fn set_size(&self, size: u32) -> Result<(), Errno> {
        // SAFETY: no precondition.
        repeated(|| unsafe { ftruncate(self.0, Offset::from(size)) as isize }).map(drop)
    }

    /// Returns when what was written survives a loss of power.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> Result<(), Errno> {
        // SAFETY: no precondition.
        repeated(|| unsafe { libc::fsync(self.0) as isize }).map(drop)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: ours, and used no more.
        unsafe { libc::close(self.0) };
    }
}

/// What `path` is, links followed.
///
/// # Errors
/// The system's.
pub fn kind(path: &CStr) -> Result<Kind, Errno> {
    let mut about = MaybeUninit::<Status>::uninit();
    // SAFETY: `path` is a string, `about` is writable.
    checked(unsafe { stat(path.as_ptr(), about.as_mut_ptr()) } as isize)?;
    // SAFETY: filled by the call, which has not failed.
    let mode = unsafe { about.assume_init() }.st_mode;
    Ok(match mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File,
        libc::S_IFCHR => Kind::CharacterDevice,
        _ => Kind::Other,
    })
}

/// What the symbolic link at `path` names, in `room`.
///
/// # Errors
/// The system's; `ENAMETOOLONG` where it does not fit.
pub fn read_link<'a>(path: &CStr, room: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    // SAFETY: `path` is a string, `room` is writable for its length.
    let len = checked(unsafe { libc::readlink(path.as_ptr(), room.as_mut_ptr().cast::<c_char>(), room.len()) })?;
    if len == room.len() {
        return Err(Errno(libc::ENAMETOOLONG));
    }
    Ok(room.get(..len).unwrap_or_default())
}

/// Makes `path` a symbolic link that names `target`.
///
/// # Errors
/// The system's.
pub fn make_link(target: &CStr, path: &CStr) -> Result<(), Errno> {
    // SAFETY: both are strings.
    checked(unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) } as isize).map(drop)
}

/// Gives `from` the name `to`, in place of what has it.
///
/// # Errors
/// The system's.
pub fn rename(from: &CStr, to: &CStr) -> Result<(), Errno> {
    // SAFETY: both are strings.
    checked(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) } as isize).map(drop)
}

/// Takes the name `path` away, where it is there.
///
/// # Errors
/// The system's.
pub fn remove(path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` is a string.
    match checked(unsafe { libc::unlink(path.as_ptr()) } as isize) {
        Err(Errno(libc::ENOENT)) => Ok(()),
        outcome => outcome.map(drop),
    }
}
