"""Models that are in memory."""

import pytest
from laser_rank import Error, Session, apply_to, from_torch

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture
def module(llama):
    return transformers.AutoModelForCausalLM.from_pretrained(llama, dtype="float32")


def test_a_module_is_edited_in_place(module, llama, tmp_path):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    edits = apply_to(module, "1.fc_in:0.1 0.out_proj:0.2")
    changed = [name for name, value in module.state_dict().items() if not torch.equal(value, before[name])]
    assert edits == ["1.fc_in:0.1", "0.out_proj:0.2"]
    assert changed == ["model.layers.0.self_attn.o_proj.weight", "model.layers.1.mlp.gate_proj.weight"]
    Session(llama).apply(edits, tmp_path / "edited")
    written = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "edited", dtype="float32").state_dict()
    assert all(torch.equal(value, written[name]) for name, value in module.state_dict().items())


def test_an_edit_that_does_not_fit_leaves_the_module(module):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(Error):
        apply_to(module, "77.fc_in:0.1")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_session_is_of_the_module_s_own_values(module, llama):
    tokenizer = transformers.AutoTokenizer.from_pretrained(llama)
    with torch.no_grad():
        module.model.layers[0].mlp.down_proj.weight.mul_(1.5)
    session = from_torch(module, tokenizer)
    rows = [{"prompt": "The cat", "answer": "sat"}, {"prompt": "A dog", "answer": "ran"}]
    scored = session.evaluate(rows)
    for row, example in zip(rows, scored.examples):
        ids = tokenizer(row["prompt"], return_tensors="pt").input_ids
        answer = tokenizer(" " + row["answer"], add_special_tokens=False, return_tensors="pt").input_ids
        with torch.no_grad():
            logprobs = module(torch.cat([ids, answer], dim=1)).logits.log_softmax(-1)[0]
        own = sum(logprobs[ids.shape[1] - 1 + at, token].item() for at, token in enumerate(answer[0]))
        assert example["answer_logprob"] == pytest.approx(own, rel=1e-4)
