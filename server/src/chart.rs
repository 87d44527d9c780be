//! Draws charts: plotters on the server, SVG that takes its colours from the page's tokens.
//!
//! Knows no domain and no page. Texts are escaped by plotters or here; no `style` attribute is written, since the
//! page's policy refuses it.

use app::ui::{
    Tone,
    chart::{Bars, Charts, Unit},
};
use plotters::{coord::Shift, prelude::*};

const WIDTH: u32 = 560;
const HEIGHT: u32 = 120;
/// A few bars stand at the right of as many places, rather than grow wide.
const SLOTS: f64 = 30.0;

/// Stand-ins that no text contains, each replaced by a token once plotters has drawn: it knows no variables.
const OK: RGBColor = RGBColor(1, 0, 1);
const WARN: RGBColor = RGBColor(1, 0, 2);
const BAD: RGBColor = RGBColor(1, 0, 3);
const RUN: RGBColor = RGBColor(1, 0, 4);
const PLAIN: RGBColor = RGBColor(1, 0, 5);
const LINE: RGBColor = RGBColor(1, 0, 6);
const INK: RGBColor = RGBColor(1, 0, 7);
const GAP: RGBColor = RGBColor(1, 0, 8);

const TOKENS: [(&str, &str); 7] = [
    ("#010001", "var(--ok)"),
    ("#010002", "var(--warn)"),
    ("#010003", "var(--bad)"),
    ("#010004", "var(--run)"),
    ("#010005", "var(--ink-3)"),
    ("#010006", "var(--line)"),
    ("#010007", "var(--ink-3)"),
];
const GAP_COLOUR: &str = "#010008";

/// The console's charts.
pub struct Plotters;

impl Charts for Plotters {
    fn bars(&self, chart: &Bars) -> Option<String> {
        if chart.bars.is_empty() {
            return None;
        }
        match bars(chart) {
            Ok(svg) => Some(finish(&svg, chart)),
            Err(error) => {
                tracing::error!(error, "a chart was not drawn");
                None
            }
        }
    }
}

fn bars(chart: &Bars) -> Result<String, String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        draw_bars(&area, chart).map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

fn draw_bars<'b>(
    area: &DrawingArea<SVGBackend<'b>, Shift>,
    chart: &Bars,
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'b> as DrawingBackend>::ErrorType>> {
    let values = chart.bars.iter().filter_map(|bar| bar.value);
    let top = values.fold(0.0_f64, f64::max);
    // Without a single value there is still a scale to stand on.
    let top = if top > 0.0 { top * 1.08 } else { 1.0 };
    let count = f64::from(u32::try_from(chart.bars.len()).unwrap_or(u32::MAX));
    let slots = count.max(SLOTS);
    let mut plot = ChartBuilder::on(area)
        .margin(6)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..slots, 0.0..top)?;
    let unit: Unit = chart.unit;
    plot.configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(3)
        .y_label_formatter(&|value| unit.spell(*value))
        .label_style(("sans-serif", 11).into_font().color(&INK))
        .axis_style(LINE)
        .bold_line_style(LINE)
        .light_line_style(TRANSPARENT)
        .draw()?;
    let mut left = slots - count;
    plot.draw_series(chart.bars.iter().map(|bar| {
        let (from, to) = (left + 0.12, left + 0.88);
        left += 1.0;
        let (height, colour) = match bar.value {
            Some(value) => (value.max(0.0), colour(bar.tone)),
            None => (top, GAP),
        };
        Rectangle::new([(from, 0.0), (to, height)], colour.filled())
    }))?;
    Ok(())
}

fn colour(tone: Tone) -> RGBColor {
    match tone {
        Tone::Ok => OK,
        Tone::Warn => WARN,
        Tone::Bad => BAD,
        Tone::Running => RUN,
        Tone::Waiting | Tone::Plain => PLAIN,
    }
}

/// Puts the tokens in, the words for those who do not see it, and the hatching of gaps.
fn finish(svg: &str, chart: &Bars) -> String {
    let mut body = svg.split_once('>').map_or("", |(_, rest)| rest).to_owned();
    for (stand_in, token) in TOKENS {
        body = body.replace(stand_in, token);
    }
    let gap = format!("{}-gap", escape(&chart.id));
    body = body.replace(GAP_COLOUR, &format!("url(#{gap})"));
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">\
         <title>{}</title><desc>{}</desc>\
         <defs><pattern id=\"{gap}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><path d=\"M0 0V6\" stroke=\"var(--line-strong)\" stroke-width=\"3\"/>\
         </pattern></defs>{body}",
        escape(&chart.title),
        escape(&chart.description),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use app::ui::chart::Bar;

    use super::*;

    fn chart(values: &[Option<f64>]) -> Bars {
        let bar =
            |value: &Option<f64>| Bar { label: "x".to_owned(), value: *value, tone: Tone::Bad };
        Bars {
            id: "self-check".to_owned(),
            title: "How long </title><script>".to_owned(),
            description: "Three".to_owned(),
            unit: Unit::Span,
            bars: values.iter().map(bar).collect(),
        }
    }

    #[test]
    fn the_picture_has_words_tokens_and_no_style() {
        let svg = Plotters.bars(&chart(&[Some(12_000.0), Some(40_000.0)])).expect("drawn");
        assert!(svg.starts_with("<svg viewBox") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert!(svg.contains("<title>How long &lt;/title&gt;&lt;script&gt;</title>"), "{svg}");
        assert_eq!(svg.matches("fill=\"var(--bad)\"").count(), 2, "{svg}");
        assert!(svg.contains("40 ms") || svg.contains("20 ms"), "{svg}");
        assert!(
            !svg.contains("style=") && !svg.contains("#0100") && !svg.contains("<script"),
            "{svg}"
        );
    }

    #[test]
    fn a_gap_is_hatched_and_never_a_zero() {
        let svg = Plotters.bars(&chart(&[Some(1.0), None])).expect("drawn");
        assert_eq!(svg.matches("url(#self-check-gap)").count(), 1, "{svg}");
    }

    #[test]
    fn nothing_is_no_picture_and_only_gaps_are_one() {
        assert_eq!(Plotters.bars(&chart(&[])), None);
        assert!(Plotters.bars(&chart(&[None, None])).is_some());
    }
}
