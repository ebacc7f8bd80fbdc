//! What a run leaves: tables on the terminal, and a directory with `report.json`, distributions and plots.

mod hgrm;
mod machine;
mod svg;
mod tables;

pub(crate) use tables::{print, print_inside};

use crate::goals::Row;
use crate::load::Pace;
use crate::load::tally::{Ending, histogram};
use crate::probe::Disk;
use crate::run::{Run, Size};
use crate::visit::Visit;
use anyhow::Result;
use hdrhistogram::Histogram;
use machine::Machine;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use svg::Theme;

/// `report.json`.
#[derive(Serialize)]
struct Report<'a> {
    program: &'static str,
    version: &'static str,
    machine: Machine,
    size: Size,
    sync: Disk,
    rows: &'a [Row],
    notes: &'a [String],
    visits: Vec<VisitBody<'a>>,
}

/// One visit in `report.json`.
#[derive(Serialize)]
struct VisitBody<'a> {
    scene: &'a str,
    contestant: &'static str,
    workload: &'static str,
    offered_per_s: Option<f64>,
    connections: usize,
    measured_s: f64,
    endings: BTreeMap<&'static str, EndingBody>,
    cpu_us_per_request: f64,
    other_programs: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stood_still: Option<&'a str>,
    generator_busiest_thread: f64,
    generator_lag_us_p99: Option<u64>,
    turned_away: u64,
    unsent: u64,
    shed_with_retry_after: u64,
    doubt: Option<&'a str>,
    audited: &'a str,
}

/// What came of requests that ended alike.
#[derive(Serialize)]
struct EndingBody {
    count: u64,
    per_s: f64,
    latency_us_p50: u64,
    latency_us_p90: u64,
    latency_us_p99: u64,
    latency_us_p999: u64,
    latency_us_max: u64,
}

impl<'a> VisitBody<'a> {
    fn of(scene: &'a str, visit: &'a Visit) -> Self {
        let (measured, tally) = (&visit.measured, &visit.measured.tally);
        let ending = |ending: Ending| {
            let us = tally.of(ending);
            let body = EndingBody {
                count: us.len(),
                per_s: measured.per_second(ending),
                latency_us_p50: us.value_at_quantile(0.5),
                latency_us_p90: us.value_at_quantile(0.9),
                latency_us_p99: us.value_at_quantile(0.99),
                latency_us_p999: us.value_at_quantile(0.999),
                latency_us_max: us.max(),
            };
            (!us.is_empty()).then_some((ending.name(), body))
        };
        let offered_per_s = match visit.load.pace {
            Pace::Closed => None,
            Pace::Open { rate_per_s } => Some(rate_per_s),
        };
        Self {
            scene,
            contestant: visit.contestant.name(),
            workload: visit.workload,
            offered_per_s,
            connections: visit.load.connections,
            measured_s: measured.length.as_secs_f64(),
            endings: Ending::ALL.into_iter().filter_map(ending).collect(),
            cpu_us_per_request: visit.cpu_us_per_request,
            other_programs: visit.others,
            stood_still: visit.stood_still.as_deref(),
            generator_busiest_thread: measured.busiest_thread,
            generator_lag_us_p99: offered_per_s.map(|_| measured.lag_us.value_at_quantile(0.99)),
            turned_away: tally.turned_away,
            unsent: tally.unsent,
            shed_with_retry_after: tally.shed_with_retry_after,
            doubt: visit.doubt.as_deref(),
            audited: &visit.audited,
        }
    }
}

/// Writes everything into `out`.
pub(crate) fn write(run: &Run, out: &Path, place: &Path) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let report = Report {
        program: "holdfast bench",
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::here(place),
        size: run.size(),
        sync: run.disk(),
        rows: &run.rows,
        notes: &run.notes,
        visits: run.kept.iter().map(|(scene, visit)| VisitBody::of(scene, visit)).collect(),
    };
    std::fs::write(out.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    for scene in run.kept.iter().map(|(scene, _)| scene).collect::<BTreeSet<_>>() {
        let sums = sums(run, scene)?;
        for ((line, ending), us) in &sums {
            let name = file_name(&format!("{scene} {line} {}", ending.name()));
            std::fs::write(out.join(format!("{name}.hgrm")), hgrm::text(us))?;
        }
        let granted = sums.iter().filter(|((_, ending), _)| *ending == Ending::Granted);
        let lines: Vec<_> = granted.map(|((line, _), us)| (line.clone(), us)).collect();
        for theme in [Theme::Light, Theme::Dark] {
            let path = out.join(format!("{}-{}.svg", file_name(scene), theme.name()));
            std::fs::write(path, svg::plot(&format!("Latency of reservations: {scene}"), theme, &lines))?;
        }
    }
    Ok(())
}

/// The histograms of a scene's rounds, added up.
fn sums(run: &Run, scene: &str) -> Result<BTreeMap<(String, Ending), Histogram<u64>>> {
    let mut sums = BTreeMap::new();
    for (_, visit) in run.kept.iter().filter(|(kept, _)| kept == scene) {
        for ending in Ending::ALL {
            let us = visit.measured.tally.of(ending);
            if !us.is_empty() {
                let line = format!("{} {}", visit.contestant.name(), visit.workload);
                sums.entry((line, ending)).or_insert_with(histogram).add(us)?;
            }
        }
    }
    Ok(sums)
}

fn file_name(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(kept).collect();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
