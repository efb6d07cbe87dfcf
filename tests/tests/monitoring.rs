//! Prometheus and node_exporter, both as Debian has them, read what the daemon has counted, and every question of the Grafana
//! dashboard has an answer.

use std::fmt::Write as _;

use serde_json::Value;
use sluice_tests::{
    Context, Farm, Lab, Process, Result, bail, ensure, farm::HTTP, http, sluiced::configuration, until,
    wait::SOON,
};

const DASHBOARD: &str = include_str!("../../packaging/grafana/sluice.json");
/// Where each listens, on the director's loopback.
const SLUICE: &str = "127.0.0.1:9868";
const NODE_EXPORTER: &str = "127.0.0.1:9100";
const PROMETHEUS: &str = "127.0.0.1:9090";

fn monitored(lab: &Lab) -> String {
    let folder = lab.directory().join("proc");
    format!(
        "{}[http]\nport = 9868\n[proc]\nfolder = \"{}\"\nperiod = 1\nconnections = true\n",
        configuration(lab),
        folder.display()
    )
}

fn node_exporter(lab: &Lab) -> Result<Process> {
    let folder = lab.directory().join("proc");
    let line = format!(
        "prometheus-node-exporter --collector.disable-defaults --collector.ipvs --path.procfs={} \
         --web.listen-address={NODE_EXPORTER}",
        folder.display()
    );
    Process::start("node_exporter", lab.director.command(&line), lab.directory())
}

fn prometheus(lab: &Lab) -> Result<Process> {
    let folder = lab.directory();
    let file = folder.join("prometheus.yml");
    let job = |name: &str, address: &str| {
        format!("  - job_name: {name}\n    static_configs: [{{targets: [\"{address}\"]}}]\n")
    };
    let jobs = job("sluice", SLUICE) + &job("node", NODE_EXPORTER);
    std::fs::write(&file, format!("global: {{scrape_interval: 1s}}\nscrape_configs:\n{jobs}"))?;
    let line = format!(
        "prometheus --config.file={} --storage.tsdb.path={} --web.listen-address={PROMETHEUS}",
        file.display(),
        folder.join("prometheus").display()
    );
    Process::start("prometheus", lab.director.command(&line), folder)
}

/// Asks Prometheus; the vector that it answers with.
fn query(lab: &Lab, expression: &str) -> Result<Vec<Value>> {
    let mut encoded = String::new();
    for byte in expression.bytes() {
        write!(encoded, "%{byte:02x}")?;
    }
    let answer = lab.director.run(&format!("curl -sS http://{PROMETHEUS}/api/v1/query?query={encoded}"))?;
    let answer: Value = serde_json::from_str(&answer)?;
    ensure!(answer["status"] == "success", "{expression}: {answer}");
    Ok(answer["data"]["result"].as_array().context("no vector")?.clone())
}

/// The one number that answers an expression; `None` while there is no answer.
fn number(lab: &Lab, expression: &str) -> Result<Option<f64>> {
    let vector = query(lab, expression)?;
    match &vector[..] {
        [] => Ok(None),
        [one] => Ok(one["value"][1].as_str().and_then(|text| text.parse().ok())),
        several => bail!("{expression}: {several:?}"),
    }
}

fn becomes(lab: &Lab, expression: &str, want: f64) -> Result<()> {
    let mut last = None;
    until(&format!("{expression} being {want}"), SOON, || {
        // Prometheus may not listen yet.
        last = number(lab, expression).unwrap_or(None);
        Ok((last == Some(want)).then_some(()))
    })
    .with_context(|| format!("it is {last:?}"))
}

#[test]
fn both_ways_out_lead_to_prometheus() -> Result<()> {
    let farm = Farm::start_with(monitored)?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;
    farm.forget()?;
    let lab = &farm.lab;
    until("the files", SOON, || Ok(lab.directory().join("proc/net/ip_vs_stats").exists().then_some(())))?;
    let (mut exporter, mut server) = (node_exporter(lab)?, prometheus(lab)?);
    exporter.wait_for_log("Listening on", SOON)?;
    server.wait_for_log("Server is ready to receive web requests", SOON)?;
    for job in ["sluice", "node"] {
        becomes(lab, &format!("up{{job=\"{job}\"}}"), 1.0)
            .with_context(|| format!("{}{}", exporter.log(), server.log()))?;
    }

    let tally = http::fresh(&lab.client, HTTP, 40, 4)?;
    ensure!(tally.failures == 0, "{tally:?}\n{}", farm.state());
    for job in ["sluice", "node"] {
        becomes(lab, &format!("node_ipvs_connections_total{{job=\"{job}\"}}"), 40.0)?;
        becomes(lab, &format!("sum(node_ipvs_backend_weight{{job=\"{job}\",local_port=\"80\"}})"), 2.0)?;
    }
    // What both count of bytes is the same, to the byte, once they have read the same.
    let of = |job: &str| format!("node_ipvs_incoming_bytes_total{{job=\"{job}\"}}");
    becomes(lab, &format!("{} - ignoring(job,instance) {}", of("sluice"), of("node")), 0.0)?;
    becomes(lab, "sluice_service_connections_total", 40.0)?;

    // Those of the warm-up are still there too.
    let listed = std::fs::read_to_string(lab.directory().join("proc/net/ip_vs_conn"))?;
    let in_file = listed.lines().filter(|line| line.starts_with("TCP 0A010002 ")).count();
    let shown = farm.sluiced.ctl.run("-Lnc")?.lines().filter(|line| line.starts_with("TCP ")).count();
    ensure!(in_file == shown && shown > 40, "{in_file} connections in the file, {shown} listed:\n{listed}");
    every_panel_has_an_answer(lab)?;
    farm.sluiced.stop()
}

fn every_panel_has_an_answer(lab: &Lab) -> Result<()> {
    let dashboard: Value = serde_json::from_str(DASHBOARD)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    for panel in panels {
        for target in panel["targets"].as_array().context("no targets")? {
            let expression = target["expr"].as_str().context("no expression")?;
            let asked = expression.replace("$instance", ".*").replace("$__rate_interval", "30s");
            // Rates take two scrapes. Nothing was dropped, perhaps, nor need there be traffic in this very moment.
            let may_be_empty = asked.ends_with(">0");
            until(&format!("an answer to {asked}"), SOON, || {
                Ok((may_be_empty || !query(lab, &asked)?.is_empty()).then_some(()))
            })?;
            query(lab, &asked)?;
        }
    }
    Ok(())
}
