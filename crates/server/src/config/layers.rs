//! File, environment, flags: later layers override earlier ones, and a mistake in any of them is
//! told with its place and the nearest name that would have been right.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use thiserror::Error;
use toml::{Table, Value};

use super::Config;

/// What is wrong with the configuration, in words for the one who wrote it.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that cannot be.
    #[error("{path}:{line}: {message}")]
    InFile {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// An environment variable says something that cannot be.
    #[error("environment variable {name}: {message}")]
    InEnvironment {
        /// The variable.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A flag says something that cannot be, or the parts do not fit together.
    #[error("{0}")]
    Invalid(String),
}

/// Collects the layers in their order of precedence.
#[derive(Debug, Default)]
pub struct Layers {
    table: Table,
}

impl Layers {
    /// Reads a TOML file.
    pub fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        // Parsed with positions first, for the message; then merged as a table.
        toml::from_str::<Config>(&text).map_err(|error| ConfigError::InFile {
            path: path.into(),
            line: error.span().map_or(1, |span| line_of(&text, span.start)),
            message: explain(error.message()),
        })?;
        let table: Table = toml::from_str(&text)
            .map_err(|error| ConfigError::Invalid(error.message().to_owned()))?;
        merge(&mut self.table, table);
        Ok(())
    }

    /// Takes `PEERWAY_PORT`, `PEERWAY_LIMITS__FRAME_SIZE` and so on, and the two variables of
    /// `PeerServer`: `PORT` and `PEERSERVER_PATH`.
    pub fn environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        let mut variables: Vec<_> = variables.into_iter().collect();
        // PeerServer's names come first, so that ours override them.
        variables.sort_by_key(|(name, _)| name.starts_with("PEERWAY_"));
        for (name, text) in variables {
            let path = match name.as_str() {
                "PORT" => "port".to_owned(),
                "PEERSERVER_PATH" => "path".to_owned(),
                // What the command line itself takes.
                "PEERWAY_CONFIG" | "PEERWAY_SECRET" => continue,
                other if is_service_link(other, &text) => continue,
                other => match other.strip_prefix("PEERWAY_") {
                    Some(path) => path.to_lowercase(),
                    None => continue,
                },
            };
            let keys: Vec<&str> = path.split("__").collect();
            let layer = [scalar(&text), Value::String(text)]
                .into_iter()
                .map(|value| nest(&keys, value))
                .reduce(|first, second| if check(&first).is_ok() { first } else { second })
                .unwrap_or_default();
            check(&layer).map_err(|message| ConfigError::InEnvironment {
                name,
                message: explain(&message),
            })?;
            merge(&mut self.table, layer);
        }
        Ok(())
    }

    /// Sets one value from a flag, by its place in the file: `limits.frame_size`.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let keys: Vec<&str> = path.split('.').collect();
        merge(&mut self.table, nest(&keys, value.into()));
    }

    /// The configuration that all layers make together.
    pub fn finish(self) -> Result<Config, ConfigError> {
        let config = Config::deserialize(Value::Table(self.table))
            .map_err(|error| ConfigError::Invalid(explain(error.message())))?;
        config.validate().map_err(ConfigError::Invalid)?;
        Ok(config)
    }
}

/// Kubernetes tells every container in a namespace about a service called `peerway` with variables
/// like `PEERWAY_SERVICE_HOST` and `PEERWAY_PORT=tcp://10.0.0.1:9000`.
fn is_service_link(name: &str, text: &str) -> bool {
    name.starts_with("PEERWAY_SERVICE_")
        || name.starts_with("PEERWAY_PORT_")
        || (name == "PEERWAY_PORT" && text.contains("://"))
}

fn check(layer: &Table) -> Result<(), String> {
    Config::deserialize(Value::Table(layer.clone()))
        .map(drop)
        .map_err(|error| error.message().to_owned())
}

/// A number, a truth value, a list, or else the text itself.
fn scalar(text: &str) -> Value {
    toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn nest(keys: &[&str], value: Value) -> Table {
    let mut table = Table::new();
    if let [first, rest @ ..] = keys {
        let inner = if rest.is_empty() { value } else { Value::Table(nest(rest, value)) };
        table.insert((*first).to_owned(), inner);
    }
    table
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// Adds the nearest known name to serde's "unknown field `x`, expected one of `a`, `b`".
fn explain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (true, Some(wrong)) = (message.starts_with("unknown"), quoted.next()) else {
        return message.to_owned();
    };
    let nearest = quoted
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(wrong.len()) / 2);
    let what = message.split(" `").next().unwrap_or("unknown field");
    match nearest {
        Some((_, name)) => format!("{what} `{wrong}`; did you mean `{name}`?"),
        None => message.to_owned(),
    }
}
