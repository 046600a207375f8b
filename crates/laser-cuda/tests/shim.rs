//! The kernels' numbers, without a GPU: the same sources as C++ on tiny shapes, against plain formulas.

use laser_cuda::operations::{Attended, AttentionShape, ReadOut, Wanted};
use laser_cuda::shim::Shim;
use laser_cuda::verify::{CHECKS, Numbers, Size};
use laser_cuda::{Device, Error, Indices, Kind, Pinned, RowTable, Rows, Vector};

/// The processor as a device; without `g++` the test says so and passes.
fn device() -> Option<Device> {
    if std::process::Command::new("g++").arg("--version").output().is_err() {
        println!("skipped: there is no g++");
        return None;
    }
    Some(Device::on(Shim::new().unwrap()))
}

#[test]
fn every_kernel_agrees_with_its_formula() {
    let Some(device) = device() else { return };
    let mut failures = Vec::new();
    for (name, check) in CHECKS {
        for check in check(&device, Size::Tiny, &mut Numbers::new(7)).unwrap_or_else(|error| panic!("{name}: {error}"))
        {
            println!("{}: {:.1e} of {:.0e}, same bits: {}", check.name, check.error, check.allowed, check.same_bits);
            if !check.holds() {
                failures.push(check.name);
            }
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn what_is_not_there_is_refused() {
    let Some(device) = device() else { return };
    let rows = |rows: usize, width: usize| Rows::zeros(&device, Kind::F32, rows, width).unwrap();
    let indices = |numbers: &[u32]| Indices::of(&device, numbers).unwrap();
    let refused = |outcome: Result<Rows, Error>| assert!(matches!(outcome, Err(Error::Shape { .. })), "{outcome:?}");
    refused(device.gather(&rows(3, 4), &indices(&[0, 3]), Kind::F32));
    refused(device.embed(&rows(3, 4), &indices(&[3]), 1.0, None));
    refused(device.add(&rows(3, 4), &rows(4, 3)));
    refused(device.linear(&rows(3, 4), &rows(5, 3), None, None));
    refused(device.linear(&rows(3, 4), &rows(5, 4), Some(&Vector::of(&device, &[0.0]).unwrap()), None));
    refused(Rows::of(&device, Kind::Bf16, &[0.0; 5], 2, 3));
    refused(rows(3, 4).slice(2..4));
    refused(rows(3, 4).columns(2..5));
    let shape = AttentionShape { head_dim: 4, scale: 1.0, softcap: None, alibi: None };
    let attended = Attended::of(&device, &[1], &[3]).unwrap();
    refused(device.attention(&rows(1, 4), &rows(3, 4), &rows(3, 4), &attended, shape, Kind::F32));
    assert!(Attended::of(&device, &[2, 1], &[0, 1]).is_err() && Attended::of(&device, &[1], &[0, 1]).is_err());
    let other = Device::on(Shim::new().unwrap());
    refused(device.add(&rows(3, 4), &Rows::zeros(&other, Kind::F32, 3, 4).unwrap()));
    let mut table = RowTable::new(&device, Kind::F32, 2, 4).unwrap();
    assert!(device.write(&mut table, &indices(&[2]), &rows(1, 4)).is_err());
    assert!(device.route(&rows(1, 4), 5, true).is_err());
    let head = ReadOut { weights: rows(9, 4), bias: None, softcap: None, slice: 1, memory: 0 };
    let wanted = Wanted::of(&device, &[&[9]]).unwrap();
    assert!(device.read_out(&rows(1, 4), &head, &wanted).is_err());
}

#[test]
fn nothing_at_all_is_computed_too() {
    let Some(device) = device() else { return };
    let none = Rows::zeros(&device, Kind::F32, 0, 8).unwrap();
    let indices = Indices::of(&device, &[]).unwrap();
    assert_eq!(device.add(&none, &none).unwrap().rows(), 0);
    assert_eq!(device.gather(&none, &indices, Kind::Bf16).unwrap().rows(), 0);
    let weights = Rows::zeros(&device, Kind::Bf16, 4, 8).unwrap();
    assert_eq!(device.linear(&none, &weights, None, None).unwrap().width(), 4);
    let attended = Attended::of(&device, &[], &[]).unwrap();
    let shape = AttentionShape { head_dim: 4, scale: 1.0, softcap: None, alibi: None };
    assert_eq!(device.attention(&none, &none, &none, &attended, shape, Kind::F32).unwrap().rows(), 0);
    let head = ReadOut { weights, bias: None, softcap: None, slice: 1, memory: 0 };
    assert_eq!(device.read_out(&none, &head, &Wanted::of(&device, &[]).unwrap()).unwrap(), []);
}

/// Where products have the same bits, slices of any size give the same readings.
#[test]
fn tiles_are_joined_in_one_order_whatever_the_slices() {
    let Some(device) = device() else { return };
    let (rows, hidden, vocabulary) = (3, 4, 5000);
    let mut numbers = Numbers::new(2);
    let x = Rows::of(&device, Kind::F32, &numbers.normals(rows * hidden, 1.0), rows, hidden).unwrap();
    let weights = Rows::of(&device, Kind::F32, &numbers.normals(vocabulary * hidden, 1.0), vocabulary, hidden).unwrap();
    let wanted = Wanted::of(&device, &[&[0, 4999], &[], &[1024]]).unwrap();
    let read = |slice| {
        let head = ReadOut { weights: weights.clone(), bias: None, softcap: None, slice, memory: 0 };
        device.read_out(&x, &head, &wanted).unwrap()
    };
    let whole = read(vocabulary);
    assert_eq!(whole.iter().map(|reading| reading.ranks.len()).collect::<Vec<_>>(), [2, 0, 1]);
    for slice in [1, 1024, 3000, usize::MAX] {
        assert_eq!(read(slice), whole);
    }
}

#[test]
fn page_locked_memory_comes_over_as_it_is() {
    let Some(device) = device() else { return };
    let mut pinned = Pinned::new(&device, 12).unwrap();
    let bits: Vec<u8> = [1.0f32, -2.0, 0.5].iter().flat_map(|value| value.to_le_bytes()).collect();
    pinned.bytes_mut().unwrap().copy_from_slice(&bits);
    let rows = Rows::of_pinned(&device, Kind::F32, &mut pinned, 1, 3).unwrap();
    assert_eq!(rows.to_host().unwrap(), [1.0, -2.0, 0.5]);
    assert!(Rows::of_pinned(&device, Kind::F32, &mut pinned, 2, 3).is_err());
    assert_eq!(Rows::of_stored(&device, Kind::F32, &bits, 3, 1).unwrap().to_host().unwrap(), [1.0, -2.0, 0.5]);
}
