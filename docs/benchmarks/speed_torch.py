"""PyTorch's side of speed.py: a process that times training steps on request.

It is started once for each number of threads, because compiled code has the
number in it. Each line of standard input is a request in JSON, each line of
standard output its answer:

    {"prepare": ["gru", "loop", "whole"]}                -> {"loss": 0.69, "seconds": 41.2}
    {"run": ["gru", "loop", "whole"], "seconds": 0.7}    -> {"median": 0.0045, "p10": 0.0044, "steps": 155}

What fails answers {"error": "..."}. Times are in seconds. Values are float32;
products may be as exact as "high" allows (torch.set_float32_matmul_precision),
which is what our side takes.
"""

import argparse
import json
import os
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

LEARNING_RATE, BETAS, EPSILON = 1e-3, (0.9, 0.999), 1e-8
CHECKED_STEPS = 10  # optimiser steps before the loss by which variants are compared


# --- the networks, in the formulations that PyTorch might like best


class MLP(nn.Module):
    """64-256-256-1, ReLU."""

    def __init__(self, _):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))

    def forward(self, x, y):
        return F.binary_cross_entropy_with_logits(self.layers(x)[:, 0], y)


class Autoencoder(nn.Module):
    """64-128-32-128-64, ReLU."""

    def __init__(self, _):
        super().__init__()
        widths = [64, 128, 32, 128, 64]
        layers = [layer for i, o in zip(widths, widths[1:]) for layer in (nn.Linear(i, o), nn.ReLU())]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x, _):
        return F.mse_loss(self.layers(x), x)


class PiecewiseLinear(nn.Module):
    """e = slope x + bias + weight PLE(x) for each of the columns, (B, F) to (B, F * width)."""

    def __init__(self, columns, bins, width):
        super().__init__()
        edges = torch.linspace(-3, 3, bins + 1).repeat(columns, 1)
        self.register_buffer("offset", -edges[:, :-1] / (edges[:, 1:] - edges[:, :-1]))
        self.register_buffer("scale", 1 / (edges[:, 1:] - edges[:, :-1]))
        # The first bin is open below, the last one above.
        low, high = torch.zeros(bins), torch.ones(bins)
        low[0], high[-1] = -torch.inf, torch.inf
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.slope = nn.Parameter(torch.empty(columns, width).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.empty(columns, width).uniform_(-1, 1))
        self.weight = nn.Parameter(torch.zeros(columns, bins, width))

    def forward(self, x):
        encoded = torch.minimum(torch.maximum(torch.addcmul(self.offset, self.scale, x[..., None]), self.low), self.high)
        mapped = torch.bmm(encoded.transpose(0, 1), self.weight).transpose(0, 1)
        return (torch.addcmul(self.bias, self.slope, x[..., None]) + mapped).flatten(1)


