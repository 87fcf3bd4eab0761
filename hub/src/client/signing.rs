//! `hub firmware keygen`, `sign` and `verify`: signed firmware (docs/upgrade.md section 2). No hub is asked.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hub_core::error::{Context, Fatal, Result};
use hub_core::firmware::{header, signature};
use hub_core::random;
use iot_engine::helpers::hex;
use iot_engine::upgrade::signing::{self, Claim, SecretKey};
use iot_engine::upgrade::{judge, Header, ImageDigest, PublicKey, Refusal, Terms, HEADER_LEN};
use serde::Serialize;
use zeroize::Zeroizing;

use super::args::{Keygen, Sign, Verify};
use super::output;

/// What a secret key's file begins with, so that nobody takes it for a public one.
const SECRET: &str = "iot-upgrade-secret-key-1:";
/// More than a file with keys has.
const MAX_KEY_FILE: u64 = 64 * 1024;
/// Bytes that are read at once: an image need not fit into memory.
const BLOCK: usize = 256 * 1024;

/// A pair of keys, without the secret itself.
#[derive(Serialize)]
pub struct Keys {
    secret_key_file: PathBuf,
    public_key_file: PathBuf,
    public_key: String,
    key_id: String,
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Keys { secret_key_file, public_key_file, public_key, key_id } = self;
        writeln!(f, "secret key  {}: whoever has it can sign", secret_key_file.display())?;
        writeln!(f, "public key  {}: for public_keys of the device's program", public_key_file.display())?;
        writeln!(f, "            {public_key}")?;
        write!(f, "key id      {key_id}")
    }
}

/// What the header of a signed firmware says.
#[derive(Serialize)]
pub struct Signed {
    key_id: String,
    product_id: String,
    version: String,
    /// Without the header.
    image_size: u32,
    signed_at: u64,
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signed { key_id, product_id, version, image_size, signed_at } = self;
        write!(
            f,
            "signed by {key_id} at {}: product {product_id}, version {version}, {image_size} bytes",
            output::time(*signed_at)
        )
    }
}

impl From<Header> for Signed {
    fn from(header: Header) -> Self {
        let signature = signature(&header);
        let Header { product_id, version, image_size, .. } = header;
        Signed { key_id: signature.key_id, product_id, version, image_size, signed_at: signature.signed_at }
    }
}

/// Makes a pair of keys.
pub fn keygen(args: &Keygen) -> Result<Keys> {
    let mut public_file = args.file.clone().into_os_string();
    public_file.push(".pub");
    let (secret_file, public_file) = (args.file.clone(), PathBuf::from(public_file));
    for file in [&secret_file, &public_file] {
        if !args.force && fs::symlink_metadata(file).is_ok() {
            return Err(Fatal::new(format!(
                "{} is there already, and devices that trust that key take nothing signed with another: give another \
                 name, or --force to make it anew",
                file.display()
            )));
        }
    }
    let random = Zeroizing::new(random::bytes(32)?);
    let mut line = Zeroizing::new(SECRET.as_bytes().to_vec());
    line.reserve_exact(2 * random.len() + 1);
    line.extend(random.iter().flat_map(|byte| hex::digits(*byte, false)));
    line.push(b'\n');
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.iter_mut().zip(random.iter()).for_each(|(place, byte)| *place = *byte);
    let public = SecretKey::new(bytes).public();
    put(&secret_file, 0o600, args.force, |file| file.write_all(&line).context(|| "write".to_owned()))?;
    put(&public_file, 0o644, args.force, |file| writeln!(file, "{public}").context(|| "write".to_owned()))?;
    let public_key = public.to_string();
    Ok(Keys { secret_key_file: secret_file, public_key_file: public_file, public_key, key_id: id(&public) })
}

fn id(key: &PublicKey) -> String {
    hex::text(&key.id())
}

/// Signs an image.
pub fn sign(args: &Sign) -> Result<Signed> {
    let key = secret_key(&args.key)?;
    let mut image = open(&args.image)?;
    if let Some(Ok(header)) = header(&head(&mut image, &args.image)?) {
        return Err(Fatal::new(format!(
            "{} is signed already, as version {} of product {}: sign the image that was in it",
            args.image.display(),
            header.version,
            header.product_id
        )));
    }
    for read in [&args.image, &args.key] {
        if is_same(read, &args.output) {
            return Err(Fatal::new(format!("--output {} would replace what is read: give another", read.display())));
        }
    }
    let writing = || format!("cannot write {}", args.output.display());
    let mut signed = None;
    put(&args.output, 0o644, true, |file| {
        file.write_all(&[0; HEADER_LEN]).context(writing)?;
        let (size, digest) = digest(&mut image, &args.image, |part| file.write_all(part).context(writing))?;
        let claim = Claim {
            image_size: image_size(size, &args.image)?,
            signed_at: args.time.unwrap_or_else(now),
            product_id: &args.product,
            version: &args.version,
            digest,
        };
        let header = signing::header(&key, &claim).ok_or_else(|| {
            Fatal::new("--product and --version take 1 to 32 printable ASCII characters without blanks")
        })?;
        file.seek(SeekFrom::Start(0)).context(writing)?;
        file.write_all(&header).context(writing)?;
        signed = Header::parse(&header).ok();
        Ok(())
    })?;
    signed.map(Signed::from).ok_or_else(|| Fatal::new("the header that was made can't be read"))
}

