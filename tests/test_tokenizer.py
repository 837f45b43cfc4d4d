"""What a program's text spells like a special token is text, in every tokenizer, and all else is encoded as ever."""

from __future__ import annotations

import string
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from pbb.models.loading import CHATML, load_tokenizer
from pbb.models.tokenizer import encode_rendered, render_chat
from pbb.registry import TINY_NAMES

END = "<|im_end|>"
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
    fast.chat_template = CHATML.replace("message['content'] +", "(message['content'] | trim) +")
    return fast


@pytest.fixture(params=["tiny-s", "bytes", "pieces", "normalised"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return load_tokenizer(request.param) if request.param in TINY_NAMES else made(request.param)


def chat(*contents: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 2, contents, strict=False)]


def encoded(tokenizer: PreTrainedTokenizerBase, *contents: str, asked: bool = False) -> list[int]:
    return encode_rendered(tokenizer, [render_chat(tokenizer, chat(*contents), asked)])[0]


def test_content_is_never_a_special_token_and_comes_back_letter_by_letter(tokenizer: PreTrainedTokenizerBase) -> None:
    def specials(ids: list[int]) -> list[str]:
        return [token for token in tokenizer.convert_ids_to_tokens(ids) if token in tokenizer.all_special_tokens]

    harmless = specials(encoded(tokenizer, "ab", "cd", asked=True))
    assert harmless
    for token in tokenizer.all_special_tokens:
        for text in (token, f"def f(x):\n    return '{token}' + x", f" {token}{token} ", f"a{token[:3]}{token}"):
            ids = encoded(tokenizer, text, text, asked=True)
            assert specials(ids) == harmless, text
            assert tokenizer.decode(ids).count(token) >= 2, "it is still there, as text"
    spelled = tokenizer.eos_token
    question, answer = f"what is {spelled}?", f"return '{spelled}' + x = 'a{spelled}'"
    prompt, whole = encoded(tokenizer, question, asked=True), encoded(tokenizer, question, answer)
    assert whole[: len(prompt)] == prompt
    end = len(whole) - 1 - whole[::-1].index(tokenizer.eos_token_id)
    assert tokenizer.eos_token_id not in whole[len(prompt) : end]
    written = tokenizer.decode(whole[len(prompt) : end], skip_special_tokens=True)
    # A tokenizer of pieces puts a space before the first of what it is given.
    assert written.replace(f" {spelled}", spelled) == answer
    for text in (f"\ufdd0{spelled}", f"{spelled[:2]}\ufdd0{spelled[2:]}"):
        assert encoded(tokenizer, text) == encoded(tokenizer, spelled), "a mark in a content unlocks nothing"


def test_all_other_texts_are_encoded_as_the_tokenizer_does_it(tokenizer: PreTrainedTokenizerBase) -> None:
    chats = [chat("ab"), chat("\n a  ", "return x  \n"), chat("é <|", "|> <b>", "x", "y\n\n")]
    rendered = [tokenizer.apply_chat_template(each, tokenize=False) for each in chats]
    expected = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert encode_rendered(tokenizer, [render_chat(tokenizer, each) for each in chats]) == expected
