"""Opens a file in a language server and prints the diagnostics it sends.

lsp_client.py SERVER FILE: speaks the Language Server Protocol (JSON-RPC with
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


def main(command: str, file: str) -> int:
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
    send(server, {"id": 2, "method": "shutdown"})
    receive(server)
    send(server, {"method": "exit"})
    server.stdin.close()
    return server.wait(timeout=60)


sys.exit(main(*sys.argv[1:]))