/// Reads a signed firmware, and says what is wrong with it.
pub fn verify(args: &Verify) -> Result<(Option<Signed>, Option<String>)> {
    let keys = public_keys(&args.public_key)?;
    let mut file = open(&args.file)?;
    let start = head(&mut file, &args.file)?;
    let header = match header(&start) {
        Some(Ok(header)) => header,
        Some(Err(refusal)) => return Ok((None, Some(refusal.text().to_owned()))),
        None => return Ok((None, Some(Refusal::Unsigned.text().to_owned()))),
    };
    let size = file.metadata().context(|| args.file.display().to_string())?.len();
    let terms = Terms {
        keys: &keys,
        product_id: &header.product_id,
        version: &header.version,
        not_older_than: [None; 2],
        file_size: u32::try_from(size).unwrap_or(u32::MAX),
    };
    let outcome = judge(&start, &terms).map(drop);
    file.seek(SeekFrom::Start(HEADER_LEN as u64)).context(|| args.file.display().to_string())?;
    let (_, digest) = digest(&mut file, &args.file, |_| Ok(()))?;
    let is_image = digest == header.digest;
    let outcome = outcome.and(if is_image { Ok(()) } else { Err(Refusal::WrongImage) });
    let wrong = match outcome {
        Err(Refusal::UnknownKey) => Some("it is signed by none of the public keys that were given".to_owned()),
        Err(refusal) => Some(refusal.text().to_owned()),
        Ok(()) if keys.is_empty() => Some(
            "the image is the one that was signed, but not by whom: give the public key that is trusted by \
             --public-key"
                .to_owned(),
        ),
        Ok(()) => None,
    };
    Ok((Some(header.into()), wrong))
}

/// A file, read from its first byte to its last.
fn digest(file: &mut File, path: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<(u64, [u8; 64])> {
    let mut digest = ImageDigest::default();
    let mut size = 0;
    let mut block = vec![0; BLOCK];
    loop {
        let read = file.read(&mut block).context(|| format!("cannot read {}", path.display()))?;
        let Some(part) = block.get(..read).filter(|part| !part.is_empty()) else {
            return Ok((size, digest.finish()));
        };
        digest.update(part);
        each(part)?;
        size += part.len() as u64;
    }
}

/// What a header can say, and a device can take.
fn image_size(size: u64, path: &Path) -> Result<u32> {
    if size == 0 {
        return Err(Fatal::new(format!("the image {} is empty", path.display())));
    }
    let is_fit = size + HEADER_LEN as u64 <= u64::from(u32::MAX);
    u32::try_from(size).ok().filter(|_| is_fit).ok_or_else(|| {
        Fatal::new(format!("the image {} has {size} bytes, and devices take less than 4 GiB", path.display()))
    })
}

/// The bytes where a header is, or all there are. The file stands at its begin afterwards.
fn head(file: &mut File, path: &Path) -> Result<Vec<u8>> {
    let what = || format!("cannot read {}", path.display());
    let mut start = Vec::new();
    file.take(HEADER_LEN as u64).read_to_end(&mut start).context(what)?;
    file.seek(SeekFrom::Start(0)).context(what)?;
    Ok(start)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).context(|| format!("cannot open {}", path.display()))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path| fs::metadata(path).ok().map(|file: fs::Metadata| (file.dev(), file.ino()));
    place(one).is_some_and(|one| place(other) == Some(one))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Writes a file whole or not at all. Its mode is there before its first byte.
fn put(path: &Path, mode: u32, may_replace: bool, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new();
    let mut draft = draft.permissions(Permissions::from_mode(mode)).tempfile_in(folder).context(what)?;
    fill(draft.as_file_mut())?;
    draft.as_file().sync_all().context(what)?;
    match may_replace {
        true => draft.persist(path).context(what)?,
        false => draft.persist_noclobber(path).context(what)?,
    };
    Ok(())
}

/// A file with keys, as text.
fn key_file(path: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE as usize));
    let read = open(path)?.take(MAX_KEY_FILE).read_to_string(&mut text);
    read.context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}

fn secret_key(path: &Path) -> Result<SecretKey> {
    let text = key_file(path)?;
    let digits = text.trim_end().strip_prefix(SECRET);
    let bytes = digits.and_then(|digits| hex::bytes(digits.as_bytes()).map(Zeroizing::new));
    bytes
        .map(SecretKey::new)
        .ok_or_else(|| Fatal::new(format!("{} is no secret key: hub firmware keygen FILE makes one", path.display())))
}

/// The keys that were given: each in hex, or a file of them.
fn public_keys(given: &[String]) -> Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for given in given {
        let text = match PublicKey::all(given) {
            Ok(found) if !found.is_empty() => {
                keys.extend(found);
                continue;
            }
            _ => key_file(Path::new(given))?,
        };
        match PublicKey::all(&text) {
            Ok(found) if !found.is_empty() => keys.extend(found),
            _ => {
                return Err(Fatal::new(format!(
                    "{given} holds no public key: it has 64 hex digits and is in the file that ends with .pub"
                )))
            }
        }
    }
    Ok(keys)
}
