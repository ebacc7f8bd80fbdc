//! A percentile plot: latency over percentile, both logarithmic, so that the worst one in ten thousand is as wide as
//! the worst one in ten.

use hdrhistogram::Histogram;
use std::fmt::Write;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 60.0;

/// Percentiles up to this one in so many are drawn.
const NINES: f64 = 5.0;

/// Shown from 10 µs to at least 1 ms.
const LOWEST_US: f64 = 10.0;

/// Colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

struct Colours {
    paper: &'static str,
    ink: &'static str,
    grid: &'static str,
    lines: [&'static str; 6],
}

impl Theme {
    /// Its name in files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Lines that people who see colours differently can tell apart (Okabe and Ito, 2008).
    const fn colours(self) -> Colours {
        let lines = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
        match self {
            Self::Light => Colours { paper: "#ffffff", ink: "#1f2328", grid: "#d0d7de", lines },
            Self::Dark => Colours { paper: "#0d1117", ink: "#e6edf3", grid: "#30363d", lines },
        }
    }
}

/// The plot of histograms of microseconds, each with its name.
pub(super) fn plot(title: &str, theme: Theme, lines: &[(String, &Histogram<u64>)]) -> String {
    let colours = theme.colours();
    let highest = lines.iter().map(|(_, us)| us.max() as f64).fold(1_000.0, f64::max);
    let decades = (highest / LOWEST_US).log10().ceil().max(1.0);
    let x = |quantile: f64| LEFT + (-(1.0 - quantile).log10()).clamp(0.0, NINES) / NINES * (WIDTH - LEFT - RIGHT);
    let y = |us: f64| HEIGHT - BOTTOM - ((us / LOWEST_US).log10() / decades).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{ink}\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{paper}\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{title}</text>\n",
        title = escaped(title),
        ink = colours.ink,
        paper = colours.paper,
    );
    // Writing to a string does not fail, here and below.
    for decade in 0..=decades as i32 {
        let us = LOWEST_US * 10f64.powi(decade);
        let (at, grid, right) = (y(us), colours.grid, WIDTH - RIGHT);
        let _written = writeln!(out, "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"{grid}\"/>");
        let _written = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            in_words(us)
        );
    }
    for (quantile, name) in
        [(0.0, "0"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"), (0.99999, "99.999 %")]
    {
        let (at, grid, end) = (x(quantile), colours.grid, HEIGHT - BOTTOM);
        let _written = writeln!(out, "<path d=\"M{at:.1} {TOP}V{end}\" stroke=\"{grid}\"/>");
        let _written = writeln!(out, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>", end + 20.0);
    }
    for ((number, (name, us)), colour) in lines.iter().enumerate().zip(colours.lines.iter().cycle()) {
        let points: String = us
            .iter_quantiles(20)
            .map(|step| (step.quantile_iterated_to(), step.value_iterated_to() as f64))
            .map(|(quantile, value)| format!("{:.1},{:.1} ", x(quantile), y(value)))
            .collect();
        let _written = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.trim_end()
        );
        let left = LEFT + 190.0 * number as f64;
        let _written = writeln!(out, "<rect x=\"{left}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        let _written = writeln!(out, "<text x=\"{}\" y=\"47\">{}</text>", left + 18.0, escaped(name));
    }
    out.push_str("</svg>\n");
    out
}

fn in_words(us: f64) -> String {
    if us < 1_000.0 {
        format!("{us:.0} µs")
    } else if us < 1_000_000.0 {
        format!("{:.0} ms", us / 1_000.0)
    } else {
        format!("{:.0} s", us / 1_000_000.0)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::histogram;

    #[test]
    fn every_line_is_drawn_within_the_frame_and_named() {
        let mut us = histogram();
        (1..=10_000).for_each(|value| us.saturating_record(value));
        for theme in [Theme::Light, Theme::Dark] {
            let svg = plot("a <b> & c", theme, &[("one".to_owned(), &us), ("two".to_owned(), &us)]);
            assert!(svg.contains("a &lt;b> &amp; c") && svg.ends_with("</svg>\n"));
            assert_eq!(svg.matches("<polyline").count(), 2);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
