"""Folders of lenses: ours, those of the package `tuned-lens`, and those that are refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from physlm.analysis.lenses import TunedLens
from physlm.analysis.lenses.lens_files import printed_hash
from physlm.errors import InputError
from physlm.models.pretrained import load_pretrained
from tests.analysis.lenses.affine_stream import AffineStream


def drawn(model, n=3, width=6):
    generator = torch.Generator().manual_seed(5)
    return TunedLens(
        model,
        torch.randn(n, width, width, generator=generator).double() / 3,
        torch.randn(n, width, generator=generator).double(),
    )


@pytest.mark.parametrize("file", ["params.safetensors", "params.pt"])
def test_a_lens_is_read_as_it_was_written(tmp_path, file):
    model = AffineStream()
    lens = drawn(model)
    lens.save(tmp_path, model_name="toy", has_pickle=True)
    other = {"params.safetensors": "params.pt", "params.pt": "params.safetensors"}[file]
    (tmp_path / other).unlink()
    read = TunedLens.load(tmp_path, model)
    assert torch.equal(read.weight, lens.weight)
    assert torch.equal(read.bias, lens.bias)


def test_files_have_the_layout_of_linear_layers(tmp_path):
    """As `tuned-lens` 0.2.0 writes it: the state of a list of linear layers, and its config."""
    model = AffineStream()
    lens = drawn(model)
    lens.save(tmp_path, model_name="toy", has_pickle=True)
    layers = torch.nn.ModuleList(torch.nn.Linear(6, 6, dtype=torch.float64) for _ in range(3))
    layers.load_state_dict(torch.load(tmp_path / "params.pt", weights_only=True))
    h = torch.randn(4, 6).double()
    for k, layer in enumerate(layers):
        torch.testing.assert_close(model.unembed(h + layer(h)), lens.logits(h, k))
    config = json.loads((tmp_path / "config.json").read_text())
    head = model.output_weight.detach().float().numpy()
    import hashlib

    assert config == {
        "base_model_name_or_path": "toy",
        "d_model": 6,
        "num_hidden_layers": 3,
        "bias": True,
        "base_model_revision": None,
        "unembed_hash": hashlib.sha256(str.encode(np.array_str(head, precision=1))).hexdigest(),
        "lens_type": "linear_tuned_lens",
    }


def test_the_printed_hash_does_not_depend_on_numpys_options():
    head = torch.randn(60, 40)
    expected = printed_hash(head)
    with np.printoptions(threshold=10, edgeitems=1, linewidth=30, suppress=True):
        assert printed_hash(head) == expected


def test_a_lens_without_biases_is_read(tmp_path):
    model = AffineStream()
    drawn(model).save(tmp_path)
    edit(tmp_path, bias=False)
    parameters = load_file(tmp_path / "params.safetensors")
    only_weights = {key: value for key, value in parameters.items() if "weight" in key}
    save_file(only_weights, tmp_path / "params.safetensors")
    assert not TunedLens.load(tmp_path, model).bias.any()


def edit(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def rename_states(folder):
    parameters = load_file(folder / "params.safetensors")
    shifted = {f"{int(key[0]) + 1}{key[1:]}": value for key, value in parameters.items()}
    save_file(shifted, folder / "params.safetensors")


class Harmful:
    def __reduce__(self):
        return (print, ("run",))


def make_pickle(folder):
    (folder / "params.safetensors").unlink()
    torch.save({"0.weight": Harmful()}, folder / "params.pt")


BREAKS = {
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), "config.json is not JSON"),
    "another kind": (lambda f: edit(f, lens_type="x"), "lens_type=x; only linear_tuned_lens"),
    "no parameters": (lambda f: (f / "params.safetensors").unlink(), "neither params.safetensors"),
    "damaged": (lambda f: (f / "params.safetensors").write_bytes(b"x" * 20), "cannot be read"),
    "pickle": (make_pickle, "needs pickle, which may run code"),
    "other states": (rename_states, "must have the states 0 to 2: 0.bias is missing"),
    "other count": (lambda f: edit(f, num_hidden_layers=2), "must have the states 0 to 1"),
    "no count": (lambda f: edit(f, num_hidden_layers=None), "num_hidden_layers=None; must be"),
    "other width": (lambda f: edit(f, d_model=7), r"0.weight has shape \(6, 6\), and"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_wrong_folders_are_refused_in_one_line(tmp_path, capsys, name):
    model = AffineStream()
    drawn(model).save(tmp_path)
    spoil, message = BREAKS[name]
    spoil(tmp_path)
    with pytest.raises(InputError, match=message) as refused:
        TunedLens.load(tmp_path, model)
    assert "\n" not in str(refused.value)
    assert "run" not in capsys.readouterr().out


def test_lenses_of_other_models_are_refused(tmp_path):
    model = AffineStream()
    drawn(model).save(tmp_path, model_name="toy", has_pickle=True)
    with pytest.raises(InputError, match="width 6, and the model has width 8"):
        TunedLens.load(tmp_path, AffineStream(width=8))
    with pytest.raises(InputError, match="translators of 3 states, and the model has 2 blocks"):
        TunedLens.load(tmp_path, AffineStream(n_layers=2))
    tuned_further = AffineStream()
    with torch.no_grad():
        tuned_further.head[5, 3] += 1e-4  # not seen by the printed hash
    assert printed_hash(tuned_further.head) == printed_hash(model.head)
    with pytest.raises(InputError, match="the lens of another model .'toy'.: its output head"):
        TunedLens.load(tmp_path, tuned_further)
    assert TunedLens.load(tmp_path, tuned_further, allows_other_model=True).n_layers == 3
    (tmp_path / "params.safetensors").unlink()
    with torch.no_grad():
        tuned_further.head[5, 3] += 1
    with pytest.raises(InputError, match="its output head differs; fit a lens of this model"):
        TunedLens.load(tmp_path, tuned_further)


@pytest.fixture
def gpt2(tmp_path):
    from tests.models.checkpoints import save_bytewise

    save_bytewise(tmp_path / "model")
    return load_pretrained(tmp_path / "model", torch.float64)


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_the_package_tuned_lens_reads_ours_and_we_read_its(gpt2, tmp_path):
    package = pytest.importorskip("tuned_lens", reason="needs tuned-lens 0.2.0 on the path")
    residual = torch.randn(5, 8, dtype=torch.float64)
    ours = drawn(gpt2, 1, 8)
    ours.save(tmp_path / "ours", has_pickle=True)
    theirs = package.TunedLens.from_model(gpt2.model)
    read = type(theirs).from_unembed_and_pretrained(theirs.unembed, str(tmp_path / "ours"))
    torch.testing.assert_close(read(residual, 0), ours.logits(residual, 0), atol=1e-10, rtol=0)
    torch.nn.init.normal_(theirs.layer_translators[0].weight)
    torch.nn.init.normal_(theirs.layer_translators[0].bias)
    theirs.save(tmp_path / "theirs")
    found = TunedLens.load(tmp_path / "theirs", gpt2)
    torch.testing.assert_close(found.logits(residual, 0), theirs(residual, 0), atol=1e-10, rtol=0)


@pytest.mark.parametrize("places", [(-5,), (-5, "parameters_sha256")])
def test_flipped_bits_are_noticed(tmp_path, places):
    """The second of them makes the name of the hash another one."""
    model = AffineStream(n_layers=3)
    lens = drawn(model)
    lens.save(tmp_path, model_name="toy")
    path = tmp_path / "params.safetensors"
    content = bytearray(path.read_bytes())
    for place in places:
        content[place if isinstance(place, int) else content.index(place.encode())] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"params.safetensors has changed since it was written"):
        TunedLens.load(tmp_path, model)
