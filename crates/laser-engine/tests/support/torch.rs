//! Checkpoints as PyTorch writes them: a zip archive of a pickle and, for each tensor, its elements.

use safetensors::SafeTensors;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;

/// `pytorch_model.bin` in `folder`, with the float32 tensors of a safetensors file.
pub fn write_bin(tensors: &SafeTensors, folder: &Path) {
    let mut archive = zip::ZipWriter::new(File::create(folder.join("pytorch_model.bin")).unwrap());
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut pickle = vec![0x80, 2, b'}', b'('];
    for (key, (name, view)) in tensors.iter().enumerate() {
        assert_eq!(view.dtype(), safetensors::Dtype::F32);
        text(&mut pickle, name);
        global(&mut pickle, "torch._utils", "_rebuild_tensor_v2");
        pickle.extend(b"((");
        text(&mut pickle, "storage");
        global(&mut pickle, "torch", "FloatStorage");
        text(&mut pickle, &key.to_string());
        text(&mut pickle, "cpu");
        number(&mut pickle, view.shape().iter().product());
        // The storage by its persistent id, the offset, shape, strides, requires_grad and hooks.
        pickle.extend(b"tQ");
        number(&mut pickle, 0);
        let strides = (0..view.shape().len()).map(|dim| view.shape()[dim + 1..].iter().product());
        tuple(&mut pickle, view.shape().iter().copied());
        tuple(&mut pickle, strides);
        pickle.push(0x89);
        global(&mut pickle, "collections", "OrderedDict");
        pickle.extend(b")RtR");
    }
    pickle.extend(b"u.");
    archive.start_file("archive/data.pkl", options).unwrap();
    archive.write_all(&pickle).unwrap();
    for (key, (_, view)) in tensors.iter().enumerate() {
        archive.start_file(format!("archive/data/{key}"), options).unwrap();
        archive.write_all(view.data()).unwrap();
    }
    archive.start_file("archive/version", options).unwrap();
    archive.write_all(b"3\n").unwrap();
    archive.finish().unwrap();
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn global(pickle: &mut Vec<u8>, module: &str, name: &str) {
    pickle.extend(format!("c{module}\n{name}\n").as_bytes());
}

fn number(pickle: &mut Vec<u8>, number: usize) {
    pickle.push(b'J');
    pickle.extend((number as i32).to_le_bytes());
}

fn tuple(pickle: &mut Vec<u8>, numbers: impl Iterator<Item = usize>) {
    pickle.push(b'(');
    numbers.for_each(|one| number(pickle, one));
    pickle.push(b't');
}
