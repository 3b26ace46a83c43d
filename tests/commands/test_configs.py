"""The list of shipped configurations, as a user gets it."""

from robgan_tf.config import shipped
from tests import in_process


def test_every_configuration_is_listed_with_its_heading():
    ended = in_process.run("configs")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    paths = [line for line in lines if not line.startswith(" ")]
    assert paths == [path for path, _ in shipped.headings()]
    assert "gin/quickstart.gin" in paths and "gin/attacks/none.gin" in paths
    after = lines[lines.index("gin/attacks/none.gin") + 1]
    assert after.strip() == (
        'Over any file: no attack on the real images ("no attack" of paper Figure 8).'
    )
