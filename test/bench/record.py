"""A recorder for mitmdump: a JSON file for each exchange, with the bodies parsed, as insight-dump's usage addon writes it.

Where the server is, and where records go, comes by the environment: BENCH_SERVER_PORT and BENCH_RECORDS.
"""
import json
import os
from datetime import datetime, timezone

SERVER = ("127.0.0.1", int(os.environ["BENCH_SERVER_PORT"]))
RECORDS = os.environ["BENCH_RECORDS"]
SECRET = {"authorization", "proxy-authorization", "cookie", "set-cookie"}


def server_connect(data):
    data.server.address = SERVER


def headers(message):
    return {name: value for name, value in message.headers.items() if name.lower() not in SECRET}


def content(message):
    text = message.get_text(strict=False) or ""
    if message.headers.get("content-type", "").startswith("text/event-stream"):
        events = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
        return [json.loads(event) for event in events if event != "[DONE]"]
    try:
        return json.loads(text)
    except ValueError:
        return text


def response(flow):
    if not flow.request.path.endswith("/completions"):
        return
    user = (flow.metadata.get("proxyauth") or ("anonymous", ""))[0]
    kind = "completions" if flow.request.path.endswith("/completions") and "/engines/" in flow.request.path else "chat"
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%S.%f")
    machine = flow.request.headers.get("vscode-machineid", "-")[:10]
    editor = flow.request.headers.get("editor-version", "-").replace("/", "%2F")
    client = flow.client_conn.peername[0]
    record = {
        "proxy-authorization": user,
        "timestamp": now,
        "proxy-time-consumed": f"{(flow.response.timestamp_end - flow.request.timestamp_start) * 1000:.2f}ms",
        "request": {
            "url": flow.request.url,
            "method": flow.request.method,
            "headers": headers(flow.request),
            "content": content(flow.request),
        },
        "response": {
            "status_code": flow.response.status_code,
            "headers": headers(flow.response),
            "content": content(flow.response),
        },
    }
    folder = os.path.join(RECORDS, user, kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{now}_{machine}_{client}_{editor}.json"), "w") as file:
        json.dump(record, file, indent=2)
