//! The `peerway` command.

#![allow(clippy::doc_markdown, reason = "doc comments are the help text, shown as they are")]

mod call;
mod chat;
mod doctor;
mod ice;
mod listen;
mod peering;
mod receive;
mod room;
mod send;
mod serve;
mod token;
mod transfer;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use peerway_server::config::{self, Layers};

/// One program that connects browsers, phones, servers and devices: a broker for WebRTC peers
/// that unmodified PeerJS clients can use.
#[derive(Debug, Parser)]
#[command(name = "peerway", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (also what happens without a command)
    Serve(Box<serve::ServeArgs>),
    /// Check a configuration file and tell what is wrong with it
    CheckConfig {
        /// The TOML file
        file: PathBuf,
    },
    /// Print every setting with its default
    Config(ConfigArgs),
    /// Print the STUN and TURN servers with a fresh credential, as GET /v1/ice does
    Ice(ice::IceArgs),
    /// Sign an id, for apps that have require_signed_id
    Token(token::TokenArgs),
    /// Test a server as its clients see it: HTTP, certificates, STUN, TURN, WebSocket
    Doctor(doctor::DoctorArgs),
    /// Send files and folders to another peer
    Send(Box<send::SendArgs>),
    /// Receive files and folders from another peer
    Receive(Box<receive::ReceiveArgs>),
    /// Exchange lines of text with other peers
    Chat(Box<chat::ChatArgs>),
    /// Call another peer: send a test picture and tone, record what comes
    Call(Box<call::CallArgs>),
    /// Be a member of a room: texts, a test source, recordings
    Room(Box<room::RoomArgs>),
    /// Wait for connections and calls, and send back what comes
    Listen(Box<listen::ListenArgs>),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// As a commented TOML file, or as the reference page in Markdown
    #[arg(value_enum, default_value = "example")]
    form: ConfigForm,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ConfigForm {
    Example,
    Reference,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Serve(Box::new(cli.serve))) {
        Command::Serve(args) => serve::run(*args),
        Command::CheckConfig { file } => check_config(&file),
        Command::Config(ConfigArgs { form }) => {
            print!(
                "{}",
                match form {
                    ConfigForm::Example => config::example_toml(),
                    ConfigForm::Reference => config::reference_markdown(),
                }
            );
            Ok(())
        }
        Command::Ice(args) => ice::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Doctor(args) => match doctor::run(args) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Send(args) => return send::run(*args),
        Command::Receive(args) => return receive::run(*args),
        Command::Chat(args) => return chat::run(*args),
        Command::Call(args) => return call::run(*args),
        Command::Room(args) => return room::run(*args),
        Command::Listen(args) => return listen::run(*args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peerway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check_config(file: &std::path::Path) -> Result<()> {
    let mut layers = Layers::default();
    layers.file(file)?;
    let config = layers.finish()?;
    peerway_server::check(&config).map_err(anyhow::Error::msg)?;
    println!("{} is fine", file.display());
    Ok(())
}
