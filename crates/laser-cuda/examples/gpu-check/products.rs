//! Products: the plain one that counts as the peak, those of a block as shares of it, and whether a row's bits depend on the
//! rows beside it.

use crate::report::Report;
use crate::shapes::{Filler, Shapes, milliseconds, rate};
use laser_cuda::{Device, Kind, Result, Rows};

/// Measures; the rate of the plain bf16 product is kept for others.
pub fn speed(device: &Device, shapes: &Shapes, filler: &mut Filler, report: &mut Report) -> Result<f64> {
    report.table("Products", &["product", "rows", "ms", "TFLOP/s", "share of the plain product"]);
    let mut peak = 0.0;
    for (kind, side) in [(Kind::Bf16, shapes.plain), (Kind::F16, shapes.plain), (Kind::F32, shapes.plain / 2)] {
        let x = filler.rows(device, kind, side, side, 1.0)?;
        let w = filler.rows(device, kind, side, side, 0.02)?;
        let time = milliseconds(device, shapes.repeats, || device.linear(&x, &w, None, None).map(drop))?;
        let made = rate(2.0 * (side as f64).powi(3), time);
        if kind == Kind::Bf16 {
            peak = made;
        }
        report.row(&row(&format!("{side} x {side} {kind:?}"), side, time, made, peak));
    }
    for (outputs, inputs) in block_weights(shapes) {
        let w = filler.rows(device, Kind::Bf16, outputs, inputs, 0.02)?;
        for rows in shapes.rows {
            let x = filler.rows(device, Kind::Bf16, rows, inputs, 1.0)?;
            let time = milliseconds(device, shapes.repeats, || device.linear(&x, &w, None, None).map(drop))?;
            let made = rate(2.0 * rows as f64 * outputs as f64 * inputs as f64, time);
            report.row(&row(&format!("{outputs} x {inputs} Bf16"), rows, time, made, peak));
        }
    }
    for line in device.algorithms() {
        report.detail(&format!("- {line}"));
    }
    Ok(peak)
}

fn row(name: &str, rows: usize, time: f64, made: f64, peak: f64) -> [String; 5] {
    [name.to_owned(), rows.to_string(), format!("{time:.4}"), format!("{made:.1}"), format!("{:.2}", made / peak)]
}

fn block_weights(shapes: &Shapes) -> [(usize, usize); 3] {
    [(shapes.hidden, shapes.hidden), (shapes.inner, shapes.hidden), (shapes.hidden, shapes.inner)]
}

