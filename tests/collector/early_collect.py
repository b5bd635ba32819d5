"""`assay collect`, broken on purpose: it answers first, and stores a moment later."""

import threading
from concurrent.futures import Future

from loaders.cli import main
from loaders.collector.replies import Reply
from loaders.collector.spool import Spool, Submission

_submit = Spool.submit
# Longer than a kill waits for (crashing.UP_SECONDS): what was just answered dies with it.
STORED_AFTER = 1.5


def answers_early(spool: Spool, submission: Submission) -> Future[Reply]:
    done: Future[Reply] = Future()
    done.set_result(submission.reply)
    threading.Timer(STORED_AFTER, _submit, (spool, submission)).start()
    return done


if __name__ == "__main__":
    Spool.submit = answers_early
    main(["collect", *__import__("sys").argv[1:]])
