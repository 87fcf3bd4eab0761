//! Somebody else's eyes on the datagrams of an upgrade over CoAP: Wireshark's, by `tshark`.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::{fs, io, thread};

use e2e::{Build, Desk};

/// The port by which Wireshark knows CoAP.
const COAP: u16 = 5683;
const DEVICE: u16 = 40000;

/// What it says of the options that the contract has made up (coap.md sections 3 and 4).
const OWN_OPTIONS: [&str; 2] = ["Invalid Option Number 61", "Invalid Option Number 62"];

/// A datagram, and whether the device has sent it.
type Seen = (bool, Vec<u8>);

/// Carries datagrams between a device and the hub, and keeps them.
struct Tap {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Tap {
    /// The threads end with the program.
    fn before(hub: &str) -> io::Result<Self> {
        let (front, back) = (Arc::new(UdpSocket::bind("127.0.0.1:0")?), Arc::new(UdpSocket::bind("127.0.0.1:0")?));
        back.connect(hub)?;
        let (address, seen, device) =
            (front.local_addr()?, Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(Mutex::new(None)));
        let keep = |from_device: bool, seen: &Mutex<Vec<Seen>>, datagram: &[u8]| {
            seen.lock().expect("the datagrams").push((from_device, datagram.to_vec()));
        };
        let (from, to, kept, peer) = (front.clone(), back.clone(), seen.clone(), device.clone());
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok((count, sender)) = from.recv_from(&mut buffer) {
                *peer.lock().expect("the device") = Some(sender);
                keep(true, &kept, &buffer[..count]);
                to.send(&buffer[..count]).expect("the hub");
            }
        });
        let kept = seen.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count) = back.recv(&mut buffer) {
                keep(false, &kept, &buffer[..count]);
                let peer = device.lock().expect("the device").expect("the device has spoken first");
                // A device that is gone already reads nothing.
                let _ = front.send_to(&buffer[..count], peer);
            }
        });
        Ok(Tap { address, seen })
    }
}

/// The datagrams as a capture of bare IPv4 packets.
fn capture(seen: &[Seen]) -> Vec<u8> {
    let mut file = Vec::new();
    // Magic number, version 2.4, time zone, accuracy, longest packet, link type: none.
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        file.extend(word.to_le_bytes());
    }
    for (number, (from_device, datagram)) in (0_u32..).zip(seen) {
        let (from, to) = if *from_device { (DEVICE, COAP) } else { (COAP, DEVICE) };
        let udp_len = u16::try_from(8 + datagram.len()).expect("a datagram");
        let ip_len = 20 + udp_len;
        for word in [number, 0, u32::from(ip_len), u32::from(ip_len)] {
            file.extend(word.to_le_bytes());
        }
        // No fragment, UDP, checksums left out, from 127.0.0.1 to itself.
        file.extend([0x45, 0]);
        file.extend(ip_len.to_be_bytes());
        file.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        for word in [from, to, udp_len, 0] {
            file.extend(word.to_be_bytes());
        }
        file.extend(datagram);
    }
    file
}

/// What Wireshark reads in each datagram: what it complains of, code, token, path and the length of the payload.
fn dissected(file: &Path) -> Vec<[String; 5]> {
    let mut command = Command::new("tshark");
    command.args(["-r", &file.to_string_lossy(), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;"]);
    for field in ["_ws.expert.message", "coap.code", "coap.token", "coap.opt.uri_path", "coap.payload_length"] {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap_or_else(|error| panic!("{error}: {}", e2e::missing("tshark", "tshark")));
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [experts, code, token, path, payload] = fields[..] else { panic!("{line}") };
        let complaints = experts.split(';').filter(|text| !OWN_OPTIONS.contains(text)).collect::<String>();
        [complaints, code.into(), token.into(), path.into(), payload.into()]
    };
    text.lines().map(row).collect()
}

#[test]
fn tshark_reads_every_datagram_of_an_upgrade_and_complains_of_none() {
    let args = ["--upgrade-on-report", "--scheme", "http"].map(str::to_owned);
    let desk = Desk::with_args(Build::LogUpload, 1000, |_| args.into());
    let tap = Tap::before(&desk.hub.ready("coap")).expect("sockets");
    let sample = desk.program("ota_coap_sample").environment("QCLOUD_IOT_COAP_ENDPOINT", &tap.address.to_string());
    assert_eq!(desk.finish(&mut sample.start()).code(), 0);
    desk.assert_upgraded();

    let seen = tap.seen.lock().expect("the datagrams").clone();
    let file = desk.folder.path().join("coap.pcap");
    fs::write(&file, capture(&seen)).expect("a capture");
    let rows = dissected(&file);
    assert_eq!(rows.len(), seen.len());
    for (row, (from_device, datagram)) in rows.iter().zip(&seen) {
        let [complaint, code, token, ..] = row;
        assert_eq!(complaint, "", "{datagram:x?}: {row:?}");
        assert_eq!(code, &datagram[1].to_string(), "{row:?}");
        let length = usize::from(datagram[0] & 15);
        assert_eq!(token.replace(':', ""), hex::encode(&datagram[4..4 + length]), "{row:?}");
        assert!(!from_device || row[1] != "2" || !row[4].is_empty(), "each request has a payload: {row:?}");
    }
    let (product, name) = (&desk.device.product_id, &desk.device.name);
    let paths = [format!("/{product}/{name}/txauth9w0BAQsFA"), format!("/$ota/report/{product}/{name}")];
    for path in paths {
        assert!(rows.iter().any(|row| format!("/{}", row[3].trim_start_matches('/')) == path), "{path}: {rows:?}");
    }
    // And it does complain: of a token that is cut off.
    fs::write(&file, capture(&[(true, b"\x44\x02\x00\x01\x01".to_vec())])).expect("a capture");
    assert_ne!(dissected(&file)[0][0], "");
}
