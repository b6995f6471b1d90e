"""A program that makes one call and nothing else, with either SDK: ``python first_answer.py PORT``."""

import sys

from muxi import FormationClient

client = FormationClient(base_url=f"http://127.0.0.1:{sys.argv[1]}/v1", client_key="fmc_benchmark")
client.chat({"message": "Hello!", "stream": False}, user_id="ada")
