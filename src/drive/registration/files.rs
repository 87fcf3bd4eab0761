//! Where a device in CERT mode keeps what it was given: two files, both written or neither (dynreg.md section 3).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The folder of certificates, relative to the working directory.
pub const FOLDER: &str = "./certs";

/// What is kept of a certificate in its file, in bytes.
#[cfg(feature = "abi-3-3")]
const MAX_OWN: usize = 48 * 1024;

/// The certificate of the device's own that lies in `folder` as PEM, without anything else that its file holds. `None`: no
/// such file.
///
/// # Errors
/// A text for the log: what is wrong with the file.
#[cfg(feature = "abi-3-3")]
pub fn own_certificate(folder: &Path, device_name: &str) -> Result<Option<String>, String> {
    let path = folder.join(certificate_name(device_name));
    if !path.exists() {
        return Ok(None);
    }
    let why = |what: &str| format!("the device's own certificate {}: {what}", path.display());
    let file = crate::drive::trust::read(&path.to_string_lossy()).map_err(|error| why(&error))?;
    let pem = iot_engine::helpers::pem::certificates(&file).map_err(why)?;
    if pem.len() > MAX_OWN {
        return Err(why(&format!("more than {} kB", MAX_OWN / 1024)));
    }
    Ok(Some(pem))
}

fn certificate_name(device_name: &str) -> String {
    format!("{device_name}_cert.crt")
}

/// The files' names in their folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// The certificate's.
    pub certificate: String,
    /// The private key's.
    pub key: String,
}

/// Stores both for `device_name`, which holds no `/`. A folder that is missing is made. The key is for its owner only.
///
/// # Errors
/// A text for the log; files that were there are as before.
pub fn store(folder: &Path, device_name: &str, certificate: &str, key: &str) -> Result<Names, String> {
    let names = Names { certificate: certificate_name(device_name), key: format!("{device_name}_private.key") };
    let why = |path: &Path, error: &io::Error| format!("can't write {}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| why(folder, &error))?;
    let certificate_file = folder.join(&names.certificate);
    let key_file = folder.join(&names.key);
    let key = Staged::write(&key_file, key, 0o600).map_err(|error| why(&key_file, &error))?;
    let certificate =
        Staged::write(&certificate_file, certificate, 0o666).map_err(|error| why(&certificate_file, &error))?;
    let old_key = Kept::of(&key_file);
    key.take_its_place().map_err(|error| why(&key_file, &error))?;
    if let Err(error) = certificate.take_its_place() {
        old_key.come_back();
        return Err(why(&certificate_file, &error));
    }
    // The names themselves reach the disk with the folder.
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        log::warn!(target: super::FUNCTION, "{} may not be on the disk yet: {error}", folder.display());
    }
    Ok(names)
}

/// `path` with `suffix` behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A file that is whole on the disk under another name. Goes again when it is dropped.
struct Staged<'a> {
    file: &'a Path,
    temporary: PathBuf,
}

impl<'a> Staged<'a> {
    fn write(file: &'a Path, text: &str, mode: u32) -> io::Result<Self> {
        let staged = Staged { file, temporary: beside(file, ".tmp") };
        // What an earlier attempt left would keep its mode.
        let _ = fs::remove_file(&staged.temporary);
        let open = OpenOptions::new().write(true).create_new(true).mode(mode).open(&staged.temporary)?;
        // A copy is no standard stream: where the program has closed its own, what it prints would get into the file.
        let mut copy = open.try_clone()?;
        drop(open);
        copy.write_all(text.as_bytes())?;
        copy.sync_all()?;
        Ok(staged)
    }

    fn take_its_place(self) -> io::Result<()> {
        fs::rename(&self.temporary, self.file)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

/// What a file was, for as long as this lives.
struct Kept<'a> {
    file: &'a Path,
    kept: PathBuf,
}

impl<'a> Kept<'a> {
    fn of(file: &'a Path) -> Self {
        let kept = beside(file, ".old");
        let _ = fs::remove_file(&kept);
        // Not every file system has hard links. Where there is no file neither will do.
        let _ = fs::hard_link(file, &kept).or_else(|_| fs::copy(file, &kept).map(drop));
        Kept { file, kept }
    }

