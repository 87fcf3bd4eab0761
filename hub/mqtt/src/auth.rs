//! Who may connect (wire contract, section 2). No I/O: the TLS layers have already proved an identity, or there is none.

use hmac::{Hmac, KeyInit, Mac};
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode};
use rumqttc::mqttbytes::Protocol;
use sha1::Sha1;

use hub_core::devices::Device;
use hub_core::events::Listener;

/// Why a CONNECT is turned down.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the CONNACK says.
    pub code: ConnectReturnCode,
    /// What the hub's own log says.
    pub reason: &'static str,
}

fn refuse<T>(code: ConnectReturnCode, reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal { code, reason })
}

/// What TLS proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The PSK identity or the certificate's common name.
    pub name: String,
    /// The certificate's serial number in hex.
    pub serial: Option<String>,
}

impl Identity {
    /// The common name and the serial number in a certificate.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, cert) = x509_parser::parse_x509_certificate(der).ok()?;
        let name = cert.subject().iter_common_name().next()?.as_str().ok()?;
        Some(Identity { name: name.to_owned(), serial: Some(hex::encode(cert.raw_serial())) })
    }
}

/// Decides over a CONNECT packet. `device` is the one with the client id it names, if there is one; `now` is the
/// present UTC second.
pub fn check(
    listener: Listener,
    identity: Option<&Identity>,
    connect: &Connect,
    device: Option<&Device>,
    now: u64,
) -> Result<(), Refusal> {
    use ConnectReturnCode::{BadClientId, BadUserNamePassword, NotAuthorized, RefusedProtocolVersion};

    if connect.protocol != Protocol::V4 {
        return refuse(RefusedProtocolVersion, "not MQTT 3.1.1");
    }
    let Some(device) = device else {
        return refuse(BadClientId, "unknown client id");
    };
    if listener != Listener::Tcp && identity.map(|identity| &identity.name) != Some(&connect.client_id) {
        return refuse(NotAuthorized, "the client id is not the identity TLS proved");
    }
    let serial = identity.and_then(|identity| identity.serial.as_ref());
    if listener == Listener::Cert && device.serial.is_some() && device.serial.as_ref() != serial {
        return refuse(NotAuthorized, "the certificate is not the device's latest");
    }
    let user_name = connect.login.as_ref().map(|login| login.username.as_str()).filter(|name| !name.is_empty());
    match user_name {
        // Tools for trying things by hand need not know the platform's user names where TLS has proved who they are.
        None if listener != Listener::Tcp => return Ok(()),
        None => return refuse(BadUserNamePassword, "no user name"),
        Some(name) => match expiry(name, &connect.client_id) {
            Err(reason) => return refuse(BadUserNamePassword, reason),
            Ok(expiry) if expiry < now => return refuse(NotAuthorized, "the user name has expired"),
            Ok(_) => {}
        },
    }
    if listener != Listener::Tcp {
        return Ok(());
    }
    let Some(key) = device.key.as_deref() else {
        return refuse(NotAuthorized, "the device has no secret");
    };
    let (name, password) = match &connect.login {
        Some(login) => (login.username.as_str(), login.password.as_str()),
        None => return refuse(BadUserNamePassword, "no password"),
    };
    if is_password(key, name, password) {
        Ok(())
    } else {
        refuse(BadUserNamePassword, "wrong password")
    }
}

/// The second at which a user name `<client_id>;<app id>;<conn_id>;<expiry>` ends.
fn expiry(user_name: &str, client_id: &str) -> Result<u64, &'static str> {
    let parts: Vec<&str> = user_name.split(';').collect();
    let [id, app_id, conn_id, expiry] = parts[..] else {
        return Err("the user name does not have four parts");
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if id != client_id {
        return Err("the user name is another device's");
    }
    if !digits(app_id) {
        return Err("the user name's application id is not a number");
    }
    if conn_id.len() != 5 || !conn_id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("the user name's connection id is not 5 letters or digits");
    }
    if !digits(expiry) {
        return Err("the user name's expiry is not a number");
    }
    expiry.parse().map_err(|_| "the user name's expiry is out of range")
}