/// Whether rows have the same bits in batches of any size; and what it costs to choose algorithms once, not by the number of
/// rows: `others` are devices that choose for other numbers.
pub fn bits(
    device: &Device,
    others: &[(usize, Device)],
    shapes: &Shapes,
    filler: &mut Filler,
    report: &mut Report,
) -> Result<()> {
    let most = *shapes.batches.iter().max().unwrap_or(&1);
    let batches: Vec<String> = shapes.batches.iter().map(usize::to_string).collect();
    report.table(
        &format!("Bits of a row in batches of {} rows", batches.join(", ")),
        &["weights", "same bits as among the most rows", "same bits with the algorithm for other numbers of rows"],
    );
    let mut slow = Vec::new();
    for (kind, outputs, inputs) in block_weights(shapes)
        .into_iter()
        .map(|(outputs, inputs)| (Kind::Bf16, outputs, inputs))
        .chain([(Kind::F16, shapes.hidden, shapes.hidden), (Kind::F32, shapes.hidden, shapes.hidden)])
    {
        let w = filler.rows(device, kind, outputs, inputs, 0.02)?;
        let x = filler.rows(device, kind, most, inputs, 1.0)?;
        let plus = filler.rows(device, Kind::F32, most, outputs, 1.0)?;
        let product = |device: &Device, [w, x, plus]: [&Rows; 3], from: usize, rows: usize| -> Result<Vec<u32>> {
            let rows = from..from + rows;
            let y = device.linear(&x.slice(rows.clone())?, w, None, Some(&plus.slice(rows)?))?;
            Ok(y.to_host()?.into_iter().map(f32::to_bits).collect())
        };
        let own = [&w, &x, &plus];
        let all = product(device, own, 0, most)?;
        let mut same = Vec::new();
        for batch in shapes.batches {
            // From the first row on, and from a place within.
            let within = (most - batch) / 2;
            let agrees = |from: usize, bits: &[u32]| bits == &all[from * outputs..(from + batch) * outputs];
            let first = product(device, own, 0, batch)?;
            let agree = agrees(0, &first) && agrees(within, &product(device, own, within, batch)?);
            if !agree {
                report.failure(&format!("{outputs} x {inputs} {kind:?}: {batch} rows have other bits than {most}"));
            }
            same.push(format!("{batch}: {}", if agree { "yes" } else { "NO" }));
        }
        let (mut other, mut copies) = (Vec::new(), Vec::new());
        for (chosen_for, device) in others {
            let copy = |rows: &Rows| Rows::of(device, rows.kind(), &rows.to_host()?, rows.rows(), rows.width());
            let (w, x) = (copy(&w)?, copy(&x)?);
            let agree = product(device, [&w, &x, &copy(&plus)?], 0, most)? == all;
            other.push(format!("{chosen_for}: {}", if agree { "yes" } else { "no" }));
            copies.push((w, x));
        }
        report.row(&[format!("{outputs} x {inputs} {kind:?}"), same.join(", "), other.join(", ")]);
        slow.push((kind, w, x, copies));
    }
    let mut columns = vec!["weights".to_owned(), "rows".to_owned(), "ms, the algorithm chosen once".to_owned()];
    columns.extend(others.iter().map(|(chosen_for, _)| format!("ms, chosen for {chosen_for} rows")));
    report.table("What choosing once costs", &columns.iter().map(String::as_str).collect::<Vec<_>>());
    for (kind, w, x, copies) in slow.iter().filter(|(kind, ..)| *kind == Kind::Bf16) {
        for rows in shapes.batches {
            let time = |device: &Device, w: &Rows, x: &Rows| times(device, &x.slice(0..rows)?, w, shapes.repeats);
            let mut cells = vec![format!("{} x {} {kind:?}", w.rows(), w.width()), rows.to_string()];
            cells.push(format!("{:.4}", time(device, w, x)?));
            for ((_, other), (w, x)) in others.iter().zip(copies) {
                cells.push(format!("{:.4}", time(other, w, x)?));
            }
            report.row(&cells);
        }
    }
    Ok(())
}

fn times(device: &Device, x: &Rows, w: &Rows, repeats: usize) -> Result<f64> {
    milliseconds(device, repeats, || device.linear(x, w, None, None).map(drop))
}

/// An edited matrix as factors: x V once, then for each rank, nested, what its columns of U add; against a dense product for
/// each. The ranks once as they are and once as multiples of 8, which keep rows aligned.
pub fn factors(device: &Device, shapes: &Shapes, filler: &mut Filler, report: &mut Report) -> Result<()> {
    let (outputs, inputs, rows) = (shapes.inner, shapes.hidden, shapes.rows[2]);
    report.table(
        &format!("Edits of {outputs} x {inputs} as factors, {rows} rows, ranks nested"),
        &["ranks", "ms of all", "ms of dense products for all"],
    );
    let x = filler.rows(device, Kind::Bf16, rows, inputs, 1.0)?;
    let w = filler.rows(device, Kind::Bf16, outputs, inputs, 0.02)?;
    let dense = milliseconds(device, shapes.repeats, || device.linear(&x, &w, None, None).map(drop))?;
    for unit in [1, 8] {
        let ranks = [0.01, 0.05, 0.1, 0.2].map(|rho| ((rho * inputs as f64) as usize).max(1).next_multiple_of(unit));
        let most = ranks[3];
        let v = filler.rows(device, Kind::Bf16, most, inputs, 0.02)?;
        let u = filler.rows(device, Kind::Bf16, outputs, most, 0.02)?;
        let time = milliseconds(device, shapes.repeats, || {
            let z = device.convert(&device.linear(&x, &v, None, None)?, Kind::Bf16)?;
            let (mut y, mut from) = (None, 0);
            for rank in ranks {
                if rank > from {
                    y = Some(device.linear(&z.columns(from..rank)?, &u.columns(from..rank)?, None, y.as_ref())?);
                }
                from = rank;
            }
            Ok(())
        })?;
        report.row(&[format!("{ranks:?}"), format!("{time:.3}"), format!("{:.3}", dense * ranks.len() as f64)]);
    }
    Ok(())
}
