"""What an update of stage 2 minimises, as settings."""

import dataclasses

from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.losses.objective.adversarial_training import AdversarialTraining
from robgan_tf.losses.training_objective import TrainingObjective


@dataclasses.dataclass(frozen=True)
class FinetuneObjective:
    """What an update minimises.

    Attributes:
      generated_weight: lambda of equation (6).
      generated_label_smoothing: probability shared out evenly, on generated images.
      lipschitz_weight: lambda of equations (4) and (5).
      warmup_steps: steps over which the attack's radius grows linearly from 0; 0 for none.
      free: free adversarial training, as in `TrainingAdversary`.
      label_smoothing: probability shared out evenly, on real images.
      loss: the TrainingObjective: what the attack maximises and the update minimises, per sample.
      weight_perturbation: gamma of adversarial weight perturbation, as in
        `training.weight_perturbation`; 0 for none.
      weight_perturbation_warmup_steps: first steps, which are made without it.
    """

    generated_weight: float = 0.5
    generated_label_smoothing: float = 0.0
    lipschitz_weight: float = 0.0
    warmup_steps: int = 0
    free: bool = False
    label_smoothing: float = 0.0
    loss: TrainingObjective = dataclasses.field(default_factory=AdversarialTraining)
    weight_perturbation: float = 0.0
    weight_perturbation_warmup_steps: int = 0

    def check(self, attack: TrainingAttack) -> None:
        """Raises ValueError unless an attack can be made on this objective."""
        name = type(self.loss).__name__
        if self.loss.uses_clean and not attack.steps:
            raise ValueError(
                f"{name} compares clean with attacked images and needs an attack, but "
                "ProjectedGradientDescent.steps is 0"
            )
        if self.loss.start_deviation is not None and not attack.takes_start:
            raise ValueError(
                f"{name} says where its attack starts, which {type(attack).__name__} does not take"
            )
        if self.free:
            self._check_free(attack, name)

    def check_accumulation(self) -> None:
        """Raises ValueError if an update needs its whole batch at once."""
        if self.free:
            raise ValueError(
                "free adversarial training moves the images of a whole batch by the gradient of "
                "each update: bind finetune.free = False or finetune.accumulation_steps = 1"
            )
        if self.weight_perturbation:
            raise ValueError(
                "weight perturbation takes a second gradient of the whole batch: bind "
                "finetune.weight_perturbation = 0 or finetune.accumulation_steps = 1"
            )

    def perturbs_weights(self, step: int) -> bool:
        """Whether a step (counted from 1) is made with weight perturbation."""
        return self.weight_perturbation > 0.0 and step > self.weight_perturbation_warmup_steps

    def _check_free(self, attack: TrainingAttack, name: str) -> None:
        attack.check_free()
        if not self.loss.free:
            raise ValueError(
                "free adversarial training moves images by the gradient of the update's own loss, "
                f"which is not what the attack of {name} maximises: bind finetune.free = False"
            )
        if self.weight_perturbation:
            raise ValueError(
                "free adversarial training makes one backward pass an update and weight "
                "perturbation two: bind finetune.free = False or finetune.weight_perturbation = 0"
            )
