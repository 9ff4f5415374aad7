//! The administrator's own relays: a map in JSON, from a file or from a URL, read once at start.
//!
//! The form is Go's (`Regions` by number, each with `Nodes`), which relays of others publish too.

use std::time::Duration;

use tunnel_proto::derp_map::DerpMap;

use super::TailnetSettings;
use super::derp_map::regions_of_options;

/// Every client and agent gets the map: it is small.
const MAX_BYTES: usize = 1 << 20;
/// Each region is measured by every client.
const MAX_REGIONS: usize = 256;
/// A server that cannot get its map must say so rather than hang.
const FETCH: Duration = Duration::from_secs(30);

/// What is wrong with a map, and the option to look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Name of the option.
    pub flag: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// Reads the map that the options name; an empty one if they name none.
///
/// # Errors
/// It cannot be read, is not a map, or does not go with the options in `settings`; or nothing at all
/// would relay.
pub(crate) async fn load(
    path: &str,
    url: &str,
    settings: &TailnetSettings,
) -> Result<DerpMap, Problem> {
    let (flag, text) = match (path, url) {
        ("", "") => ("derp-server-enable", None),
        (path, "") => ("derp-config-path", Some(read(path).await)),
        ("", url) => ("derp-config-url", Some(fetch(url, settings).await)),
        _ => (
            "derp-config-path",
            Some(Err("give it or --derp-config-url, not both".to_owned())),
        ),
    };
    let map = match text {
        None => Ok(DerpMap::default()),
        Some(text) => text.and_then(|text| parse(&text, settings)),
    };
    map.and_then(|map| {
        let relays = settings.relay
            || map.regions.values().any(|region| region.nodes.iter().any(|node| !node.stun_only));
        relays.then_some(map).ok_or_else(|| {
            "no relay is left, and workspaces could not be reached: enable the embedded one, or name \
             others by --derp-config-path"
                .to_owned()
        })
    })
    .map_err(|problem| Problem { flag, problem })
}

async fn read(path: &str) -> Result<Vec<u8>, String> {
    use tokio::io::AsyncReadExt as _;
    let failed = |error: std::io::Error| format!("cannot read {path}: {error}");
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    file.take(limit)
        .read_to_end(&mut bytes)
        .await
        .map_err(failed)?;
    small_enough(bytes)
}

async fn fetch(url: &str, settings: &TailnetSettings) -> Result<Vec<u8>, String> {
    let failed = |error: reqwest::Error| format!("cannot fetch the map: {error}");
    let tls = match &settings.tls {
        Some(tls) => rustls::ClientConfig::clone(tls),
        None => client::system_tls().map_err(|error| error.to_string())?,
    };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(FETCH)
        .build()
        .map_err(failed)?;
    let answer = client.get(url).send().await.map_err(failed)?;
    let mut answer = answer.error_for_status().map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_BYTES {
            break;
        }
    }
    small_enough(bytes)
}

fn small_enough(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("the map is larger than {MAX_BYTES} bytes"));
    }
    Ok(bytes)
}

fn parse(text: &[u8], settings: &TailnetSettings) -> Result<DerpMap, String> {
    let map: DerpMap =
        serde_json::from_slice(text).map_err(|error| format!("this is no relay map: {error}"))?;
    if map.regions.is_empty() {
        return Err("the map has no `Regions`".to_owned());
    }
    if map.regions.len() > MAX_REGIONS {
        return Err(format!("the map has more than {MAX_REGIONS} regions"));
    }
    let taken = regions_of_options(settings);
    for (id, region) in &map.regions {
        if *id == 0 || region.region_id != *id {
            return Err(format!(
                "region {id} calls itself {}: `RegionID` must be its key, from 1",
                region.region_id
            ));
        }
        if taken.contains(id) {
            return Err(format!(
                "region {id} ({}) has the number of the embedded relay or of its STUN servers: see \
                 --derp-server-region-id",
                region.region_name
            ));
        }
        if region.embedded_relay {
            return Err(format!(
                "region {id} claims to be the embedded relay, which options describe"
            ));
        }
        for node in &region.nodes {
            if node.region_id != *id {
                return Err(format!(
                    "node {:?} of region {id} says it is of region {}",
                    node.name, node.region_id
                ));
            }
            if node.name.is_empty() || node.host_name.is_empty() {
                return Err(format!(
                    "a node of region {id} has no `Name` or no `HostName`"
                ));
            }
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = r#"{"Regions":{"7":{"EmbeddedRelay":false,"RegionID":7,"RegionCode":"eu",
        "RegionName":"Europe","Nodes":[{"Name":"7a","RegionID":7,"HostName":"relay.example.com"}]}}}"#;

    fn refused(text: &str) -> String {
        parse(text.as_bytes(), &TailnetSettings::default()).unwrap_err()
    }

    #[tokio::test]
    async fn a_map_is_read_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), MAP).unwrap();
        let path = file.path().to_str().unwrap();
        let map = load(path, "", &TailnetSettings::default()).await.unwrap();
        assert_eq!(map.regions[&7].nodes[0].host_name, "relay.example.com");
        let both = load(path, "http://x", &TailnetSettings::default()).await;
        assert!(both.unwrap_err().problem.contains("not both"));
    }

    #[tokio::test]
    async fn without_any_relay_the_server_does_not_start() {
        let settings = TailnetSettings {
            relay: false,
            ..TailnetSettings::default()
        };
        assert_eq!(
            load("", "", &settings).await.unwrap_err().flag,
            "derp-server-enable"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        std::fs::write(file.path(), MAP).unwrap();
        assert!(load(path, "", &settings).await.is_ok());
        std::fs::write(
            file.path(),
            MAP.replace("\"Name\"", "\"STUNOnly\":true,\"Name\""),
        )
        .unwrap();
        assert!(load(path, "", &settings).await.is_err());
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named() {
        let settings = TailnetSettings::default();
        let absent = load("/no/such/map.json", "", &settings).await.unwrap_err();
        assert!(absent.problem.contains("/no/such/map.json"), "{absent:?}");
        let unreachable = load("", "http://127.0.0.1:1/map", &settings)
            .await
            .unwrap_err();
        assert_eq!(unreachable.flag, "derp-config-url");
    }

    #[test]
    fn maps_that_cannot_be_meant_are_refused() {
        for (text, part) in [
            ("", "no relay map"),
            ("[7]", "no relay map"),
            ("{}", "no `Regions`"),
            (r#"{"Regions":{"x":{}}}"#, "no relay map"),
            (r#"{"Regions":{"70000":{}}}"#, "no relay map"),
            (
                &MAP.replace(
                    "\"RegionID\":7,\"RegionCode\"",
                    "\"RegionID\":8,\"RegionCode\"",
                ),
                "calls itself 8",
            ),
            (
                &MAP.replace("\"RegionID\":7,\"HostName\"", "\"RegionID\":8,\"HostName\""),
                "of region 8",
            ),
            (&MAP.replace("relay.example.com", ""), "`HostName`"),
            (
                &MAP.replace("\"EmbeddedRelay\":false", "\"EmbeddedRelay\":true"),
                "embedded relay",
            ),
            (&MAP.replace('7', "999"), "--derp-server-region-id"),
        ] {
            let problem = refused(text);
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
