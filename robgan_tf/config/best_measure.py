"""What may choose the best checkpoint: any number of a measure of which more or less is better."""

from typing_extensions import override

from robgan_tf.choices import MEASURES, Choices

NONE = "none"


class BestMeasures(Choices):
    """The kinds of numbers that measures give, such as "fid", and "none".

    A measure's module must be imported to know the kinds that it gives; none of this package's own
    needs TensorFlow.
    """

    @override
    def shipped(self) -> tuple[str, ...]:
        return NONE, *self._kinds(MEASURES.shipped())

    @override
    def names(self) -> tuple[str, ...]:
        return NONE, *self._kinds(MEASURES.names())

    @override
    def described(self) -> dict[str, str]:
        lines = MEASURES.described()
        return {kind: lines[measure] for measure in lines for kind in self._kinds((measure,))}

    @override
    def __contains__(self, name: object) -> bool:
        return name in self.shipped() or name in self.names()

    def _kinds(self, measures: tuple[str, ...]) -> list[str]:
        return [
            kind
            for name in measures
            for kind, number in MEASURES.get(name).numbers.items()
            if number.better is not None
        ]


BEST_MEASURES = BestMeasures(MEASURES.folder, MEASURES.noun, MEASURES.contract)
