"""A batch on a local Ray, over the adapter of the examples; one worker process is killed. Arguments: URL, folder."""

import json
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "examples"))

import ray  # noqa: E402  after the path is set
from ray_executor import RayExecutor  # noqa: E402

from muxi import FormationClient, FormationConfig, batch  # noqa: E402


def meet(pipe, mode):
    """Return the id of a worker's process, once another worker has opened the other end of the pipe."""
    # Opening a named pipe waits for its other end: the two tasks cannot run in one process after another.
    with Path(pipe).open(mode):
        return os.getpid()


def main(url, folder):
    """Run the batch, and print what came of it."""
    ray.init(
        num_cpus=3,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": f"{ROOT}:{ROOT / 'examples'}"}},
    )
    pipe = Path(folder, "meeting")
    os.mkfifo(pipe)
    pids = ray.get([ray.remote(meet).remote(str(pipe), mode) for mode in "rw"])
    calls = [FormationClient.chat.call(f"message {number}", user_id="ada") for number in range(60)]
    results, lost = {}, 0
    settings = {
        "executor": RayExecutor(),
        "concurrency": 6,
        "journal": str(Path(folder, "run.jsonl")),
        "runs_once": True,
    }
    with batch.run(calls, FormationConfig(url=url), **settings) as running:
        for result in running:
            results[result.position] = "ok" if result.ok else result.error.code
            if len(results) == 15:
                os.kill(pids[0], signal.SIGKILL)
    # What the killed worker had is sent again with the same key.
    for result in batch.run(calls, FormationConfig(url=url), **settings):
        lost += not result.ok
    print(json.dumps({"results": results, "lost": lost, "workers": len(set(pids))}))
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
