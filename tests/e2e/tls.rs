//! A deployment that is reached by TLS alone, and only by those who show a certificate: the command
//! line, the agent, and the relay between them.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result, ensure};
use e2e::{
    binaries,
    command::Run,
    server::{Server, free_port},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::{own_relay, world};

/// The environment variables by which programs of ours are told of TLS.
const CA: &str = "CODER_CLIENT_TLS_CA_FILE";
const CERT: &str = "CODER_CLIENT_TLS_CERT_FILE";
const KEY: &str = "CODER_CLIENT_TLS_KEY_FILE";

/// Writes an authority, and certificates of it for a server (`localhost`) and a client.
fn certificates(dir: &Path) -> Result<()> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    fs::write(dir.join("ca.pem"), params.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(params, key);
    for (who, name) in [("server", "localhost"), ("client", "client")] {
        let key = KeyPair::generate()?;
        let cert = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &issuer)?;
        fs::write(dir.join(format!("{who}.pem")), cert.pem())?;
        fs::write(dir.join(format!("{who}.key")), key.serialize_pem())?;
    }
    Ok(())
}

/// A server without a relay of its own meets its agents at this one's, by the certificate that its
/// options name.
fn relay_of_another(
    relay: &Server,
    address: &str,
    at: &dyn Fn(&str) -> String,
    agent: &Path,
) -> Result<()> {
    let port: u16 = address.rsplit(':').next().unwrap_or_default().parse()?;
    let map = serde_json::json!({"Regions": {"7": {
        "EmbeddedRelay": false, "RegionID": 7, "RegionCode": "sealed", "RegionName": "Sealed",
        "Nodes": [{"Name": "7a", "RegionID": 7, "HostName": "localhost", "DERPPort": port,
                   "STUNPort": -1}]
    }}});
    fs::write(at("map.json"), map.to_string())?;
    let server = Server::start(
        &binaries::coder(),
        &[
            ("CODER_DERP_SERVER_ENABLE", "false"),
            ("CODER_DERP_CONFIG_PATH", &at("map.json")),
            ("CODER_TLS_CLIENT_CERT_FILE", &at("client.pem")),
            ("CODER_TLS_CLIENT_KEY_FILE", &at("client.key")),
            // The roots of this machine, as far as the server knows.
            ("SSL_CERT_FILE", &at("ca.pem")),
        ],
    )?;
    ensure!(server.authority != relay.authority);
    world::push(&server, "secure", Some(agent))?;
    server
        .cli(["create", "far", "-t", "secure", "-y"])
        .run()?
        .ok()?;
    let reached = own_relay::server_reaches(&server, "far");
    world::stop_workspaces(&world::workspaces_root(&server));
    reached
}

pub fn certificates_on_both_sides() -> Result<()> {
    let dir = tempfile::Builder::new().prefix("coder-e2e-").tempdir()?;
    certificates(dir.path())?;
    let at = |name: &str| dir.path().join(name).display().to_string();
    let address = format!("127.0.0.1:{}", free_port()?);
    let url = address.replace("127.0.0.1", "https://localhost");
    let server = Server::start(
        &binaries::coder(),
        &[
            ("CODER_ACCESS_URL", &url),
            ("CODER_TLS_ENABLE", "true"),
            ("CODER_TLS_ADDRESS", &address),
            ("CODER_TLS_CERT_FILE", &at("server.pem")),
            ("CODER_TLS_KEY_FILE", &at("server.key")),
            ("CODER_TLS_CLIENT_CA_FILE", &at("ca.pem")),
            ("CODER_TLS_CLIENT_AUTH", "require-and-verify"),
            (
                "CODER_TLS_CIPHERS",
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            ),
        ],
    )?;
    // The agent finds its certificate in the environment, as in a real workspace.
    let agent = dir.path().join("agent");
    let script = format!(
        "#!/bin/sh\nexport {CA}={} {CERT}={} {KEY}={}\nexec {} \"$@\"\n",
        at("ca.pem"),
        at("client.pem"),
        at("client.key"),
        binaries::coder_slim().display()
    );
    fs::write(&agent, script)?;
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755))?;
    world::push(&server, "secure", Some(&agent))?;

    let by_tls = |args: &[&str]| -> Run {
        server
            .cli(args.iter().copied())
            .env("CODER_URL", &url)
            .env("CODER_DISABLE_DIRECT_CONNECTIONS", "true")
    };
    let known = |args: &[&str]| {
        by_tls(args)
            .env(CA, at("ca.pem"))
            .env(CERT, at("client.pem"))
            .env(KEY, at("client.key"))
    };
    known(&["create", "sealed", "--template", "secure", "-y"])
        .run()?
        .ok()?;
    // Through the relay, which is behind the same listener.
    let out = known(&["ssh", "sealed", "--", "echo $FROM_TEMPLATE; exit 7"])
        .run()?
        .expect_code(7)?;
    ensure!(out.text() == "yes it is\n", "{}", out.all());
    known(&["ping", "sealed", "-n", "1"]).run()?.ok()?;
    relay_of_another(&server, &address, &at, &agent).context("from another server")?;

    // Those who know the server, but whom it does not know, and the other way round.
    for (run, why) in [
        (by_tls(&["list"]).env(CA, at("ca.pem")), "ertificate"),
        (
            by_tls(&["list"])
                .env(CERT, at("client.pem"))
                .env(KEY, at("client.key")),
            "ertificate",
        ),
        (
            by_tls(&["list"])
                .env(CA, at("ca.pem"))
                .env(CERT, at("client.pem")),
            "--client-tls-key-file",
        ),
    ] {
        let out = run.run()?.expect_code(1)?;
        ensure!(out.stderr.contains(why), "{}", out.all());
        ensure!(!out.all().contains("panicked"), "{}", out.all());
    }
    known(&["delete", "sealed", "-y"]).run()?.ok()?;
    Ok(())
}
