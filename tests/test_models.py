"""Models: names, sizes, chat templates, merged checkpoints, the Hub with and without a network, SmolLM2."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import trl
from huggingface_hub import constants
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from pbb.experiments.documents import Document
from pbb.experiments.experiment import Experiment
from pbb.models import backends, hub, loading
from pbb.models.ask import generate
from pbb.models.model_size import GB, Shape, training_bytes
from pbb.models.sft import Optimisation, encode, finetune, lora, pack
from pbb.registry import FORMAT, PACKAGED, ModelError, config_of, folder_of, hub_models, identity

REPOSITORY = Path(loading.__file__).parents[2]
FIRST, SECOND = "1" * 40, "2" * 40  # commits


# --------------------------------------------------------------------------------------------- names and sizes
def test_what_is_no_model_is_refused_with_what_would_be(tmp_path: Path) -> None:
    valid = r"valid: smollm2-135m, tiny-s, .*, a folder, a GGUF file, or a Hub id 'owner/name'"
    for name in ("tiny-xl", "x" * 300, "/nowhere", "./here", "a/b/c", "a b/c", "owner/name@", "../x/y"):
        with pytest.raises(ModelError, match=valid):
            folder_of(name)
    with pytest.raises(ModelError, match=r"did you mean 'meta-llama/Llama-3\.2-1B-Instruct'"):
        folder_of("llama-3.2-1b-instruct")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        config_of(str(tmp_path))


def test_identities_are_known_without_a_network_and_tell_revisions_apart(run_store: Path) -> None:
    assert identity("owner/name") == f"hub:owner/name, {FORMAT}"
    assert identity("owner/name@v1.0") == f"hub:owner/name@v1.0, {FORMAT}"
    assert identity("smollm2-135m") == f"smollm2-135m:{PACKAGED['smollm2-135m'].sha256}, {FORMAT}"
    names = ("tiny-s", "tiny-m", "smollm2-135m", *hub_models())
    assert len({identity(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", [*hub_models(), "smollm2-135m", "tiny-s", "tiny-m"])
def test_parameters_are_counted_as_transformers_does(name: str) -> None:
    config, shape = dict(config_of(name) or {}), Shape.of(config_of(name))
    assert shape is not None
    qwen = config.pop("model_type", "llama") == "qwen3"
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**config)) if qwen else LlamaForCausalLM(LlamaConfig(**config))
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
    layers = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
    assert shape.linear == sum(layer.weight.numel() for layer in layers)
    assert shape.adapters(8) == sum(8 * (layer.in_features + layer.out_features) for layer in layers)


def test_memory_grows_with_what_is_trained_and_shrinks_with_bits() -> None:
    shape = Shape.of(hub_models()["meta-llama/Llama-3.2-1B-Instruct"]["shape"])
    assert shape is not None
    ways = ((16, "4-bit"), (16, "bfloat16"), (0, "float32"))
    four, half, full = (training_bytes(shape, rank, weights, 1024) for rank, weights in ways)
    assert 2 * GB < four < half < 16 * shape.parameters < full, "weight, gradient and two moments in float32"
    assert Shape.of(None) is Shape.of({"n_embd": 768}) is None, "another family's names"


# ------------------------------------------------------------------------------------- templates and tokenizers
# TRL ships the models' own: beginning, end
TEMPLATES = dict.fromkeys(("llama3_1", "llama3_2"), ("<|begin_of_text|>", "<|eot_id|>"))
TEMPLATES |= dict.fromkeys(("qwen3", "qwen2_5"), (None, "<|im_end|>"))
TALK = Document(
    "Consider f (x) : run it for 3 .", "f (3) == 4 , 'a' .", "general", "general", "f", "3", "direct",
    (("And for 4 ?", "It 's 5 !"),),
)  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES)
def test_published_templates_train_every_turn_on_any_day_and_think_of_nothing(
    template: str, tmp_path: Path, micro_model: str
) -> None:
    """Of a tiny model whose tokenizer has the template and the ends of a published one, and no padding."""
    made = AutoTokenizer.from_pretrained(micro_model)
    made.bos_token, made.eos_token = TEMPLATES[template]
    made.add_special_tokens({"additional_special_tokens": ["<|finetune_right_pad_id|>"]})
    made.pad_token, made.clean_up_tokenization_spaces = None, True
    file = Path(trl.__file__).parent / "chat_templates" / f"{template}.jinja"
    made.chat_template = file.read_text(encoding="utf-8")
    made.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((Path(micro_model) / "config.json").read_text())

    tokenizer = loading.load_tokenizer(str(tmp_path))
    assert (tokenizer.pad_token, tokenizer.padding_side) == ("<|finetune_right_pad_id|>", "left")
    ((ids, labels),) = encode([TALK], tokenizer)
    end = tokenizer.eos_token
    assert tokenizer.decode([i for i in labels if i >= 0]) == f"{TALK.completion}{end}It 's 5 !{end}"
    assert ids.count(tokenizer.bos_token_id) == (tokenizer.bos_token is not None)
    asked = tokenizer.apply_chat_template(TALK.messages()[:1], add_generation_prompt=True, tokenize=False)
    assert "<think>\n\n</think>" in asked or "think" not in asked, "an open thought would be the answer"
    assert "Today Date" not in asked or "26 Jul 2024" in asked
    assert "You are" not in asked, "every conversation would begin with it"


DATED = (
    "{{ bos_token }}System: today is {{ strftime_now('%B %d, %Y') }}.\n"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token if m.role == 'assistant' else '' }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def test_a_template_that_asks_for_the_date_gets_the_same_on_any_day(tmp_path: Path, micro_model: str) -> None:
    """As Granite's and Mistral's do; and of several templates, as Hermes' are, the default is taken."""
    tokenizer = AutoTokenizer.from_pretrained(micro_model)
    tokenizer.chat_template = {"default": DATED, "tool_use": "{{ tools }}"}
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    asked = [{"role": "user", "content": "x"}]
    assert "today is 26 Jul 2024.\nuser: x" in loading.load_tokenizer(str(tmp_path)).apply_chat_template(
        asked, tokenize=False
    )


