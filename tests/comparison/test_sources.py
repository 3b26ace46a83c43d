"""What comparisons read of runs, and of records of runs."""

import json
import pathlib

from robgan_tf.comparison.measures import find_measure
from robgan_tf.comparison.run import Run
from robgan_tf.comparison.sources import read_run

OLD_RUN = pathlib.Path(__file__).parents[1] / "tiny_run" / "tuned"


def test_old_and_new_runs_and_records_are_compared_by_the_present_names(tmp_path):
    record = tmp_path / "0.json"
    curves = {"step": [1, 2], "accuracy/real_attacked": [0.25, 0.5]}
    record.write_text(json.dumps({"config": {}, "last_step": 2, "curves": curves}))
    new = tmp_path / "new"
    new.mkdir()
    (new / "config.json").write_text("{}")
    (new / "metrics.jsonl").write_text('{"step": 1, "accuracy_class/attacked": 0.75}\n')
    runs = []
    for path in (OLD_RUN, record, new):
        config, records, _ = read_run(path)
        runs.append(Run(path.name, path.name, config, records))
    name = find_measure("accuracy_class/attacked", runs)
    assert [run.records[-1][name] for run in runs[1:]] == [0.5, 0.75]
    stored = json.loads((OLD_RUN / "metrics.jsonl").read_text().splitlines()[-1])
    assert runs[0].records[-1][name] == stored["accuracy/real_attacked"]
