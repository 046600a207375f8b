#!/usr/bin/env python3
"""Replays walks by a reference of Sokoban's rules, and compares boards, rewards and ends exactly:

    cargo run --release -p laser-sokoban --example walks -- LEVELS.txt 10000 | python3 interop/sokoban_rules.py

The reference is the class below, written from gym-sokoban's description. If gym-sokoban is there (`pip install
gym-sokoban`), every walk is also replayed by its own environment. `--golden FILE N` keeps the first N walks, as this
reference (and gym-sokoban) plays them, for crates/laser-sokoban/tests/walks.rs:

    cargo run --release -p laser-sokoban --example walks -- generated 24 \\
        | python3 interop/sokoban_rules.py --golden tests/fixtures/sokoban/walks.jsonl 24
"""

import argparse
import json
import sys

DIRECTIONS = {"u": (-1, 0), "d": (1, 0), "l": (0, -1), "r": (0, 1)}
STEPS = 120


class Reference:
    """A board of characters, changed in place."""

    def __init__(self, level):
        rows = level.splitlines()
        self.fixed = [["#" if c == "#" else "." if c in ".*+" else " " for c in row] for row in rows]
        self.boxes = {(r, c) for r, row in enumerate(rows) for c, x in enumerate(row) if x in "$*"}
        self.player = next((r, c) for r, row in enumerate(rows) for c, x in enumerate(row) if x in "@+")
        self.targets = {(r, c) for r, row in enumerate(self.fixed) for c, x in enumerate(row) if x == "."}
        self.count, self.before = 0, 0

    def step(self, move):
        self.count += 1
        down, right = DIRECTIONS[move]
        to = (self.player[0] + down, self.player[1] + right)
        behind = (to[0] + down, to[1] + right)
        if to in self.boxes and self.open(behind):
            self.boxes.remove(to)
            self.boxes.add(behind)
        if self.open(to):
            self.player = to
        reward, placed = -0.1, len(self.boxes & self.targets)
        if placed > self.before:
            reward += 1
        elif placed < self.before:
            reward += -1
        self.before = placed
        solved = placed == len(self.targets)
        if solved:
            reward += 10
        return reward, solved or self.count == STEPS

    def open(self, cell):
        return self.fixed[cell[0]][cell[1]] != "#" and cell not in self.boxes

    def board(self):
        def character(r, c):
            on = self.fixed[r][c] == "."
            if (r, c) in self.boxes:
                return "*" if on else "$"
            if (r, c) == self.player:
                return "+" if on else "@"
            return self.fixed[r][c]

        return "".join("".join(character(r, c) for c in range(10)) + "\n" for r in range(10))


def gym_player():
    """gym-sokoban's own environment for a level, or None."""
    try:
        import numpy as np
        from gym_sokoban.envs.sokoban_env import SokobanEnv
    except ImportError:
        return None

    class Player(SokobanEnv):
        def __init__(self, level):
            super().__init__(reset=False)
            rows = level.splitlines()
            fixed = {"#": 0, " ": 1, "$": 1, "@": 1, ".": 2, "*": 2, "+": 2}
            state = {"#": 0, " ": 1, ".": 2, "*": 3, "$": 4, "@": 5, "+": 5}
            self.room_fixed = np.array([[fixed[c] for c in row] for row in rows])
            self.room_state = np.array([[state[c] for c in row] for row in rows])
            self.player_position = np.argwhere(self.room_state == 5)[0]
            self.num_env_steps = self.reward_last = self.boxes_on_target = 0
            self.num_boxes = int((self.room_fixed == 2).sum())

        def render(self, mode="human", close=None, scale=1):
            return None

        def move(self, letter):
            _, reward, done, _ = self.step(1 + "udlr".index(letter))
            return reward, bool(done)

        def board(self):
            names = {0: "#", 1: " ", 2: ".", 3: "*", 4: "$", 5: "@"}
            text = ""
            for fixed, state in zip(self.room_fixed, self.room_state):
                for f, s in zip(fixed, state):
                    text += "+" if s == 5 and f == 2 else names[int(s)]
                text += "\n"
            return text

    return Player


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", nargs=2, metavar=("FILE", "N"))
    args = parser.parse_args()
    gym, walks, steps, solved, kept = gym_player(), 0, 0, 0, []
    for line in sys.stdin:
        walk = json.loads(line)
        reference = Reference(walk["level"])
        players = [("the reference", reference.step, reference.board)]
        if gym:
            env = gym(walk["level"])
            players.append(("gym-sokoban", env.move, env.board))
        done = False
        for number, (move, reward, board) in enumerate(zip(walk["moves"], walk["rewards"], walk["boards"], strict=True)):
            for name, play, shown in players:
                expected, done = play(move)
                wrong = reward != expected or board != shown() or done != (walk["done"] and number + 1 == len(walk["moves"]))
                if wrong:
                    sys.exit(f"walk {walks}, step {number}: {name} says {expected}, {done}\n{shown()}not {reward}\n{board}")
        total = 0.0
        for reward in walk["rewards"]:
            total += reward
        if total != walk["total"]:
            sys.exit(f"walk {walks}: the return is {total}, not {walk['total']}")
        if args.golden and len(kept) < int(args.golden[1]):
            kept.append({"level": walk["level"], "moves": walk["moves"], "rewards": walk["rewards"], "board": reference.board(), "done": done})
        walks, steps, solved = walks + 1, steps + len(walk["moves"]), solved + (reference.boxes == reference.targets)
    if args.golden:
        with open(args.golden[0], "w") as out:
            out.writelines(json.dumps(walk) + "\n" for walk in kept)
    by = " and by gym-sokoban" if gym else "; gym-sokoban is not installed"
    print(f"{walks} walks of {steps} steps, {solved} solved: the same by the reference{by}")


if __name__ == "__main__":
    main()
