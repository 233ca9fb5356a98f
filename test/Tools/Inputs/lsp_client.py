"""Opens a file in a language server and prints the diagnostics it sends, and
what it shows over a word.

lsp_client.py SERVER FILE [WORD]: the first WORD in a line that is no comment. Speaks the Language Server Protocol (JSON-RPC with
Content-Length headers) on the server's stdin and stdout.
"""

import json
import pathlib
import subprocess
import sys


def send(server: subprocess.Popen, message: dict) -> None:
    """Writes one message."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    server.stdin.flush()


def receive(server: subprocess.Popen) -> dict:
    """The next message; EOFError when the server is gone."""
    length = 0
    while (line := server.stdout.readline()).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if not length:
        raise EOFError("the server sent nothing more")
    return json.loads(server.stdout.read(length))


def position(text: str, word: str) -> dict:
    """Of the first `word` outside comments."""
    for number, line in enumerate(text.splitlines()):
        if word in line and not line.lstrip().startswith("//"):
            return {"line": number, "character": line.index(word)}
    raise ValueError(f"no {word}")


def hover(server: subprocess.Popen, uri: str, at: dict) -> str:
    """What the server shows there."""
    params = {"textDocument": {"uri": uri}, "position": at}
    send(server, {"id": 3, "method": "textDocument/hover", "params": params})
    while (message := receive(server)).get("id") != 3:
        pass
    return message["result"]["contents"]["value"]


def main(command: str, file: str, word: str = "") -> int:
    """Returns the server's exit code after a shutdown as the protocol wants it."""
    path = pathlib.Path(file)
    server = subprocess.Popen(
        [command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    send(server, {"id": 1, "method": "initialize", "params": {"capabilities": {}}})
    print("server:", receive(server)["result"]["serverInfo"]["name"])
    send(server, {"method": "initialized", "params": {}})
    document = {
        "uri": path.resolve().as_uri(),
        "languageId": "mlir",
        "version": 1,
        "text": path.read_text(),
    }
    send(
        server,
        {"method": "textDocument/didOpen", "params": {"textDocument": document}},
    )
    while (message := receive(server)).get(
        "method"
    ) != "textDocument/publishDiagnostics":
        pass
    for diagnostic in message["params"]["diagnostics"]:
        line = diagnostic["range"]["start"]["line"] + 1
        print(f"line {line}: {diagnostic['message']}")
    print("end of diagnostics")
    if word:
        print(hover(server, document["uri"], position(document["text"], word)))
    send(server, {"id": 2, "method": "shutdown"})
    receive(server)
    send(server, {"method": "exit"})
    server.stdin.close()
    return server.wait(timeout=60)


sys.exit(main(*sys.argv[1:]))
