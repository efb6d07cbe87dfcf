//! The figures as plots for the README, in SVG.
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::contender::Traffic;
use crate::generator::Series;
use crate::report::Report;

const SIZE: (u32, u32) = (760, 440);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x11, 0x4b, 0x8a),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x7f, 0x7f, 0x7f),
    RGBColor(0xe6, 0x9f, 0x00),
];

/// A line of a plot: its name, and a figure for each number of flows or reals.
type Line = (String, Vec<(f64, f64)>);

/// What is on a plot, and along its axes.
struct Plot<'a> {
    file: &'a str,
    title: &'a str,
    x: &'a str,
    y: &'a str,
    legend: SeriesLabelPosition,
    lines: Vec<Line>,
}

/// Draws what the report has and returns the files.
pub(crate) fn all(report: &Report, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut plots = Vec::new();
    if let Some(generated) = &report.generated {
        let established = &generated.established;
        let ratio = |series: &Series| series.of_baseline.map(|ratio| ratio.median);
        let mpps = |series: &Series| Some(series.mpps.median);
        let cycles = |series: &Series| Some(series.cycles_per_packet.median);
        let mut new_flows = lines(&generated.new_flows, |series| f64::from(series.reals), cycles);
        // So small that it would be the axis.
        new_flows.retain(|(name, _)| name != "macswap");
        let mut ratios = lines(established, |series| f64::from(series.flows), ratio);
        ratios.extend(of_testpmd(report));
        plots.push(Plot {
            file: "ratio.svg",
            title: "Throughput as a share of a bare MAC swap (one CPU, 64 bytes)",
            x: "flows",
            y: "share",
            legend: SeriesLabelPosition::LowerLeft,
            lines: ratios,
        });
        plots.push(Plot {
            file: "mpps.svg",
            title: "Millions of packets a second (one CPU, 64 bytes)",
            x: "flows",
            y: "Mpps",
            legend: SeriesLabelPosition::UpperRight,
            lines: lines(established, |series| f64::from(series.flows), mpps),
        });
        plots.push(Plot {
            file: "new-flows.svg",
            title: "Cycles for a flow's first packet and its end, a million flows alive",
            x: "real servers",
            y: "TSC cycles",
            legend: SeriesLabelPosition::UpperLeft,
            lines: new_flows,
        });
    }
    plots.retain(|plot| !plot.lines.is_empty());
    plots.iter().map(|plot| draw(plot, &folder.join(plot.file))).collect()
}

/// Series of one name, over `x`.
fn lines(series: &[Series], x: impl Fn(&Series) -> f64, y: impl Fn(&Series) -> Option<f64>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for series in series {
        let Some(figure) = y(series) else { continue };
        let point = (x(series), figure);
        match lines.iter_mut().find(|(name, _)| *name == series.name) {
            // A baseline is measured again beside each group; the first stands for all.
            Some((_, points)) if points.iter().any(|(x, _)| *x == point.0) => {}
            Some((_, points)) => points.push(point),
            None => lines.push((series.name.clone(), vec![point])),
        }
    }
    lines
}

/// The daemon's ratios to testpmd with requests: as many lines as there are colours left.
fn of_testpmd(report: &Report) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for rung in &report.daemon {
        for entry in &rung.contenders {
            let Some(ratio) = entry.of_testpmd.filter(|_| entry.traffic == Traffic::Requests) else {
                continue;
            };
            let (name, point) =
                (format!("daemon: {}, of testpmd", entry.name), (f64::from(rung.flows), ratio.median));
            match lines.iter_mut().find(|(known, _)| *known == name) {
                Some((_, points)) => points.push(point),
                None => lines.push((name, vec![point])),
            }
        }
    }
    lines
}

fn draw(plot: &Plot<'_>, path: &Path) -> Result<PathBuf> {
    try_draw(plot, path).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    Ok(path.to_owned())
}

fn try_draw(plot: &Plot<'_>, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (x, y) = ranges(&plot.lines);
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(plot.title, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(55)
        .build_cartesian_2d(x.log_scale(), y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(plot.x)
        .y_desc(plot.y)
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| if *y == 0.0 || *y >= 3.0 { format!("{y:.0}") } else { format!("{y:.1}") })
        .draw()?;
    for ((name, points), colour) in plot.lines.iter().zip(COLOURS.iter().cycle()) {
        let style = ShapeStyle::from(*colour).stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, style.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(plot.legend.clone())
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// The axes: all points and some air, from 0 upwards.
fn ranges(lines: &[Line]) -> (Range<f64>, Range<f64>) {
    let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let least = points().map(|(x, _)| x).fold(f64::INFINITY, f64::min);
    let most = points().map(|(x, _)| x).fold(1.0, f64::max);
    let top = points().map(|(_, y)| y).fold(0.0, f64::max);
    (least * 0.8..most * 1.3, 0.0..top * 1.35)
}

/// A count in few letters.
fn short(count: f64) -> String {
    match count {
        n if n >= 1e6 => format!("{:.0}M", n / 1e6),
        n if n >= 1e3 => format!("{:.0}k", n / 1e3),
        n => format!("{n:.0}"),
    }
}
