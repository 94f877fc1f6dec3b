#!/usr/bin/env python3
"""What people wrote in 2013: fetch the address, compare it with a file, mail on a change."""
import os
import smtplib
import sys
import urllib.request
from email.message import EmailMessage

url, path, smtp_port = sys.argv[1:4]
address = urllib.request.urlopen(url, timeout=5).read().decode().strip()
old = open(path).read().strip() if os.path.exists(path) else ""
if address != old:
    message = EmailMessage()
    message["Subject"] = "New IP address"
    message["From"] = message["To"] = "owner@example.net"
    message.set_content(address)
    with smtplib.SMTP("127.0.0.1", int(smtp_port)) as server:
        server.send_message(message)
    with open(path, "w") as file:
        file.write(address)
