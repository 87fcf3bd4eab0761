//! The commands on standard input, one a line.

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Devices,
    Upgrade(String),
    UpgradeAll,
    Send(String, String),
    Drop(String),
    Fault(String),
    NoFaults,
    Help,
    Quit,
}

impl Command {
    /// What `help` says.
    pub const HELP: &'static str = "\
devices                       list the devices
upgrade <client_id>|all       order the upgrade
send <client_id> <payload>    publish a payload on the device's update topic
drop <client_id>              cut the device's connection
fault <rule>|off              add a fault rule, or end all of them
quit                          end the hub";

    /// Reads one line; `None` for an empty one.
    pub fn parse(line: &str) -> Option<Result<Command, String>> {
        // The payload of `send` is kept to the last space, so only the line's end goes.
        let line = line.trim_start().trim_end_matches(['\r', '\n']);
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let argument = rest.trim();
        let usage = |text: &str| Err(format!("usage: {text}"));
        Some(match (word, argument) {
            ("", _) => return None,
            ("devices", "") => Ok(Command::Devices),
            ("upgrade", "all") => Ok(Command::UpgradeAll),
            ("upgrade", id) if !id.is_empty() => Ok(Command::Upgrade(id.to_owned())),
            ("upgrade", _) => usage("upgrade <client_id>|all"),
            ("send", _) => match rest.trim_start().split_once(' ') {
                Some((id, payload)) if !payload.is_empty() => Ok(Command::Send(id.to_owned(), payload.to_owned())),
                _ => usage("send <client_id> <payload>"),
            },
            ("drop", id) if !id.is_empty() => Ok(Command::Drop(id.to_owned())),
            ("drop", _) => usage("drop <client_id>"),
            ("fault", "off") => Ok(Command::NoFaults),
            ("fault", rule) if !rule.is_empty() => Ok(Command::Fault(rule.to_owned())),
            ("fault", _) => usage("fault <rule>|off"),
            ("help", "") => Ok(Command::Help),
            ("quit", "") => Ok(Command::Quit),
            (word, _) => Err(format!("unknown command {word:?}; type help for the commands")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_commands() {
        let parse = |line: &str| Command::parse(line).and_then(Result::ok);
        assert_eq!(parse("devices\n"), Some(Command::Devices));
        assert_eq!(parse(" upgrade all "), Some(Command::UpgradeAll));
        assert_eq!(parse("upgrade P1dev1"), Some(Command::Upgrade("P1dev1".to_owned())));
        let payload = r#"{"a": "b  c"} "#;
        assert_eq!(
            parse(&format!("send P1dev1 {payload}\r\n")),
            Some(Command::Send("P1dev1".to_owned(), payload.to_owned()))
        );
        assert_eq!(parse("drop P1dev1"), Some(Command::Drop("P1dev1".to_owned())));
        assert_eq!(parse("fault http:cut=1#1"), Some(Command::Fault("http:cut=1#1".to_owned())));
        assert_eq!(parse("fault off"), Some(Command::NoFaults));
        assert_eq!(Command::parse("  \n"), None);
    }

    #[test]
    fn complains() {
        for line in ["upgrade", "send P1dev1", "send", "drop", "fault", "fly", "devices now"] {
            assert!(matches!(Command::parse(line), Some(Err(_))), "{line}");
        }
    }
}
