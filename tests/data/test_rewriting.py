"""Rewriting by a model: what is wrong is asked for again, and nothing that was written is lost."""

import itertools
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from data_gen.rewrite import RewriteConfig
from physlm.data.bio.bior import BiorConfig, persons_of
from physlm.data.bio.rewriting import lacking, prompt, rewrite
from physlm.errors import InputError
from physlm.models.writer import EndpointWriter, LocalWriter
from physlm.rng import stream

N = 6


@pytest.fixture(scope="module")
def persons():
    return persons_of(BiorConfig(n_people=N), 0)[1]


def faithful(asked):
    """A biography with all that a prompt gives."""
    name = re.search(r"(?:of|about|Describe) ([A-Z]\S* [A-Z]\S* [A-Z][\w']*)", asked)[1]
    return f'"{name}: {"; ".join(re.findall(r"^- (.*)$", asked, re.M))}."'


N_CALLS = itertools.count()


def forgetful(asked):
    """Every other time, a fact is missing."""
    text = faithful(asked)
    return text if next(N_CALLS) % 2 else re.sub(r"majored in [^;.]*", "studied", text)


def rewritten(persons, write, path, **values):
    chosen = {"n_texts": 2, "batch_size": 4, "max_tries": 5, "seed": 0, **values}
    return rewrite(persons, lambda prompts: [write(p) for p in prompts], path, **chosen)


def test_a_prompt_gives_every_fact(persons):
    person = persons[0]
    prompts = {prompt(person, stream(0, i)) for i in range(20)}
    assert len(prompts) > 10
    for asked in prompts:
        assert not lacking(asked, person)
        assert not lacking(faithful(asked), person)


@pytest.mark.parametrize("change", [
    lambda text, p: text.replace(p.name, p.name.split()[0]),
    lambda text, p: text.replace(p.facts["birth_date"], p.facts["birth_date"][:-1]),
    lambda text, p: text.replace(p.facts["major"], p.facts["major"] + "s"),
    lambda text, p: text.replace(p.facts["employer"], p.facts["employer"].lower()),
])  # fmt: skip
def test_what_is_not_said_word_for_word_is_lacking(persons, change):
    text = faithful(prompt(persons[0], stream(0, "prompt")))
    assert len(lacking(change(text, persons[0]), persons[0])) == 1


def test_texts_lacking_a_fact_are_asked_for_again(persons, tmp_path):
    path = rewritten(persons, forgetful, tmp_path / "texts.parquet")
    table = pq.read_table(path).to_pylist()
    assert [(row["person"], row["name"]) for row in table] == [
        (i, p.name) for i, p in enumerate(persons) for _ in range(2)
    ]
    assert not any(lacking(row["text"], persons[row["person"]]) for row in table)
    assert '"' not in table[0]["text"]
    answers = (tmp_path / "texts.jsonl").read_text().splitlines()
    assert len(answers) > 1 + 2 * N


def test_interrupted_work_goes_on(persons, tmp_path):
    """The writer fails in the middle; what it wrote is kept, a line cut in two is not."""
    asked = []

    def failing(text):
        asked.append(text)
        if len(asked) > 7:
            raise InputError("the endpoint is down")
        return faithful(text)

    with pytest.raises(InputError, match="the endpoint is down"):
        rewritten(persons, failing, tmp_path / "texts.parquet", batch_size=1)
    with (tmp_path / "texts.jsonl").open("a") as file:
        file.write('{"person": 3, "text_num')
    again = []
    rewritten(
        persons, lambda text: again.append(text) or faithful(text), tmp_path / "texts.parquet"
    )
    assert len(again) == 2 * N - 7
    assert not set(again) & set(asked[:7])
    rewritten(persons, pytest.fail, tmp_path / "texts.parquet")


def test_a_model_that_never_says_it_all_is_given_up_on(persons, tmp_path):
    with pytest.raises(InputError, match=r"12 texts lacked a fact in all of max_tries=3, such as"):
        rewritten(persons, lambda _: "A life.", tmp_path / "texts.parquet", max_tries=3)
    path = rewritten(persons, faithful, tmp_path / "texts.parquet", max_tries=4)
    assert pq.read_table(path).num_rows == 2 * N


def test_answers_about_others_are_not_taken(persons, tmp_path):
    rewritten(persons, faithful, tmp_path / "texts.parquet")
    with pytest.raises(InputError, match="has texts about other people; take another output"):
        rewritten(persons[:-1], faithful, tmp_path / "texts.parquet")
    (tmp_path / "texts.jsonl").write_text("garbage\n")
    with pytest.raises(InputError, match="holds no answers"):
        rewritten(persons, faithful, tmp_path / "texts.parquet")


class Endpoint(BaseHTTPRequestHandler):
    """Chat completions; ``behaviour`` is a list of what to do next, faithful when it is empty."""

    behaviour: list = []  # noqa: RUF012 - set by each test
    requests: list = []  # noqa: RUF012

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, body, self.headers.get("Authorization")))
        status, answer = self.behaviour.pop(0) if self.behaviour else (200, None)
        if answer is None:
            text = forgetful(body["messages"][0]["content"])
            answer = json.dumps({"choices": [{"message": {"content": text}}]})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        """Silent."""


@pytest.fixture
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    Endpoint.behaviour, Endpoint.requests = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def writer(address, **values):
    return EndpointWriter(address, model="m", max_tokens=9, temperature=0.5, **values)


