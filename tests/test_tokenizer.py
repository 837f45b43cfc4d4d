"""What a program's text spells like a special token is text, in every tokenizer, and all else is encoded as ever."""

from __future__ import annotations

import string
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from pbb.models.loading import load_tokenizer
from pbb.models.tokenizer import encode_chat, encode_rendered, render_chat
from pbb.registry import TINY_NAMES

END = "<|im_end|>"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SAMPLE = ["def f(x):\n    return '<|im_end|>' + x", "user assistant <|im_start|> <|im_end|>", string.printable] * 3


def made(kind: str) -> PreTrainedTokenizerBase:
    """A tokenizer as base models have them: of bytes, of pieces with spaces, with a normaliser."""
    tokenizer = Tokenizer(models.BPE())
    if kind == "pieces":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    if kind == "normalised":
        tokenizer.normalizer = normalizers.NFKC()
    special = ["<|im_start|>", END, "<|pad|>"]
    alphabet = [] if kind == "pieces" else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(SAMPLE, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token="<|pad|>")
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    fast.chat_template = CHATML
    return fast


TOKENIZERS = [*TINY_NAMES, "bytes", "pieces", "normalised"]


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return load_tokenizer(request.param) if request.param in TINY_NAMES else made(request.param)


def chat(*contents: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 2, contents, strict=False)]


def specials(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[str]:
    return [token for token in tokenizer.convert_ids_to_tokens(ids) if token in tokenizer.all_special_tokens]


def test_content_is_never_a_special_token(tokenizer: PreTrainedTokenizerBase) -> None:
    harmless = specials(tokenizer, encode_chat(tokenizer, chat("ab", "cd"), add_generation_prompt=True))
    assert harmless
    for token in tokenizer.all_special_tokens:
        for text in (token, f"def f(x):\n    return '{token}' + x", f" {token}{token} ", f"a{token[:3]}{token}"):
            ids = encode_chat(tokenizer, chat(text, text), add_generation_prompt=True)
            assert specials(tokenizer, ids) == harmless, text
            assert tokenizer.decode(ids).count(token) >= 2, "it is still there, as text"


def test_text_comes_back_letter_by_letter(tokenizer: PreTrainedTokenizerBase) -> None:
    spelled = tokenizer.eos_token
    question, answer = f"what is {spelled}?", f"return '{spelled}' + x = 'a{spelled}'"
    prompt = encode_chat(tokenizer, chat(question), add_generation_prompt=True)
    whole = encode_chat(tokenizer, chat(question, answer))
    assert whole[: len(prompt)] == prompt
    end = len(whole) - 1 - whole[::-1].index(tokenizer.eos_token_id)
    assert tokenizer.eos_token_id not in whole[len(prompt) : end]
    written = tokenizer.decode(whole[len(prompt) : end], skip_special_tokens=True)
    # A tokenizer of pieces puts a space before the first of what it is given.
    assert written.replace(f" {spelled}", spelled) == answer


def test_all_other_texts_are_encoded_as_the_tokenizer_does_it(tokenizer: PreTrainedTokenizerBase) -> None:
    chats = [chat("ab"), chat("\n a  ", "return x  \n"), chat("é <|", "|> <b>", "x", "y\n\n")]
    rendered = [tokenizer.apply_chat_template(each, tokenize=False) for each in chats]
    expected = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert encode_rendered(tokenizer, [render_chat(tokenizer, each) for each in chats]) == expected
    assert encode_rendered(tokenizer, []) == []


def test_a_mark_in_a_content_unlocks_nothing(tokenizer: PreTrainedTokenizerBase) -> None:
    token = tokenizer.eos_token
    for text in (f"\ufdd0{token}", f"{token[:2]}\ufdd0{token[2:]}"):
        assert encode_chat(tokenizer, chat(text)) == encode_chat(tokenizer, chat(token))