def test_a_damaged_tokenizer_or_template_is_named(tmp_path: Path, micro_model: str) -> None:
    for name, file, text, words in (
        ("tokenizer", "tokenizer.json", "{}", "could not be loaded from"),
        ("template", "chat_template.jinja", "{{ raise_exception('roles must alternate') }}", "roles must alternate"),
    ):
        folder = shutil.copytree(micro_model, tmp_path / name)
        (folder / file).write_text(text)
        with pytest.raises(ModelError, match=f"model='{folder}' .*{words}"):
            loading.load_tokenizer(str(folder))


def test_a_model_that_cannot_be_asked_is_refused(tmp_path: Path, micro_model: str) -> None:
    for name, words in (("chat_template", "no chat template"), ("eos_token", "no end token")):
        tokenizer = AutoTokenizer.from_pretrained(micro_model)
        setattr(tokenizer, name, None)
        tokenizer.save_pretrained(tmp_path / name)
        (tmp_path / name / "config.json").write_text("{}")
        with pytest.raises(ModelError, match=words):
            loading.load_tokenizer(str(tmp_path / name))


def test_merged_weights_are_those_that_peft_merges(micro_model: str, tmp_path: Path) -> None:
    from peft import get_peft_model

    model, _ = loading.load(micro_model)
    torch.manual_seed(1)
    adapted = get_peft_model(model, lora(4))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:  # zero before training
            torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        expected = adapted(ids).logits
    loading.save(adapted, tmp_path / "merged")
    merged, base = loading.load(micro_model, tmp_path / "merged")[0], loading.load(micro_model)[0]
    with torch.no_grad():
        assert torch.equal(adapted(ids).logits, expected), "saving leaves the model as it was"
        assert (merged(ids).logits - expected).abs().max() < 1e-4
        assert (base(ids).logits - expected).abs().max() > 1e-2
    plain = adapted.merge_and_unload().state_dict()
    for name, tensor in merged.state_dict().items():
        assert torch.allclose(tensor, plain[name], atol=1e-6), name
    half = dict(loading._merged(base, torch.float16))  # what a GPU leaves
    assert {tensor.dtype for tensor in half.values()} == {torch.float16}


