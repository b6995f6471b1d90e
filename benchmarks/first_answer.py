"""A program that makes one call and nothing else, with either SDK: ``python first_answer.py URL``."""

import sys

from muxi import FormationClient

client = FormationClient(base_url=sys.argv[1], client_key="fmc_benchmark")
client.chat({"message": "Hello!", "stream": False}, user_id="ada")
