#!/usr/bin/env python3
"""A Decision Transformer for Sokoban in PyTorch: transformers' DecisionTransformerModel behind the board's encoder.

Needs torch and transformers. MODEL is what `laser sokoban train` has written.

    python3 interop/decision_transformer.py fixture tests/fixtures/sokoban/model
        makes a tiny random model and, from the walks beside it, transformers' hidden states and logits, for
        crates/laser-decision/src/tests.rs
    python3 interop/decision_transformer.py compare MODEL LEVELS.txt EPISODES.jsonl
        plays each level with transformers and compares with what `laser sokoban eval --moves likeliest --examples EPISODES.jsonl` played
    python3 interop/decision_transformer.py speed MODEL LEVELS.txt N
        plays the first N levels one by one, and says how many a second
"""

import json
import sys
import time
from pathlib import Path

import torch
from transformers import DecisionTransformerModel

sys.path.insert(0, str(Path(__file__).parent))
from sokoban_rules import Reference  # noqa: E402

CAP = 10.0


def read_levels(path):
    return [block.split("\n", 1)[1] for block in Path(path).read_text().strip().split("\n\n")]


class Player:
    def __init__(self, folder):
        from safetensors.torch import load_file

        self.model = DecisionTransformerModel.from_pretrained(folder).eval()
        self.context = self.model.config.max_ep_len
        weights = load_file(f"{folder}/model.safetensors")
        count = sum(name.startswith("state_encoder") for name in weights) // 2
        self.convolutions = [(weights[f"state_encoder.{i}.weight"], weights[f"state_encoder.{i}.bias"]) for i in range(count)]
        self.residual = None
        self.model.encoder.ln_f.register_forward_pre_hook(self.keep)

    def keep(self, _, inputs):
        self.residual = inputs[0]

    def features(self, board):
        """What the convolutions make of the inner 8 x 8 cells, cell by cell, and once more of the player's."""
        inner = [row[1:9] for row in board.splitlines()[1:9]]
        planes = [[[c != "#" for c in r] for r in inner], [[c in ".*+" for c in r] for r in inner]]
        planes += [[[c in "$*" for c in r] for r in inner], [[c in "@+" for c in r] for r in inner]]
        x = torch.tensor(planes, dtype=torch.float32)[None]
        convolve = lambda x, i: torch.nn.functional.conv2d(x, *self.convolutions[i], padding=1)  # noqa: E731
        x = convolve(x, 0).relu()
        for i in range(1, len(self.convolutions), 2):
            x = (x + convolve(convolve(x, i).relu(), i + 1)).relu()
        cells = x[0].permute(1, 2, 0).reshape(64, -1)
        player = next(i for i, c in enumerate("".join(inner)) if c in "@+")
        return torch.cat([cells, cells[player][None]]).reshape(-1)

    @torch.no_grad()
    def look(self, boards, moves, told):
        """Logits of the next move, and the residual stream behind the last block, at the last of the states."""
        boards, told = boards[-self.context :], told[-self.context :]
        length = len(boards)
        actions = torch.zeros(1, length, 4)
        for place, move in enumerate(moves[len(moves) - length + 1 :] if length > 1 else []):
            actions[0, place, "udlr".index(move)] = 1
        out = self.model(
            states=torch.stack([self.features(board) for board in boards])[None],
            actions=actions,
            rewards=None,
            returns_to_go=torch.tensor(told, dtype=torch.float32)[None, :, None] / CAP,
            timesteps=torch.arange(length)[None],
            attention_mask=torch.ones(1, length, dtype=torch.long),
        )
        return out.action_preds[0, -1], self.residual[0, 3 * length - 2]

    def play(self, level):
        game, total, moves, done = Reference(level), 0.0, "", False
        boards, told = [game.board()], [CAP]
        while not done:
            logits, _ = self.look(boards, moves, told)
            move = "udlr"[int(logits.argmax())]
            reward, done = game.step(move)
            total += reward
            moves += move
            boards.append(game.board())
            told.append(min(CAP - total, CAP))
        return moves, game.boxes == game.targets, min(total, CAP)


