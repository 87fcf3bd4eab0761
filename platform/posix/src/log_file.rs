//! `HAL_Log_*`: log lines that could not be uploaded, kept in a file of the working directory (log_upload.md section 6).

use std::ffi::{c_char, c_int};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::log;

const FILE: &str = "upload-fail-save.log";

/// Adds `text`, through to the disk: what is told to be kept is there after a power cut.
fn save(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut open = OpenOptions::new().append(true).create(true).open(file)?;
    let is_made = open.metadata()?.len() == 0;
    open.write_all(text)?;
    open.sync_data()?;
    if is_made {
        // The name of a file that was not there reaches the disk with the folder.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn read(file: &Path, mut buffer: &mut [u8]) -> io::Result<usize> {
    let mut file = File::open(file)?;
    let whole = buffer.len();
    while !buffer.is_empty() {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => buffer = buffer.get_mut(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(whole - buffer.len())
}

fn size(file: &Path) -> usize {
    fs::metadata(file).map_or(0, |known| usize::try_from(known.len()).unwrap_or(usize::MAX))
}

/// What `result` brought; `failed` with a line where it is an error.
fn told<T>(name: &str, result: io::Result<T>, failed: T) -> T {
    result.unwrap_or_else(|error| {
        log::error(name, &format!("{FILE}: {error}"));
        failed
    })
}

export! {
    "HAL_Log_Save" or 0;
    /// Adds the `len` bytes at `msg` to the file. Returns them, 0 on failure.
    ///
    /// # Safety
    /// `msg` is NULL or readable for `len` bytes.
    pub unsafe fn iot_platform_log_save(msg: *const c_char, len: usize) -> usize {
        if msg.is_null() || len == 0 {
            return 0;
        }
        // SAFETY: the caller's promise.
        let text = unsafe { std::slice::from_raw_parts(msg.cast::<u8>(), len) };
        told(NAME, save(Path::new(FILE), text).map(|()| len), 0)
    }
}

export! {
    "HAL_Log_Read" or 0;
    /// Reads up to `len` bytes from the file's beginning. Returns how many, 0 on failure.
    ///
    /// # Safety
    /// `buff` is NULL or writable for `len` bytes.
    pub unsafe fn iot_platform_log_read(buff: *mut c_char, len: usize) -> usize {
        if buff.is_null() || len == 0 {
            return 0;
        }
        // SAFETY: the caller's promise.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buff.cast::<u8>(), len) };
        told(NAME, read(Path::new(FILE), buffer), 0)
    }
}

export! {
    "HAL_Log_Del" or -1;
    /// Removes the file. Returns 0, -1 on failure.
    pub fn iot_platform_log_del() -> c_int {
        told(NAME, fs::remove_file(FILE).map(|()| 0), -1)
    }
}

export! {
    "HAL_Log_Get_Size" or 0;
    /// The file's size in bytes, 0 where there is none.
    pub fn iot_platform_log_get_size() -> usize {
        size(Path::new(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_15_what_is_kept_is_added_read_from_its_beginning_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert_eq!(size(&file), 0);
        assert!(read(&file, &mut [0; 4]).is_err());
        save(&file, b"one\n\x0c").unwrap();
        save(&file, b"two\n\x0c").unwrap();
        assert_eq!(size(&file), 10);
        assert_eq!(fs::read(&file).unwrap(), b"one\n\x0ctwo\n\x0c");
        let mut buffer = [b'-'; 12];
        assert_eq!(read(&file, &mut buffer[..3]).unwrap(), 3);
        assert_eq!(&buffer[..4], b"one-");
        assert_eq!(read(&file, &mut buffer).unwrap(), 10);
        assert_eq!(&buffer[..], b"one\n\x0ctwo\n\x0c--");
    }

    #[test]
    fn case_15_a_place_that_can_not_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("missing").join(FILE);
        assert!(save(&file, b"x").is_err());
        assert_eq!(told("HAL_Log_Save", save(&file, b"x").map(|()| 1), 0), 0);
        let told = crate::log_double::take();
        assert!(told[0].starts_with("ERR upload-fail-save.log: "), "{told:?}");
    }

    #[test]
    fn nothing_is_done_with_null() {
        // SAFETY: NULL is allowed.
        unsafe {
            assert_eq!(iot_platform_log_save(std::ptr::null(), 5), 0);
            assert_eq!(iot_platform_log_read(std::ptr::null_mut(), 5), 0);
        }
    }
}
