"""PreActResNet-18 (He et al., 2016), the authors' CIFAR classifier."""

from typing_extensions import override

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.models.building import build_model
from robgan_tf.models.classifier_network import ClassifierNetwork
from robgan_tf.models.network import Network
from robgan_tf.models.preact_resnet import PreActResNet18


class PreAct(ClassifierNetwork):
    """`PreActResNet18`, with the settings of that name."""

    @override
    def build(self, config: FinetuneConfig, precision: str, name: str) -> Network:
        return build_model(PreActResNet18, config.preact_resnet18, config.data, precision, name)


CHOICE = PreAct()