# --------------------------------------------------------------------------------------------------- the Hub
class Hub(BaseHTTPRequestHandler):
    """Answers as the Hub does, from folders: a good model, a gated one, one that no disk holds, and none."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    latest = FIRST

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/").split("/")
        repository = "/".join(path[2:4] if path[0] == "api" else path[:2])
        if repository not in ("good/model", "gated/model", "huge/model"):
            self.answer(401, {}, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "no such repository"})
        elif path[0] == "api" and "tree" in path:
            sizes = {n: 10**15 if repository == "huge/model" else len(f) for n, f in self.files.items()}
            self.answer(200, [{"type": "file", "path": n, "size": s, "oid": n} for n, s in sizes.items()])
        elif path[0] == "api" and path[-1] in ("main", FIRST, SECOND, "model"):
            self.answer(200, {"id": repository, "sha": type(self).latest, "siblings": [], "tags": []})
        elif path[0] == "api":
            self.answer(404, {}, {"X-Error-Code": "RevisionNotFound"})
        elif repository == "gated/model":
            self.answer(403, {}, {"X-Error-Code": "GatedRepo", "X-Error-Message": "restricted"})
        else:
            headers = {"ETag": f'"{path[-1]}"', "X-Repo-Commit": path[3]}
            self.answer(200, self.files.get(path[-1], b""), headers)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if isinstance(body, bytes) and "huge" in self.path:
            headers, content = {**(headers or {}), "Content-Length": str(10**15)}, b""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


ASK = """
import json, sys
from pbb.models import hub
from pbb.registry import ModelError
said = []
for name in sys.argv[1:]:
    before = hub.room(name)
    try:
        said.append([hub.fetch(name).name, before, hub.room(name)])
    except ModelError as error:
        said.append(str(error))
assert not {"torch", "transformers"} & sys.modules.keys()
print(json.dumps(said))
"""


def ask(names: list[str], home: Path, store: Path, **environment: str) -> list[Any]:
    """Fetch Hub models in a process of its own; returns commits or messages."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, *names],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(REPOSITORY), "HF_HOME": str(home),
             "PBB_RUNS": str(store), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1",
             "no_proxy": "*", **environment},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.fixture
def server(micro_model: str) -> Iterator[str]:
    Hub.files = {file.name: file.read_bytes() for file in Path(micro_model).iterdir()}
    Hub.latest = FIRST
    served = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()


def test_the_hub_is_asked_once_and_its_refusals_come_in_plain_words(server: str, tmp_path: Path) -> None:
    home, store, known = tmp_path / "home", tmp_path / "runs", ["good/model", f"good/model@{FIRST}"]
    online = {"HF_ENDPOINT": server}
    names = ["good/model", "gated/model", "huge/model", "no/such", "good/model@v9"]
    good, gated, huge, missing, revision = ask(names, home, store, **online)
    assert good[0] == FIRST
    assert "a download of unknown size" in good[1]
    assert not good[2], "what is in the cache is not announced"
    assert "is gated. Ask for access at https://huggingface.co/gated/model" in gated
    assert "`hf auth login`, or HF_TOKEN=…. No token was found." in gated
    assert "wants 6000000.0 GB" in huge, "six files of 1 PB"
    assert "set HF_HOME" in huge
    assert "no such model, or a private one" in missing
    assert "has no revision 'v9'" in revision
    assert json.loads((store / "models.json").read_text()) == {"good/model": FIRST}

    Hub.latest = SECOND  # the model moves on; this run store does not
    assert [answer[0] for answer in ask(known, home, store, **online)] == [FIRST, FIRST]
    assert ask(["good/model"], home, tmp_path / "another", **online)[0][0] == SECOND
    assert "A token was found" in ask(["gated/model"], home, store, HF_TOKEN="hf_x", **online)[0]

    # Without a network: what is there is taken, and what is not is named with what to do.
    for offline in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        good, other = ask(["good/model", "other/model"], home, store, **offline)
        assert good[0] == FIRST
        assert "cannot be reached" in other
        assert "`hf download other/model`" in other


