//! Files inside the program: the browser SDK and the page at `/`. Both are built by Node and
//! committed as built, so that building the server needs no Node.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::edge::Edge;

/// The page at `/`.
pub(super) const PAGE: &str = include_str!("../../../../sdk/page/dist/index.html");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

static SCRIPT: Asset =
    Asset::new(JAVASCRIPT, include_str!("../../../../sdk/browser/dist/peerway.js"));
static MODULE: Asset =
    Asset::new(JAVASCRIPT, include_str!("../../../../sdk/browser/dist/peerway.mjs"));
static FILES_SCRIPT: Asset =
    Asset::new(JAVASCRIPT, include_str!("../../../../sdk/browser/dist/peerway-files.js"));
static FILES_MODULE: Asset =
    Asset::new(JAVASCRIPT, include_str!("../../../../sdk/browser/dist/peerway-files.mjs"));
static PAGE_SCRIPT: Asset =
    Asset::new(JAVASCRIPT, include_str!("../../../../sdk/page/dist/page.js"));
static PAGE_STYLE: Asset =
    Asset::new("text/css; charset=utf-8", include_str!("../../../../sdk/page/dist/page.css"));
static PAGE_ICON: Asset =
    Asset::new("image/svg+xml", include_str!("../../../../sdk/page/dist/icon.svg"));

/// The SDK, and with `page` what the page consists of. `/dist/peer.min.js` is where `PeerJS` pages of
/// old found their client.
pub(super) fn router(page: bool) -> Router<Arc<Edge>> {
    let sdk = Router::new()
        .route("/peerway.js", file(&SCRIPT))
        .route("/dist/peer.min.js", file(&SCRIPT))
        .route("/peerway.mjs", file(&MODULE))
        .route("/peerway-files.js", file(&FILES_SCRIPT))
        .route("/peerway-files.mjs", file(&FILES_MODULE));
    if !page {
        return sdk;
    }
    sdk.route("/page.js", file(&PAGE_SCRIPT))
        .route("/page.css", file(&PAGE_STYLE))
        .route("/icon.svg", file(&PAGE_ICON))
}

fn file(asset: &'static Asset) -> MethodRouter<Arc<Edge>> {
    get(move |asked: HeaderMap| async move { asset.answer(&asked) })
}

/// One file.
struct Asset {
    kind: &'static str,
    body: &'static str,
    /// Made when first asked for.
    plain: OnceLock<Form>,
    gzip: OnceLock<Form>,
}

/// What is sent of a file.
struct Form {
    bytes: Bytes,
    /// Of the content, so that it is the same on all nodes and after a restart. Each form has its
    /// own (RFC 9110, 8.8.3.3).
    tag: String,
}

impl Asset {
    const fn new(kind: &'static str, body: &'static str) -> Self {
        Self { kind, body, plain: OnceLock::new(), gzip: OnceLock::new() }
    }

    /// The file, or 304 where the client has it already: it is asked each time, so that a server
    /// and its page never differ for longer than a reload.
    fn answer(&self, asked: &HeaderMap) -> Response {
        let gzip = takes_gzip(asked);
        let form = if gzip { self.gzip() } else { self.plain() };
        let headers = [
            (header::ETAG, form.tag.as_str()),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "Accept-Encoding"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let known = asked.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
        if known.is_some_and(|known| has_tag(known, &form.tag)) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let body = (headers, [(header::CONTENT_TYPE, self.kind)], form.bytes.clone());
        if gzip {
            return ([(header::CONTENT_ENCODING, "gzip")], body).into_response();
        }
        body.into_response()
    }

    fn plain(&self) -> &Form {
        let body = Bytes::from_static(self.body.as_bytes());
        self.plain.get_or_init(|| Form { tag: tag_of(self.body, ""), bytes: body })
    }

    fn gzip(&self) -> &Form {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let written = encoder.write_all(self.body.as_bytes());
            let bytes = written.and_then(|()| encoder.finish()).expect("a Vec takes all");
            Form { tag: tag_of(self.body, "-gzip"), bytes: bytes.into() }
        })
    }
}

/// Whether `Accept-Encoding` names gzip and does not rule it out (RFC 9110, 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse().is_ok_and(|q: f32| q > 0.0)
    })
}

fn tag_of(body: &str, form: &str) -> String {
    let hash = digest::digest(&digest::SHA256, body.as_bytes());
    format!("\"{}{form}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12]))
}

/// RFC 9110, 13.1.2: a list, compared weakly, because a proxy that compresses makes a tag weak.
fn has_tag(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|it| it == "*" || it.trim_start_matches("W/") == tag)
}
