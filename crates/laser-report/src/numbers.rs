//! Numbers as they are shown.

/// A p-value: three places, or two digits and a power of ten where it is small.
pub fn p_text(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.1e}") }
}
