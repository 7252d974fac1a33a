//! The example file and the reference page, made from the doc comments of [`Config`], so that
//! they cannot tell something else than the code.

use std::fmt::Write as _;

use serde_json::Value;

use super::Config;

/// One setting as the reference tells it.
struct Setting {
    name: String,
    doc: String,
    default: String,
}

/// `peerway.example.toml`: every setting with its default, commented out.
pub fn example_toml() -> String {
    let mut out = String::from(
        "# Every setting of peerway with its default. Made by `peerway config example`.\n\
         # Settings may also come from the environment (PEERWAY_PORT, PEERWAY_LIMITS__FRAME_SIZE)\n\
         # and from flags; a flag wins over the environment, the environment over this file.\n",
    );
    for (section, settings) in sections() {
        if !section.is_empty() {
            let _ = write!(out, "\n#{section}\n");
        }
        for setting in settings {
            out.push('\n');
            for line in wrap(&setting.doc, 96) {
                let _ = writeln!(out, "# {line}");
            }
            let _ = writeln!(out, "#{} = {}", setting.name, setting.default);
        }
    }
    out
}

/// `docs/reference/configuration.md`.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Made by `peerway config reference` from the program's own documentation.\n\n\
         Settings come from a TOML file (`--config FILE` or `PEERWAY_CONFIG`), then from\n\
         environment variables (`PEERWAY_` and the name in capitals, `__` between section and\n\
         name: `PEERWAY_LIMITS__FRAME_SIZE`), then from flags; later ones win. Durations are\n\
         milliseconds or texts like `\"5s\"`, sizes are bytes or texts like `\"64KiB\"`. Unknown names\n\
         are refused. `peerway check-config FILE` checks a file.\n",
    );
    for (section, settings) in sections() {
        let title = if section.is_empty() { "General".to_owned() } else { format!("`{section}`") };
        let _ = write!(out, "\n## {title}\n\n| setting | default | meaning |\n|---|---|---|\n");
        for Setting { name, doc, default } in settings {
            let doc = doc.replace('|', "\\|");
            let _ = writeln!(out, "| `{name}` | `{default}` | {doc} |");
        }
    }
    out
}

/// The top level, then each section, from the JSON Schema of [`Config`]: its descriptions are the
/// doc comments, its defaults those of the code. A setting that is unset by default shows its
/// example instead.
fn sections() -> Vec<(String, Vec<Setting>)> {
    let schema = schemars::schema_for!(Config).to_value();
    let mut general = Vec::new();
    let mut sections = Vec::new();
    for (name, property) in members(&schema) {
        match section(&schema, property) {
            Some((of_many, definition)) => {
                let title = if of_many { format!("[[{name}]]") } else { format!("[{name}]") };
                let settings = members(definition).filter_map(|(name, it)| setting(name, it));
                sections.push((title, settings.collect()));
            }
            None => general.extend(setting(name, property)),
        }
    }
    sections.insert(0, (String::new(), general));
    sections
}

fn members(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// The struct behind a property, and whether it is a list of them.
fn section<'a>(schema: &'a Value, property: &'a Value) -> Option<(bool, &'a Value)> {
    let of_many = property.get("items").is_some();
    let reference = [property.get("$ref"), property.pointer("/items/$ref")]
        .into_iter()
        .chain([property.pointer("/anyOf/0/$ref")])
        .find_map(|it| it?.as_str())?;
    let definition = schema.pointer(reference.strip_prefix('#')?)?;
    definition.get("properties").is_some().then_some((of_many, definition))
}

fn setting(name: &str, property: &Value) -> Option<Setting> {
    let doc = property.get("description")?.as_str()?.replace('\n', " ");
    let example = property.pointer("/examples/0");
    let default = property.get("default").filter(|value| !value.is_null());
    let default = example.or(default)?.to_string();
    Some(Setting { name: name.to_owned(), doc, default })
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.len() + word.len() < width);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
