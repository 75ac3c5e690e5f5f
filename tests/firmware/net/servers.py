# SPDX-License-Identifier: Apache-2.0
"""servers.py MODE [CERT KEY CA [FILE]]: servers that our own server is too well-behaved to be. Prints "port N", serves every
connection in a thread, ends with its standard input.

  garbage   answers with bytes that are no TLS       close     hangs up at once
  stall     accepts and says nothing                 reset     hangs up with a reset after the client's first bytes
  half      sends half a ServerHello, then nothing   trickle   garbage, a byte at a time
  echo      TLS that wants a certificate of CA and sends back what comes, in records as large as they may be
  echo12    the same, and speaks TLS 1.2 only
  chunked   the same for HTTP, with a body of 1 MB in chunks
  cut       the same, but hangs up without a goodbye in the midst of the body
  drizzle   echo, but what is longer than 10 bytes comes back one byte a record and segment
  answer    the same for HTTP: the bytes of FILE, then a goodbye
  hang      the same, then nothing           flood     the same, then its last line without end
  drip      the same, then its last line ten times a second
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time

mode, files = sys.argv[1], sys.argv[2:]
context = None
if files:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[0], files[1])
    context.load_verify_locations(files[2])
    context.verify_mode = ssl.CERT_REQUIRED
    if mode == "echo12":
        context.maximum_version = ssl.TLSVersion.TLSv1_2


def echo(tls):
    while data := tls.recv(1 << 16):
        tls.sendall(data)
    try:
        tls.unwrap()
    except OSError:
        pass


echo12 = echo


def drizzle(tls):
    while data := tls.recv(1 << 16):
        for at in range(len(data) if len(data) > 10 else 0):
            tls.sendall(data[at : at + 1])
            time.sleep(0.01)
        if len(data) <= 10:
            tls.sendall(data)


def answer(tls):
    with open(files[3], "rb") as file:
        lines = file.readlines()
    tls.recv(1 << 16)
    tls.sendall(b"".join(lines))
    if mode == "hang":
        tls.recv(1)
    while mode in ("flood", "drip"):
        tls.sendall(lines[-1])
        time.sleep(0.1 if mode == "drip" else 0)
    tls.unwrap()


hang = flood = drip = answer


def chunked(tls):
    body = bytes(i % 251 for i in range(1 << 20))
    while b"\r\n\r\n" not in tls.recv(1 << 16):
        pass
    tls.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, len(body), 30000):
        piece = body[at : at + 30000]
        tls.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    tls.sendall(b"0\r\n\r\n")
    tls.unwrap()


def cut(tls):
    tls.recv(1 << 16)
    tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf of")


def raw(connection):
    if mode == "close":
        return
    connection.recv(1 << 16)
    if mode == "garbage":
        connection.sendall(os.urandom(5000))
        connection.recv(1 << 16)
    if mode == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if mode == "half":
        connection.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(40))
    if mode in ("stall", "half"):
        connection.recv(1 << 16)
    while mode == "trickle":
        connection.sendall(b"\x16")
        time.sleep(0.05)


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        try:
            if not context:
                raw(connection)
                return
            with context.wrap_socket(connection, server_side=True) as tls:
                globals()[mode](tls)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
