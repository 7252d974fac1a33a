//! The configuration as its writer meets it: layers, mistakes, the generated pages.

use std::path::{Path, PathBuf};

use peerway_server::config::{Config, ConfigError, Layers, example_toml, reference_markdown};

use crate::support::millis;

/// A configuration file of one test.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("peerway-{}-{number}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What stays behind in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

pub(crate) fn from_file(text: &str) -> Result<Config, ConfigError> {
    let mut layers = Layers::default();
    layers.file(&File::new(text).0)?;
    layers.finish()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut layers = Layers::default();
    layers.environment(variables.iter().map(|(name, text)| ((*name).into(), (*text).into())))?;
    layers.finish()
}

/// The line and the message about a file.
pub(crate) fn told_about(text: &str) -> (usize, String) {
    match from_file(text).unwrap_err() {
        ConfigError::InFile { line, message, .. } => (line, message),
        other => panic!("{other}"),
    }
}

#[test]
fn nothing_at_all_gives_the_defaults() {
    assert_eq!(Layers::default().finish().unwrap(), Config::default());
    assert_eq!(from_file("").unwrap(), Config::default());
}

#[test]
fn an_unknown_name_is_told_with_its_line_and_the_nearest_one() {
    let (line, message) = told_about("# mine\nhost = \"::1\"\nalow_discovery = true\n");
    assert_eq!(
        (line, message.as_str()),
        (3, "unknown field `alow_discovery`; did you mean `allow_discovery`?")
    );
    let (line, message) = told_about("[limits]\nframesize = 7\n");
    assert_eq!(
        (line, message.as_str()),
        (2, "unknown field `framesize`; did you mean `frame_size`?")
    );
    let (line, message) = told_about("\n\n[log]\nformat = \"jsn\"\n");
    assert_eq!((line, message.as_str()), (4, "unknown variant `jsn`; did you mean `json`?"));
    let (_, message) = told_about("something_else_entirely = 1\n");
    assert!(message.contains("expected one of `host`"), "{message}");
}

#[test]
fn the_message_begins_with_file_and_line() {
    let file = File::new("port = 9000\nprot = 1\n");
    let error = Layers::default().file(&file.0).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:2: ", file.0.display())), "{error}");
    let error = Layers::default().file(Path::new("/no/such/file.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /no/such/file.toml: "), "{error}");
}

