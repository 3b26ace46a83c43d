"""What metrics were called by earlier versions, whose runs are read, continued and compared."""

# The robust classifier's: joint training called the same quantities otherwise, and so the two
# stages never shared a chart.
FORMER_NAMES = {
    "loss/real_attacked": "loss_discriminator/real_class",
    "loss/generated_attacked": "loss_discriminator/fake_attacked_class",
    "accuracy/real_attacked": "accuracy_class/attacked",
    "accuracy/generated_attacked": "accuracy_class/fake_attacked",
    "lipschitz/real_attacked": "lipschitz_class/attacked",
    "lipschitz/generated_attacked": "lipschitz_class/fake_attacked",
}


def present_names(record: dict) -> dict:
    """A record of metrics.jsonl under the names that metrics have now."""
    return {FORMER_NAMES.get(name, name): value for name, value in record.items()}
