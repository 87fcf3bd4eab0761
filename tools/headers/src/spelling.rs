//! The touches that cbindgen has no option for: tags, comments, conditions.

use crate::interface::Interface;

/// Types whose tag differs from their name, and the tag.
const TAGS: &[(&str, &str)] = &[
    ("enum QoS", "enum _QoS"),
    ("enum eRRPCReplyCode", "enum _eRRPCReplyCode_"),
    ("enum eShadowType", "enum _eShadowType_"),
    ("enum eDataState", "enum _eDataState_"),
    ("struct list_head_t", "struct list_head"),
    ("struct json_key_t", "struct _json_key_t"),
    ("struct SubdevBindInfo", "struct _SubdevBindInfo"),
    ("struct SubdevBindList", "struct _SubdevBindList"),
    ("struct DeviceProperty", "struct _JSONNode"),
    ("struct sRRPCReplyPara", "struct _sRRPCReplyPara"),
];

/// Turns cbindgen's text into what a header of `interface` shows.
pub fn spell(text: &str, interface: Interface) -> String {
    let text = comments(&interface.decide(&text.replace("\n#endif\n    ;\n", ";\n#endif\n")));
    types(&conditions(&text))
}

/// Drops the `# Safety` sections, which speak to Rust callers, and Rust's link brackets. Puts short comments on one
/// line.
fn comments(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "/**" {
            out.push_str(line.trim_end());
            out.push('\n');
            continue;
        }
        let indent = &line[..line.len() - "/**".len()];
        let mut body: Vec<String> = Vec::new();
        let mut in_safety = false;
        for line in lines.by_ref() {
            let line = line.trim();
            if line == "*/" {
                break;
            }
            let line = line.strip_prefix('*').unwrap_or(line).trim();
            if let Some(heading) = line.strip_prefix("# ") {
                in_safety = heading == "Safety";
            }
            if !in_safety {
                body.push(line.replace("[`", "`").replace("`]", "`"));
            }
        }
        while body.last().is_some_and(String::is_empty) {
            body.pop();
        }
        match body.as_slice() {
            [] => {}
            [line] => out.push_str(&format!("{indent}/** {line} */\n")),
            lines => {
                out.push_str(&format!("{indent}/**\n"));
                for line in lines {
                    out.push_str(format!("{indent} * {line}").trim_end());
                    out.push('\n');
                }
                out.push_str(&format!("{indent} */\n"));
            }
        }
    }
    out
}

/// Joins neighbours under the same `#if`.
fn conditions(text: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut open: Option<&str> = None;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("#if ") {
            open = Some(line);
        } else if line == "#endif" {
            let blank = lines.next_if(|next| next.is_empty());
            if open.is_some() && lines.peek().copied() == open {
                lines.next();
                out.extend(blank);
            } else {
                open = None;
                out.push(line);
                out.extend(blank);
            }
            continue;
        }
        out.push(line);
    }
    out.join("\n") + "\n"
}

/// The name after `keyword` when `line` opens a type's definition.
fn opened_type<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    line.strip_prefix("typedef ")?.strip_prefix(keyword)?.strip_prefix(' ')?.strip_suffix(" {")
}

/// Names types without `struct` and `enum`, except where a type is being defined; there it gets its tag. Parameters
/// that Rust does not use lose their underscore.
fn types(text: &str) -> String {
    let mut names = Vec::new();
    for keyword in ["struct", "enum"] {
        names.extend(text.lines().filter_map(|line| opened_type(line, keyword)).map(|name| (keyword, name)));
    }
    let tag = |keyword: &str, name: &str| {
        let full = format!("{keyword} {name}");
        TAGS.iter().find(|(from, _)| *from == full).map_or(full, |(_, to)| (*to).to_owned())
    };
    let mut out = String::new();
    let mut current = None;
    for line in text.lines() {
        let mut line = line.to_owned();
        if !line.trim_start().starts_with(['*', '/', '#']) {
            line = line.replace(" _", " ").replace("*_", "*").replace("(_", "(");
            for (keyword, name) in &names {
                let opens = opened_type(&line, keyword) == Some(name);
                if opens {
                    current = Some(*name);
                }
                let full = format!("{keyword} {name} ");
                let spelled = if current == Some(*name) { tag(keyword, name) } else { (*name).to_owned() };
                line = line.replace(&full, &format!("{spelled} "));
            }
            if line.starts_with('}') {
                current = None;
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_lose_the_safety_section() {
        let text = "/**\n * Does [`A`].\n *\n * # Safety\n * `p` is valid.\n */\nint f(void);\n";
        assert_eq!(comments(text), "/** Does `A`. */\nint f(void);\n");
        let text = "    /**\n     * One.\n     * Two.\n     */\n    int a;\n";
        assert_eq!(comments(text), text);
    }

    #[test]
    fn neighbours_share_a_condition() {
        let text = "#if A\nint a;\n#endif\n\n#if A\nint b;\n#endif\n\n#if B\nint c;\n#endif\n";
        assert_eq!(conditions(text), "#if A\nint a;\n\nint b;\n#endif\n\n#if B\nint c;\n#endif\n");
    }

    #[test]
    fn types_get_their_tag_where_they_are_defined_only() {
        let text = "typedef struct list_head_t {\n    struct list_head_t *next;\n} list_head_t;\n\
                    struct timeval now;\nint f(struct list_head_t *_list);\n";
        let want = "typedef struct list_head {\n    struct list_head *next;\n} list_head_t;\n\
                    struct timeval now;\nint f(list_head_t *list);\n";
        assert_eq!(types(text), want);
    }
}
