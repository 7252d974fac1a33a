//! The example file and the reference page, made from the doc comments of [`Config`], so that
//! they cannot tell something else than the code.

use std::fmt::Write as _;

use serde_json::Value;

use super::Config;

/// A part of the configuration: the top level, a table, or a list of tables.
struct Section {
    /// As TOML writes it; empty for the top level.
    title: String,
    doc: String,
    settings: Vec<Setting>,
}

/// One setting as the reference tells it.
struct Setting {
    name: String,
    doc: String,
    /// The default, or an example where there is none.
    value: String,
    presence: Presence,
}

#[derive(PartialEq)]
enum Presence {
    Default,
    Unset,
    Required,
}

/// `peerway.example.toml`: every setting with its default, commented out.
pub fn example_toml() -> String {
    let mut out = String::from(
        "# Every setting of peerway with its default. Made by `peerway config example`.\n\
         # Settings may also come from the environment (PEERWAY_PORT, PEERWAY_LIMITS__FRAME_SIZE)\n\
         # and from flags; a flag wins over the environment, the environment over this file.\n",
    );
    for Section { title, doc, settings } in sections() {
        if !title.is_empty() {
            out.push('\n');
            comment(&doc, &mut out);
            let _ = writeln!(out, "#{title}");
        }
        for Setting { name, doc, value, presence } in settings {
            out.push('\n');
            comment(&doc, &mut out);
            let note = match presence {
                Presence::Default => "",
                Presence::Unset => "    # unset by default",
                Presence::Required => "    # required",
            };
            let _ = writeln!(out, "#{name} = {value}{note}");
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
    for Section { title, doc, settings } in sections() {
        if title.is_empty() {
            out.push_str("\n## General\n");
        } else {
            let _ = write!(out, "\n## `{title}`\n\n{doc}\n");
        }
        out.push_str("\n| setting | default | meaning |\n|---|---|---|\n");
        for Setting { name, doc, value, presence } in settings {
            let doc = doc.replace('|', "\\|");
            let default = match presence {
                Presence::Default => format!("`{value}`"),
                Presence::Unset => format!("unset, or like `{value}`"),
                Presence::Required => format!("required, like `{value}`"),
            };
            let _ = writeln!(out, "| `{name}` | {default} | {doc} |");
        }
    }
    out
}

/// The top level, then each section, from the JSON Schema of [`Config`]: its descriptions are the
/// doc comments, its defaults those of the code.
fn sections() -> Vec<Section> {
    let schema = schemars::schema_for!(Config).to_value();
    let mut general = Vec::new();
    let mut sections = Vec::new();
    for (name, property) in members(&schema) {
        match section(&schema, property) {
            Some((of_many, definition)) => {
                sections.push(Section {
                    title: if of_many { format!("[[{name}]]") } else { format!("[{name}]") },
                    doc: doc(property),
                    settings: settings(&schema, definition),
                });
                sections.extend(subsections(&schema, name, definition));
            }
            None => general.push(setting(&schema, name, property)),
        }
    }
    sections.insert(0, Section { title: String::new(), doc: String::new(), settings: general });
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

fn settings(schema: &Value, definition: &Value) -> Vec<Setting> {
    members(definition)
        .filter(|(_, property)| section(schema, property).is_none())
        .map(|(name, property)| setting(definition, name, property))
        .collect()
}

/// The structs inside a struct: TOML has them behind its own settings.
fn subsections(schema: &Value, parent: &str, definition: &Value) -> Vec<Section> {
    members(definition)
        .filter_map(|(name, property)| {
            let (_, inner) = section(schema, property)?;
            let title = format!("[{parent}.{name}]");
            Some(Section { title, doc: doc(property), settings: settings(schema, inner) })
        })
        .collect()
}

fn setting(of: &Value, name: &str, property: &Value) -> Setting {
    let default = property.get("default").filter(|value| !value.is_null());
    let required = of.get("required").and_then(Value::as_array).into_iter().flatten();
    let presence = if required.into_iter().any(|it| it == name) {
        Presence::Required
    } else if default.is_some() {
        Presence::Default
    } else {
        Presence::Unset
    };
    let value = default.or(property.pointer("/examples/0")).map(Value::to_string);
    let value = value.expect("a setting without a default has an example");
    Setting { name: name.to_owned(), doc: doc(property), value, presence }
}

fn doc(property: &Value) -> String {
    property.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn comment(text: &str, out: &mut String) {
    for line in wrap(text, 96) {
        let _ = writeln!(out, "# {line}");
    }
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
