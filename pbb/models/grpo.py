"""Reinforcement learning with TRL's GRPO: questions in, weights out, with a reward for exact answers.

Each question gets a group of sampled completions. A completion's reward is 1 where the parsed answer is right, as in
evaluation, and 0 otherwise; what makes it more or less likely is how it compares with its own group, so that a group
in which all are right or all are wrong teaches nothing. What a model writes is parsed, and never executed.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import GRPOConfig, GRPOTrainer

from pbb.experiments.documents import Document, parse_answer
from pbb.experiments.experiment import GrpoLoss
from pbb.experiments.groups import Group
from pbb.experiments.leakage import guarded
from pbb.models import sft
from pbb.models.backends import Backend
from pbb.models.sft import Checkpoint
from pbb.programs.domains import accepts


@dataclass(frozen=True)
class PolicyOptimisation:
    """How a stage is trained by rewards. A step is `completions` sampled completions, `group_size` of each question."""

    learning_rate: float = 1e-4
    completions: int = 64  # more are steadier, and cost as much more
    group_size: int = 8  # more find rare right answers, and leave room for fewer questions
    temperature: float = 1.0  # lower, and a group's completions are all the same
    max_completion_length: int = 64  # tokens; the longest right completion must fit
    beta: float = 0.0  # weight of staying close to the model before; 0 spares that model's passes
    loss_type: GrpoLoss = "dapo"  # how the tokens of long and short completions are weighed
    warmup: float = 0.05  # share of the steps
    weight_decay: float = 0.0
    lora_rank: int = 0  # 0 trains all weights, which is cheapest for tiny models

    def questions(self, steps: int) -> int:
        """Return how many questions `steps` steps ask; a question that is drawn twice counts twice."""
        return steps * self.completions // self.group_size


@dataclass(frozen=True)
class PolicyTraining(sft.Training):
    """What a training was; `log` has means since the row before. Tokens are counted without padding.

    Those trained on are of prompts and completions that went forward and backward; loss falls on completions alone.
    """

    questions: int
    tokens_generated: int
    tokens_trained: int


def question_rows(
    documents: Iterator[Document], group: Group, tokenizer: PreTrainedTokenizerBase, count: int, longest: int
) -> Dataset:
    """Return the next `count` questions of a stream, with columns prompt (chat messages), program, input, answer_mode.

    `group` says what may be asked; a completion may have `longest` tokens, its end with it.

    Raises:
        LeakageError: a question is about another program, or about an input that is held out.
        ValueError: a document is no execution, or a right completion would be too long.
    """
    # The stage's documents were guarded already; here by what the reward is going to judge.
    asked = list(itertools.islice(guarded(documents, [group]), count))
    if other := next((document for document in asked if document.kind != "execution"), None):
        raise ValueError(
            f"documents: a {other.kind} document has no answer to reward: {other.prompt!r}; valid: execution documents"
        )
    targets = list({document.completion for document in asked})
    needed = max(len(ids) for ids in tokenizer(targets, add_special_tokens=False)["input_ids"]) + 1
    if needed > longest:
        raise ValueError(
            f"max_completion_length={longest} is too short for a right completion; valid: {needed} or more (of an "
            "experiment it is the field grpo_length)"
        )
    rows = [
        {"prompt": d.messages()[:1], "program": d.program, "input": d.input, "answer_mode": d.answer_mode}
        for d in asked
    ]
    return Dataset.from_list(rows)


class ExactMatch:
    """The reward, as TRL calls it: 1.0 for a right answer, else 0.0. Counts the tokens that were generated."""

    __name__ = "exact_match"

    def __init__(self, group: Group, tokenizer: PreTrainedTokenizerBase) -> None:
        self.programs = {program.name: program for program in group.programs}
        self.tokenizer = tokenizer
        self.generated = 0

    def __call__(
        self,
        completion_ids: Sequence[Sequence[int]],
        program: Sequence[str],
        input: Sequence[str],
        answer_mode: Sequence[str],
        **_: Any,
    ) -> list[float]:
        self.generated += sum(map(len, completion_ids))
        texts = self.tokenizer.batch_decode(completion_ids, skip_special_tokens=True)
        parsed = map(parse_answer, texts, answer_mode)
        return [
            float(answer is not None and accepts(self.programs[name], asked, answer))
            for answer, name, asked in zip(parsed, program, input, strict=True)
        ]


def _measured(logs: dict[str, float], reward: ExactMatch) -> dict[str, float]:
    """Return what `PolicyTraining.log` has beside step, loss and rate, of what TRL logs."""
    return {
        "reward": logs["reward"],
        "spread": 1 - logs["frac_reward_zero_std"],  # share of the groups with more than one reward, which teach
        "completion_length": logs["completions/mean_length"],  # tokens, with the end
        "cut_off": logs["completions/clipped_ratio"],  # share of the completions without an end
        "entropy": logs["entropy"],  # nats a token
        "tokens_generated": reward.generated,  # so far
        "tokens_trained": int(logs["num_tokens"]),
    }


def reinforce(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    documents: Iterator[Document],
    group: Group,
    steps: int,
    optimisation: PolicyOptimisation,
    seed: int,
    *,
    checkpoints: Sequence[int] = (),
    on_checkpoint: Checkpoint = lambda step, model: None,
    progress: bool = True,
    backend: Backend | None = None,
) -> PolicyTraining:
    """Train `model` in place for `steps` steps on the questions of a stage's stream, in its order.

    The same seed and stream give the same weights on one CPU.

    Raises:
        LeakageError: a question is about a program outside `group`, or about an input that is held out.
        ValueError: see `question_rows`; or sizes do not divide each other, as GRPOConfig wants it.
    """
    o = optimisation
    rows = question_rows(documents, group, tokenizer, o.questions(steps), o.max_completion_length)
    reward = ExactMatch(group, tokenizer)
    reporter = sft.Reporter(checkpoints, on_checkpoint, lambda logs: _measured(logs, reward))
    with tempfile.TemporaryDirectory() as folder:  # the trainer wants one; nothing in it is kept
        arguments = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=o.completions,
            num_generations=o.group_size,
            generation_batch_size=o.completions,
            max_completion_length=o.max_completion_length,
            temperature=o.temperature,
            beta=o.beta,
            loss_type=o.loss_type,
            scale_rewards="group",
            logging_steps=max(1, steps // 20),
            mask_truncated_completions=False,  # TRL's default, and not Unsloth's
            **sft.settings(o, steps, seed, progress, backend),
        )
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=reward,
            args=arguments,
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=sft.new_adapters(model, o.lora_rank, seed),
            callbacks=[reporter],
        )
        seconds, precision = sft.train(trainer, progress, backend)
    counts = (len(rows), reward.generated, int(trainer.state.num_input_tokens_seen))
    return PolicyTraining(reporter.log, seconds, str(model.device), precision, *counts)
