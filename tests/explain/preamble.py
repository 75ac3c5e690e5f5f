# SPDX-License-Identifier: Apache-2.0
"""preamble.py KIND PORT: what servers of some protocols say before TLS begins.

Listens on the loopback, prints "port N", speaks the preamble of KIND (postgres, mysql, ftp, smtp)
with each client and then passes bytes to and fro between it and the TLS server at PORT. Ends when standard
input does. It knows just enough for a client to begin its handshake.
"""
import os
import select
import socket
import struct
import sys
import threading


def line(client):
    text = b""
    while not text.endswith(b"\n"):
        byte = client.recv(1)
        if not byte:
            raise ConnectionError("the client left")
        text += byte
    return text.strip().upper()


def postgres(client):
    client.recv(8, socket.MSG_WAITALL)  # SSLRequest
    client.sendall(b"S")


def mysql(client):
    capabilities = 0x0008AA0D | 0x00800000  # protocol 4.1, SSL, secure connection, plugin authentication
    greeting = b"\x0a8.0.0\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", capabilities & 0xFFFF)
    greeting += b"\x21" + struct.pack("<HH", 2, capabilities >> 16) + b"\x15" + bytes(10)
    greeting += b"123456789012\0" + b"mysql_native_password\0"
    client.sendall(struct.pack("<I", len(greeting)) + greeting)
    client.recv(36, socket.MSG_WAITALL)  # SSLRequest: a header and 32 bytes


def ftp(client):
    client.sendall(b"220 ready\r\n")
    while not line(client).startswith(b"AUTH"):
        client.sendall(b"500 no\r\n")
    client.sendall(b"234 go ahead\r\n")


def smtp(client):
    client.sendall(b"220 localhost ready\r\n")
    while line(client) != b"STARTTLS":
        client.sendall(b"250-localhost\r\n250 STARTTLS\r\n")
    client.sendall(b"220 go ahead\r\n")


def serve(client, preamble, port):
    with client:
        try:
            preamble(client)
            with socket.create_connection(("127.0.0.1", port)) as server:
                other = {client: server, server: client}
                while True:
                    for ready in select.select([client, server], [], [])[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        other[ready].sendall(data)
        except OSError:
            pass


def listen(listener, preamble, port):
    while True:
        client = listener.accept()[0]
        threading.Thread(target=serve, args=(client, preamble, port), daemon=True).start()


def main():
    kinds = {"postgres": postgres, "mysql": mysql, "ftp": ftp, "smtp": smtp}
    preamble, port = kinds[sys.argv[1]], int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    threading.Thread(target=listen, args=(listener, preamble, port), daemon=True).start()
    while os.read(0, 256):
        pass


main()
