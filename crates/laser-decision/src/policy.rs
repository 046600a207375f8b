//! A trained model that says what to do.

use crate::board_planes::push_planes;
use crate::decision_shape::{ACTIONS, DecisionShape, NORM_EPS, TOKENS};
use crate::error::{Error, Result};
use crate::move_choice::MoveChoice;
use crate::named_tensors::NamedTensors;
use crate::state_encoder::StateEncoder;
use crate::window_rows::run_layers;
use crate::window_tree::{PlayNode, PlayTree, SeenStep};
use laser_checkpoint::Checkpoint;
use laser_kernels::{Backend, Cpu, Norm, NormKind, NormOn};
use laser_model::Model;
use laser_sokoban::{Game, Level, Move, State, Symmetry};
use std::path::Path;
use std::sync::Arc;

/// A Decision Transformer that was trained for Sokoban: its blocks as a [`Model`] that can be
/// edited, and the embeddings before them.
#[derive(Debug)]
pub struct Policy<B: Backend = Cpu> {
    checkpoint: Arc<Checkpoint>,
    model: Model<B>,
    shape: DecisionShape,
    encoder: StateEncoder<B>,
    norm: NormOn<B>,
    /// Of each place in the context, `[context, hidden]`.
    time: Vec<f32>,
    /// What a return of 1 adds, and the bias.
    returns: [Vec<f32>; 2],
    /// Of each action, `[ACTIONS, hidden]`.
    actions: Vec<f32>,
    choice: MoveChoice,
}

impl<B: Backend> Policy<B> {
    /// Opens what a training has written, or an edited copy of it.
    ///
    /// # Errors
    /// The folder does not hold such a model, or the device is out of memory.
    pub fn open(folder: &Path, backend: &B) -> Result<Self> {
        let path = folder.join("config.json");
        let text = laser_guard::read_text(&path, 1 << 20).map_err(|source| Error::Io { path: path.clone(), source })?;
        let config =
            serde_json::from_str(&text).map_err(|it| Error::File { path: path.clone(), why: it.to_string() })?;
        let shape = DecisionShape::from_config(&config, &path)?;
        let path = folder.join("model.safetensors");
        let weights = NamedTensors::read(&path)?;
        let expected: Vec<_> = shape.tensors().into_iter().chain(shape.unused_tensors()).collect();
        if !weights.are(&expected) {
            let why = "its tensors are not those that config.json says".to_owned();
            return Err(Error::File { path, why });
        }
        let checkpoint = Arc::new(Checkpoint::open(folder)?);
        let model = Model::load(&checkpoint, backend, usize::MAX, |_| ())?;
        let vector = |name: &str| Ok::<_, Error>(backend.vector(weights.get(name)?.values.clone())?);
        let actions = weights.get("embed_action.weight")?;
        let bias = weights.get("embed_action.bias")?;
        let action =
            |action: usize| (0..shape.hidden).map(move |i| actions.values[i * ACTIONS + action] + bias.values[i]);
        Ok(Self {
            encoder: StateEncoder::new(backend, &shape, &weights)?,
            norm: Norm {
                kind: NormKind::Layer,
                eps: NORM_EPS,
                weight: vector("embed_ln.weight")?,
                bias: vector("embed_ln.bias")?,
            },
            time: weights.get("embed_timestep.weight")?.values.clone(),
            returns: [
                weights.get("embed_return.weight")?.values.clone(),
                weights.get("embed_return.bias")?.values.clone(),
            ],
            actions: (0..ACTIONS).flat_map(action).collect(),
            choice: MoveChoice::default(),
            checkpoint,
            model,
            shape,
        })
    }

    /// The same, with its moves chosen in another way.
    pub fn choosing(self, choice: MoveChoice) -> Self {
        Self { choice, ..self }
    }

    /// How its moves are chosen.
    pub fn move_choice(&self) -> MoveChoice {
        self.choice
    }

    /// The model's files.
    pub fn checkpoint(&self) -> &Arc<Checkpoint> {
        &self.checkpoint
    }

