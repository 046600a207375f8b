//! Values that are typed, and their defaults.

use bytesize::ByteSize;
use laser::PAPER_RHOS;
use laser_edit::Layers;
use laser_matrix::Rho;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// The kept fractions of the paper's table 5, as they are typed.
pub fn default_rhos() -> String {
    PAPER_RHOS.map(|rho| rho.to_string()).join(",")
}

pub fn parse_layers(text: &str) -> Result<Layers, String> {
    text.parse().map_err(|_| format!("`{text}` is not a layer: write 7, 20-29, or -1 for the last"))
}

pub fn parse_rho(text: &str) -> Result<Rho, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number: rho is a fraction from 0 to 1"))?;
    Rho::new(number).map_err(|error| error.to_string())
}

pub fn parse_weight(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(weight) if weight.is_finite() && weight > 0.0 => Ok(weight),
        _ => Err(format!("`{text}` is not a weight: write a number above 0, such as 2")),
    }
}

pub fn parse_blocks(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number of blocks: write 1 or more"))
}

/// A percentage, `10%`, as a fraction.
pub fn parse_percent(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').map(|number| number.trim().parse::<f64>()) {
        Some(Ok(percent)) if percent.is_finite() && percent >= 0.0 => Ok(percent / 100.0),
        _ => Err(format!("`{text}` is not a percentage: write it with its sign, such as 10%")),
    }
}

/// A share between 0 and 1.
pub fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err(format!("`{text}` is not a share: write a number between 0 and 1, such as 0.3")),
    }
}

/// Points of accuracy, `1pt`, as a fraction.
pub fn parse_points(text: &str) -> Result<f64, String> {
    let number = ["points", "pts", "pt"].iter().find_map(|unit| text.strip_suffix(unit));
    match number.map(|number| number.trim().parse::<f64>()) {
        Some(Ok(points)) if (0.0..=100.0).contains(&points) => Ok(points / 100.0),
        _ => Err(format!("`{text}` is not a number of points of accuracy: write it with its unit, such as 1pt")),
    }
}

/// A number of bytes: `500MB`, `4GB`, `1.5GiB`.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub usize);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.parse::<u64>().is_ok_and(|number| number > 0) {
            return Err(format!("`{text}` has no unit: write {text}GB or {text}MB"));
        }
        let bytes = text.parse().map_or(0, |ByteSize(bytes)| bytes);
        match usize::try_from(bytes) {
            Ok(bytes) if (1..1_000_000_000_000_000).contains(&bytes) => Ok(Self(bytes)),
            _ => Err(format!("`{text}` is not a size: write 500MB or 4GB")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_their_unit() {
        assert_eq!((parse_percent("10%"), parse_percent("0.5 %")), (Ok(0.1), Ok(0.005)));
        assert_eq!((parse_points("1pt"), parse_points("2.5 points")), (Ok(0.01), Ok(0.025)));
        assert!(["10", "-1%", "%", "nan%"].iter().all(|text| parse_percent(text).is_err()));
        assert!(["1", "-1pt", "1%", "101pt"].iter().all(|text| parse_points(text).is_err()));
    }

    #[test]
    fn sizes() {
        assert_eq!("4GB".parse::<Bytes>().unwrap().0, 4_000_000_000);
        assert_eq!("1.5 MiB".parse::<Bytes>().unwrap().0, 1_572_864);
        assert_eq!("2G".parse::<Bytes>().unwrap().0, 2_000_000_000);
        for wrong in ["", "GB", "-1GB", "4XB", "0", "4", "0GB", "1.2.3GB"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
    }
}
