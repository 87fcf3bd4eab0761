//! `/healthz` and `/metrics`: for what watches over the hub. Each answer is kept for a moment, so that asking often costs
//! nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::failure::Failure;
use super::Console;
use hub_core::hub::Hub;
use hub_core::metrics::Count;
use hub_core::model;
use hub_core::operations::Standing;

/// How long an answer is good.
const KEPT: Duration = Duration::from_secs(1);
/// How long the database may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(3);
/// The version of the text format of Prometheus.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The last answers.
#[derive(Default)]
pub struct Kept {
    health: Mutex<Option<(Instant, Result<(), &'static str>)>>,
    metrics: Mutex<Option<(Instant, String)>>,
}

/// Whether the hub serves: 200, or 503 with a line that says what is in the way. Anybody may ask.
#[utoipa::path(get, path = "/healthz", security(()),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 503, description = "It does not")))]
pub async fn health(State(console): State<Arc<Console>>) -> impl IntoResponse {
    let mut kept = console.kept.health.lock().await;
    let health = match *kept {
        Some((at, health)) if at.elapsed() < KEPT => health,
        _ => {
            let hub = console.hub.clone();
            let asked = timeout(PATIENCE, spawn_blocking(move || hub.health())).await;
            let health = asked.map_or(Err("the database does not answer"), |asked| asked.unwrap_or(Err("it failed")));
            *kept = Some((Instant::now(), health));
            health
        }
    };
    match health {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n")),
    }
}

/// Figures in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(console): State<Arc<Console>>) -> Result<impl IntoResponse, Failure> {
    let mut kept = console.kept.metrics.lock().await;
    let text = match &*kept {
        Some((at, text)) if at.elapsed() < KEPT => text.clone(),
        _ => {
            // What was counted is told even where the database is away.
            let text = console.ask(|hub| Ok(exposition(hub, hub.standing().ok().as_ref()))).await?;
            *kept = Some((Instant::now(), text.clone()));
            text
        }
    };
    Ok(([(CONTENT_TYPE, FORMAT)], text))
}

/// One family of figures: its name, type and meaning, then each with its labels.
fn family(text: &mut String, name: &str, kind: &str, help: &str, samples: &[(&str, u64)]) {
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    for (labels, value) in samples {
        text.push_str(&format!("{name}{labels} {value}\n"));
    }
}

/// Everything, as Prometheus reads it. Labels are of this file: none is from outside.
fn exposition(hub: &Hub, standing: Option<&Standing>) -> String {
    let mut text = String::new();
    let build = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    family(&mut text, "hub_build_info", "gauge", "The running hub.", &[(&build, 1)]);
    for (name, help, samples) in COUNTERS {
        let samples: Vec<_> = samples.iter().map(|(labels, count)| (*labels, hub.count(*count))).collect();
        family(&mut text, name, "counter", help, &samples);
    }
    let (name, help) = ("hub_database_errors_total", "Transactions that the database failed at.");
    family(&mut text, name, "counter", help, &[("", hub.database_failures())]);
    let (name, help) = ("hub_watchers", "Consoles and programs that are told of every change.");
    family(&mut text, name, "gauge", help, &[("", hub.watchers() as u64)]);
    if let Some(standing) = standing {
        gauges(&mut text, standing);
    }
    text
}

