"""The tokenizer of every world, as `transformers` loads it."""

import numpy as np
import pytest
import transformers

from physlm.config import composed, register
from physlm.data.exported_tokenizer import exported_tokenizer
from physlm.data.tokens import END_OF_TEXT
from physlm.preparation import corpus_of

register()
WORLDS = {
    "bios": ("data=bios", "data.n_people=30"),
    "bios_compact": ("data=bios", "data.n_people=30", "data.tokenizer=compact"),
    "biod": ("data=biod", "data.n_people=30"),
    "domain_token": ("+experiment=capacity_domain_token",),
    "qa": ("+experiment=extraction",),
    "cfg": ("data=cfg", "data.n_strings=30"),
    "depo": ("data=depo",),
    "mano": ("data=mano",),
    "brevo": ("data=brevo",),
    "igsm": ("data=igsm",),
    "brackets": ("data=brackets",),
    "sums": ("data=sums",),
}
QUICK = {"bios", "biod", "domain_token", "qa", "cfg"}


def loaded(exported, folder):
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=exported.tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
    )
    fast.save_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in WORLDS],
)
def test_texts_of_a_world_get_its_own_tokens_and_decode_to_themselves(tmp_path, name):
    corpus = corpus_of(composed(WORLDS[name]))
    exported = exported_tokenizer(corpus.vocabulary)
    reader = loaded(exported, tmp_path)
    documents = corpus.epoch(0, 0, min(30, corpus.n_documents))
    for document in np.split(documents.tokens, documents.starts[1:-1]):
        text = corpus.vocabulary.decode(document[1:])
        plain = reader(text, add_special_tokens=False)["input_ids"]
        assert plain == exported.ids[document[1:]].tolist()
        assert reader(text)["input_ids"] == [exported.ids[corpus.vocabulary.eos], *plain]
        assert reader.decode(plain, skip_special_tokens=True) == text
    assert reader.eos_token_id == exported.ids[corpus.vocabulary.eos]
    assert len(reader) == exported.n_ids


def test_gpt2_has_its_own_ids_and_reads_any_text(tmp_path, bios):
    exported = exported_tokenizer(bios.vocabulary)
    reader = loaded(exported, tmp_path)
    if bios.vocabulary.size == len(reader):  # compact
        with pytest.raises(Exception, match=r"\[UNK\]"):
            reader("Zyzzyva")
        return
    assert reader.eos_token_id == 50256
    # As published: the ids of GPT-2 for this text.
    assert reader("Hello world", add_special_tokens=False)["input_ids"] == [15496, 995]
