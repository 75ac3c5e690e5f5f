# SPDX-License-Identifier: Apache-2.0
"""odd_server.py MODE CERT KEY CA [1.2|1.3]: what mtls-server is not, on a port of 127.0.0.1 that it prints.

Ends with its standard input. A line for each connection on standard error: seen mode= tls= subject= line=, where line is
what the client said last in the clear protocol or after the handshake, as mtls-server's log has it.

  silent closes resets     take the connection, and say nothing, or end it
  http greets              speak no TLS: an HTTP server's answer, a mail server's greeting
  smtp imap postgres       STARTTLS, then a certificate is required; smtp and imap answer one more line
  smtp-sorry imap-sorry smtp-shuts  the same, but they say no to that line, or close
  smtp-none imap-none postgres-none postgres-else  do not offer it, or are something else
  endless half             an SMTP greeting that never ends; one that stops half-way
  shuts drops says quiet   TLS with a certificate: closes after it; resets after it; ODD_ANSWER for any line; silence
  banner stalls slow       speaks first; stops in the midst of its first record; looks at the certificate 1.5 s later
  anybody-shuts            does not ask, and closes at the first line
"""
import os, select, socket, ssl, struct, sys, threading, time

mode, cert, key, ca = sys.argv[1:5]
version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}.get((sys.argv[5:] or [""])[0])
LINES = {
    "says": os.environ.get("ODD_ANSWER", "HTTP/1.1 403 Forbidden").encode() + b"\r\n",
    "smtp": b"250 at your service\r\n",
    "smtp-sorry": b"550 5.7.1 certificate not on the list\r\n",
    "imap": b"a2 OK done\r\n",
    "imap-sorry": b"* BYE certificate not on the list\r\n",
}


def line_of(file):
    return file.readline(1000)


def preamble(s, file):
    """The talk before TLS. True: TLS begins."""
    if mode.startswith("smtp"):
        s.sendall(b"220-odd.example\r\n220 ESMTP\r\n")
        hello = line_of(file)
        assert hello == b"EHLO [127.0.0.1]\r\n", hello
        if mode == "smtp-none":
            s.sendall(b"250-odd.example\r\n250 STARTTLSNOT\r\n")
            return line_of(file) == b"never"
        s.sendall(b"250-odd.example\r\n250-STARTTLS\r\n250 HELP\r\n")
        assert line_of(file) == b"STARTTLS\r\n"
        s.sendall(b"220 go ahead\r\n")
    elif mode.startswith("imap"):
        s.sendall(b"* OK ready\r\n")
        assert line_of(file) == b"a1 STARTTLS\r\n"
        if mode == "imap-none":
            s.sendall(b"* CAPABILITY IMAP4rev1\r\na1 BAD unknown command\r\n")
            return line_of(file) == b"never"
        s.sendall(b"* 1 EXISTS\r\na1 OK go ahead\r\n")
    elif mode.startswith("postgres"):
        assert file.read(8) == struct.pack("!II", 8, 80877103)
        s.sendall({"postgres": b"S", "postgres-none": b"N", "postgres-else": b"E"}[mode])
        return mode == "postgres"
    elif mode == "endless":
        while True:
            s.sendall(b"220-and so on\r\n" * 64)
    elif mode == "half":
        s.sendall(b"220-half")
        return file.read(1) == b"never"
    return True


def plain(s, file):
    """Modes without TLS. True: that was all."""
    if mode == "silent":
        file.read()
    elif mode == "closes":
        s.shutdown(socket.SHUT_WR)
        file.read()
    elif mode == "resets":
        s.recv(1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif mode == "http":
        s.recv(4096)
        s.sendall(os.environ.get("ODD_ANSWER", "HTTP/1.1 400 Bad Request").encode() + b"\r\nConnection: close\r\n\r\n")
    elif mode == "greets":
        s.sendall(b"220 mail.example ESMTP\r\n")
        file.read()
    elif mode == "stalls":
        s.recv(65536)
        s.sendall(b"\x16\x03\x03\x00\x7a\x02")
        file.read()
    return mode in ("silent", "closes", "resets", "http", "greets", "stalls")


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(cert, key)
    c.load_verify_locations(ca)
    if mode != "anybody-shuts":
        c.verify_mode = ssl.CERT_REQUIRED
    if mode in ("shuts", "drops", "quiet", "banner", "says"):
        c.num_tickets = 0
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def put_off(t):
    """Our first flight goes out at once, and what comes back lies there."""
    select.select([t], [], [])
    t.setblocking(False)
    try:
        t.do_handshake()
    except ssl.SSLWantReadError:
        pass
    t.setblocking(True)
    time.sleep(1.5)


def secure(s, seen):
    t = context().wrap_socket(s, server_side=True, do_handshake_on_connect=False)
    if mode == "slow":
        put_off(t)
    t.do_handshake()
    seen["tls"] = t.version()[-3:]
    seen["subject"] = ",".join("CN=" + v for r in (t.getpeercert() or {}).get("subject", ()) for k, v in r)
    if mode == "shuts":
        return
    if mode == "drops":
        s = t.detach()
        s = socket.socket(fileno=s)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        return
    if mode == "banner":
        t.sendall(b"220 odd.example\r\n")
    file = t.makefile("rb")
    seen["line"] = line_of(file).decode("latin-1").strip()
    t.sendall(LINES.get(mode, b""))
    if mode in ("quiet", "banner", "postgres"):
        file.read()


def serve(s):
    seen = {"mode": mode, "tls": "", "subject": "", "line": ""}
    try:
        with s:
            file = s.makefile("rb", buffering=0)
            if not plain(s, file) and preamble(s, file):
                file.close()
                secure(s, seen)
    except (OSError, AssertionError) as e:
        seen["error"] = str(e).replace('"', "'").replace("\n", " ")
    sys.stderr.write("seen " + " ".join('%s="%s"' % pair for pair in seen.items()) + "\n")
    sys.stderr.flush()


def accept(listener):
    while True:
        s, _ = listener.accept()
        threading.Thread(target=serve, args=(s,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