def test_an_endpoint_is_asked_as_chat_completions_are(endpoint, persons, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    asked = prompt(persons[0], stream(0, "prompt"))
    (text,) = writer(endpoint)([asked])
    assert persons[0].name in text
    path, body, key = Endpoint.requests[0]
    assert path == "/v1/chat/completions"
    assert body == {"model": "m", "max_tokens": 9, "temperature": 0.5,
                    "messages": [{"role": "user", "content": asked}]}  # fmt: skip
    assert key == "Bearer secret"


def test_a_busy_endpoint_is_asked_again(endpoint, persons):
    Endpoint.behaviour[:] = [(503, "busy"), (429, "slow down")]
    (text,) = writer(endpoint, n_retries=3)([prompt(persons[0], stream(0, "prompt"))])
    assert persons[0].name in text
    assert len(Endpoint.requests) == 3


@pytest.mark.parametrize(("behaviour", "message"), [
    ([(401, "who are\nyou?")], "answers 401 who are you?"),
    ([(500, "broken")] * 2, "answers 500 broken"),
    ([(200, "<html>")], "answers '<html>', not as chat completions do"),
    ([(200, '{"choices": []}')], "not as chat completions do"),
])  # fmt: skip
def test_an_endpoint_that_answers_garbage_is_one_line(endpoint, behaviour, message):
    Endpoint.behaviour[:] = list(behaviour)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        writer(endpoint, n_retries=1)(["Tell."])
    assert "\n" not in str(caught.value)


def test_an_endpoint_that_is_down_is_one_line():
    with pytest.raises(InputError, match="does not answer .*; see that it is up and run again"):
        writer("http://127.0.0.1:9/v1", n_retries=0)(["Tell."])


def command(*words):
    done = subprocess.run(
        [sys.executable, "-m", "data_gen.rewrite", *words], capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_command_writes_a_file_that_bior_reads(endpoint, tmp_path):
    output = tmp_path / "texts.parquet"
    people = ["data.n_people=6", "data.n_texts=2"]
    Endpoint.behaviour[:] = [(200, None)] * 5 + [(401, "expired")]
    words = (f"output={output}", f"endpoint={endpoint}", "writer=m", *people)
    status, _, errors = command(*words)
    assert status == 2
    assert "answers 401 expired" in errors
    assert not output.exists()
    status, printed, _ = command(*words)
    assert (status, printed.splitlines()[-1]) == (0, f"texts: {output}")
    world = BiorConfig(n_people=6, n_texts=2, source=str(output)).build(0)
    assert world.facts(3)["name"] in world.vocabulary.decode(world.epoch(0, 0, 6).tokens)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, persons):
    """A local checkpoint of a model with random weights, which knows the words of prompts."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("model")
    words = sorted(
        {w for p in persons for w in re.findall(r"\w+|\S", prompt(p, stream(0, "prompt")))}
    )
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    ).save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def test_a_local_model_writes_what_transformers_would(folder, persons):
    """Greedily, prompts of many lengths at once as one by one."""
    transformers = pytest.importorskip("transformers")
    prompts = [prompt(p, stream(0, "prompt"))[: 40 * (i + 1)] for i, p in enumerate(persons)]
    written = LocalWriter(folder, max_tokens=8, temperature=0.0, seed=0)(prompts)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    for asked, text in zip(prompts, written, strict=True):
        read = tokenizer(asked, return_tensors="pt")
        alone = model.generate(**read, max_new_tokens=8, do_sample=False)
        expected = tokenizer.decode(alone[0, read["input_ids"].shape[1] :])
        assert text == expected.replace("<eos>", "").strip()


def test_sampling_is_decided_by_the_seed(folder, persons):
    asked = [prompt(persons[0], stream(0, "prompt"))]
    one, other, third = (LocalWriter(folder, max_tokens=8, temperature=1.0, seed=s)
                         for s in (1, 1, 2))  # fmt: skip
    first = one(asked)
    assert first == other(asked) != third(asked)
    assert one(asked) != first


@pytest.mark.slow
def test_a_local_model_goes_through_the_command_and_keeps_its_answers(folder, tmp_path):
    """Random weights never say it all: the work is given up with what was written kept."""
    output = tmp_path / "texts.parquet"
    status, _, errors = command(f"output={output}", f"writer={folder}", "data.n_people=6",
                                "max_tries=2", "max_tokens=5")  # fmt: skip
    assert status == 2
    assert "6 texts lacked a fact in all of max_tries=2" in errors
    assert len((tmp_path / "texts.jsonl").read_text().splitlines()) == 1 + 12


def test_bad_values_are_refused(tmp_path):
    people = BiorConfig(n_people=N)
    with pytest.raises(ValueError, match=r"output=a.txt; end the name in .parquet"):
        RewriteConfig(output="a.txt", writer="m", data=people)
    with pytest.raises(ValueError, match=r"data.source=b is written already"):
        RewriteConfig(output="a.parquet", writer="m", data=BiorConfig(source="b"))
    with pytest.raises(InputError, match="has no config.json; give the folder of a checkpoint"):
        LocalWriter(tmp_path, max_tokens=8, temperature=0.0, seed=0)
    status, _, errors = command("writer=m", "endpoint=ftp")
    assert (status, errors.count("\n")) == (2, 1)
    assert "output is missing; write output=FILE.parquet" in errors
    status, _, errors = command("output=a.parquet", "writer=m", "endpoint=ftp", "data.n_people=2")
    assert (status, errors.count("\n")) == (2, 1)
    assert "endpoint=ftp; begin with http://" in errors