class TabM(nn.Module):
    """TabM-mini: k members of width d share all but the adapter of the input and the head.

    flat    the members' rows are one batch of B * k rows
    member  as flat, with the members before the rows and a batched product for the heads
    folded  the adapters scale the first layer's weights instead of its input: one product of B rows and k * d columns

    "bits" behind any of them: dropout by 16-bit random numbers, cut from 64-bit ones outside of the compiled code, because
    PyTorch's own way to draw costs half as much as the products.
    """

    def __init__(self, formulation, columns=20, bins=48, width=16, k=16, d=256, dropout=0.1):
        super().__init__()
        self.formulation, _, self.bits = formulation.partition("-")
        self.k, self.d, self.dropout = k, d, dropout
        inputs = columns * width
        self.embedding = PiecewiseLinear(columns, bins, width)
        self.adapter = nn.Parameter(torch.randn(k, columns, 1).expand(k, columns, width).reshape(k, inputs).clone())
        self.first = nn.Linear(inputs, d)
        self.second = nn.Linear(d, d)
        bound = d**-0.5
        self.head = nn.Parameter(torch.empty(k, d).uniform_(-bound, bound))
        self.head_bias = nn.Parameter(torch.empty(k).uniform_(-bound, bound))

    def draw(self, rows):
        """Returns which units a step keeps, to be passed to forward; nothing where dropout draws by itself."""
        if not self.bits:
            return ()
        whole = torch.empty(2, rows * self.k, self.d // 4, dtype=torch.int64).random_(-(2**63), None)
        return tuple(whole.view(torch.int16) >= round(self.dropout * 2**16) - 2**15)

    def drop(self, h, *kept):
        return h * (kept[0] * (1 / (1 - self.dropout))) if kept else F.dropout(h, self.dropout)

    def forward(self, x, y, *kept):
        e = self.embedding(x)
        rows = len(x)
        if self.formulation == "folded":
            weight = (self.adapter[:, None, :] * self.first.weight).reshape(self.k * self.d, -1)
            h = F.linear(e, weight, self.first.bias.repeat(self.k)).view(rows * self.k, self.d)
        elif self.formulation == "member":
            h = self.first((self.adapter[:, None, :] * e).flatten(0, 1))
        else:
            h = self.first((e[:, None, :] * self.adapter).flatten(0, 1))
        h = self.drop(F.relu(h), *kept[:1])
        h = self.drop(F.relu(self.second(h)), *kept[1:])
        if self.formulation == "member":
            logits = torch.baddbmm(self.head_bias[:, None, None], h.view(self.k, rows, self.d), self.head[:, :, None])[..., 0]
            return F.binary_cross_entropy_with_logits(logits, y.expand(self.k, rows))
        logits = (h.view(rows, self.k, self.d) * self.head).sum(-1) + self.head_bias
        return F.binary_cross_entropy_with_logits(logits, y[:, None].expand(rows, self.k))


class GRU(nn.Module):
    """A layer of 64 units over 32 steps of 32 inputs, a linear head on the last state.

    layer   nn.GRU
    loop    the same cell step by step, the inputs' products made at once
    script  the loop as TorchScript
    manual  the loop with a backward pass by hand
    """

    def __init__(self, formulation, inputs=32, hidden=64):
        super().__init__()
        self.formulation = formulation
        self.gru = nn.GRU(inputs, hidden)
        self.head = nn.Linear(hidden, 1)
        self.unroll = {"script": torch.jit.script(unroll), "manual": lambda *a: Unrolled.apply(*a)[0]}.get(formulation, unroll)

    def forward(self, x, y):
        if self.formulation == "layer":
            h = self.gru(x)[1][0]
        else:
            g = self.gru
            h = self.unroll(x, g.weight_ih_l0, g.weight_hh_l0, g.bias_ih_l0, g.bias_hh_l0)
        return F.binary_cross_entropy_with_logits(self.head(h)[:, 0], y)


def unroll(x: torch.Tensor, wi: torch.Tensor, wh: torch.Tensor, bi: torch.Tensor, bh: torch.Tensor) -> torch.Tensor:
    steps, rows, inputs = x.shape
    # Slices of one tensor would each get a gradient of its whole size: take it apart once.
    a = F.linear(x.reshape(steps * rows, inputs), wi, bi).view(steps, rows, -1).unbind(0)
    h = torch.zeros(rows, wh.shape[1])
    for t in range(steps):
        ar, az, an = a[t].chunk(3, 1)
        br, bz, bn = F.linear(h, wh, bh).chunk(3, 1)
        r, z = torch.sigmoid(ar + br), torch.sigmoid(az + bz)
        n = torch.tanh(an + r * bn)
        h = n + z * (h - n)
    return h


class Unrolled(torch.autograd.Function):
    """unroll with a backward pass by hand: the products of the weights' gradients are made at once, after the loop."""

    @staticmethod
    def forward(x, wi, wh, bi, bh):
        steps, rows, _ = x.shape
        a = F.linear(x.flatten(0, 1), wi, bi).view(steps, rows, -1).unbind(0)
        h, kept = torch.zeros(rows, wh.shape[1]), []
        for t in range(steps):
            ar, az, an = a[t].chunk(3, 1)
            br, bz, bn = F.linear(h, wh, bh).chunk(3, 1)
            r, z = torch.sigmoid(ar + br), torch.sigmoid(az + bz)
            n = torch.tanh(an + r * bn)
            kept += [h, r, z, n, bn]
            h = n + z * (h - n)
        return h, *kept

    @staticmethod
    def setup_context(ctx, inputs, outputs):
        ctx.save_for_backward(*inputs, *outputs[1:])
        ctx.mark_non_differentiable(*outputs[1:])

    @staticmethod
    def backward(ctx, dh, *_):
        x, wi, wh, bi, bh, *kept = ctx.saved_tensors
        das, dbs = [], []
        for t in reversed(range(len(x))):
            h, r, z, n, bn = kept[5 * t : 5 * t + 5]
            dan = dh * (1 - z) * (1 - n * n)
            daz = dh * (h - n) * z * (1 - z)
            dar = dan * bn * r * (1 - r)
            db = torch.cat([dar, daz, dan * r], 1)
            dh = torch.addmm(dh * z, db, wh)
            das.append(torch.cat([dar, daz, dan], 1))
            dbs.append(db)
        da, db = torch.cat(das[::-1]), torch.cat(dbs[::-1])
        return None, da.t() @ x.flatten(0, 1), db.t() @ torch.cat(kept[::5]), da.sum(0), db.sum(0)


def rows_of_numbers(rows, columns):
    x = torch.randn(rows, columns)
    return x, (x[:, 0] * x[:, 1] > 0).float()


def sequences():
    return torch.randn(32, 128, 32), (torch.randn(128) > 0).float()


CASES = {
    "mlp": (MLP, lambda: rows_of_numbers(256, 64)),
    "autoencoder": (Autoencoder, lambda: rows_of_numbers(256, 64)),
    "tabm": (TabM, lambda: rows_of_numbers(256, 20)),
    "gru": (GRU, sequences),
    "mlp4096": (MLP, lambda: rows_of_numbers(4096, 64)),
}


# --- ways to run a step


def everyday(forward, model, x, y, compile_update=False, **adam):
    """Loss, backward and an optimiser, as in most programs."""
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=EPSILON, **adam)
    update = compiled(optimiser.step) if compile_update else optimiser.step
    draw = drawing(model, x)

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss = forward(x, y, *draw())
        loss.backward()
        update()
        return loss

    return step


