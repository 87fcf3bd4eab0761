//! C declarations from Rust files, by cbindgen.

use std::error::Error;
use std::fs;
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationStyle, EnumConfig, ItemType, Language, Style};

use crate::interface::{Interface, LATER};

/// Cargo features and target properties, and the macros that say the same in C.
const CONDITIONS: &[(&str, &str)] = &[
    ("feature = abi-3-3", LATER),
    ("feature = auth-mode-cert", "AUTH_MODE_CERT"),
    ("feature = auth-with-notls", "AUTH_WITH_NOTLS"),
    ("feature = dev-dyn-reg", "DEV_DYN_REG_ENABLED"),
    ("feature = gateway", "GATEWAY_ENABLED"),
    ("feature = multithread", "MULTITHREAD_ENABLED"),
    ("target_os = linux", "__linux__"),
    ("target_env = gnu", "__GLIBC__"),
];

/// Rust names that have another spelling in C.
const SPELLINGS: &[(&str, &str)] = &[("Handle", "uintptr_t"), ("timeval", "struct timeval")];

/// Public types that the frames declare.
const IN_FRAMES: &[&str] = &["LogDelFunc", "LogGetSizeFunc"];

/// What the names of exported functions begin with that are not for C programs, but for our own C files.
const PRIVATE: &str = "qcloud_";

fn config() -> Config {
    let mut config = Config {
        language: Language::C,
        style: Style::Both,
        no_includes: true,
        usize_is_size_t: true,
        line_length: 120,
        tab_width: 4,
        documentation_style: DocumentationStyle::Doxy,
        enumeration: EnumConfig::default(),
        ..Config::default()
    };
    for (condition, name) in CONDITIONS {
        config.defines.insert((*condition).into(), (*name).into());
    }
    for (rust, c) in SPELLINGS {
        config.export.rename.insert((*rust).into(), (*c).into());
    }
    // Globals are hand-written: in Rust they are atomics, in C plain integers and pointers.
    config.export.item_types =
        vec![ItemType::Constants, ItemType::Enums, ItemType::Structs, ItemType::Typedefs, ItemType::Functions];
    config
}

/// Everything that the Rust `files` export, as C. Paths are from `root`. Where `src/ffi/NAME.rs` does not exist yet,
/// `tools/headers/parts/NAME.rs` declares its functions.
pub fn declarations(root: &Path, files: &str, interface: Interface) -> Result<String, Box<dyn Error>> {
    let mut builder = Builder::new();
    let mut config = config();
    let mut sources = String::new();
    let work = root.join("target/headers");
    fs::create_dir_all(&work)?;
    for file in files.split_whitespace() {
        let mut path = root.join(file);
        if let Some(name) = file.strip_prefix("src/ffi/").filter(|_| !path.exists()) {
            path = root.join("tools/headers/parts").join(name);
        }
        let source = written_out(&fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?);
        let written = work.join(file.replace('/', "_"));
        fs::write(&written, &source)?;
        builder = builder.with_src(written);
        sources.push_str(&source);
    }
    // A type that nothing in the file refers to is exported because it is public.
    config.export.include = public_types(&sources);
    config.export.exclude = private_functions(&sources);
    config.export.exclude.extend(IN_FRAMES.iter().map(|name| (*name).to_owned()));
    let mut text = text_constants(&sources, interface).into_bytes();
    builder.with_config(config).generate()?.write(&mut text);
    Ok(crate::spelling::spell(&String::from_utf8(text)?, interface))
}

/// `source` with its `export!` written out as far as a header needs it: cbindgen expands no macros.
fn written_out(source: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in source.lines() {
        match line {
            "export! {" => inside = true,
            "}" if inside => inside = false,
            _ => match line.strip_prefix("    pub ").filter(|_| inside) {
                Some(rest) => {
                    let (before, signature) = rest.split_once("fn ").unwrap_or(("", rest));
                    out.push_str(&format!("    #[no_mangle]\n    pub {before}extern \"C\" fn {signature}\n"));
                }
                None => {
                    out.push_str(line);
                    out.push('\n');
                }
            },
        }
    }
    out
}

/// Names of the public types of a source file.
fn public_types(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in source.lines() {
        for keyword in ["pub struct ", "pub enum ", "pub type "] {
            if let Some(rest) = line.strip_prefix(keyword) {
                names.extend(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(String::from));
            }
        }
    }
    names
}

/// Names of the exported functions that our own C files call.
fn private_functions(source: &str) -> Vec<String> {
    let start = format!("extern \"C\" fn {PRIVATE}");
    let rest = source.split(&start).skip(1).filter_map(|text| text.split('(').next());
    rest.map(|name| format!("{PRIVATE}{name}")).collect()
}

/// Public constants of type `&str`, which cbindgen passes over, with their comments in cbindgen's form.
fn text_constants(source: &str, interface: Interface) -> String {
    let mut out = String::new();
    let mut comment = Vec::new();
    let mut wanted = true;
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            comment.push(text);
            continue;
        }
        if let Some(ours) = interface.attribute(line) {
            wanted = ours;
            continue;
        }
        let constant = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": &str = "));
        if let Some((name, value)) = constant.filter(|_| wanted) {
            out.push_str("/**\n");
            out.extend(comment.iter().map(|text| format!(" * {text}\n")));
            out.push_str(&format!(" */\n#define {name} {}\n\n", value.trim_end_matches(';')));
        }
        comment.clear();
        wanted = true;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_constants_become_macros() {
        let source = "/// Other.\npub const B: u8 = 1;\n/// Host.\npub const A: &str = \"a.b\";\n";
        assert_eq!(text_constants(source, Interface::V32), "/**\n * Host.\n */\n#define A \"a.b\"\n\n");
        let source = "/// Host.\n#[cfg(feature = \"abi-3-3\")]\npub const A: &str = \"a.b\";\n";
        assert_eq!(text_constants(source, Interface::V33), "/**\n * Host.\n */\n#define A \"a.b\"\n\n");
        assert_eq!(text_constants(source, Interface::V32), "");
    }

    #[test]
    fn exports_are_written_out() {
        let source = "export! {\n    /// A.\n    pub unsafe fn a(x: u8) {\n        b\n    }\n}\nfn c() {\n}\n";
        let expected =
            "    /// A.\n    #[no_mangle]\n    pub unsafe extern \"C\" fn a(x: u8) {\n        b\n    }\nfn c() {\n}\n";
        assert_eq!(written_out(source), expected);
    }

    #[test]
    fn functions_for_our_own_c_files_are_found() {
        let source = "pub unsafe extern \"C\" fn qcloud_a(x: u8) {}\npub extern \"C\" fn IOT_B() {}\n";
        assert_eq!(private_functions(source), ["qcloud_a"]);
    }
}
