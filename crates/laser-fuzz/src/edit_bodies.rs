//! Edits, as they are typed and as they are stored.

use laser_edit::{
    Candidate, Intervention, InterventionSpec, Layers, MatrixGroup, MatrixId, MatrixKind, ModelShape, Recipe,
};

use crate::choices::Choices;

struct Shape;

impl ModelShape for Shape {
    fn layers(&self) -> usize {
        28
    }

    fn matrices(&self) -> &[MatrixKind] {
        &MatrixKind::ALL
    }

    fn matrix_shape(&self, _: MatrixKind) -> [usize; 2] {
        [64, 48]
    }

    fn experts(&self, kind: MatrixKind) -> Option<usize> {
        MatrixKind::MLP.contains(&kind).then_some(4)
    }
}

/// So many of a text's edits are each written and read back: one stands for up to a thousand.
const READ_BACK: usize = 100;

pub(crate) fn edit(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let specs: Vec<InterventionSpec> = text.split_whitespace().filter_map(|spec| spec.parse().ok()).collect();
    for spec in specs.iter().take(READ_BACK) {
        let Ok(interventions) = spec.expand(&Shape) else { continue };
        for one in &interventions {
            let _ = one.check(&Shape);
            let written = one.to_string();
            let again = written.parse::<InterventionSpec>().map(|spec| spec.expand(&Shape));
            assert!(matches!(&again, Ok(Ok(again)) if again[..] == [one.clone()]), "{written} is not read back");
            let json = serde_json::to_string(one).unwrap_or_default();
            assert_eq!(serde_json::from_str::<Intervention>(&json).ok().as_ref(), Some(one), "{json} is not read back");
        }
    }
    if let Ok(all) = InterventionSpec::expand_all(&specs, &Shape)
        && let Ok(candidate) = Candidate::new(all)
    {
        let json = serde_json::to_string(&candidate).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Candidate>(&json).ok(), Some(candidate));
    }
    let _ = (text.parse::<Layers>(), text.parse::<MatrixGroup>(), text.parse::<MatrixId>());
    let _ = (serde_json::from_str::<Candidate>(text), serde_json::from_str::<Intervention>(text));
    let _ = serde_json::from_str::<Recipe>(text);
}

/// Edits as a user types them, or as JSON.
pub(crate) fn written(_: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut specs = Vec::new();
    loop {
        specs.push(if choices.once_in(3) { json(choices) } else { spec(choices) });
        if !choices.goes_on() {
            break;
        }
    }
    match choices.below(3) {
        0 => format!("[{}]", specs.join(",")),
        1 => specs.swap_remove(0),
        _ => specs.join(" "),
    }
    .into_bytes()
}

fn number(choices: &mut Choices) -> String {
    const ODD: [&str; 14] =
        ["0", "1", "0.01", ".5", "1e-3", "1e400", "-0", "nan", "inf", "0.1.2", "+1", "1_0", "0x1", ""];
    if choices.once_in(2) { (*choices.pick(&ODD)).to_owned() } else { choices.integer().to_string() }
}

fn matrix(choices: &mut Choices) -> String {
    let name =
        *choices.pick(&["q_proj", "k_proj", "fc_in", "fc_up", "fc_out", "out_proj", "mlp", "attn", "all", "FC_IN", ""]);
    match choices.below(6) {
        0 => format!("{name}[{}]", number(choices)),
        1 => format!("{name}[*]"),
        _ => name.to_owned(),
    }
}

fn spec(choices: &mut Choices) -> String {
    let layers = match choices.below(5) {
        0 => "*".to_owned(),
        1 => format!("{}-{}", number(choices), number(choices)),
        2 => format!("-{}", choices.below(30)),
        3 => number(choices),
        _ => choices.below(30).to_string(),
    };
    let (matrix, number) = (matrix(choices), number(choices));
    let edit = match choices.below(12) {
        0 => "zero".to_owned(),
        1 => format!("rank={number}"),
        2 => format!("tail={number}"),
        3 => format!("prune={number}"),
        4 => format!("blocks={number},{number}"),
        5 => format!("band={number},{}", choices.below(2)),
        6 => format!("randomised={number}"),
        7 => format!("whitened={number}"),
        8 => choices.text(),
        9 => "0.05".to_owned(),
        _ => number,
    };
    format!("{layers}.{matrix}:{edit}")
}

fn json(choices: &mut Choices) -> String {
    let key = *choices.pick(&["rho", "rank", "tail", "zero", "prune", "blocks", "band", "randomised", "whitened", "x"]);
    let value = match choices.below(5) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => format!("[{},0.5]", number(choices)),
        _ => number(choices),
    };
    format!(r#"{{"layer":{},"matrix":"{}","{key}":{value}}}"#, choices.below(30), matrix(choices))
}
