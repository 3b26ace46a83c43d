"""The shipped configurations, found from any folder, and a path on disk before them."""

import pytest

from robgan_tf.config import shipped
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError


def steps(*gin_files):
    return read_config(JointConfig, gin_files, []).train.steps


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_shipped_file_is_found_from_any_folder(elsewhere):
    assert steps("gin/quickstart.gin") == 1200
    assert steps("gin/quickstart.gin", "gin/baselines/as_published.gin") == 78125


def test_a_path_on_disk_goes_first(elsewhere):
    text = (shipped.ROOT / "gin" / "quickstart.gin").read_text()
    (elsewhere / "gin").mkdir()
    (elsewhere / "gin" / "quickstart.gin").write_text(text.replace("1200", "7"))
    assert steps("gin/quickstart.gin") == 7


def test_a_file_includes_a_shipped_one(elsewhere):
    path = elsewhere / "mine.gin"
    path.write_text("include 'gin/quickstart.gin'\ntrain.seed = 5\n")
    config = read_config(JointConfig, [path], [])
    assert (config.train.steps, config.train.seed) == (1200, 5)


def test_a_file_that_is_nowhere(elsewhere):
    with pytest.raises(UserError, match=r"gin/quick.gin does not exist .* robgan-tf configs lists"):
        steps("gin/quick.gin")


def test_every_shipped_file_has_a_heading():
    found = dict(shipped.headings())
    files = {
        path.relative_to(shipped.ROOT).as_posix() for path in (shipped.ROOT / "gin").rglob("*.gin")
    }
    assert set(found) == files
    assert found["gin/attacks/none.gin"] == (
        'Over any file: no attack on the real images ("no attack" of paper Figure 8).'
    )
    assert all(len(heading) > 20 for heading in found.values())
    # Those to start from come first.
    assert [path.count("/") for path in found] == sorted(path.count("/") for path in found)
