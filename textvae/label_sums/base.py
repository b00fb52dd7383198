"""The base of label sums: how U(x) = sum_y q(y|x) L(x, y) is computed for a sentence without a label."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from textvae.config import Component


class WeightedLabels(NamedTuple):
    """Labels that stand for all labels of each sentence.

    Attributes:
        label_LB: L labels of each sentence, int64.
        log_weight_LB: log of the weight of each. For any numbers f(y), sum_L weight f(label) is sum_y q(y|x) f(y),
            always or in expectation, and its gradient in the parameters of q likewise.
    """

    label_LB: Tensor
    log_weight_LB: Tensor


class LabelSumSettings(Component):
    """The settings of a label sum, with the traits that other parts read before it is built.

    Attributes:
        unbiased: whether the value and the gradient are right in expectation.
    """

    unbiased: ClassVar[bool] = True

    @abstractmethod
    def decoded(self, labels: int) -> int:
        """Of so many labels, those with which a sentence is decoded."""

    def is_exact(self, labels: int) -> bool:
        """Whether all of so many labels are summed over, so that nothing is drawn."""
        return self.decoded(labels) == labels

    @abstractmethod
    def build(self) -> LabelSum:
        """Build the sum."""


class LabelSum(nn.Module):
    """q(y|x) -> weighted labels, and a baseline that takes noise from what is drawn."""

    def forward(self, log_q_BC: Float[Tensor, "B C"]) -> WeightedLabels:
        """Args:
        log_q_BC: log q(y|x), normalized.
        """
        raise NotImplementedError

    def baseline(
        self,
        chosen: WeightedLabels,
        loss_LB: Float[Tensor, "L B"],
        tokens_B: Int[Tensor, " B"],
    ) -> Float[Tensor, " B"] | None:
        """A number b of each sentence, without a gradient, that does not depend on the labels that were drawn.

        sum_L weight (f - b) + b has the expectation of sum_L weight f, and less noise where b is near f. None where the
        weights always sum to one: there b changes nothing.

        Args:
            chosen: what `forward` gave.
            loss_LB: L(x, y) of each chosen label, nats.
            tokens_B: predicted tokens of each sentence.
        """
        return None