    fn come_back(self) {
        if fs::rename(&self.kept, self.file).is_err() {
            let _ = fs::remove_file(self.file);
        }
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.kept);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder of its own for a test, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("iot-registration-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Case 3.
    /// Only what is a certificate leaves the device, never a key that lies beside it.
    #[cfg(feature = "abi-3-3")]
    #[test]
    fn a_certificate_of_its_own_is_found_and_nothing_else_of_its_file() {
        let folder = Folder::new("own");
        assert_eq!(own_certificate(&folder.0, "dev"), Ok(None));
        let file = folder.0.join("dev_cert.crt");
        let pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        fs::write(&file, format!("{key}{}", pem.replace('\n', "\r\n"))).unwrap();
        assert_eq!(own_certificate(&folder.0, "dev").as_ref().map(Option::as_deref), Ok(Some(pem)));
        fs::write(&file, pem.repeat(1000)).unwrap();
        assert!(own_certificate(&folder.0, "dev").is_err_and(|why| why.ends_with("dev_cert.crt: more than 48 kB")));
        fs::write(&file, key).unwrap();
        assert!(own_certificate(&folder.0, "dev").is_err_and(|why| why.ends_with("dev_cert.crt: no certificate in it")));
    }

    #[test]
    fn both_files_are_written_and_the_key_is_its_owners() {
        let folder = Folder::new("both");
        let names = store(&folder.0, "dev01", "certificate\n", "key\n").unwrap();
        assert_eq!(names, Names { certificate: "dev01_cert.crt".to_owned(), key: "dev01_private.key".to_owned() });
        assert_eq!(folder.names(), ["dev01_cert.crt", "dev01_private.key"]);
        assert_eq!((&*folder.read("dev01_cert.crt"), &*folder.read("dev01_private.key")), ("certificate\n", "key\n"));
        let key = folder.0.join("dev01_private.key");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        // Also where a key was there before that everybody could read, and what a power cut left.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(folder.0.join("dev01_private.key.tmp"), "left").unwrap();
        fs::write(folder.0.join("dev01_private.key.old"), "left").unwrap();
        store(&folder.0, "dev01", "another certificate\n", "another key\n").unwrap();
        assert_eq!(folder.read("dev01_private.key"), "another key\n");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.names(), ["dev01_cert.crt", "dev01_private.key"]);
    }

    /// Case 12.
    #[test]
    fn a_missing_folder_is_made() {
        let folder = Folder::new("made");
        store(&folder.0.join("certs"), "dev01", "c", "k").unwrap();
        assert_eq!(folder.read("certs/dev01_cert.crt"), "c");
    }

    /// Case 12: where one of the files can't be written there is no half result.
    #[test]
    fn both_files_are_written_or_neither() {
        for (blocked, other, had_one) in [
            ("dev01_cert.crt", "dev01_private.key", false),
            ("dev01_cert.crt", "dev01_private.key", true),
            ("dev01_private.key", "dev01_cert.crt", false),
            ("dev01_private.key", "dev01_cert.crt", true),
        ] {
            let folder = Folder::new("neither");
            // A folder of the file's name, which no file takes the place of.
            fs::create_dir_all(folder.0.join(blocked).join("full")).unwrap();
            if had_one {
                fs::write(folder.0.join(other), "before").unwrap();
            }
            let why = store(&folder.0, "dev01", "c", "k").unwrap_err();
            assert!(why.starts_with("can't write ") && why.contains(blocked), "{why}");
            let mut expected = vec![blocked];
            if had_one {
                expected.push(other);
                assert_eq!(folder.read(other), "before");
            }
            expected.sort_unstable();
            assert_eq!(folder.names(), expected);
        }
    }

    /// Case 12: no folder can be made where a file is.
    #[test]
    fn a_folder_that_can_not_be_made_is_an_error() {
        let folder = Folder::new("file");
        fs::write(folder.0.join("certs"), "").unwrap();
        assert!(store(&folder.0.join("certs"), "dev01", "c", "k").unwrap_err().starts_with("can't write "));
        assert_eq!(folder.names(), ["certs"]);
    }
}