/// Whether the password is `<hex HMAC-SHA1 of the user name>;hmacsha1`.
fn is_password(key: &[u8], user_name: &str, password: &str) -> bool {
    let Some(digest) = password.strip_suffix(";hmacsha1") else {
        return false;
    };
    // The contract has lower-case digits; the hex decoder would take both.
    if digest.bytes().any(|b| b.is_ascii_uppercase()) {
        return false;
    }
    let (Ok(digest), Ok(mut mac)) = (hex::decode(digest), Hmac::<Sha1>::new_from_slice(key)) else {
        return false;
    };
    mac.update(user_name.as_bytes());
    mac.verify_slice(&digest).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "P1dev1;21010406;a1B2c;9223372036854775807";
    // printf %s "$NAME" | openssl dgst -sha1 -hmac 123456
    const PASSWORD: &str = "8bcb3ca1752841a52b31d5ab52c8ee2a44adb60b;hmacsha1";

    fn device(id: &str) -> Option<Device> {
        let (name, key, serial) = match id {
            "P1dev1" => ("dev1", Some(b"123456".to_vec()), None),
            "P1cert" => ("cert", None, None),
            "P1new" => ("new", None, Some("0a".to_owned())),
            _ => return None,
        };
        Some(Device { product_id: "P1".to_owned(), device_name: name.to_owned(), key, serial })
    }

    fn verdict(listener: Listener, identity: Option<&str>, id: &str, login: Option<(&str, &str)>) -> Option<u8> {
        let identity = identity.map(|name| Identity { name: name.to_owned(), serial: None });
        decide(listener, identity.as_ref(), id, login)
    }

    fn decide(listener: Listener, identity: Option<&Identity>, id: &str, login: Option<(&str, &str)>) -> Option<u8> {
        let mut connect = Connect::new(id);
        if let Some((name, password)) = login {
            connect.set_login(name, password);
        }
        let device = device(id);
        check(listener, identity, &connect, device.as_ref(), 1_700_000_000).err().map(|refusal| refusal.code as u8)
    }

    #[test]
    fn only_the_latest_certificate() {
        let with = |serial: &str| Identity { name: "P1new".to_owned(), serial: Some(serial.to_owned()) };
        assert_eq!(decide(Listener::Cert, Some(&with("0a")), "P1new", None), None);
        assert_eq!(decide(Listener::Cert, Some(&with("0b")), "P1new", None), Some(5));
        assert_eq!(verdict(Listener::Cert, Some("P1new"), "P1new", None), Some(5));
    }

    #[test]
    fn passwords_on_tcp() {
        let tcp = |login: Option<(&str, &str)>| verdict(Listener::Tcp, None, "P1dev1", login);
        assert_eq!(tcp(Some((NAME, PASSWORD))), None);
        assert_eq!(tcp(Some((NAME, PASSWORD.trim_end_matches(";hmacsha1")))), Some(4));
        assert_eq!(tcp(Some((NAME, &PASSWORD.to_uppercase().replace("HMACSHA1", "hmacsha1")))), Some(4));
        assert_eq!(tcp(Some((NAME, "00;hmacsha1"))), Some(4));
        assert_eq!(tcp(Some((NAME, ""))), Some(4));
        assert_eq!(tcp(None), Some(4));
        assert_eq!(verdict(Listener::Tcp, None, "P1dev9", Some((NAME, PASSWORD))), Some(2));
        assert_eq!(verdict(Listener::Tcp, None, "P1cert", Some((&NAME.replace("dev1", "cert"), ""))), Some(5));
    }

    #[test]
    fn user_names() {
        let psk = |name: &str| verdict(Listener::Psk, Some("P1dev1"), "P1dev1", Some((name, "")));
        assert_eq!(psk(NAME), None);
        assert_eq!(psk("P1dev1;21010406;a1B2c;1600000000"), Some(5));
        for bad in [
            "P1dev1",
            "P1cert;21010406;a1B2c;9",
            "P1dev1;x;a1B2c;9",
            "P1dev1;21010406;a1B2;9",
            "P1dev1;21010406;a1-2c;9",
            "P1dev1;21010406;a1B2c;",
            "P1dev1;21010406;a1B2c;99999999999999999999",
            "P1dev1;21010406;a1B2c;9;9",
        ] {
            assert_eq!(psk(bad), Some(4), "{bad}");
        }
    }

    #[test]
    fn identities() {
        assert_eq!(verdict(Listener::Psk, Some("P1dev1"), "P1dev1", None), None);
        assert_eq!(verdict(Listener::Psk, Some("P1dev1"), "P1cert", None), Some(5));
        assert_eq!(verdict(Listener::Cert, Some("P1cert"), "P1cert", None), None);
        assert_eq!(verdict(Listener::Cert, None, "P1cert", None), Some(5));
    }
}
