"""The training steps of `training_cases` in PyTorch, written as one would.

A model is two functions. `NAME_weights(model)` names the variables of ours, which PyTorch's tensors
begin as. `NAME_loss(w, batch)` is the loss of a batch, with w those tensors by their names: the
symbols of docs/equations.md. Matrices are as in Keras, `[inputs, outputs]`.
"""

import contextlib
import math

import torch
from torch.nn import functional

_BLOCK = 32  # Rows of one product of `relation_encoder`, as of ours.


def alignment_weights(model):
    encoder = model.sentence_encoder
    forward, backward = (
        layer.cell
        for layer in (encoder.recurrence.forward_layer, encoder.recurrence.backward_layer)
    )
    return {
        "W_w": encoder.word_table.embeddings,
        **_dense("e", encoder.input_projection),
        **{"W_f": forward.recurrent_kernel, "b_f": forward.bias},
        **{"W_b": backward.recurrent_kernel, "b_b": backward.bias},
        **_dense("d", encoder.output_projection),
        **_dense("m", model.region_encoder.projection),
    }


def alignment_loss(w, batch):
    tokens = batch["token_ids"]
    real = tokens != 0
    e = functional.relu(_affine(w, "e", functional.embedding(tokens, w["W_w"])))
    forward = _states(e, w["W_f"], w["b_f"])
    # PAD comes first here, and leaves the state at 0.
    backward = _states(e.flip(1), w["W_b"], w["b_b"], real.flip(1)).flip(1)
    s = functional.relu(_affine(w, "d", forward + backward))
    v = _affine(w, "m", batch["region_features"].float())
    products = v.flatten(0, 1) @ s.flatten(0, 1).T
    products = products.view(*v.shape[:2], -1)
    products = products.masked_fill(~batch["region_mask"][:, :, None], -1e9)
    best = products.max(1).values.view(len(v), *real.shape)
    return _ranking_loss((best * real).sum(2).float(), batch["image_id"], margin=1.0)


def defrag_weights(model):
    encoder = model.sentence_encoder
    return {
        "W_e": encoder.word_table.embeddings,
        **{"W_R": encoder.kernel, "b_R": encoder.bias},
        **_dense("m", model.region_encoder.projection),
    }


def defrag_loss(w, batch):
    regions, fragments = batch["region_mask"], batch["relations"] != 0
    v = _affine(w, "m", batch["region_features"].float())
    s = _relations(w, batch)
    products = (v.flatten(0, 1) @ s.flatten(0, 1).T).float()
    products = products.view(*regions.shape, *fragments.shape)
    different = batch["image_id"][:, None] != batch["image_id"]

    own = products.diagonal(dim1=0, dim2=2).permute(2, 0, 1)  # pairs, regions, fragments
    own_real = regions[:, :, None] & fragments[:, None]
    positive = (own > 0) & own_real
    best = own.masked_fill(~regions[:, :, None], -1e9).argmax(1, keepdim=True)
    is_best = torch.zeros_like(positive).scatter(1, best, True) & own_real
    positive = (positive | (is_best & ~positive.any(1, keepdim=True))).detach()
    pairs = torch.arange(len(v), device=v.device)
    real = regions[:, :, None, None] & fragments
    negative = different[:, None, :, None] & real
    negative[pairs, :, pairs, :] = own_real & ~positive
    of_positives = _mean(functional.relu(1 - own), positive)
    of_negatives = _mean(functional.relu(1 + products), negative)
    fragment_loss = fragments.sum() * (of_positives + of_negatives)

    totals = torch.einsum(
        "kilj,ki,lj->kl", functional.relu(products), regions.float(), fragments.float()
    )
    scores = totals / (regions.sum(1, keepdim=True) * (fragments.sum(1) + 5.0))
    return fragment_loss + 10.0 * _ranking_loss(scores, batch["image_id"], margin=2.0)


def dvsa_rnn_weights(model):
    return {
        "words": model.word_table.embeddings,
        "W_hx": model.word_projection.kernel,
        "W_hi": model.image_projection.kernel,
        **{"W_hh": model.recurrence.cell.recurrent_kernel, "b_h": model.recurrence.cell.bias},
        **_dense("oh", model.softmax),
    }


def dvsa_rnn_loss(w, batch):
    words = functional.embedding(_with_start(batch["token_ids"]), w["words"]) @ w["W_hx"]
    image = batch["region_features"][:, :1].float() @ w["W_hi"]
    inputs = torch.cat([words[:, :1] + image, words[:, 1:]], dim=1)
    hidden = _states(inputs, w["W_hh"], w["b_h"])
    return _word_cost(_affine(w, "oh", hidden), batch["token_ids"])


def m_rnn_weights(model):
    return {
        "E_1": model.word_table.embeddings,
        **_dense("2", model.W_2),
        **{"U_r": model.recurrence.cell.recurrent_kernel, "b_U": model.recurrence.cell.bias},
        **_dense("r", model.V_r),
        **{"V_w": model.V_w.kernel, "V_I": model.V_I.kernel},
        **_dense("o", model.softmax),
    }


