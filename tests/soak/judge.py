"""What the applications of a soak met that nothing explains.

    judge.py DIRECTORY SINCE

An event explains what was under way from its beginning to 5 s after its end. Content that was wrong is
always told; so is what stood still longer than anything that happened.
"""
import collections
import json
import os
import sys

directory, since = sys.argv[1], float(sys.argv[2])
spans, begun = [], {}
for line in open(os.path.join(directory, "events")) if os.path.exists(os.path.join(directory, "events")) else []:
    when, word, name = line.split()
    if word == "begin":
        begun[name] = float(when)
    else:
        spans.append((begun.pop(name, float(when)), float(when) + 5, name))
HARMLESS = ("event_nothing", "event_status", "event_watch", "event_flush", "event_reload", "event_hup")
sums, examples = collections.Counter(), {}
for name in ("client", "lan"):
    for line in open(os.path.join(directory, name + ".jsonl")):
        began, ended, what, word = json.loads(line)
        if began < since:
            continue
        why = [e for a, b, e in spans if a <= ended and began <= b and e not in HARMLESS]
        short = " ".join(word.split()[:2])
        if why and not word.startswith("wrong"):
            continue
        key = (name, what, short, "unexplained" if not why else "during " + ",".join(sorted(set(w[6:] for w in why))))
        sums[key] += 1
        examples.setdefault(key, (began, ended, word))
for key, n in sums.most_common():
    print("   ", n, *key, "e.g.", *examples[key])
total, failed = 0, 0
for name in ("client", "lan"):
    for line in open(os.path.join(directory, name + ".counts")):
        *words, n = line.split()
        total += int(n) if words[-1] in ("ok", "failed") else 0
        failed += int(n) if words[-1] == "failed" else 0
print("    so far %d things done, %d of them failed" % (total, failed))
