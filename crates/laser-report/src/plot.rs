//! What figures are made of: a scale, axes, and the frame around a figure. A figure is at most [`WIDTH`] units wide, so that on a
//! phone its letters are as large as elsewhere.

use laser_edit::MatrixId;
use maud::{Markup, html};

/// The width of a figure's drawing.
pub const WIDTH: f64 = 360.0;

/// A linear map of values to places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale that has all of `values`, from the place `from` to the place `to`.
    pub fn over(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let bounds = finite.fold(None, |bounds: Option<(f64, f64)>, value| match bounds {
            Some((low, high)) => Some((low.min(value), high.max(value))),
            None => Some((value, value)),
        });
        let (low, high) = bounds.unwrap_or((0.0, 1.0));
        // A scale needs some width; a little air keeps marks off the frame.
        let air = if high > low { 0.05 * (high - low) } else { 0.5 * low.abs().max(0.01) };
        Self { low: low - air, high: high + air, from, to }
    }

    /// Where a value is.
    pub fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Three to seven round values within the scale.
    pub fn ticks(&self) -> Vec<f64> {
        let raw = (self.high - self.low) / 4.0;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|&step| step >= raw);
        let step = step.unwrap_or(10.0 * power);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).take(12).map(|number| number as f64 * step).collect()
    }

    /// So many places tell ticks apart.
    pub fn places(&self) -> usize {
        let step = (self.high - self.low) / 4.0;
        (-(step.log10().floor())).clamp(0.0, 6.0) as usize
    }
}

/// A place, short: a tenth of a unit is not seen.
pub fn at(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A matrix's name as a part of an element's id.
pub fn id_of(matrix: MatrixId) -> String {
    matrix.to_string().replace(['[', ']'], "-")
}

/// The points of a line.
pub fn points(places: &[(f64, f64)]) -> String {
    places.iter().map(|(x, y)| format!("{},{}", at(*x), at(*y))).collect::<Vec<_>>().join(" ")
}

/// A drawing with a name and a description for those who cannot see it.
pub fn drawing(id: &str, title: &str, description: &str, [width, height]: [f64; 2], content: &Markup) -> Markup {
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-description"));
    html! {
        svg id=(id) viewBox=(format!("0 0 {} {}", at(width), at(height))) width=(at(width)) height=(at(height)) role="img"
            aria-labelledby=(format!("{title_id} {description_id}")) xmlns="http://www.w3.org/2000/svg" {
            title id=(title_id) { (title) }
            desc id=(description_id) { (description) }
            (content)
        }
    }
}

/// A figure: drawings side by side where there is room, a legend, and a table of its numbers.
pub fn figure(id: &str, caption: &str, drawings: &Markup, numbers: &Markup) -> Markup {
    html! {
        figure id=(id) {
            figcaption { (caption) }
            div.drawings { (drawings) }
            details { summary { "The numbers" } (numbers) }
        }
    }
}

/// The vertical axis on the left of a panel, with lines across it.
pub fn vertical_axis(scale: &Scale, left: f64, right: f64, percent: bool) -> Markup {
    let label = |value: f64| match percent {
        true => format!("{:.*}", scale.places().saturating_sub(2), 100.0 * value),
        false => format!("{value:.*}", scale.places()),
    };
    html! {
        @for tick in scale.ticks() {
            @let y = scale.place(tick);
            line.grid x1=(at(left)) x2=(at(right)) y1=(at(y)) y2=(at(y)) {}
            text.tick x=(at(left - 4.0)) y=(at(y + 3.5)) text-anchor="end" { (label(tick)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_holds_its_values_and_has_round_ticks() {
        let scale = Scale::over([0.12, 0.48, f64::NAN], 100.0, 0.0);
        assert!(scale.place(0.12) < 100.0 && scale.place(0.48) > 0.0);
        let ticks: Vec<String> = scale.ticks().iter().map(|tick| format!("{tick:.1}")).collect();
        assert_eq!(ticks, ["0.2", "0.3", "0.4"].map(str::to_owned));
        for values in [vec![], vec![0.0], vec![7.0, 7.0], vec![-1e9, 1e9], vec![1e-12, 2e-12]] {
            let scale = Scale::over(values.iter().copied(), 0.0, 10.0);
            assert!((1..=12).contains(&scale.ticks().len()), "{values:?}: {:?}", scale.ticks());
            assert!(values.iter().all(|&value| (0.0..=10.0).contains(&scale.place(value))));
        }
    }

    #[test]
    fn places_are_short() {
        assert_eq!((at(1.0), at(2.25), at(-0.04)), ("1".into(), "2.2".into(), "-0".into()));
        assert_eq!(points(&[(0.0, 1.5), (2.0, 3.0)]), "0,1.5 2,3");
    }
}
