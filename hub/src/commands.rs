//! The commands on standard input, one a line.

use hub_core::hub::Hub;
use hub_fault::Faults;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StdinCommand {
    /// Those after this client id.
    Devices(String),
    Upgrade(String),
    UpgradeAll,
    Send(String, String),
    Drop(String),
    Fault(String),
    NoFaults,
    Help,
    Quit,
}

impl StdinCommand {
    /// What `help` says.
    pub const HELP: &'static str = "\
devices [<client_id>]         list 1000 devices: the first, or those after one
upgrade <client_id>|all       order the upgrade
send <client_id> <payload>    publish a payload on the device's update topic
drop <client_id>              cut the device's connection
fault <rule>|off              add a fault rule, or end all of them
quit                          end the hub";

    /// Reads one line; `None` for an empty one.
    pub fn parse(line: &str) -> Option<Result<StdinCommand, String>> {
        // The payload of `send` is kept to the last space, so only the line's end goes.
        let line = line.trim_start().trim_end_matches(['\r', '\n']);
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let argument = rest.trim();
        let usage = |text: &str| Err(format!("usage: {text}"));
        Some(match (word, argument) {
            ("", _) => return None,
            ("devices", after) if !after.contains(' ') => Ok(StdinCommand::Devices(after.to_owned())),
            ("devices", _) => usage("devices [<client_id>]"),
            ("upgrade", "all") => Ok(StdinCommand::UpgradeAll),
            ("upgrade", id) if !id.is_empty() => Ok(StdinCommand::Upgrade(id.to_owned())),
            ("upgrade", _) => usage("upgrade <client_id>|all"),
            ("send", _) => match rest.trim_start().split_once(' ') {
                Some((id, payload)) if !payload.is_empty() => Ok(StdinCommand::Send(id.to_owned(), payload.to_owned())),
                _ => usage("send <client_id> <payload>"),
            },
            ("drop", id) if !id.is_empty() => Ok(StdinCommand::Drop(id.to_owned())),
            ("drop", _) => usage("drop <client_id>"),
            ("fault", "off") => Ok(StdinCommand::NoFaults),
            ("fault", rule) if !rule.is_empty() => Ok(StdinCommand::Fault(rule.to_owned())),
            ("fault", _) => usage("fault <rule>|off"),
            ("help", "") => Ok(StdinCommand::Help),
            ("quit", "") => Ok(StdinCommand::Quit),
            (word, _) => Err(format!("unknown command {word:?}; type help for the commands")),
        })
    }
}

/// Carries a command out (but `Quit`, which is the caller's).
pub fn carry_out(hub: &Hub, faults: &Faults, command: StdinCommand) {
    let outcome = match command {
        StdinCommand::Devices(after) => hub.list(&after),
        StdinCommand::UpgradeAll => hub.upgrade_all(),
        StdinCommand::Upgrade(client_id) => hub.upgrade_one(&client_id),
        StdinCommand::Send(client_id, payload) => hub.send_raw(&client_id, payload),
        StdinCommand::Drop(client_id) => hub.cut(&client_id),
        StdinCommand::Fault(rule) => faults.add(&rule).map(|()| hub.note(format!("fault {rule}"))),
        StdinCommand::NoFaults => {
            faults.clear();
            hub.note("no faults");
            Ok(())
        }
        StdinCommand::Help => {
            hub.note(StdinCommand::HELP);
            Ok(())
        }
        StdinCommand::Quit => Ok(()),
    };
    if let Err(text) = outcome {
        hub.warn(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_commands() {
        let parse = |line: &str| StdinCommand::parse(line).and_then(Result::ok);
        assert_eq!(parse("devices\n"), Some(StdinCommand::Devices(String::new())));
        assert_eq!(parse("devices P1dev1"), Some(StdinCommand::Devices("P1dev1".to_owned())));
        assert_eq!(parse(" upgrade all "), Some(StdinCommand::UpgradeAll));
        assert_eq!(parse("upgrade P1dev1"), Some(StdinCommand::Upgrade("P1dev1".to_owned())));
        let payload = r#"{"a": "b  c"} "#;
        assert_eq!(
            parse(&format!("send P1dev1 {payload}\r\n")),
            Some(StdinCommand::Send("P1dev1".to_owned(), payload.to_owned()))
        );
        assert_eq!(parse("drop P1dev1"), Some(StdinCommand::Drop("P1dev1".to_owned())));
        assert_eq!(parse("fault http:cut=1#1"), Some(StdinCommand::Fault("http:cut=1#1".to_owned())));
        assert_eq!(parse("fault off"), Some(StdinCommand::NoFaults));
        assert_eq!(StdinCommand::parse("  \n"), None);
    }

    #[test]
    fn complains() {
        for line in ["upgrade", "send P1dev1", "send", "drop", "fault", "fly", "devices from now"] {
            assert!(matches!(StdinCommand::parse(line), Some(Err(_))), "{line}");
        }
    }
}
