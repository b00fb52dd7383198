"""What the settings of a model tell of it: the only place in which stages are matched with models."""

from __future__ import annotations

from textvae.config import Component


def has_code(model: Component) -> bool:
    """Whether a model with these settings has a code z; a language model has none.

    >>> from textvae.models import LanguageModelConfig, TextVAEConfig
    >>> [has_code(model) for model in (TextVAEConfig(), LanguageModelConfig())]
    [True, False]
    """
    return model.kind != "language_model"


def has_label(model: Component) -> bool:
    """Whether a model with these settings has a label beside z, which has to be inferred too.

    >>> from textvae.models import SemiSupervisedConfig, TextVAEConfig
    >>> [has_label(model) for model in (TextVAEConfig(), SemiSupervisedConfig())]
    [False, True]
    """
    return model.kind == "semi_supervised"


def has_density(model: Component) -> bool:
    """Whether codes of a model with these settings have a density q(z|x); True where it has no codes.

    >>> from textvae.models import TextVAEConfig
    >>> has_density(TextVAEConfig()), has_density(TextVAEConfig(posterior={"kind": "stein"}))
    (True, False)
    """
    from textvae.models import support

    return not has_code(model) or support.has_density(model.posterior)  # type: ignore[attr-defined]