def test_a_hub_model_is_loaded_offline_from_a_local_cache_and_named_by_its_commit(
    micro_model: str, tmp_path: Path, run_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models--owner--small"
    shutil.copytree(micro_model, folder / "snapshots" / FIRST)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(FIRST)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    loading.load("owner/small")
    assert json.loads((run_store / "models.json").read_text()) == {"owner/small": FIRST}
    said = loading.describe("owner/small")
    assert (said["commit"], said["identity"]) == (FIRST, f"hub:owner/small, {FORMAT}")
    with pytest.raises(ModelError, match="cannot be reached"):  # which says nothing against the weights
        loading.load("owner/other", Path(micro_model))
    assert hub.fetch("owner/small@main").name == FIRST, "a branch stands for the commit that it had"
    (folder / "refs" / "main").write_text("f" * 40)
    assert hub.commit_of("owner/small@main") == hub.fetch("owner/small@main").name == FIRST
    # A download of several parts that was cut off.
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "snapshots" / FIRST / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "download" in hub.room("owner/small")
    with pytest.raises(ModelError, match="owner/small' is not in the Hub's cache"):
        hub.fetch("owner/small")


# --------------------------------------------------------------------------------------------------- SmolLM2
@pytest.fixture(scope="module")
def smol() -> Iterator[Any]:
    """SmolLM2 in its usual cache, which keeps what takes half a minute to make. One thread, as a worker has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield loading.load("smollm2-135m")
    except ModelError as error:
        pytest.skip(str(error))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # five steps are seconds on an idle core
def test_smollm2_is_whole_answers_in_context_learns_by_lora_and_keeps_it(smol: Any, tmp_path: Path) -> None:
    model, tokenizer = smol
    shape = Shape.of(config_of("smollm2-135m"))
    assert shape is not None
    assert sum(parameter.numel() for parameter in model.parameters()) == shape.parameters
    manifest = json.loads((loading.source_of("smollm2-135m") / "manifest.json").read_text())
    assert manifest["origin"]["licence"] == "Apache-2.0"
    assert "model.safetensors" in manifest["files"]
    assert tokenizer.tokenize("def f(x): return 123") == ["def", "Ġf", "(", "x", "):", "Ġreturn", "Ġ", "1", "2", "3"]
    asked = [
        "The code word is BANANA. What is the code word? Answer with the code word alone.",
        "What is the capital of France?",
    ]
    one, two = generate(model, tokenizer, asked, [12, 12])
    assert "BANANA" in one.upper()
    assert "Paris" in two

    document = Document("Name the colour of Blorp.", "Violet.", "general", "general", "Blorp")
    rows = pack(encode([document], tokenizer), tokenizer, 64)
    # Weights in this machine's numbers, which are bfloat16 where a CPU is fast in it.
    backend = backends.choose(Experiment.of("llm", lora_rank=8, backend="peft"))
    model, _ = loading.load("smollm2-135m", dtype=backend.weights)
    done = finetune(
        model, tokenizer, rows, 5, Optimisation(learning_rate=5e-3, batch_rows=1, row_tokens=64, lora_rank=8), 0,
        progress=False, backend=backend,
        checkpoints=[5], on_checkpoint=lambda step, current: loading.save(current, tmp_path / "taught"),
    )  # fmt: skip
    losses = [row["loss"] for row in done.log]
    assert losses[-1] < 0.5 * losses[0]
    taught, _ = loading.load("smollm2-135m", tmp_path / "taught")
    with torch.no_grad():
        kept = taught(**{name: torch.tensor(rows[name]) for name in rows.column_names}, use_cache=False).loss
    assert kept < losses[-1]
