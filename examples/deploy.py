"""Deploy a formation from a folder, look at it, and talk to it through the server.

    python examples/deploy.py path/to/my-bot

Where the server is comes from the environment: MUXI_SERVER_URL, MUXI_KEY_ID and MUXI_SECRET_KEY; the formation's key
from MUXI_CLIENT_KEY. Without a path, a formation that only has a name is made and deployed. MUXI_TRANSPORT=memory tries
it without a server.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from muxi import ConflictError, MuxiError, ServerClient
from muxi.bundles import prepare


def make_formation(folder: Path) -> Path:
    """A formation file is all that a folder needs."""
    (folder / "formation.afs").write_text("id: my-bot\nversion: 1.0.0\ndescription: A bot to try things out with.\n")
    return folder


def show(sent: int, total: int) -> None:
    print(f"sent {100 * sent // total} %")


def deploy(server: ServerClient, folder: Path) -> None:
    # Packs the folder and refuses what the server would refuse, before anything is sent.
    bundle = prepare(folder, progress=show)
    formation_id, version = bundle.identity
    try:
        deployed = server.deploy_formation(bundle)
        print(f"{formation_id} {version} is {deployed['status']} on port {deployed['port']}")
    except ConflictError:
        updated = server.update_formation(formation_id, bundle)
        print(f"{formation_id} is now at {version}: {updated['message']}")
    # The formation, over the connections of the server client.
    with server.formation(formation_id) as formation:
        print(f"it says: {formation.chat('Hello!', user_id='ada')['message']['content']}")


def main() -> int:
    try:
        with tempfile.TemporaryDirectory() as made, ServerClient() as server:
            print(f"the server answers after {server.ping()} ms")
            deploy(server, Path(sys.argv[1]) if len(sys.argv) > 1 else make_formation(Path(made)))
    except MuxiError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
