"""A batch on a local cluster of Dask, one of whose worker processes is killed in the middle. Arguments: URL, folder."""

import json
import os
import signal
import sys
from pathlib import Path

from distributed import Client, LocalCluster

from muxi import FormationClient, FormationConfig, batch
from muxi.call import Call, Repeat


def main(url, folder):
    """Run the batch, and print what came of it."""
    cluster = LocalCluster(
        n_workers=3,
        threads_per_worker=2,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
        local_directory=folder,
    )
    with cluster, Client(cluster) as client:
        workers = {name: worker.pid for name, worker in cluster.workers.items()}
        calls = [FormationClient.chat.call(f"message {number}", user_id="ada") for number in range(80)]
        calls.append(Call("POST", "/notifications", body={"message": "notify"}, repeat=Repeat.NEVER))
        results = {}
        with batch.run(
            calls,
            FormationConfig(url=url),
            executor=client.get_executor(pure=False),
            concurrency=12,
            journal=str(Path(folder, "run.jsonl")),
        ) as running:
            for result in running:
                results[result.position] = "ok" if result.ok else result.error.code
                if len(results) == 20:
                    os.kill(next(iter(workers.values())), signal.SIGKILL)
        again = batch.run(
            calls, FormationConfig(url=url), executor=client.get_executor(), journal=f"{folder}/run.jsonl"
        )
        replayed = sum(result.replayed for result in again)
    print(json.dumps({"results": results, "replayed": replayed, "workers": len(workers)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
