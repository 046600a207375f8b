"""The program that the wheel carries."""

import importlib.util
import pathlib
import subprocess
import sys

import laser_rank
import pytest


def program(*arguments):
    return subprocess.run([sys.executable, "-m", "laser_rank", *arguments], capture_output=True, text=True, timeout=120)


def test_it_is_the_same_version():
    assert program("--version").stdout.strip() == f"laser {laser_rank.__version__}"
    script = pathlib.Path(sys.executable).with_name("laser-rank")
    if script.exists():
        assert subprocess.run([script, "--version"], capture_output=True, text=True).stdout.startswith("laser ")


def test_its_exit_codes_and_lines(tmp_path):
    wrong = program("search", "--strategy")
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: ") and wrong.stderr.count("\n") == 1
    assert "laser search --help" in wrong.stderr
    missing = program("verdict", str(tmp_path))
    assert missing.returncode == 1 and missing.stderr.startswith("error: ") and missing.stderr.count("\n") == 1


def test_the_demo_runs(tmp_path):
    done = program("demo", "--out", str(tmp_path / "demo"), "--quiet")
    assert done.returncode == 0 and "1.fc_in:0.02" in done.stdout, done.stderr


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_where_ray_is_missing_it_says_how_to_get_it(demo, tmp_path):
    done = program("search", demo[0], "--task", demo[1], "--out", str(tmp_path / "run"), "--engine", "ray", "--quiet")
    assert done.returncode == 1 and "pip install 'laser-rank[ray]'" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
