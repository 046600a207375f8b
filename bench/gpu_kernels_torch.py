"""PyTorch beside bench/gpu-kernels.sh on the same card: the plain product, products of a 7B llama block, and the block."""

import sys

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"\nPyTorch was not measured: {error}")
    sys.exit(0)

REFERENCE = "--reference" in sys.argv
if not REFERENCE and not torch.cuda.is_available():
    print("\nPyTorch was not measured: it sees no GPU")
    sys.exit(0)
DEVICE = "cpu" if REFERENCE else "cuda"
HIDDEN, HEADS, INNER, PLAIN, TOKENS, REPEATS = (
    (32, 2, 48, 64, 4, 2) if REFERENCE else (4096, 32, 11008, 8192, 64, 9)
)
PROMPTS = (1, 2, 3) if REFERENCE else (4, 16, 64, 200)
ROWS = (2, 4, 8) if REFERENCE else (256, 1024, 4096)


def milliseconds(work):
    """The median of some repetitions; the first two are not counted."""
    times = []
    for repeat in range(REPEATS + 2):
        if DEVICE == "cuda":
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            work()
            end.record()
            torch.cuda.synchronize()
            if repeat >= 2:
                times.append(begin.elapsed_time(end))
        else:
            work()
            times.append(1.0)
    return sorted(times)[len(times) // 2]


def product(x, w):
    time = milliseconds(lambda: F.linear(x, w))
    return time, 2.0 * x.shape[0] * w.shape[0] * w.shape[1] / time / 1e9


def norm(x, weight):
    return F.rms_norm(x, (x.shape[-1],), weight, 1e-5)


def rope(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin


def block(x, w, cos, sin):
    """x [prompts, tokens, hidden], bf16: a llama block as transformers computes it, attention by PyTorch's own kernel."""
    prompts, tokens, _ = x.shape
    heads = lambda y: y.view(prompts, tokens, HEADS, HIDDEN // HEADS).transpose(1, 2)
    normed = norm(x, w["norm"])
    q, k, v = (heads(F.linear(normed, w[name])) for name in ("q", "k", "v"))
    mixed = F.scaled_dot_product_attention(rope(q, cos, sin), rope(k, cos, sin), v, is_causal=True)
    x = x + F.linear(mixed.transpose(1, 2).reshape(prompts, tokens, HIDDEN), w["out"])
    normed = norm(x, w["norm"])
    return x + F.linear(F.silu(F.linear(normed, w["gate"])) * F.linear(normed, w["up"]), w["down"])


@torch.no_grad()
def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    random = lambda *shape: torch.randn(*shape, device=DEVICE).to(torch.bfloat16)
    print(f"\n## PyTorch {torch.__version__}, bf16\n")
    print("| what | rows | ms | TFLOP/s | share of its plain product |\n| --- | --- | --- | --- | --- |")
    time, peak = product(random(PLAIN, PLAIN), 0.02 * random(PLAIN, PLAIN))
    print(f"| {PLAIN} x {PLAIN} | {PLAIN} | {time:.4f} | {peak:.1f} | 1.00 |")
    half = PLAIN // 2
    time, made = product(torch.randn(half, half, device=DEVICE), torch.randn(half, half, device=DEVICE))
    print(f"| {half} x {half}, f32 | {half} | {time:.4f} | {made:.1f} | {made / peak:.2f} |")
    for outputs, inputs in ((HIDDEN, HIDDEN), (INNER, HIDDEN), (HIDDEN, INNER)):
        for rows in ROWS:
            time, made = product(random(rows, inputs), 0.02 * random(outputs, inputs))
            print(f"| {outputs} x {inputs} | {rows} | {time:.4f} | {made:.1f} | {made / peak:.2f} |")
    w = {name: 0.02 * random(HIDDEN, HIDDEN) for name in ("q", "k", "v", "out")}
    w |= {"gate": 0.02 * random(INNER, HIDDEN), "up": 0.02 * random(INNER, HIDDEN), "down": 0.02 * random(HIDDEN, INNER)}
    w["norm"] = torch.ones(HIDDEN, device=DEVICE, dtype=torch.bfloat16)
    pairs = HIDDEN // HEADS // 2
    angles = torch.arange(TOKENS, device=DEVICE)[:, None] * 10_000.0 ** (-torch.arange(pairs, device=DEVICE) / pairs)
    cos, sin = (torch.cat((part, part), dim=-1).to(torch.bfloat16) for part in (angles.cos(), angles.sin()))
    for prompts in PROMPTS:
        x = random(prompts, TOKENS, HIDDEN)
        time = milliseconds(lambda: block(x, w, cos, sin))
        rows = prompts * TOKENS
        made = 2.0 * rows * HIDDEN * (4 * HIDDEN + 3 * INNER) / time / 1e9
        print(f"| block, {prompts} x {TOKENS}, {rows / time * 1e3:.0f} rows a second | {rows} | {time:.3f} | {made:.1f} | {made / peak:.2f} |")


main()
