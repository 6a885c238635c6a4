"""Jacobians against torch.func, and their files."""

import pickle
import zipfile

import pytest
import torch

from physlm.analysis.lenses import JacobianLens
from physlm.errors import InputError
from tests.analysis.lenses.affine_stream import AffineStream
from tests.models.test_transformer import build


def tokens(n=3, seq_len=6):
    return torch.randint(20, (n, seq_len), generator=torch.Generator().manual_seed(0))


def by_definition(model, prompts, k, is_counted):
    """Mean over prompts and p of the sum over p' >= p, from the whole Jacobian."""
    total, n = 0, 0
    for prompt, counted in zip(prompts, is_counted, strict=True):
        state = model.residuals(prompt[None], [k])[0]
        whole = torch.func.jacrev(lambda h: model.forward_from(h, k))(state)[0, :, :, 0]
        for p in counted.nonzero().flatten().tolist():
            later = [q for q in counted.nonzero().flatten().tolist() if q >= p]
            total, n = total + whole[later, :, p].sum(0), n + 1
    return total / n


@pytest.mark.parametrize("kind", ["llama", "learned", "no mlp"])
@pytest.mark.parametrize("is_frozen", [False, True])
def test_jacobians_are_their_definition(kind, is_frozen, monkeypatch):
    model = build(kind).requires_grad_(not is_frozen).train()
    monkeypatch.setattr("physlm.analysis.lenses.jacobian_lens._AT_ONCE", 3 * 6 * 32 * 2)
    is_visible = torch.arange(6) < torch.tensor([[6, 4, 6]]).T
    lens = JacobianLens.fit(model, tokens(), is_visible=is_visible, skip_first=2)
    is_counted = is_visible & (torch.arange(6) >= 2)
    for k in range(2):
        expected = by_definition(model, tokens(), k, is_counted).detach()
        torch.testing.assert_close(lens.jacobians[k], expected.double(), atol=1e-4, rtol=1e-3)
    assert model.training
    assert all(p.requires_grad != is_frozen and p.grad is None for p in model.parameters())


def test_jacobians_of_an_affine_stream_are_its_maps():
    model = AffineStream()
    lens = JacobianLens.fit(model, tokens(4, 8) % 11, skip_first=0)
    weight, _ = model.translators()
    for k, matrix in lens.jacobians.items():
        torch.testing.assert_close(matrix.T, weight[k] + torch.eye(6).double())
    h = torch.randn(2, 6).double()
    torch.testing.assert_close(lens.logits(h, 1), model.unembed(h @ lens.jacobians[1].T))
    assert torch.equal(lens.logits(h, 3), model.unembed(h))


def test_layer_i_of_a_file_is_state_i_plus_1(tmp_path):
    model = AffineStream()
    matrices = {0: torch.randn(6, 6).half(), 1: torch.randn(6, 6).half()}
    content = {"J": matrices, "n_prompts": 9, "source_layers": [0, 1], "d_model": 6}
    torch.save(content, tmp_path / "lens.pt")
    lens = JacobianLens.load(tmp_path / "lens.pt", model)
    assert list(lens.jacobians) == [1, 2]
    assert torch.equal(lens.jacobians[2], matrices[1].float())
    with pytest.raises(InputError, match="no matrix for state 0; it has those of states 1, 2"):
        lens.logits(torch.zeros(6), 0)


def test_a_lens_is_read_as_it_was_written(tmp_path):
    model = AffineStream()
    lens = JacobianLens.fit(model, tokens(2, 8) % 11, skip_first=0)
    lens.save(tmp_path / "lens.pt")
    read = JacobianLens.load(tmp_path / "lens.pt", model)
    for k, matrix in lens.jacobians.items():
        torch.testing.assert_close(read.jacobians[k], matrix.half().float())


class Harmful:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"J": {0: torch.zeros(5, 5)}},
            r"matrix of shape \(5, 5\) for state 1, and the model has width 6",
        ),
        (
            {"J": {2: torch.zeros(6, 6)}},
            "for state 3, and the model's states before the last are 0 to 2",
        ),
        ({"J": Harmful()}, "needs pickle, which may run code"),
        ({"K": {}}, "has no matrices J by layer"),
    ],
)
def test_wrong_files_are_refused(tmp_path, capsys, content, message):
    torch.save(content, tmp_path / "lens.pt")
    with pytest.raises(InputError, match=message):
        JacobianLens.load(tmp_path / "lens.pt", AffineStream())
    assert "run" not in capsys.readouterr().out


def test_missing_damaged_and_empty_input_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; give the file"):
        JacobianLens.load(tmp_path / "none.pt", AffineStream())
    (tmp_path / "half.pt").write_bytes(b"PK")
    with pytest.raises(InputError, match="half.pt"):
        JacobianLens.load(tmp_path / "half.pt", AffineStream())
    with pytest.raises(InputError, match="no prompt has a visible token after the first skip_firs"):
        JacobianLens.fit(AffineStream(), tokens(2, 8) % 11)


def test_a_flipped_bit_and_compression_are_noticed(tmp_path):
    """torch looks at no checksums, and a small compressed file may unpack to any size."""
    path = tmp_path / "lens.pt"
    torch.save({"J": {0: torch.zeros(6, 6)}}, path)
    content = path.read_bytes()
    place = content.index(bytes(4 * 36))
    path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with pytest.raises(InputError, match=r"lens.pt is damaged or compressed"):
        JacobianLens.load(path, AffineStream(n_layers=3))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lens/data.pkl", b"")
    with pytest.raises(InputError, match=r"lens.pt is damaged or compressed"):
        JacobianLens.load(path, AffineStream(n_layers=3))


@pytest.mark.parametrize("content", [{"J": {"a": torch.zeros(6, 6)}}, {"J": {0: 1.0}}])
def test_matrices_of_other_types_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "lens.pt")
    with pytest.raises(InputError, match="has no matrices J by layer"):
        JacobianLens.load(tmp_path / "lens.pt", AffineStream(n_layers=3))


def test_a_pickle_of_another_protocol_is_refused_without_a_warning(tmp_path):
    (tmp_path / "lens.pt").write_bytes(pickle.dumps({"J": {0: print}}, protocol=4))
    with pytest.raises(InputError, match=r"lens.pt needs pickle"):
        JacobianLens.load(tmp_path / "lens.pt", AffineStream(n_layers=3))