def m_rnn_loss(w, batch):
    inputs = functional.embedding(_with_start(batch["token_ids"]), w["E_1"])
    words = functional.relu(_affine(w, "2", inputs))
    terms = words @ w["V_w"] + _affine(w, "r", _states(words, w["U_r"], w["b_U"]))
    terms = terms + batch["region_features"][:, :1].float() @ w["V_I"]
    m = 1.7159 * torch.tanh(terms * (2 / 3))
    cost = _word_cost(_affine(w, "o", m), batch["token_ids"])
    return cost + 1e-5 * sum(each.square().sum() for each in w.values())


def embedding_weights(model):
    return {**_branch_weights("x", model.image_branch), **_branch_weights("y", model.text_branch)}


def embedding_loss(w, batch):
    x, y = _branches(w, batch)
    same = batch["image_id"][:, None] == batch["image_id"]
    # An image that stands in several rows counts once, in the first.
    first = same.int().argmax(1) == torch.arange(len(x), device=x.device)
    positive = same & first[:, None]
    distances = _distances(x, y)
    images = (positive.T, ~same.T & first)
    loss = _triplets(distances, positive, ~same) + 1.5 * _triplets(distances.T, *images)
    matches = positive.T.float()
    shared = matches @ matches.T > 0.5
    outside = (matches @ (~same).float() > 0.5) & ~shared
    return loss + 0.05 * _triplets(_distances(y, y), shared.fill_diagonal_(False), outside)


def similarity_weights(model):
    layers = model.fusion.fusion_layers
    fusion = [_dense(str(number), layer) for number, layer in enumerate(layers)]
    return {**embedding_weights(model), **fusion[0], **fusion[1], **fusion[2]}


def similarity_loss(w, batch):
    x, y = _branches(w, batch)
    negative = batch["image_id"][:, None] != batch["image_id"]
    noise = batch["noise"] if "noise" in batch else torch.rand_like(negative, dtype=torch.float32)
    drawn, column = noise.masked_fill(~negative, -1.0).max(1)
    costs = functional.softplus(-_fusion(w, x * y)) + functional.softplus(_fusion(w, x * y[column]))
    return (costs * (drawn >= 0)).sum()


def _dense(name, layer):
    return {f"W_{name}": layer.kernel, f"b_{name}": layer.bias}


def _affine(w, name, inputs):
    return inputs @ w[f"W_{name}"] + w[f"b_{name}"]


def _states(inputs, matrix, bias, real=None):
    """`h_t = relu(e_t + h_{t-1} W + b)` over `[B, T, H]`, 0 where `real`, bool `[B, T]`, is not."""
    state, states = torch.zeros_like(inputs[:, 0]), []
    for t in range(inputs.shape[1]):
        state = functional.relu(inputs[:, t] + (state @ matrix + bias))
        state = state if real is None else state * real[:, t, None]
        states.append(state)
    return torch.stack(states, dim=1)


def _ranking_loss(scores, image_id, margin):
    right = scores.diagonal()[:, None]
    wrong = image_id[:, None] != image_id
    costs = functional.relu(scores - right + margin) + functional.relu(scores.T - right + margin)
    return (costs * wrong).sum()


def _mean(costs, counted):
    return (costs * counted).sum() / counted.sum().clamp(min=1)


def _relations(w, batch):
    """`s = relu(W_R [w1 ; w2] + b_R)`: rows of a type in blocks, a block one product."""
    pairs = [functional.embedding(batch[name], w["W_e"]) for name in ("heads", "dependents")]
    rows = torch.cat(pairs, dim=-1).flatten(0, 1)
    types = (batch["relations"].flatten() - 1).clamp(min=0)
    num_types, _, units = w["W_R"].shape
    num_blocks = len(rows) // _BLOCK + num_types
    member = functional.one_hot(types, num_types)
    blocks = (member.sum(0) + _BLOCK - 1) // _BLOCK
    end = blocks.cumsum(0)
    position = (member.cumsum(0) * member).sum(1) - 1
    slots = ((end - blocks) * _BLOCK)[types] + position
    filled = rows.new_zeros(num_blocks * _BLOCK, rows.shape[1]).index_copy(0, slots, rows)
    block = torch.arange(num_blocks, device=rows.device)
    types_of_blocks = (block[:, None] >= end).sum(1).clamp(max=num_types - 1)
    products = torch.bmm(filled.view(num_blocks, _BLOCK, -1), w["W_R"][types_of_blocks])
    outputs = functional.relu(products.flatten(0, 1)[slots] + w["b_R"][types])
    return outputs.view(*batch["relations"].shape, units)


def _with_start(tokens):
    return functional.pad(tokens, (1, 0), value=1)