def fixture(folder):
    """A random model of 2 layers, width 16, 3 steps and 4 channels."""
    from safetensors.torch import save_file

    torch.manual_seed(1)
    hidden, channels, context, actions = 16, 4, 3, 4
    config = {
        "architectures": ["DecisionTransformerModel"], "model_type": "decision_transformer", "act_dim": actions,
        "action_tanh": False, "activation_function": "relu", "attn_pdrop": 0.0, "embd_pdrop": 0.0,
        "hidden_size": hidden, "layer_norm_epsilon": 1e-5, "max_ep_len": context, "n_head": 2, "n_inner": 4 * hidden,
        "n_layer": 2, "n_positions": 3 * context, "resid_pdrop": 0.0, "state_channels": channels,
        "state_dim": 65 * channels, "state_pairs": 1, "tie_word_embeddings": False, "torch_dtype": "float32",
        "vocab_size": actions,
    }  # fmt: skip
    shapes = {"embed_timestep.weight": (context, hidden), "encoder.wte.weight": (actions, hidden)}
    shapes["encoder.wpe.weight"] = (3 * context, hidden)

    def linear(name, *weight, bias=None):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, (bias or weight[0],)

    for i in range(3):
        linear(f"state_encoder.{i}", channels, channels, 3, 3)
    linear("embed_state", hidden, 65 * channels)
    linear("embed_return", hidden, 1)
    linear("embed_action", hidden, actions)
    linear("predict_action.0", actions, hidden)
    for name in ["embed_ln", "encoder.ln_f"] + [f"encoder.h.{i}.ln_{j}" for i in range(2) for j in (1, 2)]:
        linear(name, hidden)
    for i in range(2):
        for part, inputs, outputs in [("attn.c_attn", 1, 3), ("attn.c_proj", 1, 1), ("mlp.c_fc", 1, 4), ("mlp.c_proj", 4, 1)]:
            linear(f"encoder.h.{i}.{part}", inputs * hidden, outputs * hidden, bias=outputs * hidden)
    weights = {name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}
    for name in ["encoder.wte.weight", "encoder.wpe.weight"]:
        weights[name].zero_()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")

    player = Player(folder)
    with open(folder / "transformers.jsonl", "w") as out:
        for number, line in enumerate(open(folder.parent / "walks.jsonl")):
            walk = json.loads(line)
            game, total, told = Reference(walk["level"]), 0.0, [CAP]
            boards, moves = [game.board()], walk["moves"][: number % 6]
            for move in moves:
                total += game.step(move)[0]
                boards.append(game.board())
                told.append(min(CAP - total, CAP))
            logits, hidden = player.look(boards, moves, told)
            seen = {"level": walk["level"], "moves": moves, "hidden": hidden.tolist(), "logits": logits.tolist()}
            out.write(json.dumps(seen) + "\n")


def compare(folder, levels, episodes):
    player, same, solved = Player(folder), 0, [0, 0]
    lines = [json.loads(line) for line in open(episodes)]
    for level, line in zip(read_levels(levels), lines):
        moves, is_solved, _ = player.play(level)
        same += moves == line["moves"]
        solved = [solved[0] + is_solved, solved[1] + line["solved"]]
    print(f"{same} of {len(lines)} episodes are the same move by move; solved by transformers {solved[0]}, by laser {solved[1]}")


def speed(folder, levels, count):
    player, begun = Player(folder), time.perf_counter()
    played = [player.play(level) for level in read_levels(levels)[: int(count)]]
    seconds = time.perf_counter() - begun
    steps = sum(len(moves) for moves, _, _ in played)
    print(f"{len(played)} episodes of {steps} steps in {seconds:.1f} s: {len(played) / seconds:.2f} episodes a second, {sum(it[1] for it in played)} solved")


if __name__ == "__main__":
    commands = {"fixture": fixture, "compare": compare, "speed": speed}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
