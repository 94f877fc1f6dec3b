# Types answers on a pseudo-terminal, each when its question stands there, and prints all that was shown.
# Arguments: a JSON list of [question, answer], then the command. A third word makes it wait until the
# terminal no longer echoes. A number in front of them is the terminal's width.
import fcntl, json, os, pty, re, struct, sys, termios

dialogue = json.loads(sys.argv[1])
columns = dialogue.pop(0) if dialogue and isinstance(dialogue[0], int) else 200
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
shown = b""
seen = 0
for question, answer, *patience in dialogue + [[None, ""]]:
    while question is None or shown.find(question.encode(), seen) < 0:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            chunk = b""
        if not chunk:
            break
        shown += chunk
    else:
        seen = shown.find(question.encode(), seen) + len(question.encode())
        while patience and termios.tcgetattr(terminal)[3] & termios.ECHO:
            pass
        os.write(terminal, answer.encode())
plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown).replace(b"\r", b"")
sys.stdout.buffer.write(plain)
exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(b"\n[exit code %d]\n" % exit_code)
sys.exit(exit_code)