def whole(model, x, y, **options):
    """Loss, gradients and Adam compiled as one graph."""
    names, values = zip(*((n, p.detach()) for n, p in model.named_parameters()))
    buffers = dict(model.named_buffers())
    first, second = [[torch.zeros_like(v) for v in values] for _ in range(2)]
    count = torch.zeros(())
    gradients = torch.func.grad_and_value(lambda ps, *data: torch.func.functional_call(model, (dict(zip(names, ps)), buffers), data))

    def update(values, first, second, count, *data):
        grads, loss = gradients(values, *data)
        count.add_(1)
        bias1, bias2 = 1 - BETAS[0] ** count, 1 - BETAS[1] ** count
        for p, g, m, v in zip(values, grads, first, second):
            m.lerp_(g, 1 - BETAS[0])
            v.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
            p.sub_(LEARNING_RATE / bias1 * m / ((v / bias2).sqrt() + EPSILON))
        return loss

    # The arguments never change: nothing needs to be looked at before a call.
    fast = compiled(update, fullgraph=True, guard_filter_fn=torch.compiler.skip_all_guards_unsafe, **options)
    draw = drawing(model, x)

    def step():
        with torch.no_grad():
            return fast(values, first, second, count, x, y, *draw())

    return step


def compiled(f, fullgraph=False, **options):
    return torch.compile(f, fullgraph=fullgraph, dynamic=False, isolate_recompiles=True, options=options)


def drawing(model, x):
    return (lambda: model.draw(len(x))) if hasattr(model, "draw") else tuple


WAYS = {
    "eager-foreach": lambda m, x, y: everyday(m, m, x, y, foreach=True),
    "eager-fused": lambda m, x, y: everyday(m, m, x, y, fused=True),
    "compiled": lambda m, x, y: everyday(compiled(m), m, x, y, fused=True),
    "compiled-autotuned": lambda m, x, y: everyday(compiled(m, max_autotune=True), m, x, y, fused=True),
    "compiled-update": lambda m, x, y: everyday(compiled(m), m, x, y, compile_update=True, foreach=True),
    "whole": lambda m, x, y: whole(m, x, y),
    "whole-autotuned": lambda m, x, y: whole(m, x, y, max_autotune=True),
    "whole-autotuned-cpp": lambda m, x, y: whole(m, x, y, max_autotune=True, cpp_wrapper=True),
}


def prepare(case, formulation, way):
    network, data = CASES[case]
    torch.manual_seed(0)
    x, y = data()
    step = WAYS[way](network(formulation), x, y)
    for _ in range(CHECKED_STEPS):
        loss = step()
    return step, loss.item()


def run(step, seconds):
    """Times single steps for some seconds, after a tenth of that to warm the caches."""
    now = time.perf_counter
    end = now() + seconds / 10
    while now() < end:
        step()
    times, end = [], now() + seconds
    last = now()
    while last < end:
        step()
        t = now()
        times.append(t - last)
        last = t
    times.sort()
    return {"median": times[len(times) // 2], "p10": times[len(times) // 10], "steps": len(times)}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--threads", type=int, required=True)
    threads = p.parse_args().threads
    # Standard output is for answers; what compilers print goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("high")
    torch._dynamo.config.allow_rnn = True
    steps = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                key = tuple(request["prepare"])
                began = time.perf_counter()
                steps[key], loss = prepare(*key)
                answer = {"loss": loss, "seconds": time.perf_counter() - began}
            else:
                answer = run(steps[tuple(request["run"])], request["seconds"])
        except Exception as err:  # one variant that does not work must not cost the others
            answer = {"error": f"{type(err).__name__}: {err}".strip().splitlines()[0]}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