/// How the hub stands.
fn gauges(text: &mut String, standing: &Standing) {
    let Standing { link, open_jobs, orders } = standing;
    if let Some(online) = link.online {
        family(
            text,
            "hub_devices_online",
            "gauge",
            "Devices that are connected to the hub's own broker.",
            &[("", online)],
        );
    }
    if let Some(hubs) = link.hubs {
        family(
            text,
            "hub_folder_hubs",
            "gauge",
            "Hubs that serve with this database, this one counted.",
            &[("", hubs)],
        );
    }
    let (name, help) = ("hub_queued_messages", "Messages to devices that wait to go out or to be acknowledged.");
    family(text, name, "gauge", help, &[("", link.queued)]);
    let (name, help) = ("hub_broker_connected", "Whether the broker is within reach.");
    family(text, name, "gauge", help, &[("", link.connected.into())]);
    let jobs: Vec<_> = open_jobs.iter().filter_map(|(state, count)| Some((label(*state)?, *count))).collect();
    family(text, "hub_jobs", "gauge", "Unfinished jobs by state.", &jobs);
    let orders = [("{state=\"given\"}", orders.given), ("{state=\"cancelled\"}", orders.cancelled)];
    family(text, "hub_orders", "gauge", "Orders that were cancelled, and the others.", &orders);
}

fn label(state: model::State) -> Option<&'static str> {
    Some(match state {
        model::State::Waiting => "{state=\"waiting\"}",
        model::State::Sent => "{state=\"sent\"}",
        model::State::Downloading => "{state=\"downloading\"}",
        model::State::Burning => "{state=\"burning\"}",
        _ => return None,
    })
}

/// A family of what is counted: name, meaning, and each count with its labels.
type Counter = (&'static str, &'static str, &'static [(&'static str, Count)]);

/// What is counted since the start.
const COUNTERS: &[Counter] = &[
    (
        "hub_connections_total",
        "Connections of devices, by whether they were let in.",
        &[("{outcome=\"taken\"}", Count::Connected), ("{outcome=\"refused\"}", Count::Refused)],
    ),
    ("hub_messages_total", "Messages that devices have published.", &[("", Count::Messages)]),
    (
        "hub_reports_total",
        "What devices have reported to the OTA service.",
        &[
            ("{kind=\"version\"}", Count::Version),
            ("{kind=\"downloading\"}", Count::Downloading),
            ("{kind=\"burning\"}", Count::Burning),
            ("{kind=\"done\"}", Count::Done),
            ("{kind=\"fail\"}", Count::Failed),
            ("{kind=\"other\"}", Count::Other),
        ],
    ),
    ("hub_commands_total", "Update commands that went out.", &[("", Count::Commands)]),
    ("hub_claims_total", "Jobs that this hub has claimed from the database.", &[("", Count::Claims)]),
    (
        "hub_downloads_total",
        "Answers of the firmware servers.",
        &[
            ("{outcome=\"whole\"}", Count::Downloads),
            ("{outcome=\"cut\"}", Count::CutDownloads),
            ("{outcome=\"refused\"}", Count::RefusedRequests),
        ],
    ),
    ("hub_download_bytes_total", "Bytes in answers of the firmware servers.", &[("", Count::Bytes)]),
    ("hub_warnings_total", "Warnings of the hub.", &[("", Count::Warnings)]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::ports::figures::Orders;
    use hub_core::ports::LinkFigures;

    #[test]
    fn every_family_comes_once_with_its_samples() {
        let link = LinkFigures { online: Some(3), queued: 4, hubs: Some(2), connected: true };
        let open_jobs = vec![(model::State::Waiting, 5), (model::State::Burning, 6)];
        let mut text = String::new();
        gauges(&mut text, &Standing { link, open_jobs, orders: Orders { given: 7, cancelled: 8 } });
        for line in [
            "hub_devices_online 3",
            "hub_folder_hubs 2",
            "hub_queued_messages 4",
            "hub_broker_connected 1",
            "hub_jobs{state=\"waiting\"} 5",
            "hub_jobs{state=\"burning\"} 6",
            "hub_orders{state=\"given\"} 7",
            "hub_orders{state=\"cancelled\"} 8",
            "# TYPE hub_jobs gauge",
        ] {
            assert_eq!(text.lines().filter(|other| *other == line).count(), 1, "{line}: {text}");
        }
        let mut names: Vec<_> = COUNTERS.iter().map(|(name, _, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COUNTERS.len());
        assert!(names.iter().all(|name| name.ends_with("_total")));
    }
}