def _word_cost(logits, tokens):
    lengths = (tokens != 0).sum(1, keepdim=True)
    targets = functional.pad(tokens, (0, 1)).scatter(1, lengths, 2)
    costs = functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=0
    )
    return costs / math.log(2)


def _branch_weights(name, branch):
    return {
        **_dense(f"{name}1", branch.hidden_projection),
        **_dense(f"{name}2", branch.output_projection),
        **{f"gamma_{name}": branch.batch_norm.gamma, f"beta_{name}": branch.batch_norm.beta},
    }


def _branches(w, batch):
    features = (batch["region_features"][:, 0], batch["sentence_features"])
    return (_branch(w, name, each.float()) for name, each in zip("xy", features))


def _branch(w, name, features):
    outputs = _affine(w, f"{name}2", functional.relu(_affine(w, f"{name}1", features)))
    moments = outputs.new_zeros(outputs.shape[1]), outputs.new_ones(outputs.shape[1])
    scale = w[f"gamma_{name}"], w[f"beta_{name}"]
    outputs = functional.batch_norm(outputs, *moments, *scale, training=True, momentum=0.1)
    return functional.normalize(outputs.float(), dim=1)


def _distances(x, y):
    squares = x.square().sum(1, keepdim=True) - 2 * (x @ y.T).float() + y.square().sum(1)
    return (squares.clamp(min=0) + 1e-4).sqrt()


def _triplets(distances, positive, negative, margin=0.05, num_negatives=10):
    count = min(num_negatives, distances.shape[1])
    nearest = distances.masked_fill(~negative, torch.inf).topk(count, dim=1, largest=False).values
    costs = functional.relu(margin + distances[:, :, None] - nearest[:, None])
    return (costs.sum(2) * positive).sum()


def _fusion(w, product):
    hidden = functional.relu(_affine(w, "1", functional.relu(_affine(w, "0", product))))
    return _affine(w, "2", hidden)[:, 0].float()


class TorchStep:
    """Training steps of a case in PyTorch.

    Args:
        name: of the model.
        model: ours, a Keras model, built; the steps begin with its weights.
        batch: dict of name to array.
        settings: `OptimizerSettings`.
        bfloat16: whether what may be is computed in it (`torch.autocast`).
        compiled: whether `torch.compile` compiles the loss and its gradient.
        device: of PyTorch.

    Attributes:
        variables: dict of name to variable of `model`.
        weights: dict of name to tensor.
    """

    def __init__(self, name, model, batch, settings, bfloat16=False, compiled=False, device="cpu"):
        self.variables = globals()[f"{name}_weights"](model)
        if len(self.variables) != len(model.trainable_variables):
            raise ValueError(
                f"Expected {[each.path for each in model.trainable_variables]} in PyTorch. "
                f"Received: {list(self.variables)}"
            )
        self.weights = {
            key: torch.tensor(value.numpy(), device=device, requires_grad=True)
            for key, value in self.variables.items()
        }
        self._device = torch.device(device)
        self._batch = {key: torch.from_numpy(value).to(device) for key, value in batch.items()}
        for key, value in self._batch.items():
            if value.dtype == torch.int32:  # as indices are in PyTorch
                self._batch[key] = value.long()
        self._loss_of = globals()[f"{name}_loss"]
        if compiled:
            torch.compiler.reset()  # as for the shapes of one case alone
            self._loss_of = torch.compile(self._loss_of, dynamic=False)
        self._bfloat16 = bfloat16
        self._settings = settings
        self._optimizer = _optimizer(settings, self.weights.values())

    def loss(self):
        """Computes the loss of the batch and its gradients; returns the loss, a tensor."""
        scope = contextlib.nullcontext()
        if self._bfloat16:
            scope = torch.autocast(self._device.type, torch.bfloat16)
        self._optimizer.zero_grad()
        with scope:
            loss = self._loss_of(self.weights, self._batch)
        loss.backward()
        return loss

    def gradients(self):
        """Returns what `loss` computed, a dict of name to array."""
        return {key: value.grad.cpu().numpy() for key, value in self.weights.items()}

    def step(self):
        """Trains one step; returns the loss before it, a tensor."""
        loss = self.loss()
        parameters, settings = self.weights.values(), self._settings
        if settings.clip_value:
            torch.nn.utils.clip_grad_value_(parameters, settings.clip_value)
        if settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
        self._optimizer.step()
        return loss

    def wait(self):
        """Waits until the device has done what was asked for."""
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def draw(self):
        """Lets later steps draw what was given for the comparison of losses."""
        self._batch.pop("noise", None)


def _optimizer(settings, parameters):
    """The optimisers of the papers' flagfiles, with Keras's constants."""
    rate = settings.learning_rate
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=settings.momentum)
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, alpha=0.9, eps=1e-7)
    return torch.optim.Adam(parameters, lr=rate, eps=1e-7)
