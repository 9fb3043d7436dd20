"""The checks of scim2-tester against a SCIM server. Prints one line of JSON: how many checks ended how, and those that found
something wrong.

    SCIM_URL, TOKEN"""

import json
import os
import sys
from collections import Counter

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

client = Client(
    base_url=os.environ["SCIM_URL"], headers={"Authorization": f"Bearer {os.environ['TOKEN']}"}, timeout=60
)
results = check_server(SyncSCIMClient(client))
fine = {"SUCCESS", "COMPLIANT", "ACCEPTABLE", "SKIPPED"}
counts = Counter(result.status.name.lower() for result in results)
wrong = [
    {"status": result.status.name, "title": result.title, "of": result.resource_type, "why": str(result.reason)[:500]}
    for result in results
    if result.status.name not in fine
]
sys.stdout.write(json.dumps({**counts, "wrong": wrong}) + "\n")
