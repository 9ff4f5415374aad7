//! The version that this build reports, the same text everywhere: in the
//! buildinfo answer, in response headers, by `coder version` and by the agent.

/// Major and minor are the API level that we speak, which peers compare; our
/// own version stands behind the `+`.
pub const VERSION: &str = concat!("v2.38.0+", env!("CARGO_PKG_VERSION"));

/// Whether two versions speak the same API level (major and minor).
pub fn same_api_level(a: &str, b: &str) -> bool {
    let level = |v: &str| {
        let mut parts = v.trim_start_matches('v').split(['.', '-', '+']);
        Some((
            parts.next()?.parse::<u32>().ok()?,
            parts.next()?.parse::<u32>().ok()?,
        ))
    };
    matches!((level(a), level(b)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_major_and_minor() {
        assert!(same_api_level(VERSION, "v2.38.9"));
        assert!(same_api_level("v2.38.0-devel+abc", "2.38.4"));
        assert!(!same_api_level("v2.38.0", "v2.36.9"));
        assert!(!same_api_level("garbage", "garbage"));
    }
}
