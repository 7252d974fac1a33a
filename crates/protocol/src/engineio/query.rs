//! What an Engine.IO client says in the query of each request.

/// The members of the query that are the transport's; all others are the application's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// The version of the protocol, `EIO`.
    pub version: String,
    /// `polling` or `websocket`.
    pub transport: String,
    /// The session; none in its first request.
    pub session: Option<String>,
    /// The client takes no binary by this transport (`b64=1`).
    pub base64: bool,
    /// The answer goes into a script (JSONP), as a call of the function with this number.
    pub script: Option<String>,
}

impl Query {
    /// Reads a query. Of a name that comes twice the first counts.
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        let (mut version, mut transport) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "EIO" => &mut version,
                "transport" => &mut transport,
                "sid" => &mut parsed.session,
                "j" => &mut parsed.script,
                "b64" => {
                    parsed.base64 |= !matches!(value.as_ref(), "" | "0" | "false");
                    continue;
                }
                _ => continue,
            };
            place.get_or_insert_with(|| value.into_owned());
        }
        parsed.version = version.unwrap_or_default();
        parsed.transport = transport.unwrap_or_default();
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_socket_io_client_2_5_0_is_read() {
        let query = Query::parse("apiKey=k&EIO=3&transport=polling&t=Q7_dHBB&b64=1&sid=abc&sid=x");
        let session = Some("abc".to_owned());
        let expected = Query {
            version: "3".into(),
            transport: "polling".into(),
            session,
            base64: true,
            script: None,
        };
        assert_eq!(query, expected);
    }
}