    /// Its blocks and its head.
    pub fn model(&self) -> &Model<B> {
        &self.model
    }

    /// Its sizes.
    pub fn shape(&self) -> &DecisionShape {
        &self.shape
    }

    /// What the board's encoder makes of states, before `embed_state`.
    ///
    /// # Errors
    /// The device fails.
    pub fn features(&self, states: &[(Level, State)]) -> Result<Vec<f32>> {
        self.encoder.features(self.model.backend(), &planes(states))
    }

    /// What stands behind the last block, and the logits of the moves, after `moves` of a level:
    /// `[hidden]`, and one of each move.
    ///
    /// # Errors
    /// The device fails.
    pub fn look(&self, level: &Level, moves: &[Move]) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut tree, mut game, mut node) = (PlayTree::new(std::slice::from_ref(level)), Game::new(*level), 0);
        for &towards in moves {
            game.step(towards);
            node = tree.step(node, towards, &game);
        }
        let states: Vec<_> = tree.take_fresh().into_iter().map(|(_, state)| (*level, state)).collect();
        let (x, lengths) = self.tokens(&[node], &tree, &self.embed_states(&states)?)?;
        let layers = 0..self.model.config().layers;
        let mut caches = self.model.caches(layers.clone(), TOKENS * self.shape.context)?;
        let x = run_layers(&[&self.model], &lengths, layers, x, &mut caches)?;
        let backend = self.model.backend();
        Ok((backend.to_host(&x)?, backend.to_host(&self.model.logits_of(&x)?)?))
    }

    /// The embeddings of states, `[states, hidden]`.
    pub(crate) fn embed_states(&self, states: &[(Level, State)]) -> Result<Vec<f32>> {
        self.encoder.embed(self.model.backend(), &planes(states))
    }

    /// The tokens of the windows that end at some nodes, and how many each has.
    pub(crate) fn tokens(
        &self,
        nodes: &[PlayNode],
        tree: &PlayTree,
        embeddings: &[f32],
    ) -> Result<(B::Rows, Vec<usize>)> {
        let (mut rows, mut lengths) = (Vec::new(), Vec::with_capacity(nodes.len()));
        let hidden = self.shape.hidden;
        for &node in nodes {
            let window = tree.window(node, self.shape.context);
            // The action of the last step is what is asked.
            lengths.push(TOKENS * window.len() - 1);
            for (place, SeenStep { told, embedding, action }) in window.into_iter().enumerate() {
                let state = &embeddings[embedding as usize * hidden..][..hidden];
                self.push_tokens(place, told, state, action, &mut rows);
            }
        }
        Ok((self.normed(rows)?, lengths))
    }

    /// Appends the tokens of a step at a place of the context: return, state and, if it is known,
    /// action.
    fn push_tokens(&self, place: usize, told: f32, state: &[f32], action: Option<Move>, rows: &mut Vec<f32>) {
        let hidden = self.shape.hidden;
        let time = &self.time[place * hidden..][..hidden];
        let [weight, bias] = &self.returns;
        rows.extend(time.iter().zip(weight.iter().zip(bias)).map(|(time, (weight, bias))| told * weight + bias + time));
        rows.extend(time.iter().zip(state).map(|(time, state)| state + time));
        if let Some(action) = action {
            let embedding = &self.actions[action as usize * hidden..][..hidden];
            rows.extend(time.iter().zip(embedding).map(|(time, embedding)| embedding + time));
        }
    }

    /// Tokens as the blocks get them.
    fn normed(&self, rows: Vec<f32>) -> Result<B::Rows> {
        let backend = self.model.backend();
        Ok(backend.norm(&backend.rows(rows, self.shape.hidden)?, &self.norm)?)
    }
}

fn planes(states: &[(Level, State)]) -> Vec<f32> {
    let mut planes = Vec::new();
    for (level, state) in states {
        push_planes(level, state, Symmetry::new(0), &mut planes);
    }
    planes
}
