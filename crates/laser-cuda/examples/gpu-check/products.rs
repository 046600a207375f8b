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
        let product = |device: &Device, from: usize, rows: usize| -> Result<Vec<u32>> {
            let rows = from..from + rows;
            let y = device.linear(&x.slice(rows.clone())?, &w, None, Some(&plus.slice(rows)?))?;
            Ok(y.to_host()?.into_iter().map(f32::to_bits).collect())
        };
        let all = product(device, 0, most)?;
        let mut same = Vec::new();
        for batch in shapes.batches {
            // From the first row on, and from a place within.
            let within = (most - batch) / 2;
            let agrees = |from: usize, bits: &[u32]| bits == &all[from * outputs..(from + batch) * outputs];
            let agree = agrees(0, &product(device, 0, batch)?) && agrees(within, &product(device, within, batch)?);
            if !agree {
                report.failure(&format!("{outputs} x {inputs} {kind:?}: {batch} rows have other bits than {most}"));
            }
            same.push(format!("{batch}: {}", if agree { "yes" } else { "NO" }));
        }
        let mut other = Vec::new();
        for (chosen_for, device) in others {
            let agree = product(device, 0, most)? == all;
            other.push(format!("{chosen_for}: {}", if agree { "yes" } else { "no" }));
        }
        report.row(&[format!("{outputs} x {inputs} {kind:?}"), same.join(", "), other.join(", ")]);
        slow.push((kind, w, x));
    }
    let mut columns = vec!["weights".to_owned(), "rows".to_owned(), "ms, the algorithm chosen once".to_owned()];
    columns.extend(others.iter().map(|(chosen_for, _)| format!("ms, chosen for {chosen_for} rows")));
    report.table("What choosing once costs", &columns.iter().map(String::as_str).collect::<Vec<_>>());
    for (kind, w, x) in slow.iter().filter(|(kind, ..)| *kind == Kind::Bf16) {
        for rows in shapes.batches {
            let x = x.slice(0..rows)?;
            let time = |device: &Device| times(device, &x, w, shapes.repeats);
            let mut cells = vec![format!("{} x {} {kind:?}", w.rows(), w.width()), rows.to_string()];
            cells.push(format!("{:.4}", time(device)?));
            for (_, other) in others {
                cells.push(format!("{:.4}", time(other)?));
            }
            report.row(&cells);
        }
    }
    Ok(())
}

fn times(device: &Device, x: &Rows, w: &Rows, repeats: usize) -> Result<f64> {
    milliseconds(device, repeats, || device.linear(x, w, None, None).map(drop))
}
