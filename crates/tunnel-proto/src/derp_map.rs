//! The map of relay regions, in memory and in its JSON form with Go's field names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Every region that peers may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DerpMap {
    /// Weights for choosing a home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_params: Option<HomeParams>,
    /// Regions by number.
    pub regions: BTreeMap<u16, Region>,
}

/// Weights for choosing a home region.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HomeParams {
    /// Factor on a region's latency, by region number; below 1 makes it more attractive.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub region_score: BTreeMap<u16, f64>,
}

/// A place with relays or STUN servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    /// The relay is the control plane itself: its address is the URL in use.
    #[serde(rename = "EmbeddedRelay")]
    pub embedded_relay: bool,
    /// Number of the region, from 1.
    #[serde(rename = "RegionID")]
    pub region_id: u16,
    /// Short name.
    #[serde(rename = "RegionCode")]
    pub region_code: String,
    /// Name for people.
    #[serde(rename = "RegionName")]
    pub region_name: String,
    /// Not to be chosen as home.
    #[serde(rename = "Avoid", skip_serializing_if = "std::ops::Not::not")]
    pub avoid: bool,
    /// Servers in order of preference.
    #[serde(rename = "Nodes", deserialize_with = "null_is_empty")]
    pub nodes: Vec<DerpNode>,
}

/// A server of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DerpNode {
    /// Name, unique in the map.
    #[serde(rename = "Name")]
    pub name: String,
    /// Its region.
    #[serde(rename = "RegionID")]
    pub region_id: u16,
    /// Host name or address.
    #[serde(rename = "HostName")]
    pub host_name: String,
    /// Name in its certificate, if it differs.
    #[serde(rename = "CertName", skip_serializing_if = "String::is_empty")]
    pub cert_name: String,
    /// IPv4 address, or empty for a lookup, or `none`.
    #[serde(rename = "IPv4", skip_serializing_if = "String::is_empty")]
    pub ipv4: String,
    /// IPv6 address, or empty for a lookup, or `none`.
    #[serde(rename = "IPv6", skip_serializing_if = "String::is_empty")]
    pub ipv6: String,
    /// UDP port of STUN: 0 for 3478, negative for none.
    #[serde(rename = "STUNPort", skip_serializing_if = "is_zero")]
    pub stun_port: i32,
    /// Only STUN, no relay.
    #[serde(rename = "STUNOnly", skip_serializing_if = "std::ops::Not::not")]
    pub stun_only: bool,
    /// TCP port of the relay: 0 for the default of the scheme.
    #[serde(rename = "DERPPort", skip_serializing_if = "is_zero")]
    pub derp_port: i32,
    /// Certificate is not checked. Tests only.
    #[serde(
        rename = "InsecureForTests",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub insecure_for_tests: bool,
    /// Plain HTTP.
    #[serde(rename = "ForceHTTP", skip_serializing_if = "std::ops::Not::not")]
    pub force_http: bool,
    /// Address for STUN in tests.
    #[serde(rename = "STUNTestIP", skip_serializing_if = "String::is_empty")]
    pub stun_test_ip: String,
    /// Port 80 also serves captive-portal checks.
    #[serde(rename = "CanPort80", skip_serializing_if = "std::ops::Not::not")]
    pub can_port_80: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(n: &i32) -> bool {
    *n == 0
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<DerpNode>, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// Where the control plane is reached, for [`DerpMap::rewrite_embedded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseAddress {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Plain HTTP rather than TLS.
    pub plain: bool,
}

impl Region {
    /// The servers that relay.
    pub fn relays(&self) -> impl Iterator<Item = &DerpNode> {
        self.nodes.iter().filter(|node| !node.stun_only)
    }
}

impl DerpMap {
    /// Points the servers of embedded regions to the address by which the control plane is
    /// reached from here: its own idea of it may not resolve.
    pub fn rewrite_embedded(&mut self, base: &BaseAddress) {
        for region in self
            .regions
            .values_mut()
            .filter(|region| region.embedded_relay)
        {
            for node in region.nodes.iter_mut().filter(|node| !node.stun_only) {
                node.host_name.clone_from(&base.host);
                node.derp_port = i32::from(base.port);
                node.force_http = base.plain;
            }
        }
    }

    /// Regions that can be a home: they have a relay, and are not to be avoided unless all are.
    pub fn home_candidates(&self) -> Vec<u16> {
        let with_relay = |avoid: bool| {
            self.regions
                .iter()
                .filter(move |(_, region)| {
                    region.avoid == avoid && region.relays().next().is_some()
                })
                .map(|(&id, _)| id)
        };
        let wanted: Vec<u16> = with_relay(false).collect();
        if wanted.is_empty() {
            with_relay(true).collect()
        } else {
            wanted
        }
    }

    /// Factor on the latency of `region`.
    pub fn score(&self, region: u16) -> f64 {
        let score = self
            .home_params
            .as_ref()
            .and_then(|params| params.region_score.get(&region));
        // A factor must be positive to order anything.
        score
            .copied()
            .filter(|score| score.is_finite() && *score > 0.0)
            .unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"HomeParams":{},"Regions":{"999":{"EmbeddedRelay":true,"RegionID":999,
        "RegionCode":"coder","RegionName":"Coder Embedded Relay","Nodes":[{"Name":"999b","RegionID":999,
        "HostName":"internal","STUNPort":-1,"DERPPort":3000,"ForceHTTP":true}]},
        "1000":{"EmbeddedRelay":false,"RegionID":1000,"RegionCode":"stun","RegionName":"s","Nodes":[
        {"Name":"1000stun0","RegionID":1000,"HostName":"stun.example.com","STUNPort":19302,"STUNOnly":true}]},
        "1001":{"EmbeddedRelay":false,"RegionID":1001,"RegionCode":"x","RegionName":"x","Nodes":null}}}"#;

    #[test]
    fn reads_go_json_and_rewrites_the_embedded_region() {
        let mut map: DerpMap = serde_json::from_str(JSON).unwrap();
        assert_eq!(map.home_candidates(), [999]);
        map.rewrite_embedded(&BaseAddress {
            host: "dev.example.com".into(),
            port: 443,
            plain: false,
        });
        let node = &map.regions[&999].nodes[0];
        assert_eq!(
            (node.host_name.as_str(), node.derp_port, node.force_http),
            ("dev.example.com", 443, false)
        );
        assert_eq!(map.regions[&1000].nodes[0].host_name, "stun.example.com");
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<DerpMap>(&text).unwrap(), map);
        assert!(text.contains(r#""STUNPort":-1"#) && !text.contains("CertName"));
    }

    #[test]
    fn an_avoided_region_is_home_only_if_alone() {
        let mut map: DerpMap = serde_json::from_str(JSON).unwrap();
        let mut other = map.regions[&999].clone();
        other.avoid = true;
        map.regions.insert(5, other);
        assert_eq!(map.home_candidates(), [999]);
        map.regions.remove(&999);
        assert_eq!(map.home_candidates(), [5]);
    }

    #[test]
    fn nonsense_scores_count_as_one() {
        let mut map = DerpMap::default();
        let region_score = BTreeMap::from([(1, 0.5), (2, f64::NAN), (3, -1.0)]);
        map.home_params = Some(HomeParams { region_score });
        assert!(
            [(1, 0.5), (2, 1.0), (3, 1.0), (4, 1.0)]
                .iter()
                .all(|&(region, score)| (map.score(region) - score).abs() < f64::EPSILON)
        );
    }
}
