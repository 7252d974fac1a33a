//! Where the server is, as the operator says it: `https://example.org/myapp/`.

use std::str::FromStr;

use hyper::Uri;

/// The server's address and path prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerUrl {
    pub(super) secure: bool,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As it goes into the `Host` header.
    pub(super) authority: String,
    /// The path prefix, between slashes.
    pub(super) path: String,
}

impl FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let form = "a server is given like https://example.org/ or http://localhost:9000/";
        let uri: Uri = text.parse().map_err(|_| form)?;
        let secure = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => return Err(form),
        };
        let authority = uri.authority().ok_or(form)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("the URL must have no user and no '?'");
        }
        Ok(Self {
            secure,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: match uri.path().trim_matches('/') {
                "" => "/".to_owned(),
                path => format!("/{path}/"),
            },
        })
    }
}

impl ServerUrl {
    /// "http" or "https".
    pub(super) fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_slashes_may_be_left_out() {
        let url = |text: &str| {
            let url: ServerUrl = text.parse().unwrap();
            (url.secure, url.host, url.port, url.path)
        };
        assert_eq!(url("http://localhost:9000/"), (false, "localhost".into(), 9000, "/".into()));
        assert_eq!(url("https://a.example"), (true, "a.example".into(), 443, "/".into()));
        assert_eq!(
            url("http://a.example/my/app"),
            (false, "a.example".into(), 80, "/my/app/".into())
        );
        assert_eq!(url("wss://[::1]:9/"), (true, "::1".into(), 9, "/".into()));
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in
            ["", "localhost", "localhost:9000", "turn:a", "http://", "http://u@a/", "http://a/?b"]
        {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }
}
