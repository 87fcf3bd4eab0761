//! The two interfaces that headers can be of: the C SDK's 3.2.3 (`include/`) and its 3.3.0.

use std::collections::VecDeque;

/// Which release of the C SDK the headers are those of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// 3.2.3.
    V32,
    /// 3.3.0.
    V33,
}

/// What cbindgen writes for the feature of the later interface. No header has it: it is decided here.
pub const LATER: &str = "IOT_ABI_3_3";

/// The feature of `iot-abi` that means the later interface.
const FEATURE: &str = "abi-3-3";

impl Interface {
    /// As `IOT_ABI` names it.
    pub fn name(self) -> &'static str {
        match self {
            Interface::V32 => "3.2",
            Interface::V33 => "3.3",
        }
    }

    /// By its name.
    pub fn of(name: &str) -> Option<Self> {
        [Interface::V32, Interface::V33].into_iter().find(|interface| interface.name() == name)
    }

    fn is_later(self) -> bool {
        self == Interface::V33
    }

    /// A line of a frame without the mark `@3.3 ` or `@3.2 ` in front of it; `None` where it is the other interface's.
    pub fn line(self, line: &str) -> Option<&str> {
        let marked = |interface: Interface| line.strip_prefix('@')?.strip_prefix(interface.name())?.strip_prefix(' ');
        let other = if self.is_later() { Interface::V32 } else { Interface::V33 };
        match marked(self) {
            Some(rest) => Some(rest),
            None if marked(other).is_some() => None,
            None => Some(line),
        }
    }

    /// Whether a line of Rust is the attribute that an item is this interface's (`Some(true)`) or the other's.
    pub fn attribute(self, line: &str) -> Option<bool> {
        if line == format!("#[cfg(feature = \"{FEATURE}\")]") {
            Some(self.is_later())
        } else if line == format!("#[cfg(not(feature = \"{FEATURE}\"))]") {
            Some(!self.is_later())
        } else {
            None
        }
    }

    /// Decides the conditions on [`LATER`] in what cbindgen wrote.
    pub fn decide(self, text: &str) -> String {
        let mut out = String::new();
        // What became of each open #if: stays, goes but for its body, goes as a whole.
        let mut open = Vec::new();
        for line in text.lines() {
            let shown = !open.contains(&Some(false));
            if let Some(condition) = line.strip_prefix("#if ") {
                let verdict =
                    if condition.contains(LATER) { self.verdict(condition) } else { Verdict::Open(condition.into()) };
                open.push(match verdict {
                    Verdict::Known(holds) => Some(holds),
                    Verdict::Open(rest) => {
                        if shown {
                            out.push_str(&format!("#if {rest}\n"));
                        }
                        None
                    }
                });
                continue;
            }
            if line == "#endif" && open.pop().is_some_and(|decided| decided.is_some()) {
                continue;
            }
            if shown {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }

    fn verdict(self, condition: &str) -> Verdict {
        let spaced = condition.replace('(', " ( ").replace(')', " ) ").replace('!', " ! ");
        let mut tokens = spaced.split_whitespace().collect();
        self.disjunction(&mut tokens)
    }

    fn disjunction(self, tokens: &mut VecDeque<&str>) -> Verdict {
        self.chain(tokens, "||", true, |interface, tokens| interface.chain(tokens, "&&", false, Self::operand))
    }

    /// Operands with `operator` between them, of which one that is `decisive` decides.
    fn chain(
        self,
        tokens: &mut VecDeque<&str>,
        operator: &str,
        decisive: bool,
        operand: fn(Self, &mut VecDeque<&str>) -> Verdict,
    ) -> Verdict {
        let mut rest = Vec::new();
        let mut decided = false;
        loop {
            match operand(self, tokens) {
                Verdict::Known(holds) => decided |= holds == decisive,
                Verdict::Open(text) => rest.push(text),
            }
            if tokens.front() != Some(&operator) {
                break;
            }
            tokens.pop_front();
        }
        match rest.len() {
            _ if decided => Verdict::Known(decisive),
            0 => Verdict::Known(!decisive),
            1 => Verdict::Open(rest.remove(0)),
            _ => Verdict::Open(format!("({})", rest.join(&format!(" {operator} ")))),
        }
    }

    fn operand(self, tokens: &mut VecDeque<&str>) -> Verdict {
        match tokens.pop_front() {
            Some("!") => match self.operand(tokens) {
                Verdict::Known(holds) => Verdict::Known(!holds),
                Verdict::Open(text) => Verdict::Open(format!("!{text}")),
            },
            Some("(") => {
                let inner = self.disjunction(tokens);
                tokens.pop_front();
                inner
            }
            Some("defined") => {
                tokens.pop_front();
                let name = tokens.pop_front().unwrap_or_default();
                tokens.pop_front();
                if name == LATER {
                    Verdict::Known(self.is_later())
                } else {
                    Verdict::Open(format!("defined({name})"))
                }
            }
            other => Verdict::Open(other.unwrap_or_default().into()),
        }
    }
}

/// What is left of a condition once the interface is chosen.
enum Verdict {
    Known(bool),
    Open(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_lines_of_one_interface() {
        assert_eq!(Interface::V32.line("@3.2 int a;"), Some("int a;"));
        assert_eq!(Interface::V33.line("@3.2 int a;"), None);
        assert_eq!(Interface::V33.line("@3.3 int a;"), Some("int a;"));
        assert_eq!(Interface::V33.line("@rust a.rs@"), Some("@rust a.rs@"));
    }

    #[test]
    fn conditions_on_the_interface_are_decided_and_others_stay() {
        let decided = |condition: &str| {
            let text = format!("#if {condition}\na\n#if defined(B)\nb\n#endif\n#endif\nc\n");
            [Interface::V32, Interface::V33].map(|it| it.decide(&text).replace('\n', ";"))
        };
        let (whole, gone) = ("a;#if defined(B);b;#endif;c;", "c;");
        assert_eq!(decided("defined(IOT_ABI_3_3)"), [gone, whole]);
        assert_eq!(decided("!defined(IOT_ABI_3_3)"), [whole, gone]);
        let kept = "#if !defined(A);a;#if defined(B);b;#endif;#endif;c;";
        assert_eq!(decided("(!defined(A) && defined(IOT_ABI_3_3))"), [gone, kept]);
        assert_eq!(decided("(!defined(A) || defined(IOT_ABI_3_3))"), [kept, whole]);
        let both = "#if (defined(A) && !defined(C));a;#if defined(B);b;#endif;#endif;c;";
        assert_eq!(decided("(defined(A) && !defined(IOT_ABI_3_3) && !defined(C))"), [both, gone]);
        assert_eq!(decided("(!(defined(A) && defined(C)) && defined(IOT_ABI_3_3))")[0], gone);
    }
}