#[test]
fn a_wrong_type_or_value_is_told_with_its_line() {
    for (text, line, part) in [
        ("port = \"many\"", 1, "expected u16"),
        ("port = 70000", 1, "expected u16"),
        ("\nexpire_timeout = \"soon\"", 2, "'soon' is not a duration like 5000 or \"5s\""),
        ("expire_timeout = -1", 1, "must not be negative"),
        ("expire_timeout = true", 1, "milliseconds, or a text like \"5s\""),
        ("[limits]\nframe_size = \"big\"", 2, "'big' is not a size like 65536 or \"64KiB\""),
        ("allow_discovery = \"yes\"", 1, "expected a boolean"),
        ("cors = \"https://a.example\"", 1, "expected a sequence"),
        ("[[app]]\nsecret = \"s\"", 1, "missing field `key`"),
        ("[tls]\ncert = \"c.pem\"", 1, "missing field `key`"),
        ("port = = 1", 1, ""),
        ("port = 1\nport = 2", 2, "duplicate key"),
    ] {
        let (told_line, message) = told_about(text);
        assert_eq!(told_line, line, "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn durations_and_sizes_are_numbers_or_texts() {
    let config = from_file(
        "expire_timeout = 2500\nalive_timeout = \"1m 30s\"\n\
         [limits]\nframe_size = \"64KiB\"\noutbox_size = 300000\n",
    )
    .unwrap();
    assert_eq!((config.expire_timeout, config.alive_timeout), (millis(2500), millis(90_000)));
    assert_eq!((config.limits.frame_size.0, config.limits.outbox_size.0), (65_536, 300_000));
}

#[test]
fn silent_clients_are_asked_in_time_whatever_the_timeout() {
    let ping_interval = |text| from_file(text).unwrap().ping_interval();
    assert_eq!(ping_interval("alive_timeout = 6000"), millis(2000));
    assert_eq!(ping_interval("alive_timeout = 90000"), millis(20_000));
    assert_eq!(ping_interval("ping_interval = 700"), millis(700));
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (text, part) in [
        ("ping_interval = \"60s\"", "ping_interval (1m) must be shorter than alive_timeout (1m)"),
        ("alive_timeout = 0", "must not be 0"),
        ("ping_interval = 0", "must not be 0"),
        ("[limits]\nframe_size = 100", "limits.frame_size (100) must be at least 1KiB"),
        ("path = \"/a b\"", "path '/a b' may only have"),
        ("path = \"/{key}\"", "path '/{key}' may only have"),
        ("[sfu]\nworkers = 0", "sfu.workers must not be 0"),
        ("[sfu]\nworkers = 1000", "sfu.workers (1000) must not be more than 256"),
    ] {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let file =
        File::new("port = 1\npath = \"/file\"\nkey = \"file\"\n[limits]\nmessage_burst = 1\n");
    let mut layers = Layers::default();
    layers.file(&file.0).unwrap();
    let variables =
        [("PEERWAY_PATH", "/env"), ("PEERWAY_KEY", "env"), ("PEERWAY_LIMITS__MAIL_PER_APP", "2")];
    layers.environment(variables.map(|(name, text)| (name.into(), text.into()))).unwrap();
    layers.set("key", "flag");
    layers.set("limits.sessions_per_address", 3);
    let config = layers.finish().unwrap();
    assert_eq!((config.port, config.path.as_str()), (1, "/env"));
    assert_eq!(config.key.as_deref(), Some("flag"));
    let limits = config.limits;
    assert_eq!((limits.message_burst, limits.mail_per_app, limits.sessions_per_address), (1, 2, 3));
}

#[test]
fn variables_become_what_the_setting_wants() {
    let config = from_environment(&[
        ("PEERWAY_KEY", "12345"),
        ("PEERWAY_PORT", "8080"),
        ("PEERWAY_ALLOW_DISCOVERY", "true"),
        ("PEERWAY_EXPIRE_TIMEOUT", "2s"),
        ("PEERWAY_ALIVE_TIMEOUT", "90000"),
        ("PEERWAY_CORS", r#"["https://a.example"]"#),
        ("PEERWAY_LIMITS__FRAME_SIZE", "1MiB"),
        ("PEERWAY_METRICS__TOKEN", "000123"),
        ("HOME", "/root"),
    ])
    .unwrap();
    assert_eq!((config.key.as_deref(), config.port), (Some("12345"), 8080));
    assert!(config.allow_discovery);
    assert_eq!((config.expire_timeout, config.alive_timeout), (millis(2000), millis(90_000)));
    assert_eq!(config.cors, ["https://a.example"]);
    assert_eq!(config.limits.frame_size.0, 1024 * 1024);
    assert_eq!(config.metrics.token.unwrap().expose(), "000123");
}

#[test]
fn the_variables_of_peer_server_work_and_ours_win_over_them() {
    let config = from_environment(&[("PORT", "8081"), ("PEERSERVER_PATH", "/myapp")]).unwrap();
    assert_eq!((config.port, config.path.as_str()), (8081, "/myapp"));
    let config = from_environment(&[("PEERWAY_PORT", "1"), ("PORT", "2")]).unwrap();
    assert_eq!(config.port, 1);
}

#[test]
fn what_kubernetes_says_about_a_service_called_peerway_is_no_setting() {
    let config = from_environment(&[
        ("PEERWAY_PORT", "tcp://10.0.0.1:9000"),
        ("PEERWAY_PORT_9000_TCP_ADDR", "10.0.0.1"),
        ("PEERWAY_SERVICE_HOST", "10.0.0.1"),
        ("PEERWAY_SERVICE_PORT", "9000"),
    ]);
    assert_eq!(config.unwrap(), Config::default());
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    for (name, text, part) in [
        ("PEERWAY_PROT", "1", "did you mean `port`?"),
        ("PEERWAY_LIMITS__FRAMESIZE", "1", "did you mean `frame_size`?"),
        ("PEERWAY_PORT", "many", "expected u16"),
        ("PORT", "http", "expected u16"),
        ("PEERWAY_EXPIRE_TIMEOUT", "soon", "not a duration"),
        ("PEERWAY_LIMITS", "7", "expected struct LimitsConfig"),
        ("PEERWAY_SFU__WORKER", "7", "did you mean `workers`?"),
    ] {
        let error = from_environment(&[(name, text)]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("environment variable {name}: ")), "{error}");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn no_secret_is_printed() {
    let config = from_file(
        "[metrics]\ntoken = \"hush hush\"\n[[app]]\nkey = \"a\"\nsecret = \"0123456789abcdef\"",
    )
    .unwrap();
    let printed = format!("{config:?}{}", serde_json::to_string(&config).unwrap());
    assert!(!printed.contains("hush") && !printed.contains("0123456789"), "{printed}");
}

#[test]
fn a_path_that_the_server_uses_for_itself_is_refused() {
    for path in ["/signaling", "socket.io/", "/metrics"] {
        let error = from_file(&format!("path = {path:?}")).unwrap_err().to_string();
        assert!(error.contains("uses for itself"), "{error}");
    }
    assert!(from_file("path = \"/signaling/below\"").is_ok());
}

#[test]
fn dispatcher_names_are_bare_hosts() {
    for bad in ["https://a.example", "a.example:443", ""] {
        let error = from_file(&format!("[skyway]\ndomains = [{bad:?}]")).unwrap_err().to_string();
        assert!(error.contains("skyway.domains"), "{error}");
    }
}

/// The committed files are made by the program; when this fails, make them again.
#[test]
fn the_generated_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, text, command) in [
        ("peerway.example.toml", example_toml(), "example"),
        ("docs/reference/configuration.md", reference_markdown(), "reference"),
    ] {
        let committed = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(committed == text, "run: cargo run -p peerway-cli -- config {command} > {path}");
    }
}

#[test]
fn the_example_changes_nothing_and_is_right_when_uncommented() {
    assert_eq!(from_file(&example_toml()).unwrap(), Config::default());
    let example = example_toml();
    let uncommented = example.lines().filter_map(|line| line.strip_prefix('#'));
    let settings: Vec<&str> = uncommented.filter(|line| !line.starts_with(' ')).collect();
    let config = from_file(&settings.join("\n")).unwrap();
    assert_eq!(config.limits, Config::default().limits);
    assert_eq!((config.app.len(), config.tls.is_some()), (1, true));
    assert_eq!(config.leave_after, Some(millis(30_000)));
}
